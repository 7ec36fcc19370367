"""Datasets that only the library `datasets` reads: its own folders, folders of files, names on the hub."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.dataset.files import Record
from pipeline.errors import SproutError, unknown
from pipeline.seeds.datasets import ON_DISK, silent


def saved_records(folder: Path, split: str) -> Iterator[tuple[str, Record]] | None:
    """The rows of a split in a folder that `datasets` saved; None if there is no such split."""
    return _records(str(folder), lambda: _saved(folder), split)


def loaded_records(name: str, split: str) -> Iterator[tuple[str, Record]] | None:
    """The rows of a split of a folder, or of a name on the hub; None if it has no such split.

    A configuration may follow the name: `folder:messages`, `owner/name:main`.

    Raises:
        SproutError: for what `datasets` cannot read, and for a configuration that is missing.
    """
    place, _, config = (name, "", "") if Path(name).exists() else name.partition(":")
    saved = any((Path(place) / file).is_file() for file in ON_DISK)
    return _records(name, lambda: _saved(Path(place)) if saved else _loaded(place, config), split)


def _records(name: str, load: Callable[[], Mapping[str, Any]], split: str) -> Iterator[tuple[str, Record]] | None:
    with _explained(name):
        splits = load()
    return _rows(name, splits[split], split) if split in splits else None


def _rows(name: str, rows: Any, split: str) -> Iterator[tuple[str, Record]]:
    with _explained(name):  # a folder is read while its rows are looked at
        for number, row in enumerate(rows, 1):
            yield f"{name}: {split} row {number}", row


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """What the library says of a dataset it cannot read becomes one sentence."""
    from datasets.exceptions import DatasetsError

    try:
        with silent():
            yield
    except (DatasetsError, OSError, ValueError) as error:
        problem = " ".join(str(error).split())[:200].rstrip(".")
        raise SproutError(
            f"{name}: no dataset that can be read ({problem}); give a file or folder of rows, such as a run's dataset"
        ) from None


def _saved(folder: Path) -> Mapping[str, Any]:
    import datasets

    found = datasets.load_from_disk(str(folder))
    return found if isinstance(found, datasets.DatasetDict) else {"train": found}


def _loaded(place: str, config: str) -> Mapping[str, Any]:
    import datasets

    known = datasets.get_dataset_config_names(place)
    if config and config not in known:
        raise SproutError(f"{place}: {unknown('configuration', config, known)}")
    if not config and len(known) > 1 and "default" not in known:
        raise SproutError(f"{place}: there are the configurations {', '.join(known)}; choose one: {place}:{known[0]}")
    splits: Mapping[str, Any] = datasets.load_dataset(place, config or None, streaming=True)
    return splits
