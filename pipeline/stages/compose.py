"""Write new instructions from metadata, personas, topics and levels, or from a chat model's empty user turn."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from pipeline.asking.ask import begun, ending, seeded
from pipeline.asking.clean import clean_text
from pipeline.asking.lists.listed import listed
from pipeline.asking.rewritten import copied
from pipeline.asking.templates import render, uses
from pipeline.engines.base import Completion, Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.filters.find import INSTRUCTION, ours, reasons_of
from pipeline.filters.paper import empty
from pipeline.novelty.tokens import count_words
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.runs.products import digest as fingerprint
from pipeline.stage import Reason, Stage
from pipeline.stages._draws import TAKEN, Axis, Drawn, Draws, axes_of_values, axis_of_table, of_metadata
from pipeline.stages._gate import Gate
from pipeline.stages._pool import Pool, all_but, fill
from pipeline.task import Task, new_id
from pipeline.text import one_line

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=512, stop=("\n\n",))
_EXAMPLE = re.compile(r"^\d+\. +(\S.*)", re.MULTILINE)  # an item of a list in the prompt

REASONS = reasons_of(INSTRUCTION) | {
    "request_failed": Reason(
        "The request failed, and asking again would not help.", "the prompt is too long for the model"
    ),
    "cut_off": Reason("It reached `max_tokens`.", "Write a letter to the"),
    "prompt_echo": Reason("It is part of the prompt.", "Write one task for an assistant"),
    "copies_prompt": Reason(
        "It has words of an example in the prompt.", "Suggest three dinners for one from a carrot."
    ),
    "several_tasks": Reason("It holds a list of its own.", "1. Name a bird. 2. Name a fish."),
    "not_new": Reason("Its ROUGE-L with a text of the pool is above `max_rouge`.", "Name three rivers of Asia."),
    "ends_with_colon": Reason(
        "Without a template: it ends before what it announces; Magpie's filter.", "Translate this sentence into German:"
    ),
    "source": Reason("A task that was given, and is left out by `keep_given = false`.", "Name a river."),
}


class Compose(Stage):
    """Adds instructions until `num_tasks` are kept; each request is about one combination of what it draws from.

    It draws from `values` in the settings, from the rows of a `table`, and from `meta` of the tasks it is given, as
    `encode` writes it. Every combination has its turn before any comes again. Without a template it draws from nothing:
    a chat model that is given its chat template up to the user's message writes such a message (Magpie, arXiv
    2406.08464).
    """

    growable: ClassVar[frozenset[str]] = frozenset({"num_tasks", "patience", "must_reach"})
    adds: ClassVar[bool] = True
    open_ended: ClassVar[bool] = True
    reasons: ClassVar[Mapping[str, Reason]] = REASONS

    template: str = Field(
        default="",
        description="prompts/compose_NAME.jinja (metadata, persona, concept, topic), or the path of one of yours; "
        "empty: the user turn of a chat model",
    )
    values: dict[str, tuple[str, ...]] = Field(
        default={}, description='lists to combine, such as { level = ["remember", "apply"] }'
    )
    table: str = Field(default="", description="a file of rows to combine: CSV, JSONL, or a text on each line")
    meta: tuple[str, ...] = Field(default=(), description="what to combine of the metadata of the tasks it is given")
    mix: bool = Field(
        default=False, description="combine the metadata of different tasks too, and several entries of their lists"
    )
    keep_given: bool = Field(
        default=True, description="keep the tasks it is given; otherwise they are rejected as `source`"
    )
    num_tasks: int = Field(default=1000, ge=1, description="how many to write; ask for more later and it adds them")
    num_each: int = Field(default=1, ge=1, description="how many a request asks for")
    system: str | None = Field(
        default=None, description="without a template: the system message; unset: that of the chat template, if any"
    )
    min_words: int = Field(default=3, ge=1, description="of an instruction; a shorter one is rejected")
    max_rouge: float = Field(
        default=0.7, gt=0, lt=1, description="ROUGE-L F1 with any text of the pool, above which it is not new"
    )
    patience: int = Field(
        default=300, ge=1, description="requests in a row without a new task before it goes on with those it has"
    )
    must_reach: bool = Field(default=False, description="end the run with an error if patience ends before num_tasks")
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=SAMPLING, description="how the model writes; unless set, `stop` is for base models alone"
    )

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        if not self.template and (self.values or self.table or self.meta):
            raise ValueError("template is missing: values, table and meta have no place in an empty user turn")
        if self.template and self.system is not None:
            raise ValueError("system: it is for an empty user turn; write it into the template")
        if taken := [name for name in (*self.values, *self.meta) if name in TAKEN]:
            raise ValueError(f"{taken[0]} is the name of something else in each task; take another")
        if empty_list := next((name for name, values in self.values.items() if not values), None):
            raise ValueError(f"values: {empty_list} has no values; give some, or delete it")
        return self

    @property
    def of_given(self) -> bool:
        return bool(self.meta)

    def settings(self) -> dict[str, Any]:
        found = super().settings()
        return found | ({"table": fingerprint([row.values for row in self._rows.choices])} if self.table else {})

    @property
    def templates_used(self) -> tuple[str, ...]:
        return (self.template_name,) if self.template else ()

    @property
    def template_name(self) -> str:
        return self.template if self.template.endswith(".jinja") or not self.template else f"compose_{self.template}"

    def wanted(self, num_given: int) -> int:
        return self.num_tasks + (num_given if self.keep_given else 0)

    def requests(self, task: Task) -> tuple[str, ...]:
        return (f"{self.name}-{task.meta['request']}",) if task.meta.get("by") == self.name else ()

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        yield (
            f"An instruction is new if its ROUGE-L with every other text is at most {self.max_rouge}: those that are "
            f"alike were sought by their words, not by their meaning."
        )
        if not self.template:
            yield "Instructions are what the model writes where a user's message would stand: it was asked for nothing."

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        if task.meta.get("by") != self.name:
            yield "its metadata was drawn from" if task.rejected else "passes: it was there before"
            return
        yield f"request {task.meta.get('request')}, item {task.meta.get('item')}"
        if task.parents:
            yield f"from {', '.join(task.parents)}"
        yield from (f"{name} {score}" for name, score in task.scores.items())
        hidden = ("by", "request", "item")
        yield from (f"{name.replace('_', ' ')}: {value}" for name, value in task.meta.items() if name not in hidden)

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        engine = context.engine
        origin = new_id(self.name, self.random_seed, shown(engine.model), *(seed.id for seed in context.seeds))

        def given() -> Iterator[Task]:
            return chain((task for task in done if task.id in context.given), todo)

        texts = (task.instruction for task in chain(context.seeds, given()))
        filters = {"empty": empty, "too_short": self.too_short, **ours(INSTRUCTION)}
        pool = Pool(self, Gate(texts, self.max_rouge, filters), all_but(done, context.given), "more to draw from")
        yield from todo if self.keep_given else (task.reject("source") for task in todo)
        if pool.ended:
            pool.end(context.folder)
            return
        draws = self.draws(given())
        ask = partial(self.ask, engine, self.pre_query(engine), draws)

        def parse(completion: Completion, asked: Request, number: int) -> Iterator[Task]:
            return self.parse(completion, asked, (number, draws.at(number)), origin)

        yield from fill(pool, context, ask, parse, lambda number: engine.window)

    def draws(self, given: Iterable[Task]) -> Draws:
        """What the requests are about.

        Raises:
            SproutError: if no task has the metadata that is to be combined.
        """
        axes = [*axes_of_values(self.values), *([self._rows] if self.table else [])]
        several: dict[str, Sequence[Drawn]] = {}
        if self.meta:
            found, several = of_metadata(given, self.meta, self.mix)
            if not found and not several:
                raise SproutError(
                    f"{self.name}: no task it is given has {' and '.join(self.meta)} in its metadata; put a stage "
                    f"before it that writes them, such as encode"
                )
            axes += found
        return Draws(axes, several, f"{self.random_seed}:{self.name}")

    @cached_property
    def _rows(self) -> Axis:
        own = self.template.endswith(".jinja")  # which may ask whether a value is there
        return axis_of_table(self.table, lambda name: not own and uses(name, self.template_name, self))

    def pre_query(self, engine: Engine) -> str | None:
        """Where the user's message begins, if there is no template.

        Raises:
            SproutError: for an engine that cannot say.
        """
        if self.template:
            return None
        found = engine.pre_query(self.system)
        if found is None:
            raise SproutError(
                f"{self.name}: where a user's message to {shown(engine.model)} begins is not known: take a chat model "
                f"in vllm or transformers, set engine.tokenizer of a server, or give {self.name} a template"
            )
        return found

    def ask(self, engine: Engine, pre_query: str | None, draws: Draws, number: int) -> Request:
        sampling = ending(self.sampling, SAMPLING, engine.chat or pre_query is not None)
        id, sampling = f"{self.name}-{number}", seeded(sampling, self.random_seed, number)
        if pre_query is not None:
            return Request(id=id, prompt=pre_query, sampling=sampling)
        stop = (*sampling.stop, f"\n{self.num_each + 1}.")
        return begun(engine, id, self.prompt(draws.at(number)), sampling.model_copy(update={"stop": stop}))

    def prompt(self, drawn: Drawn) -> str:
        return render(self.template_name, self, **drawn.values, count=self.num_each)

    def parse(self, completion: Completion, asked: Request, about: tuple[int, Drawn], origin: str) -> Iterator[Task]:
        """The tasks of one completion, at least one: unusable ones are included, with a reason."""
        number, drawn = about
        examples = "\n".join(_EXAMPLE.findall(_text(asked)))
        values = [str(value) for value in drawn.values.values()]
        for item, (text, reason) in enumerate(self.texts(completion, asked)):
            if examples and not reason and copied(text, examples, values):
                reason = "copies_prompt"
            yield Task(
                id=new_id(origin, number, item, text), instruction=text, parents=drawn.parents,
                meta=drawn.values | {"by": self.name, "request": number, "item": item}, rejected=reason,
            )  # fmt: skip

    def texts(self, completion: Completion, asked: Request) -> list[tuple[str, str | None]]:
        """Instructions, each with the reason to reject it, or None."""
        if self.template:
            header = one_line(f"{_text(asked)}\n{asked.prefill}").removesuffix("1.").strip()
            return listed(completion, header)[: self.num_each]
        reasons = {"error": "request_failed", "length": "cut_off"}
        text = "" if completion.finish_reason == "error" else clean_text(completion.text).strip()
        unfinished = "ends_with_colon" if text.endswith((":", "：")) else None
        return [(text, reasons.get(completion.finish_reason, unfinished))]

    def too_short(self, task: Task) -> str | None:
        number = count_words(task.instruction)
        return f"{number} words" if number < self.min_words else None


def _text(asked: Request) -> str:
    return asked.prompt if isinstance(asked.prompt, str) else asked.prompt[-1]["content"]
