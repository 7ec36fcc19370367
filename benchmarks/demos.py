"""The rival of tuning, the base model shown seed tasks: python benchmarks/demos.py --out predictions.jsonl

It answers the held-out tasks greedily with the demos and the prompt of the stage `verify`. The file of answers is for
`sprout evaluate quickstart --predictions demos=predictions.jsonl`, which compares them with those of the tuned models.
"""

import argparse
import json
from pathlib import Path

from pipeline import Instance, Request, Task, read_seeds
from pipeline.engines.transformers import Transformers
from pipeline.evaluation.heldout import read_sets
from pipeline.resources import NANO
from pipeline.stages.verify import Verify, parse_answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default=str(NANO))
    parser.add_argument("--seeds", default="nano")
    parser.add_argument("--heldout", default="nano")
    parser.add_argument("--num-demos", type=int, default=9)
    given = parser.parse_args()
    stage = Verify(num_demos=given.num_demos)
    demos = stage.demos(read_seeds(given.seeds))

    def requests() -> list[Request]:
        found = []
        for one in read_sets(given.heldout, 100):
            task = Task(id=one.id, instruction=one.instruction, instances=(Instance(input=one.input, output="?"),))
            found.append(Request(id=one.id, prompt=stage.prompt(task, 0, demos), sampling=stage.sampling))
        return found

    with given.out.open("w", encoding="utf-8") as file:
        for completion in Transformers(given.model, dtype="float64").generate(requests()):
            file.write(json.dumps({"id": completion.id, "prediction": parse_answer(completion.text)}) + "\n")


if __name__ == "__main__":
    main()
