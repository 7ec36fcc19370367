"""Recipes against each other on nano, the embedded model: whose rows are worth more, at the same number of rows.

    python benchmarks/nano_recipes.py --folder ~/sprout-nano --encoder sentence-transformers/all-MiniLM-L6-v2
    python benchmarks/nano_recipes.py --folder F --recipes self_instruct broad rephrase --steps 200 --random-seeds 1

Each recipe runs with the quick start's sampling, `verify` and `decontaminate`, from nano's 48 seed tasks; then
`sprout gain` tunes nano on equally many rows of each, for as many steps, and prints the table. `self_instruct` is the
quick start; `broad` differs in one setting: one instance a task, and more tasks; `spread` keeps those tasks of `broad`
that cover it best, of each of 256 clusters the same number. The same command again goes on.
"""

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from real import sprout

from pipeline import recipes
from pipeline.toml import value

SELF_INSTRUCT = ["instructions", "classify", "instances", "filter", "verify", "decontaminate", "export"]
SHORT = {"temperature": 0.7, "top_p": 0.9, "presence_penalty": 0, "max_tokens": 100}
CHANGES: dict[str, dict[str, Any]] = {  # by the kind of a stage: nano writes short lines, and few demos fit
    "compose": {"num_tasks": 1000, "sampling": SHORT | {"stop": ["\n"]}},
    "evolve": {"sampling": SHORT | {"stop": ["\nTask:"]}},
    "encode": {"sampling": SHORT | {"temperature": 0}},
    "answer": {"sampling": SHORT | {"max_tokens": 60}},
}
OWN: dict[str, dict[str, Any]] = {  # of two recipes of this script, and of those that ship, to have rows enough
    "self_instruct": {"stages": SELF_INSTRUCT},
    "broad": {
        "stages": SELF_INSTRUCT,
        "instructions": {"num_tasks": 2200},
        "instances": {"max_instances": 1},
    },
    "spread": {
        "stages": [*SELF_INSTRUCT[:-1], "select", "export"],
        "instructions": {"num_tasks": 2200},
        "instances": {"max_instances": 1},
        "select": {"method": "k_means", "num_clusters": 256, "weights": "equal", "top": 256},
    },
    "vote_k": {"instructions": {"num_tasks": 2200}},
    "rephrase": {"instructions": {"num_tasks": 400}},
}
DEFAULT = ["self_instruct", "broad", "spread", "vote_k", "rephrase"]  # nano can't rewrite a task, nor name a subject


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", default=DEFAULT, help="the first is what the others are compared with")
    parser.add_argument("--encoder", help="of sentences, for recipes that select; a folder or a name on the hub")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rows", type=int, help="of each; unset: as many as the smallest has")
    parser.add_argument("--random-seeds", type=int, default=3)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in args.recipes:
        path: Path = args.folder / f"{name}.toml"
        path.write_text(settings(name, args), encoding="utf-8")
        sprout("run", str(path))
        paths.append(str(path))
    first = args.folder / "measured.toml"  # the first, with what all are tuned and evaluated by
    first.write_text(settings(args.recipes[0], args, measured=True), encoding="utf-8")
    same = f"rows={args.rows}" if args.rows else "rows"
    seeds = ["--random-seeds", str(args.random_seeds)]
    sprout("gain", str(first), *paths[1:], "--out", str(args.folder / "gain"), "--same", same, *seeds)


def settings(name: str, args: argparse.Namespace, measured: bool = False) -> str:
    """A recipe as TOML, with nano as its model and the sampling of the quick start."""
    quickstart = _tables("quickstart")
    changes = OWN.get(name, {})
    own = changes if "stages" in changes else _tables(name)
    stages = own["stages"]
    if "verify" not in stages:
        stages = [stage for stage in stages if stage not in ("export", "train")]
        stages = [*stages, *([] if "filter" in stages else ["filter"]), "verify", "decontaminate", "export"]
    stages = [*stages, *(["train", "evaluate"] if measured else [])]
    top = {"seeds": "nano", "out": (args.folder / "runs" / name).as_posix(), "stages": stages}
    tables = {"engine": quickstart["engine"]}
    for stage in stages:
        kind = stage.partition("-")[0]
        table = own.get(stage, {}) | CHANGES.get(kind, {}) | quickstart.get(kind, {}) | changes.get(stage, {})
        tables[stage] = table
    if "select" in stages and args.encoder:
        tables["select"] |= {"encoder": args.encoder}
    tables["decontaminate"] = {"heldout": "nano"}
    tables["export"] = {"encoding": "plain"}
    if measured:
        tables["train"] = tables["train"] | {"max_steps": args.steps}
        tables["evaluate"] = tables["evaluate"] | {"num_demos": 9}
    lines = [f"{key} = {value(item)}" for key, item in top.items()]
    for key, table in tables.items():
        lines += ["", f"[{key}]", *(f"{field} = {value(item)}" for field, item in table.items())]
    return "\n".join(lines) + "\n"


def _tables(recipe: str) -> Mapping[str, Any]:
    return tomllib.loads((recipes.FOLDER / f"{recipe}.toml").read_text("utf-8"))


if __name__ == "__main__":
    main()
