"""What each recipe yields with a model, at a small size: a table of tasks, requests and tokens, and tasks to read.

    python benchmarks/recipes.py --model FOLDER --folder ~/sprout-recipes
    python benchmarks/recipes.py --model FOLDER --folder F --read 3 --only magpie corgi
    python benchmarks/recipes.py --model FOLDER --others SECOND THIRD --folder F --only ensemble grape
    python benchmarks/recipes.py --model M --engine server --url URL --others SECOND@URL --folder F

Some tasks of each recipe that asks a model, from the first seed tasks of `general`; recipes on documents read the pages
in docs/. `--others` are the models of recipes that ask several; without them the one model stands for all. `tulu_mix`,
which only mixes, is left out, and `instruct_mining` unless `--reward` is given. Training is one step.
What is finished in the folder is not done again. `--read` prints that many tasks of each, drawn at random, kept or
rejected. Needs an extra for vLLM, or `--engine server --url …`.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline import read_tasks
from pipeline.runs.files import find_stage_files

ROOT = Path(__file__).parent.parent
GENERAL = ROOT / "seed_tasks" / "general.jsonl"
SHORT = 5  # words of the outputs that a check can look for in an answer


class Size(NamedTuple):
    """What makes a recipe small.

    Attributes:
        num_rows: Of the seed tasks, the first so many.
        given: What they are to the recipe; "short" are those with short outputs, "code" the seeds with tests.
        engines: The further engines that it asks.
        encoder: What compares meanings: a stage, or the options of a scorer.
    """

    settings: tuple[str, ...] = ()
    num_rows: int = 190
    given: Literal["seeds", "short", "mix", "documents", "code", "nothing"] = "seeds"
    engines: tuple[str, ...] = ()
    encoder: str = ""


WRITTEN = "instances.sampling.max_tokens=512"  # what small models write beyond that goes in circles
ANSWERED = "answer.sampling.max_tokens=512"
UNTUNED = ("train.max_steps=1", "train.batch_size=1")  # the recipes that end with training
RECIPES = {
    "default": Size(("instructions.num_tasks=50", WRITTEN), encoder="dedup"),
    "magpie": Size(("compose.num_tasks=50", WRITTEN), given="nothing"),
    "personas": Size(("compose.num_tasks=40", WRITTEN), 30),
    "codeclm": Size(("compose.num_tasks=14", WRITTEN), 20),
    "corgi": Size(("compose.num_tasks=50", WRITTEN, *UNTUNED), 30),
    "evol_instruct": Size(("instructions.num_tasks=10", WRITTEN)),
    "augment": Size((WRITTEN,), 10),
    "pseudo_code": Size(("instructions.num_tasks=30", WRITTEN)),
    "rephrase": Size(("instructions.num_tasks=15", WRITTEN)),
    "translate": Size(("instructions.num_tasks=10", WRITTEN)),
    "bonito": Size(("documents.max_passages=4",), given="documents"),
    "document_qa": Size(("documents.max_passages=17",), given="documents"),
    "non_instructional": Size(
        ("documents.max_passages=50", "documents.min_words=40", "documents.sampling.max_tokens=512"), given="documents"
    ),
    "ensemble": Size(("instructions.num_tasks=20", WRITTEN), engines=("second", "third")),
    "grape": Size(("instructions.num_tasks=20", WRITTEN, ANSWERED), engines=("target", "second", "third")),
    "tuna": Size(("instructions.num_tasks=12", WRITTEN, ANSWERED, "choose.engine=")),
    "s3ft": Size(("answer.sampling.max_tokens=256", "answer-paraphrase.sampling.max_tokens=256"), 30, "short"),
    "r_tuning": Size((), 30, "short"),
    "clear": Size((ANSWERED,), 12),
    "clear_correct": Size((ANSWERED,), 12, engines=("tuned",)),
    "code": Size((ANSWERED,), 12, "code"),
    "codeclm_contrast": Size(("compose.num_tasks=10", ANSWERED, "evolve.rounds=1"), 20, engines=("target",)),
    "quality": Size(("instructions.num_tasks=20", WRITTEN, ANSWERED), encoder="select"),
    "vote_k": Size(("instructions.num_tasks=30", "select.num_neighbours=5", WRITTEN), encoder="select"),
    "deita": Size(("select.top=0.3",), 30, "mix", encoder="select"),
    "kmq": Size(("select.num_clusters=5", "select.top=10"), 30, "mix", encoder="select"),
    "target": Size(("select.top=10",), 30, "mix", encoder="select"),
    "instruct_mining": Size(("select.top=20",), encoder="score.options.knn"),
    "curriculum": Size(UNTUNED, 30, "mix"),
    "ifd": Size((), 30),
    "whats_new": Size((), 30, engines=("base",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder, a name on the hub, or a name on the server")
    parser.add_argument("--others", nargs="+", default=[], metavar="MODEL[@URL]", help="of further engines, in turn")
    parser.add_argument("--folder", type=Path, required=True, help="a run for each recipe")
    parser.add_argument("--engine", default="vllm")
    parser.add_argument("--url", help="of the server")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE", help="for all recipes")
    parser.add_argument("--encoder", help="a folder; unset: the recipe's, of the hub")
    parser.add_argument("--reward", metavar="FOLDER", help="a reward model, such as benchmarks/reward.py makes")
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--read", type=int, default=0, metavar="N", help="print N tasks of each")
    args = parser.parse_args()
    args.set += [f"engine.url={args.url}"] if args.url else []
    args.only = [name for name in args.only if name != "instruct_mining" or args.reward]
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
    settings = [*size.settings, *engines(size, args), *args.set]
    settings += [f"{size.encoder}.encoder={args.encoder}"] if args.encoder and size.encoder else []
    settings += [f"score.options.reward.model={args.reward}"] if name == "instruct_mining" else []
    settings += [f"select.target={rows(name, args.folder, -10)}"] if name == "target" else []
    words += given(name, args.folder)
    words += [word for one in settings for word in ("--set", one)]
    print(f"$ sprout run {' '.join(words)}", file=sys.stderr, flush=True)
    return subprocess.run([sys.executable, "-m", "pipeline", "run", *words], check=False, stdout=sys.stderr).returncode


def engines(size: Size, args: argparse.Namespace) -> Iterator[str]:
    """Settings of the further engines: their models in turn, each on a server of its own or loaded as the first one."""
    shared = [one.removeprefix("engine.") for one in args.set if one.startswith("engine.")]
    for name, other in zip(size.engines, cycle([*args.others, args.model]), strict=False):
        model, _, url = other.partition("@")
        engine, options = ("server", [f"url={url}"]) if url else (args.engine, shared)
        if model == "nano":
            engine, options = "transformers", []
        yield f"engines.{name}={{}}"  # without the server that the recipe names
        yield from (f"engines.{name}.{one}" for one in (f"name={engine}", f"model={model}", *options))


def given(name: str, folder: Path) -> list[str]:
    """What a recipe begins with, as options of `sprout run`."""
    kind = RECIPES[name].given
    if kind == "documents":
        return ["--documents", str(ROOT / "docs")]
    if kind == "mix":
        return ["--mix", f"general={rows(name, folder, RECIPES[name].num_rows)}"]
    if kind == "seeds" or kind == "short":
        return ["--seeds", str(rows(name, folder, RECIPES[name].num_rows))]
    return []


def rows(name: str, folder: Path, number: int) -> Path:
    """So many of the first seed tasks, or of the last if the number is negative, in a file of their own."""
    lines = GENERAL.read_text("utf-8").splitlines(keepends=True)
    if RECIPES[name].given == "short":
        lines = [line for line in lines if len(json.loads(line)["instances"][0]["output"].split()) <= SHORT]
    path = folder / f"{name}{'' if number > 0 else '-target'}.jsonl"
    path.write_text("".join(lines[:number] if number > 0 else lines[number:]), "utf-8")
    return path


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
