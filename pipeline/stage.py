"""What a stage is: tasks in, decided tasks out. And what a product is: kept tasks in, a folder or file out."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import isabstract
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import ConfigDict, Field, model_validator

from pipeline.strict import Strict
from pipeline.task import Task
from pipeline.text import counted

if TYPE_CHECKING:
    from pipeline.engines.base import Completion
    from pipeline.runs.context import Context

BUILT_IN = "pipeline.stages."


@dataclass(frozen=True)
class Flag:
    """A command-line option that stands for a setting of a stage, such as `--heldout` for `evaluate.heldout`.

    Example:
        Flag("--heldout", "file of held-out tasks", metavar="SET", many=True)
    """

    flag: str  # with its hyphens
    help: str
    metavar: str | None = None  # what stands for the value in the help; unset: the setting in capitals
    many: bool = False  # it takes several values
    named: bool = False  # each value is NAME=VALUE
    commas: bool = False  # several values have commas between them, or the option is repeated
    setting: str = ""  # unless the flag says it

    @property
    def field(self) -> str:
        return self.setting or self.flag.removeprefix("--").replace("-", "_")


@dataclass(frozen=True)
class LongestPrompt:
    """The longest prompt of a kind, and how many tokens its completion may have."""

    kind: str
    text: str
    max_tokens: int
    shortened_by: str  # the setting to lower


class Reason(NamedTuple):
    """What a reason to reject means, for the docs and the report."""

    meaning: str
    example: str = ""
    by_default: bool = True  # false: it is given only if the settings ask for it


class Configured(Strict):
    """What stages and products have in common: their fields are their settings, and a misspelt one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]  # its word in a list of stages; unless set, its module, or its class if it is yours
    path: ClassVar[str] = ""  # what a product writes in the folder of the run; a stage writes <number>_<name>.jsonl
    templates: ClassVar[tuple[str, ...]] = ()  # the prompts it uses, by name
    paper: ClassVar[str] = ""  # whose way of making tasks it is, as Markdown, for the card of a dataset
    growable: ClassVar[frozenset[str]] = frozenset()  # settings that may differ when a run goes on
    flags: ClassVar[tuple[Flag, ...]] = ()  # of its command, besides those that all commands share
    asks: ClassVar[bool] = True  # it may put requests to an engine, so that `plan` tries it
    optional: ClassVar[bool] = False  # a run whose settings have no list of stages has it only if they have its table

    label: str = Field(
        default="", exclude=True, pattern=r"^[a-z0-9_]*$", description="tells two stages of one kind apart"
    )
    engine: str = Field(default="", exclude=True, description="the table [engines.NAME] it asks; empty: [engine]")
    domain: str = Field(default="", exclude=True, description="what all tasks are about, for its templates")
    template_files: dict[str, Path] = Field(default={}, exclude=True, description="in place of its templates, by name")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if not isabstract(cls) and not hasattr(cls, "kind"):  # a derived one keeps its kind
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
            own = cls.__module__.startswith(BUILT_IN)
            cls.kind = cls.__module__.removeprefix(BUILT_IN).partition(".")[0] if own else words

    @model_validator(mode="after")
    def _check_seed(self) -> Self:
        seed = getattr(getattr(self, "sampling", None), "seed", None)
        if seed is not None and hasattr(self, "random_seed"):
            raise ValueError(f"sampling.seed is {seed}, but each request gets its own; set random_seed instead")
        return self

    @property
    def name(self) -> str:
        """Its kind, or kind-label: unique in a list of stages."""
        return f"{self.kind}-{self.label}" if self.label else self.kind

    @property
    def templates_used(self) -> tuple[str, ...]:
        """Its prompts with those that its settings name, by name or by the path of a Jinja file."""
        return self.templates

    @property
    def uses_model(self) -> bool:
        """Whether what it writes depends on the model of its engine."""
        return True

    @property
    def other_engines(self) -> tuple[str, ...]:
        """Names of engines that it asks besides its own, which `context.named` gives it."""
        return ()

    @property
    def written(self) -> str:
        """What a product writes, by its name in the folder of the run; empty for a stage."""
        place = PurePosixPath(self.path)
        return f"{place.stem}-{self.label}{place.suffix}" if self.label and self.path else self.path

    @classmethod
    def takes_part(cls, tables: Mapping[str, Any]) -> bool:
        """Whether a run has this stage when its settings give no list of stages, but these tables."""
        return not cls.optional or cls.kind in tables

    @classmethod
    def implied(cls, given: Mapping[str, Any], has_model: bool) -> Iterator[str]:
        """What options of its command that are given change in other settings, as `--set` has it."""
        return iter(())

    @classmethod
    def deeper(cls, key: str, table: Mapping[str, Any]) -> list[str]:
        """Where in its table a key would stand that is no setting of its own, such as `options.knn.encoder`."""
        return []

    def resolve(self, stages: Sequence["Stage | Product"]) -> Self:
        """This stage with what it needs to know of the others in the list; called once, when the list is built."""
        return self

    def settings(self) -> dict[str, Any]:
        """Its fields as far as they bear on what it writes."""
        return {"stage": self.kind} | self.model_dump(mode="json", exclude=set(self.growable))

    def needs(self) -> dict[str, str]:
        """Packages that it imports at work, with the extra that brings each; a run looks for them before it starts."""
        return {}


class Stage(Configured, ABC):
    """One step of the pipeline; `decide` is its work.

    Example:
        class NoQuestions(Stage):
            def decide(self, todo, done, context):
                for task in todo:
                    yield task.reject("question") if task.instruction.endswith("?") else task
    """

    adds: ClassVar[bool] = False  # it yields tasks of its own besides those it is given
    open_ended: ClassVar[bool] = False  # it asks until it has enough, so nobody can count its requests beforehand
    needs_all: ClassVar[bool] = False  # it compares all tasks with each other, so a shard of a run goes up to it
    writes: ClassVar[bool] = True  # a dataset holds what its model says, so the card names that model; judges: False
    selects: ClassVar[bool] = False  # its work is to reject, so `gain` leaves it out for the unfiltered control
    reasons: ClassVar[Mapping[str, Reason]] = {}  # for which it rejects, for the docs and the report

    @abstractmethod
    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: "Context") -> Iterator[Task]:
        """Yield each task once decided: filled in, or rejected with a reason.

        Args:
            todo: Tasks kept by the stage before that this one has not decided yet.
            done: Tasks this stage decided in earlier, interrupted runs, in the order they were decided.
            context: Seeds, engine and folder.
        """

    def wanted(self, num_given: int) -> int:
        """How many tasks it will have decided, or kept if it adds tasks, once it is done."""
        return num_given

    def most_kept(self, num_given: int) -> int:
        """How many of so many tasks it keeps at most, for `plan`, if it asks nothing itself."""
        return num_given

    def few(self, num: int) -> Self:
        """The same stage, to be tried: it asks for no more tasks than that, and soon gives up."""
        most = {"num_tasks": num, "patience": 10}
        given = {key: min(most[key], getattr(self, key)) for key in most if key in type(self).model_fields}
        return self.model_copy(update=given)

    @property
    def of_given(self) -> bool:
        """Whether the tasks that it adds are made from those it is given; as the first stage, it is given the seeds."""
        return False

    def num_requests(self, num_given: int) -> int | None:
        """How many requests it puts for so many tasks at most, for `plan`; None: as many as a few tasks show."""
        return None

    def requests(self, task: Task) -> tuple[str, ...]:
        """Ids of the requests that were put for a task; those that begin with one of them and a colon belong to it."""
        return (task.id,)

    def requests_before(self, seeds: Sequence[Task]) -> int:
        """How many requests it puts before those for its tasks, however many tasks there are."""
        return 0

    def explain(self, task: Task, before: Task | None, completions: Sequence["Completion"]) -> Iterator[str]:
        """Lines that say how this stage came to its decision, for `sprout why`.

        Args:
            task: As this stage decided it.
            before: As the stage before left it.
            completions: Those of the requests for the task, as far as the run has them.
        """
        old = before or Task(id=task.id, instruction="")
        if task.is_classification is not None and old.is_classification is None:
            yield f"classification: {'yes' if task.is_classification else 'no'}"
        for name, score in task.scores.items():
            if old.scores.get(name) != score:
                yield f"{name} {score}"
        for name, value in task.meta.items():
            if old.meta.get(name) != value:
                yield f"{name.replace('_', ' ')}: {value}"

    def objection(self, seed: Task) -> str | None:
        """The reason for which this stage would reject a seed task if a model had written it."""
        return None

    def lack_of_seeds(self, seeds: Sequence[Task]) -> str | None:
        """Why it cannot work with these seed tasks, and what to do, in a sentence; a run says so before it starts."""
        return None

    def check_seeds(self, seeds: Sequence[Task]) -> Iterator[str]:
        """What keeps this stage from its work with these seed tasks, or makes it worse, in sentences."""
        return iter(())

    def longest_prompts(self, seeds: Sequence[Task]) -> Iterator["LongestPrompt"]:
        """Its longest prompts with these seed tasks, which must fit into the context of a model."""
        return iter(())

    def sources(self) -> Mapping[str, str]:
        """What its tasks are taken from, besides seeds and a model, with the licence of each, if that is known."""
        return {}

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        """What the card of a dataset says of this stage: what it means that it kept and rejected so many."""
        return iter(())


class Product(Configured, ABC):
    """What the kept tasks are turned into: a dataset, a tuned model, an evaluation."""

    of_tasks: ClassVar[bool] = True  # made from the kept tasks; an evaluation is not, so it needs no run
    caption: ClassVar[str] = ""  # what lies at its path, for the end of a run

    @abstractmethod
    def make(self, tasks: Sequence[Task], context: "Context") -> None:
        """Write `context.folder / self.written`. The same tasks and settings give the same product.

        A finished product is kept as it is.
        """

    def lack(self, context: "Context") -> str | None:
        """What it lacks, and what to do, in a sentence; a run that lists it says so before it starts."""
        return None

    def made_from(self, num_tasks: int, num_seeds: int) -> str:
        """What it takes of the kept tasks and the seeds, for the log."""
        return counted(num_tasks, "task")

    def summary(self, folder: Path) -> str:
        """What has come of it in the folder of a run, as text; empty if there is nothing to say."""
        return ""
