"""Equal amounts of several datasets, in rows or tokens."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.asking.converse import question
from pipeline.dataset.content import ChatRow, TextRow
from pipeline.evaluation.heldout import HeldOut
from pipeline.novelty.overlap import MAX_OVERLAP, NGRAM, OverlapIndex
from pipeline.text import mend
from pipeline.training.tokens import row_tokens

Unit = Literal["rows", "tokens"]
Rows = Sequence[TextRow] | Sequence[ChatRow]
LABELS = re.compile(r"\b(?:Task|Input|Output):")  # that an encoding puts before the parts of a prompt


@dataclass(frozen=True)
class DatasetShare:
    """Rows of a dataset to draw from, and the size of each."""

    rows: Rows
    sizes: Sequence[int]
    num_overlaps: int  # rows left out because they overlap with held-out tasks

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def draw(self, number: int, random_seed: int) -> list[TextRow | ChatRow]:
        """Rows drawn at random whose sizes add up most nearly to `number`, in the order of the dataset."""
        order = random.Random(f"{random_seed}:share").sample(range(len(self.rows)), len(self.rows))
        count = nearest([self.sizes[place] for place in order], number)
        return [self.rows[place] for place in sorted(order[:count])]


def share(rows: Rows, heldout: Sequence[HeldOut], tokenizer: Any | None, max_length: int) -> DatasetShare:
    """The rows of a dataset that do not overlap with held-out tasks, by the rule of `decontaminate`.

    Args:
        tokenizer: Counts the tokens of each row as training sees it; None counts rows.
    """
    overlaps = Overlaps(heldout)
    clean: Any = [row for row in rows if row not in overlaps]
    sizes = [min(max_length, len(row_tokens(row, tokenizer)["input_ids"])) if tokenizer else 1 for row in clean]
    return DatasetShare(clean, sizes, len(rows) - len(clean))


class Overlaps:
    """Finds rows that share more than half of a held-out instance, or have the same prompt."""

    def __init__(self, heldout: Sequence[HeldOut]) -> None:
        self.index = OverlapIndex([_bare(question(one.instruction, one.input)) for one in heldout], NGRAM)

    def __contains__(self, row: TextRow | ChatRow) -> bool:
        text = row.as_text()
        prompt = _bare(text.prompt)
        if self.index.same(prompt).row is not None:
            return True
        return self.index.closest(f"{prompt}\n\n{mend(text.completion)}").share > MAX_OVERLAP


def nearest(sizes: Sequence[int], number: int) -> int:
    """How many of the first sizes add up most nearly to a number."""
    total = 0
    for count, size in enumerate(sizes):
        if abs(total + size - number) > abs(total - number):
            return count
        total += size
    return len(sizes)


def _bare(text: str) -> str:
    """A prompt without the labels of its fields."""
    return LABELS.sub(" ", mend(text))
