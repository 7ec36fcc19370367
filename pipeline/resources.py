"""Where the files that ship with the project are: prompts, seed tasks, the embedded model."""

import os
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
NANO = PACKAGE / "nano" / "model"  # the embedded model
HELDOUT = PACKAGE / "nano" / "heldout"  # the tasks it is evaluated on


def folder(name: str) -> Path:
    """The folder `prompts` or `seed_tasks`.

    In a checkout it stands beside the package, in an installed wheel inside it. SPROUT_PROMPTS and SPROUT_SEED_TASKS
    name another one.
    """
    chosen = os.environ.get(f"SPROUT_{name.upper()}")
    return Path(chosen) if chosen else shipped(name)


@cache
def shipped(name: str) -> Path:
    """As `folder`, whatever the environment says."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def install(extra: str) -> str:
    """The command that installs the packages of an extra; in a checkout that is not installed itself, with its folder.

    Where the project is installed, as a wheel or from its checkout, pip finds the extra by its name.
    """
    if _is_installed("sprout-instruct"):
        return f"pip install 'sprout-instruct[{extra}]'"
    return f"pip install -e '{PACKAGE.parent}[{extra}]'"


def located(model: str) -> str:
    """The folder that the name of a model stands for: that of nano; any other name stands for itself."""
    return str(NANO) if model == "nano" else model


def shown(model: str) -> str:
    """The name of a model in files and messages: the embedded one is nano wherever the project is installed."""
    return "nano" if Path(model) == NANO else model


def _is_installed(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
