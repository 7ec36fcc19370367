"""What the files of a run say, read as a stream: figures over all tasks, and as many whole tasks as a page can hold."""

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.dataset.quality import Quality, read_quality
from pipeline.engines.model_folder import TRAIN_RECORD
from pipeline.gain.record import FILE as GAIN
from pipeline.novelty import Nearest
from pipeline.novelty.rouge import MAX_ROUGE, RougeIndex
from pipeline.report.verbs import HEURISTIC, Finder, finder, guess
from pipeline.runs.budget import Prices, read_prices
from pipeline.runs.files import stage_files
from pipeline.runs.journal import Usage
from pipeline.runs.products import read_record
from pipeline.runs.remarks import read_remarks
from pipeline.runs.reviews import STAGE, Reviews
from pipeline.runs.settings import read_settings
from pipeline.runs.shards import usage
from pipeline.runs.store import whole_lines
from pipeline.task import Task, read_task
from pipeline.text import mend, one_line

MAX_TASKS = 20_000  # of a larger run, the page holds a sample of about as many
MAX_COMPARED = 2_000  # tasks whose closest text is searched for
MAX_LABEL = 60  # characters of a label that are told apart


class Life(NamedTuple):
    """A task as the last stage that decided it left it."""

    task: Task
    stage: str


@dataclass
class Kept:
    """Figures over the tasks that the last stage kept."""

    tasks: int = 0
    instances: int = 0
    empty_inputs: int = 0
    classification: int = 0
    mixed: int = 0  # classification tasks with two instances or more whose labels are not all the same
    several: int = 0  # classification tasks with two instances or more
    words: dict[str, Counter[int]] = field(
        default_factory=lambda: {p: Counter() for p in ("instruction", "input", "output")}
    )
    labels: Counter[str] = field(default_factory=Counter)
    verbs: Counter[tuple[str, str]] = field(default_factory=Counter)  # (verb, noun); the noun is "" where there is none
    verbless: int = 0


@dataclass
class RunRecord:
    """All that a page of a run is made from."""

    folder: Path
    settings: dict[str, dict[str, Any]]
    stages: list[str]
    seeds: Sequence[Task] = ()
    find_pair: Finder = guess  # the verb of an instruction and its noun
    method: str = HEURISTIC
    funnel: dict[str, Counter[str]] = field(default_factory=dict)
    decided: "array[int]" = field(default_factory=lambda: array("q"))  # by request of `instructions`
    accepted: "array[int]" = field(default_factory=lambda: array("q"))
    rejected_rouge: "array[float]" = field(default_factory=lambda: array("d"))
    kept_rouge: dict[str, Nearest] = field(default_factory=dict)  # by id: the closest text kept before, or seed
    seed_rouge: dict[str, float] = field(default_factory=dict)  # by id: the closest seed
    kept: Kept = field(default_factory=Kept)
    marks: dict[str, Sequence[str]] = field(default_factory=dict)  # by id: what people said of it, a few words each
    lives: list[Life] = field(default_factory=list)  # in the order of the last stage, then of those before
    candidates: int = 0  # tasks there are in all
    usage: dict[str, Usage] = field(default_factory=dict)
    training: dict[str, dict[str, Any]] = field(default_factory=dict)
    evaluation: dict[str, dict[str, Any]] = field(default_factory=dict)
    gain: list[dict[str, Any]] = field(default_factory=list)  # its rows: a model each, with intervals
    prices: Prices = field(default_factory=Prices)
    remarks: Mapping[str, str] = field(default_factory=dict)  # what stages say of how they ended
    quality: Quality | None = None  # what people found in a sample

    @property
    def sampled(self) -> bool:
        return len(self.lives) < self.candidates

    @property
    def max_rouge(self) -> float:
        return float(self.settings.get(self.writer, {}).get("max_rouge") or MAX_ROUGE)

    @property
    def writer(self) -> str:
        """The stage whose pool grew: the first with a limit of ROUGE-L, else the first of all."""
        return next((name for name in self.stages if self.settings.get(name, {}).get("max_rouge")), self.stages[0])

    @property
    def model(self) -> str:
        return str(next((one["model"] for one in self.settings.values() if one.get("model")), ""))


def read_run(folder: Path, seeds: Sequence[Task] = (), max_tasks: int = MAX_TASKS) -> RunRecord:
    """Read all files of a run, each of them once.

    Raises:
        SproutError: if the folder holds no stage file, or a file that is damaged.
    """
    files = stage_files(folder)
    record = RunRecord(folder, read_settings(folder / "settings.json"), list(files), seeds)
    lines = {stage: _count_lines(path) for stage, path in files.items()}
    share = max_tasks / max(*lines.values(), 1)
    record.find_pair, record.method = finder(lines[record.stages[-1]])
    seen: set[str] = set()
    reviews, dropped = Reviews(folder), Counter[str]()
    # The last file first: a task belongs to the last stage that decided it.
    for stage, path in reversed(files.items()):
        counts: Counter[str] = Counter()
        for task in read_whole(path):
            counts[task.rejected or "kept"] += 1
            if task.id not in seen:
                seen.add(task.id)
                decided_by = stage
                if task.kept and stage == record.stages[-1] and task.id in reviews.by_task:
                    state = reviews.of(task)
                    task, record.marks[task.id] = state.result, state.marks
                    if task.rejected:
                        dropped[task.rejected] += 1
                        decided_by = STAGE
                if chosen(task.id, share):
                    record.lives.append(Life(task, decided_by))
                if stage == record.stages[-1] and task.kept:
                    _count(task, record.kept, record.find_pair)
        record.funnel[stage] = counts
    record.funnel = {stage: record.funnel[stage] for stage in files}
    if dropped:
        record.funnel[STAGE] = dropped + Counter(kept=record.kept.tasks)
    record.quality = read_quality(folder)
    record.candidates = len(seen)
    _read_writer(record, files[record.writer], lines[record.writer])
    _read_products(record)
    return record


def read_whole(path: Path) -> Iterator[Task]:
    """The tasks of a file, one at a time; a line that is being written is not one yet."""
    return (read_task(line, f"{path}:{number}") for number, _, line in whole_lines(path))


def chosen(id: str, share: float) -> bool:
    """Whether a task is in a sample of this share; always the same ones, whatever else there is."""
    return (
        share >= 1 or int.from_bytes(hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()[:6]) < share * 2**48
    )


def _count(task: Task, kept: Kept, find_pair: Finder) -> None:
    kept.tasks += 1
    kept.words["instruction"][_num_words(task.instruction)] += 1
    for instance in task.instances:
        kept.instances += 1
        kept.empty_inputs += not instance.input
        kept.words["output"][_num_words(instance.output)] += 1
        if instance.input:
            kept.words["input"][_num_words(instance.input)] += 1
    if task.is_classification:
        kept.classification += 1
        labels = [one_line(mend(instance.output))[:MAX_LABEL] for instance in task.instances]
        kept.labels.update(labels)
        kept.several += len(labels) > 1
        kept.mixed += len(set(labels)) > 1
    if found := find_pair(task.instruction):
        kept.verbs[found] += 1
    else:
        kept.verbless += 1


def _read_writer(record: RunRecord, path: Path, lines: int) -> None:
    """How the pool grew, and how close each candidate is to what was there before it."""
    share = MAX_COMPARED / max(1, record.funnel[record.writer]["kept"])
    pool = RougeIndex(seed.instruction for seed in record.seeds)
    seeds = RougeIndex(seed.instruction for seed in record.seeds)
    share = min(share, 2e7 / max(1, lines) ** 1.5) if lines > 50_000 else share  # a search looks at the whole pool
    for task in read_whole(path):
        number = task.meta.get("request")
        if isinstance(number, int) and 0 <= number < 10_000_000:
            record.decided.extend([0] * (number + 1 - len(record.decided)))
            record.accepted.extend([0] * (number + 1 - len(record.accepted)))
            record.decided[number] += 1
            record.accepted[number] += task.kept
        if task.kept:
            if chosen(task.id, share):
                record.kept_rouge[task.id] = pool.closest(task.instruction)
                if record.seeds:
                    record.seed_rouge[task.id] = seeds.closest(task.instruction).score
            pool.add(task.instruction)
        elif "rouge_l" in task.scores and math.isfinite(task.scores["rouge_l"]):
            record.rejected_rouge.append(task.scores["rouge_l"])


def _read_products(record: RunRecord) -> None:
    folder = record.folder
    record.usage = usage(folder)
    for path in sorted(folder.glob(f"*/{TRAIN_RECORD}")):
        if found := read_record(path):
            record.training[path.parent.name] = found
    record.evaluation = read_record(folder / "evaluation.json")
    record.gain = [row for row in read_record(folder / GAIN).get("rows", []) if "rouge_l" in row]
    record.prices = read_prices(folder)
    record.remarks = read_remarks(folder)


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _num_words(text: str) -> int:
    return len(text.split())
