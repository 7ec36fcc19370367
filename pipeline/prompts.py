"""Prompts are Jinja templates in prompts/, named after the stage that uses them."""

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import SproutError
from pipeline.resources import folder

# A placeholder without a value is an error, not a blank; a template cannot reach Python.
OPTIONS = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": False}


def prompt_folder() -> Path:
    return folder("prompts")


@cache
def environment(path: Path) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(loader=FileSystemLoader(path), **OPTIONS)


def render(name: str, **values: object) -> str:
    """Fill in the template `name`.jinja.

    Raises:
        SproutError: for a template that is missing, is broken, or names a variable that has no value.
    """
    try:
        return environment(prompt_folder()).get_template(f"{name}.jinja").render(**values)
    except TemplateNotFound:
        raise SproutError(f"{prompt_folder() / name}.jinja: no such template") from None
    except TemplateError as error:
        raise SproutError(f"{prompt_folder() / name}.jinja: {error}; it may use {', '.join(values)}") from None


def digest(name: str) -> str:
    """A short hash of the template's text: an edited prompt is another setting."""
    path = prompt_folder() / f"{name}.jinja"
    if not path.is_file():
        raise SproutError(f"{path}: no such template")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
