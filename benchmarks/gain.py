"""The gain on the embedded model, over several random seeds: `make gain`, or `python benchmarks/gain.py`.

Each random seed is a whole run of the quick start: its own instructions, instances, training and answers. (`sprout
gain` is for one run: its dataset stays, and the random seeds are those of training.)
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.cli import main as sprout
from pipeline.confidence import Comparison, written
from pipeline.heldout import HeldOut, read_sets
from pipeline.metrics import METRICS, Score
from pipeline.nano.world import SEEDED
from pipeline.predictions import Prediction

MODELS = {"base": "nothing (the base model)", "seeds": "the 48 seed tasks alone", "dataset": "what it wrote itself"}
STAGES = ("instructions", "classify", "instances", "export", "train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random-seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("outputs/gain"))
    args = parser.parse_args()
    for seed in range(args.random_seeds):
        run(seed, args.out / str(seed))
    print(table([args.out / str(seed) for seed in range(args.random_seeds)]))


def run(random_seed: int, out: Path) -> None:
    seeds = [f"--set={stage}.random_seed={random_seed}" for stage in STAGES]
    sprout(["run", "quickstart", "--quiet", "--out", str(out), *seeds])


def table(folders: Sequence[Path]) -> str:
    """A row for each model: means over the random seeds, with 95 % intervals over instances and random seeds."""
    heldout = read_sets("nano")
    every = compare(folders, heldout)
    unseen = compare(folders, [one for one in heldout if one.category not in SEEDED])
    lines = [
        "| tuned on | ROUGE-L | exact match | ROUGE-L, families no seed shows |",
        "|---|---|---|---|",
    ]
    for model, name in MODELS.items():
        names = models_of(model, len(folders))
        figures = [every.score(*names)[metric] for metric in METRICS] + [unseen.score(*names)["rouge_l"]]
        lines.append(f"| {name} | {' | '.join(written(figure, sign=False) for figure in figures)} |")
    gains = {other: difference(every, other, len(folders)) for other in ("base", "seeds")}
    lines += [
        "",
        f"Gain in ROUGE-L: {written(gains['base'])} over the base model,",
        f"{written(gains['seeds'])} over the seeds alone.",
    ]
    return "\n".join(lines)


def compare(folders: Sequence[Path], heldout: Sequence[HeldOut]) -> Comparison:
    """The answers of all models of all runs, which are called base_0, base_1, …, dataset_2."""
    scores: dict[str, list[Score]] = {}
    for model in MODELS:
        for number, folder in enumerate(folders):
            lines = (folder / "predictions" / f"{model}.jsonl").read_text(encoding="utf-8").splitlines()
            found = {one.id: one for one in map(Prediction.model_validate_json, lines)}
            answers = [found[one.id] for one in heldout]
            scores[f"{model}_{number}"] = [Score(rouge_l=a.rouge_l, exact_match=a.exact_match) for a in answers]
    return Comparison(scores, [one.task for one in heldout])


def difference(comparison: Comparison, other: str, count: int) -> dict[str, Any]:
    figures: dict[str, Any] = comparison.difference(models_of("dataset", count), models_of(other, count))["rouge_l"]
    return figures


def models_of(model: str, count: int) -> list[str]:
    return [f"{model}_{number}" for number in range(count)]


if __name__ == "__main__":
    main()
