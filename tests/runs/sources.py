"""A toy that reads a user's notes and datasets, and the runs in which it does so."""

import hashlib
import json
import re
from pathlib import Path

from pipeline import Completion, Request
from pipeline.engines.scripted import Scripted
from pipeline.stages import Documents, Filter, Instances, Instructions, Mix
from tests.conftest import answer

KINDS = ("question", "extractive", "yes_no", "multiple_choice", "topic", "half")


def write_sources(folder: Path) -> None:
    """The notes and the two datasets that the runs name, for a run that is started in this folder."""
    (folder / "notes").mkdir()
    for n in range(9):
        text = "".join(
            f"## Part {k}\n\nIn the year {1000 + 37 * n + k} there was a flood. The mill {n} stood.\n\n"
            for k in range(3)
        )
        (folder / f"notes/{n}.md").write_text(text, encoding="utf-8")
    for name, count in (("one", 30), ("two", 20)):
        rows = [
            {"instruction": f"Name the {name} number {n} of {n * n}.", "input": "", "output": f"{n}"}
            for n in range(count)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def reads(request: Request) -> str | Completion:
    """A task about the passage, often one that is rejected."""
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
    if "Passage:" not in prompt:
        return "And the water went down. All was well." if prompt.startswith("## Part") else answer(request)
    passage = prompt.rpartition("Passage:\n")[2].partition("\n\nQuestion:")[0]
    year = re.search(r"\d{4}", passage)[0]
    noise = hashlib.sha256(f"{prompt}{request.sampling.seed}".encode()).digest()[0] % 8
    if noise == 7:
        return Completion(id=request.id, text=f" When was it, {year}", finish_reason="length")
    return {
        0: f" When was the flood of {year}?\nAnswer: {year}", 1: f" Was there a flood in {year}?\nAnswer: Yes",
        2: f" Which year?\nA. {year}\nB. 1999\nAnswer: A", 3: f" What fell in {year}?\nAnswer: snow", 4: " I see.",
        5: f" How was {year}?\nA. wet\nB. dry\nAnswer: wet", 6: f" Say {year} aloud.\nAnswer: {year}",
    }[noise]  # fmt: skip


def toy(window: int = 8) -> Scripted:
    return Scripted(reads, window=window)


def documents():
    return [Documents(files="notes", kinds=KINDS, min_words=5), Filter()]


def novel():
    return [
        Instructions(num_tasks=6, window=4),
        Documents(files="notes", min_words=5, max_rouge=0.8),
        Instances(),
        Filter(),
    ]


def mixed():
    return [
        Mix(datasets={"one": {"path": "one.jsonl", "share": 2}, "two": {"path": "two.jsonl", "share": 1}}),
        Filter(),
    ]


def all_of_them():
    caps = {"one": {"path": "one.jsonl", "max_tasks": 9}, "two": "two.jsonl"}
    few = Documents(files="notes", kinds=("extractive", "topic"), min_words=5, max_passages=9)
    return [Instructions(num_tasks=6, window=4), Mix(datasets=caps, max_rouge=0.9), few, Instances(), Filter()]


RUNS = {"documents": documents, "novel": novel, "mix": mixed, "all": all_of_them}
