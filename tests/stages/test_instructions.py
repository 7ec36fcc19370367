"""The bootstrap loop: what is asked, how answers are read, and what is new."""

from collections import Counter

import pytest
from pydantic import ValidationError

from pipeline import Completion, Context, Request, Sampling, Task
from pipeline.asking.lists import parse_list
from pipeline.engines.scripted import Scripted
from pipeline.stages.instructions import Instructions
from tests.conftest import NOUNS, VERBS, answer


def decide(stage, seeds, engine, folder):
    return list(stage.decide((), (), Context(seeds, engine, folder)))


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (" Name a river.\n10. Add the numbers.", ["Name a river.", "Add the numbers."]),
        ("9. Name a river.\n10. Add the numbers.", ["Name a river.", "Add the numbers."]),
        (" Use the NASA API in iOS.\n10.  Ask McKay.", ["Use the NASA API in iOS.", "Ask McKay."]),
        (" One\n10) Two\n11 . Three\n12 ) Four", ["One", "Two", "Three", "Four"]),
        (" One\n10. Two\n10. Three\n9. Four", ["One", "Two", "Three", "Four"]),
        (" One\n\t10. Two,\n  over two lines\n11. Three", ["One", "Two, over two lines", "Three"]),
        (
            " Round 3.14 to 3.1\n10. What was new in 2016. And 2017?",
            ["Round 3.14 to 3.1", "What was new in 2016. And 2017?"],
        ),
        (" One\n**10.** Two\n**11**. Three", ["One", "Two", "Three"]),
        (" One\n10.\n11. Three\n12.", ["One", "Three"]),
        ("", []),
        (" \n\t\n", []),
        ("10.", []),
        (" 把句子翻译成英文\n10. Сократи текст", ["把句子翻译成英文", "Сократи текст"]),
    ],
)
def test_lists_are_read_as_they_are(text, items):
    assert parse_list(text) == items


def test_prompts_hold_seeds_first_and_later_six_seeds_and_two_new_tasks(seeds, tmp_path):
    engine = Scripted(answer, window=1)
    tasks = decide(Instructions(num_tasks=30, window=1), seeds, engine, tmp_path)
    ids = {task.id for task in seeds}
    shown = {task.meta["request"]: task.parents for task in tasks}

    mix = [Counter(id in ids for id in demos) for demos in shown.values()]
    assert mix[0] == {True: 8}
    assert all(m == {True: 6, False: 2} for m in mix[1:])
    assert len(set(shown.values())) == len(shown)


def test_the_prompt_of_a_request_knows_only_completions_a_window_before_it(seeds, tmp_path):
    tasks = decide(Instructions(num_tasks=60, window=5), seeds, Scripted(answer, window=5), tmp_path)
    written_by = {task.id: task.meta["request"] for task in tasks}

    for task in tasks:
        assert all(written_by[id] <= task.meta["request"] - 5 for id in task.parents if id in written_by)


def test_a_cut_off_completion_loses_only_its_last_item(seeds, tmp_path):
    def cut(request: Request) -> Completion:
        return Completion(id=request.id, text=answer(request), finish_reason="length")

    tasks = decide(Instructions(num_tasks=3, window=1, max_rouge=0.99), seeds, Scripted(cut, window=1), tmp_path)

    assert [task.rejected for task in tasks] == [None, None, None]
    more = decide(Instructions(num_tasks=4, window=1, max_rouge=0.99), seeds, Scripted(cut, window=1), tmp_path)
    assert [task.rejected for task in more][:5] == [None, None, None, "cut_off", None]


def test_an_empty_completion_is_accounted_for(seeds, tmp_path):
    empty_first = Scripted(lambda r: "" if r.id.endswith("-0") else answer(r), window=1)
    tasks = decide(Instructions(num_tasks=2, window=1), seeds, empty_first, tmp_path)

    assert (tasks[0].rejected, tasks[0].meta["request"]) == ("empty", 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Name three rivers", "too_short"),
        ("word " * 151, "too_long"),
        ("Describe what the picture shows you", "unsuitable_word"),
        ("Describe how photography works in detail", None),
        ("Please Go To the nearest shop now", "unsuitable_word"),
        ("Write a program that adds numbers", "asks_for_program"),
        ("write a Program that adds numbers", "asks_for_program"),
        ('"Translate this" sentence into German', "starts_with_punctuation"),
        ("Écris une phrase sur la mer", "starts_non_ascii"),
        ("Sure, here are some new tasks:", "preamble"),
        ("Describe what a river and a engine have in common.", "not_new"),
    ],
)
def test_each_filter_has_its_own_reason(seeds, tmp_path, text, reason):
    engine = Scripted(lambda request: f" {text}\n10. Invent a holiday that only bakers would celebrate", window=1)
    first = decide(Instructions(num_tasks=1, window=1), seeds, engine, tmp_path)[0]

    assert first.rejected == reason


def test_the_nearest_text_and_its_score_are_kept_with_a_task_that_is_not_new(seeds, tmp_path):
    text = "Describe what a river and a garden have in common"
    engine = Scripted(lambda request: f" {text}\n10. Invent a holiday that only bakers would celebrate", window=1)
    first = decide(Instructions(num_tasks=1, window=1), seeds, engine, tmp_path)[0]

    assert first.meta["nearest"] == seeds[0].instruction
    assert first.scores == {"rouge_l": 0.9}


def test_other_scripts_are_compared_too(tmp_path):
    seeds = [Task(id=str(n), instruction=f"第{n}个任务是写一首关于春天的诗") for n in range(8)]
    twice = Scripted(lambda request: " 解释为什么天空在白天是蓝色的\n10. 解释为什么天空在白天是蓝色的", window=1)
    tasks = decide(Instructions(num_tasks=1, window=1, english=False), seeds, twice, tmp_path)
    more = Instructions(num_tasks=2, window=1, english=False)

    assert tasks[0].kept
    decided = []
    with pytest.raises(Exception, match="stuck at 1 of 2"):
        decided.extend(more.model_copy(update={"patience": 2}).decide((), (), Context(seeds, twice, tmp_path)))


def test_each_request_has_a_sampling_seed_of_its_own(seeds, tmp_path):
    engine = Scripted(answer)
    decide(Instructions(num_tasks=20), seeds, engine, tmp_path)

    assert len({request.sampling.seed for request in engine.requests}) == len(engine.requests)


def test_a_request_that_cannot_succeed_is_set_aside_with_its_reason(seeds, tmp_path):
    def broken(request: Request) -> str | Completion:
        if request.id.endswith("-1"):
            return Completion(id=request.id, text="the prompt is too long", finish_reason="error")
        return answer(request)

    tasks = decide(Instructions(num_tasks=10, window=1), seeds, Scripted(broken, window=1), tmp_path)

    assert [task.rejected for task in tasks if task.meta["request"] == 1] == ["request_failed"]


def test_contradictory_settings_are_refused():
    with pytest.raises(ValidationError, match="num_generated_demos 9 is more than num_demos 8"):
        Instructions(num_generated_demos=9)


class Chat(Scripted):
    """A chat model, which may or may not go on with an answer that is begun for it."""

    def __init__(self, can_prefill):
        super().__init__(answer, chat=True)
        self.can_prefill = can_prefill


def first_request(engine, seeds, tmp_path, **settings):
    next(iter(Instructions(num_tasks=5, **settings).decide((), (), Context(seeds, engine, tmp_path))))
    return engine.requests[0]


def test_the_list_of_a_chat_model_is_begun_for_it_where_the_engine_can(seeds, tmp_path):
    begun = first_request(Chat(can_prefill=True), seeds, tmp_path)
    asked = first_request(Chat(can_prefill=False), seeds, tmp_path)

    [message] = begun.prompt
    assert message["content"].startswith("Write a numbered list of tasks")
    assert begun.prefill.startswith("1. ")
    assert begun.prefill.endswith("\n9.")
    assert asked.prefill == ""
    assert asked.prompt[0]["content"].endswith("\n9.")
    assert begun.prefill in asked.prompt[0]["content"]


@pytest.mark.parametrize(
    ("settings", "ends"),
    [
        ({}, ["\n\n", "\n16.", "\n16 ."]),
        ({"max_items": 3}, ["\n\n", "\n12.", "\n12 ."]),
        ({"num_demos": 4, "max_items": 1}, ["\n\n", "\n6.", "\n6 ."]),
        ({"sampling": Sampling(stop=("\n\n", "\n16"))}, ["\n\n", "\n16"]),
    ],
)
def test_generation_ends_before_the_first_item_that_is_not_asked_for(settings, ends, seeds, tmp_path):
    assert first_request(Scripted(answer), seeds, tmp_path, **settings).sampling.stop == tuple(ends)


def test_of_a_list_that_numbers_anew_no_more_is_read_than_was_asked_for(seeds, tmp_path):
    text = "\n".join(f"{n}. {VERBS[n]} the {NOUNS[n]} and what is said of it" for n in range(1, 9))
    completion = Completion(id="1", text=text)

    assert len(list(Instructions(max_items=3).parse(completion, (), 0))) == 3
