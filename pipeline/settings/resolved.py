"""The settings of a run as a file: every key with its value and what it means, ready to be changed and run."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.engines.find import engine_names
from pipeline.settings.read import RunSettings, build_stages, engine_options
from pipeline.stage import Product, Stage
from pipeline.stages import STAGES
from pipeline.toml import value

FIELD = re.compile(r"^    (\w+): .*?(?:  # (.*))?$", re.MULTILINE)
SCHEMA = Path("sprout.schema.json")
HINT = f"""\
# An editor completes and checks this file by its schema: `sprout settings --schema > {SCHEMA}`
# beside it, and `#:schema ./{SCHEMA}` as its first line."""
# Of keys that have no comment in the source; those of one stage alone have its name before them.
MEANINGS = {
    "random_seed": "another number, other random choices",
    "sampling": "how the model writes",
    "encoding": "of a base model's prompts: random, for each row one of the paper's 13; plain, a fixed one",
    "input_noise": "one input in two loses its field name and blank lines, as in the paper's code",
    "include_seeds": "the seed tasks are part of it",
    "formats": "each as JSONL and Parquet",
    "num_tasks": "how many to write; more may be asked for later",
    "num_classification_demos": "tasks in a prompt that are classification; Self-Instruct",
    "num_other_demos": "tasks in a prompt that are not; Self-Instruct",
    "num_input_first_demos": "tasks in a prompt; Self-Instruct",
    "num_output_first_demos": "tasks in a prompt for a classification; Self-Instruct",
    "instances.max_instances": "of each task; Self-Instruct",
    "num_kept": "the most diverse are kept, as many as this; unset: all that are no near-duplicates",
    "dedup.method": "how the most diverse are chosen",
    "rho": "vote_k: how much less a neighbour of one that is chosen counts",
    "max_overlap": "share of a held-out instance that may be in a task",
    "decontaminate.max_cosine": "with an encoder: to any held-out instance",
    "train.method": "full, or lora for an adapter",
    "lora_rank": "of the adapter's matrices",
    "evaluate.encoding": "of a base model's prompts: plain; or output, which ends in Output:",
}


def as_toml(settings: RunSettings) -> str:
    """TOML that `read` reads back to the same run; what is not part of it, or has no value, is a comment."""
    lines = [f"#:schema ./{SCHEMA}" if SCHEMA.is_file() else HINT, ""]
    meanings = comments(RunSettings)
    lines += [f"{key} = {value(getattr(settings, key))}  # {meanings[key]}" for key in ("seeds", "out")]
    lines += ["", *engine_table(settings), "", *table("prices", settings.prices)]
    there = {stage.name: stage for stage in build_stages(settings)}
    for kind in STAGES:
        lines += ["", *(table(kind.name, there[kind.name]) if kind.name in there else absent(kind))]
    return "\n".join(lines) + "\n"


def engine_table(settings: RunSettings) -> Iterator[str]:
    """The engine, with what is not given as a comment: another engine may have no such option."""
    kind, options = engine_options(settings)
    yield f"[engine]  # {summary(kind)}"
    yield f"name = {value(settings.engine.get('name', 'vllm'))}  # {', '.join(engine_names())}"
    fields = kind.options.model_fields
    for key, item in options.items():
        meaning = fields[key].description if key in fields else "handed on as it is"
        given = key in settings.engine or key == "model"
        yield line(key, item, meaning or "") if given else f"# {line(key, item, meaning or '').removeprefix('# ')}"


def table(name: str, of: BaseModel) -> Iterator[str]:
    """The fields of a stage, one a line, then those that have fields of their own."""
    yield f"[{name}]  # {summary(type(of))}"
    meanings = comments(type(of), name)
    inner = {key: item for key in type(of).model_fields if isinstance(item := getattr(of, key), BaseModel)}
    for key in type(of).model_fields:
        if key not in inner:
            yield line(key, getattr(of, key), meanings.get(key, ""))
    for key, item in inner.items():
        yield from table(f"{name}.{key}", item)


def line(key: str, item: Any, meaning: str) -> str:
    behind = f"  # {meaning}" if meaning else ""
    return f"# {key} = {behind or '  # unset'}" if item is None else f"{key} = {value(item)}{behind}"


def absent(kind: type[Stage] | type[Product]) -> Iterator[str]:
    """The table of a stage that is no part of the run, as a comment; what it needs has no value."""
    needed = {key: None for key, field in kind.model_fields.items() if field.is_required()}
    for one in table(kind.name, kind.model_construct(**needed)):
        yield one if one.startswith("#") else f"# {one}"


def comments(kind: type[BaseModel], name: str = "") -> dict[str, str]:
    """What each field means: its description, the comment behind it, or what is said of such a field above."""
    found = {key: field.description for key, field in kind.model_fields.items() if field.description}
    found |= {key: comment for key, comment in FIELD.findall(inspect.getsource(kind)) if comment}
    said = {key: MEANINGS.get(f"{name}.{key}", MEANINGS.get(key, "")) for key in kind.model_fields}
    return {key: text for key in kind.model_fields if (text := found.get(key) or said[key])}


def summary(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].rstrip(".")
