"""Where the tasks of a dataset come from: what the folder of a run tells of them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline import __version__
from pipeline.dataset.quality import Quality, read_quality
from pipeline.engines.base import Engine
from pipeline.engines.model_folder import is_hub_name
from pipeline.resources import NANO, shipped, shown
from pipeline.runs.context import Context
from pipeline.runs.files import find_stage_files, funnel, kept_in
from pipeline.runs.keys import identity
from pipeline.runs.reviews import reviewed
from pipeline.runs.settings import digest_of_seeds, digest_of_tasks, read_settings
from pipeline.runs.store import ids_of
from pipeline.seeds.read import SHIPPED, read_seeds
from pipeline.stage import BUILT_IN, Stage
from pipeline.task import Task

OURS = "apache-2.0"  # the licence of all that ships with Sprout: seed_tasks/README.md, nano/model/README.md


class Origin(BaseModel):
    """Where the tasks of a dataset come from, as far as the folder of the run tells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = __version__
    funnel: dict[str, dict[str, int]] = {}  # empty: the tasks are not those that the run in this folder has kept
    stages: tuple[str, ...] = ()  # that have decided tasks, as a list in a settings file names them
    settings: dict[str, dict[str, Any]] = {}  # of the stages of the run that have decided tasks, by name
    domain: str = ""  # what all tasks are about
    own_templates: tuple[str, ...] = ()  # those that files of the maker's own replaced
    notes: dict[str, tuple[str, ...]] = {}  # what these say of what they did, by name
    models: dict[str, str] = {}  # those that wrote its texts, by name, with what tells the revision
    papers: tuple[str, ...] = ()  # the papers whose ways of making tasks they are, as Markdown
    sources: dict[str, str] = {}  # what its tasks are taken from, and the licence of each; empty if it is not known
    seeds: str = ""  # the name of those that ship
    seeds_digest: str = ""
    review: Quality | None = None  # what people found in the tasks, if any have looked

    @property
    def has_seeds(self) -> bool:
        """Whether the run has seed tasks; of tasks from outside of a run that is not known, and taken to be so."""
        return bool(self.seeds_digest or not self.funnel)


class Licences(BaseModel):
    """Of a dataset and of what it is made from, by their names; empty where they are not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    licence: str = ""  # of the dataset
    teacher_licence: str = ""  # of the model that wrote it
    seeds_licence: str = ""


def read_origin(context: Context, tasks: Sequence[Task]) -> Origin:
    """What the folder of a run tells of these tasks; nothing if its last stage and reviewers have kept others."""
    files = find_stage_files(context.folder)
    if not files or not _same(ids_of(tasks), ids_of(reviewed(kept_in(list(files.values())[-1]), context.folder))):
        return Origin()
    counts = {stage: dict(counts) for stage, counts in funnel(context.folder).items()}
    tables = read_settings(context.folder / "settings.json")
    recorded = {stage: table for stage, table in tables.items() if stage in counts}
    deciding = [stage for stage in context.stages if isinstance(stage, Stage) and stage.name in counts]
    adding = {stage.name for stage in deciding if stage.asks and stage.adds}
    judging = {stage.name for stage in deciding if not stage.writes}
    seeds = (digest_of_seeds(recorded) or digest_of_tasks(context.seeds)) if context.seeds else ""
    names = {digest_of_tasks(read_seeds(shipped("seed_tasks") / f"{name}.jsonl")): name for name in SHIPPED}
    return Origin(
        funnel=counts,
        stages=tuple(map(_word, deciding)),
        settings={stage.name: stage.model_dump(mode="json") for stage in deciding},
        domain=next((stage.domain for stage in deciding if stage.domain), ""),
        own_templates=tuple(sorted({name for stage in deciding for name in stage.template_files})),
        notes={stage.name: tuple(stage.notes(counts[stage.name])) for stage in deciding},
        models=models_of(
            [
                table
                for name, table in recorded.items()
                if name not in judging and (name in adding or any(key.endswith(".jinja") for key in table))
            ],
            [context.engine, *context.engines.values()],
        ),
        papers=tuple(dict.fromkeys(stage.paper for stage in deciding if stage.paper)),
        sources={what: licence for stage in deciding for what, licence in stage.sources().items()},
        seeds=names.get(seeds, ""),
        seeds_digest=seeds,
        review=read_quality(context.folder),
    )


def models_of(tables: Iterable[Mapping[str, Any]], engines: Sequence[Engine]) -> dict[str, str]:
    """The models of stages by their recorded settings, further ones of a stage too, with what tells their revisions."""
    asked = [one["model"] for table in tables for one in (table, *table.get("models", {}).values()) if "model" in one]
    return dict(revision(model, engines) for model in dict.fromkeys(asked))


def revision(model: str, engines: Sequence[Engine]) -> tuple[str, str]:
    """The name of a model without the place it lies at, and what tells which weights it has."""
    if model == shown(str(NANO)):
        return model, f"ships with Sprout {__version__}, content {identity(str(NANO))[:16]}"
    if Path(model).is_dir():
        return Path(model).name, f"a local folder, content {identity(model)[:16]}"
    known = next((one.revision for one in engines if one.model == model and one.revision), "")
    if is_hub_name(model) and known:
        return model, f"revision {known}"
    return without_place(model), "its revision is not known here"


def licences(origin: Origin, stated: Licences) -> Licences:
    """The licences as they are stated; without that they are known only of what ships with Sprout."""
    teacher = OURS if list(origin.models) == [shown(str(NANO))] else ""
    return Licences(
        licence=stated.licence,
        teacher_licence=stated.teacher_licence or teacher,
        seeds_licence=stated.seeds_licence or (OURS if origin.seeds else ""),
    )


def without_place(item: Any) -> Any:
    """The same with only the last name of each path of this machine, and without what has no value."""
    if isinstance(item, str):
        if item == str(NANO):
            return shown(item)
        return Path(item).name if len(Path(item).parts) > 2 and item[0] == "/" else item
    if isinstance(item, Mapping):
        return {key: without_place(value) for key, value in item.items() if value is not None}
    return [without_place(value) for value in item] if isinstance(item, (list, tuple)) else item


def _word(stage: Stage) -> str:
    kind, label = type(stage), f"-{stage.label}" if stage.label else ""
    own = not kind.__module__.startswith(BUILT_IN)
    return f"{kind.__module__}:{kind.__name__}{label}" if own else stage.name


def _same(ids: Iterable[str], others: Iterable[str]) -> bool:
    return all(one == other for one, other in zip_longest(ids, others))
