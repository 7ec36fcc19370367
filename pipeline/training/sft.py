"""TRL's trainer for a set of rows, and its arguments."""

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.engines.model_folder import choose_chat, context_length, load_tokenizer
from pipeline.errors import SproutError, silenced
from pipeline.training.arguments import callbacks, common_arguments, joined, lora, set_up
from pipeline.training.mask import masking
from pipeline.training.settings import Training
from pipeline.training.tokens import each_row, row_tokens

if TYPE_CHECKING:
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
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    constants.HF_HUB_DISABLE_TELEMETRY = True  # TRL reports each training to its developers
    model, settings, validation = training.model, training.settings, training.validation
    choose_chat(model, training.chat)  # or say that it has no template
    tokenizer = load_tokenizer(model)
    if not tokenizer.eos_token:
        raise SproutError(f"{model}: its tokenizer has no end-of-text token, so no model learns to stop; set eos_token")
    max_length = min(settings.max_length, context_length(model))  # with learned positions, more would be an error

    def dataset(rows: Sequence[Any]) -> Any:
        columns = each_row(rows, lambda row: row_tokens(row, tokenizer))
        blocks = iter(lambda: list(islice(columns, BLOCK)), [])  # Python lists take four times the memory of a table
        with silenced("transformers"):  # which warns of rows that are cut below
            return concatenate_datasets([Dataset.from_list(block) for block in blocks]) if rows else None

    train, held = dataset(training.rows), dataset(validation)
    common = common_arguments(settings, folder, len(train), bool(validation))
    arguments = joined(SFTConfig(**common, completion_only_loss=True))
    kind = masking(SFTTrainer, settings) if settings.mask_input else SFTTrainer
    trainer = kind(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=held,
        processing_class=tokenizer,
        peft_config=lora(settings),
        callbacks=callbacks(settings, arguments, training.last_step),
    )
    set_up(trainer, settings)
    trainer.train_dataset = _cut(trainer.train_dataset, len(train), max_length)
    if validation:
        trainer.eval_dataset = _cut(trainer.eval_dataset, len(held), max_length)
    if settings.padding_free:
        _check_apart(trainer, model)
    return trainer


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
        raise SproutError(f"{model}: without padding, rows attend to each other; set train.padding_free=false")
