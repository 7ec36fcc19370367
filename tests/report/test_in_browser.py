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
    assert seen.page.evaluate("document.querySelector('main > section').id") == "tasks"
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
    assert seen.count() == 392
    assert page.input_value("#outcome") == "kept"
    page.select_option("#outcome", "rejected")
    seen.wait_for(208)
    page.select_option("#stage", label="filter")
    seen.wait_for(8)
    page.click("button[type=reset]")
    seen.wait_for(392)
    page.select_option("#outcome", "")
    seen.wait_for(600)
    page.select_option("#reason", label="too_long")
    seen.wait_for(100)
    page.select_option("#score", "rouge_l")
    page.fill("#low", "0.8")
    page.fill("#high", "0.9")
    seen.wait_for_other_than(100)
    assert 0 < seen.count() < 100
    page.click("button[type=reset]")
    seen.wait_for(392)
    first = page.inner_text("#list .head .text")
    page.fill("#query", first.upper())
    seen.wait_for(1)
    page.click("#list summary")
    assert "instance 2" in page.inner_text("#list .body")
    assert re.search(r"sprout why t\d+ .*run", page.inner_text("#list .body"))
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
    seen.wait_for(392)
    page.click(".reasons button")
    seen.wait_for(100)
    page.click("button[type=reset]")
    seen.wait_for(392)
    page.click("#after")
    assert page.inner_text("#where") == "2 of 16"
    row = page.query_selector("#list > li")
    wanted = row.query_selector(".head .text").inner_text()
    row.query_selector("summary").click()
    page.click("#list .to-family")
    assert page.inner_text("#tree .root") == wanted
    assert "6 seeds before it" in page.inner_text("#tree")
    assert seen.trouble == []


def test_a_planted_script_does_not_run(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    path = write_report(written(tmp_path / "run", 330, PLANTED))
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
    page.click("#list .foot a")
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
    seen.page.select_option("#outcome", "")
    seen.wait_for(10_000)
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


def test_of_each_task_the_output_is_in_sight_and_a_long_one_is_cut_until_it_is_opened(
    tmp_path: Path, screen: Callable[..., Seen]
) -> None:
    long = "word " * 400
    tasks = [
        Task(id="a", instruction="Say yes", instances=(Instance(output="yes"), Instance(output="yes, yes"))),
        Task(id="b", instruction="Say much", instances=(Instance(input="much", output=long),)),
        Task(id="c", instruction="Say nothing"),
    ]
    (tmp_path / "1_filter.jsonl").write_text("".join(map(to_line, tasks)), encoding="utf-8")
    seen = screen(390)
    seen.open(write_report(tmp_path))
    rows = seen.page.query_selector_all("#list > li")
    assert [row.query_selector(".instance") is not None for row in rows] == [True, True, False]
    assert rows[0].query_selector(".instance").inner_text().split() == ["output", "yes"]
    assert rows[0].query_selector("summary").inner_text() == "1 more, history"
    assert rows[1].query_selector(".instance").bounding_box()["height"] < 200
    rows[1].query_selector("summary").click()
    assert rows[1].query_selector(".body").bounding_box()["height"] > 400
    assert seen.trouble == []


@pytest.mark.parametrize("id", ["t1", 't"><script>window.hit=1</script>&#%25 é', "../a?b=c"])
def test_a_link_leads_to_one_task_that_is_open_there(id: str, tmp_path: Path, screen: Callable[..., Seen]) -> None:
    tasks = [
        Task(id=name, instruction=f"Name {n} rivers like {id}", rejected="not_new" if n == 1 else None)
        for n, name in enumerate(("t10", id, "t11"))
    ]
    (tmp_path / "1_filter.jsonl").write_text("".join(map(to_line, tasks)), encoding="utf-8")
    seen = screen(1440)
    path = write_report(tmp_path)
    seen.open(path)
    seen.page.select_option("#outcome", "")
    seen.wait_for(3)
    seen.page.click("#list > li:nth-child(2) .foot a")
    seen.wait_for(1)
    address = seen.page.url
    assert address.startswith(f"{path.as_uri()}#task=")
    again = screen(390)
    again.page.goto(address, wait_until="load")
    again.page.wait_for_selector("html[data-ready]")
    assert again.count() == 1
    assert again.page.inner_text("#list .head .text") == tasks[1].instruction
    assert again.page.query_selector("#list details[open] .body")
    assert again.page.evaluate("window.hit") is None
    again.page.goto(f"{path.as_uri()}#task=nowhere")
    again.page.reload()
    again.page.wait_for_selector("html[data-ready]")
    assert again.count() == 2  # those that are kept
    assert seen.trouble == again.trouble == []


def test_under_200_tasks_there_is_no_map_and_no_wheel(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    for number, there in ((290, False), (330, True)):  # 189 and 215 kept
        seen = screen(1440)
        seen.open(write_report(written(tmp_path / str(number), number)))
        for place in ("#map", "#chart-sun", "nav [href='#map']"):
            assert bool(seen.page.query_selector(place)) == there, place
        assert seen.page.is_visible("#cluster") == there
        assert seen.page.query_selector("#verbs .mark")
        assert seen.trouble == []


def test_where_nothing_is_kept_all_is_shown(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    tasks = [Task(id=f"t{n}", instruction=f"Name {n} rivers", rejected="not_new") for n in range(4)]
    (tmp_path / "1_filter.jsonl").write_text("".join(map(to_line, tasks)), encoding="utf-8")
    seen = screen(1440)
    seen.open(write_report(tmp_path))
    assert seen.count() == 4
    seen.page.click("button[type=reset]")
    seen.wait_for(4)


@pytest.mark.parametrize("width", [390, 1440])
def test_a_wide_table_scrolls_and_the_page_does_not(width: int, report: Path, screen: Callable[..., Seen]) -> None:
    seen = screen(width)
    seen.open(report)
    tables = seen.page.query_selector_all(".scroll")
    assert len(tables) >= 3
    for table in tables:
        table.evaluate("table => table.scrollTo(10000, 0)")
        last = table.query_selector("thead th:last-child").bounding_box()
        assert last["x"] + last["width"] <= width
        assert table.query_selector("thead th").bounding_box()["x"] >= 0  # the name of a row stays in sight
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_marks_of_people_are_shown_and_can_be_chosen(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    from pipeline.report.page import render
    from pipeline.report.record import read_run

    record = read_run(written(tmp_path / "run", 60))
    record.marks |= {"t1": ["good", "edited"], "t3": [f"good{PLANTED}"]}
    (tmp_path / "page.html").write_text(render(record), encoding="utf-8")
    seen = screen(1440)
    seen.open(tmp_path / "page.html")
    shown = [mark.inner_text() for mark in seen.page.query_selector_all("#list .said")]
    assert shown[:2] == ["good", "edited"]
    assert len(shown) == 3
    seen.page.select_option("#mark", "edited")
    seen.wait_for(1)
    assert seen.page.evaluate("window.hit") is None
    assert seen.trouble == []
