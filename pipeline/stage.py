"""What a stage is: tasks in, decided tasks out. And what a product is: kept tasks in, a folder out."""

import ast
import hashlib
import inspect
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from pipeline.asking import templates
from pipeline.engines.base import Engine
from pipeline.runs.budget import Budget
from pipeline.task import Task


@dataclass(frozen=True)
class Run:
    """What a stage works with besides tasks: seed tasks, engine, the folder of the run, and what may be spent."""

    seeds: Sequence[Task]
    engine: Engine
    folder: Path
    open_engine: Callable[[str], Engine] | None = None  # opens the same kind of engine on another model
    budget: Budget = field(default_factory=Budget)


class Settings(BaseModel):
    """The fields of a stage are its settings: frozen, and a misspelt one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    path: ClassVar[str] = ""  # what a product writes, in the folder of the run; a stage writes <number>_<name>.jsonl
    templates: ClassVar[tuple[str, ...]] = ()  # the prompts it uses, by name
    growable: ClassVar[frozenset[str]] = frozenset()  # settings that may differ when a run goes on

    def settings(self) -> dict[str, Any]:
        """Everything that bears on what this stage writes."""
        fields = self.model_dump(mode="json", exclude=set(self.growable))
        shown = {f"{name}.jinja": templates.digest(name) for name in self.templates}
        return {"stage": self.name} | fields | shown | self._code()

    def _code(self) -> dict[str, str]:
        """Of a stage that is no part of Sprout, a digest of its class, comments aside, if it is in a file."""
        if type(self).__module__.partition(".")[0] == "pipeline":
            return {}
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(type(self))))
        except (OSError, TypeError, SyntaxError):
            return {}
        return {"code": hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12]}

    def resolve(self, stages: "Sequence[Stage | Product]") -> Self:
        """The same stage with what it needs to know of the others of a run; called once the list of them is built."""
        return self

    def needs(self) -> dict[str, str]:
        """Packages that it imports once it is at work, with the extra that brings them; they are looked for before."""
        return {}


class Stage(Settings, ABC):
    """One step of the pipeline; `decide` is its work."""

    source: ClassVar[bool] = False  # it makes tasks of its own; the others decide each task of the stage before

    @abstractmethod
    def decide(self, todo: Sequence[Task], done: Sequence[Task], run: Run) -> Iterator[Task]:
        """Yield each task once decided: filled in, or rejected with a reason.

        Args:
            todo: Tasks kept by the stage before that this one has not decided yet.
            done: Tasks this stage decided in earlier, interrupted runs, in the order they were decided.
            run: Seeds, engine and folder.
        """


class Product(Settings, ABC):
    """What the kept tasks are turned into, at the end of a run: a dataset, a tuned model, an evaluation."""

    of_tasks: ClassVar[bool] = True  # made from the kept tasks; an evaluation is not, so it needs no run

    @abstractmethod
    def make(self, tasks: Sequence[Task], run: Run) -> None:
        """Write `run.folder / path`. The same tasks and settings give the same product; a finished one is kept."""
