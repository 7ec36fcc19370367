"""Evaluate models on held-out tasks and benchmarks, and compare every two of them."""

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
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.lm_eval import Option, measure
from pipeline.evaluation.metrics import UNICODE, Tokenizer, Words, num_unseen
from pipeline.evaluation.models import check_names, open_model
from pipeline.evaluation.phrasings import Spread
from pipeline.evaluation.record import Evaluation, Measured, Scored, write_evaluation
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.stage import Product

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationOptions:
    """What else is evaluated than the models' answers, and how all of it is done.

    Attributes:
        files: JSONL files of `id` and `prediction` by name, for models that answered elsewhere.
        resample: What the intervals draw again, see `confidence.Comparison`.
        lm_eval: Tasks of the lm-evaluation-harness, see `lm_eval.measure`.
        reworded: The instances in other wordings, which the models answer besides; see `phrasings.reworded`.
    """

    answering: Answering = field(default_factory=Answering)
    files: Mapping[str, str] = field(default_factory=dict)
    resample: Unit | None = None
    lm_eval: Sequence[str] = ()
    lm_eval_options: Mapping[str, Option] = field(default_factory=dict)
    reworded: Sequence[Sequence[HeldOut]] = ()


DEFAULTS = EvaluationOptions()


class Evaluates(Product):
    """A product that evaluates models; whoever evaluates others in the same way asks it how."""

    heldout: str | tuple[str, ...] = Field(
        default=(), description="each a folder of Super-NaturalInstructions, a file of tasks, or nano"
    )

    @abstractmethod
    def instances(self) -> tuple[HeldOut, ...]:
        """Those of the held-out sets; empty where only benchmarks are measured."""

    @abstractmethod
    def options(self, heldout: Sequence[HeldOut], context: Context) -> EvaluationOptions:
        """How it evaluates on these instances."""


def evaluate(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    options: EvaluationOptions = DEFAULTS,
) -> Evaluation:
    """Evaluate the models by name, one at a time, and write `folder`/evaluation.json; return what is in it.

    Answers are kept in the journal of the folder as they come, so the same call goes on where it was interrupted and
    asks only what is not answered yet. Each model is compared with those before it, in `against`.

    Args:
        models: By name, what `open_engine` opens, or NAME@URL for a model of a server.

    Raises:
        SproutError: if there is nothing to evaluate, and for whatever stops an engine.
    """
    files = options.files
    check_names([*models, *files])
    if not models and not files:
        raise SproutError("there is nothing to evaluate; give models, or files of predictions")
    answered: dict[str, Answered] = {}
    spreads: dict[str, dict[str, Spread]] = {}
    if heldout:
        tokenizer = options.answering.tokenizer
        warn_of_unseen(heldout, tokenizer)
        given = {
            name: score_file(heldout, file, folder / "predictions" / f"{name}.jsonl", tokenizer)
            for name, file in files.items()
        }
        whole = [*heldout, *(one for wording in options.reworded for one in wording)]
        found = answer(models, whole, open_engine, folder, options.answering)
        answered = {name: one.first(heldout) for name, one in found.items()} | given
        spreads = {name: one.spread(len(heldout)) for name, one in found.items()} if options.reworded else {}
    compared = compare(answered, heldout, options)
    compared |= {name: compared[name].model_copy(update={"phrasings": one}) for name, one in spreads.items()}
    evaluation: dict[str, Scored | Measured] = dict(compared)
    if options.lm_eval:
        for name, model in models.items():
            engine = open_model(model, open_engine)
            measured = measure(name, engine, folder / "lm_eval", options.lm_eval, options.lm_eval_options)
            scored = compared.get(name)
            alone = Measured(model=shown(model), lm_eval=measured)
            evaluation[name] = scored.model_copy(update={"lm_eval": measured}) if scored else alone
    write_evaluation(folder, evaluation)
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
    answered: Mapping[str, Answered], heldout: Sequence[HeldOut], options: EvaluationOptions
) -> dict[str, Scored]:
    """The entry of each model: its scores, their intervals, and how it compares with the models before it."""
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
