"""Reject tasks that overlap with held-out ones, which would make an evaluation on these meaningless."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field

from pipeline.asking.converse import question
from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut, read_sets
from pipeline.novelty import Nearest
from pipeline.novelty.embedding import BATCH, EmbeddingIndex, Encoder
from pipeline.novelty.encoder import EMBED
from pipeline.novelty.overlap import MAX_OVERLAP, NGRAM, OverlapIndex
from pipeline.runs.context import Context
from pipeline.runs.products import digest
from pipeline.stage import Product, Reason, Stage
from pipeline.stages._encoding import EncoderName, EncoderPrompt
from pipeline.stages.evaluate import Evaluate
from pipeline.task import Task
from pipeline.text import mend

logger = logging.getLogger(__name__)

MAX_INSTANCES = 100  # as many as are evaluated by default


class Decontaminate(Stage):
    """Rejects tasks that share more than half of a held-out instance and, with an encoder, those that mean the same.

    The n-gram rule is that of open-instruct (its `decontamination` folder): a word of a held-out instance, which is its
    instruction and input, counts as covered if it is part of an 8-gram that also occurs in the task; the task is
    rejected if more than 50 % are. A task is compared instance by instance: instruction, input and output. Words are
    those of ROUGE; open-instruct counts the tokens of spaCy, punctuation included, and compares without punctuation.
    That rule never finds an instance of fewer than 8 words; it is found if instruction and input are the same.

    With an encoder, the instruction and input of each instance are also compared by the cosine of their vectors.

    A task with anything in common has the scores `overlap` (the share) or `heldout_cosine` (of the closest, always); a
    rejected one the id of the held-out instance in `meta["heldout_id"]`.
    """

    optional: ClassVar[bool] = True
    asks: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, Reason]] = {
        "contaminated_exact": Reason(
            "A held-out task has the same instruction and input.", "Name the capital. / Chile, where that is held out"
        ),
        "contaminated_ngram": Reason(
            "It shares too many runs of words with a held-out task, by `max_overlap`.",
            "a held-out paragraph with another question below it",
        ),
        "contaminated_embedding": Reason(
            "It means nearly the same as a held-out task, by `max_cosine`.", "a held-out question in other words"
        ),
    }

    heldout: str | tuple[str, ...] | None = Field(
        default=None, description="held-out sets; unset: those the run is evaluated on; an empty list lets all through"
    )
    max_instances: int | None = Field(
        default=None, ge=1, description="of each held-out task; unset: 100, or as many as are evaluated if more"
    )
    ngram: int = Field(
        default=NGRAM, ge=1, description="words in a row; open-instruct, as for Tulu 3 (arXiv 2411.15124)"
    )
    max_overlap: float = Field(
        default=MAX_OVERLAP, ge=0, le=1, description="share of a held-out instance that may be in a task; open-instruct"
    )
    encoder: EncoderName = Field(
        default="",
        description="a sentence-transformers model: a folder, or a name on the hub; empty: the n-gram rule alone",
    )
    encoder_prompt: EncoderPrompt = ""
    max_cosine: float = Field(default=0.9, gt=0, le=1, description="with an encoder: to any held-out instance")

    @classmethod
    def takes_part(cls, tables: Mapping[str, Any]) -> bool:
        return super().takes_part(tables) or bool(tables.get("evaluate", {}).get("heldout"))

    def resolve(self, stages: Sequence[Stage | Product]) -> Self:
        """Fills in the sets that the run is evaluated on, unless the settings name others."""
        found = [stage for stage in stages if isinstance(stage, Evaluate)]
        heldout = self.heldout
        if heldout is None:
            sets = dict.fromkeys(one for stage in found for one in as_tuple(stage.heldout))
            heldout = next(iter(sets)) if len(sets) == 1 else tuple(sets)
            if not sets:
                raise SproutError(
                    f"[{self.name}] heldout is missing, and the run is not evaluated on any set; name one"
                )
        most = self.max_instances or max([MAX_INSTANCES, *(stage.max_instances for stage in found)])
        return self.model_copy(update={"heldout": heldout, "max_instances": most})

    def settings(self) -> dict[str, Any]:
        """Includes the held-out instances, which affect what is rejected, wherever they are stored."""
        return super().settings() | {"heldout": digest([one.model_dump() for one in self._instances])}

    @cached_property
    def _instances(self) -> tuple[HeldOut, ...]:
        return read_sets(self.heldout, self.max_instances or MAX_INSTANCES) if self.heldout else ()

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        gone = sum(count for reason, count in counts.items() if reason != "kept")
        meaning = ", or mean the same by the cosine of their vectors" if self.encoder else ""
        sets = ", ".join(Path(one).name for one in as_tuple(self.heldout or ())) or "none"
        yield (
            f"{gone:,} of {sum(counts.values()):,} tasks were left out because they share more than "
            f"{self.max_overlap:.0%} of the words of a held-out instance in {self.ngram}-grams{meaning}. It was "
            f"compared with no other evaluation sets than these: {sets} (digest {self.settings()['heldout']})."
        )

    def needs(self) -> dict[str, str]:
        return EMBED if self.encoder else {}

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        texts = [mend(question(one.instruction, one.input)) for one in self._instances]
        overlaps = OverlapIndex(texts, self.ngram)
        self.warn(context.seeds, overlaps)
        encoder = self.encoder and Encoder(self.encoder, context.folder / "vectors", self.encoder_prompt)
        meanings = Meanings(texts, encoder) if encoder and texts else None
        for start in range(0, len(todo), BATCH):
            batch = list(todo[start : start + BATCH])
            closest = meanings.closest(batch) if meanings else [None] * len(batch)
            for task, nearest in zip(batch, closest, strict=True):
                yield self.judge(task, overlaps, nearest)

    def judge(self, task: Task, overlaps: OverlapIndex, nearest: tuple[float, int] | None = None) -> Task:
        """Decide one task; `nearest` is the highest cosine, and the row of the held-out instance it is of."""
        share, row = max((overlaps.closest(text) for text in whole_texts(task)), key=lambda found: found.share)
        exact = max((overlaps.same(text) for text in prompts(task)), key=lambda found: found.share)
        if exact.row is not None:
            share, row = exact
        if row is not None:
            task = task.score(overlap=round(share, 4))
        if nearest:
            task = task.score(heldout_cosine=round(nearest[0], 4))
        if exact.row is not None:
            return self.rejected(task, "contaminated_exact", exact.row)
        if row is not None and share > self.max_overlap:
            return self.rejected(task, "contaminated_ngram", row)
        if nearest and nearest[0] > self.max_cosine:
            return self.rejected(task, "contaminated_embedding", nearest[1])
        return task

    def warn(self, seeds: Sequence[Task], overlaps: OverlapIndex) -> None:
        """Seed tasks are never rejected, but a warning says which overlap with held-out ones."""
        if found := [seed.id for seed in (self.judge(seed, overlaps) for seed in seeds) if not seed.kept]:
            logger.warning(
                "%s: %d of %d seed tasks overlap with held-out instances, such as %s; a dataset that includes seeds "
                "includes them", self.name, len(found), len(seeds), found[0],
            )  # fmt: skip

    def rejected(self, task: Task, reason: str, row: int) -> Task:
        return task.update(meta=task.meta | {"heldout_id": self._instances[row].id}).reject(reason)


class Meanings:
    """Which held-out text comes closest in meaning to an instance of a task."""

    def __init__(self, texts: Sequence[str], encoder: Encoder) -> None:
        self.rows = {text: row for row, text in reversed([*enumerate(texts)])}  # of equal texts the first
        self.index = EmbeddingIndex(encoder.encode, self.rows)

    def closest(self, tasks: Sequence[Task]) -> list[tuple[float, int]]:
        texts = list(dict.fromkeys(text for task in tasks for text in prompts(task)))
        found: dict[str, Nearest] = dict(zip(texts, self.index.closest_of(texts), strict=True))
        best = [max((found[text] for text in prompts(task)), key=lambda one: one.score) for task in tasks]
        return [(one.score, self.rows[one.text or ""]) for one in best]


def as_tuple(sets: str | tuple[str, ...]) -> tuple[str, ...]:
    return (sets,) if isinstance(sets, str) else sets


def prompts(task: Task) -> list[str]:
    """Instruction and input of each instance; the instruction alone if there are none."""
    return [mend(question(task.instruction, one.input)) for one in task.instances] or [mend(task.instruction)]


def whole_texts(task: Task) -> list[str]:
    outputs = [one.output for one in task.instances] or [""]
    return [f"{prompt}\n\n{mend(output)}" for prompt, output in zip(prompts(task), outputs, strict=True)]
