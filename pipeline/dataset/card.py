"""The card of a dataset: a README that says what it holds and where it comes from. What is not known it says so."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline import __version__
from pipeline.dataset.formats import MEANING, Format, Split, file_name
from pipeline.engines.base import Engine
from pipeline.engines.model_folder import is_hub_name
from pipeline.resources import NANO, shipped, shown
from pipeline.runs.context import Context
from pipeline.runs.files import find_stage_files, funnel
from pipeline.runs.keys import identity
from pipeline.runs.settings import digest_of_seeds, digest_of_tasks, read_settings
from pipeline.seeds.read import SHIPPED, read_seeds

OURS = "apache-2.0"  # the licence of all that ships with Sprout: seed_tasks/README.md, nano/model/README.md
NOT_STATED = "not stated; ask whoever made this dataset"
NOT_SHOWN = ("stage", "file", "model", "chat", "seeds", "push_to_hub", "private")  # no settings of what is in it


class Origin(BaseModel):
    """Where the tasks of a dataset come from, as far as the folder of the run tells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = __version__
    funnel: dict[str, dict[str, int]] = {}  # empty: the tasks are not those that the run in this folder has kept
    settings: dict[str, dict[str, Any]] = {}  # by stage
    models: dict[str, str] = {}  # by name, what tells its revision
    seeds: str = ""  # the name of those that ship
    seeds_digest: str = ""
    heldout: tuple[str, ...] = ()  # the sets the run is evaluated on


def read_origin(context: Context, num_tasks: int) -> Origin:
    files = find_stage_files(context.folder)
    found = {stage: dict(counts) for stage, counts in funnel(context.folder).items()} if files else {}
    if not found or list(found.values())[-1].get("kept") != num_tasks:
        return Origin()
    tables = read_settings(context.folder / "settings.json")
    settings = {stage: table for stage, table in tables.items() if stage in found}
    asking = [table for table in settings.values() if any(key.endswith(".jinja") for key in table)]
    seeds = digest_of_seeds(settings) or digest_of_tasks(context.seeds)
    names = {digest_of_tasks(read_seeds(shipped("seed_tasks") / f"{name}.jsonl")): name for name in SHIPPED}
    heldout = tables.get("evaluate", {}).get("heldout", ())
    return Origin(
        funnel=found,
        settings=settings,
        models=dict(revision(table["model"], context.engine) for table in asking if "model" in table),
        seeds=names.get(seeds, ""),
        seeds_digest=seeds,
        heldout=tuple(without_place([heldout] if isinstance(heldout, str) else heldout)),
    )


def revision(model: str, engine: Engine) -> tuple[str, str]:
    """The name of a model without the place it lies at, and what tells which weights it has."""
    if model == shown(str(NANO)):
        return model, f"ships with Sprout {__version__}, content {identity(str(NANO))[:16]}"
    if Path(model).is_dir():
        return Path(model).name, f"a local folder, content {identity(model)[:16]}"
    if is_hub_name(model) and engine.model == model and engine.revision:
        return model, f"revision {engine.revision}"
    return without_place(model), "its revision is not known here"


def licences(origin: Origin, stated: Mapping[str, str]) -> dict[str, str]:
    """The licence of the dataset, of the model that wrote it and of the seeds, by setting; empty where it is not known.

    Only of what ships with Sprout it is known without being stated.
    """
    known = {
        "licence": "",
        "teacher_licence": OURS if list(origin.models) == [shown(str(NANO))] else "",
        "seeds_licence": OURS if origin.seeds else "",
    }
    return {name: stated[name] or licence for name, licence in known.items()}


def render(
    origin: Origin,
    figures: Mapping[str, Any],
    settings: Mapping[str, Any],
    formats: Sequence[Format],
    splits: Sequence[Split],
    repository: str = "",
) -> str:
    """The card as Markdown, with a header that the hub and `load_dataset` read.

    Args:
        figures: What is in dataset.json.
        settings: Of the export.
        repository: The name on the hub, if it has one.
    """
    found = licences(origin, {name: settings[name] for name in ("licence", "teacher_licence", "seeds_licence")})
    parts = [
        header(figures, found["licence"], formats, splits),
        f"# {repository.partition('/')[2] or 'An instruction-tuning dataset'}",
        f"{figures['instances']:,} instances of {figures['tasks']:,} tasks, written by "
        f"{' and '.join(map(cell, origin.models)) or 'a model that is not known here'}, made with Sprout "
        f"{origin.version} by Self-Instruct ([Wang et al. 2022](https://arxiv.org/abs/2212.10560)).",
        use(formats, splits, repository),
        contents(figures),
        licence_table(found),
        source(origin, settings),
        yields(origin),
        decontamination(origin),
        limits(origin, settings),
        made(origin, settings),
    ]
    return "\n\n".join(parts) + "\n"


def header(figures: Mapping[str, Any], licence: str, formats: Sequence[Format], splits: Sequence[Split]) -> str:
    from huggingface_hub import DatasetCardData

    names = [name for name in formats if name != "datasets"]
    configs: list[dict[str, Any]] = [
        {"config_name": name, "data_files": [{"split": s, "path": file_name(name, s, "parquet")} for s in splits]}
        for name in names
    ]
    if configs:
        configs[0]["default"] = True
    fields: dict[str, Any] = {"configs": configs} if configs else {}
    if re.fullmatch(r"[\w.+-]+", licence):
        fields["license"] = licence.lower()  # as the hub writes its names
    elif licence:
        fields |= {"license": "other", "license_name": licence}
    data = DatasetCardData(
        size_categories=[size_category(figures["instances"])],
        task_categories=["text-generation"],
        tags=["synthetic", "self-instruct", "instruction-tuning"],
        **fields,
    )
    return f"---\n{data.to_yaml()}\n---"


def size_category(instances: int) -> str:
    """As the hub has them: n<1K, 1K<n<10K and so on."""
    steps = ["1K", "10K", "100K", "1M", "10M", "100M", "1B"]
    step = min(max(len(str(instances)) - 3, 0), len(steps) - 1)
    return f"{steps[step - 1]}<n<{steps[step]}" if step else "n<1K"


def use(formats: Sequence[Format], splits: Sequence[Split], repository: str) -> str:
    name = next((name for name in formats if name != "datasets"), None)
    place = repository or "path/to/this/folder"
    load = f'from datasets import load_dataset\n\ndataset = load_dataset("{place}", "{name}")'
    if name is None:
        load = 'from datasets import load_from_disk\n\ndataset = load_from_disk("path/to/this/folder/datasets")'
    files = {
        one: "`datasets/`" if one == "datasets" else ", ".join(f"`{file_name(one, split)}`" for split in splits)
        for one in formats
    }
    rows = table(["format", "files", "what"], [[one, files[one], MEANING[one]] for one in formats])
    return (
        f"## Use\n\n```python\n{load}\n```\n\n{rows}\n\n"
        "Beside each JSONL file is the same as Parquet. All formats hold the same instances. An id is that of the task "
        "and the number of the instance in it; seeds have the id of the task, and openai has none. Where instruction "
        "and input are one text, nothing says where the one ends; alpaca, seeds and datasets keep both."
    )


def contents(figures: Mapping[str, Any]) -> str:
    splits = [[name, f"{one['tasks']:,}", f"{one['instances']:,}"] for name, one in figures["splits"].items()]
    words = figures["mean_words"]
    held = " Whole tasks are held back, by a hash of their id; seed tasks never are." if len(splits) > 1 else ""
    return (
        f"## What it holds\n\n{table(['split', 'tasks', 'instances'], splits)}\n\n"
        f"{figures['classification_share']:.1%} of the tasks are classification. {figures['instances_with_input']:,} "
        f"instances have an input. Mean words: instruction {words['instruction']}, input {words['input']}, output "
        f"{words['output']}.{held}"
    )


def licence_table(found: Mapping[str, str]) -> str:
    names = {
        "licence": "this dataset",
        "teacher_licence": "the model that wrote it",
        "seeds_licence": "the seed tasks",
    }
    rows = [[what, cell(found[name]) or NOT_STATED] for name, what in names.items()]
    return f"## Licences\n\n{table(['of', 'licence'], rows)}"


def source(origin: Origin, settings: Mapping[str, Any]) -> str:
    rows = [["model", f"{cell(name)}; {cell(what)}"] for name, what in origin.models.items()]
    if origin.seeds:
        rows.append(["seed tasks", f"{origin.seeds}, which ship with Sprout; digest {origin.seeds_digest}"])
    elif origin.seeds_digest:
        rows.append(["seed tasks", f"the maker's own; digest {cell(origin.seeds_digest)}"])
    rows.append(["seed tasks in this dataset", "yes, for training" if settings["include_seeds"] else "no"])
    return f"## Sources\n\n{table(['', ''], rows)}"


def yields(origin: Origin) -> str:
    if not origin.funnel:
        return (
            "## Filters and yield\n\nThe tasks were given to the export from outside of a run, so neither the model "
            "that wrote them nor what was filtered out is known here."
        )
    rows = []
    for stage, counts in origin.funnel.items():
        reasons = sorted(((n, reason) for reason, n in counts.items() if reason != "kept"), reverse=True)
        listed = ", ".join(f"{cell(reason)} {n:,}" for n, reason in reasons)
        rows.append([cell(stage), f"{sum(counts.values()):,}", f"{counts.get('kept', 0):,}", listed])
    return f"## Filters and yield\n\n{table(['stage', 'decided', 'kept', 'rejected, by reason'], rows)}"


def decontamination(origin: Origin) -> str:
    name = "decontaminate"
    if name not in origin.funnel:
        done = "None: it was compared with no evaluation set." if origin.funnel else "Not known here."
        return f"## Decontamination\n\n{done}"
    counts, settings = origin.funnel[name], origin.settings.get(name, {})
    gone = sum(n for reason, n in counts.items() if reason != "kept")
    sets = f" The run is evaluated on {', '.join(map(cell, origin.heldout))}." if origin.heldout else ""
    meaning = ", or mean the same by the cosine of their vectors" if settings.get("encoder") else ""
    share, ngram = f"{settings.get('max_overlap', 0.5):.0%}", settings.get("ngram", 8)
    return (
        f"## Decontamination\n\n{gone:,} of {sum(counts.values()):,} tasks were left out because they share more than "
        f"{share} of the words of a held-out instance in {ngram}-grams{meaning}. The held-out "
        f"instances have the digest {cell(str(settings.get('heldout', 'unknown')))}.{sets}"
    )


def limits(origin: Origin, settings: Mapping[str, Any]) -> str:
    found = [
        "A language model wrote it and nobody has checked it: outputs may be wrong, invented, biased or harmful. The "
        "filters look at form, not at truth.",
        "Its languages are not recorded.",
    ]
    if origin.funnel and "dedup" not in origin.funnel:
        found.append("Instructions that are too alike were sought by their words (ROUGE-L), not by their meaning.")
    if "decontaminate" in origin.funnel:
        found.append("It was compared with the held-out instances above and with no others.")
    else:
        found.append("It may hold instances of an evaluation set.")
    if settings["validation_share"]:
        found.append("A validation split is written by the same model: it shows overfitting, it is no test set.")
    return "## Known limits\n\n" + "\n".join(f"- {limit}" for limit in found)


def made(origin: Origin, settings: Mapping[str, Any]) -> str:
    """The settings of each stage as TOML that a run reads, but for places on the machine that made it."""
    lines = ["# sprout run settings.toml --seeds SEEDS --engine ENGINE --model MODEL --out FOLDER"]
    for stage, fields in [*origin.settings.items(), ("export", settings)]:
        lines += ["", f"[{stage}]", *toml(stage, fields)]
    fence = "```"
    return f"## How it was made\n\n{fence}toml\n" + "\n".join(lines) + f"\n{fence}"


def toml(stage: str, fields: Mapping[str, Any]) -> list[str]:
    from pipeline.toml import value  # which knows all stages, and they know this

    lines = []
    for key, item in fields.items():
        if item is None or key.endswith(".jinja") or key in NOT_SHOWN:
            continue
        line = f"{key} = {value(without_place(item))}"
        digested = stage == "decontaminate" and key == "heldout"
        lines.append(f"# {line}  # a digest; name the sets" if digested else line)
    return lines


def without_place(item: Any) -> Any:
    """The same with only the last name of each path of this machine, and without what has no value."""
    if isinstance(item, str):
        return (
            shown(item)
            if item == str(NANO)
            else Path(item).name
            if len(Path(item).parts) > 2 and item[0] == "/"
            else item
        )
    if isinstance(item, Mapping):
        return {key: without_place(one) for key, one in item.items() if one is not None}
    return [without_place(one) for one in item] if isinstance(item, (list, tuple)) else item


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """A text that comes from a file, so that it stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
