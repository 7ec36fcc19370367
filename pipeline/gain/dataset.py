"""The gain of a run's dataset: a model tuned on it against the base model and against models tuned on controls."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.engines.model_folder import load_tokenizer
from pipeline.errors import EngineUnreachable
from pipeline.evaluation.confidence import difference_text
from pipeline.evaluation.demos import DEMOS
from pipeline.gain.baselines import can_be_split, shown_seeds, stopped_in_time
from pipeline.gain.candidates import complete_candidates
from pipeline.gain.controls import (
    CONTROLS,
    MEANING,
    OF_SEEDS,
    STOPPED,
    UNFILTERED,
    Control,
    control_tasks,
    count_tokens,
)
from pipeline.gain.measure import BASE, COLUMNS, Measured, cells, listed, measure, note_of_intervals
from pipeline.gain.products import GainProducts, products_of
from pipeline.gain.record import FILE, PAGE, Gain, GainRow
from pipeline.runs.context import Context
from pipeline.runs.lock import only_writer
from pipeline.runs.products import write_record
from pipeline.stage import Product, Stage
from pipeline.task import Task
from pipeline.text import markdown_table
from pipeline.training.trains import Trains
from pipeline.training.tune import tune

logger = logging.getLogger(__name__)

NOTE = """\
"better" is said only where the paired interval is clear of zero. All models are tuned with the same settings, and for
the same number of steps, but for those "stopped in time": their number of steps is the best for a quarter of the seed
tasks, held back to find it. Seed tasks that are shown stand in the prompt, as many as fit or `evaluate.num_demos`.
Unfiltered tasks are drawn from all instructions the model wrote, new or not, with the inputs and outputs it wrote for
them; only what overlaps with held-out tasks, and what people have dropped, is left out. If the dataset holds the seed
tasks, so do these and its parts."""


def gain(
    stages: Sequence[Stage | Product],
    tasks: Sequence[Task],
    context: Context,
    num_random_seeds: int = 1,
    controls: Sequence[Control] = CONTROLS,
) -> Gain:
    """Tune on the seeds, on unfiltered tasks, on parts of the dataset and on all of it, and evaluate each model.

    Also evaluates the base model, alone and with seed tasks as demos. Each control is a dataset in
    <run>/gain/<random seed>/<control>/dataset, exported as the run's own with the same validation split. The model
    beside it is tuned with the run's settings, for the number of steps that the dataset takes. With several random
    seeds, each control is drawn and tuned once for each. Models and answers that exist already, of the run or of an
    interrupted call, are reused. Writes gain.json and gain.md, and returns the contents of the first: a row for each
    model with its intervals, over all random seeds and for each one, and its comparison with the dataset.

    Args:
        stages: The stages and products of the run, see `products_of`.
        tasks: The tasks that the run has kept.
        controls: What to tune on besides the dataset.

    Raises:
        SproutError: for a run that tunes or evaluates nothing, and for any failure of its stages.
    """
    products = products_of(stages)
    train, evaluate = products.train, products.evaluate
    heldout = evaluate.instances()
    if not can_be_split(context.seeds):
        controls = [control for control in controls if control != STOPPED]
    random_seeds = [train.random_seed + number for number in range(num_random_seeds)]
    with only_writer(context.folder):
        controls = with_candidates(controls, stages, 2 * len(tasks), context)
        models = {BASE: products.base(context)}
        for random_seed in random_seeds:
            models |= tune_all(products, tasks, context, random_seed, controls)
        shown = {
            model_name(DEMOS, train, random_seed): one
            for random_seed, one in shown_seeds(products, heldout, context, random_seeds).items()
        }
        measured = measure(models, shown, heldout, evaluate, context)
        rows = [
            row(name, models_of(name, train, random_seeds), models_of("dataset", train, random_seeds), measured)
            for name in MEANING
            if name in measured.answered
        ]
        found = Gain(
            instances=len(heldout),
            resampled=measured.comparison.unit,
            random_seeds=tuple(random_seeds),
            rows=tuple(rows),
        )
        write_record(context.folder / FILE, found.model_dump(mode="json", exclude_defaults=True))
        (context.folder / PAGE).write_text(table(found) + "\n", encoding="utf-8")
    return found


def with_candidates(
    controls: Sequence[Control], stages: Sequence[Stage | Product], num_tasks: int, context: Context
) -> list[Control]:
    """The controls; without those of unfiltered tasks, if the model that has to complete these is out of reach."""
    if not UNFILTERED & {*controls}:
        return [*controls]
    try:
        complete_candidates(stages, num_tasks, context)
    except EngineUnreachable as error:
        logger.warning(
            "gain: the table has no rows of unfiltered tasks, as the model that would complete these cannot be reached "
            "(%s); the same command adds them once the model answers", error,
        )  # fmt: skip
        return [control for control in controls if control not in UNFILTERED]
    return [*controls]


def tune_all(
    products: GainProducts, tasks: Sequence[Task], context: Context, random_seed: int, controls: Sequence[Control]
) -> dict[str, str]:
    """Tune all models of a random seed; return their folders by name. The run's own model is reused."""
    train = products.train
    logger.info("gain: %d models with the random seed %d", len(controls) + 1, random_seed)
    folder = context.folder / "gain" / str(random_seed)
    whole = context.folder / train.written if random_seed == train.random_seed else folder / "dataset" / "model"
    record = tune(train.training(train.place(context.folder), context, random_seed=random_seed), whole)
    places = {"dataset": whole}
    for control in controls:
        dataset = write_control(control, products, tasks, context, random_seed)
        same_steps = {"random_seed": random_seed, "max_steps": record.max_steps, "patience": None}
        training = train.training(dataset, context, **same_steps).model_copy(update={"last_step": record.steps})
        places[control] = folder / control / "model"
        if control == STOPPED:
            training = stopped_in_time(products, training, context, folder / control / "choice")
        tune(training, places[control])
    return {model_name(name, train, random_seed): str(place) for name, place in places.items()}


def write_control(
    control: Control, products: GainProducts, tasks: Sequence[Task], context: Context, random_seed: int
) -> Path:
    """Write a control as a dataset, with its own tasks and the run's validation split, and return its folder."""
    export = products.export

    def size(some: Sequence[Task]) -> dict[str, int]:
        tokenizer = load_tokenizer(products.base(context))
        return count_tokens(export.rows(some, ()), lambda text: len(tokenizer(text)["input_ids"]))

    chosen = control_tasks(control, tasks, context.folder, random_seed, size)
    own = [task for task in chosen if not export.splitter.holds_back(task)]
    held = [task for task in tasks if export.splitter.holds_back(task)]
    folder = context.folder / "gain" / str(random_seed) / control / "dataset"
    chosen_export = export.seeds_alone() if control in OF_SEEDS else export
    chosen_export.write([*own, *held], context.seeds, folder)
    return folder


def model_name(name: str, train: Trains, random_seed: int) -> str:
    return name if random_seed == train.random_seed else f"{name}_{random_seed}"


def models_of(name: str, train: Trains, random_seeds: Sequence[int]) -> dict[str, int]:
    """The models of a row with their random seeds; the base model has one."""
    return {model_name(name, train, seed): seed for seed in (random_seeds[:1] if name == BASE else random_seeds)}


def row(name: str, models: Mapping[str, int], whole: Mapping[str, int], measured: Measured) -> GainRow:
    figures = measured.figures(models)
    return GainRow(
        name=name,
        tuned_on=MEANING[name].format(num_demos=listed(figures["num_demos"])),
        dataset={} if name == "dataset" else measured.comparison.difference([*whole], [*models]),
        **figures,
    )


def table(found: Gain) -> str:
    """In Markdown: a line for each model with 95 % intervals, and a note on these."""
    rows = [[*cells(row), difference_text(row.dataset.get("rouge_l"))] for row in found.rows]
    header = [*COLUMNS, "the dataset against it, ROUGE-L"]
    return f"{markdown_table(header, rows)}\n\n{note_of_intervals(found)}\n{NOTE}"
