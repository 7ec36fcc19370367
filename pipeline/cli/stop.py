"""SIGTERM and SIGHUP stop a command as Ctrl-C does: workload managers and terminals that close send them."""

import os
import signal
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """What has stopped this process.

    Attributes:
        number: The signal; SIGINT until another one arrives.
    """

    def __init__(self) -> None:
        self.number = signal.SIGINT
        self._pid = os.getpid()

    def listen(self) -> None:
        """From here on each of the signals raises KeyboardInterrupt, but for one that is ignored, as under nohup."""
        for number in SIGNALS:
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._received)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a copy of this process, which is ended as if nothing were listening
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = signal.Signals(number)
        signal.raise_signal(signal.SIGINT)

    @property
    def exit_code(self) -> int:
        """As a shell gives it, 128 and the number of the signal."""
        return 128 + self.number

    def __str__(self) -> str:
        by = "" if self.number == signal.SIGINT else f" by {self.number.name}"
        return f"stopped{by}; the same command continues from here"
