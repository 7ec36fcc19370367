"""Which tasks are classification, and how that is asked."""

import pytest

from pipeline import Context, Request, Sampling
from pipeline.asking.ask import OneOf
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.scripted import Scripted
from pipeline.stages.classify import Classify


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" Yes", True), ("No", False), (" yes.", True), ("NO\n", False), ("**Yes**", True), ("Yes, since", True),
        ("- no", False), ('"Yes"', True), ("", None), ("  ", None), ("Maybe", None), ("Not sure", None), ("Yesterday", None),
        ("None", None), ("It is. Yes", True), ("1", None),
    ],
)  # fmt: skip
def test_only_a_clear_answer_counts(text, answer):
    assert parse_yes_no(text) is answer


def test_an_unclear_answer_is_a_rejection_with_a_reason(seeds, tmp_path):
    answers = iter([" Yes", " No", " Perhaps"])
    tasks = list(Classify().decide(seeds[:3], (), Context(seeds, Scripted(lambda r: next(answers)), tmp_path)))

    assert [task.is_classification for task in tasks[:2]] == [True, False]
    assert tasks[2].rejected == "unclear_answer"


def test_a_chat_model_may_put_its_answer_into_a_block_of_code(seeds, tmp_path):
    def said(request: Request) -> str:
        text = "```\nYes\n```"
        return min((text.partition(stop)[0] for stop in request.sampling.stop), key=len, default=text)

    def reasons(chat: bool, **settings: object) -> set[str | None]:
        context = Context(seeds, Scripted(said, chat=chat), tmp_path)
        return {task.rejected for task in Classify.model_validate(settings).decide(seeds[:3], (), context)}

    assert reasons(chat=True) == {None}
    assert reasons(chat=True, sampling={"stop": ["\n"]}) == reasons(chat=False) == {"unclear_answer"}


def test_all_requests_share_one_prefix_with_both_kinds_of_seeds(seeds, tmp_path):
    engine = Scripted(lambda request: " No")
    list(Classify().decide(seeds, (), Context(seeds, engine, tmp_path)))
    prefixes = {str(request.prompt).rsplit("Task:", 1)[0] for request in engine.requests}

    assert len(prefixes) == 1
    assert prefixes.pop().count("Classification: Yes") == sum(bool(task.is_classification) for task in seeds)


@pytest.mark.parametrize("kind", [True, False])
def test_seeds_of_one_kind_leave_nothing_to_ask(seeds, tmp_path, kind):
    engine = Scripted(lambda request: "?")
    alike = [task.update(is_classification=kind) for task in seeds]
    tasks = list(Classify().decide(seeds, (), Context(alike, engine, tmp_path)))

    assert {task.is_classification for task in tasks} == {kind}
    assert not engine.requests


@pytest.mark.parametrize(("chat", "choices"), [(False, (" Yes", " No")), (True, ("Yes", "No"))])
def test_the_answer_is_held_to_yes_or_no_unless_the_settings_say_otherwise(seeds, tmp_path, chat, choices):
    def asked(stage):
        engine = Scripted(lambda request: request.choices[1] if request.choices else "No", chat=chat)
        tasks = list(stage.decide(seeds[:3], (), Context(seeds, engine, tmp_path)))
        assert [task.is_classification for task in tasks] == [False] * 3
        return {request.choices for request in engine.requests}

    assert asked(Classify()) == {choices}
    assert asked(Classify(constrain=False)) == {()}


@pytest.mark.parametrize(("prompt", "choices"), [
    ("Classification:", (" Yes", " No")), ("Classification: ", ("Yes", "No")), ("Classification:\n", ("Yes", "No")),
    (({"role": "user", "content": "Classification:"},), ("Yes", "No")),
])  # fmt: skip
def test_a_word_comes_after_a_blank_where_a_text_goes_on(prompt, choices):
    engine = Scripted(lambda request: "")
    request = Request(id="a", prompt=prompt, sampling=Sampling())
    list(OneOf(engine, ("Yes", "No")).generate([request, None]))
    assert engine.requests[0].choices == choices
