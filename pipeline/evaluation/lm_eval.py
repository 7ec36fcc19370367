"""Benchmarks of EleutherAI's lm-evaluation-harness, run as a separate program if it is installed."""

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.engines.base import Engine
from pipeline.engines.server import Server
from pipeline.errors import SproutError
from pipeline.evaluation.record import Harness
from pipeline.runs.keys import identity
from pipeline.runs.products import digest, empty_folder, read_record, write_record

logger = logging.getLogger(__name__)

Option = str | int | float | bool


def harness() -> list[str]:
    """The command that starts it: the first on the path, else that of this Python.

    Raises:
        SproutError: if it is not installed.
    """
    if found := shutil.which("lm_eval"):
        return [found]
    if importlib.util.find_spec("lm_eval"):
        return [sys.executable, "-m", "lm_eval"]
    raise SproutError(
        "lm-eval is not installed; `pip install lm-eval`, here or in an environment of its own on the path"
    )


class _Memory(Harness):
    """What was measured of a model, and the figures."""

    fingerprint: str
    asked: tuple[str, ...] = ()


def measure(name: str, engine: Engine, folder: Path, tasks: Sequence[str], options: Mapping[str, Option]) -> Harness:
    """Run the harness's tasks on the model of an engine, except those that were run before.

    Results go to `folder`/<name>.json; the harness's own files and log.txt go to `folder`/<name>.

    Args:
        options: Command-line options by their long names; `model_args` extend those that name the model.

    Raises:
        SproutError: if it is not installed, if it fails (with its last line), and if it leaves no results.
    """
    kind, arguments = arguments_of(engine)
    model = identity(arguments["pretrained"]) if "pretrained" in arguments else arguments
    fingerprint = digest(kind, model, dict(options))
    record = read_record(folder / f"{name}.json")
    fresh = _Memory(fingerprint=fingerprint, version=None, tasks={}, versions={})
    memory = _Memory.model_validate(record) if record.get("fingerprint") == fingerprint else fresh
    if todo := [task for task in tasks if task not in memory.asked]:
        logger.info("evaluate: lm-eval puts %s to %s", ", ".join(todo), name)
        place = empty_folder(folder / name)
        key = os.environ.get("SPROUT_API_KEY") if isinstance(engine, Server) else None
        call([*command(kind, arguments, todo, options), "--output_path", str(place)], place / "log.txt", key)
        found = results(place)
        memory = _Memory(
            fingerprint=fingerprint,
            asked=(*memory.asked, *todo),
            version=found.version,
            tasks=memory.tasks | found.tasks,
            versions=memory.versions | found.versions,
        )
        write_record(folder / f"{name}.json", memory.model_dump(mode="json"))
    return Harness.model_validate(memory.model_dump(include=set(Harness.model_fields)))


def command(
    kind: str, arguments: Mapping[str, str], tasks: Sequence[str], options: Mapping[str, Option]
) -> Iterator[str]:
    given = options.get("model_args")
    model_args = [f"{key}={value}" for key, value in arguments.items()] + ([str(given)] if given else [])
    yield from harness()
    yield from ("--model", kind, "--model_args", ",".join(model_args), "--tasks", ",".join(tasks))
    for key, value in options.items():
        if key != "model_args" and value is not False:
            yield from (f"--{key}",) if value is True else (f"--{key}", str(value))


def arguments_of(engine: Engine) -> tuple[str, dict[str, str]]:
    """The harness's name for a kind of engine, and the arguments that name the model."""
    if isinstance(engine, Server):
        return "local-completions", {"model": engine.model, "base_url": f"{engine.url.rstrip('/')}/completions"}
    kind = "vllm" if type(engine).__name__ in ("VLLM", "Ray") else "hf"
    return kind, {"pretrained": engine.model}


def call(command: Sequence[str], log: Path, key: str | None) -> None:
    env = os.environ | ({"OPENAI_API_KEY": key} if key else {})
    with log.open("wb") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=env, check=False).returncode
    if code:
        lines = log.read_text("utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")
        raise SproutError(f"lm-eval ended with exit code {code}: {last} (all it said is in {log})")


def results(folder: Path) -> Harness:
    paths = sorted(folder.rglob("results_*.json"), key=lambda path: path.stat().st_mtime)
    try:
        found = json.loads(paths[-1].read_text("utf-8"))
        tasks = {task: {key: value for key, value in figures.items() if key not in ("name", "alias")}
                 for task, figures in found["results"].items()}  # fmt: skip
        return Harness(version=found.get("lm_eval_version"), tasks=tasks, versions=found.get("versions", {}))
    except (IndexError, ValueError, KeyError, AttributeError):
        raise SproutError(f"{folder}: lm-eval left no results there that can be read; see log.txt in it") from None
