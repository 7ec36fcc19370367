"""Prompts are Jinja templates in prompts/, named after the stage that uses them."""

import hashlib
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
)
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from pipeline.errors import SproutError, not_utf8, unknown
from pipeline.resources import folder, shipped
from pipeline.stage import Configured

# A placeholder without a value is an error, not a blank.
OPTIONS = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": False}
MARK = "\0slot\0"  # in no template and no task
EVERYWHERE = ("domain",)  # variables that every template is given
# What a template can cause: most are those of an expression in it, such as a sum of a number and a text.
FAULTS = (
    TemplateError, OSError, ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip


class Sandbox(ImmutableSandboxedEnvironment):
    """A template cannot reach Python. Of a task it sees the fields alone; its methods could read files and unpickle."""

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        if isinstance(obj, BaseModel):
            return attr in type(obj).model_fields
        return super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, BaseModel) and attribute in obj.__dict__:  # a field: five times as fast, 150 times a prompt
            return obj.__dict__[attribute]
        if isinstance(obj, LoopContext) and attribute == "index":  # the number of a demo, likewise
            return obj.index
        return super().getattr(obj, attribute)


def prompt_folder() -> Path:
    return folder("prompts")


@cache
def environment(path: Path) -> Sandbox:
    return Sandbox(loader=FileSystemLoader(path, encoding="utf-8-sig"), **OPTIONS)


def render(name: str, of: Configured | None = None, /, **values: object) -> str:
    """Fill in the template `name`.jinja.

    Args:
        of: The stage that asks: its settings may put another file in place of the template, and name a domain.

    Raises:
        SproutError: for a template that is missing, is broken, or names a variable that has no value.
    """
    return _render(template_path(name, of), values | _shared(of))


def filled_but_for(slot: str, name: str, of: Configured | None = None, /, **values: object) -> Callable[[str], str]:
    """As `render`, where all requests share all values but one text: the rest is rendered once, if the template allows.

    It does where it puts that text as it is, outside of any loop or condition, and asks nothing else of it. Nothing is
    rendered before the first call.
    """
    path, values = template_path(name, of), values | _shared(of)

    @cache
    def pieces() -> list[str] | None:
        return _render(path, values | {slot: MARK}).split(MARK) if _is_slot(path, slot) else None

    return lambda text: _render(path, values | {slot: text}) if (parts := pieces()) is None else text.join(parts)


def _is_slot(path: Path, variable: str) -> bool:
    try:
        tree = _parsed(path)
    except FAULTS:
        return False  # rendering says what is wrong with it
    names = [one.name for one in tree.find_all(nodes.Name)]
    if any(tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport))):
        return False
    if "lipsum" in names or any(one.name == "random" for one in tree.find_all(nodes.Filter)):
        return False  # drawn anew for each text
    outputs = [part for node in tree.body if isinstance(node, nodes.Output) for part in node.nodes]
    plain = [part for part in outputs if isinstance(part, nodes.Name) and part.name == variable]
    return len(plain) == names.count(variable)


def _render(path: Path, values: dict[str, object]) -> str:
    try:
        return environment(path.parent).get_template(path.name).render(**values)
    except UndefinedError as error:
        raise SproutError(f"{_explain(path, error)}; it may use {', '.join(values)}") from None
    except FAULTS as error:
        raise SproutError(_explain(path, error)) from None


def digest(name: str, of: Configured | None = None) -> str:
    """A short hash of the template's text: an edited prompt is another setting.

    Raises:
        SproutError: for a template that is missing, is no template, or names a variable that the one that ships under
            this name does not: all before a model is loaded.
    """
    path = template_path(name, of)
    used = _variables(path)
    original = shipped("prompts") / f"{name}.jinja"
    given = _variables(original) if original.is_file() else used
    known = [*(one for one in given if one not in EVERYWHERE), *EVERYWHERE]
    for variable, line in used.items():
        if variable not in known:
            raise SproutError(f"{path}:{line}: {unknown('variable', variable, known)}")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def names_domain(name: str, of: Configured | None = None) -> bool:
    """Whether the template says what its stage is told of the domain."""
    return uses("domain", name, of)


def uses(variable: str, name: str, of: Configured | None = None) -> bool:
    """Whether the template uses a variable."""
    return variable in _variables(template_path(name, of))


def template_path(name: str, of: Configured | None = None) -> Path:
    """The file of a template: the one that the settings of the stage put in its place, else that of its name.

    A name that ends in .jinja is the path of a file.
    """
    if name.endswith(".jinja"):
        if not Path(name).is_file():
            raise SproutError(f"{name}: no such template; give the path of a Jinja file")
        return Path(name)
    path = of.template_files.get(name) if of else None
    path = path or prompt_folder() / f"{name}.jinja"
    if not path.parent.is_dir() and not (of and name in of.template_files):
        raise SproutError(f"{path.parent}: is not a folder of templates; change SPROUT_PROMPTS, or unset it")
    if not path.is_file():
        raise SproutError(f"{path}: no such template; copy {shipped('prompts') / f'{name}.jinja'} and change that")
    return path


def _shared(of: Configured | None) -> dict[str, object]:
    return {"domain": " ".join(of.domain.split()).rstrip(".") if of else ""}


def _parsed(path: Path) -> nodes.Template:
    return environment(path.parent).parse(path.read_text("utf-8-sig"), filename=str(path))


def _variables(path: Path) -> dict[str, int]:
    """The variables that a template is given, and the line where each is used first."""
    try:
        tree = _parsed(path)
        free = find_undeclared_variables(tree) - environment(path.parent).globals.keys()
    except FAULTS as error:
        raise SproutError(_explain(path, error)) from None
    lines = {node.name: node.lineno for node in reversed(list(tree.find_all(nodes.Name)))}
    return {name: lines[name] for name in sorted(free)}


def _explain(path: Path, error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        line, problem = not_utf8(error)
        return f"{path}:{line}: {problem}"
    if isinstance(error, TemplateSyntaxError):
        place = path if error.filename in (None, "<introspection>") else error.filename  # or that of an included one
        return f"{place}:{error.lineno}: {str(error.message).rstrip('.')}"
    if isinstance(error, TemplateNotFound):
        return f"{path}: {error.name} is included, and not there"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{lines[-1] if lines else 1}: {str(error).rstrip('.') or type(error).__name__}"
