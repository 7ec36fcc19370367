"""The loop on real small models: what a student is worth tuned on its seeds, on its own data, and on a teacher's.

    python benchmarks/real.py --folder ~/sprout-real --heldout user_oriented_instructions.jsonl
    python benchmarks/real.py --folder F --heldout H --student meta-llama/Llama-3.2-1B --teacher Qwen/Qwen3-4B

Unless named, the models are two that PyPI has: Gemma 3 270M, a base model, learns, and SmolLM2-135M-Instruct teaches.
The student is tuned on what it wrote itself, and on what the teacher wrote by Self-Instruct and by Magpie: as many rows
of each, as many steps. Beside these stand the untuned student, alone and with seed tasks in its prompt, the student
tuned on the seed tasks for as many steps as suit a part of them that is held back, and the teacher. The folder gets the
models, a run for each recipe, and `gain/`, whose table is printed at the end. The held-out tasks are a JSONL file, such
as the 252 user-oriented tasks of Self-Instruct, from its repository. The same command again goes on where it stopped.
Needs an extra for vLLM, and train.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import real_models

SEEDS = Path(__file__).parent.parent / "seed_tasks" / "general.jsonl"
SELF_INSTRUCT = ["instructions", "classify", "instances", "filter", "decontaminate", "export"]
MAGPIE = ["compose", "instances", "filter", "decontaminate", "export"]
WRITES = """\
seeds = "{seeds}"
out = "{folder}/runs/{name}"
stages = {stages}

[engine]
name = "vllm"
model = "{writer}"
max_model_len = 4096

[instances]
{instances}

[decontaminate]
heldout = "{heldout}"

[export]
encoding = "plain"
include_seeds = false
"""
BOOTSTRAP = """
[instructions]
num_tasks = {tasks}
max_items = 3
sampling = { temperature = 0.7, top_p = 0.9, max_tokens = 400, stop = ["\\n\\n"] }
"""
EMPTY_TURN = """
[compose]
num_tasks = {tasks}
max_rouge = 0.7
sampling = { temperature = 0.7, top_p = 0.9, max_tokens = 120 }
"""
INSTANCES = {
    "base": 'sampling = { temperature = 0.7, top_p = 0.9, max_tokens = 300, stop = ["\\nTask:", "\\nExample 2"] }',
    "chat": "sampling = { temperature = 0.7, top_p = 0.9, max_tokens = 300 }",
}
TUNED = """
[train]
model = "{student}"
method = "lora"
max_steps = {steps}
batch_size = 8
max_length = 512

[evaluate]
heldout = "{heldout}"
sampling = { temperature = 0, max_tokens = {answer} }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="outside the repository")
    parser.add_argument("--heldout", type=Path, required=True, help="held-out tasks, JSONL")
    parser.add_argument("--student", help="a base model, a folder or a name on the hub; it is tuned")
    parser.add_argument("--teacher", help="a chat model, a folder or a name on the hub; it writes, as does the student")
    parser.add_argument("--seeds", type=Path, default=SEEDS, help="JSONL; one model is tuned on them alone")
    parser.add_argument("--tasks", type=int, default=200, help="instructions of each run")
    parser.add_argument("--steps", type=int, default=100, help="of each training")
    parser.add_argument("--max-tokens", type=int, default=100, help="of an answer to a held-out task")
    parser.add_argument("--random-seeds", type=int, default=1)
    args = parser.parse_args()
    begun = time.monotonic()
    args.folder = args.folder.expanduser().absolute()
    (args.folder / "runs").mkdir(parents=True, exist_ok=True)
    args.student = args.student or str(real_models.prepare_named("gemma", args.folder))
    args.teacher = args.teacher or str(real_models.prepare_named("smollm2", args.folder))
    first, *others = runs = [
        written(args, "student_writes", SELF_INSTRUCT, args.student),
        written(args, "teacher_writes", SELF_INSTRUCT, args.teacher),
        written(args, "teacher_magpie", MAGPIE, args.teacher),
    ]
    for run in runs:
        sprout("run", str(run))
    first = written(args, "student_writes", [*SELF_INSTRUCT, "train", "evaluate"], args.student, "_and_learns")
    sprout(
        "gain",
        str(first),
        *map(str, others),
        "--out",
        str(args.folder / "gain"),
        "--random-seeds",
        str(args.random_seeds),
    )
    sprout("evaluate", str(first), "--models", f"teacher={args.teacher}")
    print(f"\n{time.monotonic() - begun:,.0f} s", flush=True)


def written(args: argparse.Namespace, name: str, stages: Sequence[str], writer: str, ending: str = "") -> Path:
    """The settings file of a run."""
    text = WRITES + (EMPTY_TURN if stages[0] == "compose" else BOOTSTRAP) + (TUNED if "train" in stages else "")
    values = {
        "name": name,
        "folder": args.folder.as_posix(),
        "seeds": args.seeds.expanduser().absolute().as_posix(),
        "stages": json.dumps(stages),
        "writer": Path(writer).as_posix(),
        "student": Path(args.student).as_posix(),
        "tasks": str(args.tasks),
        "steps": str(args.steps),
        "answer": str(args.max_tokens),
        "heldout": args.heldout.expanduser().absolute().as_posix(),
        "instances": INSTANCES["base" if writer == args.student else "chat"],
    }
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    path: Path = args.folder / f"{name}{ending}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def sprout(*words: str) -> None:
    print(f"$ sprout {' '.join(words)}", flush=True)
    if code := subprocess.run([sys.executable, "-m", "pipeline", *words], check=False).returncode:
        raise SystemExit(f"sprout {words[0]} ended with exit code {code}; the same command continues from here")


if __name__ == "__main__":
    main()
