"""Small operations on text that many modules share."""

from typing import Any


def folded(text: str) -> str:
    """For comparing: case and white space aside."""
    return " ".join(text.casefold().split())


def mended(value: Any) -> Any:
    """The same with every text in it mended."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, dict):
        return {mend(key): mended(item) for key, item in value.items()}
    return [mended(item) for item in value] if isinstance(value, (list, tuple)) else value


def mend(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
