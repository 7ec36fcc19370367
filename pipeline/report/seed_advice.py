"""What seeds lack, in sentences: what keeps a stage from its work comes first, what costs variety last."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.novelty.rouge import MAX_ROUGE
from pipeline.novelty.tokens import count_words
from pipeline.report.seed_figures import Checked, Duplicates
from pipeline.seeds.kinds import looks_like_classification
from pipeline.stage import Stage
from pipeline.task import Task
from pipeline.text import first_few

CONTEXT = 4096  # tokens; few models take less by now
MANY_WORDS = 5  # in a label


def advice(found: Checked, tasks: Sequence[Task], stages: Sequence[Stage]) -> list[str]:
    """Of the figures that `check` has found, and what each stage says of the seeds; the most urgent first."""
    return [
        *_of_kinds(found, tasks),
        *_of_prompts(found, tasks),
        *_of_twins(found.duplicates),
        *_of_labels(found.labels.by_task, tasks),
        *(said for stage in stages for said in stage.check_seeds(tasks)),
        *_of_variety(found, tasks),
    ]


def _of_kinds(found: Checked, tasks: Sequence[Task]) -> Iterator[str]:
    inferred = {task.id for task in found.inferred}
    if inferred:
        yield (
            f"add the field is_classification (true or false) to tasks that are taken wrongly above; "
            f"{len(inferred):,} lack it"
        )
    others = [task for task in tasks if not task.is_classification and task.id not in inferred]
    if odd := [task.id for task in others if looks_like_classification(task)]:
        yield f"marked as not classification, though the outputs look like labels: {first_few(odd)}; check these"
    labelled = [task for task in tasks if task.is_classification]
    if odd := [task.id for task in labelled if any(count_words(i.output) > MANY_WORDS for i in task.instances)]:
        yield f"marked as classification, though an output has over {MANY_WORDS} words: {first_few(odd)}; check these"


def _of_prompts(found: Checked, tasks: Sequence[Task]) -> Iterator[str]:
    longest = max(tasks, key=lambda task: len(task.model_dump_json()))
    for name, size in found.prompts.items():
        if (needed := size.prompt + size.completion) > CONTEXT:
            yield (
                f"a prompt of {name} takes about {needed:,} tokens with its answer, more than a context of "
                f"{CONTEXT:,}; shorten the longest seeds (first {longest.id}), or lower {size.shortened_by}"
            )


def times(ids: Sequence[str]) -> list[str]:
    """Each id once, with how often it is there: a task has all rows of its instruction, and the line of the first."""
    return [f"{id} ({count} times)" if count > 1 else id for id, count in Counter(ids).items()]


def _of_twins(duplicates: Duplicates) -> Iterator[str]:
    for name, same in (("instruction", duplicates.same_instruction), ("instance", duplicates.same_instance)):
        if same:
            twins = first_few([" and ".join(times(ids)) for ids in same])
            yield f"the same {name} is there twice: {twins}; keep one of each"
    group = {id: number for number, ids in enumerate(duplicates.same_instruction) for id in ids}
    pairs = (near.ids for near in duplicates.near)
    near = [ids for ids in pairs if group.get(ids[0], -1) != group.get(ids[1], -2)]
    if near:
        yield (
            f"nearly alike, so that one would not count as new beside the other (ROUGE-L above "
            f"{MAX_ROUGE}): {first_few([' and '.join(ids) for ids in near])}; replace one of each"
        )


def _of_labels(counts: dict[str, dict[str, int]], tasks: Sequence[Task]) -> Iterator[str]:
    if same := [id for id, labels in counts.items() if len(labels) == 1]:
        yield f"all instances of a task have the same label: {first_few(same)}; add instances with its other labels"
    if skewed := [id for id, labels in counts.items() if max(labels.values()) > 3 * min(labels.values())]:
        yield f"a label is more than three times as frequent as another: {first_few(skewed)}; even them out"
    outputs = [i.output.strip(" .").casefold() for task in tasks if task.is_classification for i in task.instances]
    for pair in (("yes", "no"), ("true", "false")):
        few, many = sorted(pair, key=outputs.count)
        if outputs.count(many) >= 4 and outputs.count(many) > 3 * outputs.count(few):
            yield f"{outputs.count(many)} outputs are {many} and {outputs.count(few)} {few}; even them out"


def _of_variety(found: Checked, tasks: Sequence[Task]) -> Iterator[str]:
    num_inputs = found.coverage.with_input
    if num_inputs < len(tasks) / 5:
        yield f"only {num_inputs} of {len(tasks)} tasks have an input, so few new tasks will have one; add some"
    verb, count = next(iter(found.coverage.verbs.most.items()), ("", 0))
    if len(tasks) >= 10 and count > 0.2 * len(tasks):
        yield f"{count} of {len(tasks)} instructions have the verb {verb!r}; vary what you ask for"
    if odd := [f"{id} ({reason})" for id, reason in found.rejected.items() if reason != "starts_non_ascii"]:
        yield f"the filters would reject tasks like these, which prompts show as demos: {first_few(odd)}; change them"
