"""The text of a web page: its headings and paragraphs as Markdown has them, without scripts and navigation."""

import re
from html.parser import HTMLParser

from pipeline.passages.plain import NoText
from pipeline.text import one_line

_HIDDEN = frozenset([
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "head", "datalist",
])  # fmt: skip
_AROUND = frozenset(["nav", "footer", "aside", "form", "button", "select", "dialog", "menu"])  # the text of a page
_BLOCKS = frozenset([
    "p", "div", "section", "article", "main", "header", "body", "html", "address", "blockquote", "figure", "figcaption",
    "ul", "ol", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot", "caption", "hr", "details", "summary", "fieldset",
    "center",
])  # fmt: skip
_VOID = frozenset([
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
])  # fmt: skip
_HEADING = re.compile(r"h[1-6]")
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{2,40})",
    re.IGNORECASE,
)


def declared_encoding(data: bytes) -> str:
    """What a page says its encoding is; empty if it does not say."""
    found = _DECLARED.search(data[:4096])
    return (found[1] or found[2]).decode("ascii") if found else ""


def page_text(source: str) -> str:
    """The text, a blank line between paragraphs.

    Raises:
        NoText: for a page that cannot be taken apart.
    """
    text = _text(source, _AROUND)
    return text or _text(source, frozenset())  # a page that is one form, or a navigation that never ends


def _text(source: str, around: frozenset[str]) -> str:
    page = _Page(around)
    try:
        page.feed(source)
        page.close()
    except (AssertionError, RecursionError, ValueError):  # of a broken declaration
        raise NoText("web pages that cannot be taken apart") from None
    lines = [line.rstrip() if page.is_code(line) else line.strip(" \t") for line in "".join(page.parts).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    title = one_line("".join(page.title))
    return f"# {title}\n\n{text}" if title and text and not page.headings else text


class _Page(HTMLParser):
    def __init__(self, around: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.skipped = _HIDDEN | around
        self.parts: list[str] = []
        self.title: list[str] = []
        self.headings = 0
        self.skipping: list[str] = []  # the elements that are left out and not yet closed
        self.in_title = False
        self.code = 0  # depth of <pre>

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "title" and self.skipping in ([], ["head"]):
            self.in_title = True
        elif tag == "body" and self.skipping == ["head"]:  # whose end may be left out
            self.skipping = []
        if self.skipping or tag in _VOID:
            if tag in self.skipped:
                self.skipping.append(tag)
            elif tag in ("br", "hr") and not self.skipping:
                self.parts.append("\n" if tag == "br" else "\n\n")
        elif tag in self.skipped or given.get("role") == "navigation" or "hidden" in given:
            self.skipping.append(tag)
        elif _HEADING.fullmatch(tag):
            self.headings += 1
            self.parts.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag == "pre":
            self.code += 1
            self.parts.append("\n\n```\n" if self.code == 1 else "")
        elif tag in ("li", "tr"):
            self.parts.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.parts.append(" | " if self.parts and not self.parts[-1].endswith("\n") else "")
        elif tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self.in_title = False
        if self.skipping:
            if tag in self.skipping:
                del self.skipping[len(self.skipping) - 1 - self.skipping[::-1].index(tag) :]
        elif tag == "pre" and self.code:
            self.code -= 1
            self.parts.append("" if self.code else "\n```\n\n")
        elif _HEADING.fullmatch(tag) or tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title.append(data)
        elif not self.skipping:
            self.parts.append(data if self.code else re.sub(r"\s+", " ", data))

    def is_code(self, line: str) -> bool:
        """Whether white space at the beginning of a line may mean something."""
        return line.startswith(("    ", "\t"))
