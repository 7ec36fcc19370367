"""What looks at a run reads its files as `run` does, also once an editor has saved them in its own way."""

import codecs
import json
from pathlib import Path

import pytest

from pipeline import Instance, Task
from pipeline.cli.main import main
from pipeline.report.record import read_run
from pipeline.report.review.changes import by_ids
from pipeline.report.review.queue import offsets_in
from pipeline.runs.files import funnel, kept_by_place
from pipeline.runs.shards import Shard, finished
from pipeline.runs.store import Store, whole_lines

TASKS = [
    Task(id=f"task_{n}", instruction=f"Name {n} rivers.", rejected=reason, meta={"request": 0, "item": n},
         instances=(Instance(output="Rhine"),))
    for n, reason in enumerate([None, "too_short", None])
]  # fmt: skip
PLAIN = [task.model_dump_json(exclude_defaults=True).encode() for task in TASKS]
SPACED = [json.dumps(json.loads(line)).encode() for line in PLAIN]
SAVED = {
    "as written": b"\n".join(PLAIN) + b"\n",
    "with a byte order mark": codecs.BOM_UTF8 + b"\n".join(PLAIN) + b"\n",
    "with blank lines": b"\n\n" + b"\n \n".join(PLAIN) + b"\n\n",
    "with line ends of Windows": codecs.BOM_UTF8 + b"\r\n".join(PLAIN) + b"\r\n\r\n",
    "without its last line end": b"\n".join(PLAIN),
    "with spaces in its lines": b"\n".join(SPACED) + b"\n",
    "while it is being written": b"\n".join(PLAIN) + b'\n{"id":"task_3","instruc',
}


@pytest.mark.parametrize("name", SAVED)
def test_every_look_at_a_file_finds_the_tasks_that_a_run_finds(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "1_instructions.jsonl"
    path.write_bytes(SAVED[name])
    shown: list[str] = []
    for words in (["stats"], ["show", "--reason", "all"], ["show", "--search", "2 rivers"]):
        main([words[0], str(tmp_path), *words[1:]])
        shown.append(capsys.readouterr().out)
    main(["why", "task_2", str(tmp_path)])
    shown.append(capsys.readouterr().out)

    assert funnel(tmp_path) == {"instructions": {"kept": 2, "too_short": 1}}
    assert kept_by_place(path) == [(1, 1), (0, 1), (1, 1)]
    assert [read_run(tmp_path).funnel, finished(tmp_path, Shard(1, 2))["decided"]] == [
        funnel(tmp_path),
        {"instructions": 3},
    ]
    assert [state.task for state in by_ids(tmp_path, ["task_0", "task_2"])] == [TASKS[0], TASKS[2]]
    assert [path.read_bytes()[place:].startswith(b'{"id"') for place in offsets_in(path).values()] == [True] * 3
    assert [text.count(f"Name {n} rivers.") for text in shown[1:] for n in range(3)] == [1, 1, 1, 0, 0, 1, 0, 0, 1]
    assert "3        2         1   too_short 1" in shown[0]
    assert [task.id for task in Store(path).load()] == [task.id for task in TASKS]
    assert [number for number, _, _ in whole_lines(path)] == [
        number for number, line in enumerate(path.read_bytes().split(b"\n"), 1) if b"{" in line
    ]
