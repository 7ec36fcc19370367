"""Writes what each trainer needs beside the data."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from pipeline.dataset.trainers.base import Trainer, Tuning
from pipeline.errors import unknown


def write_configs(folder: Path, tuning: Tuning) -> None:
    """Write what each trainer needs that reads one of the formats, to be used in `folder`."""
    for trainer in trainers().values():
        if rows := trainer.choose(tuning):
            for name, text in trainer.files(tuning, rows).items():
                (folder / name).write_text(text, encoding="utf-8", newline="\n")


def complaints(folder: Path, tuning: Tuning, num_rows: int) -> Iterator[str]:
    """What trainers will not take of the rows in a folder."""
    for trainer in trainers().values():
        if rows := trainer.choose(tuning):
            yield from trainer.complaints(folder, rows, num_rows)


@cache
def trainers() -> MappingProxyType[str, Trainer]:
    """The trainer of each module of this folder that has one, by the name of the module."""
    found: dict[str, Trainer] = {}
    for module_info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{module_info.name}")
        for kind in vars(module).values():
            own = inspect.isclass(kind) and issubclass(kind, Trainer) and kind.__module__ == module.__name__
            if own and not inspect.isabstract(kind):
                found[module_info.name] = kind()
    return MappingProxyType(found)


def _known(name: str) -> str:
    if name not in trainers():
        raise ValueError(unknown("trainer", name, trainers()))
    return name


def _schema() -> dict[str, Any]:
    return {"enum": [*trainers()]}


TrainerName = Annotated[str, AfterValidator(_known), WithJsonSchema(_schema())]
