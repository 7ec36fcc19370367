"""Add candidate answers: several of each of several models, for a later stage to choose from."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.asking.demos import pick, shuffled
from pipeline.asking.together import ask_together
from pipeline.dataset.encodings import ZeroShot
from pipeline.engines.base import Completion, Request, Sampling
from pipeline.filters.base import InstanceFilter
from pipeline.filters.find import INSTANCE, applied, instance_reason
from pipeline.novelty.encoder import EMBED, Encoder
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.stage import Product, Reason, Stage
from pipeline.stages._answering import PLAIN, PROMPTS, SAMPLING, WITH_DEMOS, Asked, Case, Said
from pipeline.stages._counts import with_counts
from pipeline.stages._encoding import ENCODER, EncoderName, EncoderPrompt
from pipeline.stages._nearest import Nearest, is_itself, one_instance
from pipeline.stages.filter import Filter, known_filters
from pipeline.task import Answer as Candidate
from pipeline.task import Instance, Task
from pipeline.text import are, counted, short

logger = logging.getLogger(__name__)

NO_ANSWER = "no_answer"


class Answer(Stage):
    """Asks one engine or several for answers to each instance, and adds them to its `answers`.

    A task without instances is answered as it stands, and its first answer becomes the output until `choose` takes
    another. Each request has a seed of its own. Answers that are cut off, empty or unreadable are left out, and so are
    those that a filter of instances objects to; `meta["answers_left_out"]` counts them by reason. An instance without
    any answer is left out too.

    A chat model gets the task as a user's message. Any other model gets it in the encoding in which models are tuned
    and evaluated; so does a model that was tuned on text, even if its tokenizer has a chat template.
    """

    templates: ClassVar[tuple[str, ...]] = ("answer_explain", "answer_paraphrase", "answer_with_demos")
    reasons: ClassVar[Mapping[str, Reason]] = {
        NO_ANSWER: Reason(
            "No model gave a whole answer that passes the filters of instances; `meta` counts what was wrong.",
            "Copy the poem ten times. → cut off at `max_tokens`",
        )
    }

    engines: tuple[str, ...] = Field(
        default=("",), min_length=1,
        description="who answers: names of tables [engines.NAME]; an empty name is the engine of the stage",
    )  # fmt: skip
    num_answers: int = Field(default=1, ge=1, description="of each engine, to each instance")
    prompt: str = Field(
        default=PLAIN,
        description="plain: the task alone; explain: an explanation comes first; with_demos: solved tasks come before; "
        "paraphrase: the output in other words; or the path of a template of yours",
    )
    keep_explanation: bool = Field(
        default=False, description="explain: the explanation is part of the answer, and stands before it"
    )
    given_output: Literal["first", "last", "left_out"] = Field(
        default="first",
        description="the place among its answers of the output that an instance has; left_out: it is none of them",
    )
    filters: dict[str, bool] | Literal[False] | None = Field(
        default=None,
        description="those that an answer must pass, as in [filter]; unset: what is set there; false: none",
    )
    keep_incomplete: bool = Field(
        default=False,
        description="an answer that is cut off at `max_tokens`, empty or unreadable counts too, as it stands, for "
        "checks of what a model knows",
    )
    encoding: ZeroShot = Field(
        default="plain", description="of a base model's plain prompts, as in export: plain, output or examples"
    )
    num_demos: int = Field(default=8, ge=1, description="with_demos: how many seed tasks are shown")
    demos: Literal["fixed", "nearest"] = Field(
        default="fixed",
        description="with_demos: the same for all tasks, a prefix that is paid once; or those closest to each task",
    )
    encoder: EncoderName = ENCODER
    encoder_prompt: EncoderPrompt = ""
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=SAMPLING, description="how the models write; unless set, `stop` is for base models alone"
    )

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, choice: dict[str, bool] | Literal[False] | None) -> dict[str, bool] | Literal[False] | None:
        return choice and known_filters(choice)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.prompt not in PROMPTS and not self.prompt.endswith(".jinja"):
            names = ", ".join(PROMPTS)
            raise ValueError(f"prompt: {self.prompt!r} is neither one of {names} nor the path of a .jinja file")
        if len({*self.engines}) < len(self.engines) or (self.engine and {"", self.engine} <= {*self.engines}):
            raise ValueError("engines: one is listed twice; raise num_answers for several answers from it")
        if self.num_answers > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"num_answers: {self.num_answers} answers at temperature 0 would be the same; raise the temperature"
            )
        if self.demos != "fixed" and self.prompt != WITH_DEMOS:
            raise ValueError(f"demos: no demo is shown by prompt = {self.prompt!r}; set it to {WITH_DEMOS!r}")
        return self

    @property
    def uses_model(self) -> bool:
        return "" in self.engines

    @property
    def other_engines(self) -> tuple[str, ...]:
        return tuple(name for name in self.engines if name)

    @property
    def template(self) -> str:
        """The name of its template, or the path of one of the user's own."""
        return self.prompt if self.prompt.endswith(".jinja") else f"answer_{self.prompt}"

    def resolve(self, stages: Sequence[Stage | Product]) -> Self:
        """Takes the filters of the stage that judges the instances, unless it has some of its own."""
        if self.filters is not None:
            return self
        judging = next((stage for stage in stages if isinstance(stage, Filter)), Filter())
        return self.model_copy(update={"filters": judging.filters})

    @property
    def templates_used(self) -> tuple[str, ...]:
        return (*self.templates, *([self.prompt] if self.prompt.endswith(".jinja") else ()))

    def needs(self) -> dict[str, str]:
        return EMBED if self.demos == "nearest" else {}

    def lack_of_seeds(self, seeds: Sequence[Task]) -> str | None:
        if self.prompt != WITH_DEMOS or any(seed.instances for seed in seeds):
            return None
        return f"{self.name}: there is no seed task with an instance to show; give some with --seeds, or set prompt"

    def check_seeds(self, seeds: Sequence[Task]) -> Iterator[str]:
        there = sum(bool(seed.instances) for seed in seeds)
        if self.prompt == WITH_DEMOS and 0 < there < self.num_demos:
            yield f"add tasks with instances: a prompt of {self.name} shows {self.num_demos}, and there {are(there)}"

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        who = "One model" if len(self.engines) == 1 else f"{len(self.engines)} models"
        each = f"{self.num_answers} answers each" if self.num_answers > 1 else "an answer"
        yield f"{who} gave {each} to each instance ({self.prompt})."

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        for number, instance in enumerate(task.instances, 1):
            yield f"instance {number}: {counted(len(instance.answers), 'answer')}"
            for answer in instance.answers:
                yield f"{shown(answer.model) if answer.model else 'the output it had'}: {short(answer.text)}"
        if isinstance(counts := task.meta.get("answers_left_out"), dict):
            yield f"left out: {', '.join(f'{reason} {count}' for reason, count in counts.items())}"

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        engines = {name: context.named(name, f"[{self.name}] engines") for name in self.engines}
        asked = {name: Asked(self, engine) for name, engine in engines.items()}
        counts, total = Counter[str](), 0

        def requests(name: str, case: Case) -> Iterator[Request]:
            for number in range(len(case.instances)):
                for sample in range(self.num_answers):
                    parts = [case.task.id, name, str(number), str(sample)]
                    yield asked[name].request(":".join(filter(None, parts)), case, number)

        def count(case: Case) -> int:
            return len(case.instances) * self.num_answers

        for case, completions in ask_together(engines, self.cases(todo, len(done), context), requests, count):
            said = {name: [asked[name].parse(one) for one in given] for name, given in completions.items()}
            task, left_out = self.answered(case, said, {name: shown(engines[name].model) for name in engines})
            counts.update(left_out)
            total += count(case) * len(engines)
            yield task
        if counts:
            listed = ", ".join(f"{reason} {number:,}" for reason, number in counts.most_common())
            logger.warning("%s: %d of %d answers are left out: %s", self.name, counts.total(), total, listed)

    def cases(self, todo: Sequence[Task], position: int, context: Context) -> Iterator[Case]:
        """Each task with its demos.

        Args:
            position: How many tasks were decided before, so that texts are embedded in the same batches again.
        """
        usable = [seed for seed in context.seeds if seed.instances]
        if self.prompt == WITH_DEMOS and self.demos == "nearest":
            encoder = Encoder(self.encoder, context.folder / "vectors", self.encoder_prompt)
            nearest = Nearest(usable, encoder, self.num_demos)
            yield from (
                Case(task, instances_of(task), shown_to) for task, shown_to in nearest.of(todo, instances_of, position)
            )
            return
        fixed: list[Task] = []
        if self.prompt == WITH_DEMOS:
            seed = f"{self.random_seed}:answer"
            fixed = [one_instance(demo) for demo in shuffled(pick(usable, self.num_demos, seed), seed)]
        for task in todo:
            demos = tuple(demo for demo in fixed if not is_itself(demo, task))
            yield Case(task, instances_of(task), tuple(demos for _ in instances_of(task)))

    def answered(
        self, case: Case, said: Mapping[str, Sequence[Said]], models: Mapping[str, str]
    ) -> tuple[Task, Counter[str]]:
        """A task with its answers, and how many were left out, by reason."""
        left_out = Counter[str]()
        instances = []
        for number, instance in enumerate(case.instances):
            new = []
            for name, each in said.items():
                for one in each[number * self.num_answers : (number + 1) * self.num_answers]:
                    if reason := one.lack or self._objection(instance, one.text, case.task):
                        left_out[reason] += 1
                    else:
                        new.append(Candidate(text=one.text, model=models[name]))
            had = Candidate(text=instance.output)
            earlier = [answer for answer in instance.answers if answer != had or self.given_output != "last"]
            is_there = instance.output in {"", *(answer.text for answer in earlier)}
            given = [had] if not is_there and self.given_output != "left_out" else []
            first, last = (given, []) if self.given_output == "first" else ([], given)
            answers = (*first, *earlier, *new, *last)
            output = instance.output if case.task.instances else answers[0].text if answers else ""
            instances.append(instance.model_copy(update={"output": output, "answers": answers}))
        return with_answers(case.task, instances, left_out), left_out

    def _objection(self, instance: Instance, text: str, task: Task) -> str | None:
        return instance_reason(Instance(input=instance.input, output=text), task, self._filters)

    @cached_property
    def _filters(self) -> dict[str, InstanceFilter]:
        return {} if self.filters is False else applied(INSTANCE, self.filters or {})


def with_answers(task: Task, instances: Sequence[Instance], left_out: Counter[str]) -> Task:
    """The task with those instances that have answers; rejected if none has."""
    kept = tuple(instance for instance in instances if instance.answers)
    task = with_counts(task, "answers_left_out", left_out)
    if not kept:
        return task.reject(NO_ANSWER)
    num_bare = len(instances) - len(kept)
    return with_counts(task, "left_out", {NO_ANSWER: num_bare} if num_bare else {}).update(instances=kept)


def instances_of(task: Task) -> tuple[Instance, ...]:
    """Those of a task, or one without an input for a task that has none."""
    return task.instances or (Instance(output=""),)
