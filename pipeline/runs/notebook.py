"""Progress of a run in a notebook: a few lines of plain text, which are replaced in their place."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.runs.run import Progress

INTERVAL = 1.0  # seconds between two looks at it


def progress_here() -> "Callable[[Progress], None] | None":
    """What shows progress in the notebook that this runs in; None anywhere else."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    shell = ipython.get_ipython() if ipython else None
    return Cell(shell) if shell is not None and getattr(shell, "kernel", None) is not None else None


class Cell:
    """Shows a line for each stage below a cell of a notebook.

    Args:
        shell: IPython's, whose `display_pub` shows and replaces.
    """

    def __init__(self, shell: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self.shell, self.clock = shell, clock
        self.lines: dict[str, str] = {}
        self.last = float("-inf")

    def __call__(self, now: "Progress") -> None:
        done = now.done >= now.wanted
        share = f"{now.kept / now.decided:.0%} of {now.decided:,} kept" if now.decided else ""
        self.lines[now.stage] = f"{now.stage:<14} {now.done:>7,} of {now.wanted:,}   {share}"
        if done or self.clock() - self.last >= INTERVAL:
            self._show()

    def _show(self) -> None:
        first, self.last = self.last < 0, self.clock()
        self.shell.display_pub.publish(
            {"text/plain": "\n".join(self.lines.values())},
            transient={"display_id": f"sprout-{id(self)}"},
            update=not first,
        )
