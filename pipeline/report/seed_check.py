"""What a seed file holds, how varied it is, and what it lacks: `sprout seeds check`."""

import reprlib
import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.filters.instructions import INSTRUCTION_FILTERS, first_reason
from pipeline.novelty.rouge import RougeIndex
from pipeline.novelty.tokens import count_words
from pipeline.report import words
from pipeline.report.seed_advice import advice, times
from pipeline.seeds.read import load_seeds
from pipeline.stages import Classify, Filter, Instances, Instructions
from pipeline.task import Task

MAX_ROUGE = 0.7  # as in the stage instructions: above it a new text would be rejected
MOST = 30  # of what is listed
BINS = (0.0, 0.2, 0.4, 0.6, 0.7, 1.0)


def check(path: Path | str) -> dict[str, Any]:
    """All figures of the seeds and, under `advice`, what to do about them, most urgent first.

    Raises:
        SproutError: for a file that cannot be used, as `read_seeds` does.
    """
    seeds = load_seeds(path)
    names = {id: place(where, str(path)) for id, where in seeds.places.items()}  # what a reader can find
    tasks = [task.update(id=names.get(task.id, task.id)) for task in seeds.tasks]
    inferred = {names.get(id, id) for id in seeds.inferred}
    found = {
        "path": str(path),
        "format": seeds.format,
        "notes": seeds.notes,
        "tasks": len(tasks),
        "instances": sum(len(task.instances) for task in tasks),
        "inferred": [
            {
                "id": task.id,
                "is_classification": task.is_classification,
                "instruction": task.instruction,
                "outputs": [*dict.fromkeys(i.output for i in task.instances)],
            }
            for task in tasks
            if task.id in inferred
        ],
        "duplicates": duplicates(tasks),
        "coverage": coverage(tasks),
        "labels": labels(tasks),
        "rejected": rejected(tasks),
        "prompts": prompts(tasks),
    }
    return found | {"advice": advice(found, tasks)}


def place(where: str, path: str) -> str:
    """`path:7` as "line 7"."""
    short = where.removeprefix(path).lstrip(": ")
    return f"line {short}" if short[:1].isdigit() else short


def duplicates(tasks: Sequence[Task]) -> dict[str, Any]:
    """What is there twice, and how close each instruction comes to another one."""
    by_instruction = grouped((" ".join(task.instruction.casefold().split()), task.id) for task in tasks)
    by_instance = grouped(((i.input.strip(), i.output.strip()), task.id) for task in tasks for i in task.instances)
    nearest, close = neighbours(tasks)
    return {
        "same_instruction": [ids for ids in by_instruction.values() if len(ids) > 1],
        "same_instance": [
            ids for (given, _), ids in by_instance.items() if len(ids) > len({*ids}) or (given and len(ids) > 1)
        ],
        "near": [{"ids": list(ids), "rouge_l": round(score, 4)} for ids, score in close],
        "nearest": {
            "mean": round(statistics.fmean(nearest), 4),
            "max": round(max(nearest), 4),
            "bins": {
                f"{low:.1f} to {high:.1f}": sum(low < one <= high or one == low == 0 for one in nearest)
                for low, high in pairwise(BINS)
            },
        },
    }


def grouped(pairs: Iterable[tuple[Any, str]]) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for key, id in pairs:
        found.setdefault(key, []).append(id)
    return found


def neighbours(tasks: Sequence[Task]) -> tuple[list[float], list[tuple[tuple[str, str], float]]]:
    """The ROUGE-L of each instruction to the closest other one, and the pairs above `MAX_ROUGE`, closest first.

    Of several seeds that are all alike, each is paired with the closest before it and the closest behind it.
    """
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
    pairs = sorted(close.items(), key=lambda one: (-one[1], one[0]))
    return nearest, [((tasks[first].id, tasks[second].id), score) for (first, second), score in pairs]


def coverage(tasks: Sequence[Task]) -> dict[str, Any]:
    find, method = words.finder(len(tasks))
    pairs = [find(task.instruction) for task in tasks]
    verbs = Counter(pair[0] for pair in pairs if pair)
    instances = [instance for task in tasks for instance in task.instances]
    with_input = [i for i in instances if i.input.strip()]
    return {
        "verbs": {
            "distinct": len(verbs),
            "pairs": len({pair for pair in pairs if pair}),
            "none": pairs.count(None),
            "most": dict(verbs.most_common(8)),
            "method": method,
        },
        "words": {
            "instruction": spread(count_words(task.instruction) for task in tasks),
            "input": spread(count_words(i.input) for i in with_input),
            "output": spread(count_words(i.output) for i in instances),
        },
        "with_input": sum(any(i.input.strip() for i in task.instances) for task in tasks),
        "instances": {str(n): k for n, k in sorted(Counter(len(task.instances) for task in tasks).items())},
        "scripts": dict(Counter(script(task.instruction) for task in tasks).most_common()),
    }


def spread(values: Iterable[int]) -> dict[str, float]:
    """In words; empty where there is nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {"least": ordered[0], "median": statistics.median(ordered), "most": ordered[-1]}


def script(text: str) -> str:
    """The script most letters are in, by their Unicode names: Latin, Cyrillic, CJK."""
    names = Counter(unicodedata.name(char, "?").split()[0].split("-")[0] for char in text if char.isalpha())
    name = max(names, key=lambda one: names[one], default="none")
    return name if name == "CJK" else name.capitalize()


def labels(tasks: Sequence[Task]) -> dict[str, Any]:
    """How often each output of the classification tasks occurs, in each and over all."""
    found = [task for task in tasks if task.is_classification and task.instances]
    counts = {task.id: Counter(i.output.strip() for i in task.instances) for task in found}
    every = sum((Counter({label.casefold(): n for label, n in one.items()}) for one in counts.values()), Counter[str]())
    return {
        "tasks": sum(bool(task.is_classification) for task in tasks),
        "share": round(sum(bool(task.is_classification) for task in tasks) / len(tasks), 4),
        "by_task": {id: dict(one.most_common()) for id, one in counts.items() if one.total() > 1},
        "most": dict(every.most_common(8)),
        "distinct": len(every),
        "once": sum(n == 1 for n in every.values()),
    }


def rejected(tasks: Sequence[Task]) -> dict[str, str]:
    """The reasons for which the stages instructions and filter would reject seeds if the model had written them."""
    found = {
        task.id: first_reason(task, INSTRUCTION_FILTERS) or (Filter().judge(task).rejected if task.instances else None)
        for task in tasks
    }
    return {id: reason for id, reason in found.items() if reason}


def prompts(tasks: Sequence[Task]) -> dict[str, dict[str, int]]:
    """The longest prompt of each kind, with default settings and the longest seed for the task it asks about.

    In tokens, taken as 4 ASCII characters or 1 other each; and how many the completion may add.
    """
    longest = sorted(tasks, key=lambda task: -len(task.instruction))
    instructions, classify, instances = Instructions(), Classify(), Instances()
    most = longest[: instructions.num_demos]
    found = {"instructions": (instructions.prompt(most), instructions.sampling.max_tokens)}
    if len({task.is_classification for task in tasks}) > 1:
        found["classify"] = (classify.prompts(classify.demos(tasks))(longest[0]), classify.sampling.max_tokens)
    for kind, name in ((False, "instances, input first"), (True, "instances, output first")):
        if demos := instances.demos(tasks, kind):
            prompt = instances.prompts({kind: demos, not kind: ()})(longest[0].update(is_classification=kind))
            found[name] = (prompt, instances.sampling.max_tokens)
    return {name: {"prompt": tokens(prompt), "completion": room} for name, (prompt, room) in found.items()}


def tokens(text: str) -> int:
    num_ascii = len(text.encode("ascii", "ignore"))
    return -(-num_ascii // 4) + len(text) - num_ascii


def show(found: dict[str, Any]) -> str:
    """The figures as text; of long lists the first `MOST`."""
    blocks = [_numbers(found), _novelty(found["duplicates"]), _labels(found["labels"]), _inferred(found["inferred"])]
    prompts = [row(f"  {name}", f"{n['prompt']:,} + {n['completion']:,}") for name, n in found["prompts"].items()]
    blocks.append(["longest prompts, in tokens of 4 characters, and what the answer may add:", *prompts])
    reasons = grouped((reason, id) for id, reason in found["rejected"].items())
    odd = [row(f"  {reason}", ", ".join(first(ids))) for reason, ids in reasons.items()]
    blocks.append(["would be rejected if a model had written them:", *odd] if odd else [])
    steps = [f"{number}. {text}" for number, text in enumerate(found["advice"], 1)]
    blocks.append(["what to do:", *steps] if steps else ["Nothing is missing."])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _numbers(found: dict[str, Any]) -> list[str]:
    labels, cover = found["labels"], found["coverage"]
    verbs, scripts = cover["verbs"], cover["scripts"]
    return [
        f"{found['path']}: {found['format']}, {found['tasks']:,} tasks, {found['instances']:,} instances",
        *(f"  {note}" for note in found["notes"]),
        row("classification", f"{labels['tasks']:,} of {found['tasks']:,} ({labels['share']:.0%})"),
        row("with an input", f"{cover['with_input']:,} of {found['tasks']:,}"),
        row("instances in a task", ", ".join(f"{n} in {count:,}" for n, count in cover["instances"].items())),
        *(row(f"words, {name}", stretch(values)) for name, values in cover["words"].items() if values),
        row("verbs", f"{verbs['distinct']:,}, with their nouns {verbs['pairs']:,} ({listed(verbs['most'])})"),
        row("no verb found", f"{verbs['none']:,}"),
        *([row("scripts", listed(scripts))] if [*scripts] != ["Latin"] else []),
    ]


def _novelty(found: dict[str, Any]) -> list[str]:
    nearest = found["nearest"]
    return [
        row("ROUGE-L to the nearest", f"mean {nearest['mean']:.2f}, highest {nearest['max']:.2f}"),
        *(row(f"  {name}", f"{count:,}") for name, count in nearest["bins"].items()),
        *first([row("same instruction", ", ".join(first(ids))) for ids in found["same_instruction"]]),
        *first([row("same instance", ", ".join(first(times(ids)))) for ids in found["same_instance"]]),
        *first([row(f"ROUGE-L {one['rouge_l']:.2f}", " and ".join(one["ids"])) for one in found["near"]]),
    ]


def _labels(found: dict[str, Any]) -> list[str]:
    if not found["distinct"]:
        return []
    uneven = [
        row(f"  {id}", listed(counts))
        for id, counts in found["by_task"].items()
        if len({*counts.values()}) > 1 or len(counts) == 1
    ]
    even = len(found["by_task"]) - len(uneven)
    return [
        row("labels", f"{found['distinct']:,}, seen once {found['once']:,} ({listed(found['most'])})"),
        row("  evenly used", f"in {even:,} of {len(found['by_task']):,} tasks with several instances"),
        *first(uneven),
    ]


def _inferred(found: Sequence[dict[str, Any]]) -> list[str]:
    if not found:
        return []
    chosen = [
        f"  {one['id']}  {short(one['instruction'], 80)}  [{short(', '.join(one['outputs']), 40)}]"
        for one in found
        if one["is_classification"]
    ]
    others = f"taken as not classification: {len(found) - len(chosen):,} others"
    return ["taken as classification, which is not stated:", *first(chosen or ["  none"]), others]


def first(texts: Sequence[str]) -> list[str]:
    more = [f"and {len(texts) - MOST:,} more"] if len(texts) > MOST else []
    return [*texts[:MOST], *more]


def row(name: str, cell: str) -> str:
    return f"{name:<24}  {cell}"


def listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{reprlib.repr(name)[1:-1]}: {count:,}" for name, count in counts.items())


def stretch(values: dict[str, float]) -> str:
    return f"{values['least']:,} to {values['most']:,}, median {values['median']:,.0f}"


def short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"
