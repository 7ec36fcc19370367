"""Reject tasks that mean nearly the same as an earlier one."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from pydantic import Field

from pipeline.novelty.embedding import BATCH, MAX_EXACT, Admitted, EmbeddingIndex, Encoder
from pipeline.novelty.encoder import EMBED
from pipeline.runs.context import Context
from pipeline.stage import Reason, Stage
from pipeline.stages._encoding import ENCODER, Compared, EncoderName, EncoderPrompt, compared, seeds_besides
from pipeline.task import Task

logger = logging.getLogger(__name__)

_LOW = 0.95  # a recall below this is a warning


class Dedup(Stage):
    """Rejects semantic near-duplicates of earlier tasks.

    Each task gets the score `cosine` to the closest of the seeds and the tasks kept before it, whose id is in
    `meta["nearest_id"]`; a near-duplicate also has its text in `meta["nearest"]`.

    It is compared with all of them, which at a million takes longer than embedding it. With `num_probes`, kept tasks
    are sorted into lists by what they mean, and it is compared with those in the nearest lists. One task in some
    hundreds is still compared with all: its score `exact_cosine` is to the closest of them, and the log counts how many
    of the near-duplicates among these tasks the nearest lists held.
    """

    optional: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    needs_all: ClassVar[bool] = True
    asks: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, Reason]] = {
        "near_duplicate": Reason(
            "It means nearly the same as a seed or a task before it, by `max_cosine`; `why` shows that one.",
            "Name a large river. / Give the name of a big river.",
        ),
    }

    encoder: EncoderName = ENCODER
    encoder_prompt: EncoderPrompt = ""
    max_cosine: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="above it a task is a near-duplicate; DEITA (arXiv 2312.15685); 1 keeps all",
    )
    text: Compared = "instruction"
    num_probes: int = Field(
        default=0,
        ge=0,
        description=f"above {MAX_EXACT:,} kept tasks, compare with those in so many of the nearest lists, such as 16; "
        "0: always with all",
    )
    against_seeds: bool = Field(
        default=True, description="seeds count as kept before all tasks, unless they are the tasks"
    )

    def needs(self) -> dict[str, str]:
        return EMBED

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        encoder = Encoder(self.encoder, context.folder / "vectors", self.encoder_prompt)
        seeds = seeds_besides(context.seeds, done, todo) if self.against_seeds else []
        before = (task for task in done if task.kept)
        recall = Recall(self.max_cosine)
        if self.num_probes:
            for task in done:
                recall.count(task)
        for task in self.judge(todo, chain(seeds, before), encoder, position=len(done)):
            recall.count(task)
            yield task
        recall.log(self.name)

    def judge(
        self, tasks: Sequence[Task], before: Iterable[Task], encoder: Encoder, position: int = 0
    ) -> Iterator[Task]:
        """Decide which tasks are near-duplicates of one another or of tasks kept earlier.

        After an interruption, which starts again at `position`, batches end at the same tasks: each text is embedded in
        the same batch, and so to the same last bit.
        """
        ids: dict[str, str] = {}

        def texts_before() -> Iterator[str]:
            for task in before:
                text = compared(task, self.text)
                ids.setdefault(text, task.id)
                yield text

        index = EmbeddingIndex(encoder.encode, texts_before(), self.max_cosine, self.num_probes or None)
        start = 0
        while start < len(tasks):
            batch = list(tasks[start : start + BATCH - (position + start) % BATCH])
            texts = [compared(task, self.text) for task in batch]
            for task, text, nearest in zip(batch, texts, index.admit(texts), strict=True):
                judged = self.judged(task, nearest, ids)
                if judged.kept:
                    ids.setdefault(text, task.id)
                yield judged
            start += len(batch)

    def judged(self, task: Task, nearest: Admitted, ids: dict[str, str]) -> Task:
        if nearest.text is None:
            return task
        task = task.score(cosine=round(nearest.score, 4)).update(meta=task.meta | {"nearest_id": ids[nearest.text]})
        if nearest.highest is not None:
            task = task.score(exact_cosine=round(nearest.highest, 4))
        if nearest.score <= self.max_cosine:
            return task
        return task.update(meta=task.meta | {"nearest": nearest.text}).reject("near_duplicate")


@dataclass
class Recall:
    """How many of the near-duplicates among the tasks that were compared with all were found in the nearest lists."""

    max_cosine: float
    compared: int = 0
    close: int = 0
    found: int = 0

    def count(self, task: Task) -> None:
        exact = task.scores.get("exact_cosine")
        if exact is not None:
            self.compared += 1
            self.close += exact > self.max_cosine or not task.kept
            self.found += not task.kept

    def log(self, name: str) -> None:
        if not self.compared:
            return
        level = logging.WARNING if self.found < _LOW * self.close else logging.INFO
        advice = "; raise num_probes" if level == logging.WARNING else ""
        logger.log(
            level, "%s: %d tasks were compared with all kept ones: the nearest lists held %d of %d near-duplicates%s",
            name, self.compared, self.found, self.close, advice,
        )  # fmt: skip
