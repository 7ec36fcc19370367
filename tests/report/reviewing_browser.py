"""A page of a review in Chromium, driven by Playwright."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.runs.reviews import FILE

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright, to drive Chromium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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
