"""What seeds lack, in sentences: what keeps a stage from its work comes first, what costs variety last."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.novelty.tokens import count_words
from pipeline.report.seed_figures import Checked, Duplicates
from pipeline.seeds.kinds import looks_like_classification
from pipeline.stages import Classify, Instances, Instructions
from pipeline.task import Task

CONTEXT = 4096  # tokens; few models take less by now
FEW = 40  # seeds; of fewer, each is in more than 15 of 100 prompts
MANY_WORDS = 5  # in a label
SETTINGS = {
    "instructions": "instructions.num_demos",
    "classify": "classify.num_other_demos",
    "instances, input first": "instances.num_input_first_demos",
    "instances, output first": "instances.num_output_first_demos",
}  # what makes a prompt shorter


def advice(found: Checked, tasks: Sequence[Task]) -> list[str]:
    """Of the figures that `check` has found; the most urgent first."""
    return [
        *_of_kinds(found, tasks),
        *_of_prompts(found, tasks),
        *_of_twins(found.duplicates),
        *_of_labels(found.labels.by_task, tasks),
        *_of_numbers(tasks),
        *_of_variety(found, tasks),
    ]


def _of_kinds(found: Checked, tasks: Sequence[Task]) -> Iterator[str]:
    kinds = {task.is_classification for task in tasks}
    if len(kinds) == 1:
        yield (
            f"{'every' if True in kinds else 'no'} task is a classification: the stage classify then has nothing to "
            f"choose, all are taken as {'' if True in kinds else 'not '}classification; add some of the other kind"
        )
    inferred = {task.id for task in found.inferred}
    if inferred:
        yield (
            f"for {len(inferred):,} tasks it is not stated whether they are classification; look at those that are "
            f"taken so, and state it in a field is_classification where it is wrong"
        )
    others = [task for task in tasks if not task.is_classification and task.id not in inferred]
    if odd := [task.id for task in others if looks_like_classification(task)]:
        yield f"marked as not classification, though the outputs look like labels: {some(odd)}"
    labelled = [task for task in tasks if task.is_classification]
    if odd := [task.id for task in labelled if any(count_words(i.output) > MANY_WORDS for i in task.instances)]:
        yield f"marked as classification, though an output has more than {MANY_WORDS} words: {some(odd)}"


def _of_prompts(found: Checked, tasks: Sequence[Task]) -> Iterator[str]:
    longest = max(tasks, key=lambda task: len(task.model_dump_json()))
    for name, size in found.prompts.items():
        if (needed := size.prompt + size.completion) > CONTEXT:
            yield (
                f"a prompt of {name} takes about {needed:,} tokens with its answer, more than a context of "
                f"{CONTEXT:,}; shorten the longest seeds (first {longest.id}), or lower {SETTINGS[name]}"
            )
    most = Instances().max_instances
    if large := [task.id for task in tasks if len(task.instances) > most]:
        yield f"more than {most} instances, and each prompt that shows the task shows all of them: {some(large)}"


def times(ids: Sequence[str]) -> list[str]:
    """Each id once, with how often it is there: a task has all rows of its instruction, and the line of the first."""
    return [f"{id} ({count} times)" if count > 1 else id for id, count in Counter(ids).items()]


def _of_twins(duplicates: Duplicates) -> Iterator[str]:
    for name, same in (("instruction", duplicates.same_instruction), ("instance", duplicates.same_instance)):
        if same:
            twins = some([" and ".join(times(ids)) for ids in same])
            yield f"the same {name} is there twice: {twins}; keep one of each"
    group = {id: number for number, ids in enumerate(duplicates.same_instruction) for id in ids}
    pairs = (near.ids for near in duplicates.near)
    near = [ids for ids in pairs if group.get(ids[0], -1) != group.get(ids[1], -2)]
    if near:
        yield (
            f"nearly alike, so that one would not count as new beside the other (ROUGE-L above "
            f"{Instructions().max_rouge}): {some([' and '.join(ids) for ids in near])}; replace one of each"
        )


def _of_labels(counts: dict[str, dict[str, int]], tasks: Sequence[Task]) -> Iterator[str]:
    if same := [id for id, labels in counts.items() if len(labels) == 1]:
        yield f"all instances of a task have the same label: {some(same)}; show its other labels too"
    if skewed := [id for id, labels in counts.items() if max(labels.values()) > 3 * min(labels.values())]:
        yield f"a label is more than three times as frequent as another: {some(skewed)}; even them out"
    outputs = [i.output.strip(" .").casefold() for task in tasks if task.is_classification for i in task.instances]
    for pair in (("yes", "no"), ("true", "false")):
        few, many = sorted(pair, key=outputs.count)
        if outputs.count(many) >= 4 and outputs.count(many) > 3 * outputs.count(few):
            yield f"{outputs.count(many)} outputs are {many} and {outputs.count(few)} {few}; even them out"


def _of_numbers(tasks: Sequence[Task]) -> Iterator[str]:
    instructions, classify, instances = Instructions(), Classify(), Instances()
    later = instructions.num_demos - instructions.num_generated_demos
    if len(tasks) < FEW:
        yield (
            f"{len(tasks)} seeds, where the paper used 175: a prompt of instructions shows {instructions.num_demos}, "
            f"or {later} and {instructions.num_generated_demos} generated, so each seed is in "
            f"{min(1, later / len(tasks)):.0%} of the prompts"
        )
    for kind, noun, for_classify, for_instances in (
        (True, "classification", classify.num_classification_demos, instances.num_output_first_demos),
        (False, "other", classify.num_other_demos, instances.num_input_first_demos),
    ):
        found = [task for task in tasks if task.is_classification is kind]
        useful = sum(bool(task.instances) for task in found)
        if 0 < len(found) < for_classify or 0 < useful < for_instances:
            yield (
                f"the stage classify shows {for_classify} {noun} tasks, there are {len(found)}; the stage instances "
                f"shows {for_instances} that have instances, there are {useful}"
            )


def _of_variety(found: Checked, tasks: Sequence[Task]) -> Iterator[str]:
    num_inputs = found.coverage.with_input
    if num_inputs < len(tasks) / 5:
        yield f"only {num_inputs} of {len(tasks)} tasks have an input, so few of those written will; add some"
    verb, count = next(iter(found.coverage.verbs.most.items()), ("", 0))
    if len(tasks) >= 10 and count > 0.2 * len(tasks):
        yield f"{count} of {len(tasks)} instructions have the verb {verb!r}; ask for other things too, in other words"
    foreign = [id for id, reason in found.rejected.items() if reason == "starts_non_ascii"]
    if foreign:
        yield (
            f"{len(foreign)} instructions begin with a character outside ASCII, and such tasks are rejected; set "
            f"instructions.english = false to keep them"
        )
    if odd := [f"{id} ({reason})" for id, reason in found.rejected.items() if id not in foreign]:
        yield f"shown as demos, though the filters reject tasks like these: {some(odd)}; change them"


def some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
