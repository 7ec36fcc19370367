"""Put held-out tasks to the model before and after tuning, and score the answers."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipeline.adapter import merged
from pipeline.confidence import Comparison, Unit, written
from pipeline.controls import CONTROLS
from pipeline.engines import Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.export import ZeroShot, question, zero_shot
from pipeline.heldout import HeldOut, read_sets
from pipeline.metrics import METRICS, Score, Tokenizer, aggregate, score
from pipeline.predictions import read_predictions, read_scores, write_scores
from pipeline.products import digest, read_record, write_record
from pipeline.resources import shown
from pipeline.stage import Product, Run
from pipeline.stages.train import release
from pipeline.task import Task

logger = logging.getLogger(__name__)

GREEDY = Sampling(temperature=0, max_tokens=1024)  # Self-Instruct, section 4.3 and its code


class Evaluate(Product):
    """ROUGE-L and exact match of each model on held-out tasks, zero-shot; the answers are in predictions/.

    Every two models are compared, with 95 % intervals by a paired bootstrap over instances, or over whole tasks.
    """

    name: ClassVar[str] = "evaluate"
    path: ClassVar[str] = "evaluation.json"
    growable: ClassVar[frozenset[str]] = frozenset({"models", "predictions", "max_instances", "resample"})

    heldout: str | tuple[str, ...]  # each a folder of Super-NaturalInstructions, a JSONL file, or nano
    models: dict[str, str] | None = None  # name -> model; None: "base", and of this run all it has tuned
    predictions: dict[str, str] = Field(default={})  # name -> JSONL file of answers (`id`, `prediction`) made elsewhere
    max_instances: int = Field(default=100, ge=1)  # of each task
    resample: Unit = "instance"  # what the intervals draw again; instances of one task go right or wrong together
    sampling: Sampling = GREEDY
    encoding: ZeroShot = "plain"

    def make(self, tasks: Sequence[Task], run: Run) -> None:
        heldout = read_sets(self.heldout, self.max_instances)
        models = default_models(run) if self.models is None else self.models
        _check_names([*models, *self.predictions])
        open_engine = opener(run, models.values())
        evaluate(
            {name: merged(model, run.folder / "merged" / name) for name, model in models.items()},
            heldout,
            open_engine,
            run.folder,
            self.sampling,
            self.encoding,
            files=self.predictions,
            resample=self.resample,
        )


def opener(run: Run, models: Iterable[str]) -> Callable[[str], Engine]:
    """What opens the engine on any of the models: that of the run itself, for its own model."""
    others = [model for model in models if model != run.engine.model]
    if others and run.open_engine is None:
        raise SproutError(f"{others[0]}: this run cannot open another model than {run.engine.model}")

    def open_engine(model: str) -> Engine:
        return run.engine if model == run.engine.model or not run.open_engine else run.open_engine(model)

    return open_engine


def default_models(run: Run) -> dict[str, str]:
    """The model of the run as "base", and what it was tuned to, by what it was tuned on; "dataset" comes last."""
    tuned = {control: run.folder / f"model_{control}" for control in CONTROLS} | {"dataset": run.folder / "model"}
    return {"base": run.engine.model} | {name: str(path) for name, path in tuned.items() if path.is_dir()}


def evaluate(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    sampling: Sampling = GREEDY,
    encoding: ZeroShot = "plain",
    tokenizer: Tokenizer | None = None,
    files: Mapping[str, str] | None = None,
    resample: Unit = "instance",
) -> dict[str, Any]:
    """Evaluate the models by name, one at a time, and write `folder`/evaluation.json; return what is in it.

    Answers are written to `folder`/predictions as they come, so the same call goes on where it was interrupted, and
    asks only what is not answered yet. An engine is opened when there is something to ask it. Each model is compared
    with those before it, in `against`.

    Args:
        tokenizer: For the xlingual track, see `metrics.rouge_l`.
        files: JSONL files of `id` and `prediction` by name, for models that answered elsewhere.
        resample: What the intervals draw again, see `confidence.Comparison`.
    """
    files = files or {}
    _check_names([*models, *files])
    given = {name: score_file(heldout, file, tokenizer) for name, file in files.items()}
    scores, evaluation = answer(models, heldout, open_engine, folder, sampling, encoding, tokenizer)
    for name, (theirs, summary) in given.items():
        scores[name], evaluation[name] = theirs, {"predictions": files[name]} | summary
    comparison = Comparison(scores, task_names(heldout), resample)
    for number, name in enumerate(scores):
        against = {other: comparison.difference([name], [other]) for other in comparison.names[:number]}
        evaluation[name] |= {"resampled": resample, "interval": comparison.score(name), "against": against}
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / Evaluate.path, evaluation)
    return evaluation


def answer(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    sampling: Sampling = GREEDY,
    encoding: ZeroShot = "plain",
    tokenizer: Tokenizer | None = None,
) -> tuple[dict[str, list[Score]], dict[str, dict[str, Any]]]:
    """Have each model answer what it has not answered yet; return its scores, in the order of `heldout`, and figures.

    The answers are in `folder`/predictions; see `evaluate`.
    """
    scores: dict[str, list[Score]] = {}
    figures: dict[str, dict[str, Any]] = {}
    for name, model in models.items():
        asked = [shown(model), _tuned(model).get("fingerprint"), sampling.model_dump(), encoding, tokenizer is not None]
        wanted = {one.id: digest(asked, one.model_dump(exclude={"source"})) for one in heldout}
        path = folder / "predictions" / f"{name}.jsonl"
        found = read_scores(path, wanted)
        answers = _answers(model, [one for one in heldout if one.id not in found], open_engine, sampling, encoding)
        found |= write_scores(path, answers, wanted, tokenizer)
        scores[name], summary = _summary(heldout, found, name)
        figures[name] = {"model": shown(model), "fingerprint": digest(wanted)} | summary
        logger.info("evaluate: %s has ROUGE-L %.1f on %d instances", name, summary["rouge_l"], len(heldout))
    return scores, figures


def task_names(heldout: Sequence[HeldOut]) -> list[str]:
    return [f"{one.source}/{one.task}" for one in heldout]


def score_file(
    heldout: Sequence[HeldOut], path: Path | str, tokenizer: Tokenizer | None = None
) -> tuple[list[Score], dict[str, Any]]:
    """Score a JSONL file of `id` and `prediction` made elsewhere, instance by instance and in all.

    One that is missing counts as empty. Ids that are of no instance are left out, with a warning.
    """
    predictions = dict(read_predictions(Path(path)))
    found = {one.id: score(one, predictions[one.id], tokenizer) for one in heldout if one.id in predictions}
    if strange := len(predictions) - len(found):
        logger.warning("evaluate: %s: %d ids are of no held-out instance, such as %s", path, strange,
                       next(id for id in predictions if id not in found))  # fmt: skip
    return _summary(heldout, found, str(path))


def score_predictions(
    heldout: Sequence[HeldOut], path: Path | str, tokenizer: Tokenizer | None = None
) -> dict[str, Any]:
    """The figures of a file of predictions made elsewhere, see `score_file`."""
    return score_file(heldout, path, tokenizer)[1]


def table(evaluation: Mapping[str, Mapping[str, Any]], max_categories: int = 20) -> str:
    """The models side by side, and the difference of every two.

    Over all, per set and per track if there are several, and per category if there are not too many.
    """
    if not evaluation:
        return ""
    models = list(evaluation.values())
    parts = [("all", models)]
    for group, least, most in (("source", 2, sys.maxsize), ("track", 2, sys.maxsize), ("category", 1, max_categories)):
        keys = [key for key in models[0].get(group, {}) if key]
        if least <= len(keys) <= most:
            parts += [(key, [model[group][key] for model in models]) for key in keys]
    rows = [["", *(f"{name} {metric}" for name in evaluation for metric in ("ROUGE-L", "EM")), "instances"]]
    for title, figures in parts:
        cells = [f"{figure[metric]:.1f}" for figure in figures for metric in METRICS]
        rows.append([title, *cells, str(figures[0]["instances"])])
    return "\n\n".join(filter(None, (_aligned(rows, str.rjust), differences(evaluation))))


def differences(evaluation: Mapping[str, Mapping[str, Any]]) -> str:
    """Every two models, with 95 % intervals; empty where there is nothing to compare."""
    found = [
        [f"{name} against {other}", *(f"{written(figures[m])} {figures[m]['verdict']}" for m in METRICS)]
        for name, entry in evaluation.items()
        for other, figures in entry.get("against", {}).items()
    ]
    if not found:
        return ""
    unit = next(iter(evaluation.values()))["resampled"]
    title = f"difference, 95 % interval over {unit}s"
    return _aligned([[title, "ROUGE-L", "EM"], *found], str.ljust)


def _aligned(rows: Sequence[Sequence[str]], adjust: Callable[[str, int], str]) -> str:
    """Columns of text; the first is adjusted to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[row[0].ljust(widths[0]), *map(adjust, row[1:], widths[1:])] for row in rows]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _tuned(model: str) -> dict[str, Any]:
    """What the folder of a model tuned here says about it."""
    return read_record(Path(model) / "train.json")


def _answers(
    model: str,
    todo: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    sampling: Sampling,
    encoding: ZeroShot,
) -> Iterator[tuple[HeldOut, str]]:
    """Ask in the form the model was tuned in; what was not tuned here, in the form its engine takes."""
    if not todo:
        return
    engine = open_engine(model)
    chat = _tuned(model).get("chat", engine.chat)
    by_id = {instance.id: instance for instance in todo}

    def requests() -> Iterator[Request]:
        for one in todo:
            text = question(one.instruction, one.input) if chat else zero_shot(one.instruction, one.input, encoding)
            yield Request(id=one.id, prompt=({"role": "user", "content": text},) if chat else text, sampling=sampling)

    for completion in engine.generate(requests()):
        if completion.finish_reason == "error":
            logger.info("evaluate: %s: no answer: %s", completion.id, completion.text)
        else:
            yield by_id[completion.id], completion.text.strip()
    release(engine)


def _summary(heldout: Sequence[HeldOut], found: Mapping[str, Score], name: str) -> tuple[list[Score], dict[str, Any]]:
    missing = sum(instance.id not in found for instance in heldout)
    if missing:
        logger.warning("evaluate: %s: %d of %d answers are missing, counted as empty", name, missing, len(heldout))
    scores = [found.get(instance.id) or score(instance, "") for instance in heldout]
    return scores, aggregate(zip(heldout, scores, strict=True)) | {"missing": missing}


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not re.fullmatch(r"[\w-][\w.-]*", name):
            raise SproutError(f"{name!r}: not the name of a file; name a model with letters, digits, '.', '_' and '-'")
        if names.count(name) > 1:
            raise SproutError(f"{name!r}: is the name of a model and of a file of predictions; rename one of them")
    if not names:
        raise SproutError("there is nothing to evaluate; give models, or files of predictions")
