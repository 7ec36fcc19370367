"""The Ray cluster that a run uses: one that is named, or a local one that is started for it and ends with it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import EngineUnreachable, SproutError, silenced
from pipeline.resources import install

OBJECTS = 256 << 20  # bytes of shared memory for what is too large for a message, which is next to nothing
LOCAL = (None, "local")
LOCAL_SETTINGS = {  # for a cluster of one machine, which may be busy: Ray's own limits of time are for healthy ones
    "RAY_worker_niceness": "0",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_health_check_failure_threshold": "100",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class Room(NamedTuple):
    """What a cluster has for replicas."""

    unit: str  # GPU, or CPU where there is no GPU
    total: int  # replicas that its machines hold together, were nothing else there
    free: int  # for which there is room now
    told: str  # in words


class Cluster:
    """A connection to a cluster. Engines of one process share it, as a process can use only one.

    Args:
        address: `host:port` of the head, or `auto` for the cluster that this machine belongs to. None stands for the
            cluster that this process is connected to, or else for a local one of its own.

    Raises:
        SproutError: when Ray is not installed, or the process is connected to another cluster.
        EngineUnreachable: when there is no cluster at this address.
    """

    _users = 0  # engines that use a connection made here
    _joined: str | None = None  # at this address, in the words of its first user
    _lock = threading.Lock()

    def __init__(self, address: str | None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports home unless told not to
        if os.environ.get("RAY_AUTH_TOKEN") or (address not in LOCAL and _has_token_file()):
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # else Ray would not send it
        try:
            import ray
        except ImportError as error:
            raise SproutError(f"ray cannot be imported ({error}); {install('ray')}") from None
        self.ray: Any = ray
        with Cluster._lock:
            found = ray.is_initialized()
            if not found:
                _connect(ray, address)
                Cluster._joined = address
            self.head: str = ray.get_runtime_context().gcs_address
            if found and address not in (None, "auto", self.head, Cluster._joined):
                raise SproutError(
                    f"engine.address is {address}, but this process is connected to the cluster at {self.head}, and "
                    f"can use only one; give all engines of a run the same address"
                )
            self.is_local = not found and address in LOCAL  # and so never grows
            self.ours = not found or Cluster._users > 0
            Cluster._users += self.ours

    def close(self) -> None:
        """Leave the cluster with the last engine that uses it; a local one ends then. One of the caller's stays."""
        with Cluster._lock:
            Cluster._users -= self.ours
            if self.ours and not Cluster._users:
                self.ray.shutdown()
            self.ours = False

    def room(self, size: int) -> Room:
        """How many replicas of so many GPUs it has room for; of so many CPUs where it has no GPU."""
        machines = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        unit = "GPU" if any(machine.get("GPU") for machine in machines) else "CPU"
        units = [int(machine.get(unit, 0)) for machine in machines]
        free = int(self.ray.available_resources().get(unit, 0))
        told = f"{sum(units)} {unit}s on {len(machines)} machine{'s' if len(machines) != 1 else ''}"
        return Room(unit, sum(one // size for one in units), free // size, told)

    def check(self) -> None:
        """See that the head is there.

        Ray itself ends the whole process, without a word that helps, some time after the head is gone.

        Raises:
            EngineUnreachable: when it is not.
        """
        host, _, port = self.head.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise EngineUnreachable(
                f"the head of the Ray cluster at {self.head} is gone ({error}); start it, and run again to go on"
            ) from None


def first_line(error: BaseException) -> str:
    """What a library says, cut down to its first line that says something."""
    return next((line.strip() for line in str(error).split("\n") if line.strip()), type(error).__name__)[:300]


def _has_token_file() -> bool:
    """Whether the environment names a file with a token; Ray ends the whole process if it cannot read that.

    Raises:
        SproutError: for one that cannot be read, or is empty.
    """
    name = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    try:
        if name and not Path(name).read_text("utf-8").strip():
            raise SproutError(f"RAY_AUTH_TOKEN_PATH: {name} is empty; write the token of the cluster's head into it")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SproutError(f"RAY_AUTH_TOKEN_PATH: {name} cannot be read ({why}); name a file with the token") from None
    return bool(name)


def _connect(ray: Any, address: str | None) -> None:
    if address and address.startswith("ray://"):
        raise SproutError(
            f"engine.address: {address} is Ray's proxy; run sprout on a machine of the cluster, and give host:port "
            f"of its head, or auto"
        )
    options: dict[str, Any] = {"address": address}
    if address in LOCAL:
        # Without a token of ours, Ray leaves a file with one in the home folder.
        for name, value in {"RAY_AUTH_TOKEN": secrets.token_hex(32), **LOCAL_SETTINGS}.items():
            os.environ.setdefault(name, value)
        options = {"address": "local", "include_dashboard": False, "object_store_memory": OBJECTS}
    ends = signal.getsignal(signal.SIGTERM)
    try:
        with silenced("ray"):
            ray.init(**options, log_to_driver=False, configure_logging=False)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ends)  # in place of Ray's, which ends the process without a word
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
        raise EngineUnreachable(_problem(error, address)) from None


def _problem(error: BaseException, address: str | None) -> str:
    if address in LOCAL:
        return f"Ray cannot start a cluster on this machine: {first_line(error)}"
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    text = " ".join(str(one) for one in causes)
    if "AuthToken" in text or any(type(one).__name__ == "AuthenticationError" for one in causes):
        return (
            f"engine.address {address}: the cluster takes no token but that of its head; give it in RAY_AUTH_TOKEN, in "
            f"a file that RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token with RAY_AUTH_MODE=token"
        )
    return (
        f"engine.address {address}: no cluster can be joined there ({first_line(error)}); see that `ray status` works "
        f"on this machine, or leave engine.address out to use this machine alone"
    )
