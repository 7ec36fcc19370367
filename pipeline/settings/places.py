"""Where a setting stands that was looked for somewhere else."""

from collections.abc import Iterator

from pydantic import BaseModel

from pipeline.recipes import SELF_INSTRUCT
from pipeline.stages import Kind, find, names

TEXTS = ("seeds", "domain", "out", "shard")
SINGLE = (*TEXTS, "stages")  # keys above all tables


def places(name: str, first: Kind | None = None) -> list[str]:
    """The settings of that name, such as instructions.sampling.temperature: those of a stage, or those of all.

    Args:
        first: The stage that it was looked for in; others count only if this one has none.
    """
    if first is not None and (own := list(_within(first, first.kind, name))):
        return own
    found = {kind.kind: list(_within(kind, kind.kind, name)) for kind in map(find, names())}
    usual = [place for kind, own in found.items() if kind in SELF_INSTRUCT for place in own]
    return usual or [place for own in found.values() for place in own]


def hint(name: str, first: Kind | None = None) -> str:
    """Where the setting is, for the end of a message, mostly as a question; empty if there is no such setting."""
    if name in SINGLE:
        return "it stands above all tables"
    found = places(name, first)
    return f"did you mean {' or '.join(found[:3])}?" if found else ""


def _within(model: type[BaseModel], path: str, name: str) -> Iterator[str]:
    for key, field in model.model_fields.items():
        if key == name and not field.exclude:
            yield f"{path}.{key}"
        elif isinstance(field.default, BaseModel):
            yield from _within(type(field.default), f"{path}.{key}", name)
