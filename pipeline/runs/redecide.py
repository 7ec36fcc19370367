"""Decide a run again from the completions in its journal, without asking the model."""

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.engines.base import (
    Arrived,
    Completion,
    Completions,
    Engine,
    Likelihood,
    Likelihoods,
    Request,
    Scored,
    ScoreRequest,
    at_hand,
)
from pipeline.engines.proxy import Proxy
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.lock import only_writer
from pipeline.runs.run import Progress, decide, first_tasks
from pipeline.runs.settings import (
    FILE as SETTINGS,
)
from pipeline.runs.settings import (
    Described,
    changes,
    check_left_out,
    concerned,
    file_names,
    holds_something,
    read_settings,
    write_settings,
)
from pipeline.runs.store import Store, Stored
from pipeline.stage import Product, Stage

logger = logging.getLogger(__name__)

MODEL = {"model", "chat", "models", "seeds"}  # settings outside a stage that its completions depend on


def redecide(
    stages: Sequence[Stage | Product], context: Context, progress: Callable[[Progress], None] | None = None
) -> Stored:
    """Run all stages on the recorded completions, whatever their prompts were, and replace the stage files.

    The old files stay until all stages are done. A task that had no completion at some stage stays undecided there;
    `run` then continues, asks what is missing and makes the products again.

    Raises:
        SproutError: if the folder has no completions, or those of another model or other seeds, and for a stage that
            keeps nothing; the stage files are then as they were.
    """
    folder = context.folder
    with only_writer(folder):
        if not (folder / FILE).is_file():
            raise SproutError(
                f"{folder / FILE}: does not exist, so there is nothing to decide anew; run `sprout run` first"
            )
        before = read_settings(folder / SETTINGS)
        names = file_names(stages)
        check_left_out(names, folder)
        context = recorded_only(context, stages, before)
        described = Described(names, context)
        now = {stage.name: described.of(stage) for stage in stages}
        check_recorded(now, before, folder)
        new = folder / "redecided"
        shutil.rmtree(new, ignore_errors=True)
        tasks = first_tasks(stages, context.seeds)
        kept = Stored(folder)
        done = [stage for stage in stages if isinstance(stage, Stage) and holds_something(folder / names[stage.name])]
        if not done:
            raise SproutError(f"{folder}: has no stage file to decide anew; `sprout run` writes one from {FILE}")
        with Journal(folder / FILE) as journal:
            for stage in done:
                own = context.of(stage).wrapped(stage, partial(reading, journal=journal, stage=stage.name))
                tasks = kept = decide(stage, Store(new / names[stage.name]), tasks, own, progress)
        for stage in done:
            kept.path = (new / names[stage.name]).replace(folder / names[stage.name])
        new.rmdir()
        logger.info("%s: decided anew; `sprout run` then asks for what is missing", folder)
        write_settings(folder / SETTINGS, before | {stage.name: now[stage.name] for stage in done})
    return kept


def check_recorded(now: Mapping[str, dict[str, Any]], before: Mapping[str, dict[str, Any]], folder: Path) -> None:
    """Refuse to decide from completions of another model, or where none are recorded; a stage may ask no more.

    Raises:
        SproutError: naming what differs, or the files to delete.
    """
    changed = changes(now, before)
    both = {key for name, keys in changed.items() for key in keys if key in before[name] and key in now[name]}
    if other := both & MODEL:
        differs = ", ".join(sorted(other))
        raise SproutError(f"{folder}: its completions were made with another {differs}; run in another folder")
    for name, keys in changed.items():
        if any(key in now[name] for key in MODEL.intersection(keys)):
            stale = [file for file in concerned(name, before) if holds_something(folder / file)]
            raise SproutError(
                f"{folder}: {name} asks a model that it did not ask before, so there are no completions of it; "
                f"delete {', '.join(stale)} and run without --redecide (what was paid for stays in {FILE})"
            )


def recorded_only(
    context: Context, stages: Sequence[Stage | Product], before: Mapping[str, Mapping[str, Any]]
) -> Context:
    """The same context with engines that answer from the journal alone."""

    def stand_in(engine: Engine, name: str) -> Recording:
        there = [(stage, before[stage.name]) for stage in stages if stage.name in before]
        used = [said for stage, said in there if stage.engine == name]
        used += [said["models"][name] for stage, said in there if name in said.get("models", {})]
        return Recording(engine, used[0] if used else {})

    engines = {name: stand_in(engine, name) for name, engine in context.engines.items()}
    return replace(context, engine=stand_in(context.engine, ""), engines=engines, stages=stages)


def reading(engine: Engine, journal: Journal, stage: str) -> Engine:
    """A stand-in that answers for a stage."""
    assert isinstance(engine, Recording)
    engine.read(journal, stage)
    return engine


class Recording(Proxy):
    """Stands in for an engine: answers by request id from the journal alone.

    It ends where a request comes after the last recorded one of the stage; a missing one before that is an error. So
    tasks that ask nothing are decided, wherever they stand.
    """

    def __init__(self, engine: Engine, settings: Mapping[str, Any]) -> None:
        super().__init__(engine)
        self.chat = bool(settings.get("chat"))
        self.chat_template_kwargs = settings.get("chat_template_kwargs") or {}
        self.can_prefill = False  # nothing is asked, so nothing is begun

    def read(self, journal: Journal, stage: str) -> None:
        self.journal, self.stage, self.left = journal, stage, journal.requests(stage)
        self.unscored = journal.requests(stage, "likelihoods")  # likewise, of likelihoods

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        source = iter(requests)
        while (request := next(source, None)) is not None and self.left:
            self.left.discard(request.id)
            entry = self.journal.entry(self.stage, request.id)
            missing = Completion(id=request.id, text="was not recorded", finish_reason="error")
            yield entry.completion if entry else missing

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        for request in at_hand(iter(requests)):  # a text that several requests share was recorded for one of them
            known = self.journal.find_likelihood(self.model, request)
            known = known or self.journal.recorded_likelihood(self.stage, request.id)
            if not known and not self.unscored:
                return
            self.unscored.discard(request.id)
            yield known or Likelihood(id=request.id, error="was not recorded")
