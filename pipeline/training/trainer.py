"""A training with TRL, never half done: the same however often it was interrupted."""

import hashlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.rows import Row
from pipeline.engines.model_folder import check_model, choose_chat
from pipeline.errors import SproutError
from pipeline.resources import shown
from pipeline.runs.products import digest, put_in_place, read_record, write_record
from pipeline.training import distributed
from pipeline.training.sft import Training, make_trainer
from pipeline.training.tidy import tidy

if TYPE_CHECKING:
    from trl.trainer.sft_trainer import SFTTrainer


def tune(training: Training, folder: Path) -> dict[str, Any]:
    """Tune a model and save it as `folder`; return what is in its train.json.

    A folder made from the same rows, model and settings is left as it is. A training that was killed goes on from its
    last checkpoint, in `folder`.partial, to the same result.

    Raises:
        SproutError: for no rows, for a model that cannot be loaded, or for rows that do not fit it.
    """
    model, rows, settings, validation, last_step = training
    if not rows:
        raise SproutError(f"{folder}: nothing to train on: no kept task has an instance")
    before = read_record(Path(model) / "train.json").get("fingerprint")  # if it was tuned here itself
    fingerprint = digest(settings.settings(), shown(model), before, *map(_digest, (rows, validation)), last_step)
    record = read_record(folder / "train.json")
    if record.get("fingerprint") == fingerprint:
        return record
    check_model(model)
    partial = folder.with_name(f"{folder.name}.partial")
    if read_record(partial / "started.json").get("fingerprint") != fingerprint:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_record(partial / "started.json", {"fingerprint": fingerprint})
    if (processes := distributed.num_processes(settings)) > 1:
        record = distributed.train(training, partial, processes)
    else:
        record = train(training, partial)
    record |= {"settings": settings.settings(), "fingerprint": fingerprint}
    write_record(partial / "model" / "train.json", record)
    put_in_place(partial / "model", folder)
    shutil.rmtree(partial)
    return record


def _digest(rows: Iterable[Row]) -> str:
    hashed = hashlib.sha256()
    for row in rows:
        hashed.update(row.model_dump_json().encode() + b"\n")
    return hashed.hexdigest()


def train(training: Training, partial: Path) -> dict[str, Any]:
    """Train from the last checkpoint in `partial`, if there is one, and save the model in `partial`/model.

    With several processes each of them calls this; the first one writes.
    """
    start = time.monotonic()
    checkpoints = partial / "checkpoints"
    with tidy():
        trainer = make_trainer(training, checkpoints)
        trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
        state = trainer.state
        _save(trainer, training.model, partial / "model")
        restored = trainer.args.load_best_model_at_end
        del trainer
    history = state.log_history
    return {
        "model": shown(training.model),
        "chat": choose_chat(training.model, training.settings.chat),
        "rows": len(training.rows),
        "validation_rows": len(training.validation),
        "steps": state.best_global_step if restored else state.global_step,  # behind the weights that are saved
        "max_steps": state.max_steps,
        "tokens": state.num_input_tokens_seen,  # without padding, over all epochs
        "tokens_per_step": round(state.num_input_tokens_seen / max(1, state.global_step)),  # what a batch holds
        "seconds": round(time.monotonic() - start, 1),  # of the last sitting, if there were several
        "loss": [(entry["step"], round(entry["loss"], 5)) for entry in history if "loss" in entry],
        "validation_loss": [(entry["step"], round(entry["eval_loss"], 5)) for entry in history if "eval_loss" in entry],
    }


def _last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint that a training goes on from: the trainer writes its state last.

    One written with the last step is passed over: the trainer would add a step to it.
    """
    found = {}
    for path in folder.glob("checkpoint-*"):
        if (state := read_record(path / "trainer_state.json")) and not _is_over(state):
            found[state["global_step"]] = path
    return str(found[max(found)]) if found else None


def _is_over(state: dict[str, Any]) -> bool:
    over: bool = state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]
    return over


def _save(trainer: "SFTTrainer", model: str, folder: Path) -> None:
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
