"""The figures and the advice of `sprout seeds check` as text."""

import reprlib
from collections.abc import Mapping, Sequence

from pipeline.report.seed_advice import times
from pipeline.report.seed_check import grouped
from pipeline.report.seed_figures import Checked, Duplicates, Inferred, Labels, WordCounts
from pipeline.text import counted, short

MOST = 30  # of what is listed


def show(found: Checked) -> str:
    """The figures as text; of long lists the first `MOST`."""
    blocks = [_numbers(found), _novelty(found.duplicates), _labels(found.labels), _inferred(found.inferred)]
    sizes = [row(f"  {name}", f"{size.prompt:,} + {size.completion:,}") for name, size in found.prompts.items()]
    blocks.append(["longest prompts and the most an answer may add, in tokens of about 4 characters:", *sizes])
    reasons = grouped((reason, id) for id, reason in found.rejected.items())
    odd = [row(f"  {reason}", ", ".join(first(ids))) for reason, ids in reasons.items()]
    blocks.append(["would be rejected if a model had written them:", *odd] if odd else [])
    steps = [f"{number}. {text}" for number, text in enumerate(found.advice, 1)]
    blocks.append(["what to do:", *steps] if steps else ["Nothing is missing."])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _numbers(found: Checked) -> list[str]:
    labels, cover = found.labels, found.coverage
    verbs, scripts = cover.verbs, cover.scripts
    return [
        f"{found.path}: {found.format}, {counted(found.tasks, 'task')}, {counted(found.instances, 'instance')}",
        *(f"  {note}" for note in found.notes),
        row("classification", f"{labels.tasks:,} of {found.tasks:,} ({labels.share:.0%})"),
        row("with an input", f"{cover.with_input:,} of {found.tasks:,}"),
        row("instances per task", ", ".join(f"{n} in {count:,}" for n, count in cover.instances.items())),
        *(row(f"words, {name}", stretch(values)) for name, values in cover.words.items() if values),
        row("verbs", f"{verbs.distinct:,}, with their nouns {verbs.pairs:,} ({listed(verbs.most)})"),
        row("no verb found", f"{verbs.none:,}"),
        *([row("scripts", listed(scripts))] if [*scripts] != ["Latin"] else []),
    ]


def _novelty(found: Duplicates) -> list[str]:
    nearest = found.nearest
    sample = f", of {nearest.compared:,} tasks" if nearest.sampled else ""
    return [
        row("ROUGE-L to the nearest", f"mean {nearest.mean:.2f}, highest {nearest.max:.2f}{sample}"),
        *(row(f"  {name}", f"{count:,}") for name, count in nearest.bins.items()),
        *first([row("same instruction", ", ".join(first(ids))) for ids in found.same_instruction]),
        *first([row("same instance", ", ".join(first(times(ids)))) for ids in found.same_instance]),
        *first([row(f"ROUGE-L {near.rouge_l:.2f}", " and ".join(near.ids)) for near in found.near]),
    ]


def _labels(found: Labels) -> list[str]:
    if not found.distinct:
        return []
    uneven = [
        row(f"  {id}", listed(counts))
        for id, counts in found.by_task.items()
        if len({*counts.values()}) > 1 or len(counts) == 1
    ]
    even = len(found.by_task) - len(uneven)
    return [
        row("labels", f"{found.distinct:,}, seen once {found.once:,} ({listed(found.most)})"),
        *(
            [row("  evenly used", f"in {even:,} of {len(found.by_task):,} tasks with several instances")]
            * bool(found.by_task)
        ),
        *first(uneven),
    ]


def _inferred(found: Sequence[Inferred]) -> list[str]:
    if not found:
        return []
    chosen = [
        f"  {task.id}  {short(task.instruction, 80)}  [{short(', '.join(task.outputs), 40)}]"
        for task in found
        if task.is_classification
    ]
    others = f"and taken not to be: {len(found) - len(chosen):,}"
    return [
        "taken to be classification, as the field is_classification is missing:",
        *first(chosen or ["  none"]),
        others,
    ]


def first(texts: Sequence[str]) -> list[str]:
    more = [f"and {len(texts) - MOST:,} more"] if len(texts) > MOST else []
    return [*texts[:MOST], *more]


def row(name: str, cell: str) -> str:
    return f"{name:<24}  {cell}"


def listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reprlib.repr(name)[1:-1]}: {count:,}" for name, count in counts.items())


def stretch(words: WordCounts) -> str:
    return f"{words.least:,} to {words.most:,}, median {words.median:,.0f}"
