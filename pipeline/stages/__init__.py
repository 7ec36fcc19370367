"""The stages and products, one per module, found by the module's name: adding one edits no list."""

import ast
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.engines.find import imported, named
from pipeline.errors import SproutError, unknown
from pipeline.stage import Product, Stage

Kind = type[Stage] | type[Product]


def names() -> list[str]:
    """The kinds of stages that ship, in alphabetical order, without importing them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def summary(name: str) -> str:
    """The first line of the docstring of a kind's module, without importing it."""
    text = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def find(name: str) -> Kind:
    """The class of a kind of stage: by the name of one that ships, or `module:Class` for one of the user's own.

    Raises:
        SproutError: for an unknown name, and for a module or class that cannot be imported.
    """
    return _own(name) if ":" in name else _shipped(name)


@cache
def _shipped(name: str) -> Kind:
    if name not in names():
        raise SproutError(unknown("stage", name, names(), own="module:Class", listed="sprout settings"))
    module = imported(f"{__name__}.{name}", "stage")
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, (Stage, Product))
        and kind.__module__ == module.__name__
        and not inspect.isabstract(kind)
    ]
    if len(kinds) != 1:
        raise SproutError(
            f"{module.__file__}: holds {len(kinds)} stages, and should hold one; derive a class from pipeline.Stage "
            f"that has a decide"
        )
    return kinds[0]


def _own(name: str) -> Kind:
    found = named(name, "stage")
    if not (isinstance(found, type) and issubclass(found, (Stage, Product))):
        raise SproutError(f"{name}: is not a stage; derive the class from pipeline.Stage")
    return found


def __getattr__(name: str) -> Any:
    """`from pipeline.stages import Dedup`: the class of a module, imported when it is asked for."""
    for module in names():
        if module.replace("_", "") == name.lower():
            return find(module)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
