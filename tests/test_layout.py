"""Imports go down the list of folders only, and in no circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline"
BASE = ("toml", "resources", "stage", "task", "text", "errors")  # the modules that everything is made of
HOUSE = (
    "cli", "report", "gain", "settings", "recipes", "stages", "training", "evaluation", "dataset", "filters", "scorers",
    "seeds", "runs", "asking", "novelty", "engines", *BASE,
)  # fmt: skip
FINDING = ("find", "names", "summary", "Kind")  # what the package of stages finds them with
MODULES = {
    ".".join(("pipeline", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if "nano" not in path.relative_to(PACKAGE).parts  # uses the rest, and nothing uses it
}


def imports(path):
    """The modules of the project that a module imports, inside functions too, but for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pipeline":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "pipeline")


def place(module):
    folder = module.split(".")[1]
    return HOUSE.index(folder)


@pytest.mark.parametrize("module", [name for name in MODULES if name.partition(".")[2].split(".")[0] in HOUSE])
def test_a_module_imports_only_what_stands_below_it(module):
    up = {name for name in imports(MODULES[module]) if name.count(".") and place(name) < place(module)}

    assert not up - {"pipeline.__main__"}, f"{module} imports {', '.join(sorted(up))}"


def concrete_stages(path):
    """The stages and products that a module imports, instead of finding one by its name or by what it is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "pipeline.stages":
            yield from (alias.name for alias in node.names if alias.name not in FINDING)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline.stages."):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pipeline.stages."))


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[1:2] != ["stages"]])
def test_no_module_outside_stages_imports_one(module):
    assert not [*concrete_stages(MODULES[module])]


def test_every_module_has_a_place_in_the_house():
    folders = {name.split(".")[1] for name in MODULES if "." in name}

    assert folders - {"__main__"} <= {*HOUSE}


def test_every_folder_is_in_the_tree_of_the_house():
    page = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = page.partition("\npipeline/\n")[2].partition("\nprompts/")[0]
    above, named = [], set()
    for indent, folder in re.findall(r"^( +)(\w+)/ +\S", tree, re.MULTILINE):
        above = [*above[: len(indent) // 2 - 1], folder]
        named.add("/".join(above))

    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file()]
    folders = {str(folder) for file in files if "__pycache__" not in file.parts for folder in file.parents}
    assert named == {folder for folder in folders if not folder.startswith("nano/heldout/")} - {"."}


def test_imports_make_no_circle():
    graph = {name: {other for other in imports(path) if other != name} for name, path in MODULES.items()}

    TopologicalSorter(graph).prepare()  # raises a CycleError
