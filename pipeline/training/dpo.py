"""TRL's trainer for pairs of a better and a worse answer (DPO, arXiv 2305.18290)."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.content import ChatRow, PreferenceRow
from pipeline.engines.model_folder import choose_chat, context_length, load_tokenizer
from pipeline.engines.tokens import split_ids
from pipeline.errors import SproutError
from pipeline.training.arguments import callbacks, common_arguments, joined, lora, set_up
from pipeline.training.settings import Training
from pipeline.training.tokens import chat_tokens, each_row

if TYPE_CHECKING:
    from trl.trainer.dpo_trainer import DPOTrainer

logger = logging.getLogger(__name__)

Tokens = dict[str, list[int]]


def make_dpo_trainer(training: Training, folder: Path) -> "DPOTrainer":
    """TRL's trainer, ready to train, with its checkpoints in `folder`.

    Raises:
        SproutError: for a model that cannot be loaded or does not fit the rows.
    """
    from datasets import Dataset
    from huggingface_hub import constants
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    class Prepared(DPOTrainer):
        """Of rows that are tokens already, cut as those of other trainings are."""

        def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
            return dataset

    constants.HF_HUB_DISABLE_TELEMETRY = True  # TRL reports each training to its developers
    model, settings = training.model, training.settings
    choose_chat(model, training.chat)
    tokenizer = load_tokenizer(model)
    if not tokenizer.eos_token:
        raise SproutError(f"{model}: its tokenizer has no end-of-text token, so no model learns to stop; set eos_token")
    max_length = min(settings.max_length, context_length(model))
    train, validation = (
        cut_pairs(each_row(rows, lambda row: pair_tokens(row, tokenizer)), max_length)
        for rows in (training.rows, training.validation)
    )
    if not train:
        raise SproutError(f"every prompt has {max_length} tokens or more, so no answer is left; raise max_length")
    common = common_arguments(settings, folder, len(train), bool(validation))
    arguments = joined(DPOConfig(**common, beta=settings.beta))
    trainer = Prepared(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(train),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        processing_class=tokenizer,
        peft_config=lora(settings),
        callbacks=callbacks(settings, arguments, training.last_step),
    )
    set_up(trainer, settings)
    return trainer


def pair_tokens(row: Any, tokenizer: Any) -> Tokens:
    """The tokens of the prompt and of both answers of a row, each answer with its end."""
    assert isinstance(row, PreferenceRow)
    if isinstance(row.prompt, str):
        texts = [text.removesuffix(tokenizer.eos_token) + tokenizer.eos_token for text in (row.chosen, row.rejected)]
        pairs = [split_ids(tokenizer, row.prompt, text) for text in texts]
    else:
        pairs = [_chat_pair(row, text, tokenizer) for text in (row.chosen, row.rejected)]
    (prompt, chosen), (other, rejected) = pairs
    same = next(
        (n for n, (a, b) in enumerate(zip(prompt, other, strict=False)) if a != b), min(len(prompt), len(other))
    )
    # A template may merge the end of a prompt with the beginning of an answer.
    chosen, rejected = prompt[same:] + chosen, other[same:] + rejected
    return {"prompt_ids": prompt[:same], "chosen_ids": chosen, "rejected_ids": rejected}


def cut_pairs(rows: Iterator[Tokens], max_length: int) -> list[Tokens]:
    """Rows cut where prompt and answer reach `max_length`, without those whose answers are the same then."""
    kept, num_cut, left_out = [], 0, 0
    for row in rows:
        room = max_length - len(row["prompt_ids"])
        chosen, rejected = row["chosen_ids"][: max(0, room)], row["rejected_ids"][: max(0, room)]
        if chosen == rejected:
            left_out += 1
            continue
        num_cut += len(chosen) < len(row["chosen_ids"]) or len(rejected) < len(row["rejected_ids"])
        kept.append(row | {"chosen_ids": chosen, "rejected_ids": rejected})
    if num_cut or left_out:
        logger.warning(f"train: {num_cut} rows are cut at {max_length} tokens, {left_out} have no room for two answers")
    return kept


def _chat_pair(row: PreferenceRow, text: str, tokenizer: Any) -> tuple[list[int], list[int]]:
    messages = (*row.prompt, {"role": "assistant", "content": text})
    earlier = tuple(number for number, message in enumerate(row.prompt) if message["role"] == "assistant")  # type: ignore[index]
    ids, mask = chat_tokens(ChatRow(messages=messages, unlearned=earlier), tokenizer)
    start = mask.index(1)
    return ids[:start], ids[start : len(mask) - mask[::-1].index(1)]
