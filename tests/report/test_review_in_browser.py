"""The page of a review in a real browser, by keyboard alone, for several people, at both widths and in the dark."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.report.review.queue import Choice, tasks_of
from tests.report.browser import CHROMIUM, chromium, new_page
from tests.report.review_browser import Seen, said, screen
from tests.report.reviewing import served, written

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


__all__ = ["chromium", "new_page", "screen"]


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
        bo.reach(".instruction:has-text('today')")
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
            seen.open_printed(server)
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
