"""Score models on held-out tasks."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipeline.asking.ask import is_answer, lack_of, put, said_of
from pipeline.asking.clean import without_thoughts
from pipeline.dataset.encodings import ZeroShot, question, zero_shot
from pipeline.engines.base import Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.evaluation.confidence import Comparison, Unit, as_record
from pipeline.evaluation.heldout import HeldOut, read_sets
from pipeline.evaluation.lm_eval import Option, measure
from pipeline.evaluation.metrics import UNICODE, Score, Tokenizer, Words, aggregate, num_unseen, open_tokenizer, score
from pipeline.evaluation.models import asked_as_chat, check_names, default_models, open_model, opener, remembering
from pipeline.evaluation.predictions import answers_in, write_predictions
from pipeline.evaluation.table import FILE, table
from pipeline.resources import shown
from pipeline.runs.budget import Budget
from pipeline.runs.context import Context
from pipeline.runs.products import read_record, write_record
from pipeline.seeds.values import printable
from pipeline.stage import Flag, Product
from pipeline.task import Task
from pipeline.training.adapter import merged

logger = logging.getLogger(__name__)

GREEDY = Sampling(temperature=0, max_tokens=1024)  # Self-Instruct, section 4.3 and its code


class Evaluate(Product):
    """ROUGE-L, exact match and `match` of each model on held-out tasks, zero-shot; the answers are in predictions/.

    Exact match is as published, without any punctuation; for `match` signs and decimal points count. Every two models
    are compared, with paired 95 % intervals over instances, or over whole tasks.
    """

    path: ClassVar[str] = FILE
    of_tasks: ClassVar[bool] = False
    growable: ClassVar[frozenset[str]] = frozenset(
        {"models", "predictions", "max_instances", "resample", "lm_eval", "lm_eval_options"}
    )

    optional: ClassVar[bool] = True
    caption: ClassVar[str] = "the scores of all models"
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag("--heldout", "folder of Super-NaturalInstructions, file of tasks, or nano", metavar="SET", many=True),
        Flag("--models", "a folder, hub name, or my-model@http://host/v1", "NAME=MODEL", many=True, named=True),
        Flag("--predictions", "files of `id` and `prediction`", "NAME=FILE", many=True, named=True),
        Flag("--lm-eval", "tasks of lm-eval, if it is installed, such as mmlu,gsm8k", metavar="TASKS"),
    )

    heldout: str | tuple[str, ...] = Field(
        default=(), description="each a folder of Super-NaturalInstructions, a file of tasks, or nano"
    )
    models: dict[str, str] | None = Field(
        default=None, description="by name a folder, hub name or NAME@URL; unset: base, and all the run has tuned"
    )
    predictions: dict[str, str] = Field(
        default={}, description="by name a file of answers (`id`, `prediction`) made elsewhere"
    )
    max_instances: int = Field(default=100, ge=1, description="of each held-out task")
    resample: Unit | None = Field(
        default=None, description="what the intervals draw again; unset: tasks where they have several instances"
    )
    sampling: Sampling = Field(default=GREEDY, description="how the models answer")
    encoding: ZeroShot = Field(
        default="plain", description="of a base model's prompts: plain, or output, which ends in Output:"
    )
    tokenizer: str = Field(
        default="gpt2",
        description="of ROUGE-L: unicode for all scripts; or of the xlingual track, a folder or a name on the hub",
    )
    lm_eval: str | tuple[str, ...] = Field(
        default=(), description="tasks of the lm-evaluation-harness, if it is installed"
    )
    lm_eval_options: dict[str, Option] = Field(
        default={}, description="of its command line, such as { num_fewshot = 5 }"
    )

    @classmethod
    def implied(cls, given: Mapping[str, Any], has_model: bool) -> Iterator[str]:
        """Predictions alone need no model."""
        if "predictions" in given and "models" not in given and not has_model:
            yield "evaluate.models={}"

    def summary(self, folder: Path) -> str:
        found = read_record(folder / self.written)
        return table(found) if found else ""

    def make(self, tasks: Sequence[Task], context: Context) -> None:
        if not self.heldout and not self.lm_eval:
            raise SproutError("there is nothing to evaluate on; give held-out tasks with --heldout")
        heldout = read_sets(self.heldout, self.max_instances) if self.heldout else ()
        models = default_models(context) if self.models is None else self.models
        check_names([*models, *self.predictions])
        open_engine = opener(context, models.values())
        models = {name: merged(model, context.folder / "merged" / name) for name, model in models.items()}
        lm_tasks = self.lm_eval.split(",") if isinstance(self.lm_eval, str) else self.lm_eval
        evaluate(
            models,
            heldout,
            open_engine,
            context.folder,
            self.sampling,
            self.encoding,
            open_tokenizer(heldout, self.tokenizer),
            self.predictions,
            self.resample,
            [task for task in lm_tasks if task],
            self.lm_eval_options,
            context.budget,
        )


def evaluate(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    sampling: Sampling = GREEDY,
    encoding: ZeroShot = "plain",
    tokenizer: Tokenizer | None = None,
    files: Mapping[str, str] | None = None,
    resample: Unit | None = None,
    lm_eval: Sequence[str] = (),
    lm_eval_options: Mapping[str, Option] | None = None,
    budget: Budget | None = None,
) -> dict[str, Any]:
    """Evaluate the models by name, one at a time, and write `folder`/evaluation.json; return what is in it.

    Answers are kept in the journal of the folder as they come, so the same call goes on where it was interrupted and
    asks only what is not answered yet. Each model is compared with those before it, in `against`.

    Args:
        models: By name, what `open_engine` opens, or NAME@URL for a model of a server.
        tokenizer: For the xlingual track, or `metrics.Words` for all; see `metrics.rouge_l`.
        files: JSONL files of `id` and `prediction` by name, for models that answered elsewhere.
        resample: What the intervals draw again, see `confidence.Comparison`.
        lm_eval: Tasks of the lm-evaluation-harness, see `lm_eval.measure`.
        budget: What may be spent.
    """
    files = files or {}
    check_names([*models, *files])
    if not models and not files:
        raise SproutError("there is nothing to evaluate; give models, or files of predictions")
    scores: dict[str, list[Score]] = {}
    evaluation: dict[str, dict[str, Any]] = {name: {"model": shown(model)} for name, model in models.items()}
    if heldout:
        warn_of_unseen(heldout, tokenizer)
        given = {
            name: score_file(heldout, file, folder / "predictions" / f"{name}.jsonl", tokenizer)
            for name, file in files.items()
        }
        scores, evaluation = answer(models, heldout, open_engine, folder, sampling, encoding, tokenizer, budget)
        for name, (theirs, summary) in given.items():
            scores[name], evaluation[name] = theirs, {"predictions": files[name]} | summary
        compare(scores, heldout, resample, evaluation)
        if isinstance(tokenizer, Words):
            evaluation = {name: entry | {"tokenizer": UNICODE} for name, entry in evaluation.items()}
    if lm_eval:
        for name, model in models.items():
            engine = open_model(model, open_engine)
            found = measure(name, engine, folder / "lm_eval", lm_eval, lm_eval_options or {})
            evaluation[name]["lm_eval"] = found
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / FILE, evaluation)
    return evaluation


def warn_of_unseen(heldout: Sequence[HeldOut], tokenizer: Tokenizer | None) -> None:
    """Say once for how many references ROUGE-L is no measure, and what is."""
    if not (unseen := num_unseen(heldout, tokenizer)):
        return
    if isinstance(tokenizer, Words):
        logger.warning("evaluate: %d of %d references have no letter or digit, so their ROUGE-L is always 0; see match",
                       unseen, len(heldout))  # fmt: skip
    else:
        logger.warning("evaluate: %d of %d references are not written in a-z and 0-9, which is all that ROUGE-L sees, "
                       'so it is about 0 whatever is answered; set evaluate.tokenizer = "%s"',
                       unseen, len(heldout), UNICODE)  # fmt: skip


def compare(
    scores: Mapping[str, Sequence[Score]],
    heldout: Sequence[HeldOut],
    resample: Unit | None,
    evaluation: dict[str, dict[str, Any]],
) -> None:
    """Give each model its interval, and how it compares with those before it."""
    comparison = Comparison(scores, [instance.task_name for instance in heldout], resample)
    for number, name in enumerate(scores):
        before = comparison.names[:number]
        against = {other: as_record(comparison.difference([name], [other])) for other in before}
        interval = as_record(comparison.score(name))
        evaluation[name] |= {"resampled": comparison.unit, "interval": interval, "against": against}


def answer(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    sampling: Sampling = GREEDY,
    encoding: ZeroShot = "plain",
    tokenizer: Tokenizer | None = None,
    budget: Budget | None = None,
) -> tuple[dict[str, list[Score]], dict[str, dict[str, Any]]]:
    """Have each model answer; return its scores, in the order of `heldout`, and figures.

    The answers are in `folder`/predictions; see `evaluate`.
    """
    if models and (bare := next((one for one in heldout if not one.instruction.strip()), None)):
        raise SproutError(f"{bare.id} has no instruction, so no model can be asked; set models = {{}}, and predictions")
    scores: dict[str, list[Score]] = {}
    figures: dict[str, dict[str, Any]] = {}
    with remembering(Evaluate.kind, folder, open_engine, budget) as opened:
        for name, model in models.items():
            engine = opened(model)
            chat = asked_as_chat(model, engine)
            answers = ask_all(engine, heldout, chat, sampling, encoding)
            found = write_predictions(folder / "predictions" / f"{name}.jsonl", answers, tokenizer)
            engine.close()
            scores[name], summary = _summary(heldout, found, name)
            figures[name] = {"model": shown(model), "chat": chat} | summary
            known = f", {engine.num_known} of them answered before" if engine.num_known else ""
            logger.info(
                "evaluate: %s has ROUGE-L %.1f on %d instances%s", name, summary["rouge_l"], len(heldout), known
            )
    return scores, figures


def ask_all(
    engine: Engine, heldout: Sequence[HeldOut], chat: bool, sampling: Sampling, encoding: ZeroShot
) -> Iterator[tuple[HeldOut, str]]:
    """Each instance with its answer, without the thoughts before it, in order.

    One whose request failed, or brought no text, is left out.
    """
    by_id = {one.id: one for one in heldout}

    def requests() -> Iterator[Request]:
        for one in heldout:
            text = question(one.instruction, one.input) if chat else zero_shot(one.instruction, one.input, encoding)
            yield put(engine, chat, one.id, text, sampling)

    lacks = Counter[str]()
    for completion in engine.generate(requests()):
        lacks[lack_of(completion)] += 1
        if is_answer(completion):
            yield by_id[completion.id], without_thoughts(completion.text).strip()
    if lacking := said_of(lacks):
        logger.warning("evaluate: of %d answers of %s %s", lacks.total(), shown(engine.model), lacking)


def score_file(
    heldout: Sequence[HeldOut], path: Path | str, scored: Path, tokenizer: Tokenizer | None = None
) -> tuple[list[Score], dict[str, Any]]:
    """Score a JSONL file of `id` and `prediction` made elsewhere, in all, and each prediction in the file `scored`.

    One that is missing counts as empty. Ids that are of no instance are left out, with a warning.
    """
    answers, strange = answers_in(Path(path), heldout)
    if strange:
        logger.warning("evaluate: %s: %d ids are of no held-out instance, such as %s", path, len(strange),
                       printable(strange[0]))  # fmt: skip
    given = ((one, answers[one.id]) for one in heldout if one.id in answers)
    found = write_predictions(scored, given, tokenizer)
    return _summary(heldout, found, str(path))


def _summary(heldout: Sequence[HeldOut], found: Mapping[str, Score], name: str) -> tuple[list[Score], dict[str, Any]]:
    missing = sum(instance.id not in found for instance in heldout)
    if missing:
        logger.warning("evaluate: %s: %d of %d answers are missing, counted as empty", name, missing, len(heldout))
    scores = [found.get(instance.id) or score(instance, "") for instance in heldout]
    return scores, aggregate(zip(heldout, scores, strict=True)) | {"missing": missing}
