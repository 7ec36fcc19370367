"""The replicas of a model: started where there is room, kept busy, and replaced when they die."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pipeline
from pipeline.engines.ray.cluster import Cluster, Room, first_line
from pipeline.engines.ray.replica import Answers, Asked, Place, Replica
from pipeline.engines.ray.work import Work
from pipeline.errors import EngineUnreachable

logger = logging.getLogger(__name__)

CHECK = 2.0  # seconds between two looks at the cluster
NEWS = 60.0  # seconds between two lines about waiting
CALLS = 500  # a second; what the coordinator's core does besides its work
SHORTEST = 0.005  # seconds that a replica lingers at least, so that answers come in batches
TRIES = 3  # starts that fail one after another, before it is given up
END = 40  # seconds for a replica to give back its memory


class Limits(NamedTuple):
    """How a fleet is kept; see `RayOptions`."""

    num_replicas: int | None
    size: int  # GPUs of a replica
    slots: int
    silence: float
    patience: float


@dataclass(eq=False)
class Member:
    """A replica, as the coordinator sees it."""

    actor: Any
    call: Any  # in the air, if there is one
    since: float  # when it went out
    state: Literal["placing", "loading", "live"] = "placing"
    place: Place | None = None
    held: dict[int, Asked] = field(default_factory=dict)


class Fleet:
    """Replicas, each an actor of its own, with one call in the air.

    Args:
        make: The arguments of `Replica`.
    """

    def __init__(self, cluster: Cluster, make: tuple[Any, ...], limits: Limits) -> None:
        self.cluster, self.make, self.limits = cluster, make, limits
        self.members: list[Member] = []
        self.room = cluster.room(limits.size)
        self.failed = 0  # starts that went wrong, since the last that did not
        self.problem = ""  # of the first of them
        self.proven = False  # whether a replica has ever been ready
        now = time.monotonic()
        self.checked, self.told, self.alone_since, self.not_before = 0.0, now, now, 0.0

    @property
    def live(self) -> list[Member]:
        return [member for member in self.members if member.state == "live"]

    @property
    def capacity(self) -> int:
        """Requests that the replicas hold together, those among them that are still starting."""
        return len(self.members) * self.limits.slots

    def turn(self, work: Work, seconds: float) -> None:
        """Hand out requests, wait up to so many seconds for answers, and note them.

        Raises:
            EngineUnreachable: when there is no replica, and none can be had.
        """
        if time.monotonic() - self.checked > CHECK:
            self._look_after()
        self._hand_out(work)
        calls = {member.call: member for member in self.members if member.call is not None}
        if not calls:
            time.sleep(min(seconds, CHECK))
            return
        wait, back = self.cluster.ray.wait, []
        if wait([*calls], num_returns=1, timeout=min(seconds, CHECK))[0]:
            back, _ = wait([*calls], num_returns=len(calls), timeout=0)
        for call in back:
            self._collect(calls.pop(call), work)
        now = time.monotonic()
        for member in calls.values():
            if member.state == "live" and now - member.since > self.limits.silence:
                self._lose(member, work, f"has said nothing for {self.limits.silence:.0f} s")

    def drop(self) -> None:
        """Have the replicas forget what they work on."""
        for member in self.members:
            if member.held:
                member.actor.drop.remote([*member.held])
                member.held.clear()

    def close(self, at_once: bool = False) -> None:
        """End all replicas; unless it is to be at once, wait until their memory is free."""
        ray = self.cluster.ray
        if not ray.is_initialized():  # the caller has left the cluster; any call would start another
            self.members.clear()
            return
        if not at_once and (closing := [member.actor.close.remote() for member in self.live]):
            ray.wait(closing, num_returns=len(closing), timeout=END)
        for member in self.members:
            ray.kill(member.actor)
        self.members.clear()

    def _look_after(self) -> None:
        """Start replicas that are wanted, and see whether there can be any."""
        self.cluster.check()
        self.checked = now = time.monotonic()
        self.room = room = self.cluster.room(self.limits.size)
        placed = sum(member.state != "placing" for member in self.members)
        if placed:
            self.alone_since = now
        wanted = min(room.total, placed + room.free) if (most := self.limits.num_replicas) is None else most
        if now >= self.not_before and (self.proven or not self.failed):
            for _ in range(wanted - len(self.members)):
                self._start(room)
        if not self.live and self.failed and (self.failed >= max(TRIES, wanted) or not (self.members or self.proven)):
            raise EngineUnreachable(f"no replica of {self.make[1]} starts: {self.problem}")
        if now - self.alone_since > self.limits.patience or (not room.total and self.cluster.is_local):
            raise EngineUnreachable(f"{self._no_room(room)}; correct engine.tensor_parallel_size, or add machines")
        if not (placed or room.free) and now - self.told > NEWS:
            self.told = now
            logger.warning("%s; waiting for machines to join", self._no_room(room))

    def _no_room(self, room: Room) -> str:
        needs = f"{self.limits.size} {room.unit}{'s' if self.limits.size > 1 else ''}"
        return f"the cluster has no room for a replica of {needs}: it has {room.told}"

    def _start(self, room: Room) -> None:
        needs = {"num_gpus": self.limits.size} if room.unit == "GPU" else {"num_cpus": self.limits.size}
        # A replica that dies is replaced by a new one, wherever there is room by then, so Ray need not revive it.
        kind = self.cluster.ray.remote(Replica).options(max_restarts=0, max_task_retries=0, max_concurrency=3, **needs)
        actor = kind.remote(*self.make, self.limits.silence)
        self.members.append(Member(actor, actor.hello.remote(), time.monotonic()))

    def _hand_out(self, work: Work) -> None:
        if not (live := self.live):
            return
        share = min(self.limits.slots, math.ceil(len(work.open) / len(live)))  # of what is open, so the end is spread
        linger = max(SHORTEST, len(live) / CALLS)
        for member in live:
            if member.call is None:
                new = work.take(share - len(member.held))
                member.held.update(new)
                if member.held:
                    self._call(member, member.actor.exchange.remote(new, linger))

    def _call(self, member: Member, call: Any) -> None:
        member.call, member.since = call, time.monotonic()

    def _collect(self, member: Member, work: Work) -> None:
        """Take what a call has brought."""
        call, member.call = member.call, None
        try:
            back = self.cluster.ray.get(call)
        except self.cluster.ray.exceptions.RayError as error:
            self._lose(member, work, "has died" if member.place else f"cannot be started: {first_line(error)}")
            return
        if isinstance(back, Place):
            member.place, member.state = back, "loading"
            if back.version != pipeline.__version__:
                self._lose(member, work, f"has Sprout {back.version}, but this machine {pipeline.__version__}")
            else:
                self._call(member, member.actor.ready.remote())
        elif isinstance(back, Answers):
            for number, answer in back.answers:
                if member.held.pop(number, None):
                    work.answer(number, answer)
            if back.failure:
                self._lose(member, work, f"has failed: {back.failure}")
        elif back:
            self._lose(member, work, f"cannot load the model: {back}")
        else:
            member.state, self.proven, self.failed, self.problem = "live", True, 0, ""
            logger.info("replica on %s is ready: %d of %d", member.place, len(self.live), len(self.members))

    def _lose(self, member: Member, work: Work, what: str) -> None:
        """Give up a replica; what it was asked is asked elsewhere."""
        self.members.remove(member)
        self.cluster.ray.kill(member.actor)
        where = f"the replica on {member.place}" if member.place else "a replica"
        again = f"; {len(member.held)} requests are asked again" if member.held else ""
        logger.warning("%s %s%s", where, what, again)
        if member.state != "live":
            self.problem = self.problem or f"{where} {what}"
            self.failed += 1
            self.not_before = time.monotonic() + min(60, 2**self.failed)
        self.checked = 0.0
        work.lose(member.held)
