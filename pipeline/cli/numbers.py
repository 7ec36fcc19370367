"""Numbers and times as they are typed."""

import argparse
import math
import re
from collections.abc import Callable

THOUSANDS = re.compile(r"\d{1,3}(?:[,_]\d{3})+(?:\.\d+)?")  # 1,000,000; a comma anywhere else is no number
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text.replace("_", "").replace(",", "") if THOUSANDS.fullmatch(text) else text)
        except ValueError:
            value = 0
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
        return value

    return read


def same(text: str) -> tuple[str, int | None]:
    """A unit and, if wanted, how many of it: `rows`, `tokens=5000`."""
    unit, equals, number = text.partition("=")
    if unit not in ("rows", "tokens"):
        raise argparse.ArgumentTypeError(f"{text!r} is not rows, tokens, or one of them with a number, as rows=500")
    return unit, int(positive(int)(number)) if equals else None


def seconds(text: str) -> float:
    """A time such as 90, 90s, 1.5h or 1h30m."""
    parts = re.findall(r"([\d.,_]+)([smhd]?)", text)
    if "".join(map("".join, parts)) != text or not parts:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 90m, 8h or 1h30m")
    total = sum(positive(float)(number) * UNITS[unit or "s"] for number, unit in parts)
    return total
