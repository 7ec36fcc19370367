"""Write new instructions from a pool that starts as the seeds and grows by what is kept."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from pipeline.asking.ask import request, seeded
from pipeline.asking.lists import parse_list
from pipeline.asking.lists.listed import listed
from pipeline.asking.templates import render
from pipeline.engines.base import Completion, Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.filters.base import InstructionFilter
from pipeline.filters.find import INSTRUCTION, applied, check_choice, first_reason, reasons_of
from pipeline.filters.paper import starts_non_ascii
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.stage import LongestPrompt, Reason, Stage
from pipeline.stages._gate import Gate
from pipeline.stages._pool import Pool, Shown, all_but, fill
from pipeline.task import Task, new_id, with_fields
from pipeline.text import are, one_line

FIRST_WINDOW = 32  # requests in flight, before the run has some of its own to show
FEW_SEEDS = 40  # with fewer seeds, each is in more than 15 of 100 prompts


class Instructions(Stage):
    """Writes tasks with an instruction and nothing else, until `num_tasks` are kept.

    The prompt of request k is built from the pool after completion k - `window`, so the result depends on seeds,
    settings and completions alone, never on timing. Unless set, the window is 32 at first and k / 2 from
    request 64 on, up to what the engine takes: a small run sees its own pool, a large one keeps the engine full.
    Defaults are those of Self-Instruct (its published code).
    """

    templates: ClassVar[tuple[str, ...]] = ("instructions", "instructions_chat")
    growable: ClassVar[frozenset[str]] = frozenset({"num_tasks", "patience", "must_reach"})
    adds: ClassVar[bool] = True
    open_ended: ClassVar[bool] = True
    paper: ClassVar[str] = "Self-Instruct ([Wang et al. 2022](https://arxiv.org/abs/2212.10560))"
    reasons: ClassVar[Mapping[str, Reason]] = reasons_of(INSTRUCTION) | {
        "request_failed": Reason(
            "The request for the list failed, and asking again would not help.", "the prompt is too long for the model"
        ),
        "cut_off": Reason("The last item of a list that reached `max_tokens`.", "Write a letter to the"),
        "prompt_echo": Reason("The item is part of the prompt.", "Come up with a series of tasks"),
        "several_tasks": Reason("The item holds a list of its own.", "1. Name a bird. 2. Name a fish."),
        "not_new": Reason(
            "Its ROUGE-L with a text of the pool is above `max_rouge`; `why` shows the text.",
            "Name three rivers of Asia. / Name three rivers of Africa.",
        ),
    }

    num_tasks: int = Field(default=1000, ge=1, description="how many to write; ask for more later and it adds them")
    num_demos: int = Field(default=8, ge=1, description="tasks shown in a prompt")
    max_items: int = Field(
        default=7,
        ge=1,
        description="the most instructions of one completion; weak models repeat themselves further down a list",
    )
    num_generated_demos: int = Field(
        default=2, ge=0, description="of these demos, how many the model wrote itself, once there are some"
    )
    max_rouge: float = Field(
        default=0.7,
        gt=0,
        lt=1,
        description="ROUGE-L F1 with any text of the pool, above which an instruction is not new",
    )
    window: int | None = Field(
        default=None, ge=1, description="requests in flight; unset: grows with the run, up to what the engine takes"
    )
    patience: int = Field(
        default=300, ge=1, description="requests in a row without a new task before it goes on with those it has"
    )
    must_reach: bool = Field(default=False, description="end the run with an error if patience ends before num_tasks")
    english: bool = Field(default=True, description="reject what begins with a character outside ASCII")
    filters: dict[str, bool] = Field(
        default={},
        description="by reason, whether its filter applies: { unsuitable_word = true } turns one on; see reasons.md",
    )
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=Sampling(temperature=0.7, top_p=0.5, presence_penalty=2, max_tokens=1024, stop=("\n\n",)),
        description="how the model writes",
    )

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, choice: dict[str, bool]) -> dict[str, bool]:
        try:
            check_choice(choice, reasons_of(INSTRUCTION))
        except SproutError as error:
            raise ValueError(str(error).removeprefix("filters: ")) from None
        return choice

    @model_validator(mode="after")
    def _check_demos(self) -> "Instructions":
        if self.num_generated_demos > self.num_demos:
            raise ValueError(f"num_generated_demos {self.num_generated_demos} is more than num_demos {self.num_demos}")
        return self

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        seeds, engine = context.seeds, context.engine
        origin = new_id(self.name, self.random_seed, shown(engine.model), *(seed.id for seed in seeds))
        given = chain((task for task in done if task.id in context.given), todo)
        # New tasks must also differ from those that other stages have made.
        gate = Gate((task.instruction for task in chain(seeds, given)), self.max_rouge, self.filters_applied())
        pool = Pool(self, gate, all_but(done, context.given))
        yield from todo
        if pool.ended:
            pool.end(context.folder)
            return
        show = Demos(self, [Shown(seed.id, seed.instruction) for seed in seeds], engine.window)
        header = self.header(show.at(pool.next_request, pool))
        shared = self.sampling_for(engine.chat)

        def ask(number: int) -> Request:
            return self.request(engine, number, show.at(number, pool), shared)

        def parse(completion: Completion, asked: Request, number: int) -> Iterator[Task]:
            return self.parse(completion, asked.demos, number, origin, header)

        yield from fill(pool, context, ask, parse, lambda number: self.window_at(number, engine.window))

    def request(self, engine: Engine, number: int, demos: Sequence[Shown], shared: Sampling) -> Request:
        """The list to be continued: plain text, the answer of a chat model that is begun for it, or a message."""
        id, ids, prompt = f"{self.name}-{number}", tuple(task.id for task in demos), self.prompt(demos)
        after = len(demos) + self.max_items + 1
        ends = [end for end in (f"\n{after}.", f"\n{after} .") if not any(one in end for one in shared.stop)]
        sampling = seeded(with_fields(shared, stop=(*shared.stop, *ends)), self.random_seed, number)
        begun = prompt.find("1. ")
        if not engine.chat or not engine.can_prefill or begun < 0:
            return request(engine, id, prompt, sampling, ids)
        asked = request(engine, id, render("instructions_chat", self), sampling, ids)
        return asked.model_copy(update={"prefill": prompt[begun:]})

    def sampling_for(self, chat: bool) -> Sampling:
        """For a chat model, no stop at blank lines: it announces its list before one."""
        stop = tuple(one for one in self.sampling.stop if one.strip() or not chat)
        return self.sampling.model_copy(update={"stop": stop})

    def wanted(self, num_given: int) -> int:
        return num_given + self.num_tasks

    def requests(self, task: Task) -> tuple[str, ...]:
        return (f"{self.name}-{task.meta.get('request')}",)

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        yield (
            f"An instruction is new if its ROUGE-L with every other text is at most {self.max_rouge}: those that are "
            f"alike were sought by their words, not by their meaning."
        )

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        if before is not None:
            return
        yield f"request {task.meta.get('request')}, item {task.meta.get('item')}; demos {', '.join(task.parents)}"
        if task.rejected not in ("request_failed", "cut_off"):
            for name, check in self.filters_applied().items():
                objection = check(task)
                yield f"filter {name}: {'passes' if objection is None else f'rejects {objection!r}'}"
        for name, score in task.scores.items():
            yield f"{name} {score}"
        if "nearest" in task.meta:
            yield f"nearest {task.meta['nearest']}"
        if "nearest_id" in task.meta:
            yield f"nearest id {task.meta['nearest_id']}"
        for completion in completions:
            for number, item in enumerate(parse_list(completion.text)):
                yield f"{'→' if number == task.meta.get('item') else ' '} item {number}: {item}"

    def objection(self, seed: Task) -> str | None:
        return first_reason(seed, self.filters_applied())

    def check_seeds(self, seeds: Sequence[Task]) -> Iterator[str]:
        later = self.num_demos - self.num_generated_demos
        if len(seeds) < FEW_SEEDS:
            yield (
                f"add seeds: there {are(len(seeds))}, and the paper used 175. A prompt of {self.name} shows "
                f"{later} to {self.num_demos} seeds, so each is in {min(1, later / len(seeds)):.0%} of the prompts"
            )
        if self.english and (foreign := sum(bool(starts_non_ascii(seed)) for seed in seeds)):
            yield (
                f"seeds that begin with a character outside ASCII: {foreign:,}. Such tasks are rejected; set "
                f"{self.name}.english = false to keep them"
            )

    def longest_prompts(self, seeds: Sequence[Task]) -> Iterator[LongestPrompt]:
        longest = sorted(seeds, key=lambda seed: -len(seed.instruction))[: self.num_demos]
        yield LongestPrompt(self.name, self.prompt(longest), self.sampling.max_tokens, f"{self.name}.num_demos")

    def filters_applied(self) -> dict[str, InstructionFilter]:
        """The filters of this run, by name."""
        return applied(INSTRUCTION, {starts_non_ascii.__name__: self.english} | self.filters)

    def window_at(self, number: int, most: int) -> int:
        """How many of the preceding completions the prompt of a request does not depend on."""
        return self.window or min(most, max(FIRST_WINDOW, number // 2))

    def prompt(self, demos: Sequence[Task | Shown]) -> str:
        return render("instructions", self, demos=[one_line(task.instruction).rstrip(":") for task in demos])

    def header(self, demos: Sequence[Task | Shown]) -> str:
        """The prompt before the first demo, which a model may repeat."""
        first = one_line(demos[0].instruction).rstrip(":")
        return one_line(self.prompt(demos)).partition(first)[0].removesuffix("1. ").strip()

    def parse(
        self, completion: Completion, demos: tuple[str, ...], position: int, origin: str = "", header: str = ""
    ) -> Iterator[Task]:
        """The tasks of one completion, at least one: unusable ones are included, with a reason.

        Ids derive from the place and the text of the completion, so that deciding again gives the same ids.
        """
        demos = demos if completion.demos is None else completion.demos
        for number, (text, reason) in enumerate(listed(completion, header)[: self.max_items]):
            yield Task(
                id=new_id(origin, position, number, text),
                instruction=text, parents=demos, meta={"request": position, "item": number}, rejected=reason,
            )  # fmt: skip


class Demos:
    """What each prompt shows: seeds and, once there are some, tasks that were written before."""

    def __init__(self, stage: Instructions, seeds: Sequence[Shown], most: int) -> None:
        if not seeds:
            raise SproutError(f"{stage.name}: there are no seed tasks to show; give some with --seeds")
        self.stage, self.seeds, self.most = stage, seeds, most

    def at(self, number: int, pool: Pool) -> tuple[Shown, ...]:
        """The demos of request `number`, in random order: 6 seeds and 2 generated tasks by default."""
        stage = self.stage
        rng = random.Random(f"{stage.random_seed}:{number}")
        last = number - stage.window_at(number, self.most)
        known = pool.visible[last] if last >= 0 else 0
        num_new = min(stage.num_generated_demos, known)
        new = [pool.generated[i] for i in rng.sample(range(known), num_new)]
        old = rng.sample(self.seeds, min(stage.num_demos - num_new, len(self.seeds)))
        return tuple(rng.sample(new + old, len(new) + len(old)))
