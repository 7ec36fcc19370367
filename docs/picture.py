"""The picture in docs/quickstart.md: `python docs/picture.py outputs/quickstart/report.html docs/report.png`.

Needs playwright (the `dev` extra) and a Chromium.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(report: str, picture: str) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not browser:
        sys.exit("there is no chromium here")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1120, "height": 2350}, color_scheme="light")
        page.goto(Path(report).resolve().as_uri())
        page.wait_for_timeout(3000)  # milliseconds: charts are drawn when they come into view
        page.screenshot(path=picture)
        chromium.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
