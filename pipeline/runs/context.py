"""What a stage works with, apart from tasks."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.engines.base import Engine
from pipeline.errors import SproutError, unknown
from pipeline.runs.budget import Budget
from pipeline.stage import Product, Stage
from pipeline.task import Task


@dataclass(frozen=True)
class Context:
    """Seed tasks, engines, the folder of the run, and what may be spent.

    `engine` is the one that the current stage asks; `engines` are the other engines of the run, by name.
    """

    seeds: Sequence[Task]
    engine: Engine
    folder: Path
    engines: Mapping[str, Engine] = field(default_factory=dict)
    open_engine: Callable[[str], Engine] | None = None  # opens the same kind of engine on another model
    budget: Budget = field(default_factory=Budget)
    stages: Sequence[Stage | Product] = ()  # all of the run
    given: Collection[str] = frozenset()  # ids of the tasks that a stage is given, if it adds tasks of its own

    def wrapped(self, stage: Stage | Product, wrap: Callable[[Engine], Engine]) -> "Context":
        """The same with each engine that a stage asks in a wrapper of its own."""
        others = [name for name in stage.other_engines if name]
        engines = {name: wrap(self.named(name, f"[{stage.name}]")) for name in others}
        return replace(self, engine=wrap(self.engine), engines={**self.engines, **engines})

    def of(self, stage: Stage | Product) -> "Context":
        """The context in which a stage works: with the engine that it names.

        Raises:
            SproutError: for a name that no engine of the run has.
        """
        return replace(self, engine=self.named(stage.engine, f"[{stage.name}] engine"))

    def named(self, name: str, where: str) -> Engine:
        """An engine by its name; an empty name stands for the engine of the run.

        Args:
            where: The setting that names it, for the message.

        Raises:
            SproutError: for a name that no engine of the run has.
        """
        if not name:
            return self.engine
        if name not in self.engines:
            raise SproutError(f"{where}: {unknown('engine', name, self.engines)}; add a table [engines.{name}]")
        return self.engines[name]
