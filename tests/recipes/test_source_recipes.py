"""Recipes on a user's own text and datasets run from the command line: with a model, without seeds."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from pipeline.asking.templates import prompt_folder
from pipeline.cli.main import main
from pipeline.runs.store import read_kept

NANO = ["--engine", "transformers", "--model", "nano", "--set", "engine.window=8", "--set", "engine.dtype=float64"]
SHORT = ["--set", "documents.sampling.max_tokens=24", "--set", "documents.sampling.temperature=0.7"]
TOWNS = ["Arles", "Bern", "Cork", "Delft", "Erfurt", "Faro"]
# The embedded model knows tasks of its own alone, so it is asked in its own words; it writes an input and an output.
ASKED = """\
Each task is followed by examples of its solution: the input, where the task needs one, and the right output.

Task: Please find the word that means the reverse.
Example 1
Input: narrow
Output: wide
Example 2
Input: open
Output: closed

Task: Please find the word that means the reverse.
Example 1
"""
ANSWERS = """
import re


def answer(request):
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
    if "Passage:" not in prompt:
        return "It goes on, and it ends."
    passage = prompt.rpartition("Passage:")[2]
    name, year = re.search(r"mill of (\\w+)", passage)[1], re.search(r"\\d{4}", passage)[0]
    if "yes or no" in prompt:
        return f" Was the mill of {name} built in {year}?\\nAnswer: Yes"
    if "four options" in prompt:
        return f" When was the mill of {name} built?\\nA. {year}\\nB. 1999\\nAnswer: A"
    if "such a question" in prompt:
        return f" Ask for the year {year}.\\nAnswer: When was the mill of {name} built?"
    if "positive, negative" in prompt:
        return f" How does {name} feel?\\nAnswer: neutral"
    if "true, false or" in prompt:
        return f" Was {name} built in {year}: true, false or unknown?\\nAnswer: true"
    return f" When was the mill of {name} built?\\nAnswer: {year}"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with notes, and with prompts that the embedded model can follow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("notes").mkdir()
    for n, town in enumerate(TOWNS):
        Path(f"notes/{town}.md").write_text(f"# {town}\n\n{sentences(town, 1700 + n)}", encoding="utf-8")
    return tmp_path


def sentences(town: str, year: int) -> str:
    return (
        f"The mill of {town} was built in {year}. It grinds rye for the whole valley. On market days its flour is sold."
    )


def sprout(*args: str) -> None:
    main([*args, "--quiet"])


@pytest.mark.parametrize("recipe", ["document_qa", "bonito"])
def test_a_folder_of_notes_and_one_command_give_a_dataset(recipe, shop, monkeypatch):
    mine = Path(shutil.copytree(prompt_folder(), "prompts"))
    for path in mine.glob("documents_*.jinja"):
        path.write_text(ASKED + "{# {{ passage }} {{ closed_book }} #}", encoding="utf-8")
    monkeypatch.setenv("SPROUT_PROMPTS", str(mine))
    few = ["--set", 'documents.kinds=["question", "summary"]', "--set", "documents.max_passages=2"]
    sprout("run", recipe, "--documents", "notes", "--out", "run", *NANO, *SHORT, *few, "--set", "documents.min_words=5")

    tasks = read_kept(Path("run/2_filter.jsonl"))
    assert tasks
    assert all(task.instances[0].input == task.meta["passage"] for task in tasks)
    assert {"kind", "file", "start", "end"} < json.loads(
        Path("run/dataset/alpaca.jsonl").read_text().partition("\n")[0]
    ).keys()
    assert "general" not in Path("run/dataset/README.md").read_text("utf-8")


def test_halves_of_texts_and_one_command_give_a_dataset(shop):
    stop = ["--set", 'documents.sampling.stop=["\\n", "."]', "--set", "documents.min_words=5"]
    sprout(
        "run",
        "non_instructional",
        "--documents",
        "notes",
        "--out",
        "run",
        *NANO,
        *SHORT,
        *stop,
        "--set",
        "documents.max_passages=3",
    )

    tasks = read_kept(Path("run/2_filter.jsonl"))
    assert tasks
    assert all(task.meta["passage"].startswith(task.instruction) and task.instances[0].output for task in tasks)


def test_datasets_and_one_command_give_a_mix_without_asking_a_model(shop):
    for name in ("one", "two"):
        rows = ({"instruction": f"Say {name} and {n * 1000 + n} aloud.", "output": f"{n}"} for n in range(9))
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sprout("run", "tulu_mix", "--mix", "a=one.jsonl", "b=two.jsonl", "--out", "run", *NANO)

    assert {task.meta["dataset"] for task in read_kept(Path("run/2_filter.jsonl"))} == {"a", "b"}
    assert len(Path("run/dataset/alpaca.jsonl").read_text().splitlines()) > 12


@pytest.mark.parametrize(("recipe", "kinds"), [("document_qa", 3), ("bonito", 16), ("non_instructional", 1)])
def test_a_thousand_tasks_go_through_every_stage(recipe, kinds, shop, monkeypatch):
    Path("answers_about_mills.py").write_text(ANSWERS)
    monkeypatch.delitem(sys.modules, "answers_about_mills", raising=False)
    count = -(-1000 // kinds)
    text = "\n\n".join(f"## {n}\n\n{sentences(f'Town{n}', 1000 + n)}" for n in range(count))
    Path("notes/many.md").write_text(text, encoding="utf-8")
    toy = ["--engine", "scripted", "--set", "engine.answer=answers_about_mills:answer", "--model", "toy"]
    sprout("run", recipe, "--documents", "notes/many.md", "--out", "run", *toy, "--set", "documents.min_words=5")

    decided = Path("run/1_documents.jsonl").read_text("utf-8").count("\n")
    assert decided == count * kinds >= 1000
    assert len(read_kept(Path("run/2_filter.jsonl"))) > 0.3 * decided  # the toy says the same of several kinds


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "document_qa", *NANO], "documents: no text is named; give a file or a folder of your own text, or a data set, with --documents"),
        (["run", "document_qa", "--documents", "nowhere", *NANO], "nowhere: there is no such file or folder"),
        (["run", "quickstart", "--documents", "notes"], "[documents]: this run has no stage documents; add it to stages"),
        (["run", "tulu_mix", "--mix", "a", *NANO], "'a' has no name; give it one"),
        (["run", "tulu_mix", *NANO], "data/flan_v2.jsonl: cannot be read (No such file or directory)"),
        (["run", "--seeds", "none", *NANO, "--out", "run"], "instructions: there are no seed tasks"),
        (["seeds", "check", "none"], "none: there are no seeds to check"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_in_a_sentence(args, said, shop, capsys):
    with pytest.raises(SystemExit):
        main(args)

    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
