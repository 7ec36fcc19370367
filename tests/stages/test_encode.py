"""Metadata: what is asked, what is written into `meta`, and that no task is lost for want of it."""

import pytest

from pipeline import Completion, Context, Instance, Request, Task
from pipeline.engines.scripted import Scripted
from pipeline.stages import Encode
from tests.runs.rewriting import asked_for

GIVEN = [
    Task(id="task_a", instruction="Name the river.", instances=(Instance(input="It runs through Vienna.", output="x"),)),
    Task(id="task_b", instruction="Sum it up.", meta={"passage": "A long text on bees.", "level": "apply"}),
]  # fmt: skip


def encode(folder, says, tasks=GIVEN, **settings):
    engine = Scripted(says)
    return list(Encode(**settings).decide(tasks, (), Context((), engine, folder))), engine.requests


def good(request: Request) -> str:
    last = asked_for(request).rsplit("\n", 1)[-1]
    return {"Use case:": " maps\nSkills: memory, geography", "Difficulty:": " 2", "Mood:": " calm"}[last]


def test_each_kind_is_one_request_and_goes_into_the_metadata(tmp_path):
    tasks, asked = encode(tmp_path, good, kinds=("use_case", "difficulty"))

    assert [task.id for task in tasks] == ["task_a", "task_b"]
    assert tasks[0].meta == {"use_case": "maps", "skills": ["memory", "geography"], "difficulty": "2"}
    assert tasks[1].meta["passage"] == "A long text on bees."
    assert sorted(request.id for request in asked) == [
        "task_a:difficulty", "task_a:use_case", "task_b:difficulty", "task_b:use_case",
    ]  # fmt: skip


def test_input_and_passage_are_shown_up_to_a_limit(tmp_path):
    _, asked = encode(tmp_path, good, max_chars=10)
    prompts = {request.id: asked_for(request) for request in asked}

    assert "\nInput: It runs th\nUse case:" in prompts["task_a:use_case"]
    assert "\nPassage: A long tex\nUse case:" in prompts["task_b:use_case"]


def test_what_cannot_be_read_is_counted_and_the_task_stays(tmp_path, caplog):
    tasks, _ = encode(
        tmp_path, lambda request: " 2" if "task_a" in request.id else " hard to say", kinds=("difficulty",)
    )

    assert [task.meta.get("difficulty") for task in tasks] == ["2", None]
    assert tasks[1].kept
    assert tasks[1].meta["unreadable"] == ["difficulty"]
    assert tasks[1].meta["level"] == "apply"
    assert (
        "encode: 1 of 2 answers about difficulty cannot be read or repeat the prompt, so their tasks have none"
        in caplog.text
    )


@pytest.mark.parametrize(
    ("kind", "text", "taken"),
    [
        ("persona", " a student who cooks once a week in a shared kitchen", False),
        ("persona", " Describe in one sentence a person who would be likely to ask for this", False),
        ("persona", " a student who rows on the river every day", True),
        ("persona", " somebody who has to name the river that runs through Vienna", True),
        ("use_case", " writing messages\nSkills: polite phrasing, stating a request, brevity", False),
        ("use_case", " writing messages\nSkills: brevity, spelling", True),
        ("concepts", " physics\nConcepts: density; states of matter; hydrogen bonds", False),
        ("concepts", " physics\nConcepts: density; currents", True),
        ("concepts", " history\nConcepts: democracy; citizenship; slavery", False),
        ("concepts", " history\nConcepts: slavery; ancient Rome", True),
        ("tags", " spelling, proofreading, letters, housing", False),
        ("tags", " rivers, naming", True),
        ("difficulty", " 1", True),
        ("level", " understand", True),
    ],
)
def test_what_repeats_the_example_of_the_prompt_says_nothing_of_the_task(tmp_path, kind, text, taken):
    (task,), _ = encode(tmp_path, lambda request: text, GIVEN[:1], kinds=(kind,))

    assert ("unreadable" not in task.meta) == taken
    assert bool(task.meta.keys() - {"unreadable"}) == taken


def test_a_task_whose_request_failed_stays_undecided(tmp_path):
    def says(request: Request) -> str | Completion:
        failed = request.id == "task_a:difficulty"
        return Completion(id=request.id, text="too long", finish_reason="error") if failed else good(request)

    tasks, _ = encode(tmp_path, says, kinds=("use_case", "difficulty"))
    assert [task.id for task in tasks] == ["task_b"]


def test_a_kind_of_ones_own_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "encode_mood.jinja").write_text("Name a mood.\nTask: {{ instruction }}\nMood:")
    tasks, _ = encode(tmp_path, good, kinds=("encode_mood.jinja",))

    assert tasks[0].meta["mood"] == "calm"
