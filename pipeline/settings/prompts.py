"""The table [prompts]: files that replace single templates."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import SproutError, unknown
from pipeline.settings.entries import parse_entries
from pipeline.stages import find, names

_HEADER = re.compile(r"""\s*\[\s*(?:"([^"]*)"|'([^']*)'|([^]#]*?))\s*\]""")


def beside(settings: Path, files: Mapping[str, str]) -> dict[str, str]:
    """The files that a settings file names, from where the command is called: in the settings they count from it."""
    return {name: str(settings.parent / file) for name, file in files.items()}


def line_of(text: str, name: str) -> int:
    """The line of a settings file that puts another file in the place of a template; 1 if it cannot be told."""
    inside = re.compile(rf"""\s*["']?{re.escape(name)}["']?\s*=""")
    above = re.compile(rf"""\s*prompts\s*(\.\s*["']?{re.escape(name)}["']?\s*=|=.*\b{re.escape(name)}\b)""")
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = next(part for part in header.groups() if part is not None)
        elif (table == "prompts" and inside.match(line)) or (not table and above.match(line)):
            return number
    return 1


def own_templates(files: Mapping[str, str], places: Mapping[str, str], stages: Sequence[str] | None) -> dict[str, str]:
    """The files as they are, if each is there and replaces a template of a stage.

    Args:
        places: Where the settings name each file, for messages.
        stages: The list of stages in the settings; it may hold some of the user's own.

    Raises:
        SproutError: naming the place, for a name that no template has, and for a file that is not there.
    """
    if not files:
        return {}
    kinds = {*map(find, names()), *(entry.kind for entry in parse_entries(stages or ()))}
    known = sorted({template for kind in kinds for template in kind.templates})
    for name, file in files.items():
        if name not in known:
            raise SproutError(f"{places[name]}: [prompts] {unknown('template', name, known)}")
        if not Path(file).is_file():
            found = "is a folder" if Path(file).is_dir() else "is not there"
            raise SproutError(
                f"{places[name]}: [prompts] {name}: {file} {found}; give a Jinja template, such as a changed copy of "
                f"prompts/{name}.jinja"
            )
    return dict(files)
