"""What all trainings have in common: the arguments of TRL's trainers, adapters, and what is logged."""

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SproutError
from pipeline.training.distributed import world_size
from pipeline.training.half import freeze_half
from pipeline.training.settings import TrainingSettings

if TYPE_CHECKING:
    from transformers import TrainerCallback

logger = logging.getLogger(__name__)


def common_arguments(settings: TrainingSettings, folder: Path, num_rows: int, validate: bool) -> dict[str, Any]:
    """The arguments that each of TRL's trainers takes, with checkpoints in `folder`."""
    import torch
    from transformers.utils.import_utils import is_flash_attn_2_available

    gpu = torch.cuda.is_available()
    half = gpu and torch.cuda.is_bf16_supported()
    processes = world_size()
    part = settings.rows_per_step // settings.gradient_accumulation // processes
    steps = settings.max_steps or math.ceil(settings.num_epochs * math.ceil(num_rows / settings.rows_per_step))
    pause = math.ceil(steps / settings.num_validations)
    stop_early = validate and settings.patience is not None
    if settings.patience is not None and not validate:
        logger.warning("train: the dataset has no validation split, so patience has nothing to wait for")
    load = {"dtype": "bfloat16" if half and settings.method == "lora" else "float32"}
    if settings.padding_free and half and is_flash_attn_2_available():
        load["attn_implementation"] = "flash_attention_2"
    return {
        "output_dir": str(folder),
        "model_init_kwargs": load,
        "max_length": None,  # rows are cut by us, as TRL does not cut them without padding
        "padding_free": settings.padding_free,
        "learning_rate": settings.learning_rate or settings.preset.learning_rate,
        "num_train_epochs": settings.num_epochs,
        "max_steps": settings.max_steps or -1,
        "per_device_train_batch_size": part,
        "per_device_eval_batch_size": part,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "warmup_steps": settings.warmup_ratio,
        "lr_scheduler_type": settings.lr_scheduler,
        "weight_decay": 0.0,
        "train_sampling_strategy": "random" if settings.shuffle else "sequential",
        "seed": settings.random_seed,
        "use_cpu": processes > 1 and not gpu,  # otherwise each process would train alone
        "bf16": half,
        "gradient_checkpointing": gpu,
        "use_cache": True,  # saved in the model's config; TRL turns it off for training by itself
        "eval_strategy": "steps" if validate else "no",
        "eval_steps": pause,
        "prediction_loss_only": True,
        "load_best_model_at_end": stop_early,
        "metric_for_best_model": "eval_loss" if validate else None,
        "restore_callback_states_from_checkpoint": True,  # how long patience has waited
        "save_strategy": "steps",
        "save_steps": pause if stop_early else settings.checkpoint_steps,
        "save_total_limit": 2 if stop_early else 1,  # so that one is left to continue from besides the last
        "logging_steps": 1,
        "include_num_input_tokens_seen": "all" if settings.padding_free else "non_padding",
        "disable_tqdm": True,
        "report_to": "none",
        "dataloader_pin_memory": gpu,
    }


def joined(arguments: Any) -> Any:
    """The arguments, checked to be those of a process that has found the others.

    Raises:
        SproutError: if it has not.
    """
    if arguments.world_size != world_size():
        raise SproutError(f"{world_size()} processes cannot reach each other; set train.num_processes=1")
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one process takes one: else it multiplies the batch by their number
    return arguments


def callbacks(settings: TrainingSettings, arguments: Any, last_step: int | None) -> "list[TrainerCallback]":
    """What logs the loss and stops a training in time."""
    from transformers import EarlyStoppingCallback

    early = [EarlyStoppingCallback(settings.patience or 1)] if arguments.load_best_model_at_end else []
    return [_progress(last_step), *early]


def lora(settings: TrainingSettings) -> Any:
    """Adapters on every linear layer but the last; QLoRA found that to matter more than the rank (section 4)."""
    from peft import LoraConfig

    if settings.method != "lora":
        return None
    where: dict[str, Any] = {"target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    return LoraConfig(r=settings.lora_rank, lora_alpha=settings.lora_alpha, **where)


def set_up(trainer: Any, settings: TrainingSettings) -> None:
    """Prepare a trainer: it prints nothing itself, and tunes half of the weights if the settings say so."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    if settings.method == "half":
        freeze_half(trainer.model, settings.random_seed)


def _progress(last_step: int | None) -> "TrainerCallback":
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        """Logs the loss some twenty times in a training, and each validation loss; stops after `last_step`."""

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            step, steps, logs = state.global_step, state.max_steps, kwargs["logs"]
            if not state.is_world_process_zero:
                return
            if "loss" in logs and (step % max(1, steps // 20) == 0 or step == steps):
                logger.info("train: step %d of %d, loss %.3f", step, steps, logs["loss"])
            if "eval_loss" in logs:
                logger.info("train: step %d of %d, validation loss %.3f", step, steps, logs["eval_loss"])

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == last_step:
                control.should_training_stop = True
            if control.should_training_stop and not args.load_best_model_at_end:
                control.should_save = False  # nothing goes on from there

    return Progress()
