"""Conversations: what is asked next depends on the answers, and the tasks come back in their order."""

import random

import pytest

from pipeline import Completion, Instance, Request, Sampling, Task
from pipeline.asking.converse import converse, messages
from pipeline.engines.scripted import Scripted

TASKS = [Task(id=str(number), instruction=f"task {number}") for number in range(40)]


def talk(task):
    """Asks as often as its number says, up to four times, and keeps all answers."""
    answers = []
    for turn in range(int(task.id) % 5):
        completion = yield Request(id=f"{task.id}:{turn}", prompt=f"{task.instruction}, {answers}", sampling=Sampling())
        answers.append(completion.text)
    return task.update(instances=(Instance(output=" ".join(answers)),))


@pytest.mark.parametrize("window", [1, 3, 64])
def test_tasks_come_in_their_order_however_long_each_conversation_is(window):
    engine = Scripted(lambda request: f"<{request.prompt}>", window=window)

    found = list(converse(engine, TASKS, talk))

    assert [task.id for task in found] == [task.id for task in TASKS]
    assert found == list(converse(Scripted(engine.answer, window=7), TASKS, talk))
    assert len(engine.requests) == sum(number % 5 for number in range(40))
    assert found[2].instances[0].output == "<task 2, []> <task 2, ['<task 2, []>']>"


@pytest.mark.parametrize("lost", ["error", "empty"])
def test_a_task_that_gets_no_answer_is_left_out_and_the_others_are_not(lost):
    def answer(request):
        if not request.id.startswith("7:") and not request.id.startswith("14:2"):
            return "fine"
        return Completion(id=request.id, text="", finish_reason="error" if lost == "error" else "stop")

    found = list(converse(Scripted(answer), TASKS, talk))

    assert [task.id for task in found] == [task.id for task in TASKS if task.id not in ("7", "14")]


def test_a_conversation_without_a_request_decides_at_once():
    def silent(task):
        return task.reject("nothing_to_ask")
        yield

    engine = Scripted(lambda request: "never")

    assert [task.rejected for task in converse(engine, TASKS, silent)] == ["nothing_to_ask"] * 40
    assert engine.requests == []


def test_tasks_are_pulled_as_the_engine_takes_requests():
    pulled = []

    def source():
        for task in TASKS:
            pulled.append(task.id)
            yield task

    first = next(converse(Scripted(lambda request: "a", window=4), source(), talk))

    assert first.id == "0"
    assert len(pulled) < 20


def test_demos_are_turns_before_the_question():
    assert messages([("a", "b")], "c") == (
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    )


def test_the_order_in_which_completions_are_asked_for_is_that_of_the_conversations():
    rng = random.Random(0)
    answers = {f"{task.id}:{turn}": str(rng.random()) for task in TASKS for turn in range(5)}
    engine = Scripted(lambda request: answers[request.id])

    list(converse(engine, TASKS, talk))

    of = [request.id for request in engine.requests if request.id.startswith("39:")]
    assert of == ["39:0", "39:1", "39:2", "39:3"]
