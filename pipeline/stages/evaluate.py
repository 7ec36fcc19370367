"""Put held-out tasks to the model before and after tuning, and score the answers."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.engines import Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.export import ZeroShot, question, zero_shot
from pipeline.heldout import HeldOut, read_heldout
from pipeline.metrics import Score, Tokenizer, aggregate, score
from pipeline.resources import shown
from pipeline.stage import Product, Run
from pipeline.stages.export import digest, read_record, write_record
from pipeline.stages.train import release
from pipeline.task import Task

logger = logging.getLogger(__name__)

GREEDY = Sampling(temperature=0, max_tokens=1024)  # Self-Instruct, section 4.3 and its code


class Evaluate(Product):
    """ROUGE-L and exact match of each model on held-out tasks, zero-shot; the answers are in predictions/."""

    name: ClassVar[str] = "evaluate"
    path: ClassVar[str] = "evaluation.json"
    growable: ClassVar[frozenset[str]] = frozenset({"models", "max_instances"})

    heldout: str  # a folder of Super-NaturalInstructions or a JSONL file
    models: dict[str, str] = Field(default={})  # name -> model; empty: "base", and of this run "seeds" and "dataset"
    max_instances: int = Field(default=100, ge=1)  # of each task
    sampling: Sampling = GREEDY
    encoding: ZeroShot = "plain"

    def make(self, tasks: Sequence[Task], run: Run) -> None:
        heldout = read_heldout(self.heldout, self.max_instances)
        models = self.models or default_models(run)
        others = [model for model in models.values() if model != run.engine.model]
        if others and run.open_engine is None:
            raise SproutError(f"{others[0]}: this run cannot open another model than {run.engine.model}")

        def open_engine(model: str) -> Engine:
            return run.engine if model == run.engine.model or not run.open_engine else run.open_engine(model)

        evaluate(models, heldout, open_engine, run.folder, self.sampling, self.encoding)


def default_models(run: Run) -> dict[str, str]:
    tuned = {"seeds": run.folder / "model_seeds", "dataset": run.folder / "model"}
    return {"base": run.engine.model} | {name: str(path) for name, path in tuned.items() if path.is_dir()}


def evaluate(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    sampling: Sampling = GREEDY,
    encoding: ZeroShot = "plain",
    tokenizer: Tokenizer | None = None,
) -> dict[str, Any]:
    """Evaluate the models by name, one at a time, and write `folder`/evaluation.json; return what is in it.

    Answers are written to `folder`/predictions as they come, so the same call goes on where it was interrupted, and
    asks only what is not answered yet. An engine is opened when there is something to ask it.

    Args:
        tokenizer: For the xlingual track, see `metrics.rouge_l`.
    """
    for name in models:
        if not re.fullmatch(r"[\w-][\w.-]*", name):
            raise SproutError(f"{name!r}: not the name of a file; name a model with letters, digits, '.', '_' and '-'")
    known = read_record(folder / Evaluate.path)
    evaluation: dict[str, Any] = {}
    for name, model in models.items():
        settings = [
            shown(model),
            _tuned(model).get("fingerprint"),
            sampling.model_dump(),
            encoding,
            tokenizer is not None,
        ]
        wanted = {instance.id: digest(settings, instance.model_dump()) for instance in heldout}
        fingerprint = digest(wanted)
        if (before := known.get(name, {})).get("fingerprint") == fingerprint and not before.get("missing", 1):
            evaluation[name] = before
            continue
        path = folder / "predictions" / f"{name}.jsonl"
        scores = _read_scores(path, wanted)
        todo = [instance for instance in heldout if instance.id not in scores]
        answers = _answers(model, todo, open_engine, sampling, encoding)
        scores |= _write_scores(path, answers, wanted, tokenizer)
        evaluation[name] = {"model": shown(model), "fingerprint": fingerprint} | _summary(heldout, scores, name)
        logger.info("evaluate: %s has ROUGE-L %.1f on %d instances", name, evaluation[name]["rouge_l"], len(heldout))
    write_record(folder / Evaluate.path, evaluation)
    return evaluation


def score_predictions(
    heldout: Sequence[HeldOut], path: Path | str, tokenizer: Tokenizer | None = None
) -> dict[str, Any]:
    """Score a JSONL file of `id` and `prediction` made elsewhere; one that is missing counts as empty."""
    predictions = dict(_read_predictions(Path(path)))
    found = [instance for instance in heldout if instance.id in predictions]
    scores = {instance.id: score(instance, predictions[instance.id], tokenizer) for instance in found}
    return _summary(heldout, scores, str(path))


def table(evaluation: Mapping[str, Mapping[str, Any]], max_categories: int = 20) -> str:
    """The models side by side: over all, per track if there are several, and per category if there are not too many."""
    models = list(evaluation.values())
    parts = [("all", models)]
    for group, least, most in (("track", 2, sys.maxsize), ("category", 1, max_categories)):
        keys = [key for key in models[0][group] if key]
        if least <= len(keys) <= most:
            parts += [(key, [model[group][key] for model in models]) for key in keys]
    rows = [["", *(f"{name} {metric}" for name in evaluation for metric in ("ROUGE-L", "EM")), "instances"]]
    for title, figures in parts:
        cells = [f"{figure[metric]:.1f}" for figure in figures for metric in ("rouge_l", "exact_match")]
        rows.append([title, *cells, str(figures[0]["instances"])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows]
    return "\n".join("  ".join(line) for line in lines)


class Prediction(BaseModel):
    """A line of predictions/<name>.jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prediction: str
    rouge_l: float
    exact_match: float
    request: str  # a hash of what was asked of which model; a line with another one is out of date


class _Answer(BaseModel):
    id: str
    prediction: str


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


def _write_scores(
    path: Path, answers: Iterable[tuple[HeldOut, str]], wanted: Mapping[str, str], tokenizer: Tokenizer | None
) -> dict[str, Score]:
    """Write each answer with its scores the moment it is there."""
    scores: dict[str, Score] = {}
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for instance, prediction in answers:
            one = scores[instance.id] = score(instance, prediction, tokenizer)
            line = Prediction(id=instance.id, prediction=prediction, **dict(one), request=wanted[instance.id])
            file.write(json.dumps(line.model_dump(), ensure_ascii=False) + "\n")
            file.flush()
    return scores


def _summary(heldout: Sequence[HeldOut], scores: Mapping[str, Score], name: str) -> dict[str, Any]:
    missing = sum(instance.id not in scores for instance in heldout)
    if missing:
        logger.warning("evaluate: %s: %d of %d answers are missing, counted as empty", name, missing, len(heldout))
    every = [(instance, scores.get(instance.id) or score(instance, "")) for instance in heldout]
    return aggregate(every) | {"missing": missing}


def _read_scores(path: Path, wanted: Mapping[str, str]) -> dict[str, Score]:
    """The scores of the answers that are there already. Lines out of date, or cut off, are taken out of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    scores: dict[str, Score] = {}
    current = []
    for line in lines:
        with suppress(ValidationError):
            one = Prediction.model_validate_json(line)
            if wanted.get(one.id) == one.request and line.endswith(b"\n"):
                scores[one.id] = Score(rouge_l=one.rouge_l, exact_match=one.exact_match)
                current.append(line)
    if current != lines:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(b"".join(current))
        partial.replace(path)
    return scores


def _read_predictions(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise SproutError(f"{path}: cannot be read ({error.strerror}); give a JSONL file of predictions") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                answer = _Answer.model_validate_json(line)
            except ValidationError as error:
                problem = error.errors()[0]["msg"].lower()
                raise SproutError(f"{path}:{number}: {problem}; a line holds `id` and `prediction`") from None
            yield answer.id, answer.prediction
