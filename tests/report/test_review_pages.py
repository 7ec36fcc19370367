"""The pages of a review in a real browser: widths, schemes, planted scripts, repairs, ratings.

See test_review_in_browser.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engines.scripted import Scripted
from pipeline.report.review.answers import answers_of
from pipeline.report.review.queue import Choice, tasks_of
from pipeline.report.review.ratings import read_ratings
from pipeline.report.review.repair import Repairs
from pipeline.runs.reviews import Reviews
from tests.report.browser import CHROMIUM, brightness, chromium, new_page
from tests.report.review_browser import Seen, said, screen
from tests.report.reviewing import Visitor, numbered, predicted, served, written

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


PLANTED = "</script><script>window.hit=1;alert(1)</script><img src=x onerror=window.hit=1>{{ 7*7 }}<a href=javascript:alert(1)>"
SCREENS = [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")]

__all__ = ["chromium", "new_page", "screen"]


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
        seen.press("d", "s", "3", "u")  # no keys of the page while the form is open
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
    found = said(tmp_path)
    assert {one["did"] for one in found} == {"edit", "undo"}
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
