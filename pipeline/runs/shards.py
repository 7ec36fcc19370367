"""A shard of a run: the same stages with random choices of their own, in a folder of its own, to be merged."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pipeline.errors import SproutError
from pipeline.runs.files import stage_files
from pipeline.runs.journal import FILE as JOURNAL
from pipeline.runs.journal import Journal, Usage
from pipeline.runs.products import read_record, write_record
from pipeline.runs.store import whole_lines
from pipeline.stage import Product, Stage

FILE = "shard.json"  # in the folder of a finished shard: which it is, and how many tasks are in its files
MERGED = "shards.json"  # in the folder of a merged run: what it was merged from
MOST = 9999  # shards of a run
_PLACE = 10_000  # more than MOST: a random seed holds both numbers of a shard, and so is that of no other one


class Shard(NamedTuple):
    """One of the shards of a run, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Raises:
            SproutError: for a text that is not like 3/16.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]) <= MOST:
            raise SproutError(f"shard {text}: not like 3/16, the third of 16 shards; {MOST:,} is the most")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of_seed(cls, random_seed: int) -> tuple[Self | None, int]:
        """The shard whose stages have such a random seed, and the one in the settings that it was made from.

        A number of eight digits may also be somebody's own, such as 20260115, which is no shard.
        """
        base, rest = divmod(random_seed, _PLACE**2)
        of, number = divmod(rest, _PLACE)
        return (cls(number, of), base) if 1 <= number <= of else (None, random_seed)

    def random_seed(self, base: int) -> int:
        """The random seed of a stage in this shard, where it has `base` in the settings."""
        return base * _PLACE**2 + self.of * _PLACE + self.number

    def folder(self, out: str) -> str:
        """The folder of the shard of a run that is in `out`: outputs/mine-03-of-16."""
        width = max(2, len(str(self.of)))
        return f"{out.rstrip('/')}-{self.number:0{width}}-of-{self.of:0{width}}"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def stages_of(shard: Shard, stages: Sequence[Stage | Product]) -> list[Stage | Product]:
    """The stages of a run that work on a shard: those before the first that needs all tasks.

    Raises:
        SproutError: if they would do the same in every shard.
    """
    first = next((at for at, one in enumerate(stages) if isinstance(one, Product) or one.needs_all), len(stages))
    before = stages[:first]
    adding = [stage for stage in before if isinstance(stage, Stage) and stage.adds]
    if not adding:
        raise SproutError(
            f"shard {shard}: no stage before {stages[first].name if first < len(stages) else 'the end'} adds tasks, so "
            f"each shard would hold the same ones; run it without shards"
        )
    for stage in adding:
        if "random_seed" not in type(stage).model_fields:
            raise SproutError(
                f"shard {shard}: {stage.name} has no random_seed, so it would add the same tasks in each shard; give "
                f"it one, or run it without shards"
            )
    return [in_shard(shard, stage) for stage in before]


def in_shard(shard: Shard, stage: Stage | Product) -> Stage | Product:
    """A stage with random choices of its own, if it makes any."""
    base = getattr(stage, "random_seed", None)
    if "random_seed" not in type(stage).model_fields or not isinstance(base, int):
        return stage
    return stage.model_copy(update={"random_seed": shard.random_seed(base)})


def write_finished(folder: Path, shard: Shard) -> None:
    """Note that all stages of a shard are done, with how many tasks are in the file of each."""
    write_record(folder / FILE, finished(folder, shard))


def finished(folder: Path, shard: Shard) -> dict[str, Any]:
    """What the folder of a shard holds once it is finished as it is now."""
    return {"shard": str(shard), "decided": {name: _count(path) for name, path in stage_files(folder).items()}}


def shard_folders(folder: Path) -> list[Path]:
    """The folders that a run was merged from, in their order; none if it was not, and without those that are gone."""
    entries = read_record(folder / MERGED).get("shards", [])
    names = [entry.get("folder") for entry in entries if isinstance(entry, dict)]
    return [path for name in names if isinstance(name, str) and (path := folder / name).is_dir()]


def usage(folder: Path) -> dict[str, Usage]:
    """What each stage has paid for, in the shards of a merged run too; nothing if there is no journal."""
    found: dict[str, Usage] = {}
    for place in (*shard_folders(folder), folder):
        if (place / JOURNAL).is_file():
            with Journal(place / JOURNAL) as journal:
                for stage, used in journal.usage().items():
                    found[stage] = _joined(used, found[stage]) if stage in found else used
    return found


def _count(path: Path) -> int:
    """The tasks in a file."""
    return sum(1 for _ in whole_lines(path))


def _joined(one: Usage, other: Usage) -> Usage:
    """What two shards have used for the same stage, maybe at the same time."""
    sums = {name: getattr(one, name) + getattr(other, name) for name in (*_COUNTS, "seconds", "busy")}
    in_flight = (one.in_flight * one.busy + other.in_flight * other.busy) / max(sums["busy"], 1e-9)
    return Usage(**sums, first=min(one.first, other.first), last=max(one.last, other.last), in_flight=in_flight)


_COUNTS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens")
