"""The report in a real browser, from disk: it draws, searches and filters, asks nothing of anybody, and runs no planted script.

Chromium is driven by Playwright; both are found, not fetched: `apt-get install chromium`, `pip install playwright`.
"""

import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline import Instance, Task, run
from pipeline.engines.scripted import Scripted
from pipeline.report import write_report
from pipeline.runs.store import to_line
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.report.test_curves import products

pytest.importorskip("bokeh", reason="needs the extra `report`")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright, to drive Chromium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

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


class Seen:
    """A page, and what went wrong or out while it was open."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.trouble: list[str] = []
        page.on("console", lambda one: self.note(one.text if one.type in ("error", "warning") else ""))
        page.on("pageerror", lambda error: self.note(str(error)))
        page.on("dialog", self.dismiss)
        page.on("request", lambda one: self.note("" if one.url.startswith(("file:", "data:")) else one.url))

    def note(self, trouble: str) -> None:
        if trouble:
            self.trouble.append(trouble)

    def dismiss(self, dialog: Any) -> None:
        self.note(dialog.message)
        dialog.dismiss()

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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def screen(chromium: Any) -> Iterator[Callable[..., Seen]]:
    contexts = []

    def open_screen(width: int = 1440, scheme: str = "light") -> Seen:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        return Seen(contexts[-1].new_page())

    yield open_screen
    for context in contexts:
        context.close()


def brightness(color: str) -> int:
    return sum(map(int, re.findall(r"\d+", color)))


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


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_all_charts_are_drawn_at_each_width_in_each_scheme(
    width: int, scheme: str, report: Path, screen: Callable[..., Seen]
) -> None:
    seen = screen(width, scheme)
    seen.open(report)
    charts = [chart for chart in seen.page.query_selector_all(".chart") if chart.is_visible()]
    assert len(charts) == 9 + (width > 719)
    for chart in charts:
        chart.scroll_into_view_if_needed()
        assert chart.evaluate(MARKED), chart.get_attribute("id")
    for section in ("#funnel", "#verbs", "#classes", "#evaluation"):
        marks = seen.page.query_selector_all(f"{section} .mark")
        assert marks
        assert all(mark.bounding_box()["width"] > 0 for mark in marks)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = (
        seen.page.evaluate(f"getComputedStyle(document.body).{which}") for which in ("color", "backgroundColor")
    )
    assert (brightness(paper) < brightness(ink)) == (scheme == "dark")
    assert seen.trouble == []


def test_no_text_is_tiny(report: Path, screen: Callable[..., Seen]) -> None:
    seen = screen(390)
    seen.open(report)
    sizes = seen.page.evaluate(
        "[...document.querySelectorAll('body *')].filter(one => one.innerText?.trim() && ![...one.children].length && !one.closest('script, style, .chart, .bar'))"
        ".map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 13


def test_search_and_filters_narrow_the_list(report: Path, screen: Callable[..., Seen]) -> None:
    seen = screen(1440)
    seen.open(report)
    page = seen.page
    assert seen.count() == 600
    page.select_option("#outcome", "rejected")
    seen.wait_for(208)
    page.select_option("#stage", label="filter")
    seen.wait_for(8)
    page.click("button[type=reset]")
    seen.wait_for(600)
    page.select_option("#reason", label="too_long")
    seen.wait_for(100)
    page.select_option("#score", "rouge_l")
    page.fill("#low", "0.8")
    page.fill("#high", "0.9")
    seen.wait_for_other_than(100)
    assert 0 < seen.count() < 100
    page.click("button[type=reset]")
    first = page.inner_text("#list .text")
    page.fill("#query", first.upper())
    seen.wait_for(1)
    page.click("#list summary")
    assert "instance 1" in page.inner_text("#list .body")
    page.fill("#query", "no such words in it")
    seen.wait_for(0)
    assert seen.trouble == []


def test_a_cluster_a_reason_and_a_task_can_be_chosen(report: Path, screen: Callable[..., Seen]) -> None:
    seen = screen(1440)
    seen.open(report)
    page = seen.page
    page.click("#clusters button")
    size = int(page.inner_text("#clusters button b"))
    seen.wait_for(size)
    page.click("#clusters button")
    seen.wait_for(600)
    page.click(".reasons button")
    seen.wait_for(100)
    page.click("button[type=reset]")
    seen.wait_for(600)
    page.click("#after")
    assert page.inner_text("#where") == "2 of 24"
    row = page.query_selector("#list > li")
    wanted = row.query_selector(".text").inner_text()
    row.query_selector("summary").click()
    page.click("#list .to-family")
    assert page.inner_text("#tree .root") == wanted
    assert "6 seeds before it" in page.inner_text("#tree")
    assert seen.trouble == []


def test_a_planted_script_does_not_run(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    path = write_report(written(tmp_path / "run", 120, PLANTED))
    seen = screen(1440)
    seen.open(path)
    page = seen.page
    for summary in page.query_selector_all("#list summary")[:3]:
        summary.click()
    page.click("#list .to-family")
    for tree in page.query_selector_all("#tree summary")[:8]:
        tree.click()
    page.locator("#chart-map").scroll_into_view_if_needed()
    box = page.locator("#chart-map").bounding_box()
    for x in range(10, 90, 8):  # hover over points, which shows their text
        for y in range(10, 90, 8):
            page.mouse.move(box["x"] + box["width"] * x / 100, box["y"] + box["height"] * y / 100)
    page.click(".reasons button")
    assert page.evaluate("window.hit") is None
    assert page.query_selector("img, [onerror], a[href^=javascript]") is None
    assert "onerror" in page.inner_text("#list")
    assert seen.trouble == []


def test_the_scheme_can_change_while_the_page_is_open(report: Path, screen: Callable[..., Seen]) -> None:
    seen = screen(1440, "light")
    seen.open(report)
    seen.page.emulate_media(color_scheme="dark")
    seen.page.wait_for_selector("html:not([data-ready])", state="attached")
    seen.page.wait_for_selector("html[data-ready]")
    assert seen.page.eval_on_selector("#chart-map", MARKED)
    assert seen.page.evaluate(
        "[...document.querySelectorAll('.chart')].every(chart => chart.childElementCount === 1 || !chart.offsetParent)"
    )
    assert seen.trouble == []


def test_ten_thousand_tasks_open_in_two_seconds_in_less_than_five_megabytes(
    tmp_path: Path, screen: Callable[..., Seen]
) -> None:
    path = write_report(written(tmp_path / "run", 10_000))
    assert path.stat().st_size < 5_000_000
    seen = screen(390)
    assert 0 < seen.open(path) < 2
    assert seen.count() == 10_000
    start = time.monotonic()
    seen.page.fill("#query", "bamend cepard")
    seen.wait_for_other_than(10_000)
    assert time.monotonic() - start < 1
    assert seen.page.evaluate("document.querySelectorAll('#list > li').length") <= 25
    assert seen.trouble == []


def test_the_report_of_a_run_opens_in_two_seconds(
    model: Scripted, seeds: Sequence[Task], tmp_path: Path, screen: Callable[..., Seen]
) -> None:
    run([Instructions(num_tasks=200), Classify(), Instances(), Filter()], seeds, model, tmp_path / "run")
    seen = screen(1440)
    path = write_report(tmp_path / "run", seeds)
    assert 0 < seen.open(path) < 2
    assert seen.page.query_selector("#usage table")
    assert "12 seeds" in seen.page.inner_text("#tree") or "seeds before it" in seen.page.inner_text("#tree")
    assert seen.trouble == []
