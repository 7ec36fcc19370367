"""What a user sees of bad input: one line that says what to do, an exit code, and never a traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import Completion, Instance, Request, Task, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.resources import NANO
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.conftest import answer

GOOD: dict[str, Any] = {
    "id": "a",
    "instruction": "Say the given word twice.",
    "is_classification": False,
    "instances": [{"input": "it", "output": "it it"}],
}
NANO_HERE = ("--engine", "transformers", "--model", "nano")  # opened, and never asked: loading it would take seconds
Said = tuple[int, str]
Sprout = Callable[..., Said]


@pytest.fixture
def sprout(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sprout:
    """Run a command in an empty folder; gives its exit code and the one line it prints about an error, or none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.jsonl").write_text(line(**GOOD))

    def call(*args: str) -> Said:
        capsys.readouterr()
        try:
            main([*args, "--quiet"] if args and args[0] not in ("stats", "why", "seeds") else args)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        error = capsys.readouterr().err
        assert "Traceback" not in error
        assert error.count("\n") == (code != 0), error
        return code, error.removeprefix("sprout").removeprefix(": ").lstrip().rstrip("\n")

    return call


@pytest.fixture
def seeds() -> list[Task]:
    return [
        Task(
            id=f"seed_{n}",
            instruction=f"Name {n} things that a river and bridge {n} have in common",
            is_classification=n % 4 == 0,
            instances=(Instance(input=f"case {n}", output=f"result {n}"),),
        )
        for n in range(12)
    ]


@pytest.fixture
def begun(sprout: Sprout, seeds: list[Task]) -> tuple[str, ...]:
    """A finished run of five tasks in `old`, and the command that goes on with it."""
    Path("seeds.jsonl").write_text("".join(task.model_dump_json(exclude_defaults=True) + "\n" for task in seeds))

    def priced(request: Request) -> Any:
        return Completion(id=request.id, text=answer(request), prompt_tokens=9, completion_tokens=1)

    engine = Scripted(priced, model=str(NANO))
    run([Instructions(num_tasks=5, window=4), Classify(), Instances(), Filter()], seeds, engine, "old")
    return (
        "run", "--seeds", "seeds.jsonl", *NANO_HERE, "--out", "old",
        "--set", "export.licence=mit", "--set", "export.seeds_licence=mit",
        "--set", "instructions.num_tasks=5", "--set", "instructions.window=4",
    )  # fmt: skip


def line(**fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False) + "\n"


def change(path: str, number: int, new: bytes) -> None:
    """Put another line in place of one, counted from 1."""
    lines = Path(path).read_bytes().splitlines(keepends=True)
    lines[number - 1] = new
    Path(path).write_bytes(b"".join(lines))
