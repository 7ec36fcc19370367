"""What demos close to the task bring the stage `answer`, and what they cost: right answers, and tokens that all share.

    python benchmarks/demos.py --encoder sentence-transformers/all-MiniLM-L6-v2
    python benchmarks/demos.py --encoder FOLDER --num-demos 2 4 --max-tasks 40

Nano answers its held-out tasks, greedily, after the same demos for all of them and after those nearest to each. An
answer is right if `match` says so.
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers import AutoTokenizer

from pipeline import Context, Instance, Sampling, Task, read_seeds
from pipeline.engines.base import Arrived, Completions, Request
from pipeline.engines.transformers import Transformers
from pipeline.evaluation.heldout import HeldOut, read_sets
from pipeline.evaluation.match import match
from pipeline.resources import NANO
from pipeline.stages import Answer
from pipeline.text import alike

GREEDY = Sampling(temperature=0, max_tokens=24, stop=("\n",))


class Listening(Transformers):
    """Remembers what it is asked."""

    prompts: list[str]

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        self.prompts = []

        def heard(request: Request | None) -> Request | None:
            if request is not None:
                self.prompts.append(str(request.prompt))
            return request

        return super().generate(map(heard, requests), arrived)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", required=True, help="a folder, or a name on the hub")
    parser.add_argument("--num-demos", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--max-tasks", type=int, default=None)
    args = parser.parse_args()
    heldout = read_sets("nano", 2)[: args.max_tasks]
    engine, tokenizer = Listening(str(NANO)), AutoTokenizer.from_pretrained(NANO)
    print(f"{len(heldout)} held-out instances\n\n| demos | | right, % | tokens a prompt | of them shared |")
    print("|---:|---|---:|---:|---:|")
    for num_demos in args.num_demos:
        for demos in ("fixed", "nearest"):
            settings = {"prompt": "with_demos", "num_demos": num_demos, "demos": demos, "encoder": args.encoder}
            right = answered(Answer.model_validate(settings | {"sampling": GREEDY}), heldout, engine)
            tokens = [len(tokenizer(prompt).input_ids) for prompt in engine.prompts]
            first, *others = engine.prompts
            shared = len(tokenizer(first[: min(alike(first, other) for other in others)]).input_ids)
            mean = sum(tokens) / len(tokens)
            print(f"| {num_demos} | {demos} | {100 * right / len(heldout):.1f} | {mean:.0f} | {shared} |", flush=True)


def answered(stage: Answer, heldout: Sequence[HeldOut], engine: Listening) -> int:
    """How many answers are right."""
    tasks = [
        Task(id=one.id, instruction=one.instruction, instances=(Instance(input=one.input, output=""),))
        for one in heldout
    ]
    outputs = {one.id: one.outputs for one in heldout}
    with tempfile.TemporaryDirectory() as folder:
        found = stage.decide(tasks, (), Context(read_seeds("nano"), engine, Path(folder)))
        return sum(match(task.instances[0].answers[0].text, outputs[task.id]) == 1 for task in found if task.kept)


if __name__ == "__main__":
    main()
