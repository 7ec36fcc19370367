"""Engines by name: a module of `pipeline.engines`, or `module:Class` for one of the user's own."""

import importlib
import inspect
import pkgutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import engines
from pipeline.engines.base import Engine
from pipeline.errors import SproutError, unknown


def engine_class(name: str) -> type[Engine]:
    """The engine of that name.

    Args:
        name: Of a module or package in `pipeline/engines`, such as `vllm`; or `module:Class`, where the module is in
            the current folder or anywhere else on the path.

    Raises:
        SproutError: if there is none.
    """
    if ":" in name:
        kind = named(name, "engine")
        if not (isinstance(kind, type) and issubclass(kind, Engine)):
            raise SproutError(f"{name}: is no engine; derive the class from pipeline.Engine")
        return kind
    kinds = _shipped()
    if name not in kinds:
        raise SproutError(unknown("engine", name, kinds))
    return kinds[name]


def engine_names() -> list[str]:
    """The engines that ship with Sprout, by the name of their module."""
    return list(_shipped())


def named(place: str, noun: str) -> Any:
    """What `module:name` stands for. The module may be in the current folder.

    Args:
        noun: What it should be, for messages.

    Raises:
        SproutError: for a module that cannot be imported, and for a name that it does not have.
    """
    module, _, name = place.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # an installed command does not look there
    try:
        found = importlib.import_module(module)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise SproutError(f"{place}: the module of this {noun} cannot be imported ({problem}); correct it") from None
    try:
        return vars(found)[name]
    except KeyError:
        raise SproutError(f"{place}: {found.__file__ or module} has no {name!r}; give module:name") from None


@cache
def _shipped() -> dict[str, type[Engine]]:
    """The engine of each module that has one: the class of the module's name, whatever its capitals."""
    kinds: dict[str, type[Engine]] = {}
    for found in pkgutil.iter_modules(engines.__path__):
        module = importlib.import_module(f"{engines.__name__}.{found.name}")
        for name, kind in vars(module).items():
            if name.lower() == found.name.replace("_", "") and inspect.isclass(kind) and issubclass(kind, Engine):
                kinds[found.name] = kind
    return kinds
