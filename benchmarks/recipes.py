"""What each recipe yields with a model, at a small size: a table of tasks, requests and tokens, and tasks to read.

    python benchmarks/recipes.py --model FOLDER --folder ~/sprout-recipes
    python benchmarks/recipes.py --model FOLDER --folder F --read 3 --only magpie corgi

Some 50 tasks of each recipe that asks a model, from the first seed tasks of `general`; recipes on documents read the
pages in docs/. What is finished in the folder is not done again. `--read` prints that many tasks of each, drawn at
random, kept or rejected. Needs an extra for vLLM, or `--engine server --url …`.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import read_tasks
from pipeline.runs.files import find_stage_files

ROOT = Path(__file__).parent.parent
GENERAL = ROOT / "seed_tasks" / "general.jsonl"


class Size(NamedTuple):
    """What makes a recipe small."""

    settings: tuple[str, ...]
    num_seeds: int = 190


RECIPES = {
    "default": Size(("instructions.num_tasks=50",)),
    "magpie": Size(("compose.num_tasks=50",)),
    "personas": Size(("compose.num_tasks=50",), 30),
    "codeclm": Size(("compose.num_tasks=20",), 20),
    "corgi": Size(("compose.num_tasks=50",), 20),
    "evol_instruct": Size(("instructions.num_tasks=12",)),
    "augment": Size((), 12),
    "pseudo_code": Size(("instructions.num_tasks=50",)),
    "rephrase": Size(("instructions.num_tasks=20",)),
    "translate": Size(("instructions.num_tasks=12",)),
    "bonito": Size(("documents.max_passages=4",)),
    "document_qa": Size(("documents.max_passages=17",)),
    "non_instructional": Size(("documents.max_passages=50", "documents.min_words=40")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder, a name on the hub, or a name on the server")
    parser.add_argument("--folder", type=Path, required=True, help="a run for each recipe")
    parser.add_argument("--engine", default="vllm")
    parser.add_argument("--url", help="of the server")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE", help="for all recipes")
    parser.add_argument("--encoder", help="a folder; unset: all-MiniLM-L6-v2 of the hub")
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--read", type=int, default=0, metavar="N", help="print N tasks of each")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    failed = [name for name in args.only if run(name, args)]
    print("| recipe | written | kept | requests | tokens in and out, a kept task | most frequent reasons |")
    print("|---|---|---|---|---|---|")
    for name in args.only:
        if name not in failed:
            print(row(name, args.folder / name))
    for name in args.only if args.read else ():
        print(f"\n## {name}\n")
        for line in drawn(args.folder / name, args.read):
            print(line)
    if failed:
        raise SystemExit(f"these ended with an error, which is above: {', '.join(failed)}")


def run(name: str, args: argparse.Namespace) -> int:
    """Run a recipe in its folder; its exit code."""
    size = RECIPES[name]
    words = [name, "--model", args.model, "--engine", args.engine, "--out", str(args.folder / name)]
    words += ["--documents", str(ROOT / "docs")] if "documents." in str(size.settings) else seeds(name, size, args)
    encoder = [f"dedup.encoder={args.encoder}"] if args.encoder and name == "default" else []
    settings = [*size.settings, *encoder, *args.set, *([f"engine.url={args.url}"] if args.url else [])]
    words += [word for one in settings for word in ("--set", one)]
    print(f"$ sprout run {' '.join(words)}", file=sys.stderr, flush=True)
    return subprocess.run([sys.executable, "-m", "pipeline", "run", *words], check=False, stdout=sys.stderr).returncode


def seeds(name: str, size: Size, args: argparse.Namespace) -> list[str]:
    """The first seed tasks, in a file of their own."""
    if name == "magpie":
        return []
    path: Path = args.folder / f"{name}.jsonl"
    path.write_text("".join(GENERAL.read_text("utf-8").splitlines(keepends=True)[: size.num_seeds]), "utf-8")
    return ["--seeds", str(path)]


def row(name: str, folder: Path) -> str:
    stages: dict[str, Any] = json.loads((folder / "stats.json").read_text("utf-8"))
    engines = [one["engine"] for one in stages.values() if "engine" in one]
    deciding = [one for one in stages.values() if "decided" in one]
    kept = deciding[-1]["kept"]
    reasons: dict[str, int] = {}
    for one in deciding:
        for reason, number in one.get("rejected", {}).items():
            reasons[reason] = reasons.get(reason, 0) + number
    most = sorted(reasons, key=lambda reason: -reasons[reason])[:3]
    tokens_in, out = (sum(one[key] for one in engines) / max(1, kept) for key in ("prompt_tokens", "completion_tokens"))
    written = len({task.id for path in find_stage_files(folder).values() for task in read_tasks(path)})
    cells = [f"`{name}`", f"{written:,}", f"{kept:,}", f"{sum(one['requests'] for one in engines):,}"]
    cells += [f"{tokens_in:,.0f}, {out:,.0f}", ", ".join(f"`{reason}` {reasons[reason]}" for reason in most) or "–"]
    return f"| {' | '.join(cells)} |"


def drawn(folder: Path, number: int) -> Iterator[str]:
    """Some tasks, as the last stage that saw each left it."""
    last = {task.id: task for path in find_stage_files(folder).values() for task in read_tasks(path)}
    for task in random.Random(0).sample([*last.values()], min(number, len(last))):
        yield json.dumps(task.model_dump(include={"instruction", "instances", "meta", "rejected"}), ensure_ascii=False)


if __name__ == "__main__":
    main()
