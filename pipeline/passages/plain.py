"""The text that bytes are: in UTF-8, UTF-16 or an older encoding, and none if they are no text."""

import codecs
import re

from pipeline.passages.notes import Notes

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOKED_AT = 1 << 16  # bytes from which an encoding is guessed
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # but for tabs, line ends, form feeds and escape
MAX_SHARE = 0.01  # of such characters in a text
# What people have that is no Unicode. Others, such as those of mainframes, only lead a guess astray.
_OLD = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "cp932", "shift_jis", "euc_jp",
    "gb18030", "big5", "euc_kr", "cp949", "cp874",
]  # fmt: skip
_WESTERN = frozenset("àâäáãåæçèéêëìíîïñòóôöõøùúûüßœÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØÙÚÛÜŒ’‘“”„–—…«»°€£§¡¿·•\xa0ªº´")


class NoText(Exception):
    """Why bytes are left out: the remark that counts them."""


def text_of(data: bytes, name: str, notes: Notes, declared: str = "") -> str:
    """The text, with line ends as \\n; `notes` gets what was guessed.

    Args:
        declared: The encoding that the file says it has, as HTML may.

    Raises:
        NoText: for bytes that are no text.
    """
    text, remark = _decoded(data, declared)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(_NOT_TEXT.findall(text[:_LOOKED_AT])) > MAX_SHARE * len(text[:_LOOKED_AT]):
        raise NoText("files that are binary, whatever their names say")
    if remark:
        notes.add(remark, name)
    return _NOT_TEXT.sub("", text)


def _decoded(data: bytes, declared: str) -> tuple[str, str]:
    """The text, and what there is to remark on how it was read."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _damaged(data.removeprefix(mark), encoding)
    if encoding := _wide(data[:_LOOKED_AT]):
        return _damaged(data, encoding)
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        if data.count(b"\0", 0, _LOOKED_AT) > MAX_SHARE * len(data[:_LOOKED_AT]):
            raise NoText("files that are binary, whatever their names say") from None
        # One wrong byte among many that are right is damage, and no other encoding.
        if len(data) - error.start > 4 and _mostly_utf8(data):
            return _damaged(data, "utf-8")
    encoding = _known(declared) or _guessed(data)
    return data.decode(encoding, "replace"), f"files that are not UTF-8, read as {encoding}"


def _damaged(data: bytes, encoding: str) -> tuple[str, str]:
    text = data.decode(encoding, "replace")
    lost = text.count("\ufffd") > data.count("\ufffd".encode(encoding))
    return text, f"files with bytes that are no {encoding.upper()}, which are U+FFFD" if lost else ""


def _wide(data: bytes) -> str:
    """UTF-16 without a mark: every other byte of most of it is zero."""
    if len(data) < 4 or len(data) % 2:
        return ""
    even, odd = data[::2].count(0), data[1::2].count(0)
    half = len(data) // 2
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.05 * half else ""


def _mostly_utf8(data: bytes) -> bool:
    """Whether ten in eleven of the characters outside ASCII are right."""
    sample = data[:_LOOKED_AT].decode("utf-8", "replace")
    wrong = sample.count("\ufffd")
    return sum(not char.isascii() for char in sample) - wrong > 10 * wrong


def _known(name: str) -> str:
    """The encoding of that name; empty if it is none of text, as hex, or not one that the name could be read in."""
    try:
        b"x".decode(name or "none", "replace")
    except (LookupError, UnicodeError):
        return ""
    found = codecs.lookup(name).name
    return "" if found.startswith(("utf-16", "utf-32")) else found


def _guessed(data: bytes) -> str:
    """Windows' Western one where that gives letters of Western languages, else what charset-normalizer finds."""
    from charset_normalizer import from_bytes

    strange = [char for char in data[:_LOOKED_AT].decode("cp1252", "replace") if not char.isascii()]
    if sum(char in _WESTERN for char in strange) > 0.95 * len(strange):
        return "cp1252"
    found = from_bytes(data[:_LOOKED_AT], cp_isolation=_OLD).best()
    return found.encoding if found else "cp1252"
