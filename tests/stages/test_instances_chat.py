"""How instances are written by a chat model: it is asked as a user asks."""

import pytest

from pipeline import Completion, Context, Task
from pipeline.engines.scripted import Scripted
from pipeline.stages.filter import Filter
from pipeline.stages.instances import Instances

PLAIN = Task(id="plain", instruction="Name a river in Africa.", is_classification=False)
GIVEN = Task(id="given", instruction="Shorten the following sentence.", is_classification=False)
SORTED = Task(id="sorted", instruction="Is the review good or bad?", is_classification=True)
LABELS = " good\nInput: I liked it.\nClass label: bad\nInput: It broke."


def asked(seeds, tmp_path, task, answer, **settings):
    """The task as decided, and the requests; `answer` gives the texts in their order, or takes the request."""
    texts = iter(answer) if isinstance(answer, list) else None
    engine = Scripted((lambda request: next(texts)) if texts else answer, chat=True)
    [found] = Instances(**settings).decide([task], (), Context(seeds, engine, tmp_path))
    return found, engine.requests


def test_a_task_is_put_as_it_stands_and_the_answer_is_its_output(seeds, tmp_path):
    found, [request] = asked(seeds, tmp_path, PLAIN, ["The Nile.\n\nIt is long."])

    assert request.prompt == ({"role": "user", "content": "Name a river in Africa."},)
    assert request.sampling.stop == ()
    assert [(i.input, i.output) for i in found.instances] == [("", "The Nile.\n\nIt is long.")]


def test_an_input_is_asked_for_first_where_the_task_names_one(seeds, tmp_path):
    found, [first, second] = asked(seeds, tmp_path, GIVEN, ["It rained and rained.", "It rained."])

    assert "Write one input for this task" in first.prompt[-1]["content"]
    assert first.prompt[0]["role"] == "user"
    assert first.prompt[1]["role"] == "assistant"
    assert second.prompt[-1]["content"] == "Shorten the following sentence.\n\nIt rained and rained."
    assert [(i.input, i.output) for i in found.instances] == [("It rained and rained.", "It rained.")]


@pytest.mark.parametrize(
    "text",
    [
        "Input: It rained.", "**Input:** It rained.", "Sure! Here is an input for the task:\n\nIt rained.", "Input: It rained.\n\nOutput: Rain.", "Input:\nIt rained.\n\nLet me know if you need more!",
        "It rained.\n\n(Note: this input is short.)", "输入：It rained.",
    ],
)  # fmt: skip
def test_an_input_is_taken_without_what_a_model_says_around_it(text, seeds, tmp_path):
    found, _ = asked(seeds, tmp_path, GIVEN, [text, "Rain."])

    assert [(i.input, i.output) for i in found.instances] == [("It rained.", "Rain.")]


def test_an_input_that_says_there_is_none_is_asked_for_again(seeds, tmp_path):
    found, requests = asked(seeds, tmp_path, GIVEN, ["None needed.", "It rained.", "Rain."])

    assert len(requests) == 3
    assert found.instances[0].input == "It rained."


def test_a_model_that_asks_for_an_input_is_given_one_of_its_own(seeds, tmp_path):
    texts = ["Please provide the word you would like me to use.", "lamp", "The lamp is lit."]

    found, requests = asked(seeds, tmp_path, PLAIN.update(instruction="Use a word in a line."), texts)

    assert [request.id for request in requests] == ["plain:1", "plain:input1", "plain:2"]
    assert [(i.input, i.output) for i in found.instances] == [("lamp", "The lamp is lit.")]


def test_an_answer_must_pass_the_filters_that_the_run_applies(seeds, tmp_path):
    texts = ["I'm sorry, but as an AI I cannot name rivers.", "The Nile."]
    lenient = {"refusal": False}
    stage = Instances().resolve([Filter(filters=lenient)])

    assert stage.filters == lenient
    assert stage.settings() == Instances().settings()
    found, requests = asked(seeds, tmp_path, PLAIN, texts, filters=lenient)
    assert (len(requests), found.instances[0].output) == (1, texts[0])
    assert len(asked(seeds, tmp_path, PLAIN, texts)[1]) == 2
    with pytest.raises(ValueError, match="there is no filter 'refusal_'; did you mean refusal"):
        Instances(filters={"refusal_": False})


@pytest.mark.parametrize(
    ("first", "finish"),
    [
        ("I'm sorry, but as an AI I cannot name rivers.", "stop"),
        ("The Nile is a river that", "length"),
        ("again and again " * 40, "stop"),
        ("Here is the answer:", "stop"),
    ],
)
def test_an_answer_that_no_filter_would_keep_is_asked_for_once_more(first, finish, seeds, tmp_path):
    def answer(request):
        text = first if request.id.endswith(":1") else "The Nile."
        return Completion(id=request.id, text=text, finish_reason=finish if text == first else "stop")

    found, requests = asked(seeds, tmp_path, PLAIN, answer)

    assert [i.output for i in found.instances] == ["The Nile."]
    assert requests[0].sampling.seed != requests[1].sampling.seed
    assert asked(seeds, tmp_path, PLAIN, answer, max_attempts=1)[0].instances != found.instances


def test_what_is_cut_off_each_time_is_rejected_as_that(seeds, tmp_path):
    found, requests = asked(
        seeds, tmp_path, PLAIN, lambda request: Completion(id=request.id, text="The", finish_reason="length")
    )

    assert (found.rejected, len(requests)) == ("cut_off", 2)


def test_an_input_that_never_comes_whole_rejects_the_task(seeds, tmp_path):
    found, requests = asked(
        seeds, tmp_path, GIVEN, lambda request: Completion(id=request.id, text="on and on", finish_reason="length")
    )

    assert (found.rejected, len(requests)) == ("no_input", 2)


def test_an_input_that_the_model_declines_to_write_is_asked_for_again(seeds, tmp_path):
    texts = ["I'm sorry, but I cannot assist with that request.", "It rained and rained.", "It rained."]
    found, requests = asked(seeds, tmp_path, GIVEN, texts)

    assert [request.id.partition(":")[2] for request in requests] == ["input1", "input2", "1"]
    assert [(i.input, i.output) for i in found.instances] == [("It rained and rained.", "It rained.")]


def test_labels_come_first_for_a_classification(seeds, tmp_path):
    found, [request] = asked(seeds, tmp_path, SORTED, [LABELS])

    assert request.prefill == "Class label:"
    assert request.prompt[1]["content"].startswith("Class label: ")
    assert [(i.input, i.output) for i in found.instances] == [("I liked it.", "good"), ("It broke.", "bad")]


def test_an_engine_that_cannot_begin_an_answer_writes_the_first_mark_itself(seeds, tmp_path):
    engine = Scripted(lambda request: f"Class label:{LABELS}", chat=True)
    engine.can_prefill = False

    [found] = Instances().decide([SORTED], (), Context(seeds, engine, tmp_path))

    assert engine.requests[0].prefill == ""
    assert [i.output for i in found.instances] == ["good", "bad"]


def test_the_layout_can_be_chosen(seeds, tmp_path):
    found, [request] = asked(seeds, tmp_path, PLAIN, ["\nInput: a\nOutput: b"], layout="examples")

    assert request.prompt[0]["content"].endswith("Example 1")
    assert [(i.input, i.output) for i in found.instances] == [("a", "b")]


def test_all_requests_of_a_kind_begin_with_the_same_turns(seeds, tmp_path):
    tasks = [GIVEN, GIVEN.update(id="other", instruction="Translate the following text.")]
    engine = Scripted(lambda request: "It is fine.", chat=True)

    list(Instances().decide(tasks, (), Context(seeds, engine, tmp_path)))

    inputs = [request.prompt for request in engine.requests if "input" in request.id]
    assert inputs[0][:-1] == inputs[1][:-1] != ()
