"""Writes the config of each trainer beside the data."""

import importlib
import inspect
import pkgutil
from functools import cache
from pathlib import Path

from pipeline.dataset.trainers.base import Trainer, Tuning
from pipeline.runs.products import write_record


def write_configs(folder: Path, tuning: Tuning) -> None:
    """Write a config for each trainer that reads one of the formats, to be run in `folder`."""
    for trainer in trainers():
        if rows := trainer.choose(tuning):
            text = trainer.render(trainer.entries(tuning, rows))
            (folder / f"{trainer.name}.yaml").write_text(text, encoding="utf-8")
            for name, record in trainer.records(tuning, rows).items():
                write_record(folder / name, record)


@cache
def trainers() -> tuple[Trainer, ...]:
    """One of each module of this folder that has one."""
    found: list[Trainer] = []
    for module_info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{module_info.name}")
        for kind in vars(module).values():
            own = inspect.isclass(kind) and issubclass(kind, Trainer) and kind.__module__ == module.__name__
            if own and not inspect.isabstract(kind):
                found.append(kind())
    return tuple(found)
