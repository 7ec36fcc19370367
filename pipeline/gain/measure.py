"""What the data was worth: a model tuned on the dataset, against what it was tuned from and what else it could be."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError
from pipeline.evaluation.confidence import Comparison, as_record, written
from pipeline.evaluation.heldout import read_sets
from pipeline.evaluation.metrics import METRICS, open_tokenizer
from pipeline.evaluation.models import opener
from pipeline.gain.candidates import complete_candidates
from pipeline.gain.controls import CONTROLS, MEANING, Control
from pipeline.runs.context import Context
from pipeline.runs.lock import only_writer
from pipeline.runs.products import read_record, write_record
from pipeline.stage import Product, Stage
from pipeline.stages.evaluate import Evaluate, answer
from pipeline.stages.train import Train
from pipeline.task import Task

logger = logging.getLogger(__name__)

FILE = "gain.json"
PAGE = "gain.md"
COLUMNS = ("tuned on", "rows", "ROUGE-L", "exact match", "match", "the dataset against it, ROUGE-L")

NOTE = """\
In brackets: 95 % intervals over held-out {unit} ({instances:,} instances){seeds}.
"better" is said only where the paired interval is clear of zero. All models are tuned for {steps} steps, with the same
settings. Unfiltered tasks are drawn from all instructions the model wrote, new or not, with the inputs and outputs it
wrote for them; only what overlaps with held-out tasks is left out. If the dataset holds the seed tasks, so do these
and its parts."""


def gain(
    stages: Sequence[Stage | Product],
    tasks: Sequence[Task],
    context: Context,
    num_random_seeds: int = 1,
    controls: Sequence[Control] = CONTROLS,
) -> dict[str, Any]:
    """Tune on the seeds, on unfiltered tasks, on parts of the dataset and on all of it, and evaluate each model.

    All are tuned with the settings of the run, for the number of steps the dataset takes. With several random seeds
    each is tuned as often, on subsets drawn anew. What the run has tuned and evaluated, or an interrupted call of this,
    is not done again. Writes gain.json and gain.md, and returns what is in the first: a row for each model with its
    intervals, over all random seeds and for each, and how the dataset compares with it.

    Args:
        stages: Those of the run; `train` and `evaluate` are used.
        tasks: What the run has kept.
        controls: What else to tune on than the dataset.

    Raises:
        SproutError: for a run without `train` or `evaluate`, and for whatever stops these.
    """
    train, evaluate = tuned_and_evaluated(stages)
    heldout = read_sets(evaluate.heldout, evaluate.max_instances)
    random_seeds = [train.random_seed + number for number in range(num_random_seeds)]
    with only_writer(context.folder):
        if {"random", "unfiltered"} & {*controls}:
            complete_candidates(stages, 2 * len(tasks), context)
        places = {"base": train.model or context.engine.model}
        for random_seed in random_seeds:
            places |= tune(train, tasks, context, random_seed, controls)
        open_engine = opener(context, places.values())
        scores, figures = answer(
            places,
            heldout,
            open_engine,
            context.folder,
            evaluate.sampling,
            evaluate.encoding,
            open_tokenizer(heldout, evaluate.tokenizer),
            context.budget,
        )
        comparison = Comparison(scores, [instance.task_name for instance in heldout], evaluate.resample)
        names = {
            name: models_of(name, train, random_seeds) for name in MEANING if name in ("base", *controls, "dataset")
        }
        found = {
            "instances": len(heldout),
            "resampled": comparison.unit,
            "random_seeds": random_seeds,
            "rows": [row(name, names, comparison, places, figures) for name in names],
        }
        write_record(context.folder / FILE, found)
        (context.folder / PAGE).write_text(table(found) + "\n", encoding="utf-8")
    return found


def tuned_and_evaluated(stages: Sequence[Stage | Product]) -> tuple[Train, Evaluate]:
    train = next((stage for stage in stages if isinstance(stage, Train)), None)
    evaluate = next((stage for stage in stages if isinstance(stage, Evaluate)), None)
    if train is None or evaluate is None or not evaluate.heldout:
        raise SproutError("the gain is that of tuning: give the settings a table [train], and [evaluate] with heldout")
    return train, evaluate


def tune(
    train: Train, tasks: Sequence[Task], context: Context, random_seed: int, controls: Sequence[Control]
) -> dict[str, str]:
    """Tune all models of a random seed; return their folders by name. Those of the run itself are where they are."""
    own = {"dataset", *train.controls} if random_seed == train.random_seed else set()

    def place(name: str) -> Path:
        if name in own:
            return context.folder / (train.path if name == "dataset" else f"{train.path}_{name}")
        return context.folder / "gain" / str(random_seed) / name

    logger.info("gain: %d models with the random seed %d", len(controls) + 1, random_seed)
    train.model_copy(update={"random_seed": random_seed, "controls": tuple(controls)}).tune_all(tasks, context, place)
    return {model_name(name, train, random_seed): str(place(name)) for name in (*controls, "dataset")}


def model_name(name: str, train: Train, random_seed: int) -> str:
    return name if random_seed == train.random_seed else f"{name}_{random_seed}"


def models_of(name: str, train: Train, random_seeds: Sequence[int]) -> dict[str, int]:
    """The models that stand for a row, with their random seeds; there is one base model."""
    return {model_name(name, train, seed): seed for seed in (random_seeds[:1] if name == "base" else random_seeds)}


def row(
    name: str,
    names: dict[str, dict[str, int]],
    comparison: Comparison,
    places: dict[str, str],
    figures: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    models = list(names[name])
    records = [read_record(Path(places[model]) / "train.json") for model in models]
    seen = {key: [record.get(key) for record in records] for key in ("rows", "steps", "tokens")}
    compared = {} if name == "dataset" else {"dataset": comparison.difference(list(names["dataset"]), models)}
    return {
        "name": name,
        "tuned_on": MEANING[name],
        **({} if name == "base" else seen),
        **as_record(comparison.score(*models)),
        "by_random_seed": {
            str(seed): {"missing": figures[model]["missing"], **as_record(comparison.score(model))}
            for model, seed in names[name].items()
        },
        **{other: as_record(found) for other, found in compared.items()},
    }


def table(found: dict[str, Any]) -> str:
    """In Markdown: a line for each model, with the 95 % intervals, and what they are intervals of."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for one in found["rows"]:
        figures = [written(one[metric], sign=False) for metric in METRICS]
        compared = one.get("dataset", {}).get("rouge_l")
        verdict = f"{written(compared)} {compared['verdict']}" if compared else ""
        rows = ", ".join(f"{count:,}" for count in dict.fromkeys(one.get("rows", [])))
        lines.append(f"| {one['tuned_on']} | {rows} | {' | '.join(figures)} | {verdict} |")
    steps = ", ".join(f"{count:,}" for count in dict.fromkeys(found["rows"][-1]["steps"]))
    count = len(found["random_seeds"])
    unit = "tasks" if found["resampled"] == "task" else "instances"
    seeds = (
        f", and Student's t over {count} random seeds"
        if count > 1
        else "; with one random seed they know nothing of its chance"
    )
    return "\n".join([*lines, "", NOTE.format(instances=found["instances"], unit=unit, seeds=seeds, steps=steps)])
