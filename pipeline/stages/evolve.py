"""Rewrite instructions by operations, in rounds; what fails keeps its parent for the next round."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, takewhile
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.asking.ask import begun, ending, seeded
from pipeline.asking.chains import Chain, ask_chains
from pipeline.asking.clean import clean_text
from pipeline.asking.lists import parse_list
from pipeline.asking.templates import render
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.base import Completion, Engine, Request, Sampling
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.stage import Reason, Stage
from pipeline.stages._children import REASONS, Family, Step, eliminated, text_and_instances
from pipeline.stages._gate import Gate
from pipeline.stages._pool import all_but
from pipeline.task import Task, new_id
from pipeline.text import one_line

RUBRIC, RUBRICS, GAIN = "rubric", "rubrics", "gain"  # the operation, and what else is asked: evolve_rubrics.jinja, …
SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_tokens=1024, stop=("\nTask:",))  # WizardLM's code, but for stop
VERDICT = Sampling(temperature=0, max_tokens=8, stop=("\n",))


class Evolve(Stage):
    """Adds tasks that are rewritten from those it is given, by operations that are templates.

    Each round applies one operation to the latest version of a task. A version that is eliminated is rejected with its
    reason, and the next round starts from its parent again. `parents` of a version name the one it was made from. With
    `keep = "final"`, the last version that passes takes the place of the task, and the task and the versions between
    are rejected as `evolved`; with "all", they are all kept; with "versions", the task is rejected as `source`.

    Evol-Instruct (WizardLM, arXiv 2304.12244) is operations that make a task harder or another one, `check_gain`, and
    four rounds. CodecLM (arXiv 2404.05875) is the operation `rubric`: the model first writes what a good task of its
    kind must meet and how to get there, and each round takes one of these actions.
    """

    adds: ClassVar[bool] = True
    reasons: ClassVar[Mapping[str, Reason]] = REASONS | {
        "no_gain": Reason("The model says that it is the same task as the one it was made from.", "Name a long river."),
        "no_instances": Reason("It was to be written with a worked example, and has none.", "Name a river of Asia."),
    }

    operations: tuple[str, ...] = Field(
        default=("constrain", "deepen", "concretise", "reason"), min_length=1,
        description="prompts/evolve_NAME.jinja each, or the path of a template of yours, which ends in .jinja",
    )  # fmt: skip
    rounds: int = Field(default=1, ge=1, description="how often a task is rewritten; WizardLM: 4")
    keep: Literal["final", "all", "versions"] = Field(
        default="final", description="the last version of each task; all versions and the task; all versions alone"
    )
    start: Literal["latest", "given"] = Field(
        default="latest", description="what a round rewrites: the latest version, or the task as it was given"
    )
    choice: Literal["random", "turns"] = Field(
        default="random", description="which operation a round takes: any, all equally likely; or one after the other"
    )
    values: dict[str, tuple[str, ...]] = Field(
        default={}, description='what templates may name, such as { language = ["French", "Hindi"] }; one each time'
    )
    instances: Literal["none", "kept", "written"] = Field(
        default="none", description="of a version: none; those of its parent, whose task it is; or written with it"
    )
    num_actions: int = Field(default=4, ge=1, description="of `rubric`: how many the model writes; CodecLM")
    check_gain: bool = Field(
        default=False, description="ask the model whether a version is another task than its parent; WizardLM"
    )
    min_words: int = Field(default=4, ge=1, description="of a version; a shorter one is eliminated")
    max_rouge: float | None = Field(
        default=None, gt=0, lt=1,
        description="ROUGE-L F1 with any text but its own parents, above which a version is not new; unset: any",
    )  # fmt: skip
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=SAMPLING, description="how the model writes; unless set, `stop` is for base models alone"
    )
    verdict: Sampling = Field(
        default=VERDICT, description="how it answers `check_gain`; unless set, `stop` is for base models alone"
    )

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if taken := {RUBRICS, GAIN}.intersection(self.operations):
            raise ValueError(f"operations: {taken.pop()} is a prompt of another kind; give yours another name")
        if empty := next((name for name, values in self.values.items() if not values), None):
            raise ValueError(f"values: {empty} has no values; give some, or delete it")
        return self

    @property
    def of_given(self) -> bool:
        return True

    @property
    def templates_used(self) -> tuple[str, ...]:
        extra = [RUBRICS] * (RUBRIC in self.operations) + [GAIN] * self.check_gain
        return tuple(map(template_of, (*self.operations, *extra)))

    def wanted(self, num_given: int) -> int:
        return num_given * {"final": 1, "all": 1 + self.rounds, "versions": self.rounds}[self.keep]

    def num_requests(self, num_given: int) -> int:
        return num_given * (self.rounds * (1 + self.check_gain) + (RUBRIC in self.operations))

    def requests(self, task: Task) -> tuple[str, ...]:
        made_here = task.meta.get("by") == self.name
        return (f"{self.name}:{task.meta['request'] if made_here else task.id}",)

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        gone = {reason: count for reason, count in counts.items() if reason not in ("kept", "evolved")}
        names = ", ".join(map(name_of, self.operations))
        yield (
            f"A model rewrote the tasks in {self.rounds} {'round' if self.rounds == 1 else 'rounds'} ({names}); "
            f"{sum(gone.values()):,} versions were eliminated, and their parents stayed."
        )

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        if task.meta.get("by") == self.name:
            yield f"{task.meta.get('operation')}, round {task.meta.get('round')}, from {', '.join(task.parents)}"
            yield from (f"{name} {score}" for name, score in task.scores.items())
            told = ("action", *self.values, "copied", "nearest")
            yield from (f"{name}: {task.meta[name]}" for name in told if name in task.meta)
        elif task.rejected:
            yield "its versions take its place" if self.keep == "versions" else "a version of it takes its place"
        else:
            yield "stays, besides its versions" if self.keep == "all" else "stays, for no version passed"

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        # A family is written whole, the task it was made from last; one that was interrupted is decided again.
        torn = {task.id for task in takewhile(lambda task: task.id not in context.given, reversed(done))}
        gate = self.gate(todo, done, torn, context)
        for _, family in ask_chains(context.engine, todo, lambda root: self.rounds_of(root, context.engine)):
            for task in (*family.versions(self.keep, gate), family.given(self.keep)):
                if task.id not in torn:
                    yield task

    def gate(self, todo: Sequence[Task], done: Sequence[Task], torn: Collection[str], context: Context) -> Gate:
        """Knows all the tasks that are given, whenever their turn is, and then the versions that were kept before."""
        if self.max_rouge is None:
            return Gate((), None)
        given = (task for task in done if task.id in context.given)
        gate = Gate((task.instruction for task in chain(context.seeds, given, todo)), self.max_rouge)
        for task in all_but(done, {*torn, *context.given}):
            if task.kept:
                gate.add(task.instruction)
        return gate

    def rounds_of(self, root: Task, engine: Engine) -> Chain[Family]:
        """The requests of a task, round by round, and all that comes of them."""
        family = Family(root)
        actions: list[str] = []
        if RUBRIC in self.operations:
            prompt = render(template_of(RUBRICS), self, **shown_of(root), count=self.num_actions)
            completion = yield self.request(engine, f"{root.id}:0", prompt, self.sampling)
            text = clean_text(completion.text)
            actions = parse_list(text)[: self.num_actions] or [one_line(text)]
        for number in range(1, self.rounds + 1):
            step = self.step(family, number, actions)
            completion = yield self.request(engine, step.request, step.prompt, self.sampling)
            child = self.child(step, completion, engine)
            if child.kept and self.check_gain:
                prompt = render(template_of(GAIN), self, parent=step.parent.instruction, child=child.instruction)
                verdict = ending(self.verdict, VERDICT, engine.chat)
                completion = yield self.request(engine, f"{step.request}:gain", prompt, verdict)
                child = child.reject("no_gain") if parse_yes_no(completion.text) else child
            family.add(child)
        return family

    def request(self, engine: Engine, id: str, prompt: str, sampling: Sampling) -> Request:
        sampling = seeded(ending(sampling, SAMPLING, engine.chat), self.random_seed, id)
        return begun(engine, f"{self.name}:{id}", prompt, sampling)

    def step(self, family: Family, number: int, actions: Sequence[str]) -> Step:
        """What a round does: an operation, and the values that its template may name."""
        root = family.root
        turn, rng = number - 1, random.Random(f"{self.random_seed}:{self.name}:{root.id}:{number}")

        def one_of(choices: Sequence[str], turn: int) -> str:
            return choices[turn % len(choices)] if self.choice == "turns" else rng.choice(choices)

        operation = one_of(self.operations, turn)
        values = {name: one_of(choices, turn // len(self.operations)) for name, choices in self.values.items()}
        if operation == RUBRIC:
            values["action"] = one_of(actions, turn // len(self.operations))
        parent = family.latest if self.start == "latest" else root
        prompt = render(template_of(operation), self, **shown_of(parent), **values)
        return Step(parent, number, name_of(operation), values, prompt, f"{root.id}:{number}")

    def child(self, step: Step, completion: Completion, engine: Engine) -> Task:
        """The version that a completion holds, rejected if it is eliminated."""
        instruction, written = text_and_instances(completion, self.instances)
        origin = (self.name, self.random_seed, shown(engine.model), step.request)
        kept = self.instances == "kept"
        task = Task(
            id=new_id(*origin, instruction),
            instruction=instruction,
            name=step.parent.name if kept else "",
            is_classification=step.parent.is_classification if kept else None,
            instances=step.parent.instances if kept else written,
            parents=(step.parent.id,),
            meta=step.meta(self.name),
        )
        task = eliminated(task, step, completion, self.min_words)
        return task.reject("no_instances") if task.kept and self.instances == "written" and not written else task


def template_of(operation: str) -> str:
    return operation if operation.endswith(".jinja") else f"evolve_{operation}"


def name_of(operation: str) -> str:
    """The name of an operation in `meta` and in texts: that of its file, without the ending."""
    return Path(operation).stem.removeprefix("evolve_")


def shown_of(task: Task) -> dict[str, Any]:
    """What a template may say of a task."""
    input = task.instances[0].input if task.instances else ""
    return {"instruction": task.instruction, "input": input, "instances": task.instances, "meta": task.meta}
