"""A page of a review in Chromium, driven by Playwright."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from pipeline.runs.reviews import FILE
from tests.report.browser import Watched


class Seen(Watched):
    """A page of a reviewer."""

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

    def open_printed(self, server: Popen[str]) -> None:
        """Open the page whose address `sprout review` prints on its second line."""
        assert server.stdout
        server.stdout.readline()
        url = server.stdout.readline().strip()
        self.home = url.partition("?")[0]
        self.page.goto(url)


@pytest.fixture
def screen(new_page: Callable[..., Any]) -> Callable[..., Seen]:
    return lambda width=1440, scheme="light": Seen(new_page(width, scheme))


def said(folder: Path) -> list[dict[str, Any]]:
    path = folder / FILE
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
