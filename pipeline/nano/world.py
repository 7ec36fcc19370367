"""Nano's world: families of small tasks, each with many phrasings and any number of worked examples."""

from random import Random

from pipeline.nano.draft import Draft, Family, instruction
from pipeline.nano.lists import LISTS
from pipeline.nano.lookups import LOOKUPS
from pipeline.nano.numbers import NUMERIC
from pipeline.nano.records import RECORDS
from pipeline.nano.sentences import SENTENCES
from pipeline.task import Instance, Task

FAMILIES: dict[str, Family] = {family.__name__: family for family in [*LISTS, *NUMERIC, *LOOKUPS, *SENTENCES, *RECORDS]}
OPEN = {"example_of", "about"}  # several answers are right, so they cannot serve to evaluate
LABELLED = [name for name, family in FAMILIES.items() if family(Random(0)).is_classification]
# Families with a seed task: every other one of each kind. The rest have none.
SEEDED = sorted(LABELLED)[::2] + sorted(FAMILIES.keys() - set(LABELLED))[::2]


def write(family: str, r: Random, num_instances: int) -> Task:
    """A task of this family with up to `num_instances` different worked examples."""
    draft = FAMILIES[family](r)
    text = instruction(draft, r)
    return Task(
        id="", name=family, instruction=text, is_classification=draft.is_classification,
        instances=instances(draft, r, num_instances),
    )  # fmt: skip


def instances(draft: Draft, r: Random, most: int) -> tuple[Instance, ...]:
    """Worked examples without a repeated input; a task without input has one."""
    found: dict[str, Instance] = {}
    for _ in range(most if draft.given else 1):
        given, made = draft.make(r)
        found.setdefault(given, Instance(input=given, output=made))
    return tuple(found.values())
