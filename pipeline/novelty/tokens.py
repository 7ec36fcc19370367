"""The words of a text: as in rouge_score for ASCII, and by a similar rule for every other script."""

import unicodedata
from functools import lru_cache

_ASCII = bytes(ord(chr(code).lower()) if code < 128 and chr(code).isalnum() else 32 for code in range(256))

# Scripts written without spaces: Thai and Lao, Myanmar, Khmer, Tai, Javanese, Cham, kana and bopomofo, ideographs, Yi,
# Tangut and Nushu. Hangul has spaces.
_SPACELESS: tuple[tuple[int, int], ...] = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0xA980, 0xA9FF)),
    *((0xAA00, 0xAADF), (0x3005, 0x3007), (0x3021, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0xA4CF), (0xF900, 0xFAFF), (0x16FE0, 0x18DFF), (0x1AFF0, 0x1B2FF), (0x20000, 0x3FFFF)),
)
# Soft hyphen, joiners and direction marks, byte order mark, variation selectors.
_INVISIBLE: tuple[tuple[int, int], ...] = (
    *((0xAD, 0xAD), (0x200C, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xE0100, 0xE01EF)),
)
_JOIN = "\0"  # before a combining mark, which belongs to what it follows


def tokens(text: str) -> list[str]:
    """The tokens ROUGE-L is computed over.

    ASCII text: exactly those of `rouge_score` without stemming, runs of `[a-z0-9]` in lower case. Any other text: case-
    folded words of letters, digits and the marks on them, and single characters (with their marks) where a script puts
    no spaces between words. Compatibility forms are the same token: full-width and ASCII letters, NFC and NFD.
    """
    if text.isascii():
        return text.encode().translate(_ASCII).decode().split()
    folded = unicodedata.normalize("NFKC", text).casefold()
    spaced = unicodedata.normalize("NFKC", folded).translate(_PIECES)
    return spaced.replace(" " + _JOIN, "").replace(_JOIN, "").split()


class _Pieces(dict[int, str]):
    """A lazy table of what each character becomes, so that the text can be split at spaces."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        space = " " if _within(code, _SPACELESS) else ""
        if _within(code, _INVISIBLE):
            piece = ""
        elif unicodedata.category(char).startswith("M"):
            piece = _JOIN + char + space
        elif char.isalnum():
            piece = space + char + space
        else:
            piece = " "
        self[code] = piece
        return piece


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)


_PIECES = _Pieces()


@lru_cache(maxsize=16)  # each filter counts anew
def count_words(text: str) -> int:
    """Words are counted at blanks; in scripts without blanks, by character."""
    return max(len(text.split()), 0 if text.isascii() else len(tokens(text)))
