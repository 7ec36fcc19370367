"""Engines by name: a module of `pipeline.engines`, or `module:Class` for one of the user's own."""

import importlib
import inspect
import pkgutil
import sys
import sysconfig
import traceback
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from pipeline import engines
from pipeline.engines.base import Engine
from pipeline.engines.proxy import Proxy
from pipeline.errors import SproutError, unknown
from pipeline.resources import PACKAGE


def engine_class(name: str) -> type[Engine]:
    """The engine of that name.

    Args:
        name: Of a module or package in `pipeline/engines`, such as `vllm`; or `module:Class`, where the module is in
            the folder of the settings, in the current folder or anywhere else on the path.

    Raises:
        SproutError: if there is none.
    """
    if ":" in name:
        kind = named(name, "engine")
        if not (isinstance(kind, type) and issubclass(kind, Engine)):
            raise SproutError(f"{name}: is not an engine; derive the class from pipeline.Engine")
        return kind
    kinds = _shipped()
    if name not in kinds:
        raise SproutError(unknown("engine", name, kinds))
    return kinds[name]


def engine_names() -> list[str]:
    """The engines that ship with Sprout, by the name of their module."""
    return list(_shipped())


def named(place: str, noun: str) -> Any:
    """What `module:name` stands for. The module may be in the folder of `look_in`, or in the current one.

    Args:
        noun: What it should be, for messages.

    Raises:
        SproutError: for a module that cannot be imported, for one whose name another one has, and for a name that it
            does not have.
    """
    module, _, name = place.partition(":")
    if module.endswith(".py") or "/" in module:
        raise SproutError(f"{place}: a module is named without its folder and .py; give {Path(module).stem}:{name}")
    found = _of_the_user(module, noun, place)
    try:
        return vars(found)[name]
    except KeyError:
        raise SproutError(f"{place}: {found.__file__ or module} has no {name!r}; give module:name") from None


def look_in(folder: Path) -> None:
    """Look for modules of the user's own in this folder, that of the settings at hand, before all others."""
    _of_settings[:] = [folder.resolve()]


def is_in(place: str, folder: Path) -> bool:
    """Whether `module:name` names a module that lies in this folder."""
    module, colon, name = place.partition(":")
    return bool(colon and name.isidentifier() and module and _origin(module.partition(".")[0], folder))


def imported(module: str, noun: str, place: str = "") -> ModuleType:
    """A module by its name, one of the user's own or one that was added to the package.

    Args:
        noun: What it should hold, for messages.
        place: What to call it in messages, unless by its name.

    Raises:
        SproutError: naming `path:line`, for a module that cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and place and error.name in (module, module.partition(".")[0]):
            beside = "".join(f", beside the settings ({one})" for one in _of_settings if one != Path.cwd())
            raise SproutError(
                f"{place}: there is no module {error.name} in the current folder ({Path.cwd()}){beside} or on Python's "
                f"path; put {error.name}.py beside the settings file, or add its folder to PYTHONPATH"
            ) from None
        problem = told(error)
        raise SproutError(
            f"{_where(error, module)}{place or module}: the module of this {noun} cannot be imported ({problem}); "
            f"correct it"
        ) from None


def place_in_users_code(error: BaseException) -> str:
    """`path:line` in code of the user's own, such as a stage or a filter, that failed; empty if ours did.

    A model of ours that refuses what it is given is the fault of who gives it.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.suffix != ".py" or path.is_relative_to(sysconfig.get_path("stdlib")) or "site-packages" in path.parts:
            continue
        if not path.is_relative_to(PACKAGE):
            return f"{path}:{frame.lineno}"
        if not isinstance(error, ValidationError):
            break
    return ""


def told(error: BaseException) -> str:
    """The kind of an error and what it says, on one line, without the address that pydantic adds."""
    text = str(getattr(error, "msg", None) or error).partition("For further information")[0]
    return f"{type(error).__name__}: {' '.join(text.split()).rstrip('.')}"


_of_settings: list[Path] = []  # at most one folder


def _of_the_user(module: str, noun: str, place: str) -> ModuleType:
    """A module from the first folder that has it, or from anywhere on Python's path."""
    top = module.partition(".")[0]
    folders = [*dict.fromkeys([*_of_settings, Path.cwd()])]
    sys.path += [str(one) for one in folders if str(one) not in sys.path]  # for what it imports later
    for folder in folders:
        if not (origin := _origin(top, folder)):
            continue
        there = getattr(sys.modules.get(top), "__file__", None)
        if there and Path(there).exists() and not Path(there).samefile(origin):
            raise SproutError(f"{place}: {origin} has the name of another module, {there}; rename it")
        sys.path.insert(0, str(folder))  # before a module of the same name elsewhere
        try:
            return imported(module, noun, place)
        finally:
            sys.path.remove(str(folder))
    return imported(module, noun, place)


def _origin(module: str, folder: Path) -> str:
    """The file of a module in a folder; empty if there is none, or only a folder of that name."""
    spec = PathFinder.find_spec(module, [str(folder)])
    return spec.origin or "" if spec else ""


def _where(error: BaseException, module: str) -> str:
    """The file and line at which an import went wrong, if it was in the module or one of the user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    file = f"{module.replace('.', '/')}"
    libraries = (sysconfig.get_path("stdlib"), "<frozen", __file__)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        own = path.with_suffix("").as_posix().endswith(file) or path.parent.as_posix().endswith(file)
        if own or not (frame.filename.startswith(libraries) or "site-packages" in path.parts):
            return f"{frame.filename}:{frame.lineno}: "
    return ""


@cache
def _shipped() -> dict[str, type[Engine]]:
    """The engine of each module that has one: the class of the module's name, whatever its capitals."""
    kinds: dict[str, type[Engine]] = {}
    for found in pkgutil.iter_modules(engines.__path__):
        module = imported(f"{engines.__name__}.{found.name}", "engine")
        for name, kind in vars(module).items():
            if (
                name.lower() == found.name.replace("_", "")
                and inspect.isclass(kind)
                and issubclass(kind, Engine)
                and kind is not Proxy
            ):
                kinds[found.name] = kind
    return kinds
