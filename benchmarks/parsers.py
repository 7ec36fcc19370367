"""What two checkouts' parsers read of the same completions: python benchmarks/parsers.py OLD NEW COMPLETIONS...

OLD and NEW are checkouts; each file of completions is JSONL with a text in `raw_instances` or `metadata.response`, or
the `completions.sqlite` of a run. Each difference is printed, and how many there are.
"""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

Case = tuple[str, str, str, str]  # stage, instruction, text, how it ended


def main() -> None:
    old, new, *files = sys.argv[1:]
    cases = [case for file in files for case in dict.fromkeys(read(Path(file)))]
    given = json.dumps(cases)
    found = [json.loads(parse(Path(checkout), given)) for checkout in (old, new)]
    counts: Counter[str] = Counter()
    for (stage, instruction, text, _), before, after in zip(cases, *found, strict=True):
        counts[f"{stage}: completions"] += 1
        if before != after:
            counts[f"{stage}: read differently"] += 1
            print(f"--- {stage}: {instruction}\n{text}\n  before {before}\n  after  {after}")
    print("\n".join(f"{name} {count}" for name, count in sorted(counts.items())))


def read(file: Path) -> Iterator[Case]:
    """The completions of a file, each with the stage that asked for it."""
    if file.suffix == ".sqlite":
        yield from of_run(file)
        return
    for line in file.read_text().splitlines():
        record = json.loads(line)
        if (text := record.get("raw_instances")) is not None:
            instruction = record["instruction"].replace("|EoS|", "").strip()
            for kind in ("instances", "labels"):
                yield kind, instruction, text, "stop"
        elif text := record.get("metadata", {}).get("response"):
            for one in [text] if isinstance(text, str) else text:
                yield "instructions", "", one if isinstance(one, str) else json.dumps(one), "stop"


def of_run(file: Path) -> Iterator[Case]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as journal:
        for stage, prompt, text, ended in journal.execute(
            "select stage, prompt, text, finish_reason from completions order by arrived, rowid"
        ):
            if stage not in ("instructions", "classify", "instances"):
                continue
            instruction = prompt.rpartition("Task: ")[2].partition("\n")[0] if stage == "instances" else ""
            kind = "labels" if stage == "instances" and prompt.endswith("Class label:") else stage
            yield kind, instruction, text, ended


READ = """
import json, sys
from pipeline import Completion, Task
from pipeline.stages import classify
from pipeline.stages.instances import Instances
from pipeline.stages.instructions import Instructions
from pipeline.stages.filter import Filter

def answer(text):
    try:
        from pipeline.asking.verdicts import parse_yes_no as read
    except ImportError:
        from pipeline.stages.classify import parse_answer as read
    return read(text)

def parsed(stage, instruction, text, ended):
    completion = Completion(id="1", text=text, finish_reason=ended)
    if stage == "instructions":
        return [[task.instruction, task.rejected] for task in Instructions().parse(completion, (), 0)]
    if stage == "classify":
        return answer(text)
    task = Task(id="1", instruction=instruction, is_classification=stage == "labels")
    stage = Instances()
    found = stage.parse(task, completion) or (stage.whole(task, completion) if hasattr(stage, "whole") else ())
    return [[i.input, i.output] for i in found]

print(json.dumps([parsed(*case) for case in json.load(sys.stdin)]))
"""


def parse(checkout: Path, cases: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", READ]
    return subprocess.run(
        command, cwd=checkout, env=environment, input=cases, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


if __name__ == "__main__":
    main()
