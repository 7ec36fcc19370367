"""How fast `sprout train` tunes, against a plain TRL run with the same model, rows and batches.

    python benchmarks/train.py [--model FOLDER] [--tasks FILE] [--steps 30] [--rounds 3]

Tokens are those without padding. On a GPU also the share of its bf16 peak: 6 operations for each token and weight.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.dataset.content import TextRow
from pipeline.dataset.rows import Rows
from pipeline.resources import NANO, shown
from pipeline.seeds.read import read_seeds
from pipeline.task import read_tasks
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.sft import make_trainer
from pipeline.training.tidy import tidy

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}  # dense bf16, NVIDIA data sheets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(NANO))
    parser.add_argument("--tasks", help="JSONL file of tasks (default: the seeds of nano)")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    tasks = [task for task in read_tasks(args.tasks) if task.kept] if args.tasks else read_seeds("nano")
    rows = [TextRow(prompt=row.prompt, completion=row.completion) for row in Rows(tasks)]
    settings = TrainingSettings(max_steps=args.steps, batch_size=args.batch_size, learning_rate=5e-4)
    padding_free = settings.model_copy(update={"padding_free": True})
    ways: dict[str, Callable[[Path], Any]] = {
        "plain TRL": lambda folder: plain(rows, args.model, args.steps, args.batch_size, folder),
        "`sprout train`": lambda folder: ours(rows, args.model, settings, folder),
        "`sprout train`, padding_free": lambda folder: ours(rows, args.model, padding_free, folder),
    }
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    losses: dict[str, float] = {}
    for _ in range(args.rounds):
        for way, make in ways.items():
            speed, losses[way] = measure(make)
            speeds[way].append(speed)
    print(f"{len(rows):,} rows, {shown(args.model)}, {args.steps} steps of {args.batch_size} rows\n")
    print("\n".join(table(speeds, losses, size(args.model))))


def ours(rows: Sequence[TextRow], model: str, settings: TrainingSettings, folder: Path) -> Any:
    return make_trainer(Training(model=model, rows=rows, settings=settings), folder)


def plain(rows: Sequence[TextRow], model: str, steps: int, batch_size: int, folder: Path) -> Any:
    """What one writes who has the rows and TRL: its defaults, but on a CPU those that are for a GPU are off."""
    import torch
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    data = Dataset.from_list([{"prompt": row.prompt, "completion": row.completion} for row in rows])
    gpu = torch.cuda.is_available()
    config = SFTConfig(
        str(folder),
        max_steps=steps,
        per_device_train_batch_size=batch_size,
        learning_rate=5e-4,
        bf16=gpu,
        gradient_checkpointing=gpu,
        report_to="none",
    )
    return SFTTrainer(model, args=config, train_dataset=data)


def measure(make: Callable[[Path], Any]) -> tuple[float, float]:
    """Tokens a second without padding, from the first step to the last, and the mean loss."""
    with tempfile.TemporaryDirectory() as folder, tidy():
        trainer = make(Path(folder))
        lengths = [len(ids) for ids in trainer.train_dataset["input_ids"]]
        start = time.perf_counter()
        loss = trainer.train().training_loss
        seconds = time.perf_counter() - start
        num_rows = trainer.state.global_step * trainer.args.per_device_train_batch_size
        del trainer
    return statistics.mean(lengths) * num_rows / seconds, loss


def size(model: str) -> int:
    from transformers import AutoModelForCausalLM

    return int(AutoModelForCausalLM.from_pretrained(model).num_parameters())


def table(speeds: dict[str, list[float]], losses: dict[str, float], weights: int) -> list[str]:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peak = next((peak for name, peak in PEAKS.items() if name in gpu), None)
    first = statistics.median(next(iter(speeds.values())))
    lines = ["| way | tokens a second | of plain TRL | mean loss |" + (" of the bf16 peak |" if peak else "")]
    lines.append("|---|---:|---:|---:|" + ("---:|" if peak else ""))
    for way, measured in speeds.items():
        speed = statistics.median(measured)
        share = f" {6 * weights * speed / peak:.1%} |" if peak else ""
        lines.append(f"| {way} | {speed:,.0f} | {speed / first:.2f} | {losses[way]:.2f} |{share}")
    return lines


if __name__ == "__main__":
    main()
