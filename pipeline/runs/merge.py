"""Merges the shards of a run into one: each task once, and no instruction that is not new among all shards."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pipeline.errors import SproutError
from pipeline.novelty.rouge import RougeIndex
from pipeline.runs.files import find_stage_files
from pipeline.runs.lock import only_writer
from pipeline.runs.products import empty_folder, put_in_place, read_record, write_record
from pipeline.runs.remarks import FILE as REMARKS
from pipeline.runs.remarks import read_remarks
from pipeline.runs.reviews import FILE as REVIEWS
from pipeline.runs.settings import FILE as SETTINGS
from pipeline.runs.settings import STAGE_FILE, read_settings, write_settings
from pipeline.runs.shards import FILE, MERGED, Shard, finished
from pipeline.runs.store import to_line, whole_lines
from pipeline.task import Task, read_task
from pipeline.text import counted

NOT_NEW = "not_new"
LOCK = ".lock"
COPIED = ("prices.json",)  # the same in each shard
Settings = dict[str, dict[str, Any]]


class Merged(NamedTuple):
    """What has come of a merge, by shard in their order."""

    folder: Path
    first: Path  # the folder of the first shard
    shards: tuple["Counts", ...]

    def __str__(self) -> str:
        lines = [f"{'shard':<40}{'kept':>12}{'not new':>10}{'same id':>10}"]
        rows = [(one.folder, one.kept, one.not_new, one.same_id) for one in self.shards]
        rows.append(("together", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
        lines += [f"{name:<40}{kept:>12,}{not_new:>10,}{same:>10,}" for name, kept, not_new, same in rows]
        return "\n".join(lines)


class Counts(NamedTuple):
    """A shard, and what became of its tasks."""

    folder: str  # relative to that of the merged run
    kept: int  # by its last stage
    not_new: int  # too close to a task of a shard before
    same_id: int  # there in a shard before


def merge(folders: Sequence[Path], out: Path) -> Merged:
    """Merge all shards of a run, in the order of their numbers, into a folder that is a run like any other.

    A task that a stage has added is compared with all that this stage keeps of the shards before, by the `max_rouge` of
    that stage: the first one wins. One that is not new is rejected there and is in no later file. For stages that
    compare each task with all before it, such as `instructions`, the tasks that are kept are those the exact filter
    keeps of all shards in a row.

    Raises:
        SproutError: for folders that are not the finished shards of one run, and an `out` that holds something else.
    """
    shards = in_order(folders)
    settings = common_settings(shards)
    with only_writer(out):
        if any(path.name != LOCK for path in out.iterdir()):
            return merged_before(shards, out)
        partial = empty_folder(out.with_name(f"{out.name}.partial"))
        counts = Merging(settings, partial).all(shards, out)
        copy_records(shards, partial)
        write_settings(partial / SETTINGS, settings)
        write_record(partial / MERGED, record_of(shards, counts))
        put_in_place(partial, out)
    return Merged(out, next(iter(shards.values())), counts)


def in_order(folders: Sequence[Path]) -> dict[Shard, Path]:
    """The shards by their numbers.

    Raises:
        SproutError: for a folder that is no finished shard, for one that is there twice, and for one that is missing.
    """
    found: dict[Shard, Path] = {}
    for folder in folders:
        shard = shard_in(folder)
        if shard in found:
            raise SproutError(f"{folder}: is shard {shard}, and so is {found[shard]}; give one of them")
        if found and shard.of != (first := next(iter(found))).of:
            raise SproutError(f"{folder}: is shard {shard}, but {found[first]} is {first}; give all shards of one run")
        found[shard] = folder
    of = next(iter(found)).of
    if missing := [number for number in range(1, of + 1) if Shard(number, of) not in found]:
        numbers = ", ".join(map(str, missing[:10])) + (f" and {len(missing) - 10} more" if missing[10:] else "")
        shards, are, it = ("shards", "are", "the first") if missing[1:] else ("shard", "is", "it")
        raise SproutError(
            f"{shards} {numbers} of {of} {are} missing; `sprout run … --shard {missing[0]}/{of}` makes {it}, then "
            f"merge again"
        )
    return dict(sorted(found.items()))


def shard_in(folder: Path) -> Shard:
    """The finished shard in a folder.

    Raises:
        SproutError: for a folder without a run, one that is no shard, and one whose shard is not finished.
    """
    if not find_stage_files(folder):
        raise SproutError(f"{folder}: holds no run; give the folders that `sprout run … --shard` has written")
    shards = {Shard.of_seed(one["random_seed"])[0] for one in read_settings(folder / SETTINGS).values()
              if isinstance(one.get("random_seed"), int)}  # fmt: skip
    shard = next(iter(shards)) if len(shards) == 1 else None
    named = shard is not None and folder.resolve().name.endswith(shard.folder(""))
    if shard is None or not (named or (folder / FILE).exists()):  # the random seed may be somebody's own: 20260115
        raise SproutError(
            f"{folder}: is not a shard of a run; give the folders that `sprout run … --shard` has written, by the "
            f"names they got there"
        )
    if read_record(folder / FILE) != finished(folder, shard):
        raise SproutError(f"{folder}: shard {shard} is not finished; run it again with --shard {shard}, then merge")
    return shard


def common_settings(shards: Mapping[Shard, Path]) -> Settings:
    """The settings of all shards, as a run without shards has them.

    Raises:
        SproutError: for shards of different settings.
    """
    found: Settings | None = None
    for folder in shards.values():
        own = {name: unsharded(one) for name, one in read_settings(folder / SETTINGS).items()
               if STAGE_FILE.match(one["file"])}  # fmt: skip
        if found is None:
            found, first = own, folder
        for stage in found | own:
            here, there = own.get(stage, {}), found.get(stage, {})
            if differ := [key for key in sorted(here | there) if here.get(key) != there.get(key)]:
                raise SproutError(
                    f"{folder}: was run with another {', '.join(differ)} in {stage} than {first}; shards of one run "
                    f"have the same settings"
                )
    return found or {}


def unsharded(settings: Mapping[str, Any]) -> dict[str, Any]:
    seed = settings.get("random_seed")
    return {**settings, **({"random_seed": Shard.of_seed(seed)[1]} if isinstance(seed, int) else {})}


class Merging:
    """Copies the files of shards one after another, without the tasks that are dropped."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.files = {name: one["file"] for name, one in settings.items()}
        limits = {name: one["max_rouge"] for name, one in settings.items() if one.get("max_rouge")}
        self.indices = {name: RougeIndex(max_rouge=limit) for name, limit in limits.items()}
        self.origin: dict[str, dict[str, str]] = {name: {} for name in self.indices}  # by stage and text: the id
        self.folder = folder
        self.seen: set[str] = set()  # ids of the shards before

    def all(self, shards: Mapping[Shard, Path], out: Path) -> tuple[Counts, ...]:
        with ExitStack() as stack:
            files = {name: stack.enter_context((self.folder / file).open("wb")) for name, file in self.files.items()}
            return tuple(self.one(path, files, out) for path in shards.values())

    def one(self, shard: Path, files: Mapping[str, BinaryIO], out: Path) -> Counts:
        """Append the files of one shard."""
        own: set[str] = set()
        gone: set[str] = set()
        counts: Counter[str] = Counter()
        for stage, file in files.items():
            kept: list[Task] = []
            counts["kept"] = 0
            for line, task in lines_of(shard / self.files[stage]):
                if task.id in gone:
                    continue
                if task.id not in own:  # this stage has added it, or it was given to the first one
                    if task.id in self.seen:
                        gone.add(task.id)
                        counts["same_id"] += 1
                        continue
                    judged = self.judged(stage, task)
                    if judged is not task:
                        gone.add(task.id)
                        counts[NOT_NEW] += 1
                        line, task = to_line(judged).encode(), judged
                own.add(task.id)
                file.write(line)
                if task.kept:
                    counts["kept"] += 1
                    kept += [task] if stage in self.indices else []
            self.remember(stage, kept)
        self.seen |= own
        return Counts(os.path.relpath(shard, out), counts["kept"], counts[NOT_NEW], counts["same_id"])

    def judged(self, stage: str, task: Task) -> Task:
        """The same task, or rejected if it is not new among those of the shards before."""
        if not task.kept or stage not in self.indices:
            return task
        score, text = self.indices[stage].nearest(task.instruction)
        if text is None:
            return task
        nearest = {"nearest": text, "nearest_id": self.origin[stage][text]}
        return task.score(rouge_l=round(score, 4)).update(meta=task.meta | nearest).reject(NOT_NEW)

    def remember(self, stage: str, kept: Sequence[Task]) -> None:
        for task in kept:
            self.indices[stage].add(task.instruction)
            self.origin[stage].setdefault(task.instruction, task.id)


def lines_of(path: Path) -> Iterator[tuple[bytes, Task]]:
    return ((ended(line), read_task(line, f"{path}:{number}")) for number, _, line in whole_lines(path))


def ended(line: bytes) -> bytes:
    """A line with its line end, which some editors leave out at the end of a file; another line follows it here."""
    return line if line.endswith(b"\n") else line + b"\n"


def copy_records(shards: Mapping[Shard, Path], out: Path) -> None:
    """What belongs to a run besides its stage files: prices, reviews and remarks."""
    first = next(iter(shards.values()))
    for name in COPIED:
        if (first / name).is_file():
            shutil.copyfile(first / name, out / name)
    reviewed = (path / REVIEWS for path in shards.values() if (path / REVIEWS).is_file())
    reviews = b"".join(ended(line) for path in reviewed for _, _, line in whole_lines(path))
    if reviews:
        (out / REVIEWS).write_bytes(reviews)
    remarks: dict[str, list[str]] = {}
    for shard, path in shards.items():
        for stage, text in read_remarks(path).items():
            remarks.setdefault(stage, []).append(f"shard {shard}: {text}")
    if remarks:
        write_record(out / REMARKS, {stage: together(said) for stage, said in remarks.items()})


def together(remarks: Sequence[str]) -> str:
    """The first of the remarks that shards made on a stage, and how many more there are."""
    others = f" ({counted(len(remarks) - 1, 'more shard')} ended early too)" if remarks[1:] else ""
    return f"{remarks[0]}{others}"


def record_of(shards: Mapping[Shard, Path], counts: Sequence[Counts]) -> dict[str, Any]:
    """What the folder of a merged run says of its shards."""
    entries = [
        {"shard": str(shard)} | one._asdict() | {"decided": read_record(path / FILE)["decided"]}
        for (shard, path), one in zip(shards.items(), counts, strict=True)
    ]
    return {"shards": entries}


def merged_before(shards: Mapping[Shard, Path], out: Path) -> Merged:
    """What was merged before, if it was from these shards as they are now.

    Raises:
        SproutError: for a folder that holds anything else.
    """
    record = read_record(out / MERGED)
    try:
        counts = tuple(Counts(**{key: entry[key] for key in Counts._fields}) for entry in record["shards"])
        same = record_of(shards, counts) == record
    except (KeyError, TypeError, ValueError):
        same = False
    if not same:
        raise SproutError(f"{out}: holds something other than these shards merged; choose another folder, or delete it")
    return Merged(out, next(iter(shards.values())), counts)
