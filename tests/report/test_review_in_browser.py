"""The page of a review in a real browser, by keyboard alone, for several people, at both widths and in the dark.

Chromium is driven by Playwright; both are found, not fetched: `apt-get install chromium`, `pip install playwright`.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.scripted import Scripted
from pipeline.report.review.answers import answers_of
from pipeline.report.review.queue import Choice, tasks_of
from pipeline.report.review.ratings import read_ratings
from pipeline.report.review.repair import Repairs
from pipeline.runs.reviews import FILE, Reviews
from tests.report.reviewing import Visitor, predicted, served, written
from tests.report.test_review import numbered

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright, to drive Chromium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

PLANTED = "</script><script>window.hit=1;alert(1)</script><img src=x onerror=window.hit=1>{{ 7*7 }}<a href=javascript:alert(1)>"
SCREENS = [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")]


class Seen:
    """A page of a reviewer, and what went wrong or out while it was open."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.trouble: list[str] = []
        self.home = ""
        page.on("console", lambda one: self.note(one.text if one.type in ("error", "warning") else ""))
        page.on("pageerror", lambda error: self.note(str(error)))
        page.on("request", lambda one: self.note("" if one.url.startswith((self.home, "data:")) else one.url))
        page.on("dialog", self.dismiss)

    def note(self, trouble: str) -> None:
        if trouble:
            self.trouble.append(trouble)

    def dismiss(self, dialog: Any) -> None:
        self.note(dialog.message)
        dialog.dismiss()

    def open(self, url: str, reviewer: str = "anna") -> None:
        self.home = url
        self.page.goto(f"{url}?reviewer={reviewer}")
        self.page.wait_for_selector("html[data-ready]")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def at(self, place: int) -> None:
        self.page.wait_for_selector(f"html[data-place='{place}']")

    def reach(self, selector: str, **state: str) -> None:
        self.page.wait_for_selector(selector, **state)


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


def said(folder: Path) -> list[dict[str, Any]]:
    path = folder / FILE
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def brightness(color: str) -> int:
    return sum(map(int, re.findall(r"\d+", color)))


def test_the_keyboard_alone_is_enough(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    written(tmp_path, 24)
    seen = screen()
    with served(tasks_of(tmp_path, Choice())) as url:
        seen.home = url
        seen.page.goto(url)
        seen.page.wait_for_selector("#name:not([hidden])")
        seen.page.keyboard.type("Dana 123 u")  # a name with the letters of all shortcuts in it
        seen.press("Enter")
        seen.reach("html[data-ready]")
        seen.press(" ", "3", " ", "1", "1", "2", " ")  # all good; the output is wrong; the input does not fit
        seen.at(3)
        seen.press("d")
        seen.reach("article.dropped")
        seen.press(" ")
        seen.at(4)
        seen.press("n")
        seen.page.keyboard.type("name 1 part, d u s 3")
        seen.press("Enter")
        seen.reach(".said")
        seen.press("t")
        seen.page.keyboard.type("wheels, sd")
        seen.press("Enter")
        seen.reach(".marks .tag:has-text('sd')")
        seen.press("e")
        seen.reach("#form textarea")
        seen.page.keyboard.type(" and 1 2 3 d")
        seen.press("Control+Enter")
        seen.reach("#task details")
        seen.press("s")
        seen.at(5)
        seen.press("ArrowLeft", "ArrowLeft")
        seen.at(3)
        seen.press("u")  # not where the page is, but what was done last
        seen.at(4)
        seen.press("p")
        seen.reach("#detail .near li")
        seen.page.reload()
        seen.reach("html[data-ready]")
        seen.at(4)
    states = [one for one in said(tmp_path) if one["did"] == "judge"]
    verdicts = list({one["task"]: one["verdict"] for one in states}.values())

    assert verdicts == [
        {"instruction": True, "input": True, "output": True},
        {"instruction": True, "input": True, "output": False},
        {"instruction": True, "input": False, "output": True},
    ]
    others = [one for one in said(tmp_path) if one["did"] != "judge"]
    assert [one["did"] for one in others] == ["drop", "note", "tag", "edit", "skip", "undo"]
    assert {one["reviewer"] for one in said(tmp_path)} == {"Dana 123 u"}
    assert others[1]["note"] == "name 1 part, d u s 3"
    assert others[2]["tags"] == ["wheels", "sd"]
    assert others[3]["after"]["instruction"] == others[3]["before"]["instruction"] + " and 1 2 3 d"
    assert seen.trouble == []


def test_a_key_held_down_judges_one_task_and_a_clicked_button_leaves_the_space_bar_alone(
    tmp_path: Path, screen: Callable[..., Seen]
) -> None:
    written(tmp_path, 24)
    seen = screen()
    with served(tasks_of(tmp_path, Choice())) as url:
        seen.open(url)
        for _ in range(10):
            seen.page.keyboard.down(" ")
        seen.page.keyboard.up(" ")
        seen.at(1)
        seen.page.click(".question >> nth=2")
        seen.reach(".question.no")
        seen.press(" ")
        seen.at(2)
        seen.page.focus("#actions button:has-text('Skip')")  # who goes there with Tab means that button
        seen.press(" ")
        seen.at(3)
        seen.press("Control+d", "Alt+d", "Meta+d")
    assert [one["did"] for one in said(tmp_path)] == ["judge", "judge", "judge", "skip"]
    assert seen.trouble == []


def test_two_people_review_at_once(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    written(tmp_path, 24)
    anna, bo = screen(), screen(390, "dark")
    with served(tasks_of(tmp_path, Choice())) as url:
        anna.open(url, "anna")
        bo.open(url, "bo")
        anna.press(" ", " ")
        bo.press("1", " ")
        anna.at(2)
        bo.at(1)
        anna.press("e")
        anna.page.keyboard.type(" today")
        anna.press("Control+Enter")
        anna.reach("#task details")
        bo.press(" ")
        bo.at(2)  # fetched before anna changed it
        bo.press(" ")
        bo.reach("#trouble:has-text('somebody has changed this task')")
        assert "today" in bo.page.inner_text(".instruction")
        bo.press(" ")
        bo.at(3)
        assert bo.page.is_hidden("#trouble")
    judged = [(one["reviewer"], one["verdict"].get("instruction")) for one in said(tmp_path) if one["did"] == "judge"]
    assert sorted(judged, key=str) == [("anna", True)] * 2 + [("bo", False)] * 2 + [("bo", True)] * 2
    assert anna.trouble == []
    assert all("409" in one for one in bo.trouble)


def test_a_killed_server_loses_nothing_and_the_page_says_what_to_do(
    tmp_path: Path, screen: Callable[..., Seen]
) -> None:
    written(tmp_path, 24)
    command = [sys.executable, "-m", "pipeline", "review", str(tmp_path), "--reviewer", "anna"]
    for round in (0, 1):
        seen = screen()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            server.stdout.readline()
            url = server.stdout.readline().strip()
            seen.home = url.partition("?")[0]
            seen.page.goto(url)
            seen.at(2 * round)
            seen.press(" ", "3", " ")
            seen.at(2 * round + 2)
            server.send_signal(signal.SIGKILL)
            server.wait()
            seen.press(" ")
            seen.reach("#trouble:has-text('Start `sprout review` again')")
            assert seen.page.get_attribute("html", "data-place") == str(2 * round + 2)
    judged = {one["task"]: one["verdict"]["output"] for one in said(tmp_path)}
    assert list(judged.values()) == [True, False, True, False]


def test_ten_thousand_tasks_load_in_under_a_second(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    """The seconds are those of the page's thread: what else the machine is busy with does not count."""
    written(tmp_path, 10_000)
    seen = screen(390)
    with served(tasks_of(tmp_path, Choice(sample=0))) as url:
        session = seen.page.context.new_cdp_session(seen.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        start = time.process_time()
        seen.open(url)
        assert "1 of 9,000" in seen.page.inner_text(".where")
        figures = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        session.detach()
        assert figures["TaskDuration"] < 1
        assert time.process_time() - start < 1  # of the server, which is in this process
        seen.press("s", "s")
        seen.at(2)
    assert seen.trouble == []


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_page_fits_each_width_in_each_scheme(
    width: int, scheme: str, tmp_path: Path, screen: Callable[..., Seen]
) -> None:
    written(tmp_path, 24, " " + "Unbreakable" * 40)
    heldout = predicted(tmp_path)
    seen = screen(width, scheme)
    with served(tasks_of(tmp_path, Choice()), Repairs(tmp_path, lambda: Scripted(numbered))) as url:
        seen.open(url)
        for key in ("3", "p", "e"):
            seen.press(key)
            seen.reach({"3": ".question.no", "p": "#detail:not([hidden])", "e": "#form:not([hidden])"}[key])
            fits(seen, width, scheme)
        seen.press("Escape", "r")
        seen.page.keyboard.type("shorter")
        seen.press("Enter")
        seen.reach(".pair")
        fits(seen, width, scheme)
    with served(answers_of(tmp_path, "base,tuned", [str(heldout)], Choice(sample=0))) as url:
        seen.open(url)
        seen.press("a", "p")
        fits(seen, width, scheme)
    assert seen.trouble == []


def fits(seen: Seen, width: int, scheme: str) -> None:
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = seen.page.evaluate(
        "[...document.querySelectorAll('body *')].filter(one => one.innerText?.trim() && !one.children.length)"
        ".map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 13
    ink, paper = (
        seen.page.evaluate(f"getComputedStyle(document.body).{which}") for which in ("color", "backgroundColor")
    )
    assert (brightness(paper) < brightness(ink)) == (scheme == "dark")


def test_a_planted_script_does_not_run(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    written(tmp_path, 12, PLANTED)
    seen = screen()
    with served(tasks_of(tmp_path, Choice())) as url:
        seen.open(url, "anna")
        Visitor(url, PLANTED[:30]).do(0, "note", note=PLANTED)
        Visitor(url, "bo").do(0, "tag", tags=[PLANTED])
        seen.page.reload()
        seen.reach(".said")
        seen.press("p")
        seen.reach("#detail:not([hidden])")
        seen.press("e")
        seen.reach("#form:not([hidden])")
        assert seen.page.evaluate("window.hit") is None
        assert seen.page.query_selector("img, [onerror], a[href^=javascript]") is None
        assert "onerror" in seen.page.inner_text("#task")
    assert seen.trouble == []


def test_a_repair_is_tried_and_done_to_all_by_keyboard(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    written(tmp_path, 24)
    seen = screen()
    with served(tasks_of(tmp_path, Choice()), Repairs(tmp_path, lambda: Scripted(numbered))) as url:
        seen.open(url)
        seen.press("r")
        seen.page.keyboard.type("name the part number")
        seen.press("Enter")
        seen.reach(".pair")
        before, after = seen.page.locator(".pair .text").all_inner_texts()
        assert after.startswith(before)
        assert "It is part" in after
        seen.press("Enter")  # the button that takes it has the focus
        seen.reach("#task details")
        seen.press("ArrowRight", "r", "Enter")  # the same note is there again
        seen.reach(".pair")
        seen.page.focus(".all input")
        seen.page.keyboard.type("saddle")
        seen.reach(".all .note:text-is('3 tasks')")
        seen.press("Tab", "Enter")
        seen.reach("#repairing:has-text('3 of 3 asked')")
        seen.reach("#form button:has-text('Undo all')")
        assert len(Reviews(tmp_path).lines) >= 3
        seen.page.focus("#form button:has-text('Undo all')")
        seen.press("Enter")
        seen.reach("#form", state="hidden")
    found = [one for one in said(tmp_path) if one["did"] in ("edit", "undo")]
    assert found[-1]["undoes"] == found[-2]["group"]
    assert seen.trouble == []


def test_answers_are_rated_by_keyboard(tmp_path: Path, screen: Callable[..., Seen]) -> None:
    heldout = predicted(tmp_path, 3)
    seen = screen()
    with served(answers_of(tmp_path, "base,tuned", [str(heldout)], Choice(sample=0))) as url:
        seen.open(url)
        assert "tuned" not in seen.page.inner_text("header")
        seen.press("b")  # both say the same to the first
        seen.at(1)
        seen.press("2", "a", "d")
        seen.at(2)
        seen.press("u")
        seen.at(1)
        seen.press("c")
        seen.at(2)
        seen.press("p", "a", "b")
        seen.reach("#end:has-text('All done')")
    found = read_ratings(tmp_path)

    assert found is not None
    assert sorted(level for one in found.models for level, count in one.counts.items() for _ in range(count)) == [
        "A", "A", "B", "B", "B", "C",
    ]  # fmt: skip
    assert seen.trouble == []
