"""Composition: what a request is about, and that every combination has its turn."""

import gzip
import re
from collections import Counter

import pytest
from pydantic import ValidationError

from pipeline import Completion, Context, Request, SproutError, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.stages import Compose
from tests.conftest import answer
from tests.runs.rewriting import TURN, Chatty, asked_for, noise, toy

GIVEN = [
    Task(id="task_a", instruction="Plan a birthday party.", meta={"use_case": "plans", "skills": ["lists", "dates"]}),
    Task(id="task_b", instruction="Fix this old recipe.", meta={"use_case": "cooking", "skills": ["units"]}),
    Task(id="task_c", instruction="Sing it once more."),
]


def compose(folder, says, tasks=GIVEN, seeds=(), **settings):
    engine = says if isinstance(says, Scripted) else Scripted(says)
    context = Context(seeds, engine, folder, given=frozenset(task.id for task in tasks))
    decided = list(Compose(**settings).decide(tasks, (), context))
    return [task for task in decided if task.meta.get("by")], engine.requests


def varied(request: Request) -> str:
    """Words that no other request gets."""
    return " ".join(f"word{number}" for number in noise(request.id, asked_for(request))[:9])


def test_a_chat_model_that_is_given_its_template_alone_writes_the_instruction(tmp_path):
    tasks, asked = compose(tmp_path, toy(), (), num_tasks=5)

    assert {request.prompt for request in asked} == {TURN}
    assert len({request.sampling.seed for request in asked}) == len(asked)
    assert sum(task.kept for task in tasks) == 5
    assert {task.rejected for task in tasks} <= {None, "cut_off", "not_new"}


def test_an_empty_user_turn_needs_no_seeds_and_may_have_a_system_message(tmp_path):
    kept = run([Compose(num_tasks=3, system="You teach.")], [], engine := toy(), tmp_path)

    assert len(kept) == 3
    assert engine.requests[0].prompt == f"<|system|>You teach.{TURN}"


def test_lines_of_a_user_turn_stay_as_they_are_and_stop_strings_are_those_that_are_set(tmp_path):
    def says(request: Request) -> str:
        return f"Sort these words:\n\n- {varied(request)}<|im_end|>\nassistant: yes"

    tasks, asked = compose(tmp_path, Chatty(says), (), num_tasks=2)
    assert tasks[0].instruction.startswith("Sort these words:\n\n- word")
    assert "assistant" not in tasks[0].instruction
    assert asked[0].sampling.stop == ()


def test_an_engine_that_knows_no_chat_template_is_told_in_one_sentence(seeds, tmp_path):
    engine = Scripted(answer)
    with pytest.raises(
        SproutError, match=r"^compose: where a user's message to scripted begins is not known: [^\n]*template$"
    ):
        run([Compose(num_tasks=3)], seeds, engine, tmp_path)
    assert not engine.requests


def test_every_combination_has_its_turn_before_one_comes_again(tmp_path):
    values = {"topic": ("rivers", "bees", "ships"), "tone": ("calm", "merry")}
    tasks, _ = compose(tmp_path, varied, (), template="topic", values=values, num_tasks=12)
    pairs = [(task.meta["topic"], task.meta["tone"]) for task in tasks]

    assert len({*pairs[:6]}) == len({*pairs[6:]}) == 6
    assert pairs[:6] != pairs[6:]


def test_the_metadata_of_a_task_stays_together_unless_it_is_mixed(tmp_path):
    settings = {"template": "metadata", "meta": ("use_case", "skills"), "num_tasks": 60}
    apart, _ = compose(tmp_path, varied, **settings)
    mixed, _ = compose(tmp_path, varied, **settings, mix=True)

    pairs = {(task.meta["use_case"], task.meta["skills"]) for task in apart}
    assert pairs == {("plans", "lists"), ("plans", "dates"), ("cooking", "units")}
    assert all(task.parents == ("task_a" if task.meta["use_case"] == "plans" else "task_b",) for task in apart)
    assert {len(task.meta["skills"]) for task in mixed} == {1, 2, 3}
    assert any(task.meta["use_case"] == "cooking" and "dates" in task.meta["skills"] for task in mixed)
    assert {parent for task in mixed for parent in task.parents} == {"task_a", "task_b"}


def test_the_prompt_shows_what_was_drawn(tmp_path):
    _, asked = compose(tmp_path, varied, template="metadata", meta=("use_case", "skills"), num_tasks=1, num_each=4)
    prompt = asked_for(asked[0])

    assert prompt.startswith("Write a numbered list of 4 tasks")
    assert "\n5." in asked[0].sampling.stop
    assert prompt.endswith("\n\n1.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("persona.txt", "a baker\na sailor\n"),
        ("people.csv", "persona\na baker\na sailor\n"),
        ("people.jsonl", '{"persona": "a baker"}\n{"persona": "a sailor"}\n'),
        ("persona.json", '["a baker", "a sailor"]'),
        ("persona.txt", "\ufeffa baker\r\n\r\n a sailor\r\n".encode("utf-16-le")),
        ("persona.txt.gz", gzip.compress(b"a baker\ra sailor", mtime=0)),
    ],
)
def test_personas_come_from_a_file_of_any_kind(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    tasks, _ = compose(tmp_path, varied, (), template="persona", table=str(tmp_path / name), num_tasks=4)

    assert Counter(task.meta["persona"] for task in tasks) == {"a baker": 2, "a sailor": 2}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("persona.txt", "une fée\n".encode("cp1252"), "persona.txt:1: byte 0xe9 at column 6 is not UTF-8"),
        ("persona.txt", b"a baker\na\0sailor\n", "persona.txt:2: NUL bytes"),
        ("a.csv", b"persona,age\na baker,\n,9\n", "a.csv:3: persona is empty, and the template shows it; leave the row out"),
        ("a.json", b'[{"persona": "a baker"}, {"age": 9}]', "a.json:1: item 2: persona is empty"),
        ("a.csv", b"persona,count\na baker,2\n", "a.csv: count is the name of something else in each task; give the column"),
    ],
)  # fmt: skip
def test_a_table_that_leaves_a_prompt_without_a_value_is_refused(tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text)

    with pytest.raises(SproutError) as error:
        compose(tmp_path, varied, (), template="persona", table=str(tmp_path / name), num_tasks=4)
    assert said in str(error.value)


def test_a_changed_table_is_another_setting(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("persona\na baker\n")
    run([Compose(template="persona", table=str(path), num_tasks=2)], [], Scripted(varied), tmp_path / "run")
    path.write_text("persona\na cook\n")

    with pytest.raises(SproutError, match="begun with different settings: table in compose"):
        run([Compose(template="persona", table=str(path), num_tasks=2)], [], Scripted(varied), tmp_path / "run")


def test_a_table_that_is_missing_is_named_before_anything_is_asked(tmp_path):
    engine = Scripted(varied)
    with pytest.raises(SproutError, match=r"none\.csv"):
        run([Compose(template="persona", table=str(tmp_path / "none.csv"))], [], engine, tmp_path / "run")
    assert not engine.requests


@pytest.mark.parametrize("mix", [False, True])
def test_metadata_that_is_empty_in_all_tasks_is_an_error(mix, tmp_path):
    given = [Task(id="t", instruction="Say it.", meta={"topic": "tea", "skills": []})]

    with pytest.raises(SproutError, match="no task it is given has topic and skills in its metadata"):
        run([Compose(template="topic", meta=("topic", "skills"), mix=mix)], given, Scripted(str), tmp_path)


def test_metadata_that_no_task_has_is_an_error(tmp_path):
    with pytest.raises(SproutError, match=r"no task it is given has mood in its metadata; put a stage before it"):
        compose(tmp_path, varied, template="topic", meta=("mood",))


@pytest.mark.parametrize(("keep", "reason"), [(True, None), (False, "source")])
def test_the_tasks_it_is_given_are_kept_or_were_the_source(tmp_path, keep, reason):
    stage = Compose(template="metadata", meta=("use_case", "skills"), num_tasks=3, keep_given=keep)
    run([stage], GIVEN, Scripted(varied), tmp_path)
    decided = {task.id: task for task in read_tasks(tmp_path / "1_compose.jsonl")}

    assert {decided[task.id].rejected for task in GIVEN} == {reason}
    assert stage.wanted(3) == (6 if keep else 3)


def test_what_is_like_a_seed_or_a_given_task_is_not_new(tmp_path, seeds):
    texts = iter([seeds[0].instruction, "Plan a birthday party!", *(f"Word{n} b{n} c{n} d{n}" for n in range(9))])
    tasks, _ = compose(tmp_path, Scripted(lambda request: f" {next(texts)}", window=1), seeds=seeds, template="metadata",
                       meta=("use_case", "skills"), num_tasks=1)  # fmt: skip

    assert [task.rejected for task in tasks] == ["not_new", "not_new", None]


@pytest.mark.parametrize(
    ("persona", "said", "reason"),
    [
        ("a miller", "I have half a pot of lentil soup left from Sunday. How long can I keep it?", "copies_prompt"),
        (
            "a miller",
            "My flour is a year old. How long may I keep it in the fridge, and can I sell it?",
            "copies_prompt",
        ),
        ("a miller", "My flour is a year old. May I still sell it to the baker?", None),
        (
            "a cook who says: I have half a pot of lentil soup left",
            "I have half a pot of lentil soup left. Who wants it?",
            None,
        ),
    ],
)
def test_what_repeats_an_example_of_the_prompt_is_no_task(tmp_path, persona, said, reason):
    answers = iter([said])
    tasks, _ = compose(
        tmp_path,
        lambda request: next(answers, "") or varied(request),
        (),
        template="persona",
        values={"persona": [persona]},
        num_each=1,
        num_tasks=1,
    )

    assert tasks[0].instruction == said
    assert tasks[0].rejected == reason


def test_a_failed_request_and_a_cut_one_are_set_aside_with_their_reason(tmp_path):
    def says(request: Request) -> str | Completion:
        reason = {"compose-0": "error", "compose-1": "length"}.get(request.id, "stop")
        return Completion(id=request.id, text=varied(request), finish_reason=reason)

    tasks, _ = compose(tmp_path, Chatty(says), (), num_tasks=2)
    assert [task.rejected for task in tasks[:2]] == ["request_failed", "cut_off"]


def test_a_user_turn_that_ends_before_what_it_announces_is_no_task(tmp_path):
    said = iter(["Translate this sentence into German:", "请把下面的句子翻译成德文：", "Translate this: I am a goat."])
    tasks, _ = compose(tmp_path, Chatty(lambda request: next(said), window=1), (), num_tasks=1)

    assert [task.rejected for task in tasks] == ["ends_with_colon", "ends_with_colon", None]


@pytest.mark.parametrize("num_bad", [1, 3, 20])
def test_first_requests_that_bring_nothing_are_not_answered_with_a_flood(tmp_path, num_bad):
    def says(request: Request) -> Completion:
        bad = int(request.id.partition("-")[2]) < num_bad
        return Completion(id=request.id, text=varied(request), finish_reason="length" if bad else "stop")

    tasks, asked = compose(tmp_path, Chatty(says, window=1000), (), num_tasks=50)
    assert sum(task.kept for task in tasks) == 50
    assert len(asked) <= 2 * (50 + num_bad)


def test_nothing_new_for_long_ends_it_with_what_there_is_and_says_why(tmp_path, caplog):
    same = Chatty(lambda request: "What is a very long river?")
    said = r"compose: 7 requests in a row.*stuck at 1 of 3 \(rejected: not_new 7\)"

    tasks, _ = compose(tmp_path, same, (), num_tasks=3, patience=7)

    assert sum(task.kept for task in tasks) == 1
    assert re.search(said, caplog.text)
    with pytest.raises(SproutError, match=said):
        compose(tmp_path, same, (), num_tasks=3, patience=7, must_reach=True)


def test_more_tasks_later_add_to_what_is_there(tmp_path):
    def stage(num_tasks: int) -> Compose:
        return Compose(template="topic", values={"topic": ("rivers", "bees")}, num_tasks=num_tasks)

    run([stage(3)], [], Scripted(varied), tmp_path / "grown")
    small = (tmp_path / "grown" / "1_compose.jsonl").read_bytes()
    run([stage(9)], [], Scripted(varied), tmp_path / "grown")
    run([stage(9)], [], Scripted(varied), tmp_path / "whole")

    assert (tmp_path / "grown" / "1_compose.jsonl").read_bytes().startswith(small)
    assert (tmp_path / "grown" / "1_compose.jsonl").read_bytes() == (
        tmp_path / "whole" / "1_compose.jsonl"
    ).read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"template": "topic", "values": {"count": ("a",)}}, "count is the name of something else in each task"),
        ({"meta": ("use_case",)}, "template is missing: values, table and meta have no place in an empty user turn"),
        ({"template": "topic", "system": "You teach."}, "system: it is for an empty user turn"),
        ({"template": "topic", "values": {"topic": ()}}, "values: topic has no values"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Compose(**settings)


def test_a_million_personas_take_no_time_to_draw_from():
    from pipeline.stages._draws import Axis, Drawn, Draws

    draws = Draws([Axis([Drawn({"n": n}) for n in range(1000)]), Axis([Drawn({"m": m}) for m in range(1000)])], {}, "0")
    first = [tuple(draws.at(number).values.values()) for number in range(2000)]
    assert len({*first}) == 2000
    assert len({n for n, _ in first}) > 500
