"""Turns HTML and tables into the plain lines that the parsers read."""

import html
import re
from collections.abc import Callable

from pipeline.asking.phrases import is_preamble
from pipeline.novelty.tokens import count_words


def without_tags(text: str, names: dict[str, str]) -> str:
    """The text with a line for each element, where it begins with a tag of HTML or XML; else as it is.

    Args:
        names: The tags, in small letters, and what stands in place of each that opens; one that closes ends a line.
    """
    start = begins_with_tag(text, names)
    if start is None:
        return text
    depth = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal depth
        name = found["name"].lower()
        name = name if name in names else name.rstrip("0123456789_-")
        if name in ("td", "th"):
            return "" if found["closes"] else " | "
        if name in ("ol", "ul"):
            depth += -1 if found["closes"] else 1
        if name in _INLINE:
            return ""
        if found["closes"]:
            return "\n"
        return "\n" + "  " * max(0, depth - 1) + names[name] if name in names else "\n"

    kept, plain = text[:start], _TAG.sub(mark, text[start:])
    return kept + html.unescape(plain)


def unwrapped(text: str) -> str:
    """Without a tag around all of it that says that this is the answer."""
    found = _WRAPPED.match(text)
    return found["text"] if found else text


def begins_with_tag(text: str, names: dict[str, str]) -> int | None:
    """Where the tag is that the text begins with, a fence and an announcement aside."""
    place, known = 0, {*names, *_BLOCKS} - {"br"}
    for _ in range(4):
        if (found := _TAG_FIRST.match(text, place)) and found["name"].lower().rstrip("0123456789_-") in known:
            return found.start("tag") if "</" in text or len(_TAG.findall(text)) > 1 else None
        line = (text.find("\n", place) + 1 or len(text)) - place
        words = text[place : place + line].strip()
        if words and not (words.startswith(("```", "<!", "<?")) or is_preamble(words)):
            return None
        place += line
    return None


def read_table(text: str) -> tuple[list[str], list[list[str]]] | None:
    """The header of a table, empty without one, and its rows; None for what is none. Rows may be announced."""
    rows: list[list[str]] = []
    header: list[str] = []
    for line in text.split("\n"):
        line = line.strip()
        if not line or line.startswith("```") or ("-" in line and _RULE.fullmatch(line)):
            if len(rows) == 1 and not header and line.startswith(("|", ":", "-")):
                header = rows.pop()
            continue
        if "|" not in line or (not line.startswith("|") and not (rows or is_header(line))):
            if rows or not is_preamble(line):
                if not rows:
                    return None
                break  # a remark below the table
            continue
        rows.append([cell.replace("\\|", "|").strip().strip("*").strip() for cell in _CELL.split(line.strip("|"))])
    if rows and not header and all(is_header(cell) for cell in rows[0]):
        header = rows.pop(0)
    return (header, rows) if rows or header else None


def column(header: list[str], rows: list[list[str]], is_name: Callable[[str], object]) -> int | None:
    """Which column has the name, or else the most words."""
    for place, name in enumerate(header):
        if is_name(name):
            return place
    width = max(map(len, rows), default=0)
    words = [sum(count_words(row[place]) for row in rows if place < len(row)) for place in range(width)]
    return words.index(max(words)) if words else None


def is_header(text: str) -> bool:
    """Whether the text is names of columns, or no word at all, such as #."""
    return len(text) <= MAX_HEADER and all(word.casefold() in _NAMES for word in _WORD.findall(text))


MAX_HEADER = 200
_TAG = re.compile(r"<(?P<closes>/?)(?P<name>[A-Za-z][\w-]{0,30})(?:\s[^<>]{0,300})?/?>")
_TAG_FIRST = re.compile(rf"\s*+(?P<tag>{_TAG.pattern})")
_WRAPPED = re.compile(
    r"\s*<(?P<name>answer|response|output|result|solution|final(?:_(?:answer|response))?)>(?P<text>.*?)(?:</(?P=name)>\s*)?\Z",
    re.DOTALL,
)
_INLINE = {"b", "i", "em", "strong", "code", "span", "a", "u", "tt", "small", "mark", "font"}
_BLOCKS = {"ol", "ul", "div", "html", "body", "table", "thead", "tbody", "main", "section", "article", "dl"}
_RULE = re.compile(r"[|\s:+=-]++")  # and a dash
_CELL = re.compile(r"(?<!\\)\|")
_WORD = re.compile(r"[^\W_]+")
_NAMES = set(
    [
        "no",
        "nr",
        "number",
        "id",
        "ids",
        "index",
        "task",
        "tasks",
        "instruction",
        "instructions",
        "prompt",
        "prompts",
        "question",
        "questions",
        "input",
        "inputs",
        "output",
        "outputs",
        "answer",
        "answers",
        "label",
        "labels",
        "example",
        "examples",
        "class",
        "category",
        "type",
        "description",
        "response",
        "responses",
        "expected",
        "explanation",
    ]
)
