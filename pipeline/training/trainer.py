"""Training with TRL in this process, from the last checkpoint to a saved model."""

import shutil
import time
from pathlib import Path
from typing import Any

from pipeline.resources import shown
from pipeline.runs.products import read_record
from pipeline.training.dpo import make_dpo_trainer
from pipeline.training.record import Trained
from pipeline.training.settings import Training
from pipeline.training.sft import make_trainer
from pipeline.training.tidy import tidy


def train(training: Training, partial: Path) -> Trained:
    """Train from the last checkpoint in `partial`, if there is one, and save the model in `partial`/model.

    Each of several processes calls this; the first one writes.
    """
    start = time.monotonic()
    checkpoints = partial / "checkpoints"
    with tidy():
        make = make_dpo_trainer if training.settings.objective == "dpo" else make_trainer
        trainer: Any = make(training, checkpoints)
        trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
        state = trainer.state
        _save(trainer, training.model, partial / "model")
        best = state.best_global_step if trainer.args.load_best_model_at_end else None
        del trainer
    history = state.log_history
    return Trained(
        model=shown(training.model),
        chat=training.chat,
        rows=len(training.rows),
        validation_rows=len(training.validation),
        steps=state.global_step if best is None else best,
        max_steps=state.max_steps,
        tokens=state.num_input_tokens_seen,
        tokens_per_step=round(state.num_input_tokens_seen / max(1, state.global_step)),
        seconds=round(time.monotonic() - start, 1),
        loss=[(int(entry["step"]), round(entry["loss"], 5)) for entry in history if "loss" in entry],
        validation_loss=[
            (int(entry["step"]), round(entry["eval_loss"], 5)) for entry in history if "eval_loss" in entry
        ],
    )


def _last_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint to continue from; the trainer writes its state last.

    One written at the last step is skipped: the trainer would add a step to it.
    """
    found = {}
    for path in folder.glob("checkpoint-*"):
        if (state := read_record(path / "trainer_state.json")) and not _is_over(state):
            found[state["global_step"]] = path
    return str(found[max(found)]) if found else None


def _is_over(state: dict[str, Any]) -> bool:
    over: bool = state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]
    return over


def _save(trainer: Any, model: str, folder: Path) -> None:
    """Save the tuned model in the precision the model had on disk."""
    from transformers import AutoConfig

    if not trainer.is_world_process_zero():
        return
    shutil.rmtree(folder, ignore_errors=True)
    tuned: Any = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(tuned, "merge_and_unload"):
        tuned.save_pretrained(folder / "adapter")
        tuned = tuned.merge_and_unload()
    dtype = AutoConfig.from_pretrained(model).dtype
    if dtype is not None:
        tuned = tuned.to(dtype)
    tuned.save_pretrained(folder)
    tokenizer: Any = trainer.processing_class
    tokenizer.save_pretrained(folder)
