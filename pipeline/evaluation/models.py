"""The models an evaluation names, and the engines that answer for them out of the journal."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.engines.base import Arrived, Completions, Engine, Request
from pipeline.engines.model_folder import TRAIN_RECORD
from pipeline.engines.server import Server
from pipeline.errors import SproutError
from pipeline.evaluation.record import read_evaluation
from pipeline.resources import shown
from pipeline.runs.budget import Budget
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE as JOURNAL
from pipeline.runs.journal import Journal
from pipeline.runs.keys import identity
from pipeline.runs.products import read_record
from pipeline.runs.recorded import Recorded

TUNED = re.compile(r"model(?:-([\w-]+))?")  # the folders of a run's tuned models: model, model-seeds
SERVED = re.compile(r"(.+)@(https?://.+)")  # my-model@http://127.0.0.1:8000/v1


def opener(context: Context, models: Iterable[str]) -> Callable[[str], Engine]:
    """What opens the engine on any of the models: that of the run itself, for its own model.

    If that is not among them, the engine of the run gives back the memory it holds for the others.
    """
    models = list(models)
    others = [model for model in models if model != context.engine.model and not SERVED.fullmatch(model)]
    if others and context.open_engine is None:
        raise SproutError(f"{others[0]}: this run cannot open another model than {context.engine.model}")
    if context.engine.model not in models:
        context.engine.close()

    def open_engine(model: str) -> Engine:
        return (
            context.engine if model == context.engine.model or not context.open_engine else context.open_engine(model)
        )

    return open_engine


def open_model(model: str, open_engine: Callable[[str], Engine], chat: bool | None = None) -> Engine:
    """An engine on a model: on that of a server, named as `my-model@http://host:8000/v1`, or what `open_engine` opens.

    Args:
        chat: Of the model of a server; None asks it.
    """
    served = SERVED.fullmatch(model)
    return Server(served[1], served[2], chat) if served else open_engine(model)


@contextmanager
def remembering(
    stage: str, folder: Path, open_engine: Callable[[str], Engine], budget: Budget | None = None
) -> Iterator[Callable[[str], Recorded]]:
    """What opens models as engines that answer from the journal of `folder` what it holds, and write the rest there."""
    identity.cache_clear()  # a folder may hold other weights by now
    entries = read_evaluation(folder).values()
    before = {entry.model: entry.chat for entry in entries if entry.model and entry.chat is not None}
    with Journal(folder / JOURNAL) as journal:

        def open_recorded(model: str) -> Recorded:
            opened = open_model(model, open_engine, before.get(model))
            if shown(model) in before:
                opened.remember(before[shown(model)])
            engine = Recorded(opened, journal, stage, budget or Budget())
            if SERVED.fullmatch(model):
                engine.model = model  # with its address: two servers may call two models the same
            return engine

        yield open_recorded


def default_models(context: Context) -> dict[str, str]:
    """The model of the run as "base", and what it was tuned to, by what it was tuned on; "dataset" comes last.

    Raises:
        SproutError: for a run that names no model.
    """
    if not context.engine.model:
        raise SproutError("no model is named; give models with --models NAME=MODEL, or that of the run with --model")
    found = {
        match[1] or "dataset": str(path)
        for path in sorted(context.folder.glob("model*"))
        if path.is_dir() and (match := TUNED.fullmatch(path.name))
    }
    last = "dataset".__eq__
    return {"base": context.engine.model} | {name: found[name] for name in sorted(found, key=last)}


def asked_as_chat(model: str, engine: Engine) -> bool:
    """Whether to put messages: as it was tuned, else as its engine takes what is asked."""
    tuned = read_record(Path(model) / TRAIN_RECORD).get("chat")
    return tuned if isinstance(tuned, bool) else engine.chat


def check_names(names: Sequence[str]) -> None:
    """See that each can be the name of a file, and that none is there twice."""
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*", name):
            raise SproutError(f"{name!r}: not the name of a file; name a model with letters, digits, '.', '_' and '-'")
        if names.count(name) > 1:
            raise SproutError(f"{name!r}: is the name of a model and of a file of predictions; rename one of them")


class NoModel(Engine):
    """Stands for the engine of a run that names no model: enough where others are evaluated."""

    model = ""
    chat = False
    window = 1

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        raise SproutError("no model is named; give a folder, a name on the hub, or nano, with --model")
