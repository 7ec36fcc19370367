"""What became of every candidate of a run, stage by stage."""

import json
from collections import Counter
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.task import read_tasks


def stage_files(folder: Path) -> dict[str, Path]:
    """The files of a run by stage, in order.

    Raises:
        SproutError: if the folder holds none.
    """
    paths = sorted(folder.glob("[0-9]*_*.jsonl"), key=lambda path: int(path.stem.split("_")[0]))
    if not paths:
        raise SproutError(
            f"{folder}: holds no run; give the folder that a run was written to, such as outputs/quickstart"
        )
    return {path.stem.split("_", 1)[1]: path for path in paths}


def funnel(folder: Path) -> dict[str, Counter[str]]:
    """By stage: how many tasks it kept, and how many it rejected for each reason; read one task at a time.

    Raises:
        SproutError: if the folder holds no stage file.
    """
    return {
        stage: Counter(task.rejected or "kept" for task in read_tasks(path))
        for stage, path in stage_files(folder).items()
    }


def show(folder: Path) -> str:
    """The funnel as text: in each line, what was decided is what was kept plus what was rejected."""
    lines = [f"{'stage':<14}{'decided':>9}{'kept':>9}{'rejected':>10}   reasons"]
    for stage, counts in funnel(folder).items():
        total, kept = counts.total(), counts["kept"]
        reasons = ", ".join(f"{reason} {n}" for reason, n in counts.most_common() if reason != "kept")
        lines.append(f"{stage:<14}{total:>9,}{kept:>9,}{total - kept:>10,}   {reasons}".rstrip())
    return "\n".join(lines)


def show_usage(folder: Path) -> str:
    """What each stage has paid for, as text; empty if the run has no journal."""
    from pipeline.journal import FILE, Journal

    if not (folder / FILE).is_file():
        return ""
    with Journal(folder / FILE) as journal:
        used = journal.usage()
    kept = funnel(folder)
    lines = [f"{'stage':<14}{'requests':>9}{'tokens in':>13}{'tokens out':>12}{'out, a kept task':>18}"]
    for stage, usage in used.items():
        each = usage.completion_tokens / kept[stage]["kept"] if kept.get(stage, Counter())["kept"] else 0
        lines.append(
            f"{stage:<14}{usage.requests:>9,}{usage.prompt_tokens:>13,}{usage.completion_tokens:>12,}{each:>18,.1f}"
        )
    return "\n".join(lines) if used else ""


def summary(folder: Path) -> str:
    """What a run has come to, where it is, and what can be done with it."""
    from pipeline.stages.evaluate import table

    parts = [show(folder)] if any(folder.glob("[0-9]*_*.jsonl")) else []
    if (folder / "evaluation.json").is_file():
        parts.append(table(json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))))
    places = {
        "dataset": "JSONL and Parquet, for your own fine-tuning too",
        "model": "the tuned model, a Hugging Face folder",
    }
    parts.append("\n".join(f"{folder / name}  {what}" for name, what in places.items() if (folder / name).exists()))
    steps = [f"sprout stats {folder}", "sprout run --seeds my_seeds.jsonl --model my-model --out outputs/mine"]
    if (folder / "model").exists():
        steps.insert(1, f"vllm serve {folder / 'model'}")
    parts.append("\n  ".join(["next:", *steps]))
    return "\n\n".join(part for part in parts if part)
