"""The report in a real browser, from disk: it draws, searches and filters, asks nothing of anybody, and runs no planted script."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline import Task, run
from pipeline.engines.scripted import Scripted
from pipeline.report import write_report
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.report.browser import CHROMIUM, brightness, chromium, new_page
from tests.report.report_browser import MARKED, PLANTED, SCREENS, Seen, report, screen, written

__all__ = ["chromium", "new_page", "report", "screen"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


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
    assert page.inner_text("#where") == "2 of 40"
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
