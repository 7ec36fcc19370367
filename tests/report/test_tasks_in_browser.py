"""The browser of tasks in the report: what is in sight, links to tasks, marks, and what a small run leaves out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import Instance, Task
from pipeline.report import write_report
from pipeline.report.page import render
from pipeline.report.record import read_run
from pipeline.runs.store import to_line
from tests.report.browser import CHROMIUM, chromium, new_page
from tests.report.report_browser import PLANTED, Seen, report, screen, written

__all__ = ["chromium", "new_page", "report", "screen"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


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
        for place in ("#map", "#chart-sunburst", "nav [href='#map']"):
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
