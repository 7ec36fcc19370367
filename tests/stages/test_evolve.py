"""Evolution: which operation a round takes, what eliminates a version, and which of a family are kept."""

import json
from collections import Counter

import pytest
from pydantic import ValidationError

from pipeline import Completion, Context, Instance, Request, SproutError, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.stages import Evolve, Export
from tests.runs.rewriting import asked_for, toy

GIVEN = [Task(id=f"task_{n}", instruction=f"Describe {n} rivers.", meta={"use_case": "maps"}) for n in range(6)]


def evolve(folder, says, tasks=GIVEN, seeds=(), chat=False, **settings):
    engine = says if isinstance(says, Scripted) else Scripted(says, chat=chat)
    context = Context(seeds, engine, folder, given=frozenset(task.id for task in tasks))
    return list(Evolve(**settings).decide(tasks, (), context)), engine.requests


def number(request: Request) -> str:
    """The task with the number of its round behind it."""
    return f" {shown(request)} And name {request.id.rpartition(':')[2]} more."


def shown(request: Request) -> str:
    return asked_for(request).rpartition("\nTask: ")[2].partition("\n")[0]


def kept(tasks):
    return [task.instruction for task in tasks if task.kept]


def test_the_last_version_takes_the_place_of_the_task_and_each_names_its_parent(tmp_path):
    tasks, _ = evolve(tmp_path, number, GIVEN[:1], rounds=3)
    versions = [task for task in tasks if task.parents]

    assert kept(tasks) == ["Describe 0 rivers. And name 1 more. And name 2 more. And name 3 more."]
    assert [task.rejected for task in tasks] == ["evolved", "evolved", None, "evolved"]
    assert [task.id for task in tasks][-1] == "task_0"
    assert [task.parents for task in versions] == [("task_0",), (versions[0].id,), (versions[1].id,)]
    assert [task.meta["round"] for task in versions] == [1, 2, 3]
    assert all(task.meta["use_case"] == "maps" for task in versions)


@pytest.mark.parametrize(("keep", "num", "root"), [("all", 4, None), ("versions", 3, "source")])
def test_all_versions_are_kept_if_that_is_asked_for(tmp_path, keep, num, root):
    tasks, _ = evolve(tmp_path, number, GIVEN[:1], rounds=3, keep=keep)

    assert len(kept(tasks)) == num
    assert tasks[-1].rejected == root


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" describe 0 RIVERS", "same"),
        (" I'm sorry, but I cannot assist with that request.", "refusal"),
        (" Be brief.", "too_short"),
        (" Describe it. Give the new task alone, and do not solve it.", "copies_prompt"),
        (" Suggest a name for a bakery of two words.", "copies_prompt"),
        (" Describe it as the given prompt does, in verse.", "copies_prompt"),
        (" I'm afraid I'm unable to assist with what you need.", "refusal"),
        (" This is too broad, so the new task is about rivers.", "copies_prompt"),
        (" 1234 5678 90 12", "no_words"),
        (" Describe the <|im_end|> rivers of two lands", "chat_token"),
        (" Here are some new tasks for you:", "preamble"),
        (Completion(id="", text=" Describe two rivers and", finish_reason="length"), "cut_off"),
        (" Describe 0 rivers and two lakes.", None),
        (" Describe 0 rivers in verse, and name the land of each.", None),
    ],
)
def test_a_version_is_eliminated_with_a_reason_and_the_next_round_starts_from_its_parent(tmp_path, text, reason):
    def says(request: Request) -> str | Completion:
        if request.id.endswith(":2"):
            return number(request)
        return text.model_copy(update={"id": request.id}) if isinstance(text, Completion) else text

    tasks, asked = evolve(tmp_path, says, GIVEN[:1], rounds=2, operations=("constrain",))

    assert tasks[0].rejected == (reason or "evolved")
    assert (shown(asked[1]) == "Describe 0 rivers.") == bool(reason)
    assert len(kept(tasks)) == 1


def test_a_task_of_which_no_version_passes_stays(tmp_path):
    tasks, _ = evolve(tmp_path, lambda request: " No.", rounds=2)

    assert kept(tasks) == [task.instruction for task in GIVEN]
    assert Counter(task.rejected for task in tasks) == {"too_short": 12, None: 6}


@pytest.mark.parametrize(("verdict", "reason"), [(" Yes", "no_gain"), (" No", "evolved"), (" Perhaps", "evolved")])
def test_the_model_says_whether_a_version_is_another_task(tmp_path, verdict, reason):
    def says(request: Request) -> str:
        first = "First task: Describe 0 rivers.\nSecond task: Describe 0 rivers. And name 1 more.\nThe same:"
        if request.id.endswith(":1:gain"):
            assert asked_for(request).endswith(first)
        return verdict if request.id.endswith(":gain") else number(request)

    tasks, asked = evolve(tmp_path, says, GIVEN[:1], rounds=2, check_gain=True)
    assert tasks[0].rejected == reason
    assert len(asked) == 4
    assert {request.sampling.stop for request in asked if request.id.endswith(":gain")} == {("\n",)}


def test_a_chat_model_may_say_so_in_a_block_of_code(tmp_path):
    def says(request: Request) -> str:
        text = "```\nYes\n```" if request.id.endswith(":gain") else number(request)
        return min((text.partition(stop)[0] for stop in request.sampling.stop), key=len, default=text)

    tasks, _ = evolve(tmp_path, says, GIVEN[:1], chat=True, rounds=1, check_gain=True)
    assert tasks[0].rejected == "no_gain"


def test_what_was_eliminated_is_not_asked_about(tmp_path):
    _, asked = evolve(tmp_path, lambda request: " No.", GIVEN[:1], rounds=2, check_gain=True)

    assert [request.id.rpartition(":")[2] for request in asked] == ["1", "2"]


def test_a_version_like_another_text_of_the_pool_is_not_new_and_the_first_one_wins(tmp_path):
    seeds = [Task(id="seed", instruction="Compare four old bridges.")]

    def says(request: Request) -> str:
        return " Compare four old bridges!" if "task_3" in request.id else " Sort all of these nine tools by trade."

    tasks, _ = evolve(tmp_path, says, seeds=seeds, max_rouge=0.7)
    versions = {task.parents[0]: task for task in tasks if task.parents}
    assert [versions[f"task_{n}"].rejected for n in range(6)] == [None, *["not_new"] * 5]
    assert versions["task_3"].meta["nearest"] == "Compare four old bridges."
    assert [task.rejected for task in tasks if not task.parents] == ["evolved", *[None] * 5]


def test_a_version_may_be_like_its_own_parents(tmp_path):
    tasks, _ = evolve(tmp_path, lambda request: f" {shown(request)[:-1]} well.", GIVEN[:1], rounds=2, max_rouge=0.3)

    assert kept(tasks) == ["Describe 0 rivers well well."]


def test_if_the_last_version_is_not_new_the_one_before_it_takes_the_place(tmp_path):
    def says(request: Request) -> str:
        return " Compare four old bridges." if request.id.endswith(":2") else number(request)

    seeds = [Task(id="seed", instruction="Compare four old bridges.")]
    tasks, _ = evolve(tmp_path, says, GIVEN[:1], seeds, rounds=2, max_rouge=0.9)
    assert [task.rejected for task in tasks] == [None, "not_new", "evolved"]


def test_operations_are_equally_likely_and_depend_on_the_seed_alone(tmp_path):
    tasks = [Task(id=f"task_{n}", instruction=f"Describe {n} rivers.") for n in range(400)]
    names = ("constrain", "deepen", "widen", "reason")
    drawn = {}
    for seed, window in ((0, 1), (0, 64), (1, 8)):
        engine = Scripted(number, window=window)
        found, _ = evolve(tmp_path, engine, tasks, operations=names, random_seed=seed)
        drawn[seed, window] = [task.meta["operation"] for task in found if task.parents]

    assert all(70 < count < 130 for count in Counter(drawn[0, 1]).values())
    assert drawn[0, 1] == drawn[0, 64] != drawn[1, 8]


def test_operations_and_values_by_turns_give_every_combination(tmp_path):
    values = {"language": ("French", "Hindi")}
    settings = {"choice": "turns", "start": "given", "keep": "all", "rounds": 2, "values": values}
    tasks, asked = evolve(tmp_path, number, GIVEN[:2], operations=("translate",), **settings)

    assert [task.meta["language"] for task in tasks if task.parents] == ["French", "Hindi"] * 2
    assert all(task.parents[0] in ("task_0", "task_1") for task in tasks if task.parents)
    assert "Translate the task into Hindi" in asked_for(next(one for one in asked if one.id.endswith(":2")))


def test_self_rubrics_are_asked_for_once_a_task_and_each_round_takes_one(tmp_path):
    def says(request: Request) -> str:
        if request.id.endswith(":0"):
            assert "for this use: maps" in asked_for(request)
            return " Add a map of the land.\n2. Ask for two answers."
        return number(request)

    tasks, asked = evolve(tmp_path, says, GIVEN[:1], operations=("rubric",), rounds=3)
    actions = [task.meta["action"] for task in tasks if task.parents]
    assert {*actions} <= {"Add a map of the land.", "Ask for two answers."}
    assert [f"Action: {action}\n" in asked_for(one) for action, one in zip(actions, asked[1:], strict=True)] == [
        True
    ] * 3
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("how", "instances", "label"), [("none", (), None), ("kept", (Instance(input="a", output="b"),), True)]
)
def test_instances_of_the_parent_stay_where_the_task_stays_the_same(tmp_path, how, instances, label):
    given = GIVEN[0].update(instances=(Instance(input="a", output="b"),), is_classification=True)
    tasks, _ = evolve(tmp_path, number, [given], instances=how)

    assert (tasks[0].instances, tasks[0].is_classification) == (instances, label)


def test_a_version_can_come_with_its_own_instance(tmp_path):
    tasks, _ = evolve(
        tmp_path, lambda request: " Name this small bird.\nInput: red breast\nOutput: robin", GIVEN[:1],
        operations=("pair",), instances="written", keep="all",
    )  # fmt: skip

    assert tasks[0].instances == (Instance(input="red breast", output="robin"),)


def test_a_version_that_lacks_the_instance_it_was_to_come_with_is_eliminated(tmp_path):
    tasks, _ = evolve(
        tmp_path, lambda request: " Name this small bird.", GIVEN[:1], operations=("pair",), instances="written"
    )

    assert [task.rejected for task in tasks] == ["no_instances", None]


def test_an_operation_of_ones_own_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pirate.jinja").write_text("Say it as a {{ role }} would.\nTask: {{ instruction }}\nNew task:")
    settings = {"operations": ("pirate.jinja",), "values": {"role": ("pirate",)}}
    run([Evolve(**settings)], GIVEN, Scripted(number), tmp_path / "run")

    tasks = list(read_tasks(tmp_path / "run" / "1_evolve.jsonl"))
    assert tasks[0].meta["operation"] == tasks[0].meta["role"] == "pirate"
    assert "pirate.jinja" in json.loads((tmp_path / "run" / "settings.json").read_text())["evolve"]
    (tmp_path / "pirate.jinja").write_text("Say it as a {{ role }} might.\nTask: {{ instruction }}\nNew task:")
    with pytest.raises(SproutError, match=r"begun with different settings: pirate\.jinja in evolve"):
        run([Evolve(**settings)], GIVEN, Scripted(number), tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"operations": ("gain",)}, "operations: gain is a prompt of another kind"),
        ({"operations": ()}, "operations"),
        ({"values": {"language": ()}}, "values: language has no values"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Evolve(**settings)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("sing", r"evolve_sing\.jinja: no such template"),
        ("mine/sing.jinja", r"mine/sing\.jinja: no such template; give"),
    ],
)
def test_an_operation_that_is_not_there_is_named_before_anything_is_asked(tmp_path, operation, message):
    engine = Scripted(number)
    with pytest.raises(SproutError, match=message):
        run([Evolve(operations=(operation,))], GIVEN, engine, tmp_path)
    assert not engine.requests


def test_a_value_that_a_template_wants_and_does_not_get_is_an_error(tmp_path):
    with pytest.raises(
        SproutError, match=r"evolve_translate\.jinja:\d: 'language' is undefined; it may use instruction"
    ):
        run([Evolve(operations=("translate",))], GIVEN, Scripted(number), tmp_path)


def test_a_chat_model_gets_messages_and_no_stop_strings_but_those_that_are_set(tmp_path):
    _, asked = evolve(tmp_path, number, GIVEN[:1], chat=True)
    _, own = evolve(tmp_path, number, GIVEN[:1], chat=True, sampling={"stop": ("END",)})
    _, base = evolve(tmp_path, number, GIVEN[:1])

    assert asked[0].prompt[0]["role"] == "user"
    assert (asked[0].sampling.stop, own[0].sampling.stop, base[0].sampling.stop) == ((), ("END",), ("\nTask:",))


def test_seeds_that_are_evolved_first_go_through_the_whole_run(seeds, tmp_path):
    kept = run([Evolve(keep="all", instances="kept"), Export(formats=("alpaca",))], seeds, toy(), tmp_path)

    assert {seed.id for seed in seeds} < {task.id for task in kept}


def test_the_answer_of_a_chat_model_is_begun_with_the_label(tmp_path):
    _, requests = evolve(tmp_path, lambda _: " Describe seven lakes of the north.", GIVEN[:1], chat=True)

    assert requests[0].prompt[0]["content"].endswith("\nTask: Describe 0 rivers.")
    assert requests[0].prefill == "New task:"
