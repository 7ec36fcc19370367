"""Reject tasks that mean nearly the same as an earlier one, and choose the most diverse."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from pipeline.engines.model_folder import is_hub_name
from pipeline.novelty import Nearest
from pipeline.novelty.diversity import k_center, k_means, vote_k
from pipeline.novelty.embedding import BATCH, EmbeddingIndex, Encoder
from pipeline.novelty.encoder import EMBED, Vectors, check_folder
from pipeline.runs.context import Context
from pipeline.stage import Reason, Stage
from pipeline.task import Task
from pipeline.text import mend

logger = logging.getLogger(__name__)


class Dedup(Stage):
    """Rejects semantic near-duplicates of earlier tasks; then, with `num_kept`, all but the most diverse.

    Each task gets the score `cosine` to the closest of the seeds and the tasks kept before it, whose id is in
    `meta["nearest_id"]`; a near-duplicate also has its text in `meta["nearest"]`.

    A selection looks at all tasks at once, before the first is decided. It depends on tasks and settings alone, so an
    interrupted run selects the same again and continues. Tasks that arrive after a selection are kept only if it
    left room for them: decisions stand. k_center also keeps away from the seeds.
    """

    optional: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    of_all: ClassVar[bool] = True
    asks: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, Reason]] = {
        "near_duplicate": Reason(
            "It means nearly the same as a seed or a task before it, by `max_cosine`; `why` shows that one.",
            "Name a large river. / Give the name of a big river.",
        ),
        "not_selected": Reason(
            "It is not among the `num_kept` most diverse tasks.", "the third task about rivers, where 100 are wanted"
        ),
    }

    encoder: str = Field(
        default="sentence-transformers/all-MiniLM-L6-v2", description="an encoder: a folder, or a name on the hub"
    )
    max_cosine: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="above it a task is a near-duplicate; DEITA (arXiv 2312.15685); 1 keeps all",
    )
    text: Literal["instruction", "instance"] = Field(
        default="instruction", description="what is compared; instance: the instruction with its first input"
    )
    against_seeds: bool = Field(default=True, description="seeds count as kept before all tasks")
    num_kept: int | None = Field(
        default=None, ge=1, description="keep so many, the most diverse; unset: all that are no near-duplicates"
    )
    method: Literal["k_center", "k_means", "vote_k"] = Field(
        default="k_center", description="how the most diverse are chosen"
    )
    num_clusters: int = Field(
        default=512, ge=1, description="k_means; DivConquer (arXiv 2409.11378) tries 512, 1024 and 4096"
    )
    quality: str = Field(
        default="judge", description="k_means: the score that makes a task likelier; without it all are equally likely"
    )
    num_neighbours: int = Field(default=150, ge=1, description="vote_k (arXiv 2209.01975)")
    rho: int = Field(
        default=10, ge=2, description="vote_k: how much less a neighbour of a chosen task counts (arXiv 2209.01975)"
    )
    random_seed: int = Field(default=0, description="another number makes other random choices")

    @model_validator(mode="after")
    def _check_encoder(self) -> "Dedup":
        if not is_hub_name(self.encoder):
            check_folder(Path(self.encoder))
        return self

    def needs(self) -> dict[str, str]:
        return EMBED

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        encoder = Encoder(self.encoder, context.folder / "vectors")
        seeds = list(context.seeds) if self.against_seeds else []
        if self.num_kept is None:
            before = (task for task in done if task.kept)
            yield from self.judge(todo, chain(seeds, before), encoder, position=len(done))
            return
        again = [task.update(rejected=None) for task in done]
        decided = self.select([*again, *todo], seeds, self.num_kept, encoder)
        if [task.rejected for task in decided[: len(done)]] == [task.rejected for task in done]:
            yield from decided[len(done) :]
            return
        left = max(0, self.num_kept - len(kept(done)))
        logger.warning(
            "dedup: %d of num_kept %d were selected from other tasks than these, so at most %d more are kept; delete "
            "the file of dedup and those after it to select from all", self.num_kept - left, self.num_kept, left,
        )  # fmt: skip
        yield from self.select(todo, [*seeds, *kept(done)], left, encoder)

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
                ids.setdefault(self.compared(task), task.id)
                yield self.compared(task)

        index = EmbeddingIndex(encoder.encode, texts_before(), self.max_cosine)
        start = 0
        while start < len(tasks):
            batch = list(tasks[start : start + BATCH - (position + start) % BATCH])
            texts = [self.compared(task) for task in batch]
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

    def select(self, tasks: Sequence[Task], before: Sequence[Task], num_kept: int, encoder: Encoder) -> list[Task]:
        """Decide all tasks: reject near-duplicates, then all but `num_kept` of the others."""
        judged = list(self.judge(tasks, before, encoder))
        new = kept(judged)
        if len(new) <= num_kept:
            return judged
        logger.info("dedup: selecting %d of %d tasks by %s", num_kept, len(new), self.method)
        selected = {new[row].id for row in self.selection(new, before, num_kept, encoder)}
        return [task.reject("not_selected") if task.kept and task.id not in selected else task for task in judged]

    def selection(self, tasks: Sequence[Task], before: Sequence[Task], num_kept: int, encoder: Encoder) -> list[int]:
        vectors = self.vectors(tasks, encoder)
        if self.method == "k_center":
            return k_center(vectors, num_kept, self.vectors(before, encoder), self.random_seed)
        if self.method == "vote_k":
            return vote_k(vectors, num_kept, self.num_neighbours, self.rho)
        return k_means(vectors, num_kept, self.qualities(tasks), self.num_clusters, self.random_seed)

    def vectors(self, tasks: Sequence[Task], encoder: Encoder) -> Vectors:
        return encoder.encode([self.compared(task) for task in tasks])

    def qualities(self, tasks: Sequence[Task]) -> list[float] | None:
        """The score of each task; the average of the others where a task has none."""
        scores = [task.scores.get(self.quality) for task in tasks]
        known = [score for score in scores if score is not None]
        if not known:
            return None
        average = float(np.mean(known))
        return [average if score is None else score for score in scores]

    def compared(self, task: Task) -> str:
        given = task.instances[0].input if self.text == "instance" and task.instances else ""
        return mend(f"{task.instruction}\n{given}" if given else task.instruction)


def kept(tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if task.kept]
