"""Imports go down the list of folders only and in no circle, and no module above names a stage."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from pipeline.stages import find, names

PACKAGE = Path(__file__).parents[1] / "pipeline"
BASE = (
    "toml",
    "resources",
    "stage",
    "strict",
    "task",
    "text",
    "thoughts",
    "errors",
)  # the modules that everything is made of
HOUSE = (
    "cli", "report", "gain", "settings", "recipes", "stages", "training", "evaluation", "dataset", "filters", "scorers",
    "checks", "sandbox", "passages", "seeds", "runs", "asking", "novelty", "engines", *BASE,
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


KINDS = {*names()}
CLASSES = {find(name).__name__ for name in KINDS}
PLAIN = {"classify", "verify", "dedup", "decontaminate", "evaluate"}  # words that mean nothing else here
BY_STAGE = re.compile(r"\b(stages?|settings|tables|funnel|usage|kinds?|command|by_stage|origin)\b|^(name|files)$")


def stages_named(tree):
    """Where code names a stage that ships without importing it: `stages.Dedup`, or its kind as a key or compared."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from [node] if node.attr in CLASSES and ast.unparse(node.value).endswith("stages") else []
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [node] if node.value in PLAIN else []
        elif isinstance(node, ast.Subscript):
            yield from [node] if looks_up(node.value, node.slice) else []
        elif isinstance(node, ast.Compare):
            sides = [(node.left, node.comparators[0]), (node.comparators[0], node.left)]
            yield from [node] if any(looks_up(*pair) for pair in sides) else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            method = node.func.attr in ("get", "pop", "setdefault")
            yield from [node] if method and looks_up(node.func.value, node.args[0]) else []


def looks_up(where, key):
    """Whether a kind is looked up in something that is kept by stage; "train" among files is a split."""
    keys = key.elts if isinstance(key, (ast.Tuple, ast.List, ast.Set)) else [key]
    kinds = {one.value for one in keys if isinstance(one, ast.Constant) and isinstance(one.value, str)} & KINDS
    return bool(BY_STAGE.search(ast.unparse(where)) and kinds - ({"train"} if ast.unparse(where) == "files" else set()))


@pytest.mark.parametrize(
    ("code", "is_named"),
    [
        ("stages.Classify()", True),
        ("pipeline.stages.Export", True),
        ("stages.find(kind)", False),
        ("ast.Filter", False),
        ("settings['instructions']", True),
        ("record.funnel['instructions']['kept']", True),
        ("self.settings.get('train', {})", True),
        ("'instructions' in files", True),
        ("stage.kind == 'train'", True),
        ("args.command in ('run', 'export')", True),
        ("name == 'judge'", True),
        ("'dedup' not in anything", True),
        ("advice = {'verify': 1}", True),
        ("split == 'train'", False),
        ("files['train']", False),
        ("figures['instances']", False),
        ("'instances' in names", False),
        ("render('judge')", False),
        ("'train.json'", False),
    ],
)
def test_a_named_stage_is_found_and_a_word_of_another_sense_is_not(code, is_named):
    assert bool([*stages_named(ast.parse(code))]) == is_named


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[1:2] not in (["stages"], ["recipes"])])
def test_only_stages_and_recipes_name_a_stage(module):
    named = [*stages_named(ast.parse(MODULES[module].read_text(encoding="utf-8")))]

    assert not [f"{MODULES[module]}:{node.lineno}: {ast.unparse(node)}" for node in named]
