"""Tune the model on the kept tasks, with TRL."""

import logging
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from pipeline import export
from pipeline.controls import Control, control_tasks, count_tokens
from pipeline.engines import Engine
from pipeline.engines.model_folder import check_model, choose_chat, load_tokenizer
from pipeline.errors import SproutError
from pipeline.export import Row
from pipeline.products import digest, put_in_place, read_record, write_record
from pipeline.resources import shown
from pipeline.stage import Product, Run
from pipeline.task import Task
from pipeline.tidy import tidy

if TYPE_CHECKING:
    from transformers import TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

logger = logging.getLogger(__name__)

# Full: Alpaca (Stanford 2023), also its warm-up and schedule. LoRA: QLoRA (arXiv 2305.14314, table 9, 7B and 13B).
LEARNING_RATES = {"full": 2e-5, "lora": 2e-4}


class Train(Product):
    """A Hugging Face model folder, with the training's figures in train.json; with LoRA also the adapter in adapter/.

    Base models are tuned on prompt and completion, chat models on messages; the loss is on the completion alone.
    """

    name: ClassVar[str] = "train"
    path: ClassVar[str] = "model"
    growable: ClassVar[frozenset[str]] = frozenset({"checkpoint_steps", "controls"})

    model: str = ""  # a folder or a name on the hub; empty: the model of the run
    chat: bool | None = None  # None: as the run asks the model; for another model, if it has a chat template
    method: Literal["full", "lora"] = "full"
    learning_rate: float | None = Field(default=None, gt=0)
    num_epochs: float = Field(default=2, gt=0)  # Self-Instruct, its fine-tuning script
    max_steps: int | None = Field(default=None, ge=1)  # in place of num_epochs
    batch_size: int = Field(default=32, ge=1)  # rows per step
    gradient_accumulation: int = Field(default=1, ge=1)  # parts a batch is cut into, where memory is short
    max_length: int = Field(default=1024, ge=2)  # tokens; a longer row loses its end
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    lr_scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    random_seed: int = 0
    encoding: export.Encoding = "random"
    input_noise: bool = False
    include_seeds: bool = True
    controls: tuple[Control, ...] = ()  # what else to tune on, for as many steps: model_seeds, model_random, …
    checkpoint_steps: int = Field(default=100, ge=1)  # how often a killed training can go on from

    @model_validator(mode="after")
    def _check(self) -> "Train":
        if self.batch_size % self.gradient_accumulation:
            raise ValueError(f"a batch of {self.batch_size} cannot be cut into {self.gradient_accumulation} parts")
        if self.model:
            check_model(self.model)
        return self

    def make(self, tasks: Sequence[Task], run: Run) -> None:
        self.tune_all(tasks, run, lambda name: run.folder / (self.path if name == "dataset" else f"{self.path}_{name}"))

    def tune_all(self, tasks: Sequence[Task], run: Run, place: Callable[[str], Path]) -> None:
        """Tune on the tasks, and on each of the controls; `place` says where the model of each is saved."""
        model = self.model or run.engine.model
        chat = run.engine.chat if self.chat is None and model == run.engine.model else self.chat
        settings = self.model_copy(update={"model": shown(model), "chat": chat})
        seeds = run.seeds if self.include_seeds else ()
        release(run.engine)
        record = tune(self.rows([*tasks, *seeds]), model, settings, place("dataset"))
        same_steps = settings.model_copy(update={"max_steps": record["steps"]})
        for control in self.controls:
            chosen = control_tasks(control, tasks, run, self.random_seed, lambda some: self.sizes(some, model))
            rows = self.rows(chosen if control == "seeds" else [*chosen, *seeds])
            tune(rows, model, same_steps, place(control))

    def sizes(self, tasks: Sequence[Task], model: str) -> dict[str, int]:
        tokenizer = load_tokenizer(model)
        return count_tokens(self.rows(tasks), lambda text: len(tokenizer(text)["input_ids"]))

    def rows(self, tasks: Sequence[Task]) -> list[Row]:
        return export.rows(tasks, encoding=self.encoding, random_seed=self.random_seed, input_noise=self.input_noise)


def release(engine: Engine) -> None:
    """Have an engine give back the memory it holds, if it can; it loads its model again when it is asked again."""
    if close := getattr(engine, "close", None):
        close()


def tune(rows: Sequence[Row], model: str, settings: Train, folder: Path) -> dict[str, Any]:
    """Tune `model` on the rows and save it as `folder`; return what is in its train.json.

    A folder made from the same rows, model and settings is left as it is. A training that was killed goes on from its
    last checkpoint, in `folder`.partial, to the same result.

    Raises:
        SproutError: for no rows, for a model that cannot be loaded, or for rows that do not fit it.
    """
    if not rows:
        raise SproutError(f"{folder}: nothing to train on: no kept task has an instance")
    before = read_record(Path(model) / "train.json").get("fingerprint")  # if it was tuned here itself
    fingerprint = digest(settings.settings(), shown(model), before, [row.model_dump() for row in rows])
    record = read_record(folder / "train.json")
    if record.get("fingerprint") == fingerprint:
        return record
    check_model(model)
    partial = folder.with_name(f"{folder.name}.partial")
    if read_record(partial / "started.json").get("fingerprint") != fingerprint:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_record(partial / "started.json", {"fingerprint": fingerprint})
    record = _train(rows, model, settings, partial) | {"settings": settings.settings(), "fingerprint": fingerprint}
    write_record(partial / "model" / "train.json", record)
    put_in_place(partial / "model", folder)
    shutil.rmtree(partial)
    return record


def _train(rows: Sequence[Row], model: str, settings: Train, partial: Path) -> dict[str, Any]:
    start = time.monotonic()
    with tidy():
        trainer = make_trainer(rows, model, settings, partial / "checkpoints")
        trainer.train(resume_from_checkpoint=_last_checkpoint(partial / "checkpoints"))
        _save(trainer, model, partial / "model")
        state = trainer.state
        del trainer
    return {
        "model": shown(model),
        "chat": choose_chat(model, settings.chat),
        "rows": len(rows),
        "steps": state.global_step,
        "tokens": state.num_input_tokens_seen,  # without padding, over all epochs
        "seconds": round(time.monotonic() - start, 1),  # of the last sitting, if there were several
        "loss": [(entry["step"], round(entry["loss"], 5)) for entry in state.log_history if "loss" in entry],
    }


def make_trainer(rows: Sequence[Row], model: str, settings: Train, folder: Path) -> "SFTTrainer":
    """TRL's trainer, ready to train, with its checkpoints in `folder`."""
    from datasets import Dataset
    from huggingface_hub import constants
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    constants.HF_HUB_DISABLE_TELEMETRY = True  # TRL reports each training to its makers
    chat = choose_chat(model, settings.chat)
    tokenizer = load_tokenizer(model)
    if not tokenizer.eos_token:
        raise SproutError(f"{model}: its tokenizer has no end-of-text token, so a model cannot learn to stop; set one")
    max_length = min(settings.max_length, _longest(model))
    trainer = SFTTrainer(
        model=model,
        args=_arguments(settings, max_length, folder),
        train_dataset=Dataset.from_list([_columns(row, tokenizer, chat) for row in rows]),
        processing_class=tokenizer,
        peft_config=_lora(settings) if settings.method == "lora" else None,
        callbacks=[_progress()],
    )
    trainer.remove_callback(PrinterCallback)
    prepared: Any = trainer.train_dataset
    _check_lengths(prepared["input_ids"], len(rows), max_length)
    return trainer


def _columns(row: Row, tokenizer: Any, chat: bool) -> dict[str, Any]:
    """What TRL takes: messages, which it puts in the chat template, end of turn included; or tokens."""
    if not chat:
        prompt, completion = export.token_ids(row, tokenizer)
        return {"input_ids": prompt + completion, "completion_mask": [0] * len(prompt) + [1] * len(completion)}
    return {
        "prompt": [{"role": "user", "content": export.question(row.instruction, row.input)}],
        "completion": [{"role": "assistant", "content": row.output}],
    }


def _longest(model: str) -> int:
    """How many tokens the model takes; a longer row is an error for one with learned positions."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model).get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or sys.maxsize)


def _arguments(settings: Train, max_length: int, folder: Path) -> "SFTConfig":
    import torch
    from trl.trainer.sft_config import SFTConfig

    gpu = torch.cuda.is_available()
    half = gpu and torch.cuda.is_bf16_supported()
    return SFTConfig(
        output_dir=str(folder),
        model_init_kwargs={"dtype": "bfloat16" if half and settings.method == "lora" else "float32"},
        completion_only_loss=True,
        max_length=max_length,
        learning_rate=settings.learning_rate or LEARNING_RATES[settings.method],
        num_train_epochs=settings.num_epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size // settings.gradient_accumulation,
        gradient_accumulation_steps=settings.gradient_accumulation,
        warmup_steps=settings.warmup_ratio,
        lr_scheduler_type=settings.lr_scheduler,
        weight_decay=0.0,
        seed=settings.random_seed,
        bf16=half,
        gradient_checkpointing=gpu,
        use_cache=True,  # saved in the model's config; TRL turns it off for training by itself
        save_strategy="steps",
        save_steps=settings.checkpoint_steps,
        save_total_limit=1,
        logging_steps=1,
        include_num_input_tokens_seen="non_padding",
        disable_tqdm=True,
        report_to="none",
        dataloader_pin_memory=gpu,
    )


def _lora(settings: Train) -> Any:
    """Adapters on every linear layer but the last, which QLoRA found to matter more than the rank (section 4)."""
    from peft import LoraConfig

    where: dict[str, Any] = {"target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    return LoraConfig(r=settings.lora_rank, lora_alpha=settings.lora_alpha, **where)


def _check_lengths(kept: Sequence[Sequence[int]], num_rows: int, max_length: int) -> None:
    if not kept:
        raise SproutError(f"every prompt has {max_length} tokens or more, so no completion is left; raise max_length")
    cut, left_out = sum(len(ids) >= max_length for ids in kept), num_rows - len(kept)
    if cut or left_out:
        logger.warning(f"train: {cut} rows are cut at {max_length} tokens, {left_out} have no room for a completion")


def _progress() -> "TrainerCallback":
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        """Logs the loss some twenty times in a training."""

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            step, steps, loss = state.global_step, state.max_steps, kwargs["logs"].get("loss")
            if loss is not None and (step % max(1, steps // 20) == 0 or step == steps):
                logger.info("train: step %d of %d, loss %.3f", step, steps, loss)

    return Progress()


def _last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint: the trainer writes its state last."""
    whole = {
        int(path.name.removeprefix("checkpoint-")): path
        for path in folder.glob("checkpoint-*")
        if read_record(path / "trainer_state.json")
    }
    return str(whole[max(whole)]) if whole else None


def _save(trainer: "SFTTrainer", model: str, folder: Path) -> None:
    """Save the tuned model in the precision the model had on disk."""
    from transformers import AutoConfig

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
