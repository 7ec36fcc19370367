"""Inputs and outputs: how they are asked for, and how they are read."""

import pytest

from pipeline import Completion, Context, Task
from pipeline.asking.examples import parse_input_first, parse_output_first
from pipeline.engines.scripted import Scripted
from pipeline.stages.instances import Instances


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("\nInput: a b\nOutput: b a", [("a b", "b a")]),
        ("\nInput: a\nOutput: 1\nExample 2\nInput: b\nOutput: 2", [("a", "1"), ("b", "2")]),
        ("\nOutput: Hello.", [("", "Hello.")]),
        ("\nInput: two\nlines\nOutput: three\nmore\nlines\nExample 2\nInput: x\nOutput: y", [("two\nlines", "three\nmore\nlines"), ("x", "y")]),
        ("\nInput: a\nOutput: 1\nInput: b\nOutput: 2", [("a", "1")]),
        ("\nInput: a\nOutput: 1\nOutput: 2", [("a", "1")]),
        ("\nInput: a\nOutput:", [("a", "")]),
        ("\nInput: Give an Example 3 of the Output: it is short\nOutput: ok", [("Give an Example 3 of the Output: it is short", "ok")]),
        ("\nInput 1: a\nOutput 1: 1\nExample 2:\nInput 2: b\nOutput 2: 2", [("a", "1"), ("b", "2")]),
        ("\n**Example 1**\nInput: a\nOutput: 1", [("a", "1")]),
        ("\nSentence: The cat sat.\nOutput: cat", [("Sentence: The cat sat.", "cat")]),
        ("\nI cannot help with that.", []),
        ("", []),
    ],
)  # fmt: skip
def test_input_first_is_read_marker_by_marker(text, pairs):
    assert [(i.input, i.output) for i in parse_input_first(text)] == pairs


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (" good\nInput: It works.\nClass label: bad\nInput: It broke.", [("It works.", "good"), ("It broke.", "bad")]),
        ("Class label: good\nInput: It works.", [("It works.", "good")]),
        (" good\nSentence: It works.", [("Sentence: It works.", "good")]),
        (" yes\nClass label: no", [("", "yes"), ("", "no")]),
        (" A\nInput: one\ntwo\nClass label: B\nInput: Class label: is a word", [("one\ntwo", "A"), ("Class label: is a word", "B")]),
        ("", []),
        ("\nClass label:", [("", "")]),
    ],
)  # fmt: skip
def test_output_first_is_read_label_by_label(text, pairs):
    assert [(i.input, i.output) for i in parse_output_first(text)] == pairs


def test_classification_is_asked_for_labels_and_all_else_for_inputs(seeds, tmp_path):
    engine = Scripted(lambda r: " a\nInput: x" if str(r.prompt).endswith("Class label:") else "\nInput: y\nOutput: b")
    tasks = [
        Task(id="1", instruction="Sort it", is_classification=True),
        Task(id="2", instruction="Say it", is_classification=False),
    ]
    found = list(Instances().decide(tasks, (), Context(seeds, engine, tmp_path)))

    assert [(i.input, i.output) for task in found for i in task.instances] == [("x", "a"), ("y", "b")]
    kinds = [str(request.prompt) for request in engine.requests]
    assert "Class label: result 0" in kinds[0]
    assert "result 0" not in kinds[1]
    assert "Output: result 1" in kinds[1]


def test_each_kind_shares_one_prefix(model, seeds, tmp_path):
    tasks = [Task(id=str(n), instruction=f"Task number {n}", is_classification=n % 2 == 0) for n in range(20)]
    list(Instances().decide(tasks, (), Context(seeds, model, tmp_path)))

    assert len({str(request.prompt).rsplit("Task:", 1)[0] for request in model.requests}) == 2


def test_what_the_length_limit_cut_is_left_out(seeds, tmp_path):
    text = "\nInput: a\nOutput: 1\nExample 2\nInput: b\nOutput: 2"
    cut = Scripted(lambda request: Completion(id=request.id, text=text, finish_reason="length"))
    tasks = [Task(id="1", instruction="Say it", is_classification=False)]

    (task,) = Instances().decide(tasks, (), Context(seeds, cut, tmp_path))
    assert [i.output for i in task.instances] == ["1"]


def test_a_task_without_an_instance_is_rejected(seeds, tmp_path):
    tasks = [Task(id="1", instruction="Say it", is_classification=False)]
    (task,) = Instances().decide(tasks, (), Context(seeds, Scripted(lambda r: "I would rather not."), tmp_path))

    assert task.rejected == "no_instances"


def test_each_request_has_a_sampling_seed_of_its_own_and_always_the_same(model, seeds, tmp_path):
    tasks = [Task(id=str(n), instruction=f"Task number {n}", is_classification=False) for n in range(5)]
    for _ in range(2):
        list(Instances().decide(tasks, (), Context(seeds, model, tmp_path)))
    chosen = [request.sampling.seed for request in model.requests]

    assert chosen[:5] == chosen[5:]
    assert len(set(chosen)) == 5
