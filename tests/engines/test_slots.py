"""How many requests are in flight: the logic alone, then against servers that are crowded."""

import asyncio
import statistics
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server import Server, connection
from pipeline.engines.server.slots import START, Gate, Slots, Turns
from tests.engines.stand_in import Answer, StandIn


def full(slots: Slots) -> Slots:
    slots.in_flight = int(slots.limit)
    return slots


def round_trip(slots: Slots) -> Slots:
    for _ in range(int(full(slots).limit)):
        slots.answered()
        full(slots)
    return slots


def test_it_starts_modestly_and_doubles_with_each_round_trip_up_to_the_window() -> None:
    slots = Slots(100)
    assert [int(slots.limit)] + [int(round_trip(slots).limit) for _ in range(4)] == [START, 8, 16, 32, 64]
    assert Slots(4).limit == 4


def test_a_server_that_does_not_tell_its_queue_gets_no_more_than_a_blind_one_may() -> None:
    slots = Slots(1000, 64)
    assert [int(round_trip(slots).limit) for _ in range(4)] == [8, 16, 32, 64]
    for _ in range(5):
        full(slots).observed(running=slots.in_flight, waiting=0)
    assert slots.limit == 1000
    slots.measured = False  # for a while
    assert round_trip(slots).limit == 1000


def test_right_answers_prove_nothing_while_few_are_in_flight() -> None:
    slots = Slots(100)
    slots.in_flight = START - 1
    slots.answered()
    slots.observed(running=10, waiting=0)
    assert slots.limit == START


def test_slow_answers_make_nothing_grow() -> None:
    slots = full(Slots(100))
    for _ in range(20):
        slots.answered(slowly=True)
    assert slots.limit == START <= 4


def test_a_sign_of_too_much_halves_it_once_per_round_trip_and_then_it_grows_slowly() -> None:
    slots = round_trip(round_trip(Slots(100)))
    for began in (1.0, 1.1, 1.2):
        slots.crowded(began, now=2.0)
    assert slots.limit == 8
    slots.in_flight = 7
    slots.answered()
    slots.crowded(began=1.9, now=2.1)  # on its way when it was halved
    assert slots.limit == 8
    slots.crowded(began=2.0, now=2.2)
    assert slots.limit == 4
    assert 4.9 < round_trip(slots).limit <= 5.1


def test_a_server_that_is_gone_halves_it_once_and_one_slot_is_always_left() -> None:
    slots = round_trip(round_trip(Slots(100)))
    assert [slots.crowded(began=second, now=second + 0.5) for second in range(4)] == [False, True, True, True]
    assert slots.limit == 8
    for second in range(10, 20):
        slots.answered()
        slots.crowded(began=second, now=second + 0.5)
    assert slots.limit == 1


def test_it_grows_while_nothing_waits_in_the_server_and_then_answers_do_not_count() -> None:
    slots = Slots(100)
    sizes = []
    for _ in range(4):
        full(slots).observed(running=slots.in_flight, waiting=0)
        sizes.append(int(slots.limit))
        round_trip(slots)
    assert sizes == [8, 16, 32, 64]


def test_it_shrinks_by_the_share_that_waits_twice_in_a_row_whoever_asked_it() -> None:
    slots = Slots(512)
    slots.limit = 320
    full(slots).observed(running=256, waiting=64)
    assert slots.limit == 320
    slots.observed(running=256, waiting=64)
    assert slots.limit == 256  # what runs, if all are ours
    slots.in_flight = 256
    slots.observed(running=256, waiting=100)  # of others
    assert slots.limit == pytest.approx(256 * 256 / 320)


def test_a_queue_that_is_long_halves_it_at_most() -> None:
    slots = Slots(512)
    for _ in range(2):
        full(slots).observed(running=1, waiting=1000)
    assert slots.limit == START / 2
    slots.observed(running=0, waiting=1000)
    assert slots.limit == START / 2  # what is in flight has to come down first
    full(slots).observed(running=0, waiting=1000)
    assert slots.limit == START / 4


def test_once_it_met_the_limit_of_the_server_it_grows_slowly() -> None:
    slots = Slots(512)
    slots.limit = 320
    for _ in range(2):
        full(slots).observed(running=256, waiting=64)
    for _ in range(2):
        full(slots).observed(running=256, waiting=0)
    assert slots.limit == 256 * (9 / 8) ** 2


def test_the_gate_lets_the_oldest_request_through_first_and_survives_those_that_leave() -> None:
    async def scene() -> list[int]:
        slots = Slots(1)
        gate = Gate(asyncio.get_running_loop(), slots)
        order: list[int] = []

        async def pass_through(number: int) -> None:
            async with gate.slot(number):
                order.append(number)
                await asyncio.sleep(0.001)

        tasks = [asyncio.ensure_future(pass_through(number)) for number in (0, 5, 3, 9, 4, 1)]
        await asyncio.sleep(0)
        tasks[4].cancel()  # waits
        tasks[0].cancel()  # is inside
        await asyncio.gather(*tasks, return_exceptions=True)
        assert slots.in_flight == 0
        return order

    assert asyncio.run(scene()) == [0, 1, 3, 5, 9]


def test_turns_come_in_order_as_many_at_once_as_may_and_go_on_past_those_that_leave() -> None:
    async def scene() -> tuple[list[int], int, int]:
        turns, order, inside, most = Turns(2), list[int](), 0, 0

        async def pass_through(number: int) -> None:
            nonlocal inside, most
            async with turns:
                order.append(number)
                inside += 1
                most = max(most, inside)
                try:
                    await asyncio.sleep(0.001)
                finally:
                    inside -= 1

        tasks = [asyncio.ensure_future(pass_through(number)) for number in range(8)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # is inside
        tasks[3].cancel()  # waits
        await asyncio.sleep(0)
        tasks[2].cancel()  # was let in as the first one left, and has not run since
        await asyncio.gather(*tasks, return_exceptions=True)
        return order, most, turns.free

    assert asyncio.run(scene()) == ([0, 1, 4, 5, 6, 7], 2, 2)


def test_a_gate_that_is_closed_for_a_while_opens_again() -> None:
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        slots = Slots(4)
        gate = Gate(loop, slots)
        start = loop.time()
        times = []
        gate.close_for(slots, 0.1)
        gate.close_for(slots, 0.2)
        gate.close_for(slots, 0.05)
        async with gate.slot(0):
            times.append(loop.time() - start)
        async with gate.slot(1):
            times.append(loop.time() - start)
        return times

    first, second = asyncio.run(scene())
    assert 0.2 <= first <= second < 1


class Crowd:
    """What a server does with more requests than it can run: it refuses them, or lets them wait and tells how many."""

    def __init__(self, capacity: int, others: int = 0) -> None:
        self.capacity, self.others = capacity, others
        self.lock = threading.Condition()
        self.inside = self.running = self.refused = 0
        self.sizes: list[int] = []

    def refuse(self, tried: int, body: dict[str, Any]) -> Answer:
        with self.lock:
            if self.inside >= self.capacity:
                self.refused += 1
                return Answer(429)
            self.inside += 1
        time.sleep(0.1)
        with self.lock:
            self.inside -= 1
        return Answer()

    def queue(self, tried: int, body: dict[str, Any]) -> Answer:
        with self.lock:
            self.inside += 1
            self.lock.wait_for(lambda: self.running + self.others < self.capacity)
            self.running += 1
        time.sleep(0.3)
        with self.lock:
            self.running -= 1
            self.inside -= 1
            self.lock.notify()
        return Answer()

    def metrics(self) -> str:
        with self.lock:
            self.sizes.append(self.inside)
            running, waiting = self.running + self.others, self.inside - self.running
        return f"vllm:num_requests_running {running}\nvllm:num_requests_waiting {waiting}\n"


def run(stand_in: StandIn, count: int) -> None:
    requests = (Request(id=f"r{n}", prompt=f"p{n}", sampling=Sampling()) for n in range(count))
    with closing(Server("tiny", stand_in.url, chat=False, pause=0.1)) as server:
        completions = list(server.generate(requests))
    assert [(c.id, c.text) for c in completions] == [(f"r{n}", f"echo p{n}") for n in range(count)]


def test_a_server_that_refuses_too_many_at_once_is_soon_asked_for_what_it_takes() -> None:
    crowd = Crowd(capacity=4)
    with StandIn(crowd.refuse) as stand_in:
        run(stand_in, 80)
    assert crowd.refused < 60


@pytest.mark.parametrize(("others", "count"), [(0, 200), (18, 60)])
def test_a_server_that_tells_its_queue_is_kept_full_and_not_more(
    monkeypatch: pytest.MonkeyPatch, others: int, count: int
) -> None:
    monkeypatch.setattr(connection, "POLL", 0.1)
    crowd = Crowd(24, others)
    with StandIn(crowd.queue) as stand_in:
        stand_in.metrics = crowd.metrics
        run(stand_in, count)
    room, usual = 24 - others, statistics.median(crowd.sizes[len(crowd.sizes) // 3 :])
    assert room * 0.6 <= usual <= room * 1.6
