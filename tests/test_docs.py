"""Every command the documentation shows is run, or is listed below with the reason why it is not."""

import contextlib
import importlib.util
import io
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub.constants
import pytest

from pipeline import read_seeds, run
from pipeline.cli.main import LOOKS, commands, main, parser
from pipeline.cli.options import settings_of
from pipeline.dataset.formats.find import find_format
from pipeline.engines.find import engine_class
from pipeline.runs.store import read_kept
from pipeline.scorers.find import find_scorer
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from pipeline.stages import find
from tests.test_readme import server_port

__all__ = ["server_port"]

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "seed_tasks" / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
]
PROGRAMS = ("sprout", "make", "python", "taskset", "pip", "vllm", "trl", "axolotl", "llamafactory-cli", "cd")

HUB = "a model of the hub, and a GPU"
OTHER = "a trainer in an environment of its own; tests/test_trainer_configs.py checks what it reads"
# A `sprout` command here has its options read and its settings checked; of any other, what it names must be there.
NOT_RUN = {
    r"make (run|test|gain|check)": "minutes; `make --dry-run` says that there is such a target",
    r"pip install .*": "an installation; the extras it names must exist",
    r"vllm serve .*": "a model and a GPU; tests/engines/test_engines.py runs such a server",
    r"sprout run cluster.*|export RAY_.*|ray (start|status).*|kubectl .*": "a cluster; see tests/engines/test_cluster_docs.py",
    r"(taskset -c 0 )?python benchmarks/.*|cd benchmarks; .*": "minutes to hours; the options it names must exist",
    r"python docs/picture.py .*": "a Chromium",
    r"trl sft .*|axolotl train .*|llamafactory-cli train .*": OTHER,
    r"sprout run (quickstart|paper|default).*": HUB,
    r"sprout train .*": f"{HUB}; tests/stages/test_train.py tunes a tiny one",
    r"sprout gain .*": "nine trainings for each random seed; tests/gain does them with a tiny model",
    r"sprout export .*--push-to-hub.*": "an upload; tests/test_export.py uploads to a hub of its own",
    r"sprout evaluate .*tuned=.*": "a tuned model; tests/stages/test_evaluate.py and test_lm_eval.py have tiny ones",
    r"sprout evaluate quickstart .*": "a finished quick start",
    r"sprout review (?!.*--(figures|argilla)).*": "a server until Ctrl-C; tests/report/test_review.py has one",
    r"sprout run --engine transformers .*": "a model in this process; tests/engines/test_transformers.py has a tiny one",
}


class Shown(NamedTuple):
    page: str
    command: str


@cache
def blocks(language: str) -> list[tuple[Path, str]]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [(page, block) for page in PAGES for block in pattern.findall(page.read_text("utf-8"))]


def in_blocks() -> list[Shown]:
    """Each line of each block of commands, without the comment behind it."""
    lines = [(page, line) for page, block in blocks("bash") for line in block.replace("\\\n", " ").split("\n")]
    found = [Shown(str(page.relative_to(ROOT)), re.sub(r"\s+#.*", "", line).strip()) for page, line in lines]
    return list(dict.fromkeys(one for one in found if one.command))


def in_text() -> list[Shown]:
    """Commands in backquotes."""
    found = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for code in re.findall(r"`([^`]+)`", text):
            command = " ".join(code.split())
            words = command.split()
            if words[0] in PROGRAMS and len(words) > (1 if words[0] in ("sprout", "make") else 2):
                found.append(Shown(str(page.relative_to(ROOT)), command))
    return list(dict.fromkeys(found))


def reason_not_to_run(command: str) -> str:
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, command)), "")


RUN = [one for one in in_blocks() if not reason_not_to_run(one.command)]


@pytest.fixture(scope="module")
def shop(server_port: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files the documentation shows, and with a run."""
    folder = tmp_path_factory.mktemp("shop")
    for page in PAGES:
        marked = re.findall(
            r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
        for name, text in marked:
            (folder / name).write_text(here(text, server_port), encoding="utf-8")
    (folder / "notes").mkdir()
    text = "The mill of Fellbeck was built in 1702. It grinds rye for the whole valley, and its flour is sold on market days."
    (folder / "notes" / "mills.md").write_text(text, encoding="utf-8")
    with contextlib.chdir(folder):
        sprout(["run", "my.toml", *TINY, "--out", "outputs/other"], server_port)
        sprout(["run", "my.toml", *TINY], server_port)
    return folder


TINY = ["--set", "instructions.num_tasks=12"]
WRITE_NONE = {"document_qa", "mixture.toml", "lessons.toml"}  # runs without the stage that TINY is about


def here(text: str, port: int) -> str:
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{port}")


def sprout(args: list[str], port: int) -> str:
    """What the command prints. One that asks a model asks the toy one, and for few tasks; all else is as it stands."""
    if args[0] not in (*LOOKS, "settings"):
        toy = ["--engine", "server", "--model", "my-model", "--set", f"engine.url=http://127.0.0.1:{port}/v1"]
        args = [*args, *toy, *([] if {*args} & WRITE_NONE else TINY)]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(args)
    return out.getvalue()


@pytest.mark.parametrize("page", list(dict.fromkeys(one.page for one in RUN)))
def test_the_commands_of_a_page_run_in_their_order(
    page: str, shop: Path, server_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_page: None
):
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    some_task = read_kept(tmp_path / "outputs/mine/1_instructions.jsonl")[0].id

    for shown in (one.command for one in in_blocks() if one.page == page):
        if reason_not_to_run(shown) == OTHER:
            assert Path("outputs/mine/dataset", shlex.split(shown)[-1]).is_file(), shown
        if reason_not_to_run(shown):
            continue
        command = re.sub(r"\btask_[0-9a-f]{16}\b", some_task, here(shown, server_port))
        name, *args = shlex.split(command)
        assert name == "sprout", f"{page}: {shown!r} is neither run nor listed with a reason"
        args, file = (args[:-2], args[-1]) if ">" in args else (args, "")
        printed = sprout(args, server_port)
        assert printed, shown
        if file:
            Path(file).write_text(printed, encoding="utf-8")


@pytest.mark.parametrize(
    "shown", [one for one in in_blocks() if one not in RUN] + in_text(), ids=lambda one: one.command
)
def test_a_command_that_is_not_run_names_what_is_there(shown: Shown, shop: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(shop)
    connect(monkeypatch)
    words = shlex.split(shown.command)
    if words[0] == "sprout" and (words[1] == "COMMAND" or re.fullmatch(r"sprout [a-z]+( check)?", shown.command)):
        assert words[1] in (*commands(), "COMMAND")  # spoken of, in a sentence
    elif words[0] == "sprout":
        args = parser(words).parse_args(words[1 : words.index(">") if ">" in words else None])
        if args.command not in LOOKS:
            build_stages(settings_of(args))
    elif words[0] == "make":
        subprocess.run(["make", "--dry-run", words[1]], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        named = re.findall(r"\[(.*?)\]", shown.command)
        assert {*",".join(named).split(",")} - {""} <= {*extras}
    elif words[1] == "-m":
        assert importlib.util.find_spec(words[2])
    elif script := re.search(r"(?:cd (\w+);.*?)?python (\S+\.py)(.*)", shown.command):
        text = (ROOT / (script[1] or "") / script[2]).read_text("utf-8")
        for option in re.findall(r"--[\w-]+", script[3]):
            assert f'"{option}"' in text, option
    else:
        assert reason_not_to_run(shown.command), f"{shown.page}: {shown.command!r} is neither run nor listed"


def connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user who is connected and logged in: names on the hub are taken, nothing is asked."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_none")


def test_no_reason_is_left_over():
    commands = [one.command for one in [*in_blocks(), *in_text()]]

    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, command) for command in commands), pattern


@pytest.mark.parametrize("number", range(len(blocks("toml"))))
def test_settings_that_are_shown_are_settings(number: int, shop: Path, monkeypatch: pytest.MonkeyPatch):
    page, text = blocks("toml")[number]
    monkeypatch.chdir(shop)
    connect(monkeypatch)
    Path("shown.toml").write_text(text, encoding="utf-8")

    assert build_stages(read("shown.toml")), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    text = page.read_text("utf-8")

    for link, _, place in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]*))?\)", text):
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), link
        assert not place or place in anchors(target), place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path):
    paths = re.findall(r"`((?:pipeline|tests|prompts|docs|benchmarks|seed_tasks)/[\w./]*)`", page.read_text("utf-8"))

    for path in paths:
        assert "NAME" in path or (ROOT / path).exists(), path


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_dataset_loads_as_the_documentation_has_it(
    shop: Path, server_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import datasets

    (_, code), *more = [found for found in blocks("python") if "load_dataset" in found[1]]
    assert not more
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    names: dict[str, object] = {}

    exec(code, names)

    rows = names["rows"]
    assert isinstance(rows, datasets.DatasetDict)
    assert len(rows["train"]) > 10


@pytest.mark.parametrize(
    ("place", "find"),
    [
        ("my_stages:NoQuestions", find),
        ("my_titles:Titles", find),
        ("my_fruit:Fruit", find),
        ("my_scorers:exclamations", lambda place: find_scorer(place, {})),
        ("my_judges:agreement", lambda place: find_scorer(place, {})),
        ("my_engines:Echo", engine_class),
        ("my_formats:Pairs", find_format),
    ],
)
def test_what_is_shown_as_a_file_of_your_own_is_found(
    place: str, find: Any, shop: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(shop)
    monkeypatch.syspath_prepend(shop)
    monkeypatch.delitem(sys.modules, place.partition(":")[0], raising=False)  # a test before may have one of this name

    assert find(place)


def test_stages_and_an_engine_of_your_own_run_as_shown(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(shop)
    monkeypatch.syspath_prepend(shop)
    echo = engine_class("my_engines:Echo")("echo")

    tasks = run([find("my_fruit:Fruit")(), find("my_titles:Titles")()], read_seeds("nano"), echo, tmp_path)

    assert [task.name for task in tasks] == [
        f"Task: Describe the taste of a {fruit}.\nTitle:" for fruit in ("lemon", "plum")
    ]


def test_pages_made_from_the_code_are_up_to_date():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import build
    finally:
        sys.path.pop(0)

    for name, text in build.pages().items():
        assert (ROOT / "docs" / name).read_text("utf-8") == text, f"docs/{name}: run `python docs/build.py`"
