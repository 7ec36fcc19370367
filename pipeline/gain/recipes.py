"""Recipes against each other: which data is worth more for one model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pipeline.engines.model_folder import load_tokenizer
from pipeline.errors import SproutError
from pipeline.evaluation.confidence import difference_text
from pipeline.evaluation.demos import DEMOS
from pipeline.gain.baselines import can_be_split, shown_seeds, stopped_in_time
from pipeline.gain.controls import MEANING, STOPPED
from pipeline.gain.entrants import Entrant
from pipeline.gain.measure import BASE, COLUMNS, Measured, cells, listed, measure, note_of_intervals
from pipeline.gain.products import GainProducts
from pipeline.gain.record import FILE, PAGE, RecipeGain, RecipeRow
from pipeline.gain.shares import DatasetShare, Rows, Unit, share
from pipeline.runs.context import Context
from pipeline.runs.files import find_stage_files
from pipeline.runs.lock import only_writer
from pipeline.runs.products import write_record
from pipeline.runs.run import check_packages
from pipeline.text import markdown_table
from pipeline.training.settings import Training
from pipeline.training.tune import tune

logger = logging.getLogger(__name__)

NOTE = """\
"better" and "worse" are said only where the paired interval is clear of zero. Of each dataset {number:,} {unit} are
drawn at random, and trained on for {steps} steps with the settings of {first}, which also says what the models are
evaluated on, and whose seed tasks the base model is shown. A model tuned on these alone takes the number of steps that
is best for a quarter of them, held back to find it.{overlaps}"""


@dataclass(frozen=True)
class Same:
    """How much to take of each dataset: `number` rows or tokens; None: as many as the smallest one has."""

    unit: Unit = "rows"
    number: int | None = None


def recipes_gain(
    entrants: Sequence[Entrant], products: GainProducts, context: Context, same: Same, num_random_seeds: int = 1
) -> RecipeGain:
    """Tune one model on the same amount of each dataset, for the same number of steps, and compare the answers.

    The comparison includes the base model, alone and with seed tasks in its prompt, and a model tuned on the seed
    tasks, stopped in time. Models are in <folder>/models/<random seed>/<name>; each random seed draws other rows.
    Writes gain.json and gain.md, and returns the contents of the first. The same call continues after an interruption.

    Args:
        products: The products of the first entrant's run, which tune and evaluate all of them.
        context: The context of the same run, with the folder to write to.

    Raises:
        SproutError: for a folder that holds a run, for a dataset that is too small, and for any failure of a training
            or an evaluation.
    """
    if find_stage_files(context.folder):
        raise SproutError(f"{context.folder}: holds a run; choose another folder for the comparison with --out")
    check_packages([products.train, products.evaluate])
    heldout = products.evaluate.instances()
    random_seeds = [products.train.random_seed + number for number in range(num_random_seeds)]
    with only_writer(context.folder):
        trainings = {one.name: products.train.training(one.dataset, context, patience=None) for one in entrants}
        tokenizer = load_tokenizer(products.base(context)) if same.unit == "tokens" else None
        most = products.train.max_length
        shares = {
            name: share(cast(Rows, one.rows), heldout, tokenizer, most)  # `products_of` takes no other objective
            for name, one in trainings.items()
        }
        number = agreed(entrants, shares, same)
        tuned, steps = tune_all(trainings, shares, number, random_seeds, context)
        models = {BASE: products.base(context)} | tuned
        if can_be_split(context.seeds):
            models |= tune_on_seeds(products, steps, random_seeds, context)
        shown = shown_seeds(products, heldout, context, random_seeds)
        named = {model_name(DEMOS, random_seed): one for random_seed, one in shown.items()}
        measured = measure(models, named, heldout, products.evaluate, context)
        found = RecipeGain(
            instances=len(heldout),
            resampled=measured.comparison.unit,
            random_seeds=tuple(random_seeds),
            same=same.unit,
            number=number,
            rows=tuple(rows(entrants, shares, random_seeds, measured)),
        )
        write_record(context.folder / FILE, found.model_dump(mode="json", exclude_defaults=True))
        (context.folder / PAGE).write_text(table(found) + "\n", encoding="utf-8")
    return found


def agreed(entrants: Sequence[Entrant], shares: Mapping[str, DatasetShare], same: Same) -> int:
    """How much to take of each dataset.

    Raises:
        SproutError: naming a dataset that is too small or empty.
    """
    for one in entrants:
        size, overlaps = shares[one.name].size, shares[one.name].num_overlaps
        gone = f"; {overlaps:,} rows overlap with held-out tasks and are left out" if overlaps else ""
        if not size:
            raise SproutError(f"{one.given}: its dataset has no row to train on{gone}")
        if same.number and size < same.number:
            raise SproutError(
                f"{one.given}: has only {size:,} {same.unit}{gone}; lower --same {same.unit}={same.number}"
            )
        logger.info("gain: %s has %d %s%s", one.given, size, same.unit, gone)
    return same.number or min(one.size for one in shares.values())


def tune_all(
    trainings: Mapping[str, Training],
    shares: Mapping[str, DatasetShare],
    number: int,
    random_seeds: Sequence[int],
    context: Context,
) -> tuple[dict[str, str], int]:
    """Tune a model on each dataset for each random seed; return their folders by name, and the number of steps."""
    places: dict[str, str] = {}
    steps = 0
    for random_seed in random_seeds:
        for name, training in trainings.items():
            changes = {"random_seed": random_seed} | ({"max_steps": steps} if steps else {})
            settings = training.settings.model_copy(update=changes)
            drawn = shares[name].draw(number, random_seed)
            place = context.folder / "models" / str(random_seed) / name
            what = {"rows": drawn, "validation": (), "settings": settings}
            record = tune(training.model_copy(update=what), place)
            steps = steps or record.max_steps  # of the first, where they follow from its rows
            places[model_name(name, random_seed)] = str(place)
    return places, steps


def tune_on_seeds(products: GainProducts, most: int, random_seeds: Sequence[int], context: Context) -> dict[str, str]:
    """Tune a model on the seed tasks for each random seed, stopped in time; return their folders by name.

    Args:
        most: Steps, at which it is stopped at the latest.
    """
    places: dict[str, str] = {}
    for random_seed in random_seeds:
        place = context.folder / "models" / str(random_seed) / STOPPED
        choice = place.with_name(f"{STOPPED}-choice")
        products.export.seeds_alone().write((), context.seeds, choice / "dataset")
        changes = {"random_seed": random_seed, "max_steps": most, "patience": None}
        training = products.train.training(choice / "dataset", context, **changes)
        tune(stopped_in_time(products, training, context, choice), place)
        places[model_name(STOPPED, random_seed)] = str(place)
    return places


def rows(
    entrants: Sequence[Entrant], shares: Mapping[str, DatasetShare], random_seeds: Sequence[int], measured: Measured
) -> list[RecipeRow]:
    """The rows of the base model, of the base model with demos, and of each dataset."""
    names = {BASE: {BASE: random_seeds[0]}}
    for name in (DEMOS, STOPPED, *shares):
        models = {model_name(name, random_seed): random_seed for random_seed in random_seeds}
        names |= {name: models} if {*measured.answered} >= {*models} else {}
    entrant = {one.name: one for one in entrants}
    found = []
    for name, models in names.items():
        figures = measured.figures(models)
        own = entrant.get(name)
        found.append(
            RecipeRow(
                name=name,
                tuned_on=own.given if own else MEANING[name].format(num_demos=listed(figures["num_demos"])),
                dataset=str(own.dataset) if own else "",
                num_overlaps=shares[name].num_overlaps if own else 0,
                against={
                    other: measured.comparison.difference([*models], [*theirs])
                    for other, theirs in names.items()
                    if other != name
                },
                **figures,
            )
        )
    return found


def model_name(name: str, random_seed: int) -> str:
    return f"{name}.{random_seed}"


def table(found: RecipeGain) -> str:
    """In Markdown: a line for each model, its comparison with the first dataset, and a note on the method."""
    first, *_ = datasets = [row for row in found.rows if row.dataset]
    lines = []
    for row in found.rows:
        lines.append([*cells(row), difference_text(row.against.get(first.name, {}).get("rouge_l"))])
    gone = ", ".join(f"{row.num_overlaps:,} of {row.tuned_on}" for row in datasets if row.num_overlaps)
    overlaps = f"\nRows that overlap with held-out tasks are left out: {gone}." if gone else ""
    note = NOTE.format(
        number=found.number, unit=found.same, steps=listed(first.steps), first=first.tuned_on, overlaps=overlaps
    )
    head = markdown_table([*COLUMNS, f"against {first.tuned_on}, ROUGE-L"], lines)
    return f"{head}\n\n{note_of_intervals(found)}\n{note}"
