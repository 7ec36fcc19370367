"""A run that cannot reach its number of tasks goes on with those it has, and everybody says the same of it."""

import json
from pathlib import Path

import pytest

from pipeline import Completion, SproutError, read_tasks, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.report import write_report
from pipeline.runs.budget import Prices
from pipeline.runs.context import Context
from pipeline.runs.plan import plan
from pipeline.runs.redecide import redecide
from pipeline.runs.remarks import FILE, read_remarks
from pipeline.stages import Instructions
from tests.conftest import answer
from tests.runs.test_run import stages

TOY = """
LISTS = [" Explain how bridges carry their load over a river", " Name something cold that people eat in the summer"]
EXTRA = " Explain how bridges carry heavy loads over a wide river"


def answer(request):
    prompt = request.prompt
    if prompt.endswith("Classification:"):
        return " No"
    if "Task:" in prompt:
        return "\\nOutput: A thing of its own, number " + str(len(prompt)) + "."
    number = int(request.id.rpartition("-")[2])
    return LISTS[number] if number < 2 else EXTRA
"""


def few(request):
    """Two tasks that are new, and then always the second again."""
    if "Come up with" not in str(request.prompt) and not request.id.startswith("instructions"):
        return answer(request)
    number = int(request.id.rpartition("-")[2])
    return " Explain how a bridge carries its load." if number == 0 else " Name something cold that people eat outside."


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy_ending_short.py").write_text(TOY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sprout(capsys, *words: str) -> tuple[int, str, str]:
    engine = [
        "--engine",
        "scripted",
        "--set",
        "engine.answer=toy_ending_short:answer",
        "--out",
        "run",
        "--seeds",
        "nano",
    ]
    few_tries = ["--set", "instructions.num_tasks=9", "--set", "instructions.window=1"]
    code = 0
    try:
        main(["run", *engine, *few_tries, *words])
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_it_goes_on_with_what_it_has_and_the_same_words_are_in_log_stats_and_report(mine, capsys):
    code, out, err = sprout(capsys, "--set", "instructions.patience=4")
    (text,) = read_remarks(mine / "run").values()
    main(["stats", "run"])
    stats = capsys.readouterr().out
    page = (mine / "run" / "report.html").read_text("utf-8")

    assert code == 0
    assert "4 requests in a row brought no new task; stuck at 2 of 9 (rejected: not_new 4)" in text
    assert text in err
    assert text in stats
    assert text.partition("`")[0] in page
    assert (mine / "run" / "dataset" / "dataset.json").is_file()
    assert "\nfilter" in out


def test_the_same_call_again_asks_nothing_more(mine, capsys):
    sprout(capsys, "--set", "instructions.patience=4")
    before = (mine / "run" / "1_instructions.jsonl").read_bytes()
    code, _, err = sprout(capsys, "--set", "instructions.patience=4")

    assert (code, (mine / "run" / "1_instructions.jsonl").read_bytes()) == (0, before)
    assert "stuck at 2 of 9" in err


def test_each_command_of_the_advice_works_where_it_is_given(mine, capsys):
    _, _, err = sprout(capsys, "--set", "instructions.patience=4")
    assert "--set instructions.patience" in err
    assert "--redecide --set instructions.max_rouge=0.8`" in err

    assert sprout(capsys, "--set", "instructions.patience=6")[0] == 0
    assert read_remarks(mine / "run")["instructions"].startswith("instructions: 6 requests in a row")
    looser = ["--set", "instructions.patience=6", "--set", "instructions.max_rouge=0.8"]
    refused = sprout(capsys, *looser)
    assert refused[0] == 1
    assert "or decide anew without asking the model: `sprout run … --redecide`" in refused[2]
    assert sprout(capsys, "--redecide", *looser)[0] == 0
    code, _, err = sprout(capsys, *looser)
    assert code == 0, err
    assert sum(task.kept for task in read_tasks(mine / "run" / "1_instructions.jsonl")) == 3


def test_the_remark_is_gone_once_the_number_is_reached(mine, capsys):
    sprout(capsys, "--set", "instructions.patience=4")
    sprout(capsys, "--set", "instructions.patience=4", "--set", "instructions.num_tasks=2")

    assert json.loads((mine / "run" / FILE).read_text("utf-8")) == {}


def test_a_setting_makes_it_an_error(mine, capsys):
    code, _, err = sprout(capsys, "--set", "instructions.patience=4", "--set", "instructions.must_reach=true")

    assert code == 1
    assert "stuck at 2 of 9" in err
    assert not (mine / "run" / "dataset").exists()
    assert sprout(capsys, "--set", "instructions.patience=4")[0] == 0


def test_a_plan_of_a_run_that_ended_short_asks_nothing(seeds, tmp_path):
    listed = stages(num_tasks=9, patience=3)
    run(listed, seeds, Scripted(few), tmp_path)

    def silent(request):
        raise AssertionError(f"the model was asked {request.id}")

    table = plan(listed, Context(seeds, Scripted(silent), tmp_path), Prices())

    assert "\ninstructions " in table


def test_tasks_that_were_never_asked_about_are_not_said_to_have_failed(seeds, tmp_path, caplog):
    def broken(request):
        failed = (
            str(request.prompt).endswith("Classification:") and "bridge" in str(request.prompt).rpartition("Task:")[2]
        )
        return Completion(id=request.id, text="down", finish_reason="error") if failed else few(request)

    run(stages(num_tasks=9, patience=3), seeds, Scripted(broken), tmp_path)
    assert "classify: 1 task undecided: requests failed" in caplog.text


def test_the_report_has_the_words_where_a_person_reads_them(seeds, tmp_path):
    run(stages(num_tasks=9, patience=3), seeds, Scripted(few), tmp_path)

    assert "stuck at" in write_report(tmp_path).read_text("utf-8")


def test_nothing_at_all_is_an_error(seeds, tmp_path):
    dull = Scripted(lambda request: f" {seeds[0].instruction}")
    with pytest.raises(SproutError, match=r"stuck at 0 of 9"):
        run(stages(num_tasks=9, patience=3), seeds, dull, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason", "advice"),
    [
        (" I'm sorry, but I can't help with that.", "refusal", "`sprout show RUN --reason refusal` shows what most are like"),
        ("", "empty", "Most completions hold no text: if the model thinks first"),
        ("{seed}", "not_new", "To go on trying, give more --set instructions.patience"),
    ],
)  # fmt: skip
def test_the_advice_fits_what_most_were_rejected_for(seeds, tmp_path, text, reason, advice):
    said = Scripted(lambda request: text.format(seed=seeds[0].instruction))
    try:
        run(stages(num_tasks=9, patience=3)[:1], seeds, said, tmp_path)
        found = read_remarks(tmp_path)["instructions"]
    except SproutError as error:
        found = str(error)
    assert f"(rejected: {reason} 3). {advice}" in found


def test_a_filter_that_most_are_rejected_by_can_be_turned_off_as_the_advice_says(seeds, tmp_path):
    chinese = Scripted(
        lambda request: f" 请为孩子们写一首关于春天的诗 {request.id}\n2. 请解释为什么天空是蓝色的 {request.id}"
    )
    with pytest.raises(SproutError, match=r"filters\.starts_non_ascii=false` keeps them, and then the same without"):
        run([Instructions(num_tasks=2, patience=3)], seeds, chinese, tmp_path)
    changed = [Instructions(num_tasks=2, patience=3, filters={"starts_non_ascii": False})]
    redecide(changed, Context(seeds, chinese, tmp_path))
    assert [task for task in run(changed, seeds, chinese, tmp_path) if task.kept]
