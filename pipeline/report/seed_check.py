"""What a seed file holds, how varied it is, and what it lacks: `sprout seeds check`."""

import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError
from pipeline.novelty.rouge import MAX_ROUGE, RougeIndex
from pipeline.novelty.tokens import count_words
from pipeline.report.seed_advice import advice
from pipeline.report.seed_figures import (
    Checked,
    Duplicates,
    Inferred,
    Labels,
    Near,
    NearestScores,
    PromptSize,
    SeedCoverage,
    Verbs,
    WordCounts,
)
from pipeline.report.verbs import finder
from pipeline.seeds.read import load_seeds
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from pipeline.stage import Stage
from pipeline.task import Task
from pipeline.text import folded

MAX_COMPARED = 2_000  # tasks; of more, a sample of half as many is compared with all others
BINS = (0.0, 0.2, 0.4, 0.6, 0.7, 1.0)


def check(path: Path | str) -> Checked:
    """Read a seed file and say what it holds.

    Raises:
        SproutError: for a file that cannot be used, as `read_seeds` does.
    """
    seeds = load_seeds(path)
    if not seeds.tasks:
        raise SproutError(f"{path}: there are no seeds to check; give a file of them")
    names = {id: place(where, str(path)) for id, where in seeds.places.items()}  # what a reader can find
    tasks = [task.update(id=names.get(task.id, task.id)) for task in seeds.tasks]
    unstated = {names.get(id, id) for id in seeds.inferred}
    stages = [stage for stage in build_stages(read(None)) if isinstance(stage, Stage)]
    found = Checked(
        path=str(path),
        format=seeds.format,
        notes=list(seeds.notes),
        tasks=len(tasks),
        instances=sum(len(task.instances) for task in tasks),
        inferred=[inferred(task) for task in tasks if task.id in unstated],
        duplicates=duplicates(tasks),
        coverage=coverage(tasks),
        labels=labels(tasks),
        rejected=rejected(tasks, stages),
        prompts=dict(prompt_sizes(tasks, stages)),
    )
    return found.model_copy(update={"advice": advice(found, tasks, stages)})


def inferred(task: Task) -> Inferred:
    outputs = [*dict.fromkeys(instance.output for instance in task.instances)]
    return Inferred(id=task.id, is_classification=task.is_classification, instruction=task.instruction, outputs=outputs)


def place(where: str, path: str) -> str:
    """`path:7` as "line 7"."""
    short = where.removeprefix(path).lstrip(": ")
    return f"line {short}" if short[:1].isdigit() else short


def duplicates(tasks: Sequence[Task]) -> Duplicates:
    by_instruction = grouped((folded(task.instruction), task.id) for task in tasks)
    by_instance = grouped(((i.input.strip(), i.output.strip()), task.id) for task in tasks for i in task.instances)
    scores, close = neighbours(tasks)
    return Duplicates(
        same_instruction=[ids for ids in by_instruction.values() if len(ids) > 1],
        same_instance=[
            ids for (given, _), ids in by_instance.items() if len(ids) > len({*ids}) or (given and len(ids) > 1)
        ],
        near=[Near(ids=ids, rouge_l=round(score, 4)) for ids, score in close],
        nearest=NearestScores(
            compared=len(scores),
            sampled=len(scores) < len(tasks),
            mean=round(statistics.fmean(scores), 4),
            max=round(max(scores + [score for _, score in close]), 4),
            bins={
                f"{low:.1f} to {high:.1f}": sum(low < score <= high or score == low == 0 for score in scores)
                for low, high in pairwise(BINS)
            },
        ),
    )


def grouped(pairs: Iterable[tuple[Any, str]]) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for key, id in pairs:
        found.setdefault(key, []).append(id)
    return found


Pairs = list[tuple[tuple[str, str], float]]  # the ids of two tasks, and the ROUGE-L of their instructions


def neighbours(tasks: Sequence[Task]) -> tuple[list[float], Pairs]:
    """The ROUGE-L of each instruction to the closest other one, and the pairs above `MAX_ROUGE`, closest first.

    Of several seeds that are all alike, each is paired with the closest before it and the closest behind it. Of more
    than `MAX_COMPARED` tasks, the first figures are of a sample, and each that is close to an earlier one is paired
    with one of those, so that the time grows with their number and not with its square.
    """
    if len(tasks) <= MAX_COMPARED:
        return _all_neighbours(tasks)
    step = -(-2 * len(tasks) // MAX_COMPARED)
    sample = tasks[::step]
    others = RougeIndex(task.instruction for number, task in enumerate(tasks) if number % step)
    scores, _ = _all_neighbours(sample)
    scores = [max(score, others.closest(task.instruction).score) for score, task in zip(scores, sample, strict=True)]
    return scores, _twins(tasks)


def _all_neighbours(tasks: Sequence[Task]) -> tuple[list[float], Pairs]:
    nearest = [0.0] * len(tasks)
    close: dict[tuple[int, int], float] = {}
    for order in (range(len(tasks)), range(len(tasks) - 1, -1, -1)):
        index, places = RougeIndex(), dict[str, int]()
        for place in order:
            text = tasks[place].instruction
            score, other = index.closest(text)
            nearest[place] = max(nearest[place], score)
            if other is not None and score > MAX_ROUGE:
                first, second = sorted((place, places[other]))
                close[first, second] = score
            index.add(text)
            places[text] = place
    return nearest, _closest_first(tasks, close)


def _twins(tasks: Sequence[Task]) -> Pairs:
    """Each task that is close to an earlier one, with that; one that has such a pair stands for no later one."""
    index, places = RougeIndex(max_rouge=MAX_ROUGE), dict[str, int]()
    close: dict[tuple[int, int], float] = {}
    for place, task in enumerate(tasks):
        score, other = index.nearest(task.instruction)
        if other is None:
            index.add(task.instruction)
            places[task.instruction] = place
        else:
            close[places[other], place] = score
    return _closest_first(tasks, close)


def _closest_first(tasks: Sequence[Task], close: dict[tuple[int, int], float]) -> Pairs:
    pairs = sorted(close.items(), key=lambda pair: (-pair[1], pair[0]))
    return [((tasks[first].id, tasks[second].id), score) for (first, second), score in pairs]


def coverage(tasks: Sequence[Task]) -> SeedCoverage:
    find, method = finder(len(tasks))
    pairs = [find(task.instruction) for task in tasks]
    verbs = Counter(pair[0] for pair in pairs if pair)
    instances = [instance for task in tasks for instance in task.instances]
    return SeedCoverage(
        verbs=Verbs(
            distinct=len(verbs),
            pairs=len({pair for pair in pairs if pair}),
            none=pairs.count(None),
            most=dict(verbs.most_common(8)),
            method=method,
        ),
        words={
            "instruction": spread(count_words(task.instruction) for task in tasks),
            "input": spread(count_words(instance.input) for instance in instances if instance.input.strip()),
            "output": spread(count_words(instance.output) for instance in instances),
        },
        with_input=sum(any(instance.input.strip() for instance in task.instances) for task in tasks),
        instances={str(n): k for n, k in sorted(Counter(len(task.instances) for task in tasks).items())},
        scripts=dict(Counter(script(task.instruction) for task in tasks).most_common()),
    )


def spread(values: Iterable[int]) -> WordCounts | None:
    ordered = sorted(values)
    if not ordered:
        return None
    return WordCounts(least=ordered[0], median=statistics.median(ordered), most=ordered[-1])


def script(text: str) -> str:
    """The script most letters are in, by their Unicode names: Latin, Cyrillic, CJK."""
    names = Counter(unicodedata.name(char, "?").split()[0].split("-")[0] for char in text if char.isalpha())
    name = max(names, key=lambda one: names[one], default="none")
    return name if name == "CJK" else name.capitalize()


def labels(tasks: Sequence[Task]) -> Labels:
    chosen = [task for task in tasks if task.is_classification]
    counts = {task.id: Counter(i.output.strip() for i in task.instances) for task in chosen if task.instances}
    every = Counter(i.output.strip().casefold() for task in chosen for i in task.instances)
    return Labels(
        tasks=len(chosen),
        share=round(len(chosen) / len(tasks), 4),
        by_task={id: dict(one.most_common()) for id, one in counts.items() if one.total() > 1},
        most=dict(every.most_common(8)),
        distinct=len(every),
        once=sum(n == 1 for n in every.values()),
    )


def rejected(tasks: Sequence[Task], stages: Sequence[Stage]) -> dict[str, str]:
    """The reasons for which the stages would reject seeds if the model had written them."""
    found = {task.id: next(filter(None, (stage.objection(task) for stage in stages)), None) for task in tasks}
    return {id: reason for id, reason in found.items() if reason}


def prompt_sizes(tasks: Sequence[Task], stages: Sequence[Stage]) -> Iterator[tuple[str, PromptSize]]:
    """The longest prompt of each kind, with default settings and the longest seed for the task it asks about."""
    for stage in stages:
        for found in stage.longest_prompts(tasks):
            size = PromptSize(prompt=tokens(found.text), completion=found.max_tokens, shortened_by=found.shortened_by)
            yield found.kind, size


def tokens(text: str) -> int:
    num_ascii = len(text.encode("ascii", "ignore"))
    return -(-num_ascii // 4) + len(text) - num_ascii
