"""TRL's trainer for a set of rows, and its arguments."""

import logging
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.content import ChatRow, TextRow
from pipeline.engines.model_folder import choose_chat, context_length, load_tokenizer
from pipeline.errors import SproutError
from pipeline.training.distributed import world_size
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.tokens import row_tokens

if TYPE_CHECKING:
    from transformers import TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

BLOCK = 4096  # rows per batch of the table
logger = logging.getLogger(__name__)


def make_trainer(training: Training, folder: Path) -> "SFTTrainer":
    """TRL's trainer, ready to train, with its checkpoints in `folder`.

    Raises:
        SproutError: for a model that cannot be loaded or does not fit the rows.
    """
    from datasets import Dataset, concatenate_datasets
    from huggingface_hub import constants
    from transformers import EarlyStoppingCallback, PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    constants.HF_HUB_DISABLE_TELEMETRY = True  # TRL reports each training to its developers
    model, settings, validation = training.model, training.settings, training.validation
    choose_chat(model, training.chat)  # or say that it has no template
    tokenizer = load_tokenizer(model)
    if not tokenizer.eos_token:
        raise SproutError(f"{model}: its tokenizer has no end-of-text token, so a model cannot learn to stop; set one")
    max_length = min(settings.max_length, context_length(model))  # with learned positions, more would be an error
    arguments = _arguments(settings, folder, len(training.rows), bool(validation))
    callbacks = [_progress(training.last_step)]
    if arguments.load_best_model_at_end:
        callbacks.append(EarlyStoppingCallback(settings.patience or 1))

    def dataset(rows: Sequence[TextRow] | Sequence[ChatRow]) -> Any:
        columns = (row_tokens(row, tokenizer) for row in rows)
        blocks = iter(lambda: list(islice(columns, BLOCK)), [])  # Python lists take four times the memory of a table
        return concatenate_datasets([Dataset.from_list(block) for block in blocks]) if rows else None

    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset(training.rows),
        eval_dataset=dataset(validation),
        processing_class=tokenizer,
        peft_config=_lora(settings) if settings.method == "lora" else None,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train_dataset = _cut(trainer.train_dataset, len(training.rows), max_length)
    if validation:
        trainer.eval_dataset = _cut(trainer.eval_dataset, len(validation), max_length)
    if settings.padding_free:
        _check_apart(trainer, model)
    return trainer


def _arguments(settings: TrainingSettings, folder: Path, num_rows: int, validate: bool) -> "SFTConfig":
    import torch
    from transformers.utils.import_utils import is_flash_attn_2_available
    from trl.trainer.sft_config import SFTConfig

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
    arguments = SFTConfig(
        output_dir=str(folder),
        model_init_kwargs=load,
        completion_only_loss=True,
        max_length=None,  # rows are cut by `_cut`, as TRL does not cut them without padding
        padding_free=settings.padding_free,
        learning_rate=settings.learning_rate or settings.preset.learning_rate,
        num_train_epochs=settings.num_epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=part,
        per_device_eval_batch_size=part,
        gradient_accumulation_steps=settings.gradient_accumulation,
        warmup_steps=settings.warmup_ratio,
        lr_scheduler_type=settings.lr_scheduler,
        weight_decay=0.0,
        train_sampling_strategy="random" if settings.shuffle else "sequential",
        seed=settings.random_seed,
        use_cpu=processes > 1 and not gpu,  # otherwise each process would train alone
        bf16=half,
        gradient_checkpointing=gpu,
        use_cache=True,  # saved in the model's config; TRL turns it off for training by itself
        eval_strategy="steps" if validate else "no",
        eval_steps=pause,
        prediction_loss_only=True,
        load_best_model_at_end=stop_early,
        metric_for_best_model="eval_loss" if validate else None,
        restore_callback_states_from_checkpoint=True,  # how long patience has waited
        save_strategy="steps",
        save_steps=pause if stop_early else settings.checkpoint_steps,
        save_total_limit=2 if stop_early else 1,  # so that one is left to continue from besides the last
        logging_steps=1,
        include_num_input_tokens_seen="all" if settings.padding_free else "non_padding",
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=gpu,
    )
    if arguments.world_size != processes:
        raise SproutError(f"{processes} processes do not find each other; set train.num_processes=1")
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one process takes one: else it multiplies the batch by their number
    return arguments


def _lora(settings: TrainingSettings) -> Any:
    """Adapters on every linear layer but the last; QLoRA found that to matter more than the rank (section 4)."""
    from peft import LoraConfig

    where: dict[str, Any] = {"target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    return LoraConfig(r=settings.lora_rank, lora_alpha=settings.lora_alpha, **where)


def _cut(dataset: Any, num_rows: int, max_length: int) -> Any:
    """Rows cut at `max_length`, without those that leave no room for a completion."""

    def cut(row: dict[str, Any]) -> dict[str, Any]:
        return {name: row[name][:max_length] for name in ("input_ids", "labels")}

    kept = dataset.map(cut).filter(lambda row: any(label != -100 for label in row["labels"]))
    if not len(kept):
        raise SproutError(f"every prompt has {max_length} tokens or more, so no completion is left; raise max_length")
    num_cut, left_out = sum(len(ids) >= max_length for ids in kept["input_ids"]), num_rows - len(kept)
    if num_cut or left_out:
        logger.warning(
            f"train: {num_cut} rows are cut at {max_length} tokens, {left_out} have no room for a completion"
        )
    return kept


def _check_apart(trainer: "SFTTrainer", model: str) -> None:
    """Check that rows packed without padding cannot see each other, as they could in some models.

    Attention separates them by their positions; models with a running state, such as Mamba, may not.
    """
    import torch

    some: Any = trainer.train_dataset
    tuned: Any = trainer.model
    rows = [some[0], some[len(some) - 1]]
    training = tuned.training
    tuned.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        alone, together = (
            tuned(**trainer._prepare_inputs(trainer.data_collator(batch)), use_cache=False).logits[0].float()
            for batch in (rows[1:], rows)
        )
    tuned.train(training)
    apart = torch.dist(together[-len(alone) :], alone) / alone.norm()
    if apart > 0.05:  # bfloat16 has 3 digits
        raise SproutError(f"{model}: without padding its rows read each other; set train.padding_free=false")


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
