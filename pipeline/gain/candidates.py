"""What a run would have come to without its filters: the control that says what they are worth."""

import logging
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace

from pipeline.errors import SproutError
from pipeline.gain.controls import CANDIDATES
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.products import digest, read_record, write_record
from pipeline.runs.recorded import Recorded
from pipeline.runs.run import decide
from pipeline.runs.settings import file_names
from pipeline.runs.store import Store
from pipeline.stage import Product, Stage
from pipeline.stages import Classify, Decontaminate, Instances, Instructions
from pipeline.task import Task, read_tasks

logger = logging.getLogger(__name__)

UNWRITTEN = ("request_failed", "empty", "cut_off", "prompt_echo")  # reasons of what is no instruction at all


def complete_candidates(stages: Sequence[Stage | Product], num_tasks: int, context: Context) -> None:
    """Write inputs and outputs for instructions as the model wrote them, whatever the filters said of them.

    Up to `num_tasks`, drawn at random from all that `instructions` has decided, go through `classify` and `instances`,
    and through `decontaminate` where the run has it: no control is helped by what it is tested on. The files are in
    <run>/gain/candidates. What the run itself has asked is in its journal and not asked again.

    Raises:
        SproutError: for a run without a file of instructions, and for whatever stops a stage.
    """
    names = file_names(stages)
    first = next((context.folder / names[stage.name] for stage in stages if isinstance(stage, Instructions)), None)
    if not first or not first.is_file():
        raise SproutError(
            f"{context.folder}: has no file of the stage instructions, which unfiltered tasks are drawn from"
        )
    written = [task for task in read_tasks(first) if task.rejected not in UNWRITTEN]
    tasks: Sequence[Task] = [
        Task(id=task.id, instruction=task.instruction, parents=task.parents)
        for task in random.Random("candidates").sample(written, min(num_tasks, len(written)))
    ]
    completing = [stage for stage in stages if isinstance(stage, (Classify, Instances, Decontaminate))]
    folder = context.folder / CANDIDATES
    fingerprint = digest([task.id for task in tasks], [stage.settings() for stage in completing])
    if read_record(folder / "candidates.json").get("fingerprint") != fingerprint:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_record(folder / "candidates.json", {"fingerprint": fingerprint})
    logger.info("gain: %d of %d candidates, unfiltered", len(tasks), len(written))
    with Journal(context.folder / FILE) as journal:
        context = replace(context, engine=Recorded(context.engine, journal, "candidates", context.budget))
        for number, stage in enumerate(completing, 1):
            tasks = decide(stage, Store(folder / f"{number}_{stage.name}.jsonl"), tasks, context, None)
