"""Code of the user's own that fails ends a command with one line, which says where."""

from pathlib import Path

import pytest

from pipeline.cli.main import main

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
