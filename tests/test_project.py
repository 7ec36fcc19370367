"""What holds the project together: names, sizes and layout."""

import ast
from pathlib import Path

import pytest

from pipeline.asking.templates import prompt_folder
from pipeline.cli.main import commands
from pipeline.stages import find, names

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline"
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
MAX_ARGUMENTS = 5
MODULES = [path for path in sorted(PACKAGE.glob("**/*.py")) if path.relative_to(PACKAGE).parts[0] != "nano"]
SOURCES = sorted([*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")])


@pytest.mark.parametrize("name", names())
def test_one_word_names_a_stage_everywhere(name):
    kind = find(name)

    assert kind.kind == name
    assert kind.__name__.lower() == name.replace("_", "")
    assert commands()[name]
    assert all(
        template.split("_")[0] == name and (prompt_folder() / f"{template}.jinja").is_file()
        for template in kind.templates
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")

    assert text.count("\n") <= 300
    assert ast.get_docstring(ast.parse(text))


def too_long(path):
    """The functions of a module with more than five arguments, `self` and `cls` aside, with their line and number.

    The constructor of an engine is none of them: each of its arguments is an option of the engine, given by its name.
    """
    functions = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, FUNCTION))
    for node in functions:
        given = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        given = given[1:] if given[:1] in (["self"], ["cls"]) else given
        engine = getattr(node, "name", "") == "__init__" and path.parent.parent.name == "engines"
        if len(given) > MAX_ARGUMENTS and not engine:
            yield f"{path.relative_to(ROOT)}:{node.lineno} {getattr(node, 'name', 'lambda')}: {len(given)} arguments"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_takes_more_than_five_arguments(path):
    assert not [*too_long(path)]


def test_a_function_with_six_arguments_is_found_wherever_it_stands(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "a.py").write_text(
        "class A:\n    def five(self, a, b, /, c, *, d, e): ...\n    async def six(self, a, b, /, c, d, *, e, f): ...\n"
        "def outer():\n    return lambda a, b, c, d, e, f: a\n"
    )

    assert [*too_long(tmp_path / "a.py")] == ["a.py:3 six: 6 arguments", "a.py:5 lambda: 6 arguments"]


def test_the_top_level_is_as_agreed():
    for name in (
        "pyproject.toml",
        "README.md",
        "pipeline",
        "seed_tasks",
        "prompts",
        "tests",
        "outputs",
        "CHANGELOG.md",
        "LICENSE",
    ):
        assert (ROOT / name).exists(), name
