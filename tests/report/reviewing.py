"""A review that is served in this process, and what a page would ask of it."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline import Instance, Task
from pipeline.report.review.desk import Desk
from pipeline.report.review.repair import Repairs
from pipeline.report.review.server import ListenAddress, application, serving
from pipeline.runs.reviews import FILE
from pipeline.runs.store import to_line

GOOD = {"instruction": True, "input": True, "output": True}
WRONG = GOOD | {"output": False}
PARTS = ["inner tube", "brake pad", "chain", "saddle", "pedal", "spoke", "wheel"]


def written(folder: Path, number: int = 12, planted: str = "") -> list[Task]:
    """A run of two stages, in which every tenth task is rejected by the second; return what that has kept."""
    tasks = [
        Task(
            id=f"task_{n:016x}",
            instruction=f"Tell customer {n} what a new {PARTS[n % 7]} costs{planted}",
            instances=(Instance(input=f"Hello, this is {n}.{planted}" if n % 2 else "", output=f"It costs {n} euros.{planted}"),),
            is_classification=n % 5 == 0,
            meta={"request": n // 5, "item": n % 5},
        )
        for n in range(number)
    ]  # fmt: skip
    decided = [task.reject("too_short") if n % 10 == 9 else task for n, task in enumerate(tasks)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1_instructions.jsonl").write_text("".join(map(to_line, tasks)), encoding="utf-8")
    (folder / "2_filter.jsonl").write_text("".join(map(to_line, decided)), encoding="utf-8")
    return [task for task in decided if task.kept]


def predicted(folder: Path, number: int = 8) -> Path:
    """Held-out tasks, and the answers of two models to them; of the first, both answer the same."""
    (folder / "predictions").mkdir(parents=True, exist_ok=True)
    heldout = folder / "held.jsonl"
    rows = [{"id": f"h{n}", "instruction": f"Say {n} in German", "output": f"richtig {n}"} for n in range(number)]
    heldout.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for model in ("base", "tuned"):
        rows = [{"id": f"h{n}", "prediction": f"{model} {n}" if n else "same"} for n in range(number)]
        path = folder / "predictions" / f"{model}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return heldout


class Visitor:
    """What a page does, without a browser."""

    def __init__(self, url: str, reviewer: str = "anna") -> None:
        self.url, self.reviewer = url, reviewer

    def get(self, path: str, **query: str | int) -> Any:
        fields = urllib.parse.urlencode({"reviewer": self.reviewer, **query})
        return self._answer(urllib.request.Request(f"{self.url}{path}?{fields}"))

    def post(self, path: str, **sent: object) -> Any:
        body = json.dumps({"reviewer": self.reviewer} | sent).encode()
        return self._answer(urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": "application/json"}))

    def do(self, place: int, did: str, **fields: object) -> Any:
        item = self.get("items", first=place, count=1)["items"][0]
        return self.post("do", id=item["id"], seen=item["seen"], did=did, **fields)

    def _answer(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=150) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
        return json.loads(text) if text.startswith("{") else text


@contextmanager
def served(desk: Desk, repairs: Repairs | None = None) -> Iterator[str]:
    """Serve a desk in a thread; the address is that of the page."""
    loop = asyncio.new_event_loop()
    there, ports = threading.Event(), []

    def announce(port: int) -> None:
        ports.append(port)
        there.set()

    task = loop.create_task(serving(application(desk, "token", repairs), ListenAddress(), announce))

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert there.wait(20)
        yield f"http://127.0.0.1:{ports[0]}/token/"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


def numbered(request) -> str:
    """A model that adds a part number to whatever answer it is to repair, but to one."""
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
    old = prompt.rsplit("Answer: ", 1)[1].partition("\nNote:")[0]
    return "" if old.startswith("It costs 3 ") else f" {old} It is part {len(old)}."


@pytest.fixture
def folder(tmp_path) -> Path:
    written(tmp_path / "run", 24)
    return tmp_path / "run"


def lines(folder) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / FILE).read_text("utf-8").splitlines()]
