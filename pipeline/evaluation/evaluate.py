"""Evaluate models on held-out tasks and benchmarks, and compare them in pairs."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from pipeline.engines.base import Engine
from pipeline.errors import SproutError
from pipeline.evaluation.answers import Answered, Answering, answer, score_file
from pipeline.evaluation.confidence import Comparison, Unit
from pipeline.evaluation.demos import Shown
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.lm_eval import Option, measure
from pipeline.evaluation.metrics import UNICODE, Tokenizer, Words, num_unseen
from pipeline.evaluation.models import check_names, open_model
from pipeline.evaluation.phrasings import Spread
from pipeline.evaluation.record import FILE, Evaluation, HarnessOnly, Scored, write_evaluation
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.stage import Product
from pipeline.task import Task

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate besides the models' answers, and how.

    Attributes:
        files: By name, JSONL files of `id` and `prediction` with answers made elsewhere.
        resample: What the intervals resample, see `confidence.Comparison`.
        lm_eval: Tasks of the lm-evaluation-harness, see `lm_eval.measure`.
        reworded: The instances in other wordings, which the models answer too; see `phrasings.reworded`.
        name: The file of the figures.
    """

    answering: Answering = field(default_factory=Answering)
    files: Mapping[str, str] = field(default_factory=dict)
    resample: Unit | None = None
    lm_eval: Sequence[str] = ()
    lm_eval_options: Mapping[str, Option] = field(default_factory=dict)
    reworded: Sequence[Sequence[HeldOut]] = ()
    name: str = FILE


DEFAULTS = EvaluationOptions()


class Evaluates(Product):
    """A product that evaluates models; `gain` evaluates its own models by the same settings."""

    heldout: str | tuple[str, ...] = Field(
        default=(), description="each a folder of Super-NaturalInstructions, a file of tasks, or nano"
    )

    num_demos: int | None = Field(
        default=None,
        ge=0,
        description="seed tasks that the first model is shown, for a column of its own, demos; 0: the same layout "
        "without any; unset: no such column, and as many as fit in the table of `sprout gain`",
    )

    @abstractmethod
    def instances(self) -> tuple[HeldOut, ...]:
        """The instances of the held-out sets; empty if it measures benchmarks alone."""

    @abstractmethod
    def options(self, heldout: Sequence[HeldOut], context: Context) -> EvaluationOptions:
        """The options for these instances."""

    @abstractmethod
    def shown(self, seeds: Sequence[Task], num_demos: int, random_seed: int = 0) -> Shown:
        """The seed tasks in a model's prompt, and its layout."""


def evaluate(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    options: EvaluationOptions = DEFAULTS,
) -> Evaluation:
    """Evaluate the models one at a time, write `folder`/evaluation.json (`options.name`), and return its contents.

    Each answer goes into the folder's journal as it arrives, so the same call continues after an interruption and asks
    only what is missing. `against` compares each model with those before it.

    Args:
        models: By name, a model for `open_engine`, or NAME@URL for one on a server.

    Raises:
        SproutError: if there is nothing to evaluate, and for any failure of an engine.
    """
    files = options.files
    check_names([*models, *files])
    if not models and not files:
        raise SproutError("there is nothing to evaluate; give models, or files of predictions")
    answered: dict[str, Answered] = {}
    spreads: dict[str, dict[str, Spread]] = {}
    if heldout:
        tokenizer, place = options.answering.tokenizer, folder / options.answering.predictions
        warn_of_unseen(heldout, tokenizer)
        given = {name: score_file(heldout, file, place / f"{name}.jsonl", tokenizer) for name, file in files.items()}
        whole = [*heldout, *(one for wording in options.reworded for one in wording)]
        found = answer(models, whole, open_engine, folder, options.answering)
        answered = {name: one.first(heldout) for name, one in found.items()} | given
        spreads = {name: one.spread(len(heldout)) for name, one in found.items()} if options.reworded else {}
    compared = compare(answered, heldout, options)
    compared |= {name: compared[name].model_copy(update={"phrasings": one}) for name, one in spreads.items()}
    evaluation: dict[str, Scored | HarnessOnly] = dict(compared)
    if options.lm_eval:
        alone = {name: model for name, model in models.items() if name not in options.answering.shown}
        for name, model in alone.items():
            engine = open_model(model, open_engine)
            measured = measure(name, engine, folder / "lm_eval", options.lm_eval, options.lm_eval_options)
            scored = compared.get(name)
            entry = HarnessOnly(model=shown(model), lm_eval=measured)
            evaluation[name] = scored.model_copy(update={"lm_eval": measured}) if scored else entry
    write_evaluation(folder, evaluation, options.name)
    return evaluation


def warn_of_unseen(heldout: Sequence[HeldOut], tokenizer: Tokenizer | None) -> None:
    """Warn once how many references ROUGE-L cannot measure, and what to set instead."""
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
    answered: Mapping[str, Answered], heldout: Sequence[HeldOut], options: EvaluationOptions
) -> dict[str, Scored]:
    """Each model's scores, their intervals, and the comparison with the models before it."""
    if not answered:
        return {}
    scores = {name: one.scores for name, one in answered.items()}
    comparison = Comparison(scores, [instance.task_name for instance in heldout], options.resample)
    tokenizer = UNICODE if isinstance(options.answering.tokenizer, Words) else None
    return {
        name: Scored(
            **dict(one.about),
            **dict(one.means),
            missing=one.missing,
            resampled=comparison.unit,
            interval=comparison.score(name),
            against={other: comparison.difference([name], [other]) for other in comparison.names[:number]},
            tokenizer=tokenizer,
        )
        for number, (name, one) in enumerate(answered.items())
    }
