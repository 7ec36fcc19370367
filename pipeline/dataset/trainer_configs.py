"""Configs that tune on a dataset with other trainers: the `trl sft` command line, axolotl and LLaMA-Factory."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.presets import PRESETS
from pipeline.runs.products import write_record

if TYPE_CHECKING:
    from pipeline.stages.train import Train

Entry = tuple[str, Any, str]  # key, value, and where the value is from

TEMPLATES = "; if TRL cannot train on the chat template, as on Llama 3.1's, false: then the question is learned too"
FORMAT = {True: "messages", False: "prompt_completion"}  # a chat model's, a base model's


def write_configs(folder: Path, model: str, chat: bool, settings: "Train", validation: bool) -> None:
    """Write a config for each trainer beside the data in `folder`, to be run in that folder.

    They tune as the stage `train` does with the same settings, on the files of one format: `messages` for a chat
    model, `prompt_completion` for a base model.

    Args:
        validation: Whether the dataset has rows for validation.
    """
    kinds = {"trl": (trl, "trl sft --config"), "axolotl": (axolotl, "axolotl train")}
    kinds["llama_factory"] = (llama_factory, "llamafactory-cli train")
    for name, (entries, command) in kinds.items():
        text = render(f"{command} {name}.yaml, in this folder", entries(model, chat, settings, validation))
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    write_record(folder / "dataset_info.json", dataset_info(chat, validation))


def trl(model: str, chat: bool, settings: "Train", validation: bool) -> list[Entry]:
    """For TRL 1.16."""
    entries: list[Entry] = [
        ("model_name_or_path", model, "the model of the run"),
        ("dataset_name", "../dataset", "this folder, which the library datasets does not find as a dot"),
        ("dataset_config", FORMAT[chat], f"as for a {'chat' if chat else 'base'} model"),
        *_when(validation, ("dataset_test_split", "validation", "tasks held back")),
        (("assistant" if chat else "completion") + "_only_loss", True, f"as in train{TEMPLATES if chat else ''}"),
        ("max_length", settings.max_length, "train.max_length"),
        *_shared(settings, validation, "warmup_steps"),
        ("seed", settings.random_seed, "train.random_seed"),
        ("dtype", "float32", "of the weights; the computation is in bf16"),
        ("bf16", True, "set it to false without a GPU that has it"),
    ]
    if settings.method == "lora":
        entries += [
            ("use_peft", True, "train.method"),
            ("lora_r", settings.lora_rank, "train.lora_rank"),
            ("lora_alpha", settings.lora_alpha, "train.lora_alpha"),
            ("lora_target_modules", "all-linear", "QLoRA, section 4"),
        ]
    return entries


def axolotl(model: str, chat: bool, settings: "Train", validation: bool) -> list[Entry]:
    """For axolotl 0.19."""
    how: dict[str, Any] = {"type": "chat_template", "field_messages": "messages"}
    if not chat:
        fields = {"field_instruction": "prompt", "field_output": "completion"}
        how = {"type": fields | {"format": "{instruction}", "no_input_format": "{instruction}"}}
    files = [{"path": f"{FORMAT[chat]}{part}.jsonl", "ds_type": "json"} | how for part in ("", "_validation")]
    part = settings.rows_per_step // settings.gradient_accumulation
    entries: list[Entry] = [
        ("base_model", model, "the model of the run"),
        ("datasets", files[:1], f"as for a {'chat' if chat else 'base'} model; the loss is on the completion alone"),
        *_when(validation, ("test_datasets", [files[1] | {"split": "train"}], "tasks held back")),
        *_when(validation, ("eval_strategy", "epoch", "")),
        ("train_on_inputs", False, "as in train"),
        ("sequence_len", settings.max_length, "train.max_length"),
        ("micro_batch_size", part, "train.batch_size; divide it by the number of GPUs"),
        ("gradient_accumulation_steps", settings.gradient_accumulation, "train.gradient_accumulation"),
        *_schedule(settings, "num_epochs", "lr_scheduler"),
        ("warmup_ratio", settings.warmup_ratio, "train.warmup_ratio"),
        ("optimizer", "adamw_torch", "as in train"),
        ("weight_decay", 0.0, "as in train"),
        ("seed", settings.random_seed, "train.random_seed"),
        ("bf16", "auto", "where the GPU has it"),
        ("gradient_checkpointing", True, "as in train, on a GPU"),
        ("output_dir", "../tuned", ""),
    ]
    if settings.method == "lora":
        entries += [
            ("adapter", "lora", "train.method"),
            ("lora_r", settings.lora_rank, "train.lora_rank"),
            ("lora_alpha", settings.lora_alpha, "train.lora_alpha"),
            ("lora_target_linear", True, "QLoRA, section 4"),
        ]
    return entries


def llama_factory(model: str, chat: bool, settings: "Train", validation: bool) -> list[Entry]:
    """For LLaMA-Factory 0.9.5; `dataset_info.json` tells it of the files."""
    entries: list[Entry] = [
        ("model_name_or_path", model, "the model of the run"),
        ("stage", "sft", ""),
        ("do_train", True, ""),
        ("finetuning_type", settings.method, "train.method"),
        ("dataset_dir", ".", "this folder"),
        ("dataset", "sprout", "in dataset_info.json"),
        *_when(validation, ("eval_dataset", "sprout_validation", "tasks held back")),
        *_when(
            not chat,
            ("template", "fewshot", "the prompt as it is; of its templates without roles the one that teaches to stop"),
        ),
        ("cutoff_len", settings.max_length, "train.max_length"),
        *_shared(settings, validation, "warmup_ratio"),
        ("seed", settings.random_seed, "train.random_seed"),
        ("bf16", True, "set it to false without a GPU that has it"),
        ("report_to", "none", ""),
    ]
    if settings.method == "lora":
        entries += [
            ("lora_rank", settings.lora_rank, "train.lora_rank"),
            ("lora_alpha", settings.lora_alpha, "train.lora_alpha"),
            ("lora_target", "all", "QLoRA, section 4"),
        ]
    return entries


def dataset_info(chat: bool, validation: bool) -> dict[str, Any]:
    """How LLaMA-Factory reads the files of this folder."""
    how: dict[str, Any] = {"columns": {"prompt": "prompt", "query": "", "response": "completion"}}
    if chat:
        tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
        how = {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}
    parts = ("", "_validation") if validation else ("",)
    return {f"sprout{part}": {"file_name": f"{FORMAT[chat]}{part}.jsonl"} | how for part in parts}


def _shared(settings: "Train", validation: bool, warmup: str) -> list[Entry]:
    """What is called as in transformers."""
    part = settings.rows_per_step // settings.gradient_accumulation
    return [
        ("per_device_train_batch_size", part, "train.batch_size; divide it by the number of GPUs"),
        ("gradient_accumulation_steps", settings.gradient_accumulation, "train.gradient_accumulation"),
        *_schedule(settings, "num_train_epochs", "lr_scheduler_type"),
        (warmup, settings.warmup_ratio, "train.warmup_ratio: a share of all steps"),
        ("weight_decay", 0.0, "as in train"),
        *_when(validation, ("eval_strategy", "epoch", "")),
        *_when(validation, ("prediction_loss_only", True, "the loss is all that is asked for")),
        ("gradient_checkpointing", True, "as in train, on a GPU"),
        ("output_dir", "../tuned", ""),
    ]


def _schedule(settings: "Train", epochs: str, scheduler: str) -> list[Entry]:
    preset = PRESETS[settings.method]
    given = "train.learning_rate" if settings.learning_rate else preset.source
    return [
        ("learning_rate", settings.learning_rate or preset.learning_rate, given),
        (epochs, settings.num_epochs, "train.num_epochs"),
        *_when(settings.max_steps is not None, ("max_steps", settings.max_steps, "train.max_steps, before epochs")),
        (scheduler, settings.lr_scheduler, "train.lr_scheduler"),
    ]


def _when(wanted: bool, entry: Entry) -> list[Entry]:
    return [entry] if wanted else []


def render(head: str, entries: Iterable[Entry]) -> str:
    """As YAML, of which JSON is a part."""
    lines = [f"# {head}"]
    for key, value, source in entries:
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, float) and "." not in text:
            text = text.replace("e", ".0e")  # without a point it is a string in YAML 1.1
        lines.append(f"{key}: {text}" + (f"  # {source}" if source else ""))
    return "\n".join(lines) + "\n"
