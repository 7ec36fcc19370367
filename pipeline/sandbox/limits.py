"""What a program may use, and how it ended."""

from dataclasses import dataclass

from pydantic import ConfigDict, Field

from pipeline.strict import Strict

MEBI, KIBI = 1 << 20, 1 << 10


class Limits(Strict):
    """What a program may use; one that wants more is stopped, or told no by the system."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=5.0, gt=0, le=3600, description="from start to end")  # MBPP's, in LeTI (2305.10314)
    memory: int = Field(default=1024, ge=64, description="MiB of all its processes together")
    processes: int = Field(default=16, ge=1, description="processes and threads at a time")
    output: int = Field(default=64, ge=1, description="KiB that it prints")
    disk: int = Field(default=16, ge=1, description="MiB of files in its folder, which is gone afterwards")

    def of_system(self) -> dict[str, int]:
        """The limits that the system holds each process to, by their names in the module `resource`."""
        return {
            "RLIMIT_CPU": int(self.seconds) + 1,
            "RLIMIT_AS": self.memory * MEBI,
            "RLIMIT_FSIZE": self.disk * MEBI,
            "RLIMIT_NPROC": self.processes + 1,  # the one that watches it counts too
            "RLIMIT_NOFILE": 64,
            "RLIMIT_CORE": 0,
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_MEMLOCK": 0,
        }


@dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        passed: It came to its end.
        message: Why it did not, in one line.
        trace: The traceback, with lines of the program alone; empty if nothing was raised.
        output: What it printed, as far as that was let out.
    """

    passed: bool
    message: str = ""
    trace: str = ""
    output: str = ""
