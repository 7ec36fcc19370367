"""Filters: what each rejects and lets pass, and how settings turn one on or off by its name."""

import ast
import re
import time
from pathlib import Path

import pytest

from pipeline import Instance, SproutError, Task, read_seeds
from pipeline.filters.base import example_of
from pipeline.filters.find import INSTANCE, INSTANCES, INSTRUCTION, applied, first_reason, instance_reason, reasons_of
from pipeline.settings.build import build_stage
from pipeline.settings.read import read
from pipeline.stage import Stage
from pipeline.stages import find, names
from pipeline.stages.filter import Filter
from pipeline.stages.instructions import Instructions

ROOT = Path(__file__).parents[2]
KINDS = {"instruction": INSTRUCTION, "instance": INSTANCE, "instances": INSTANCES}
ALL = [(kind, name) for kind, one in KINDS.items() for name in reasons_of(one)]
CAT = "The cat is a cat that sat on the mat. "
REPORT = "Sales rose by a fifth in the first quarter of the year."


def reason(output: str, input: str = "", instruction: str = "Say something about it.", **fields: object) -> str | None:
    task = Task(id="1", instruction=instruction, instances=(Instance(input=input, output=output),), **fields)
    return Filter().judge(task).rejected


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_filter_objects_to_its_example_and_names_what_it_objects_to(kind, name):
    check = applied(KINDS[kind], {name: True})[name]
    task = example_of(check)
    given = {"instruction": [(task,)], "instance": [(one, task) for one in task.instances]}

    for arguments in given.get(kind, [(task.instances, task)]):
        assert check(*arguments), arguments


@pytest.mark.parametrize("name", ["general", "nano"])
def test_no_filter_objects_to_a_seed_that_ships(name):
    for task in read_seeds(name):
        assert Filter().judge(task) == task, task.id
        assert first_reason(task, applied(INSTRUCTION, {})) is None, task.id


@pytest.mark.parametrize(
    ("output", "given", "expected"),
    [
        (CAT * 3, {}, "repetition"),
        (CAT + "And so is the dog, as far as anybody in this house can say.", {}, None),
        ("He is a mortal, a mortal, a mortal, a mortal, a mortal.", {}, "repetition"),
        (CAT * 3, {"instruction": "Repeat the sentence three times."}, None),
        ("yes, no, no, yes, no, no, no, yes, yes, no, no, yes", {}, None),
        ("yes, no, yes, no, yes, no, yes, no, yes, no, yes, no", {}, "repetition"),
        ("0 1 1 0 1 0 0 1 1 0 1 0 0 1 1 0 1 0", {}, None),
        ("Sure! However, as a chatbot, I'm not made for spas.", {}, "refusal"),
        ("Good idea. I don't have the capability to book a table.", {}, "refusal"),
        ("While I'm happy to assist, I'm unable to provide a list of languages.", {}, "refusal"),
        ("Let me see. I do not have access to the latest prices.", {}, "refusal"),
        ("I’m unable to provide that, and I’m sorry.", {}, "refusal"),
        ("x" * 400 + " I'm unable to provide a list.", {}, None),
        ("I'm unable to provide a refund.", {"instruction": "Write a reply to the customer's letter."}, None),
        ("I am unable to attend on Monday.", {}, None),
        ("As an assistant manager, I led a team of nine people.", {}, None),
        ("Chatbots are programs. A chatbot answers questions.", {}, None),
        ("I'm ready to edit a text. Go ahead and share the text, and I'll refine it.", {}, "asks_back"),
        ("Here it is shorter. Go ahead and share the link with friends.", {"input": REPORT}, None),
        ("Go ahead and share the link.", {"instruction": "Write a message to a friend."}, None),
        ("Go ahead and share a bowl of soup.", {}, None),
        (REPORT, {"input": REPORT[:-1]}, "repeats_input"),
        (f"{REPORT} That is all.", {"input": REPORT}, "repeats_input"),
        (f"{REPORT} That is all.", {"input": REPORT, "instruction": "Continue the text."}, None),
        (REPORT.upper(), {"input": REPORT, "instruction": "Put the text in capitals."}, None),
        ("cat", {"input": "cat or dog", "instruction": "Say which one purrs."}, None),
        ("Chile has one border.", {"input": "Chile"}, None),
        ("Output:\nOutput:\nOutput", {}, "only_markers"),
        ("A: A: A: A: A", {}, "only_markers"),
        ("Answer: 42", {}, None),
        ("It depends on what people expect.", {"instruction": "Is it fun? Answer with one word."}, "not_a_word"),
        ("It depends.", {"instruction": "Is it fun? Answer with one word."}, None),
        ("It rains, and so we stay.", {"instruction": "Answer with one word and say why."}, None),
        ("There are many of them here.", {"instruction": "Count. Answer with a number."}, "not_a_number"),
        ("There are three of them here.", {"instruction": "Count. Answer with a number."}, None),
        ("There are many of them here.", {"instruction": "How many birds are there?"}, None),
    ],
)  # fmt: skip
def test_what_weak_models_write_for_an_answer_is_rejected_and_answers_are_not(output, given, expected):
    assert reason(output, **given) == expected


def test_a_looping_refusal_of_a_label_has_the_reason_that_says_most():
    assert reason("As an AI, I cannot tell. " * 20, is_classification=True) == "refusal"


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("I'm so sorry to hear about your loss, but I'm here to help you. What can I do?", "assistant_voice"),
        ("I am an AI assistant designed to answer questions of users.", "assistant_voice"),
        ("Hello! How can I help you today?", "assistant_voice"),
        ("Thanks for asking. I’m always happy to assist you with your garden.", "assistant_voice"),
        ("I'm not sure what you mean, but I'll do my best to assist you.", "assistant_voice"),
        ("I'm here to help my daughter with fractions. Which game teaches them?", None),
        ("I'm a retired baker. How can I help my neighbour's children to like bread?", None),
        ("I am an AI researcher. Explain to my aunt what I do.", None),
        ('Translate into French: "How can I help you?"', None),
        ("How can I help you relax? Write what a spa says on its first page.", None),
        ("I'm sorry for being late. Write that more politely.", None),
        ("Reply to a customer who writes: I'm sorry for the confusion.", None),
    ],
)
def test_an_instruction_that_speaks_as_the_assistant_is_no_task(instruction, expected):
    assert first_reason(Task(id="1", instruction=instruction), applied(INSTRUCTION, {})) == expected


@pytest.mark.parametrize("recipe", ["default", "quickstart", None])
def test_the_filters_made_for_gpt_3_are_off_but_in_the_recipe_paper(recipe):
    task = Task(id="1", instruction="Write a program that shows a picture on a map.")

    assert build_stage("instructions", read(recipe)).objection(task) is None
    assert build_stage("instructions", read("paper")).objection(task) == "unsuitable_word"


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_settings_turn_each_filter_on_and_off_by_its_name(kind, name):
    stage = "instructions" if kind == "instruction" else "filter"
    task = example_of(applied(KINDS[kind], {name: True})[name])

    def rejects(*changes: str) -> bool:
        found = build_stage(stage, read(None, changes))
        if isinstance(found, Instructions):
            return name in {n for n, check in found.filters_applied().items() if check(task) is not None}
        judged = found.judge(task)
        return name in {judged.rejected, *judged.meta.get("left_out", {})}

    assert rejects(f"{stage}.filters.{name}=true")
    assert not rejects(f"{stage}.filters.{name}=false")


@pytest.mark.parametrize("stage", ["instructions", "filter"])
def test_a_filter_that_there_is_not_is_refused_with_the_one_that_is_meant(stage):
    with pytest.raises(SproutError, match=rf"\[{stage}\] filters: there is no filter 'refusals'; did you mean refusal"):
        build_stage(stage, read(None, [f"{stage}.filters.refusals=false"]))


def test_every_reason_that_a_stage_gives_is_in_the_docs_with_its_meaning():
    page = (ROOT / "docs" / "reasons.md").read_text("utf-8")
    stages = [kind for name in names() if issubclass(kind := find(name), Stage)]

    assert all(f"| `{name}`" in page and one.meaning for kind in stages for name, one in kind.reasons.items())
    assert not [reason for kind in stages for reason, one in kind.reasons.items() if not one.example]


def reasons_in(module: Path) -> set[str]:
    """The reasons that the code of a stage gives, in `task.reject("…")` or a method of its own of that name."""
    calls = [node for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Call)]
    rejecting = [call for call in calls if getattr(call.func, "attr", "") in ("reject", "rejected")]
    words = [one for call in rejecting for argument in call.args for one in ast.walk(argument)]
    return {
        str(one.value) for one in words if isinstance(one, ast.Constant) and re.fullmatch(r"[a-z_]+", str(one.value))
    }


@pytest.mark.parametrize("name", names())
def test_a_stage_lists_the_reasons_that_its_code_gives(name):
    assert reasons_in(ROOT / "pipeline" / "stages" / f"{name}.py") <= {*getattr(find(name), "reasons", {})}


def test_why_names_the_word_that_objected(tmp_path):
    stage = Instructions(filters={"unsuitable_word": True})
    task = Task(id="1", instruction="Describe the old picture.", rejected="unsuitable_word")
    both = Task(id="2", instruction="Name it.", instances=(Instance(output="Sure, but as a chatbot I cannot."),))

    assert "filter unsuitable_word: rejects 'picture'" in [*stage.explain(task, None, ())]
    assert "filter too_long: passes" in [*stage.explain(task, None, ())]
    assert "instance 1: rejected by refusal ('as a chatbot I')" in [*Filter().explain(Filter().judge(both), both, ())]


def test_a_filter_takes_no_long_time_whatever_the_text():
    for text in ("a:  " * 5000, "output: " * 5000, "as a " * 5000, "I'm a very " * 5000, "answer a number " * 3000):
        task = Task(id="1", instruction=f"Do it. {text}", instances=(Instance(input=f"So: {text}.", output=text),))
        began = time.process_time()
        Filter().judge(task)
        first_reason(task, applied(INSTRUCTION, {}))
        assert time.process_time() - began < 2


REFUSALS = [
    "Lo siento, no puedo ayudar con eso.", "Desculpe, mas não posso responder a essa pergunta.", "Je suis désolé, mais je ne peux pas vous aider.", "Es tut mir leid, ich kann dir dabei nicht helfen.", "Mi dispiace, non posso aiutarti.", "Het spijt me, daar kan ik niet bij helpen.", "Przykro mi, nie mogę pomóc.",
    "Извините, я не могу помочь с этим.", "Üzgünüm, bu konuda yardımcı olamam.", "Xin lỗi, tôi không thể giúp bạn việc này.", "Maaf, saya tidak dapat membantu.", "很抱歉，我无法回答这个问题。", "申し訳ありませんが、お答えできません。", "죄송합니다. 도와드릴 수 없습니다.", "عذرًا، لا يمكنني المساعدة.", "मुझे खेद है, मैं इसमें मदद नहीं कर सकता।",
    "I must respectfully decline.", "My apologies, but I cannot do that.",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_in_another_language_is_no_task_and_no_output(text):
    task = Task(id="1", instruction="Name a river.", instances=(Instance(output=text),))

    assert first_reason(task.update(instruction=text), applied(INSTRUCTION, {"starts_non_ascii": False})) == "refusal"
    assert instance_reason(task.instances[0], task, applied(INSTANCE, {})) == "refusal"


@pytest.mark.parametrize(
    ("instruction", "output"),
    [
        ("写一封道歉信。", "很抱歉，我无法继续参加会议。"),
        ("Escribe una disculpa.", "Lo siento, no puedo ayudar hoy."),
        ("Translate into German.", "Es tut mir leid, dass ich zu spät bin."),
        ("Say it in Chinese.", "抱歉，我来晚了。"),
    ],
)
def test_an_apology_that_is_asked_for_is_an_output(instruction, output):
    task = Task(id="1", instruction=instruction, instances=(Instance(output=output),))

    assert instance_reason(task.instances[0], task, applied(INSTANCE, {})) is None


@pytest.mark.parametrize(
    "text",
    ["希望这些任务对您有帮助！", "Espero que estas tareas te sean útiles.", "Ich hoffe, diese Aufgaben sind hilfreich!", "Надеюсь, эти задания помогут!", "如果您需要更多任务，请告诉我。", "I hope these tasks are helpful for you."],
)  # fmt: skip
def test_a_sign_off_in_another_language_is_no_task(text):
    task = Task(id="1", instruction=text)

    assert first_reason(task, applied(INSTRUCTION, {"starts_non_ascii": False})) == "sign_off"


@pytest.mark.parametrize(
    "text",
    ["请提供您想要翻译的文本。", "Por favor, proporciona el texto.", "Please paste the article you'd like summarized."],
)
def test_an_output_that_asks_for_its_input_is_none(text):
    task = Task(id="1", instruction="Shorten it.", instances=(Instance(output=text),))

    assert instance_reason(task.instances[0], task, applied(INSTANCE, {})) == "asks_back"
