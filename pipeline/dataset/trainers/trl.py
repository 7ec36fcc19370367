"""The config of the `trl sft` command line, for TRL 1.16."""

from collections.abc import Sequence

from pipeline.dataset.formats.base import Format
from pipeline.dataset.trainers.base import Entry, LocalTrainer, Tuning, as_in_transformers, when

_MASK = "as in train; if TRL knows no mask for the chat template, export chat_prompt_completion before messages"


class TRL(LocalTrainer):
    command = "trl sft --config"
    chat_rows = "chat_prompt_completion"

    def command_for(self, tuning: Tuning) -> str:
        return f"trl {tuning.settings.objective} --config"

    def wanted(self, chat: bool, objective: str) -> str | None:
        if objective == "dpo":
            return "chat_preference" if chat else "preference"
        return super().wanted(chat, objective)

    def entries(self, tuning: Tuning, rows: Format) -> Sequence[Entry]:
        settings = tuning.settings
        source = {"completion_only_loss": "as in train", "assistant_only_loss": _MASK}
        return [
            ("model_name_or_path", tuning.model, "the model of the run"),
            ("dataset_name", "../dataset", "this folder, which the library datasets does not find as a dot"),
            ("dataset_config", rows.name, f"as for a {tuning.kind} model"),
            *when(tuning.validation, ("dataset_test_split", "validation", "tasks held back")),
            *((key, value, source.get(key, "")) for key, value in (self.how(rows) or {}).items()),
            *when(settings.objective == "dpo", ("beta", settings.beta, "train.beta")),
            ("max_length", settings.max_length, "train.max_length"),
            *as_in_transformers(tuning, "warmup_steps"),
            *when(not settings.shuffle, ("train_sampling_strategy", "sequential", "train.shuffle")),
            ("seed", settings.random_seed, "train.random_seed"),
            ("dtype", "float32", "of the weights; the computation is in bf16"),
            ("bf16", True, "set it to false without a GPU that has it"),
            *when(settings.method == "lora", ("use_peft", True, "train.method")),
            *when(settings.method == "lora", ("lora_r", settings.lora_rank, "train.lora_rank")),
            *when(settings.method == "lora", ("lora_alpha", settings.lora_alpha, "train.lora_alpha")),
            *when(settings.method == "lora", ("lora_target_modules", "all-linear", "QLoRA, section 4")),
        ]
