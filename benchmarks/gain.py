"""The gain on the embedded model, over several random seeds: `make gain`, or `python benchmarks/gain.py`.

Each random seed is a whole run of the quick start: its own instructions, instances, training and answers.
"""

import argparse
import json
from pathlib import Path
from statistics import mean
from typing import Any

from pipeline.cli import main as sprout
from pipeline.nano.world import SEEDED

MODELS = {"base": "nothing (the base model)", "seeds": "the 48 seed tasks alone", "dataset": "what it wrote itself"}
STAGES = ("instructions", "classify", "instances", "export", "train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random-seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("outputs/gain"))
    args = parser.parse_args()
    evaluations = [evaluate(seed, args.out / str(seed)) for seed in range(args.random_seeds)]
    print(table(evaluations))


def evaluate(random_seed: int, out: Path) -> dict[str, Any]:
    seeds = [f"--set={stage}.random_seed={random_seed}" for stage in STAGES]
    sprout(["run", "quickstart", "--quiet", "--out", str(out), *seeds])
    evaluation: dict[str, Any] = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    return evaluation


def table(evaluations: list[dict[str, Any]]) -> str:
    """A row for each model: means over the random seeds, with the lowest and the highest."""
    lines = [
        "| tuned on | ROUGE-L | exact match | ROUGE-L, families no seed shows |",
        "|---|---|---|---|",
    ]
    for model, name in MODELS.items():
        entries = [evaluation[model] for evaluation in evaluations]
        cells = [
            spread([entry["rouge_l"] for entry in entries]),
            spread([entry["exact_match"] for entry in entries]),
            spread([unseen(entry) for entry in entries]),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    gains = {m: mean(e["dataset"]["rouge_l"] - e[m]["rouge_l"] for e in evaluations) for m in ("base", "seeds")}
    lines += [
        "",
        f"Gain in ROUGE-L: {gains['base']:.1f} over the base model, {gains['seeds']:.1f} over the seeds alone.",
    ]
    return "\n".join(lines)


def unseen(entry: dict[str, Any]) -> float:
    """ROUGE-L over the instances of families that no seed task shows."""
    scores = [s for family, s in entry["category"].items() if family not in SEEDED]
    total = sum(float(score["rouge_l"]) * int(score["instances"]) for score in scores)
    count: int = sum(int(score["instances"]) for score in scores)
    return total / count


def spread(values: list[float]) -> str:
    return f"{mean(values):.1f} ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else f"{values[0]:.1f}"


if __name__ == "__main__":
    main()
