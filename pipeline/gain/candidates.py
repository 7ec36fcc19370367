"""What a run would have produced without its filters: the control that shows what they are worth."""

import logging
import random
import shutil
from collections.abc import Sequence
from functools import partial

from pipeline.errors import SproutError
from pipeline.gain.controls import CANDIDATES
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.products import digest, read_record, write_record
from pipeline.runs.recorded import Recorded
from pipeline.runs.reviews import Reviews
from pipeline.runs.run import decide
from pipeline.runs.settings import file_names, recorded
from pipeline.runs.store import Store
from pipeline.stage import Product, Stage
from pipeline.task import Task, read_tasks

logger = logging.getLogger(__name__)

UNWRITTEN = ("request_failed", "empty", "cut_off", "prompt_echo")  # reasons of what is no instruction at all


def complete_candidates(stages: Sequence[Stage | Product], num_tasks: int, context: Context) -> None:
    """Complete instructions as the model wrote them, kept or rejected, with inputs and outputs.

    Draws up to `num_tasks` at random from all tasks of the first stage that adds some, and passes them through the
    later stages, except those that select. `decontaminate` does not select, so that no control contains held-out tasks.
    Tasks that people have dropped are left out. The files are in <run>/gain/candidates. Answers in the run's journal
    are reused.

    Raises:
        SproutError: for a run without a file of such a stage, and for any failure of a stage.
    """
    steps = [stage for stage in stages if isinstance(stage, Stage)]
    writing = next((number for number, stage in enumerate(steps) if stage.adds), None)
    if writing is None:
        raise SproutError(f"{context.folder}: no stage of the run adds tasks, so there are none to draw unfiltered")
    first = context.folder / file_names(stages)[steps[writing].name]
    if not first.is_file():
        raise SproutError(f"{first}: is missing, and unfiltered tasks are drawn from it; run its stage first")
    reviews = Reviews(context.folder)  # what a person has removed is tuned on by no model
    written = [task for task in read_tasks(first) if task.rejected not in UNWRITTEN and not reviews.of(task).dropped]
    tasks: Sequence[Task] = [
        task.update(rejected=None) for task in random.Random("candidates").sample(written, min(num_tasks, len(written)))
    ]
    completing = [stage for stage in steps[writing + 1 :] if not stage.selects]
    folder = context.folder / CANDIDATES
    fingerprint = digest([task.id for task in tasks], [recorded(stage) for stage in completing])
    if read_record(folder / "candidates.json").get("fingerprint") != fingerprint:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_record(folder / "candidates.json", {"fingerprint": fingerprint})
    logger.info("gain: %d of %d candidates, unfiltered", len(tasks), len(written))
    with Journal(context.folder / FILE) as journal:
        journaled = partial(Recorded, journal=journal, stage="candidates", budget=context.budget)
        for number, stage in enumerate(completing, 1):
            own = context.of(stage).wrapped(stage, journaled)
            tasks = decide(stage, Store(folder / f"{number}_{stage.name}.jsonl"), tasks, own, None)
