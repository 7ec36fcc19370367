"""Seed tasks from what the library `datasets` reads: a folder, or a name on the hub."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError, unknown
from pipeline.runs.files import find_stage_files

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_DATA_FILES = (".csv", ".gz", ".json", ".jsonl", ".parquet", ".tsv", ".txt")
_GIVE = "give the path of a JSONL file of tasks"
ON_DISK = ("state.json", "dataset_dict.json")  # what `save_to_disk` leaves in a folder


def dataset_records(name: str) -> list[tuple[str, dict[str, Any]]] | None:
    """The rows of the split `train`, and where each is; None if this is no folder and no name on the hub.

    A configuration may follow the name: `folder:messages`, `owner/name:main`.

    Raises:
        SproutError: for a folder that is no data set, a configuration that is missing, and a hub that is out of reach.
    """
    place, _, config = (name, "", "") if Path(name).exists() else name.partition(":")
    local = Path(place).is_dir()
    if not local and not _on_hub(place):
        return None
    if local and not config and find_stage_files(Path(place)):
        raise SproutError(f"{name}: cannot be read (Is a directory); {_GIVE} in it, such as those of its stages")
    from datasets.exceptions import DatasetsError

    try:
        with silent():
            rows = list(_load(place, config, local))
    except (DatasetsError, OSError, ValueError) as error:
        problem = " ".join(str(error).split())[:200].rstrip(".")
        if local:
            raise SproutError(
                f"{name}: cannot be read (Is a directory); {_GIVE}, or a folder that `datasets` reads ({problem})"
            ) from None
        raise SproutError(
            f"{name}: there is no such file, and as a data set on the hub it cannot be read ({problem}); give a file, "
            f"or a folder that the data set was downloaded to"
        ) from None
    if local and not config and rows and "instances" in rows[0]:  # several files, maybe, that are not meant as one
        raise SproutError(f"{name}: cannot be read (Is a directory); {_GIVE} in it")
    return [(f"{name}: row {number}", row) for number, row in enumerate(rows, 1)]


def parquet_records(path: Path | str) -> list[tuple[str, dict[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise SproutError(f"{path}: no Parquet file that can be read ({str(error).partition('. ')[0]})") from None
    return [(f"{path}: row {number}", row) for number, row in enumerate(rows, 1)]


def _on_hub(place: str) -> bool:
    """Whether it can only be meant for a name on the hub: no file, and not in a folder that is there."""
    path = Path(place)
    return bool(_HUB_NAME.fullmatch(place)) and not path.parent.exists() and path.suffix not in _DATA_FILES


def _load(place: str, config: str, local: bool) -> Any:
    import datasets

    if local and any((Path(place) / file).is_file() for file in ON_DISK):
        found = datasets.load_from_disk(place)
        if not isinstance(found, datasets.DatasetDict):
            return found
        if "train" not in found:
            raise ValueError(f"it has no split train, only {', '.join(found)}")
        return found["train"]
    known = datasets.get_dataset_config_names(place)
    if config and config not in known:
        raise SproutError(f"{place}: {unknown('configuration', config, known)}")
    if not config and len(known) > 1 and "default" not in known:
        raise SproutError(f"{place}: there are the configurations {', '.join(known)}; choose one: {place}:{known[0]}")
    # A folder is read as it stands, without a copy in the cache.
    return datasets.load_dataset(place, config or None, split="train", streaming=local)


@contextmanager
def silent() -> Iterator[None]:
    """What the libraries say of an error while they try again, or before they raise it, is in the error."""
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
