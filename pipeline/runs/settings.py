"""settings.json records the settings of a run; a call with other settings is refused before anything is loaded."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.asking import templates
from pipeline.engines.base import Engine
from pipeline.errors import SproutError
from pipeline.resources import shown
from pipeline.runs.code import digest_of_code
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE as JOURNAL
from pipeline.runs.products import write_record
from pipeline.runs.reviews import STAGE
from pipeline.runs.store import to_line
from pipeline.stage import BUILT_IN, Configured, Product, Stage
from pipeline.task import Task

FILE = "settings.json"
STAGE_FILE = re.compile(r"(\d+)_.*\.jsonl$")
DEPENDS = {"file", "stage", "model", "chat", "models", "seeds"}  # without these recorded completions say nothing


def file_names(stages: Iterable[Stage | Product]) -> dict[str, str]:
    """What each stage writes, by its name: 1_instructions.jsonl, 2_classify.jsonl, …, dataset, model.

    Raises:
        SproutError: for two stages of one name, and for one with the name that is kept for what people decide.
    """
    files: dict[str, str] = {}
    number = 0
    for stage in stages:
        if stage.name in files:
            raise SproutError(
                f"two stages are called {stage.name}; tell them apart by a label, such as {stage.kind}-again"
            )
        if stage.name == STAGE:
            raise SproutError(f"a stage cannot be called {STAGE}, which stands for what people decide; rename it")
        number += not stage.written
        files[stage.name] = stage.written or f"{number}_{stage.name}.jsonl"
    return files


class Described:
    """Everything that affects what a stage writes: its file, model, seeds, settings, prompts and code."""

    def __init__(self, files: Mapping[str, str], context: Context) -> None:
        self.files, self.context = files, context

    @cached_property
    def seeds(self) -> str:
        return digest_of_tasks(self.context.seeds)

    def of(self, stage: Stage | Product) -> dict[str, Any]:
        context = self.context.of(stage)
        model: dict[str, Any] = {}
        if stage.uses_model:
            model = described(context.engine)
        if others := {name: described(context.named(name, f"[{stage.name}]")) for name in stage.other_engines}:
            model["models"] = others
        seeds = {"seeds": self.seeds} if isinstance(stage, Stage) or stage.of_tasks else {}
        settings = recorded(stage)
        if "window" in settings and settings["window"] is None:
            settings["window"] = context.engine.window  # it decides which tasks a prompt can show
        return {"file": self.files[stage.name]} | model | seeds | settings


def described(engine: Engine) -> dict[str, Any]:
    """The model of an engine, and how it is asked."""
    kwargs = {"chat_template_kwargs": given} if (given := engine.chat_template_kwargs) else {}
    return {"model": shown(engine.model), "chat": engine.chat} | kwargs


def recorded(stage: Configured) -> dict[str, Any]:
    """The settings of a stage, the domain if its prompts name it, digests of its templates and of code not ours."""
    used = stage.templates_used
    prompts = {f"{Path(name).stem}.jinja": templates.digest(name, stage) for name in used}
    found = stage.settings() | prompts
    kind = type(stage)
    own = not kind.__module__.startswith(BUILT_IN)
    if stage.domain and (own or any(templates.names_domain(name, stage) for name in used)):
        found["domain"] = stage.domain
    if own:
        found |= {"class": f"{kind.__module__}:{kind.__qualname__}"}
        found |= {"code": code} if (code := digest_of_code(kind)) else {}
    return found


def check_settings(stages: Sequence[Stage | Product], files: Mapping[str, str], context: Context) -> None:
    """Refuse to add to files that were written with other settings, their own or those of a stage before.

    Raises:
        SproutError: naming the settings that differ, and the files to delete to redo them.
    """
    path = context.folder / FILE
    before = read_settings(path)
    remind(context, before)
    described = Described(files, context)
    now = {stage.name: described.of(stage) for stage in stages}
    for name, changed in changes(now, before).items():
        stale = [file for file in concerned(name, before) if holds_something(context.folder / file)]
        if changed and stale:
            raise SproutError(refusal(name, changed, stale, stages, context.folder))
    write_settings(path, before | now)


def refusal(
    name: str, changed: Sequence[str], stale: Sequence[str], stages: Sequence[Stage | Product], folder: Path
) -> str:
    """What to say of changed settings: the files to delete, or how to do without."""
    decides = any(stage.name == name and isinstance(stage, Stage) for stage in stages)
    anew = decides and not DEPENDS.intersection(changed) and (folder / JOURNAL).is_file()
    return (
        f"{folder} was begun with different settings: {', '.join(changed)} in {name}. Choose another folder, or delete "
        f"{', '.join(stale)} to redo {'them' if stale[1:] else 'it'} (what was paid for stays in {JOURNAL})"
        f"{', or decide anew without asking the model: `sprout run … --redecide`' if anew else ''}"
    )


def remind(context: Context, before: Mapping[str, dict[str, Any]]) -> None:
    """Tell the engines what the run wrote down of their models, so that nobody asks a server for it again."""
    asked = [one for stage in before.values() for one in (stage, *stage.get("models", {}).values())]
    known = {one["model"]: one["chat"] for one in asked if {"model", "chat"} <= one.keys()}
    for engine in (context.engine, *context.engines.values()):
        if isinstance(chat := known.get(shown(engine.model)), bool):
            engine.remember(chat)


def concerned(name: str, before: Mapping[str, dict[str, Any]]) -> list[str]:
    """The files that another setting of a stage makes stale: its own, and those of the stages after it.

    What products are made from is compared each time they are made, so only a product's own file counts.
    """
    own = before[name]["file"]
    if not (number := STAGE_FILE.match(own)):
        return [own]
    later = ((int(found[1]), one["file"]) for one in before.values() if (found := STAGE_FILE.match(one["file"])))
    return [file for place, file in sorted(later) if place >= int(number[1])]


def changes(now: Mapping[str, dict[str, Any]], before: Mapping[str, dict[str, Any]]) -> dict[str, list[str]]:
    """For each stage in the folder, the settings that have changed; the location of its code does not count."""
    return {
        name: sorted(key for key in old | new if old.get(key) != new.get(key) and key != "class")
        for name, new in now.items()
        if (old := before.get(name))
    }


def check_left_out(files: Mapping[str, str], folder: Path) -> None:
    """Refuse a run that lacks a stage of the folder: tasks which that stage rejected would come back.

    Raises:
        SproutError: naming the file of that stage.
    """
    for name, settings in read_settings(folder / FILE).items():
        path = folder / settings["file"]
        if name not in files and path.suffix == ".jsonl" and holds_something(path):
            raise SproutError(
                f"{path} is there, but this run has no stage {name}; add a table [{name}] to its settings, or delete "
                f"that file and those after it"
            )


def check_seeds(seeds: Iterable[Task], folder: Path) -> None:
    """Refuse seeds other than those the run was begun with.

    Raises:
        SproutError: if they differ.
    """
    known = digest_of_seeds(read_settings(folder / FILE))
    if known is not None and known != digest_of_tasks(seeds):
        raise SproutError(f"{folder}: was begun with other seeds; give those, or leave them out")


def digest_of_seeds(settings: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The digest of the seeds a run was begun with, from its settings by stage."""
    return next((str(one["seeds"]) for one in settings.values() if "seeds" in one), None)


def digest_of_tasks(tasks: Iterable[Task]) -> str:
    hashed = hashlib.sha256()
    for task in tasks:
        hashed.update(to_line(task).encode())
    return hashed.hexdigest()[:12]


def holds_something(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def write_settings(path: Path, settings: Mapping[str, dict[str, Any]]) -> None:
    try:
        write_record(path, settings)
    except OSError as error:
        raise SproutError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None


def read_settings(path: Path) -> dict[str, dict[str, Any]]:
    """The contents of settings.json, by stage; empty if there is no such file.

    Raises:
        SproutError: for a file that cannot be read, or that no run has written.
    """
    if not path.exists():
        return {}
    try:
        settings: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SproutError(f"{path}: not JSON ({error}); restore it, or choose another folder") from None
    except OSError as error:
        raise SproutError(f"{path}: cannot be read ({error.strerror}); choose another folder") from None
    stages = settings.values() if isinstance(settings, dict) else [None]
    if not all(isinstance(stage, dict) and isinstance(stage.get("file"), str) for stage in stages):
        raise SproutError(f"{path}: is not what a run writes there; restore it, or choose another folder")
    return settings
