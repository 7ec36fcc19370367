"""Code of the user's own that fails ends a command with one line, which says where."""

import sys
from pathlib import Path

import pytest

from pipeline import SproutError, read_tasks
from pipeline.cli.main import main
from pipeline.engines import find
from pipeline.settings.build import build_stages
from pipeline.settings.read import read

SETTINGS = """
seeds = "my.csv"
out = "outputs/own"
stages = ["instructions", {stage}]
[engine]
name = "scripted"
answer = "own_code_says:answer"
[instructions]
num_tasks = 4
"""
SAYS = """
from tests.conftest import answer as toy

def answer(request):
    return toy(request)
"""
CODE = """
from pipeline import Stage, Task

class Fails(Stage):
    def decide(self, todo, done, context):
        for task in todo:
            yield {what}
"""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("task.instructions", "7: this code of yours fails (AttributeError: 'Task' object has no attribute 'instructions')"),
        ("[][0]", "7: this code of yours fails (IndexError: list index out of range); correct it"),
        ("Task(id=task.id)", "7: this code of yours fails (ValidationError: 1 validation error for Task instruction Field required"),
        ("None", "stage fails: decide yielded None; yield tasks, kept or rejected"),
    ],
)  # fmt: skip
def test_a_stage_that_fails_is_named_with_its_line(
    what: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    module = f"own_code_{abs(hash(what))}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("my.csv").write_text("instruction,output\nName a river.,Rhine\nName a lake.,Como\nIs it 3? Yes or no?,yes\n")
    Path("own_code_says.py").write_text(SAYS)
    Path(f"{module}.py").write_text(CODE.format(what=what))
    Path("my.toml").write_text(SETTINGS.format(stage=f'"{module}:Fails"'))

    with pytest.raises(SystemExit) as end:
        main(["run", "my.toml", "--quiet"])

    last = capsys.readouterr().err.rstrip("\n").splitlines()[-1]
    assert end.value.code == 1
    assert said in last
    assert last.startswith("sprout: ")


def test_the_module_of_a_stage_is_sought_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "own_code_elsewhere.py").write_text(CODE.format(what="task"))
    (tmp_path / "my.toml").write_text(SETTINGS.format(stage='"own_code_elsewhere:Fails"'))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit):
        main(["run", "my.toml"])

    assert "there is no module own_code_elsewhere in the current folder" in capsys.readouterr().err


OWN = """
from pipeline import Stage
from pipeline.dataset.content import InstructionRow
from pipeline.dataset.formats.base import Format, RowFields
from tests.conftest import answer as toy


def answer(request):
    return toy(request)


def marks(task):
    return task.instruction.count("e")


class Passes(Stage):
    def decide(self, todo, done, context):
        yield from todo

    def explain(self, task, before, completions):
        yield "passed on as it is"


class Pairs(Format):
    meaning = "pairs"

    class fields(RowFields):
        ask: str

        def rows(self):
            return [InstructionRow(instruction=self.ask, output="")]

    def columns(self, row):
        return {"ask": row.instruction}
"""
OWN_SETTINGS = """
seeds = "none"
out = "{out}"
stages = ["mix", "{module}:Passes", "score", "answer", "export"]
[mix]
datasets = {{ mine = "{data}" }}
[engine]
name = "scripted"
answer = "{module}:answer"
[score]
scorers = ["{module}:marks"]
[export]
formats = ["{module}:Pairs"]
"""


def own(folder: Path, module: str, text: str = OWN) -> Path:
    folder.mkdir()
    (folder / f"{module}.py").write_text(text)
    data = folder / "data.csv"
    data.write_text("instruction,output\nName a river.,Rhine\nName a lake.,Como\n")
    settings = OWN_SETTINGS.format(out=folder / "run", data=data, module=module)
    (folder / "my.toml").write_text(settings)
    return folder


def test_modules_beside_the_settings_are_found_from_any_folder_and_again_by_the_folder_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = own(tmp_path / "project", "own_code_beside")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "path", [*sys.path])

    main(["run", "../project/my.toml", "--quiet"])
    tasks = read_tasks(project / "run" / "3_score.jsonl")
    assert [task.scores for task in tasks] == [{"marks": 2.0}, {"marks": 2.0}]
    assert len((project / "run" / "dataset" / "pairs.jsonl").read_text().splitlines()) == 2

    find.look_in(Path.cwd())  # as another command begins
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(project)])
    sys.modules.pop("own_code_beside")
    capsys.readouterr()
    main(["why", next(read_tasks(project / "run" / "3_score.jsonl")).id, str(project / "run")])
    main(["settings", str(project / "run")])
    said = capsys.readouterr().out
    assert "passed on as it is" in said
    assert f'modules = "{project}"' in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("stages=['own_code_wrong.py:Passes']", "own_code_wrong.py:Passes: a module is named without its folder and .py; give own_code_wrong:Passes"),
        ("stages=['./own_code_wrong:Passes']", "./own_code_wrong:Passes: a module is named without its folder and .py; give own_code_wrong:Passes"),
        ("stages=['own_code_none:Passes']", "there is no module own_code_none in the current folder"),
        ("modules=nowhere", "there is no module own_code_wrong in the current folder"),
        ("modules=3", "my.toml: modules: input should be a valid string (found 3)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_place_of_a_module_is_said(
    change: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = own(tmp_path / "project", "own_code_wrong")
    text = (project / "my.toml").read_text()
    key, _, value = change.partition("=")
    lines = [line for line in text.splitlines() if not line.startswith(f"{key} =")]
    given = value if value[:1] in "[3" else f'"{value}"'
    (project / "my.toml").write_text("\n".join([f"{key} = {given}", *lines]))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SproutError) as error:
        build_stages(read("project/my.toml"))
    assert said in str(error.value)


def test_two_modules_of_one_name_in_two_folders_of_settings_are_not_taken_for_each_other(tmp_path: Path) -> None:
    one, other = (own(tmp_path / name, "own_code_twice") for name in ("one", "other"))
    build_stages(read(str(one / "my.toml")))

    with pytest.raises(
        SproutError, match=rf"{other}/own_code_twice.py has the name of another module, {one}/own_code_"
    ):
        build_stages(read(str(other / "my.toml")))
