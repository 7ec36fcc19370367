"""Add tasks made from your own text: passages times kinds of task, or a text cut in two."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from pipeline.asking.ask import is_answer, request, seeded
from pipeline.asking.clean import clean_text
from pipeline.asking.phrases import is_echo
from pipeline.asking.rewritten import copied
from pipeline.asking.templates import render
from pipeline.engines.base import Completion, Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.filters.find import INSTRUCTION, ours
from pipeline.passages.collect import Cut, Passages, Placed
from pipeline.passages.read import ADVICE, Texts
from pipeline.passages.split import halves
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.runs.store import ids_of
from pipeline.stage import Flag, Reason, Stage
from pipeline.stages._gate import Gate
from pipeline.stages._passage_kinds import HALF, KINDS, REASONS, Kind, Pair, parse_pair, refers_to_passage, turns_of
from pipeline.task import Instance, Task, new_id
from pipeline.text import first_few, folded, hash_of

MOST_COPIED = 2  # words in a row that a question may share with the example in its prompt
# What a prompt shows, from the passage of its example on; what stands above may say how to answer.
_SHOWN = re.compile(r"^Passage:\n(?P<passage>.+?)\n\nQuestion:.*", re.MULTILINE | re.DOTALL)


class Documents(Stage):
    """Asks for one task of each kind from each passage of your files.

    A folder is read whole: text, Markdown, HTML, EPUB, with the extra `documents` PDF and Word, and rows of JSONL, CSV
    or Parquet with a text in each. Files are cut at headings and paragraphs into passages of up to `words` words; of
    those that are alike one is taken. The order of the passages is drawn, so a run that stops early has seen a bit of
    everything. `meta` says where a task is from, and holds the passage.

    Example:
        >>> Documents(files="notes", kinds=("question", "yes_no"), words=200)
    """

    templates: ClassVar[tuple[str, ...]] = ("documents",)
    growable: ClassVar[frozenset[str]] = frozenset({"max_passages"})
    adds: ClassVar[bool] = True
    reasons: ClassVar[Mapping[str, Reason]] = REASONS
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag("--documents", "files, folders or data sets of your own text", metavar="PATH", many=True, setting="files"),
    )

    files: str | tuple[str, ...] = Field(default=(), description="files, folders or data sets of your own text")
    only: tuple[str, ...] = Field(default=(), description='patterns of names that are read, such as "*.md"; none: all')
    field: str = Field(default="", description="of rows, that which holds the text; empty: text, content, body, …")
    max_megabytes: float = Field(default=64, gt=0, description="a larger text file is left out; rows may be any number")
    words: int = Field(default=250, ge=10, description="in a passage at most")
    min_words: int = Field(default=20, ge=1, description="a shorter passage is left out")
    separators: tuple[str, ...] = Field(
        default=(), description='what stands between passages, such as "\\n---\\n"; none: headings and paragraphs'
    )
    max_passages: int | None = Field(
        default=None, ge=1, description="how many of them, drawn by random_seed; ask for more later and it adds them"
    )
    kinds: tuple[str, ...] = Field(
        default=("question",),
        min_length=1,
        description=f"of task: {', '.join(KINDS)}, {HALF}; or the path of a template of yours, which ends in .jinja",
    )
    num_each: int = Field(default=1, ge=1, description="tasks of each kind from a passage")
    closed_book: bool = Field(
        default=False, description="leave the passage out of the task, for a model that should know it"
    )
    max_rouge: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="ROUGE-L F1 with any instruction of the pool, above which a task is not new; unset: not compared",
    )
    licence: str = Field(default="", description="of the texts, for the card of the dataset")
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=Sampling(temperature=0.7, top_p=0.95, max_tokens=512, stop=("\nPassage:",)),
        description="how the model writes",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if twice := next((kind for kind in self.kinds if self.kinds.count(kind) > 1), None):
            raise ValueError(f"kinds has {twice} twice; name each once, and set num_each for more of them")
        able = [name for name, kind in KINDS.items() if kind.closed_book]
        needing = [name for name in self.kinds if name == HALF or (name in KINDS and name not in able)]
        if self.closed_book and needing:
            raise ValueError(
                f"closed_book leaves out the passage, which {first_few(needing)} needs; it goes with {', '.join(able)}"
            )
        if self.min_words > self.words:
            raise ValueError(f"min_words {self.min_words} is more than words {self.words}")
        if "" in self.separators:
            raise ValueError("separators has an empty text; leave it out")
        return self

    def settings(self) -> dict[str, Any]:
        """Without the place of the texts, but with what they say: a run goes on where they have been moved."""
        found = {key: value for key, value in super().settings().items() if key not in ("files", "licence")}
        return found | {"text": self.passages.digest}

    @property
    def templates_used(self) -> tuple[str, ...]:
        return (*self.templates, *map(template_of, self.kinds))

    def needs(self) -> dict[str, str]:
        return self._texts.needs()

    @property
    def num_passages(self) -> int:
        return min(len(self.passages), self.max_passages or len(self.passages))

    def wanted(self, num_given: int) -> int:
        return num_given + self.num_passages * len(self.kinds) * self.num_each

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        drafts = _Drafts(self, context, done, todo)
        yield from todo
        asked: dict[str, tuple[Placed, str]] = {}

        def requests() -> Iterator[Request]:
            for id, passage, kind in self.work(context.engine, {*ids_of(done)}):
                asked[id] = passage, kind
                yield self.request(context.engine, id, self.prompt(kind, passage.text, context.engine.chat))

        for completion in context.engine.generate(requests()):
            passage, kind = asked.pop(completion.id)
            if is_answer(completion):
                yield drafts.decide(self.read(completion, passage, kind))

    def work(self, engine: Engine, known: set[str]) -> Iterator[tuple[str, Placed, str]]:
        """The ids of the tasks that are not known yet, each with its passage and kind."""
        origin = (self.name, self.random_seed, shown(engine.model), self.closed_book)
        for passage in self.passages.drawn(self.random_seed, self.max_passages):
            for kind in self.kinds:
                for number in range(self.num_each):
                    if (id := new_id(*origin, kind, number, passage.text)) not in known:
                        yield id, passage, kind

    def request(self, engine: Engine, id: str, prompt: str) -> Request:
        """As plain text; for a chat model the example in it is a turn that was said before."""
        asked = request(engine, id, prompt, seeded(self.sampling, self.random_seed, id))
        return asked.model_copy(update={"prompt": turns_of(prompt)}) if engine.chat else asked

    def prompt(self, kind: str, passage: str, chat: bool) -> str:
        if kind == HALF:
            passage = halves(passage)[0] or passage
            return render(template_of(kind), self, passage=passage, chat=chat)
        return render(template_of(kind), self, passage=passage, closed_book=self.closed_book)

    def read(self, completion: Completion, passage: Placed, kind: str) -> Task:
        """The task in a completion, or one that is rejected: without a question and an answer that the kind admits."""
        found = KINDS.get(kind, Kind())
        where = {"kind": Path(kind).stem, "file": passage.file, "row": passage.row, "heading": passage.heading}
        where = {key: value for key, value in where.items() if value not in (None, "")}
        task = Task(
            id=completion.id,
            instruction="",
            is_classification=found.is_classification,
            parents=(passage.id,),
            meta={**where, "start": passage.start, "end": passage.end, "passage": passage.text},
        )
        if kind == HALF:
            return _continued(task, completion)
        cut = completion.finish_reason == "length"
        pair = parse_pair(completion.text, cut)
        if pair is None:
            return task.reject("cut_off" if cut else "no_question_and_answer")
        checked = found.check(pair, found, passage.text)
        reason = checked if isinstance(checked, str) else self.objection_to(checked, kind, passage.text)
        pair = pair if isinstance(checked, str) else checked
        instance = Instance(input="" if self.closed_book else passage.text, output=pair.answer)
        task = task.update(instruction=pair.question, instances=(instance,))
        return task.reject(reason) if reason else task

    def objection_to(self, pair: Pair, kind: str, passage: str) -> str | None:
        prompt = self.prompt(kind, "", False)
        if is_echo(pair.question, prompt):
            return "prompt_echo"
        if shown := _SHOWN.search(prompt):
            about_example = copied(pair.question, shown["passage"], [passage], MOST_COPIED + 1)
            if about_example or copied(pair.answer, shown[0], [passage, pair.question]):
                return "copies_prompt"
        if folded(pair.question) == folded(pair.answer):
            return "question_is_answer"
        return "refers_to_passage" if self.closed_book and refers_to_passage(pair.question) else None

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        if before is not None:
            return
        meta = task.meta
        row = f", row {meta['row']}" if "row" in meta else ""
        heading = f", below {meta['heading']}" if "heading" in meta else ""
        place = f"characters {meta.get('start')} to {meta.get('end')}{heading}"
        yield f"{meta.get('kind')}, from {meta.get('file')}{row}, {place}"
        yield f"passage {', '.join(task.parents)}"
        for instance in task.instances:
            yield f"answer: {instance.output}"
        if "nearest" in meta:
            yield f"rouge_l {task.scores.get('rouge_l')}, nearest {meta['nearest']}"

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        how = "Each task has its passage as input"
        if self.closed_book:
            how = "Tasks do without the passage that they are made from"
        elif self.kinds == (HALF,):
            how = "A task is the first half of a passage, and the model wrote how it goes on"
        yield f"made from passages of up to {self.words} words. {how}."

    def sources(self) -> dict[str, str]:
        return {"the texts that the tasks are made from": self.licence}

    @cached_property
    def passages(self) -> Passages:
        """All of them, read at the first look.

        Raises:
            SproutError: if there is none.
        """
        found = Passages(self._texts, Cut(self.words, self.min_words, self.separators))
        where = first_few(self._texts.places)
        if not len(found):
            said = "; ".join(found.notes.said())
            raise SproutError(f"{where}: there is no passage in it{f' ({said})' if said else ''}; {ADVICE}")
        found.log(self.name, where)
        return found

    @property
    def _texts(self) -> Texts:
        places = (self.files,) if isinstance(self.files, str) else self.files
        if not any(places):
            raise SproutError(f"{self.name}: no text is named; {ADVICE}, with --documents or {self.name}.files")
        return Texts(places, self.only, self.field, round(self.max_megabytes * 1e6))


class _Drafts:
    """Decides tasks one after another: rejects what is there already, and what is no instruction."""

    def __init__(self, stage: Documents, context: Context, done: Sequence[Task], todo: Sequence[Task]) -> None:
        self.seen: set[int] = set()
        self.gate = Gate((), stage.max_rouge, ours(INSTRUCTION))
        for task in (*context.seeds, *todo) if stage.max_rouge else ():
            self.gate.add(task.instruction)
        for task in done:
            if task.kept:
                self.gate.add(task.instruction)
                self.seen.add(_hash(task))

    def decide(self, task: Task) -> Task:
        if not task.kept:
            return task
        if _hash(task) in self.seen:
            return task.reject("repeated")
        judged = self.gate.judge(task)
        if judged.kept:
            self.seen.add(_hash(task))
        return judged


def template_of(kind: str) -> str:
    return kind if kind.endswith(".jinja") else f"documents_{kind}"


def _hash(task: Task) -> int:
    return hash_of(folded(task.instruction), *(folded(instance.input) for instance in task.instances))


def _continued(task: Task, completion: Completion) -> Task:
    """A first half with what the model makes of it."""
    first, _ = halves(str(task.meta["passage"]))
    second = clean_text(completion.text).strip()
    task = task.update(instruction=first, instances=(Instance(output=second),))
    if not first:
        return task.reject("one_sentence")
    if completion.finish_reason == "length":
        return task.reject("cut_off")
    return task if second else task.reject("empty")
