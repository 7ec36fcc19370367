"""The lines that install it work from a checkout, and the wheel works in an environment of its own."""

import os
import re
import site
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel in it, and behind it the packages that run these tests."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, ROOT], check=True)
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True)
    (own,) = (folder / "env").glob("lib/python*/site-packages")
    (own / "packages_of_the_tests.pth").write_text("\n".join(site.getsitepackages()), "utf-8")
    return folder / "env" / "bin"


def call(program: Path, folder: Path, *words: str) -> str:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run([program, *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_installed_command_runs_from_seeds_to_a_dataset(installed, tmp_path):
    (tmp_path / "toy_installed.py").write_text(
        "def answer(request):\n"
        "    if request.prompt.endswith('Classification:'):\n"
        "        return ' No'\n"
        "    if request.id.startswith('instructions'):\n"
        "        return f' Say what {request.id} is about, and why that is so.'\n"
        "    return '\\nOutput: ' + str(len(request.prompt))\n"
    )
    sprout = installed / "sprout"

    assert call(sprout, tmp_path, "--version").startswith("sprout ")
    assert "190" in call(sprout, tmp_path, "seeds", "check", "general")
    words = ["--engine", "scripted", "--set", "engine.answer=toy_installed:answer", "--out", "run"]
    call(sprout, tmp_path, "run", *words, "--set", "instructions.num_tasks=3", "--set", "instructions.max_rouge=0.99")
    assert (tmp_path / "run" / "dataset" / "messages.jsonl").is_file()
    where = call(installed / "python", tmp_path, "-c", "import pipeline; print(pipeline.__file__)")
    assert where.startswith(str(installed.parent))


def test_the_wheel_holds_prompts_seeds_and_model(installed, tmp_path):
    code = (
        "from pathlib import Path; from pipeline.seeds.read import read_seeds; from pipeline.resources import *;"
        "from pipeline.asking.templates import render; import pipeline;"
        "print(len(read_seeds('general')), len(render('classify', demos=[], instruction='x')));"
        "print((NANO / 'model.safetensors').is_file(), (HELDOUT / 'splits').is_dir());"
        "print((Path(pipeline.__file__).parent / 'py.typed').is_file())"
    )
    seeds, prompt, *there = call(installed / "python", tmp_path, "-c", code).split()

    assert int(seeds) >= 175
    assert int(prompt) > 0
    assert there == ["True"] * 3


def test_what_the_installed_package_says_to_install_is_a_line_for_it(installed, tmp_path):
    said = call(installed / "python", tmp_path, "-c", "from pipeline.resources import install; print(install('embed'))")

    assert said.strip() == "pip install 'sprout-instruct[embed]'"


def test_a_checkout_that_is_not_installed_says_to_install_from_its_folder(tmp_path):
    code = "from pipeline.resources import install; print(install('embed'))"
    said = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip

    assert said.strip() == f"pip install -e '{ROOT}[embed]'"


def test_each_extra_that_a_message_names_is_one_of_the_project():
    extras = set(PROJECT["optional-dependencies"])
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "pipeline").rglob("*.py"))
    named = re.findall(r"\binstall\(['\"](\w+)['\"]\)", code)

    assert len(named) >= 4
    assert {*named} <= extras
    assert not re.search(r"sprout-instruct\[\w", code)
