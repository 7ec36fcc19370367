"""Pages in Chromium, driven by Playwright; both are found, not fetched.

`apt-get install chromium`, `pip install playwright`.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright, to drive Chromium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Watched:
    """A page, and what went wrong or out while it was open."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.home = "file:"  # how addresses begin that the page may ask for
        self.trouble: list[str] = []
        page.on("console", lambda one: self.note(one.text if one.type in ("error", "warning") else ""))
        page.on("pageerror", lambda error: self.note(str(error)))
        page.on("dialog", self.dismiss)
        page.on("request", lambda one: self.note("" if one.url.startswith((self.home, "data:")) else one.url))

    def note(self, trouble: str) -> None:
        if trouble:
            self.trouble.append(trouble)

    def dismiss(self, dialog: Any) -> None:
        self.note(dialog.message)
        dialog.dismiss()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    contexts = []

    def open_page(width: int = 1440, scheme: str = "light") -> Any:
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()


def brightness(color: str) -> int:
    return sum(map(int, re.findall(r"\d+", color)))
