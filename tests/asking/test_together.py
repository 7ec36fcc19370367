"""The same items put to several engines: each keeps its own requests in flight, and the order is that of the items."""

import pytest

from pipeline import Completion, Request, Sampling
from pipeline.asking.together import ask_together
from pipeline.engines.scripted import Scripted


def requests(name: str, item: int) -> list[Request]:
    return [Request(id=f"{item}:{name}:{n}", prompt=f"{name}{item}", sampling=Sampling()) for n in range(1 + item % 2)]


def count(item: int) -> int:
    return 1 + item % 2


@pytest.mark.parametrize("windows", [(1, 1), (1, 50), (50, 2)])
def test_each_item_comes_with_what_every_engine_said_of_it(windows):
    engines = {
        name: Scripted(lambda request: str(request.prompt), window=window)
        for name, window in zip("ab", windows, strict=True)
    }
    found = list(ask_together(engines, iter(range(20)), requests, count))

    assert [item for item, _ in found] == list(range(20))
    for item, said in found:
        assert {name: [one.text for one in given] for name, given in said.items()} == {
            name: [f"{name}{item}"] * count(item) for name in "ab"
        }


def test_an_item_of_which_one_request_failed_is_left_out():
    def says(request: Request) -> Completion:
        return Completion(id=request.id, text="x", finish_reason="error" if request.id == "3:b:1" else "stop")

    found = ask_together({"a": Scripted(says), "b": Scripted(says)}, range(6), requests, count)
    assert [item for item, _ in found] == [0, 1, 2, 4, 5]


def test_items_are_read_as_they_are_needed_and_whoever_has_enough_stops():
    read = []

    def items():
        for item in range(1000):
            read.append(item)
            yield item

    engines = {"a": Scripted(lambda _: "x", window=2), "b": Scripted(lambda _: "x", window=8)}
    asked = ask_together(engines, items(), requests, count)
    for _ in range(10):
        next(asked)
    asked.close()

    assert len(read) < 30
    assert len(engines["b"].requests) < 40
