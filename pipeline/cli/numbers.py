"""Numbers and times as they are typed."""

import argparse
from collections.abc import Callable

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text.replace("_", "").replace(",", ""))
        except ValueError:
            value = 0
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
        return value

    return read


def seconds(text: str) -> float:
    unit = UNITS.get(text[-1:])
    return positive(float)(text[:-1] if unit else text) * (unit or 1)
