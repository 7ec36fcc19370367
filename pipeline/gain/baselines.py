"""Baselines that need seed tasks alone: the base model shown some of them, or tuned on them with early stopping."""

import logging
import math
import random
from collections.abc import Sequence
from pathlib import Path

from pipeline.evaluation.demos import Shown, as_many_as_fit
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.models import asked_as_chat, opener
from pipeline.gain.products import GainProducts
from pipeline.runs.context import Context
from pipeline.task import Task
from pipeline.training.settings import Training
from pipeline.training.tune import tune

logger = logging.getLogger(__name__)

HELD_SHARE = 1 / 4  # of the seed tasks, to choose the number of steps on
PATIENCE = 5  # measurements without a lower loss


def shown_seeds(
    products: GainProducts, heldout: Sequence[HeldOut], context: Context, random_seeds: Sequence[int]
) -> dict[int, Shown]:
    """The seed tasks in the base model's prompt, for each random seed: as many as the settings say, else as fit.

    Empty if none fits.
    """
    evaluate, base = products.evaluate, products.base(context)
    engine = opener(context, [base])(base)
    chat = asked_as_chat(base, engine)

    def shown(random_seed: int) -> Shown:
        def some(num: int) -> Shown:
            return evaluate.shown(context.seeds, num, random_seed)

        if evaluate.num_demos is not None:
            return some(evaluate.num_demos)
        return as_many_as_fit(some, len(context.seeds), heldout, engine, chat)

    found = {random_seed: shown(random_seed) for random_seed in random_seeds}
    if evaluate.num_demos is not None or all(one.demos for one in found.values()):
        return found
    logger.warning("gain: no seed task fits into the context of the base model before the longest held-out task, so "
                   "the table has no row of the base model with demos")  # fmt: skip
    return {}


def can_be_split(seeds: Sequence[Task]) -> bool:
    """Whether there are seed tasks to tune on and others to choose the number of steps on."""
    return sum(bool(seed.instances) for seed in seeds) > 1


def stopped_in_time(products: GainProducts, training: Training, context: Context, folder: Path) -> Training:
    """A training on all seed tasks, for a number of steps that does not over-fit them.

    Holds back a quarter of the seed tasks and tunes a model on the others. The loss on that quarter is measured after
    each pass, or more often, until it has not fallen `PATIENCE` times. All seed tasks are then trained on for the
    number of passes with the lowest loss, over which the learning rate falls. The validation split of the dataset plays
    no part: it consists of generated tasks, which somebody with seed tasks alone does not have. Files go to `folder`.

    Args:
        training: The training on all seed tasks, for as many steps as the dataset takes.
    """
    usable = [seed for seed in context.seeds if seed.instances]
    settings = training.settings
    rng = random.Random(f"{settings.random_seed}:stopping")
    held = {id(seed) for seed in rng.sample(usable, math.ceil(HELD_SHARE * len(usable)))}
    parts = {"train": [s for s in usable if id(s) not in held], "validation": [s for s in usable if id(s) in held]}
    for name, part in parts.items():
        products.export.seeds_alone().write((), part, folder / name)
    rows, validation = (products.train.training(folder / name, context).rows for name in parts)
    max_steps = settings.max_steps
    assert max_steps
    num_passes = math.ceil(max_steps / math.ceil(len(rows) / settings.rows_per_step))
    often = max(settings.num_validations, num_passes)
    changes = {
        "rows": rows,
        "validation": validation,
        "settings": settings.model_copy(update={"patience": PATIENCE, "num_validations": often}),
        "last_step": None,
    }
    best = tune(training.model_copy(update=changes), folder / "model").steps
    steps = min(max_steps, max(1, round(best * len(training.rows) / len(rows))))
    logger.info("gain: tuned without a quarter of the seed tasks, the model has its lowest loss on them after step %d; "
                "tuned on all, it takes %d steps", best, steps)  # fmt: skip
    return training.model_copy(update={"settings": settings.model_copy(update={"max_steps": steps}), "last_step": None})
