"""What there is to say of texts that were left out: counted, and said once."""

import logging

from pipeline.text import first_few

logger = logging.getLogger(__name__)

MOST = 3  # names for each


class Notes:
    """Remarks on files, each with how many there are and the first of their names.

    Example:
        >>> notes = Notes()
        >>> notes.add("files that are empty", "a.txt")
        >>> [*notes.said()]
        ['files that are empty: 1 (a.txt)']
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.names: dict[str, list[str]] = {}

    def add(self, remark: str, name: str = "", number: int = 1) -> None:
        self.counts[remark] = self.counts.get(remark, 0) + number
        names = self.names.setdefault(remark, [])
        if name and name not in names and len(names) < MOST:
            names.append(name)

    def said(self) -> list[str]:
        """A clause for each remark."""
        return [f"{remark}: {count:,}{self._named(remark)}" for remark, count in self.counts.items()]

    def log(self, where: str) -> None:
        for remark in self.said():
            logger.warning("%s: %s", where, remark)

    def _named(self, remark: str) -> str:
        names = self.names[remark]
        more = self.counts[remark] > len(names)
        return f" ({first_few(names)}{' …' if more else ''})" if names else ""
