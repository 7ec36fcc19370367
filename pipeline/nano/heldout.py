"""The held-out tasks and the seed tasks of nano, written to files once.

`python -m pipeline.nano.heldout` writes seed_tasks/nano.jsonl and the folder heldout/ beside this module, in the
file format of Super-NaturalInstructions. A held-out task belongs to a family without a seed, or has a wording that no seed
has; its instruction occurs in no pre-training document.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

from pipeline.asking.converse import question
from pipeline.nano.world import FAMILIES, OPEN, SEEDED, write
from pipeline.novelty.overlap import Overlap, OverlapIndex
from pipeline.task import Task

FOLDER = Path(__file__).parent / "heldout"
PHRASINGS = 2  # held-out tasks a family
INSTANCES = 4
MAX_OVERLAP = 0.5


@cache
def heldout_tasks() -> tuple[Task, ...]:
    r = Random("heldout")
    names = [name for name in FAMILIES if name not in OPEN for _ in range(PHRASINGS)]
    return tuple(write(name, r, INSTANCES) for name in names)


@cache
def heldout_instructions() -> frozenset[str]:
    return frozenset(task.instruction for task in heldout_tasks())


@cache
def seed_tasks() -> tuple[Task, ...]:
    """One task of each seeded family, with one worked example, as in the seed set of the paper.

    None shares half of its words with a held-out task, by the rule of `decontaminate`.
    """
    r = Random("seeds")
    heldout = OverlapIndex([question(task.instruction, i.input) for task in heldout_tasks() for i in task.instances])
    tasks: list[Task] = []
    for number, name in enumerate(SEEDED, 1):
        while (task := write(name, r, 1)).instruction in heldout_instructions():
            pass
        again = Random(f"seeds {name}")
        while max(found.share for found in overlaps(task, heldout)) > MAX_OVERLAP:
            task = write(name, again, 1)
        tasks.append(task.update(id=f"nano_{number:02}"))
    return tuple(tasks)


def overlaps(task: Task, heldout: OverlapIndex) -> Iterator[Overlap]:
    for instance in task.instances:
        prompt = question(task.instruction, instance.input)
        yield heldout.closest(f"{prompt}\n\n{instance.output}")
        yield heldout.same(prompt)


def super_ni(task: Task, name: str) -> dict[str, object]:
    """The task in the file format of Super-NaturalInstructions."""
    return {
        "Contributors": ["Sprout"], "Source": ["nano's world"], "Categories": [task.name],
        "Domains": ["seeded family" if task.name in SEEDED else "family no seed shows"],
        "Input_language": ["English"], "Output_language": ["English"], "Instruction_language": ["English"],
        "Definition": [task.instruction], "Positive Examples": [], "Negative Examples": [],
        "Instances": [
            {"id": f"{name}-{number}", "input": instance.input, "output": [instance.output]}
            for number, instance in enumerate(task.instances)
        ],
        "Instance License": ["Apache 2.0"],
    }  # fmt: skip


def main() -> None:
    (FOLDER / "tasks").mkdir(parents=True, exist_ok=True)
    (FOLDER / "splits" / "default").mkdir(parents=True, exist_ok=True)
    names = []
    for number, task in enumerate(heldout_tasks()):
        names.append(f"nano{number:03}_{task.name}")
        text = json.dumps(super_ni(task, names[-1]), indent=1, ensure_ascii=False)
        (FOLDER / "tasks" / f"{names[-1]}.json").write_text(text + "\n", encoding="utf-8")
    (FOLDER / "splits" / "default" / "test_tasks.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    seeds = Path(__file__).parents[2] / "seed_tasks" / "nano.jsonl"
    seeds.write_text(
        "".join(task.model_dump_json(exclude_defaults=True) + "\n" for task in seed_tasks()), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
