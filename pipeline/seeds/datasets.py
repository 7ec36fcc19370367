"""Rows of what the library `datasets` reads: a folder, or a name on the hub."""

import glob
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import SproutError, silenced, unknown
from pipeline.runs.files import find_stage_files
from pipeline.seeds.shapes import Record
from pipeline.seeds.tables import without_points

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_DATA_FILES = (".csv", ".gz", ".json", ".jsonl", ".parquet", ".tsv", ".txt", ".zst", ".bz2", ".xz", ".zip", ".arrow")
_GIVE = "give the path of a JSONL file of tasks"
_ON_DISK = ("state.json", "dataset_dict.json")  # what `save_to_disk` leaves in a folder
_OWN_KINDS = ("json", "csv", "parquet", "arrow")  # of files that we read ourselves
_CARDS = ("README.md", ".huggingface.yaml")  # may say which files are which configuration
_GUESSED = ("json", "csv")  # of those, the ones whose types the library guesses
_ARCHIVES = {".zip", ".tar", ".tgz"}  # of which the library reads all files
_ROWS = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow"}
_ABOUT = ("dataset_infos.json", "dataset_info.json", "package.json")  # about the rows beside them, or about none
_NO_READING = ("name", "version", "data_dir", "data_files", "description", "features")  # settings that change no row


class Place(NamedTuple):
    """What `place:config@split` says."""

    path: str
    config: str = ""
    split: str = ""


class Files(NamedTuple):
    """The files of a split."""

    split: str
    paths: list[Path]
    left_out: list[str]  # names of files with rows that belong to no split


def place_of(name: str) -> Place:
    """Take a name apart; a file whose name has such signs in it is that file."""
    if _is_there(name):
        return Place(name)
    rest, at, split = name.rpartition("@")
    rest, split = (rest, split) if at and "/" not in split else (name, "")
    path, colon, config = rest.rpartition(":")
    if _is_there(rest) or not colon or "/" in config:
        path, config = rest, ""
    return Place(path, config, split) if _is_there(path) or on_hub(path) else Place(name)


def on_hub(path: str) -> bool:
    """Whether it can only be meant for a name on the hub: no file, and not in a folder that is there."""
    place = Path(path)
    return bool(_HUB_NAME.fullmatch(path)) and not _is_there(place.parent) and place.suffix not in _DATA_FILES


def _is_there(path: Path | str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # a name that is too long, or a folder that may not be entered
        return False


def files_of(place: Place, splits: Sequence[str], advice: str) -> Files | None:
    """The files of a folder or of a name on the hub that make up the split, where we read such files ourselves; None
    for any other place.

    The library says which these are, and fetches them. It would read them too, but it takes a text such as 2024-01-05
    or 007 for a date or a number, and gives another text back.

    Raises:
        SproutError: as `dataset_rows`.
    """
    path = Path(place.path)
    local = _is_there(path) and path.is_dir()
    if not (local or on_hub(place.path)) or any((path / file).is_file() for file in _ON_DISK):
        return None
    if local:
        _check_no_run(place)
    import datasets

    with _reading(place.path, local, advice):
        try:
            config = _config(place)
        except Exception as error:
            if local or isinstance(error, SproutError) or not (fetched := _fetched(place.path)):
                raise
            return files_of(place._replace(path=fetched), splits, advice)  # the hub is out of reach
        builder = datasets.load_dataset_builder(**_known_as(place.path), name=config)
        found = {str(split): [*map(str, files)] for split, files in (builder.config.data_files or {}).items()}
        paths = [Path(file) for files in found.values() for file in files]
        packed = any(_ARCHIVES.intersection(file.suffixes) for file in paths)
        kind = type(builder).__module__.rpartition(".")[2]
        if kind not in (_OWN_KINDS if local else _GUESSED) or not found or packed or _says_how(builder.config):
            return None
        split = _split(place, [*found], splits)
        if not local:
            fetched = datasets.DownloadManager().download(found[split])
            return Files(split, [*map(Path, fetched)], [])
    known = {file.resolve() for file in paths}
    left_out = [] if config else [str(one.relative_to(path)) for one in _with_rows(path) if one.resolve() not in known]
    return Files(split, [_below(path, Path(file)) for file in found[split]], left_out)


def _below(folder: Path, file: Path) -> Path:
    """The path of a file as it is from the folder that was given."""
    return folder / file.relative_to(folder.resolve()) if file.is_relative_to(folder.resolve()) else file


def _says_how(config: Any) -> bool:
    """Whether the folder's own README.md says how its files are to be read, such as by the delimiter."""
    own = (field for field in fields(config) if field.name not in _NO_READING)
    return any(getattr(config, field.name) != field.default for field in own)


def _with_rows(folder: Path) -> list[Path]:
    """The files in a folder that hold rows, by their names."""
    found = (one for one in folder.rglob("*") if _ROWS & {suffix.lower() for suffix in one.suffixes})
    shown = (one for one in found if not any(part.startswith(".") for part in one.relative_to(folder).parts))
    return sorted(one for one in shown if one.name not in _ABOUT and one.is_file())


def dataset_rows(place: Place, splits: Sequence[str], advice: str) -> tuple[str, list[Record]] | None:
    """The split that was read, and its rows; None if this is no folder and no name on the hub.

    Args:
        splits: Of several, the first of these that is there is read, unless the place names one.
        advice: What to give instead, for the message about a folder that is no data set.

    Raises:
        SproutError: for a folder that is no data set, a configuration or a split that is missing, and a hub that is out
            of reach.
    """
    opened = open_dataset(place, splits, advice)
    if opened is None:
        return None
    split, found = opened
    name, rows = place.path, without_points([*found])
    check_tasks(place, rows[0] if rows else None)
    return split, [Record(f"{name}: row {number}", number, row) for number, row in enumerate(rows, 1)]


def check_tasks(place: Place, row: Any) -> None:
    """
    Raises:
        SproutError: for a folder whose first row is a task of ours: several files, not meant as one.
    """
    if Path(place.path).is_dir() and not place.config and isinstance(row, dict) and "instances" in row:
        raise SproutError(f"{place.path}: cannot be read (Is a directory); {_GIVE} in it")


def open_dataset(place: Place, splits: Sequence[str], advice: str) -> tuple[str, Iterator[dict[str, Any]]] | None:
    """As `dataset_rows`, with rows that are read one after another."""
    name, local = place.path, _is_there(place.path) and Path(place.path).is_dir()
    if not local and not on_hub(name):
        return None
    if local:
        _check_no_run(place)
    with _reading(name, local, advice):
        split, data = _load(place, splits, local)

    def rows() -> Iterator[dict[str, Any]]:
        with _reading(name, local, advice):
            yield from data

    return split, rows()


def _check_no_run(place: Place) -> None:
    if not place.config and find_stage_files(Path(place.path)):
        raise SproutError(f"{place.path}: cannot be read (Is a directory); {_GIVE} in it, such as those of its stages")


@contextmanager
def _reading(name: str, local: bool, advice: str) -> Iterator[None]:
    """The errors of the library, said as ours are."""
    try:
        with silenced("datasets", "huggingface_hub"):
            yield
    except SproutError:
        raise
    except Exception as error:  # the library raises whatever an empty or damaged file leads it to
        problem = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        if local:
            if "Unable to find" in problem and glob.has_magic(str(Path(name).resolve())):
                problem = (
                    "its card names files, which are not found below a folder with [, * or ? in its name; rename it"
                )
            raise SproutError(
                f"{name}: cannot be read (Is a directory); {advice}, or a folder that `datasets` reads ({problem})"
            ) from None
        raise SproutError(
            f"{name}: there is no such file, and as a data set on the hub it cannot be read ({problem}); give a file, "
            f"or a folder that the data set was downloaded to"
        ) from None


def split_names(place: Place) -> list[str]:
    """The splits of a folder or of a name on the hub, without their rows; none of a file.

    Raises:
        SproutError: as `dataset_rows`.
    """
    import datasets

    path = Path(place.path)
    try:
        with silenced("datasets", "huggingface_hub"):
            if (path / _ON_DISK[1]).is_file():
                return [*json.loads((path / _ON_DISK[1]).read_text("utf-8"))["splits"]]
            if path.is_dir() or on_hub(place.path):
                return list(datasets.get_dataset_split_names(**_known_as(place.path), config_name=place.config or None))
    except Exception:  # `dataset_rows` says what is wrong with it
        if not path.is_dir() and (fetched := _fetched(place.path)):
            return split_names(place._replace(path=fetched))
    return []


def _fetched(name: str) -> str:
    """The folder with the files of a data set that were fetched from the hub before; empty if there are none."""
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(name, repo_type="dataset", local_files_only=True))
    except (OSError, ValueError):
        return ""


def _load(place: Place, splits: Sequence[str], local: bool) -> tuple[str, Any]:
    import datasets

    path = place.path
    if local and any((Path(path) / file).is_file() for file in _ON_DISK):
        found = datasets.load_from_disk(path)
        if not isinstance(found, datasets.DatasetDict):
            if place.split:
                raise SproutError(f"{path}: there are no splits in it; leave out @{place.split}")
            return "", found
        split = _split(place, [*found], splits)
        return split, found[split]
    config = _config(place)
    split = _split(place, datasets.get_dataset_split_names(**_known_as(path), config_name=config), splits)
    # A folder is read as it stands, without a copy in the cache.
    return split, datasets.load_dataset(**_known_as(path), name=config, split=split, streaming=local)


def _known_as(path: str) -> dict[str, Any]:
    """The place for the library, which finds nothing in a folder that is called by a dot, and takes signs such as [ in
    its name for a pattern."""
    if not Path(path).is_dir():
        return {"path": path}
    folder = str(Path(path).resolve())
    escaped = glob.escape(folder)
    if escaped == folder or any(_lists_files(Path(folder) / name) for name in _CARDS):
        return {"path": folder}
    from datasets.data_files import get_data_patterns

    patterns = get_data_patterns(escaped)
    return {"path": folder, "data_files": {part: [f"{escaped}/{one}" for one in patterns[part]] for part in patterns}}


def _lists_files(card: Path) -> bool:
    return card.is_file() and "configs:" in card.read_text("utf-8", "replace")


def _config(place: Place) -> str | None:
    """The configuration that is chosen; None where there is no choice."""
    import datasets

    path, known = place.path, datasets.get_dataset_config_names(**_known_as(place.path))
    if place.config and place.config not in known:
        raise SproutError(f"{path}: {unknown('configuration', place.config, known)}")
    if not place.config and len(known) > 1 and "default" not in known:
        raise SproutError(f"{path}: there are the configurations {', '.join(known)}; choose one: {path}:{known[0]}")
    return place.config or None


def _split(place: Place, known: Sequence[str], splits: Sequence[str]) -> str:
    if place.split:
        if place.split not in known:
            raise SproutError(f"{place.path}: {unknown('split', place.split, known)}")
        return place.split
    chosen = next((split for split in splits if split in known), known[0] if len(known) == 1 else "")
    if not chosen:
        name = f"{place.path}:{place.config}" if place.config else place.path
        raise SproutError(f"{name}: there are the splits {', '.join(known)}; choose one: {name}@{known[0]}")
    return chosen
