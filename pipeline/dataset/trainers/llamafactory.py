"""The config of LLaMA-Factory 0.9.5, and `dataset_info.json`, which tells it of the files."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.dataset.formats.base import Format, Split
from pipeline.dataset.trainers.base import READ, Entry, LocalTrainer, Tuning, as_in_transformers, when

_TEMPLATE = "the prompt as it is; of its templates without roles the one that teaches to stop"


class LlamaFactory(LocalTrainer):
    command = "llamafactory-cli train"

    def entries(self, tuning: Tuning, rows: Format) -> Sequence[Entry]:
        settings = tuning.settings
        return [
            ("model_name_or_path", tuning.model, "the model of the run"),
            ("stage", "sft", ""),
            ("do_train", True, ""),
            ("finetuning_type", "lora" if settings.method == "lora" else "full", "train.method"),
            ("dataset_dir", ".", "this folder"),
            ("dataset", "sprout", "in dataset_info.json"),
            *when(tuning.validation, ("eval_dataset", "sprout_validation", "tasks held back")),
            *when(not tuning.chat, ("template", "fewshot", _TEMPLATE)),
            ("cutoff_len", settings.max_length, "train.max_length"),
            *as_in_transformers(tuning, "warmup_ratio"),
            *when(not settings.shuffle, ("disable_shuffling", True, "train.shuffle")),
            ("seed", settings.random_seed, "train.random_seed"),
            ("bf16", True, "set it to false without a GPU that has it"),
            ("report_to", "none", ""),
            *when(settings.method == "lora", ("lora_rank", settings.lora_rank, "train.lora_rank")),
            *when(settings.method == "lora", ("lora_alpha", settings.lora_alpha, "train.lora_alpha")),
            *when(settings.method == "lora", ("lora_target", "all", "QLoRA, section 4")),
        ]

    def records(self, tuning: Tuning, rows: Format) -> Mapping[str, Mapping[str, Any]]:
        splits: dict[str, Split] = {"sprout": "train"}
        if tuning.validation:
            splits["sprout_validation"] = "validation"
        how = self.how(rows) or {}
        files = {name: rows.file(split, READ) for name, split in splits.items()}
        return {"dataset_info.json": {name: {"file_name": file, **how} for name, file in files.items()}}
