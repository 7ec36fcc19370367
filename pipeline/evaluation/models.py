"""The models an evaluation names, and their engines, which answer from the journal first."""

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
    """Returns a function that opens the engine of a model; the run's own engine serves its own model.

    If the run's model is not among them, its engine is closed to free memory for the others.

    Raises:
        SproutError: for another model than that of the run, if the run can open none.
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
    """An engine for a model: one on a server, such as `my-model@http://host:8000/v1`, or one for `open_engine`.

    Args:
        chat: Whether a model on a server is a chat model; None asks the server.
    """
    served = SERVED.fullmatch(model)
    return Server(served[1], served[2], chat) if served else open_engine(model)


@contextmanager
def remembering(
    stage: str, folder: Path, open_engine: Callable[[str], Engine], budget: Budget | None = None
) -> Iterator[Callable[[str], Recorded]]:
    """Returns a function that opens models as engines that answer from the journal of `folder` and extend it."""
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
    """The run's model as "base", then the models tuned from it, by what they were tuned on; "dataset" comes last.

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
    """Whether to ask by messages: as the model was tuned, else as its engine says."""
    tuned = read_record(Path(model) / TRAIN_RECORD).get("chat")
    return tuned if isinstance(tuned, bool) else engine.chat


def check_names(names: Sequence[str]) -> None:
    """Check that each name can name a file and that none occurs twice.

    Raises:
        SproutError: for a name that does not.
    """
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*", name):
            raise SproutError(f"{name!r}: not the name of a file; name a model with letters, digits, '.', '_' and '-'")
        if names.count(name) > 1:
            raise SproutError(f"{name!r}: is the name of a model and of a file of predictions; rename one of them")


class NoModel(Engine):
    """Stands in for the engine of a run that names no model but evaluates others."""

    model = ""
    chat = False
    window = 1

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        raise SproutError("no model is named; give a folder, a name on the hub, or nano, with --model")
