"""Which way of asking a model keeps most: python benchmarks/layouts.py --model FOLDER --out FOLDER.

Each line is a run of `--tasks` instructions in one layout at one temperature, with inputs and outputs and the filters:
how many candidates were kept, at each place of the list; how many tasks are left after `filter`; what a task that is
left cost in tokens; and how unlikely the model finds the text of the prompts for instructions, as the perplexity of a
token: of two wordings the likelier one often does better (arXiv 2212.04037). Kept is not sensible: at temperature 1 a
small model writes what nobody wrote before, and what means nothing. Read what is kept with `sprout show`. The same
command again goes on where it stopped.
"""

import argparse
import json
import math
from pathlib import Path

from pipeline import RunOptions, read_seeds, run
from pipeline.engines.base import Sampling, ScoreRequest
from pipeline.engines.proxy import Proxy
from pipeline.engines.vllm import VLLM
from pipeline.report import stats
from pipeline.runs.journal import FILE, Journal
from pipeline.stages import Classify, Filter, Instances, Instructions

LAYOUTS = {  # by name: prompts are messages, the list can be begun for the model, how instances are asked for
    "list, plain text; worked examples": (False, False, "examples"),
    "list in a message; worked examples": (True, False, "examples"),
    "list in a message; asked as a user asks": (True, False, "chat"),
    "list begun for it; asked as a user asks": (True, True, "chat"),
}
PROMPTS = 8  # whose likelihood is measured
SAMPLINGS = {"0.7, top_p 0.9": (0.7, 0.9), "1.0, top_p 0.95": (1.0, 0.95)}


class Asked(Proxy):
    """The engine, asked in another way."""

    def __init__(self, engine: VLLM, chat: bool, can_prefill: bool) -> None:
        super().__init__(engine)
        self.chat, self.can_prefill = chat, can_prefill


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder or a name on the hub")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs")
    parser.add_argument("--tasks", type=int, default=40, help="instructions that each run keeps")
    parser.add_argument("--max-items", type=int, default=3, help="asked for in one request")
    parser.add_argument("--dtype", default="auto")
    args = parser.parse_args()
    engine = VLLM(args.model, dtype=args.dtype, max_model_len=4096)
    columns = ("layout", "temperature", "kept of candidates", "at each place", "left after filter")
    print(f"| {' | '.join(columns)} | output tokens a task | perplexity |")
    print("|---|---|---:|---|---:|---:|---:|")
    for layout, (chat, can_prefill, instances) in LAYOUTS.items():
        if chat and not engine.chat:
            continue  # a base model has no messages
        for heat, (temperature, top_p) in SAMPLINGS.items():
            sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=512, stop=("\n\n",))
            answers = sampling.model_copy(update={"stop": ("\nTask:", "\nExample 6")})
            stages = [
                Instructions(num_tasks=args.tasks, max_items=args.max_items, sampling=sampling),
                Classify(),
                Instances(layout=instances, sampling=answers),
                Filter(),
            ]
            folder = args.out / f"{layout} {heat}".replace(" ", "_").replace(",", "").replace(";", "")
            run(stages, read_seeds("general"), Asked(engine, chat, can_prefill), folder, RunOptions())
            print(line(layout, heat, folder), f"{perplexity(engine, folder):.1f} |", flush=True)


def line(layout: str, heat: str, folder: Path) -> str:
    """A row of the table, from the files of a run."""
    found = {name: one for name, one in stats.figures(folder).items() if isinstance(one, stats.StageFigures)}
    first, last = found["instructions"], found["filter"]
    tokens = sum(one.engine.completion_tokens for one in found.values() if one.engine)
    places = ", ".join(f"{kept}/{decided}" for kept, decided in first.by_place)
    cells = [f"{first.kept}/{first.decided}", places, f"{last.kept}/{first.kept}", f"{tokens / max(1, last.kept):,.0f}"]
    return f"| {layout} | {heat} | {' | '.join(cells)} |"


def perplexity(engine: VLLM, folder: Path) -> float:
    """Of a token in the first prompts that asked for instructions, read as plain text."""
    with Journal(folder / FILE) as journal:
        entries = (journal.entry("instructions", f"instructions-{number}") for number in range(PROMPTS))
        prompts = [entry.prompt for entry in entries if entry]
    texts = ["\n".join(one["content"] for one in json.loads(text)) if text[:2] == "[{" else text for text in prompts]
    asked = [ScoreRequest(id=str(number), prompt="", continuation=text) for number, text in enumerate(texts)]
    found = list(engine.score(asked))
    return math.exp(-sum(one.sum for one in found) / sum(one.num_tokens for one in found))


if __name__ == "__main__":
    main()
