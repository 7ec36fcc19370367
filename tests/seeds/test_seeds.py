"""Seed files: those that ship, those of the paper's format, and what is said of a bad one."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from pipeline import Instance, SproutError, Task, read_seeds
from pipeline.filters.find import INSTRUCTION, applied, first_reason
from pipeline.novelty.rouge import RougeIndex
from pipeline.seeds.kinds import looks_like_classification
from pipeline.stages.filter import Filter

GOOD = {"id": "a", "instruction": "Say it twice.", "is_classification": False, "instances": [{"output": "it it"}]}


@pytest.mark.parametrize("name", ["general", "nano", "code"])
def test_shipped_seeds_are_what_we_ask_of_others(name):
    for task in read_seeds(name):
        assert task.is_classification is not None, task.id
        assert task.instances, task.id
        assert Filter().judge(task) == task, task.id
        assert task.instruction.isascii(), task.id


def test_general_seeds_pass_the_filters_of_generated_ones():
    assert {
        task.id: reason for task in read_seeds("general") if (reason := first_reason(task, applied(INSTRUCTION, {})))
    } == {}


def test_general_seeds_are_many_and_of_every_kind():
    seeds = read_seeds("general")

    assert len(seeds) >= 175
    assert sum(bool(task.is_classification) for task in seeds) >= 40
    assert sum(any(instance.input for instance in task.instances) for task in seeds) >= 100


def test_no_two_general_seeds_are_alike():
    index = RougeIndex(max_rouge=0.5)
    for task in read_seeds("general"):
        assert index.nearest(task.instruction).text is None, task.id
        index.add(task.instruction)


def test_classification_seeds_name_their_labels_and_use_them_evenly():
    firsts = Counter[bool]()
    for task in read_seeds("general"):
        for instance in task.instances if task.is_classification else ():
            place = re.search(rf"\b{re.escape(instance.output)}\b", task.instruction, re.IGNORECASE)
            assert place, (task.id, instance.output)
            firsts[place.start() < len(task.instruction) / 2] += 1
    assert 0.2 < firsts[True] / firsts.total() < 0.8


def test_nano_seeds_are_thirty_to_sixty():
    assert 30 <= len(read_seeds("nano")) <= 60


def test_the_paper_s_format_loads_unchanged(tmp_path):
    row = {
        "id": "seed_task_0",
        "name": "x",
        "instruction": "Do it.",
        "instances": [{"input": "", "output": "Done."}],
        "is_classification": False,
    }
    path = tmp_path / "seeds.jsonl"
    path.write_text(json.dumps(row) + "\n")

    assert read_seeds(path)[0].instances[0].output == "Done."


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "no seed tasks in it; write one task on each line"),
        (["{"], ":1: not JSON (expecting property name enclosed in double quotes at line 2); is the file complete?"),
        ([GOOD, {"id": "b", "instances": []}], ":2: not a task: instruction is missing"),
        ([{**GOOD, "instuction": "x"}], ":1: not a task: there is no field 'instuction'; did you mean instruction?"),
        ([{**GOOD, "instances": [{"input": "x"}]}], r":1: not a task: instances.0.output is missing"),
        ([{**GOOD, "instruction": [3]}], ":1: not a task: instruction: input should be a valid string (found [3])"),
        (
            [{**GOOD, "is_classification": "perhaps"}],
            ":1: not a task: is_classification: input should be a valid boolean",
        ),
        ([{**GOOD, "instruction": " "}], ":1: the instruction is empty"),
        ([GOOD, {**GOOD, "instruction": "Other."}], ":2: the id 'a' is already that of line 1"),
    ],
)
def test_a_bad_seed_file_is_named_in_one_sentence(tmp_path, lines, said):
    path = tmp_path / "seeds.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))

    with pytest.raises(SproutError) as error:
        read_seeds(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_seed_file_is_named():
    with pytest.raises(SproutError, match=r"nowhere\.jsonl: cannot be read \(No such file or directory\)"):
        read_seeds(Path("nowhere.jsonl"))


def test_closeness_of_seeds_is_that_of_rouge_score():
    a, b = (task.instruction for task in read_seeds("general")[:2])
    score = RougeScorer(["rougeL"]).score(a, b)["rougeL"].fmeasure

    assert RougeIndex([a]).closest(b).score == score


def test_what_looks_like_classification_is_what_is_marked_so():
    seeds = [*read_seeds("general"), *read_seeds("nano")]
    found = [task for task in seeds if looks_like_classification(task)]

    assert all(task.is_classification for task in found)
    assert len(found) >= 63  # of 64


@pytest.mark.parametrize(
    ("instruction", "outputs", "is_classification"),
    [
        ("Does the sentence contain an insult?", ["Yes."], True),
        ("Does the sentence contain an insult?", ["Yes, it calls him a fool."], False),
        ("Is the review positive, negative or mixed?", ["mixed"], True),
        ("Choose between safe and risky.", ["safe", "risky"], True),
        ("Repeat the word cat.", ["cat"], False),
        ("Classify the animal.", ["reptile"], True),
        ("Classify the animal and say why.", ["It is a reptile since it has scales."], False),
        ("What is the mood?", ["happy", "sad", "happy", "sad"], True),
        ("What is the mood?", ["happy", "sad", "happy"], False),
        ("Name the capital.", ["Paris", "Rome", "Oslo", "Bern"], False),
        ("Is it so? Yes or no?", [], False),
        ("Is it so? Yes or no?", ["..."], False),
    ],
)
def test_a_classification_is_told_by_short_outputs_and_one_more_sign(instruction, outputs, is_classification):
    task = Task(id="a", instruction=instruction, instances=tuple(Instance(output=output) for output in outputs))

    assert looks_like_classification(task) is is_classification
