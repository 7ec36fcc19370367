"""Where a setting stands that was looked for somewhere else."""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from pipeline.recipes import SELF_INSTRUCT
from pipeline.settings.entries import StageEntry
from pipeline.stages import Kind, find, names

TEXTS = ("seeds", "domain", "out", "shard", "modules")
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


def hint(name: str, first: Kind | None = None, listed: Sequence[StageEntry] = ()) -> str:
    """Where the setting is, for the end of a message, mostly as a question; empty if there is no such setting.

    Args:
        first: The stage that it was looked for in.
        listed: The stages of the run; only if none of them has the setting, another one is named.
    """
    if name in SINGLE:
        return "it goes above all tables"
    found = places(name, first)
    if listed and not any(place.startswith(f"{first.kind}.") for place in found if first):
        if here := [place for entry in listed for place in _within(entry.kind, entry.name, name)]:
            found = here
        elif found:
            return f"there is {' or '.join(found[:3])}, but this run has no such stage"
    return f"did you mean {' or '.join(found[:3])}?" if found else ""


def _within(model: type[BaseModel], path: str, name: str) -> Iterator[str]:
    for key, field in model.model_fields.items():
        if key == name and not field.exclude:
            yield f"{path}.{key}"
        elif isinstance(field.default, BaseModel):
            yield from _within(type(field.default), f"{path}.{key}", name)
