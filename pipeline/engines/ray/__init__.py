"""Replicas of a model on a Ray cluster: many machines, or many GPUs of one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import count, islice
from typing import Any

from pydantic import Field

from pipeline.engines.base import Arrived, Completions, Likelihoods, Request, Scored, ScoreRequest, at_hand, reach
from pipeline.engines.ray.cluster import Cluster
from pipeline.engines.ray.fleet import Fleet, Limits
from pipeline.engines.ray.work import Work
from pipeline.engines.vllm import VLLM, VLLMOptions
from pipeline.errors import EngineUnreachable

WAIT = 0.5  # seconds for the next answer
EACH = 0.02  # seconds after which replicas are looked after while answers are handed out
VLLM_CORE = "pipeline.engines.vllm.core:Core"


class RayOptions(VLLMOptions):
    address: str | None = Field(
        default=None, description="host:port of the cluster's head, or auto; unset: a cluster of this machine alone"
    )
    num_replicas: int | None = Field(
        default=None, ge=1, description="unset: as many as there is room for, also when machines join or leave"
    )
    tensor_parallel_size: int = Field(
        default=1, ge=1, description="GPUs that a replica is spread over, on one machine; CPUs if there is no GPU"
    )
    slots: int = Field(
        default=256, ge=1, description="the most requests that a replica holds; at least its max_num_seqs"
    )
    silence: float = Field(default=300, gt=0, description="seconds after which a replica that says nothing is replaced")
    patience: float = Field(default=600, ge=0, description="seconds to wait for a cluster that has no room")
    replica: str = Field(default=VLLM_CORE, description="module:Class of what answers in a replica")


class Ray(VLLM):
    """Asks replicas of vLLM, each a process of its own on a Ray cluster, wherever there is room.

    Requests of a replica that dies, or hangs, are asked again elsewhere, and a new one takes its place. Answers are
    handed out in the order of the requests, so that the files of a run do not depend on the number of replicas.

    Args:
        address: Of the cluster; see `Cluster`.
        replica: What answers in a replica; see `Core` in `pipeline.engines.ray.replica`.
        llm_options: As of `VLLM`, whose arguments the others are.

    Example:
        >>> engine = Ray("meta-llama/Llama-3.1-8B", address="auto", num_replicas=8)
    """

    options = RayOptions

    def __init__(
        self,
        model: str,
        address: str | None = None,
        num_replicas: int | None = None,
        tensor_parallel_size: int = 1,
        slots: int = 256,
        silence: float = 300,
        patience: float = 600,
        replica: str = VLLM_CORE,
        chat: bool | None = None,
        window: int = 1024,
        trust_remote_code: bool = False,
        chat_template_kwargs: dict[str, Any] | None = None,
        **llm_options: Any,
    ) -> None:
        super().__init__(model, chat, window, trust_remote_code, chat_template_kwargs, **llm_options)
        self.address, self.replica = address, replica
        self.limits = Limits(num_replicas, tensor_parallel_size, slots, silence, patience)
        if tensor_parallel_size > 1:
            within = {"tensor_parallel_size": tensor_parallel_size, "distributed_executor_backend": "mp"}
            self.llm_options = within | self.llm_options
        self._fleet: Fleet | None = None
        self._requests = count()

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        yield from self._answers(requests, arrived)

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        yield from self._answers(requests, arrived)

    def close(self) -> None:
        self._close()

    def _answers(
        self, requests: Iterable[Any], arrived: Callable[[Any, Any], None] | None
    ) -> Generator[Any, None, None]:
        """Have requests answered, and yield the answers in the order of the requests."""
        source, waiting, work = iter(requests), deque[int](), Work(arrived)
        fleet = self._fleet = self._fleet or self._start()
        last = 0.0
        try:
            while True:
                most = reach(max(self.window, fleet.capacity))
                for request in islice(at_hand(source), max(0, most - len(waiting))):
                    waiting.append(next(self._requests))
                    work.add(waiting[-1], request)
                if not waiting:
                    return
                while waiting[0] not in work.done or time.monotonic() - last > EACH:
                    fleet.turn(work, 0 if waiting[0] in work.done else WAIT)
                    last = time.monotonic()
                yield work.done.pop(waiting.popleft())
        except EngineUnreachable:
            self._close(at_once=True)
            raise
        finally:
            if self._fleet:
                self._fleet.drop()

    def _start(self) -> Fleet:
        return Fleet(Cluster(self.address), (self.replica, self.model, self.llm_options), self.limits)

    def _close(self, at_once: bool = False) -> None:
        if self._fleet:
            self._fleet.close(at_once)
            self._fleet.cluster.close()
            self._fleet = None
