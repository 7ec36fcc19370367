"""Seed tasks that are enough for recipes on the embedded model."""

import json
from pathlib import Path
from typing import Any

from pipeline.resources import folder


def write_few(path: Path, meta: dict[str, Any]) -> str:
    """Eight seeds of nano with metadata, which it is too small to write; returns the path."""
    lines = (folder("seed_tasks") / "nano.jsonl").read_text("utf-8").splitlines()[:8]
    path.write_text("".join(json.dumps(json.loads(line) | {"meta": meta}) + "\n" for line in lines), "utf-8")
    return str(path)
