"""The config of axolotl 0.19."""

from collections.abc import Sequence

from pipeline.dataset.formats.base import SPLITS, Format
from pipeline.dataset.trainers.base import READ, Entry, LocalTrainer, Tuning, schedule, when


class Axolotl(LocalTrainer):
    command = "axolotl train"

    def entries(self, tuning: Tuning, rows: Format) -> Sequence[Entry]:
        settings = tuning.settings
        how = self.how(rows) or {}
        files = {split: {"path": rows.file(split, READ), "ds_type": READ, **how} for split in SPLITS}
        test = [files["validation"] | {"split": "train"}]
        return [
            ("base_model", tuning.model, "the model of the run"),
            ("datasets", [files["train"]], f"as for a {tuning.kind} model; the loss is on the completion alone"),
            *when(tuning.validation, ("test_datasets", test, "tasks held back")),
            *when(tuning.validation, ("eval_strategy", "epoch", "")),
            ("train_on_inputs", False, "as in train"),
            ("sequence_len", settings.max_length, "train.max_length"),
            ("micro_batch_size", tuning.rows_per_part, "train.batch_size; divide it by the number of GPUs"),
            ("gradient_accumulation_steps", settings.gradient_accumulation, "train.gradient_accumulation"),
            *schedule(settings, "num_epochs", "lr_scheduler"),
            ("warmup_ratio", settings.warmup_ratio, "train.warmup_ratio"),
            ("optimizer", "adamw_torch", "as in train"),
            ("weight_decay", 0.0, "as in train"),
            *when(not settings.shuffle, ("curriculum_sampling", True, "train.shuffle")),
            ("seed", settings.random_seed, "train.random_seed"),
            ("bf16", "auto", "where the GPU has it"),
            ("gradient_checkpointing", True, "as in train, on a GPU"),
            ("output_dir", "../tuned", ""),
            *when(settings.method == "lora", ("adapter", "lora", "train.method")),
            *when(settings.method == "lora", ("lora_r", settings.lora_rank, "train.lora_rank")),
            *when(settings.method == "lora", ("lora_alpha", settings.lora_alpha, "train.lora_alpha")),
            *when(settings.method == "lora", ("lora_target_linear", True, "QLoRA, section 4")),
        ]
