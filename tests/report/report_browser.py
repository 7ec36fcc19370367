"""A report that is open in Chromium, and runs to make one of."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import Instance, Task
from pipeline.report import write_report
from pipeline.runs.store import to_line
from tests.report.browser import Watched, playwright
from tests.report.test_curves import products

pytest.importorskip("bokeh", reason="needs the extra `report`")

PLANTED = "</script><script>window.hit=1;alert(1)</script><img src=x onerror=window.hit=1>{{ 7*7 }}\u2028<a href=javascript:alert(1)>"
SCREENS = [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")]
WORDS = [
    f"{a}{b}"
    for a in ["ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sta", "tre"]
    for b in ["lor", "mend", "nic", "pard", "rist", "sk", "tan", "ven"]
]
# Whether something other than the background is drawn on a chart of Bokeh, whose canvases are in shadow roots.
MARKED = """place => {
  const canvases = [], look = root => root.querySelectorAll('*').forEach(one => {
    if (one.tagName === 'CANVAS') canvases.push(one);
    if (one.shadowRoot) look(one.shadowRoot);
  });
  look(place);
  return canvases.some(canvas => {
    const colors = new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer));
    return colors.size > 8;
  });
}"""


class Seen(Watched):
    """A report that is open."""

    def open(self, path: Path) -> float:
        """Open a report; return how many seconds the page works until all is drawn and can be used.

        They are those of its thread: what else the machine is busy with does not count.
        """
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.goto(path.as_uri(), wait_until="load")
        self.page.wait_for_selector("#list > li")
        self.page.wait_for_selector("html[data-ready]")
        figures = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        session.detach()
        return float(figures["TaskDuration"])

    def count(self) -> int:
        return int(self.page.inner_text("#count").split(" of ")[0].replace(",", ""))

    def wait_for(self, number: int) -> None:
        playwright.expect(self.page.locator("#count")).to_have_text(re.compile(f"^{number:,} of"))

    def wait_for_other_than(self, number: int) -> None:
        playwright.expect(self.page.locator("#count")).not_to_have_text(re.compile(f"^{number:,} of"))


@pytest.fixture
def screen(new_page: Callable[..., Any]) -> Callable[..., Seen]:
    return lambda width=1440, scheme="light": Seen(new_page(width, scheme))


def text(rng: random.Random, least: int, most: int) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(least, most)))


def written(folder: Path, number: int, planted: str = "") -> Path:
    """The files of a run with that many candidates, two in three of them kept, as a model of many words would leave it."""
    rng = random.Random(number)
    tasks = []
    for n in range(number):
        old = [f"t{rng.randrange(n)}" for _ in range(2)] if n > 20 else []
        task = Task(
            id=f"t{n}", instruction=f"{rng.choice(['Write', 'Sort', 'Name', 'Describe'])} the {text(rng, 5, 16)}{planted}",
            is_classification=n % 4 == 0, parents=(*old, *(f"seed_{k}{planted}" for k in range(6))),
            instances=tuple(Instance(input=text(rng, 2, 12) + planted, output=text(rng, 1, 12) + planted) for _ in range(2)),
            meta={"request": n // 5, "item": n % 5},
        )  # fmt: skip
        if n % 3 == 2:
            task = task.score(rouge_l=0.7 + n % 30 / 100).reject(f"not_new{planted}" if n % 2 else "too_long")
        tasks.append(task)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1_instructions.jsonl").write_text("".join(map(to_line, tasks)), encoding="utf-8")
    kept = [task.reject("bad") if task.kept and n % 50 == 0 else task for n, task in enumerate(tasks) if task.kept]
    (folder / "2_filter.jsonl").write_text("".join(map(to_line, kept)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = written(tmp_path_factory.mktemp("report") / "run", 600)
    products(folder)
    return write_report(folder)
