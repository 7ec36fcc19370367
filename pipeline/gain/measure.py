"""What the data was worth: a model tuned on the dataset, against what it was tuned from and what else it could be."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.dataset.exports import Exports
from pipeline.engines.model_folder import TRAIN_RECORD, load_tokenizer
from pipeline.errors import SproutError
from pipeline.evaluation.answers import Answered, answer
from pipeline.evaluation.confidence import Comparison, written
from pipeline.evaluation.evaluate import Evaluates
from pipeline.evaluation.metrics import METRICS
from pipeline.evaluation.models import opener
from pipeline.gain.candidates import complete_candidates
from pipeline.gain.controls import CONTROLS, MEANING, Control, control_tasks, count_tokens
from pipeline.gain.record import Gain, GainRow, Seeded
from pipeline.runs.context import Context
from pipeline.runs.lock import only_writer
from pipeline.runs.products import read_record, write_record
from pipeline.stage import Product, Stage
from pipeline.task import Task
from pipeline.training.record import TrainRecord
from pipeline.training.trains import Trains
from pipeline.training.tune import tune

logger = logging.getLogger(__name__)

FILE = "gain.json"
PAGE = "gain.md"
COLUMNS = ("tuned on", "rows", "ROUGE-L", "exact match", "match", "the dataset against it, ROUGE-L")

NOTE = """\
In brackets: 95 % intervals over held-out {unit} ({instances:,} instances){seeds}.
"better" is said only where the paired interval is clear of zero. All models are tuned for {steps} steps, with the same
settings. Unfiltered tasks are drawn from all instructions the model wrote, new or not, with the inputs and outputs it
wrote for them; only what overlaps with held-out tasks, and what people have dropped, is left out. If the dataset holds
the seed tasks, so do these and its parts."""


class Tuned(NamedTuple):
    """The products of a run that its gain is measured with."""

    export: Exports
    train: Trains
    evaluate: Evaluates


def gain(
    stages: Sequence[Stage | Product],
    tasks: Sequence[Task],
    context: Context,
    num_random_seeds: int = 1,
    controls: Sequence[Control] = CONTROLS,
) -> Gain:
    """Tune on the seeds, on unfiltered tasks, on parts of the dataset and on all of it, and evaluate each model.

    Each control is a dataset in <run>/gain/<random seed>/<control>/dataset, exported as the run's own and with the same
    validation split, and the model beside it is tuned on it with the settings of the run, for the number of steps the
    dataset takes. With several random seeds each is tuned as often, on subsets drawn anew. What the run has tuned and
    evaluated, or an interrupted call of this, is not done again. Writes gain.json and gain.md, and returns what is in
    the first: a row for each model with its intervals, over all random seeds and for each, and how the dataset compares
    with it.

    Args:
        stages: Those of the run, products among them, see `tuned_and_evaluated`.
        tasks: What the run has kept.
        controls: What else to tune on than the dataset.

    Raises:
        SproutError: for a run that tunes or evaluates nothing, and for whatever stops its stages.
    """
    used = tuned_and_evaluated(stages)
    train, evaluate = used.train, used.evaluate
    heldout = evaluate.instances()
    random_seeds = [train.random_seed + number for number in range(num_random_seeds)]
    with only_writer(context.folder):
        if {"random", "unfiltered"} & {*controls}:
            complete_candidates(stages, 2 * len(tasks), context)
        places = {"base": train.model or context.engine.model}
        for random_seed in random_seeds:
            places |= tune_all(used, tasks, context, random_seed, controls)
        open_engine = opener(context, places.values())
        options = evaluate.options(heldout, context)
        answered = answer(places, heldout, open_engine, context.folder, options.answering)
        scores = {name: one.scores for name, one in answered.items()}
        comparison = Comparison(scores, [instance.task_name for instance in heldout], options.resample)
        names = {
            name: models_of(name, train, random_seeds) for name in MEANING if name in ("base", *controls, "dataset")
        }
        found = Gain(
            instances=len(heldout),
            resampled=comparison.unit,
            random_seeds=tuple(random_seeds),
            rows=tuple(row(name, names, comparison, places, answered) for name in names),
        )
        write_record(context.folder / FILE, found.model_dump(mode="json", exclude_defaults=True))
        (context.folder / PAGE).write_text(table(found) + "\n", encoding="utf-8")
    return found


def tuned_and_evaluated(stages: Sequence[Stage | Product]) -> Tuned:
    """The stages that a gain needs: what exports the dataset of the run, what tunes on it, and what evaluates.

    Raises:
        SproutError: if one of them is missing.
    """
    trains = [stage for stage in stages if isinstance(stage, Trains)]
    evaluate = next((stage for stage in stages if isinstance(stage, Evaluates)), None)
    if not trains or evaluate is None or not evaluate.heldout:
        raise SproutError("the gain is that of tuning: give the settings a table [train], and [evaluate] with heldout")
    exports = {stage.written: stage for stage in stages if isinstance(stage, Exports)}
    for train in trains:
        if (export := exports.get(train.dataset)) and export.whole:
            return Tuned(export, train, evaluate)
    raise SproutError("the gain is that of the run's own dataset, and no stage is tuned on it; leave out train.dataset")


def tune_all(
    used: Tuned, tasks: Sequence[Task], context: Context, random_seed: int, controls: Sequence[Control]
) -> dict[str, str]:
    """Tune all models of a random seed; return their folders by name. That of the run itself is where it is."""
    train = used.train
    logger.info("gain: %d models with the random seed %d", len(controls) + 1, random_seed)
    folder = context.folder / "gain" / str(random_seed)
    whole = context.folder / train.written if random_seed == train.random_seed else folder / "dataset" / "model"
    record = tune(train.training(train.place(context.folder), context, random_seed=random_seed), whole)
    places = {"dataset": whole}
    for control in controls:
        dataset = write_control(control, used, tasks, context, random_seed)
        same_steps = {"random_seed": random_seed, "max_steps": record.max_steps, "patience": None}
        training = train.training(dataset, context, **same_steps).model_copy(update={"last_step": record.steps})
        places[control] = folder / control / "model"
        tune(training, places[control])
    return {model_name(name, train, random_seed): str(place) for name, place in places.items()}


def write_control(control: Control, used: Tuned, tasks: Sequence[Task], context: Context, random_seed: int) -> Path:
    """Write a control as a dataset and return its folder: its own tasks to train on, the validation split of all."""
    export = used.export

    def size(some: Sequence[Task]) -> dict[str, int]:
        tokenizer = load_tokenizer(used.train.model or context.engine.model)
        return count_tokens(export.rows(some, ()), lambda text: len(tokenizer(text)["input_ids"]))

    chosen = control_tasks(control, tasks, context.folder, random_seed, size)
    own = [task for task in chosen if not export.splitter.holds_back(task)]
    held = [task for task in tasks if export.splitter.holds_back(task)]
    folder = context.folder / "gain" / str(random_seed) / control / "dataset"
    chosen_export = export.seeds_alone() if control == "seeds" else export
    chosen_export.write([*own, *held], context.seeds, folder)
    return folder


def model_name(name: str, train: Trains, random_seed: int) -> str:
    return name if random_seed == train.random_seed else f"{name}_{random_seed}"


def models_of(name: str, train: Trains, random_seeds: Sequence[int]) -> dict[str, int]:
    """The models that stand for a row, with their random seeds; there is one base model."""
    return {model_name(name, train, seed): seed for seed in (random_seeds[:1] if name == "base" else random_seeds)}


def row(
    name: str,
    names: Mapping[str, Mapping[str, int]],
    comparison: Comparison,
    places: Mapping[str, str],
    answered: Mapping[str, Answered],
) -> GainRow:
    models = list(names[name])
    paths = [] if name == "base" else [Path(places[model]) / TRAIN_RECORD for model in models]
    records = [TrainRecord.model_validate(read_record(path)) for path in paths]
    return GainRow(
        name=name,
        tuned_on=MEANING[name],
        rows=tuple(record.rows for record in records),
        steps=tuple(record.steps for record in records),
        tokens=tuple(record.tokens for record in records),
        **comparison.score(*models),
        by_random_seed={
            str(seed): Seeded(missing=answered[model].missing, **comparison.score(model))
            for model, seed in names[name].items()
        },
        dataset={} if name == "dataset" else comparison.difference(list(names["dataset"]), models),
    )


def table(found: Gain) -> str:
    """In Markdown: a line for each model, with the 95 % intervals, and what they are intervals of."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for one in found.rows:
        figures = [written(getattr(one, metric), sign=False) for metric in METRICS]
        compared = one.dataset.get("rouge_l")
        verdict = f"{written(compared)} {compared.verdict}" if compared else ""
        rows = ", ".join(f"{count:,}" for count in dict.fromkeys(one.rows))
        lines.append(f"| {one.tuned_on} | {rows} | {' | '.join(figures)} | {verdict} |")
    steps = ", ".join(f"{count:,}" for count in dict.fromkeys(found.rows[-1].steps))
    count = len(found.random_seeds)
    unit = "tasks" if found.resampled == "task" else "instances"
    seeds = (
        f", and Student's t over {count} random seeds"
        if count > 1
        else "; with one random seed they know nothing of its chance"
    )
    return "\n".join([*lines, "", NOTE.format(instances=found.instances, unit=unit, seeds=seeds, steps=steps)])
