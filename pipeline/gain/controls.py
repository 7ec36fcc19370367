"""The controls of a dataset: other tasks of the same run, to tune on for the same number of steps."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from pipeline.dataset.rows import Rows
from pipeline.errors import SproutError
from pipeline.gain.shares import nearest
from pipeline.task import Task, read_tasks

Control = Literal["seeds", "seeds_stopped", "random", "unfiltered", "eighth", "quarter", "half"]
CONTROLS: tuple[Control, ...] = get_args(Control)
SHARES: dict[Control, float] = {"eighth": 1 / 8, "quarter": 1 / 4, "half": 1 / 2}
STOPPED: Control = "seeds_stopped"
OF_SEEDS: tuple[Control, ...] = ("seeds", STOPPED)  # without generated tasks
UNFILTERED = frozenset[Control]({"random", "unfiltered"})
CANDIDATES = Path("gain") / "candidates"
MEANING: dict[str, str] = {
    "base": "nothing (the base model)",
    "demos": "nothing (the base model in the layout of verify, seed tasks shown: {num_demos})",
    "seeds": "the seed tasks alone",
    "seeds_stopped": "the seed tasks alone, stopped in time",
    "random": "as many tasks, unfiltered",
    "unfiltered": "as many tokens, unfiltered",
    "eighth": "1/8 of the dataset",
    "quarter": "1/4 of the dataset",
    "half": "1/2 of the dataset",
    "dataset": "the dataset",
}


def control_tasks(
    control: Control,
    tasks: Sequence[Task],
    folder: Path,
    random_seed: int,
    size: Callable[[Sequence[Task]], dict[str, int]],
) -> list[Task]:
    """The generated tasks of a control; none for the controls of seed tasks alone.

    Each part of the dataset contains the smaller ones. "random" draws as many tasks as the dataset has from all
    candidates (see `complete_candidates`); "unfiltered" draws them until it has as many tokens as the dataset.

    Args:
        tasks: The generated tasks of the dataset.
        folder: Of the run.
        size: The number of tokens of each task, by its id.

    Raises:
        SproutError: if the control needs candidates and `complete_candidates` was not called for the folder.
    """
    if control in OF_SEEDS:
        return []
    rng = random.Random(f"{random_seed}:controls")
    if control in SHARES:
        return rng.sample(tasks, len(tasks))[: math.ceil(SHARES[control] * len(tasks))]
    whole = candidates(folder)
    shuffled = rng.sample(whole, len(whole))
    return shuffled[: len(tasks)] if control == "random" else _first(shuffled, sum(size(tasks).values()), size)


def candidates(folder: Path) -> list[Task]:
    """The tasks that were completed without a filter, see `candidates.complete_candidates`.

    Raises:
        SproutError: if there are none yet.
    """
    paths = sorted((folder / CANDIDATES).glob("[0-9]_*.jsonl"))
    if not paths:
        raise SproutError(f"{folder / CANDIDATES}: is missing, and holds the unfiltered tasks; `sprout gain` writes it")
    return [task for task in read_tasks(paths[-1]) if task.kept]


def count_tokens(rows: Rows, count: Callable[[str], int]) -> dict[str, int]:
    """The number of tokens of each task, prompts and completions together."""
    sizes: Counter[str] = Counter()
    for row in rows:
        sizes[row.task] += count(row.prompt + row.completion)
    return dict(sizes)


def _first(tasks: Sequence[Task], num_tokens: int, size: Callable[[Sequence[Task]], dict[str, int]]) -> list[Task]:
    """The first tasks whose total comes closest to a number of tokens."""
    sizes = size(tasks)
    return [*tasks[: nearest([sizes.get(task.id, 0) for task in tasks], num_tokens)]]
