"""Formats by name: a module of this folder, or `module:Class` for one of the user's own."""

import hashlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from pipeline.dataset.formats.base import Format
from pipeline.engines.find import imported, named
from pipeline.errors import SproutError, unknown


def find_format(name: str) -> Format:
    """The format of that name.

    Args:
        name: Of a module in `pipeline/dataset/formats`, such as `alpaca`; or `module:Class`, where the module is
            beside the settings, in the current folder or anywhere else on the path.

    Raises:
        SproutError: if there is none.
    """
    if ":" in name:
        return _own(name)
    formats = shipped_formats()
    if name not in formats:
        raise SproutError(unknown("format", name, formats))
    return formats[name]


def code_of(names: Iterable[str]) -> dict[str, str]:
    """A digest of the module of each format that is the user's own: changed code writes other files."""
    found = {}
    for name in names:
        module = sys.modules[type(find_format(name)).__module__]
        if ":" in name and (file := getattr(module, "__file__", None)):
            found[name] = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
    return found


@cache
def shipped_formats() -> MappingProxyType[str, Format]:
    """The formats that come with Sprout, by the name of their module."""
    found: dict[str, Format] = {}
    for module_info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = imported(f"{__package__}.{module_info.name}", "format")
        for kind in vars(module).values():
            own = inspect.isclass(kind) and issubclass(kind, Format) and kind.__module__ == module.__name__
            if own and not inspect.isabstract(kind):
                found[module_info.name] = kind()
    return MappingProxyType(found)


def _own(name: str) -> Format:
    kind = named(name, "format")
    if not (inspect.isclass(kind) and issubclass(kind, Format)) or inspect.isabstract(kind):
        raise SproutError(f"{name}: is not a format; derive the class from pipeline.dataset.formats.base.Format")
    found: Format = kind()
    return found


def _known(name: str) -> str:
    try:
        find_format(name)
    except SproutError as error:
        raise ValueError(str(error)) from None
    return name


def _schema() -> dict[str, Any]:
    own = {"type": "string", "pattern": r"^[\w.]+:\w+$", "description": "one of your own, as module:Class"}
    return {"anyOf": [{"enum": [*shipped_formats()]}, own]}


FormatName = Annotated[str, AfterValidator(_known), WithJsonSchema(_schema())]
