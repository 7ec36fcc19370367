"""Recipes against each other: one model, as much of each dataset, the same steps, one table."""

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.dataset.content import ChatRow, TextRow
from pipeline.engines.base import Request
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut
from pipeline.gain.entrants import find_entrants
from pipeline.gain.products import products_of
from pipeline.gain.recipes import Same, recipes_gain, table
from pipeline.gain.record import RecipeGain
from pipeline.gain.shares import DatasetShare, nearest, share
from pipeline.runs.context import Context
from pipeline.seeds.read import load_seeds
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from tests.gain.counting import finish, write_heldout, write_settings

ROWS = Same()
SHARES = {"a": 4, "b": 8, "mine": 6, "demos": 5, "seeds_stopped": 3}  # of ten answers, how many are right


@pytest.fixture
def heldout(tmp_path: Path) -> str:
    return write_heldout(tmp_path / "heldout.jsonl")


@pytest.fixture
def given(tmp_path: Path, base_model: str, heldout: str) -> list[str]:
    """Two finished runs of 8 and 12 tasks, with 3 seed tasks not among them, and a file of 10 rows."""
    for name, num in (("a", 8), ("b", 12)):
        finish(write_settings(tmp_path / f"{name}.toml", base_model, heldout), num=num, verb=f"Count {name}")
    rows = [{"instruction": f"Add 1 to {n}.", "input": "", "output": str(n + 1)} for n in range(10)]
    (tmp_path / "mine.json").write_text(json.dumps(rows), encoding="utf-8")
    return [str(tmp_path / name) for name in ("a.toml", "b.toml", "mine.json")]


def compare(
    given: Sequence[str], folder: Path, same: Same = ROWS, num: int = 1, fails_on: str = ""
) -> tuple[RecipeGain, list[str]]:
    """The comparison, and the models that were asked for it; a tuned one answers as `SHARES` says."""
    settings = read(given[0])
    base = settings.engine["model"]
    asked: list[str] = []

    def open_engine(model: str) -> Scripted:
        def answer(request: Request) -> str:
            name = "demos" if "Task: Say" in str(request.prompt) else Path(model).name
            if name == fails_on:
                raise SproutError("the power is gone")
            asked.append(name)
            return "good" if int(request.id) % 10 < SHARES.get(name, 0) else "bad"

        return Scripted(answer, model=model)

    seeds = load_seeds(settings.seeds).tasks
    context = Context(seeds, open_engine(base), folder, open_engine=open_engine)
    return recipes_gain(find_entrants(given, read), products_of(build_stages(settings)), context, same, num), asked


def test_each_dataset_gives_as_many_rows_and_all_are_compared_with_the_first(given, tmp_path):
    given[1] = given[1].removesuffix(".toml")  # the folder of a run is as good as its settings
    found, asked = compare(given, tmp_path / "out")
    rows = {row.name: row for row in found.rows}

    assert [*rows] == ["base", "demos", "seeds_stopped", "a", "b", "mine"]
    assert rows["seeds_stopped"].rows == (3,)
    assert rows["seeds_stopped"].steps <= (2,)
    assert (found.same, found.number, found.instances) == ("rows", 8, 40)
    assert {(row.rows, row.steps) for row in found.rows if row.dataset} == {((8,), (2,))}
    assert {name: row.rouge_l.value for name, row in rows.items()} == {
        "base": 0,
        **{n: 10 * s for n, s in SHARES.items()},
    }
    assert rows["b"].against["a"]["rouge_l"].verdict == "better"
    assert rows["a"].against["b"]["rouge_l"].value == -40
    assert {*rows["mine"].against} == {"base", "demos", "seeds_stopped", "a", "b"}
    assert RecipeGain.model_validate_json((tmp_path / "out" / "gain.json").read_text()) == found
    lines = (tmp_path / "out" / "gain.md").read_text().splitlines()
    assert lines[0].endswith(f"| against {given[0]}, ROUGE-L |")
    assert [line.split(" | ")[0][2:] for line in lines[2:8]] == [
        "nothing (the base model)", "nothing (the base model in the layout of verify, seed tasks shown: 1)",
        "the seed tasks alone, stopped in time", *given,
    ]  # fmt: skip
    assert lines[6].endswith(" better |")
    assert lines[5].endswith("|  |")
    assert "8 rows are\ndrawn at random, and trained on for 2 steps" in "\n".join(lines)
    assert len(asked) == 6 * 40


def test_an_interrupted_comparison_goes_on_and_a_finished_one_does_nothing_again(given, tmp_path):
    with pytest.raises(SproutError, match="the power is gone"):
        compare(given[:2], tmp_path / "out", fails_on="b")
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.safetensors")}
    found, asked = compare(given[:2], tmp_path / "out")

    assert len(made) == 4  # with the two of the seed tasks, of which one finds the number of steps
    assert asked == [*["b"] * 40, *["seeds_stopped"] * 40, *["demos"] * 40]
    assert compare(given[:2], tmp_path / "out") == (found, [])
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_random_seeds_draw_other_rows_and_are_pooled(given, tmp_path):
    found, _ = compare(given[:2], tmp_path / "out", Same("rows", 3), num=2)
    trained = [
        {row.completion for row in DatasetShare(rows, [1] * 8, 0).draw(3, seed)}
        for rows in [[TextRow(prompt="", completion=str(n)) for n in range(8)]]
        for seed in (0, 1)
    ]

    assert trained[0] != trained[1]
    assert found.random_seeds == (0, 1)
    assert [row.rows for row in found.rows] == [(), (), (3, 3), (3, 3), (3, 3)]
    assert [*found.rows[0].by_random_seed] == ["0"]
    assert [*found.rows[4].by_random_seed] == ["0", "1"]
    assert "Student's t over 2 random seeds" in table(found)
    assert len({*(tmp_path / "out").glob("models/*/*/model.safetensors")}) == 6


@pytest.mark.parametrize(
    ("sizes", "number", "count"),
    [([1, 1, 1], 2, 2), ([5, 5], 7, 1), ([5, 5], 8, 2), ([9], 3, 0), ([2, 2], 99, 2), ([], 5, 0), ([0, 4], 0, 1)],
)
def test_the_number_of_rows_is_that_which_comes_nearest(sizes, number, count):
    assert nearest(sizes, number) == count


QUESTION = "Here are nine words that a row of data may well share with a test. Are they good?"


@pytest.mark.parametrize(
    ("row", "overlaps"),
    [
        (TextRow(prompt=f"{QUESTION}\n\n", completion="yes"), True),
        (TextRow(prompt=f"Task: {QUESTION}\n\nOutput:", completion="yes"), True),
        (TextRow(prompt="Do it.\n\n", completion=QUESTION), True),
        (TextRow(prompt="Task: Is it good?\nInput: tea\nOutput:", completion="yes"), True),
        (TextRow(prompt="Is it good?\n\ntea\n\n", completion="yes"), True),
        (TextRow(prompt="Is it good?\n\ncoffee\n\n", completion="yes"), False),
        (TextRow(prompt="Here are nine words.\n\n", completion="yes"), False),
        (ChatRow(messages=({"role": "user", "content": QUESTION}, {"role": "assistant", "content": "yes"})), True),
        (ChatRow(messages=({"role": "user", "content": "Hi."}, {"role": "assistant", "content": "yes"})), False),
    ],
)
def test_a_row_that_overlaps_with_a_held_out_task_is_left_out(row, overlaps):
    heldout = [
        HeldOut(id="0", task="t", instruction=QUESTION, outputs=("yes",)),
        HeldOut(id="1", task="t", instruction="Is it good?", input="tea", outputs=("yes",)),
    ]

    assert share([row], heldout, None, 100).num_overlaps == overlaps


def test_rows_left_out_are_said_and_what_is_left_is_compared(given, tmp_path):
    write_heldout(tmp_path / "heldout.jsonl", instruction="Count b to 3.", output="good")
    found, _ = compare(given[:2], tmp_path / "out")

    assert [row.num_overlaps for row in found.rows] == [0, 0, 0, 0, 1]
    assert f"Rows that overlap with held-out tasks are left out: 1 of {given[1]}." in table(found)


def fails(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit):
        main(["gain", *args])
    return capsys.readouterr().err.strip().removeprefix("sprout: ")


Change = Callable[[Path, str], None]


def unfinished(folder: Path, model: str) -> None:
    (folder / "b" / "dataset" / "dataset.json").unlink()


def half_written(folder: Path, model: str) -> None:
    (folder / "b" / "dataset" / "alpaca.parquet").unlink()


def without_tasks(folder: Path, model: str) -> None:
    (folder / "b" / "1_counting.jsonl").unlink()


def other_base(folder: Path, model: str) -> None:
    write_settings(folder / "b.toml", model, str(folder / "heldout.jsonl"), engine={"model": "nano"})


def other_heldout(folder: Path, model: str) -> None:
    write_settings(folder / "b.toml", model, write_heldout(folder / "others.jsonl", num=39))


def same_run(folder: Path, model: str) -> None:
    text = (folder / "a.toml").read_text(encoding="utf-8")
    (folder / "b.toml").write_text(f"# the same, under another name\n{text}", encoding="utf-8")


def not_tuned(folder: Path, model: str) -> None:
    text = (folder / "a.toml").read_text(encoding="utf-8")
    (folder / "a.toml").write_text(re.sub(r', "train"|\[train\][^[]*', "", text), encoding="utf-8")


def by_preference(folder: Path, model: str) -> None:
    text = (folder / "a.toml").read_text(encoding="utf-8")
    (folder / "a.toml").write_text(text.replace("[train]", '[train]\nobjective = "dpo"'), encoding="utf-8")


def nothing(folder: Path, model: str) -> None:
    """As it is."""


@pytest.mark.parametrize(
    ("change", "args", "said"),
    [
        (unfinished, "a.toml b.toml", "b.toml: its run is not finished, as {}/b/dataset is not there or not whole; run `sprout run {}/b.toml` first"),
        (half_written, "a.toml b.toml", "b.toml: its run is not finished, as {}/b/dataset is not there"),
        (without_tasks, "a.toml b.toml", "b.toml: its run is not finished, as {}/b/1_counting.jsonl is not there"),
        (unfinished, "a.toml b", "b: holds a run without a dataset; finish it"),
        (other_base, "a.toml b.toml", "have both tune the same model, such as with --set train.model="),
        (other_heldout, "a.toml b.toml", "b.toml: is evaluated on other held-out tasks than {}/a.toml; give both"),
        (same_run, "a.toml b.toml", "b.toml: has the same dataset as {}/a.toml"),
        (by_preference, "a.toml b.toml", "a.toml: the gain is measured for tuning on answers"),
        (not_tuned, "a.toml b.toml", "a.toml: the gain is what tuning on the dataset is worth; add a table [train]"),
        (nothing, "a.toml a.toml", "a.toml: is named twice; name it once"),
        (nothing, "a.toml a", "a: has the same dataset as {}/a.toml"),
        (nothing, "a.toml a/dataset", "a/dataset: has the same dataset as {}/a.toml"),
        (nothing, "a b.toml", "a: is not a settings file (*.toml) or recipe; name one first"),
        (nothing, "a.toml none.json", "none.json: there is no such dataset"),
        (nothing, "a.toml none.toml", "none.toml: cannot be read (No such file or directory)"),
        (nothing, "a.toml b.toml --same rows=500", "a.toml: has only 8 rows; lower --same rows=500"),
        (nothing, "a.toml --same rows", "--same is for several recipes"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said_in_a_sentence(change, args, said, given, base_model, tmp_path, capsys):
    change(tmp_path, base_model)
    names = [f"{tmp_path}/{word}" if word[0] in "abn" else word for word in args.split()]

    assert said.replace("{}", str(tmp_path)) in fails(capsys, *names, "--out", str(tmp_path / "out"), "--quiet")


def test_the_comparison_has_a_folder_of_its_own(given, tmp_path, capsys):
    assert fails(capsys, *given) == "name a folder for the comparison with --out"
    said = fails(capsys, *given, "--out", str(tmp_path / "a"), "--quiet")
    assert said == f"{tmp_path / 'a'}: holds a run; choose another folder for the comparison with --out"


def test_the_command_prints_the_table_and_takes_as_many_tokens_of_a_file_of_short_rows(given, tmp_path, capsys):
    out = tmp_path / "out"
    main(["gain", *given[1:], "--same", "tokens=100", "--set", "evaluate.num_demos=0", "--out", str(out), "--quiet"])
    found = RecipeGain.model_validate_json((out / "gain.json").read_text(encoding="utf-8"))
    rows = {row.name: row.rows for row in found.rows}

    printed = capsys.readouterr()
    assert "patience" not in printed.err  # that of the settings waits for nothing here
    assert printed.out.strip() == (out / "gain.md").read_text(encoding="utf-8").strip()
    assert (found.same, found.number) == ("tokens", 100)
    assert [*rows] == ["base", "demos", "seeds_stopped", "b", "mine"]
    assert found.rows[1].num_demos == (0,)
    assert rows["mine"] > rows["b"] >= (1,)
    assert {row.steps for row in found.rows[3:]} == {(math.ceil(rows["b"][0] / 4),)}  # of an epoch of the first
