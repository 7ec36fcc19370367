"""The servers of an engine: one url, several, or a file that lists them and may change while the engine is at work."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.engines.server.address import check_url
from pipeline.errors import SproutError


class Listing:
    """The urls of the servers.

    A file has one a line; blank lines and what is behind a # do not count.

    Raises:
        SproutError: for what is not the url of a server and no file with some.
    """

    def __init__(self, given: str | Sequence[str]) -> None:
        self.path = Path(given) if isinstance(given, str) and "://" not in given and Path(given).is_file() else None
        if self.path is None and isinstance(given, str) and ":" not in given:
            raise SproutError(
                f"{given}: is neither the url of a server nor a file here that lists some; give one or the other"
            )
        self._given = [given] if isinstance(given, str) else [*given]
        self.urls = self.read()

    @property
    def several(self) -> bool:
        """Whether there are several servers, or may be."""
        return self.path is not None or len(self.urls) > 1

    def read(self) -> list[str]:
        """The urls as they are listed now, each once."""
        if self.path is None:
            found = [("", url) for url in self._given]
        else:
            found = [(f"{self.path}:{number}: ", url) for number, url in _lines(self.path)]
        if not found:
            raise SproutError(f"{self.path or 'url'}: lists no server; give the URL of at least one")
        for where, url in found:
            try:
                check_url(url)
            except SproutError as error:
                raise SproutError(f"{where}{error}") from None
        return list({url.rstrip("/"): url for _, url in found}.values())


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SproutError(
            f"{path}: cannot be read ({problem}); give a text file with the url of a server a line"
        ) from None
    urls = ((number, line.partition(" #")[0].strip()) for number, line in enumerate(lines, 1))
    return [(number, url) for number, url in urls if url and not url.startswith("#")]
