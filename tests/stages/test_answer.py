"""Candidate answers: who is asked, in which words, what of a completion is the answer, and what is left out."""

import json
import logging
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import Completion, Context, Instance, SproutError, Task, run
from pipeline.engines.base import Message, Sampling
from pipeline.engines.scripted import Scripted
from pipeline.runs.settings import recorded
from pipeline.stages import Answer
from pipeline.stages._answering import explained
from pipeline.task import Answer as Candidate

GREEDY = Sampling(temperature=0)
TASKS = [
    Task(id="a", instruction="Name the colour.", instances=(Instance(input="a lemon", output="yellow"),)),
    Task(id="b", instruction="Say hello to the world."),
]


def asked(stage: Answer, tasks, seeds, folder, **engines) -> list[Task]:
    """What comes of the tasks; the engine of the stage is `own`, or answers "own says so"."""
    own = engines.pop("own", None) or Scripted(lambda request: "own says so", model="own-model")
    return [*stage.decide(tasks, (), Context(seeds, own, folder, engines))]


def texts(instance: Instance) -> list[tuple[str, str]]:
    return [(answer.model, answer.text) for answer in instance.answers]


def test_each_engine_gives_each_instance_so_many_answers_in_the_order_of_the_engines(seeds, tmp_path):
    own = Scripted(lambda request: f"own {request.sampling.seed}", model="own-model")
    other = Scripted(lambda request: f"other {request.sampling.seed}", model="other-model", chat=True)
    found = asked(Answer(engines=("other", ""), num_answers=2), TASKS, seeds, tmp_path, own=own, other=other)

    first, second = found
    models = [model for model, _ in texts(first.instances[0])]
    assert models == ["", "other-model", "other-model", "own-model", "own-model"]
    assert first.instances[0].answers[0].text == first.instances[0].output == "yellow"
    assert [model for model, _ in texts(second.instances[0])] == models[1:]
    assert second.instances[0].output == second.instances[0].answers[0].text  # until one is chosen
    assert [request.id for request in other.requests] == ["a:other:0:0", "a:other:0:1", "b:other:0:0", "b:other:0:1"]
    seeds_drawn = [request.sampling.seed for request in own.requests + other.requests]
    assert len({*seeds_drawn}) == 8  # each request has its own


def test_a_model_is_asked_in_its_own_words(seeds, tmp_path):
    tuned = tmp_path / "tuned"
    tuned.mkdir()
    (tuned / "train.json").write_text('{"chat": false}')
    base, chat = Scripted(lambda _: "x", model="base"), Scripted(lambda _: "x", model="chat", chat=True)
    on_text = Scripted(lambda _: "x", model=str(tuned), chat=True)  # its tokenizer has a template, its rows had none
    stage = Answer(engines=("base", "chat", "tuned"))
    asked(stage, TASKS, seeds, tmp_path, base=base, chat=chat, tuned=on_text)

    assert [request.prompt for request in base.requests] == [
        "Name the colour.\n\na lemon\n\n",
        "Say hello to the world.\n\n",
    ]
    assert [request.prompt for request in on_text.requests] == [request.prompt for request in base.requests]
    assert chat.requests[0].prompt == ({"role": "user", "content": "Name the colour.\n\na lemon"},)
    assert base.requests[0].sampling.stop
    assert not chat.requests[0].sampling.stop
    asked(Answer(encoding="output"), TASKS, seeds, tmp_path, own=base)
    assert str(base.requests[-1].prompt).endswith("\n\nOutput:")
    asked(Answer(encoding="examples"), TASKS, seeds, tmp_path, own=base)
    assert base.requests[-1].prompt == "Task: Say hello to the world.\nExample 1\nOutput:"
    assert "\nInput:" in base.requests[-1].sampling.stop
    assert "\nInput:" not in chat.requests[-1].sampling.stop


@pytest.mark.parametrize(
    ("given", "order"),
    [("first", ["yellow", "own says so"]), ("last", ["own says so", "yellow"]), ("left_out", ["own says so"])],
)
def test_the_output_that_was_there_stands_where_it_is_wanted_and_stays_the_output(given, order, seeds, tmp_path):
    found = asked(Answer(given_output=given), TASKS, seeds, tmp_path)

    assert [text for _, text in texts(found[0].instances[0])] == order
    assert found[0].instances[0].output == "yellow"
    assert texts(found[1].instances[0]) == [("own-model", "own says so")]


def test_a_second_stage_adds_to_the_answers_and_puts_the_output_there_once(seeds, tmp_path):
    first = asked(Answer(), TASKS, seeds, tmp_path)
    second = asked(Answer(label="again", given_output="last"), first, seeds, tmp_path)
    apart = asked(Answer(given_output="left_out"), TASKS, seeds, tmp_path)
    joined = asked(Answer(label="again", given_output="last"), apart, seeds, tmp_path)
    bare = asked(Answer(label="again"), asked(Answer(), TASKS[1:], seeds, tmp_path), seeds, tmp_path)

    assert [text for _, text in texts(second[0].instances[0])] == ["own says so", "own says so", "yellow"]
    assert [text for _, text in texts(joined[0].instances[0])] == ["own says so", "own says so", "yellow"]
    assert texts(bare[0].instances[0]) == [("own-model", "own says so")] * 2  # whose output was an answer


def test_what_is_no_answer_is_left_out_and_counted(seeds, tmp_path, caplog):
    replies = iter(
        [Completion(id="a:0:0", text="yel", finish_reason="length"), "<think>Hm.</think>", "I cannot help with that.",
         "gold", "Say hello to the world."] * 2
    )  # fmt: skip
    one_by_one = Scripted(
        lambda request: (
            reply.model_copy(update={"id": request.id}) if isinstance(reply := next(replies), Completion) else reply
        ),
        model="own-model",
    )
    with caplog.at_level(logging.WARNING):
        found = asked(Answer(num_answers=5), TASKS, seeds, tmp_path, own=one_by_one)

    assert [text for _, text in texts(found[0].instances[0])] == ["yellow", "gold", "Say hello to the world."]
    assert found[0].meta["answers_left_out"] == {"cut_off": 1, "empty": 1, "refusal": 1}
    assert found[1].meta["answers_left_out"] == {"cut_off": 1, "empty": 1, "refusal": 1, "prompt_echo": 1}
    assert "answer: 7 of 10 answers are left out: cut_off 2, empty 2, refusal 2, prompt_echo 1" in caplog.text


def test_filters_of_instances_can_be_turned_off(seeds, tmp_path):
    own = Scripted(lambda request: "I cannot help with that.", model="own-model")
    found = asked(Answer(filters={"refusal": False}), TASKS, seeds, tmp_path, own=own)

    assert found[1].kept
    assert texts(found[1].instances[0]) == [("own-model", "I cannot help with that.")]


def test_a_task_without_any_answer_is_rejected_and_an_instance_without_one_left_out(seeds, tmp_path):
    two = Task(
        id="c", instruction="Count the letters.", instances=(Instance(input="ab", output="2"), Instance(input="abc", output="3")),
        meta={"left_out": {"repeated": 1}},
    )  # fmt: skip
    cut = Scripted(
        lambda request: Completion(id=request.id, text="2", finish_reason="length" if request.id != "c:1:0" else "stop")
    )
    found = asked(Answer(given_output="left_out"), [*TASKS, two], seeds, tmp_path, own=cut)

    assert [task.rejected for task in found] == ["no_answer", "no_answer", None]
    assert found[0].meta["answers_left_out"] == {"cut_off": 1}
    assert [one.input for one in found[2].instances] == ["abc"]
    assert found[2].meta == {"left_out": {"repeated": 1, "no_answer": 1}, "answers_left_out": {"cut_off": 1}}


def test_one_whose_engine_failed_is_left_for_the_next_run(seeds, tmp_path):
    failing = Scripted(
        lambda request: Completion(
            id=request.id, text="too long", finish_reason="error" if request.id[0] == "a" else "stop"
        )
    )
    found = asked(Answer(engines=("", "failing")), TASKS, seeds, tmp_path, failing=failing)

    assert [task.id for task in found] == ["b"]


@pytest.mark.parametrize(
    ("text", "whole", "answer", "lack"),
    [
        ("It has six sides.\nAnswer: 6", False, "6", ""),
        ("It has six sides.\nAnswer: 6", True, "It has six sides.\n\n6", ""),
        ("Answer: 6", True, "6", ""),
        ("First.\n**Answer:** 6", False, "6", ""),
        ("First.\n**Final answer**: six", False, "six", ""),
        ("The answer: 5?\nNo.\nThe final answer: 6\nand 7", False, "6\nand 7", ""),
        ("It has six sides.\n\n**Final Answer**\n6", False, "6", ""),
        ("It has six sides.\n### Answer\n6", False, "6", ""),
        ("It has six sides.\nTherefore, the answer is: 6", False, "6", ""),
        ("I think the answer: 6", False, "I think the answer: 6", "unreadable"),  # no line of its own
        ("It has six sides.", False, "It has six sides.", "unreadable"),
        ("It has six sides.\nAnswer:", False, "It has six sides.\nAnswer:", "unreadable"),
        ("", False, "", "unreadable"),
    ],
)  # fmt: skip
def test_of_an_explanation_the_answer_behind_it_is_read(text, whole, answer, lack):
    assert explained(text, whole) == (answer, lack)


def test_an_explanation_comes_before_the_answer_and_is_kept_if_wanted(seeds, tmp_path):
    own = Scripted(lambda request: " Lemons ripen.\nAnswer: yellow", model="own-model")
    bare = asked(Answer(prompt="explain"), TASKS, seeds, tmp_path, own=own)
    whole = asked(Answer(prompt="explain", keep_explanation=True), TASKS, seeds, tmp_path, own=own)

    assert bare[1].instances[0].output == "yellow"
    assert whole[1].instances[0].output == "Lemons ripen.\n\nyellow"
    assert str(own.requests[0].prompt).startswith("Task: Name the colour.\n\nInput: a lemon\n\nFirst explain")


def test_a_paraphrase_is_of_the_output_that_is_there(seeds, tmp_path):
    own = Scripted(lambda request: "New answer: golden", model="own-model", chat=True)
    found = asked(Answer(prompt="paraphrase", given_output="last"), TASKS[:1], seeds, tmp_path, own=own)

    content = own.requests[0].prompt[-1]["content"]
    assert "\n\nAnswer: yellow\n\n" in content
    assert [text for _, text in texts(found[0].instances[0])] == ["golden", "yellow"]


def test_demos_are_the_same_for_all_tasks_and_no_task_is_its_own_demo(seeds, tmp_path):
    own = Scripted(lambda request: " warm\nExample 2", model="own-model")
    tasks = [*TASKS, seeds[3]]
    found = asked(Answer(prompt="with_demos", num_demos=12), tasks, seeds, tmp_path, own=own)
    prompts = [str(request.prompt) for request in own.requests]

    assert [prompt.count("\nTask: ") for prompt in prompts] == [13, 13, 12]
    assert prompts[0].rpartition("\nTask:")[0] == prompts[1].rpartition("\nTask:")[0]
    assert prompts[0].endswith("\nTask: Name the colour.\nInput: a lemon\nOutput:")
    assert prompts[2].count(seeds[3].instruction) == 1
    assert found[1].instances[0].output == "warm"


def test_a_chat_model_gets_demos_as_turns(seeds, tmp_path):
    own = Scripted(lambda request: "hello", chat=True)
    asked(Answer(prompt="with_demos", num_demos=2), TASKS, seeds, tmp_path, own=own)
    turns: tuple[Message, ...] = own.requests[0].prompt

    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2 + ["user"]
    assert turns[1]["content"].startswith("result ")
    assert turns[-1]["content"] == "Name the colour.\n\na lemon"
    assert own.requests[1].prompt[:-1] == turns[:-1]


def test_the_nearest_demos_are_those_about_the_same_the_closest_last(minilm, tmp_path):
    about = ["Add two numbers.", "Name a river in Asia.", "Multiply two numbers.", "Translate a word into French."]
    known = [Task(id=f"s{n}", instruction=text, instances=(Instance(output="1"),)) for n, text in enumerate(about)]
    tasks = [
        Task(id="t0", instruction="Subtract one number from another."), Task(id="t1", instruction="Name a river in Europe."),
        Task(id="t2", instruction=about[1]),
    ]  # fmt: skip
    own = Scripted(lambda request: "x")
    stage = Answer(prompt="with_demos", demos="nearest", num_demos=2, encoder=minilm)
    asked(stage, tasks, known, tmp_path, own=own)

    assert {*own.requests[0].demos} == {"s0", "s2"}
    assert own.requests[1].demos[-1] == "s1"
    assert "s1" not in own.requests[2].demos  # the task itself
    again = Scripted(lambda request: "x")
    asked(stage, tasks[1:], known, tmp_path, own=again)
    assert [request.prompt for request in again.requests] == [request.prompt for request in own.requests[1:]]


def test_a_template_of_ones_own_is_a_setting(seeds, tmp_path):
    path = tmp_path / "short.jinja"
    path.write_text("In one word: {{ instruction }} ({{ input }}, not {{ output }})")
    own = Scripted(lambda request: "word")
    asked(stage := Answer(prompt=str(path)), TASKS, seeds, tmp_path, own=own)
    before = recorded(stage)["short.jinja"]
    path.write_text("In two words: {{ instruction }}")

    assert own.requests[0].prompt == "In one word: Name the colour. (a lemon, not yellow)"
    assert recorded(stage)["short.jinja"] != before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompt": "shout"}, "'shout' is neither one of plain, explain, with_demos, paraphrase nor the path of a .jinja file"),
        ({"engines": ()}, "engines"),
        ({"engines": ("a", "a")}, "one is listed twice; raise num_answers"),
        ({"engine": "a", "engines": ("", "a")}, "one is listed twice; raise num_answers"),
        ({"num_answers": 3, "sampling": GREEDY}, "3 answers at temperature 0 would be the same; raise the temperature"),
        ({"demos": "nearest"}, "no demo is shown by prompt = 'plain'"),
        ({"filters": {"shouting": False}}, "shouting"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings, said):
    with pytest.raises(ValidationError) as error:
        Answer(**settings)
    assert said in str(error.value)


def test_without_seeds_there_are_no_demos_to_show(tmp_path):
    with pytest.raises(SproutError, match="answer: there is no seed task with an instance to show; give some"):
        run([Answer(prompt="with_demos")], [], Scripted(lambda _: "x"), tmp_path)


def test_answers_are_in_the_file_with_model_and_scores_and_are_read_back(seeds, tmp_path):
    given = Instance(input="", output="z", answers=(Candidate(text="x", model="m", scores={"check": 1.0}),))
    run([Answer()], [Task(id="a", instruction="Say x to me.", instances=(given,))], Scripted(lambda _: "y"), tmp_path)
    (line,) = Path(tmp_path / "1_answer.jsonl").read_text().splitlines()

    assert json.loads(line)["instances"][0]["answers"] == [
        {"text": "z"}, {"text": "x", "model": "m", "scores": {"check": 1.0}}, {"text": "y", "model": "scripted"},
    ]  # fmt: skip
