"""The loop on real small models: what a student is worth tuned on its seeds, on its own data, and on a teacher's.

    python benchmarks/real.py --folder ~/sprout-real --heldout user_oriented_instructions.jsonl
    python benchmarks/real.py --folder F --heldout H --student meta-llama/Llama-3.2-1B --teacher Qwen/Qwen3-4B

Unless named, the models are two that PyPI has: Gemma 3 270M, a base model, learns, and SmolLM2-135M-Instruct teaches.
The folder gets the models, a run for each recipe, and `gain/`, whose table is printed at the end. The held-out tasks
are a JSONL file, such as the 252 user-oriented tasks of Self-Instruct, from its repository. The same command again goes
on where it stopped. Needs an extra for vLLM, and train.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import real_models

SELF_INSTRUCT = ["instructions", "classify", "instances", "filter", "decontaminate", "export", "train", "evaluate"]
SETTINGS = """\
seeds = "{seeds}"
out = "{folder}/runs/{name}"
stages = {stages}

[engine]
name = "vllm"
model = "{teacher}"
max_model_len = 4096

[instructions]
num_tasks = {tasks}
max_items = 3
sampling = {{ temperature = 0.7, top_p = 0.9, max_tokens = 400, stop = ["\\n\\n"] }}

[instances]
sampling = {{ temperature = 0.7, top_p = 0.9, max_tokens = 300, stop = ["\\nTask:", "\\nExample 2"] }}

[export]
encoding = "plain"
include_seeds = false
validation_share = 0.1

[train]
model = "{student}"
method = "lora"
max_steps = {steps}
batch_size = 8
max_length = 512

[evaluate]
heldout = "{heldout}"
sampling = {{ temperature = 0, max_tokens = 100 }}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="outside the repository")
    parser.add_argument("--heldout", type=Path, required=True, help="held-out tasks, JSONL")
    parser.add_argument("--student", help="a folder or a name on the hub; it is tuned")
    parser.add_argument("--teacher", help="a folder or a name on the hub; it writes, as does the student")
    parser.add_argument("--seeds", default="general")
    parser.add_argument("--tasks", type=int, default=200, help="instructions of each run")
    parser.add_argument("--steps", type=int, default=100, help="of each training")
    parser.add_argument("--random-seeds", type=int, default=1)
    args = parser.parse_args()
    begun = time.monotonic()
    folder = args.folder.expanduser().absolute()
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    student = args.student or str(real_models.prepare_named("gemma", folder))
    teacher = args.teacher or str(real_models.prepare_named("smollm2", folder))
    runs = {"student_writes": student, "teacher_writes": teacher}
    paths = [write_settings(name, writer, student, folder, args) for name, writer in runs.items()]
    for path in paths:
        sprout("run", str(path))
    sprout("gain", *map(str, paths), "--out", str(folder / "gain"), "--random-seeds", str(args.random_seeds))
    print(f"\n{time.monotonic() - begun:,.0f} s", flush=True)


def write_settings(name: str, writer: str, student: str, folder: Path, args: argparse.Namespace) -> Path:
    """The settings file of a run."""
    path = folder / f"{name}.toml"
    text = SETTINGS.format(
        name=name,
        folder=folder.as_posix(),
        seeds=args.seeds,
        stages=str(SELF_INSTRUCT).replace("'", '"'),
        teacher=Path(writer).as_posix(),
        student=Path(student).as_posix(),
        tasks=args.tasks,
        steps=args.steps,
        heldout=args.heldout.expanduser().absolute().as_posix(),
    )
    path.write_text(text, encoding="utf-8")
    return path


def sprout(*words: str) -> None:
    print(f"$ sprout {' '.join(words)}", flush=True)
    if code := subprocess.run([sys.executable, "-m", "pipeline", *words], check=False).returncode:
        raise SystemExit(f"sprout {words[0]} ended with exit code {code}; the same command goes on from here")


if __name__ == "__main__":
    main()
