"""Reject tasks that mean nearly the same as an earlier one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import ClassVar

from pydantic import Field

from pipeline.novelty import Nearest
from pipeline.novelty.embedding import BATCH, EmbeddingIndex, Encoder
from pipeline.novelty.encoder import EMBED
from pipeline.runs.context import Context
from pipeline.stage import Reason, Stage
from pipeline.stages._encoding import ENCODER, Compared, EncoderName, EncoderPrompt, compared, seeds_besides
from pipeline.task import Task


class Dedup(Stage):
    """Rejects semantic near-duplicates of earlier tasks.

    Each task gets the score `cosine` to the closest of the seeds and the tasks kept before it, whose id is in
    `meta["nearest_id"]`; a near-duplicate also has its text in `meta["nearest"]`.
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
        yield from self.judge(todo, chain(seeds, before), encoder, position=len(done))

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

        index = EmbeddingIndex(encoder.encode, texts_before(), self.max_cosine)
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

    def judged(self, task: Task, nearest: Nearest, ids: dict[str, str]) -> Task:
        if nearest.text is None:
            return task
        task = task.score(cosine=round(nearest.score, 4)).update(meta=task.meta | {"nearest_id": ids[nearest.text]})
        if nearest.score <= self.max_cosine:
            return task
        return task.update(meta=task.meta | {"nearest": nearest.text}).reject("near_duplicate")
