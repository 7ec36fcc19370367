"""The recipes that ship: settings files that say which stages a run has, in which order, with which settings."""

from pathlib import Path

FOLDER = Path(__file__).parent

# The order of Self-Instruct, for settings without a list of stages. Stages that are not part of every run belong to
# it where the settings have a table for them (see `takes_part` in pipeline/stage.py).
SELF_INSTRUCT = (
    "instructions", "classify", "instances", "filter", "verify", "score", "dedup", "decontaminate", "select",
    "order", "export", "train", "evaluate", "judge",
)  # fmt: skip


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def summary(name: str) -> str:
    """The first line of a recipe, which is a comment that says what it is for."""
    return (FOLDER / f"{name}.toml").read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").rstrip(".:")
