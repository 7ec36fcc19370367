"""The kept tasks whose instructions are closest to one, by ROUGE-L."""

import heapq
from pathlib import Path

from pipeline.novelty.tokens import tokens
from pipeline.runs.files import stage_files
from pipeline.runs.store import read_kept
from pipeline.task import Task

MOST = 5


class Neighbours:
    """Looks among all tasks that the last stage has kept, which are read when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._words: dict[str, int] = {}
        self._texts: dict[str, tuple[str, list[int]]] = {}  # by id

    def of(self, task: Task) -> list[tuple[float, str]]:
        """The closest instructions with their ROUGE-L, the closest first."""
        from rapidfuzz.distance import LCSseq

        if not self._texts:
            path = [*stage_files(self.folder).values()][-1]
            self._texts = {one.id: (one.instruction, self._numbers(one.instruction)) for one in read_kept(path)}
        words = self._numbers(task.instruction)
        scored = (
            (round(2 * LCSseq.similarity(words, others) / max(1, len(words) + len(others)), 3), text)
            for id, (text, others) in self._texts.items()
            if id != task.id
        )
        return [pair for pair in heapq.nlargest(MOST, scored) if pair[0]]

    def _numbers(self, text: str) -> list[int]:
        return [self._words.setdefault(word, len(self._words)) for word in tokens(text)]
