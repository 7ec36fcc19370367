"""What products share: a record of their inputs, and an atomic rename into place."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def digest(*parts: object) -> str:
    """A short hash of what a product is made from; equal hashes mean equal products."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(json.dumps(part, sort_keys=True).encode() + b"\n")
    return hashed.hexdigest()[:16]


def read_record(path: Path) -> dict[str, Any]:
    """The record in a finished product; empty if there is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON file atomically, so that it is never half written."""
    partial = path.with_name(f"{path.name}.partial")
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")  # half a surrogate, as JSON writes it
    partial.replace(path)


def empty_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def put_in_place(made: Path, folder: Path) -> None:
    """Rename a finished folder to its final name, replacing an older one."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
