"""What `run` returns: the kept tasks as a lazy sequence, which a notebook shows as a table."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, overload

from pipeline.errors import SproutError
from pipeline.task import Instance, Task
from pipeline.text import counted, mend, short

MOST = 20  # rows of a table
COLUMNS = ("instruction", "classification", "input", "output")


class Tasks(Sequence[Task]):
    """A lazy sequence of tasks: what it holds is read when it is looked at.

    Example:
        >>> tasks = run(stages, seeds, engine, "outputs/mine")
        >>> tasks[:10]  # in a notebook, a table
        >>> tasks.to_pandas()
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks

    def __len__(self) -> int:
        return len(self.tasks)

    @overload
    def __getitem__(self, which: int) -> Task: ...
    @overload
    def __getitem__(self, which: slice) -> "Tasks": ...
    def __getitem__(self, which: int | slice) -> "Task | Tasks":
        return Tasks(self.tasks[which]) if isinstance(which, slice) else self.tasks[which]

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'task')}>"

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each instance, and one for a task without any.

        Raises:
            SproutError: if pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise SproutError(f"to_pandas needs pandas ({error}): pip install pandas") from None
        return pandas.DataFrame(list(self._rows()), columns=["id", "number", *COLUMNS])

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for task in self:
            texts = [(one.input, one.output) for one in task.instances] or [("", "")]
            for number, (input, output) in enumerate(texts):
                yield task.id, number, task.instruction, task.is_classification, input, output

    def _repr_html_(self) -> str:
        """The first tasks as a table; all text of a task is escaped."""
        shown = [
            "".join(
                f"<td style='text-align:left;white-space:pre-wrap'>{escape(mend(cell))}</td>" for cell in _cells(task)
            )
            for task in self.tasks[:MOST]
        ]
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in COLUMNS)
        body = "".join(f"<tr>{cells}</tr>" for cells in shown)
        more = f", of which the first {len(shown)} are shown" if len(self) > len(shown) else ""
        size = counted(len(self), "task")
        return f"<p>{size}{more}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(task: Task) -> Iterator[str]:
    """Of the first instance, with how many there are besides."""
    yield short(task.instruction)
    yield {True: "yes", False: "no", None: ""}[task.is_classification]
    first = task.instances[0] if task.instances else Instance(output="")
    more = f" (and {len(task.instances) - 1} more)" if len(task.instances) > 1 else ""
    yield short(first.input)
    yield short(first.output) + more
