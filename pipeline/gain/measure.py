"""The models' answers to the held-out tasks, and the rows of a table made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.engines.model_folder import TRAIN_RECORD
from pipeline.evaluation.answers import Answered, answer
from pipeline.evaluation.confidence import Comparison, figure_text
from pipeline.evaluation.demos import Shown
from pipeline.evaluation.evaluate import Evaluates
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.models import opener
from pipeline.gain.record import Gain, ModelRow, RecipeGain, Seeded
from pipeline.runs.context import Context
from pipeline.runs.products import read_record
from pipeline.training.record import TrainRecord

BASE = "base"
COLUMNS = ("tuned on", "rows", "steps", "ROUGE-L", "exact match", "match")


@dataclass(frozen=True)
class Measured:
    """The models' answers by name, and the folders of those that were tuned."""

    answered: Mapping[str, Answered]
    comparison: Comparison
    tuned: Mapping[str, str]

    def figures(self, models: Mapping[str, int]) -> dict[str, Any]:
        """The fields of a `ModelRow` but what it is called.

        Args:
            models: The models of the row, with their random seeds.
        """
        paths = [Path(self.tuned[model]) / TRAIN_RECORD for model in models if model in self.tuned]
        records = [TrainRecord.model_validate(read_record(path)) for path in paths]
        counts = [self.answered[model].about.num_demos for model in models]
        return {
            "num_demos": tuple(count for count in counts if count is not None),
            "rows": tuple(record.rows for record in records),
            "steps": tuple(record.steps for record in records),
            "tokens": tuple(record.tokens for record in records),
            **self.comparison.score(*models),
            "by_random_seed": {
                str(seed): Seeded(missing=self.answered[model].missing, **self.comparison.score(model))
                for model, seed in models.items()
            },
        }


def measure(
    models: Mapping[str, str],
    shown: Mapping[str, Shown],
    heldout: Sequence[HeldOut],
    evaluate: Evaluates,
    context: Context,
) -> Measured:
    """Ask the models, or read their answers from the journal of `context.folder`, and compare them.

    Args:
        models: By name; `BASE` is the one that the others are tuned from.
        shown: Demos, by the names of further models: the base model with those demos in its prompt.

    Raises:
        SproutError: as `answer`.
    """
    base = models[BASE]
    options = evaluate.options(heldout, context)
    asked = {**models, **dict.fromkeys(shown, base)}
    how = replace(options.answering, shown=shown)
    answered = answer(asked, heldout, opener(context, asked.values()), context.folder, how)
    scores = {name: one.scores for name, one in answered.items()}
    comparison = Comparison(scores, [instance.task_name for instance in heldout], options.resample)
    return Measured(answered, comparison, {name: place for name, place in models.items() if name != BASE})


def note_of_intervals(found: Gain | RecipeGain) -> str:
    """What the intervals in the table cover."""
    count = len(found.random_seeds)
    chance = (
        f", and Student's t over {count} random seeds"
        if count > 1
        else "; with one random seed they leave out the chance of another"
    )
    return f"In brackets: 95 % intervals over held-out {found.resampled}s ({found.instances:,} instances){chance}."


def cells(row: ModelRow) -> list[str]:
    """A row's cells, under `COLUMNS`."""
    figures = [figure_text(getattr(row, metric), sign=False) for metric in METRICS]
    return [row.tuned_on, listed(row.rows), listed(row.steps), *figures]


def listed(counts: Sequence[int]) -> str:
    """Numbers, each once."""
    return ", ".join(f"{count:,}" for count in dict.fromkeys(counts))
