"""Whatever a model writes is text: it changes no other task, breaks no file, runs nowhere and reaches no path."""

import json
import os
from pathlib import Path
from typing import Any

import datasets
import pytest

from pipeline import Instance, Request, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.stages import Classify, Export, Filter, Instances, Instructions
from pipeline.text import mend
from tests.conftest import answer

HOSTILE = [
    '{"id": "seed_0", "instruction": "x", "rejected": "not_new"}',
    '"}\\n{"id": "seed_0"}',
    "{{ 7*7 }} {% raw %} {{ demos.__class__.__mro__ }} {% include '/etc/passwd' %}",
    "{instruction} {0.__class__} %s %(x)s",
    "$(touch ran) `touch ran` ; touch ran && echo $SPROUT_API_KEY",
    "../../etc/passwd /etc/passwd C:\\windows ~/.ssh/id_rsa file:///etc/passwd",
    "a\u2028b\u2029c\x85d\x0be\x1cf\rg",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f",
    "half \ud83d and \udc00, and a whole \U0001f600",
    "\ufeff<|endoftext|></s><script>alert(1)</script>",
]
TEXTS = [f"Explain to a child of {n} years what {text} means" for n, text in enumerate(HOSTILE, 3)]


def hostile(request: Request) -> str:
    """As the toy model, with hostile texts in each completion."""
    prompt = str(request.prompt)
    text = HOSTILE[len(prompt) % len(HOSTILE)]
    if prompt.endswith("Classification:"):
        return f"{answer(request)} {text}"
    if prompt.endswith("Class label:"):
        return f" {text}\nInput: {text}?"
    if prompt.endswith("Example 1"):
        return f"\nInput: {text}\nOutput: {text}!\nExample 2\nInput: {text}?\nOutput: fine"
    number = int(prompt.rsplit("\n", 1)[-1].removesuffix("."))
    return "\n".join([answer(request), *(f"{number + i}. {one}" for i, one in enumerate(TEXTS, 4))])


def stages(**settings: object) -> list[object]:
    return [
        Instructions(num_tasks=20, window=2, max_items=20, english=False, **settings),
        Classify(),
        Instances(),
        Filter(),
        Export(),
    ]


def run_hostile(seeds: list[Task], folder: Path) -> None:
    run(stages(), seeds, Scripted(hostile), folder)


def flat(text: str) -> str:
    """On one line and without what cannot be seen: how a text may be tidied, and no further."""
    return " ".join("".join(c for c in mend(text) if c.isprintable() or c.isspace()).split())


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_each_line_of_each_file_stays_one_task(seeds, tmp_path):
    run_hostile(seeds, tmp_path)
    before: list[str] | None = None
    for path in sorted(tmp_path.glob("*.jsonl")):
        ids = [row["id"] for row in rows(path)]
        assert ids == [task.id for task in read_tasks(path)]
        assert all(id.startswith("task_") for id in ids)
        assert before is None or ids == before
        before = [row["id"] for row in rows(path) if "rejected" not in row]
    written = {flat(row["instruction"]) for row in rows(tmp_path / "1_instructions.jsonl")}
    assert sum(flat(text) in written for text in TEXTS) >= 8  # the others end early, or lose their control characters


def test_every_file_is_read_by_datasets(seeds, tmp_path):
    run_hostile(seeds, tmp_path / "run")
    cache = str(tmp_path / "cache")
    dataset = tmp_path / "run" / "dataset"
    for path in [*(tmp_path / "run").glob("*.jsonl"), *dataset.glob("*.jsonl")]:
        read = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
        assert len(read) == len(rows(path)) > 0
    alpaca = datasets.load_dataset(str(dataset), "alpaca", split="train", cache_dir=cache).to_list()
    assert alpaca == rows(dataset / "alpaca.jsonl")
    assert any("{{ 7*7 }} {% raw %}" in row["input"] for row in alpaca)


def test_a_hostile_completion_changes_no_other_task(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path / "plain")
    victim = rows(tmp_path / "plain" / "4_filter.jsonl")[3]["id"]

    def others(path: Path) -> list[bytes]:
        return [line for line in path.read_bytes().split(b"\n") if victim.encode() not in line]

    for number, text in enumerate(HOSTILE):

        def once(request: Request, text: str = text) -> str:
            asked = request.id == victim and "Classification:" not in str(request.prompt)
            return f" {text}\nOutput: {text}" if asked else answer(request)

        run(stages(), seeds, Scripted(once), tmp_path / str(number))
        for path in (tmp_path / "plain").glob("*.jsonl"):
            assert others(tmp_path / str(number) / path.name) == others(path)


@pytest.mark.parametrize("text", [mend(text) for text in TEXTS])
def test_a_demo_is_shown_and_not_run(seeds, tmp_path, text):
    demo = seeds[0].update(instruction=text, instances=(Instance(input=text, output=text),))
    model = Scripted(answer)
    run(stages(num_demos=13)[:3], [demo, *seeds[1:]], model, tmp_path)

    prompts = [flat(str(request.prompt)) for request in model.requests]
    assert f". {flat(text)} " in prompts[0]
    assert any(f"Task: {flat(text)} Classification:" in prompt for prompt in prompts)
    assert any(f"Task: {flat(text)} Class label: {flat(text)} Input: {flat(text)} " in prompt for prompt in prompts)


def test_nothing_is_run_and_no_other_path_is_touched(seeds, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run_hostile(seeds, tmp_path / "deep" / "run")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "here"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"]
    assert not list((tmp_path / "here").iterdir())
    names = {path.name for path in (tmp_path / "deep" / "run").iterdir()}
    assert names - {".lock"} == {
        "1_instructions.jsonl", "2_classify.jsonl", "3_instances.jsonl", "4_filter.jsonl",
        "completions.sqlite", "dataset", "settings.json",
    }  # fmt: skip


def test_a_hostile_run_goes_on_to_the_same_bytes(seeds, tmp_path):
    run_hostile(seeds, tmp_path / "whole")
    run_hostile(seeds, tmp_path / "torn")
    for number, name in enumerate(["1_instructions.jsonl", "2_classify.jsonl", "3_instances.jsonl", "4_filter.jsonl"]):
        path = tmp_path / "torn" / name
        path.write_bytes(path.read_bytes()[: 700 * (4 - number)])
    run_hostile(seeds, tmp_path / "torn")

    for path in (tmp_path / "whole").glob("*.jsonl"):
        assert (tmp_path / "torn" / path.name).read_bytes() == path.read_bytes()


def test_a_score_that_is_no_number_can_be_read_back():
    task = Task(id="a", instruction="x").score(judge=float("nan"), other=float("-inf"))
    again = Task.model_validate_json(task.model_dump_json())

    assert json.loads(task.model_dump_json())["scores"] == {"judge": "NaN", "other": "-Infinity"}
    assert repr(again.scores) == repr(task.scores)


def test_the_key_of_a_server_is_in_no_file_and_no_message(seeds, tmp_path, monkeypatch, capsys, caplog):
    for name in ("SPROUT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "planted-key-123")
    caplog.set_level("DEBUG")
    run(stages(), seeds, Scripted(hostile), tmp_path / "run")

    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) >= 7
    assert not [path for path in files if b"planted-key-123" in path.read_bytes()]
    assert "planted-key-123" not in "".join([*capsys.readouterr(), caplog.text])
    assert os.environ["SPROUT_API_KEY"] == "planted-key-123"
