"""Default learning rates and batch sizes, each with its source."""

from typing import NamedTuple


class Preset(NamedTuple):
    learning_rate: float
    batch_size: int  # rows
    source: str


PRESETS = {
    "full": Preset(2e-5, 32, "Alpaca (Stanford 2023); the batch is that of LIMA (arXiv 2305.11206), for 1,000 rows"),
    "lora": Preset(2e-4, 16, "QLoRA (arXiv 2305.14314; scripts/finetune_guanaco_7b.sh of its code), for 7B and 13B"),
}
