"""Default learning rates and batch sizes, each with its source."""

from typing import NamedTuple


class Preset(NamedTuple):
    learning_rate: float
    batch_size: int  # rows
    source: str


_FULL = Preset(2e-5, 32, "Alpaca (Stanford 2023); the batch is that of LIMA (arXiv 2305.11206), for 1,000 rows")
_DPO = Preset(1e-6, 64, "DPO (arXiv 2305.18290, appendix B)")
PRESETS = {
    "sft": {
        "full": _FULL,
        "half": _FULL,
        "lora": Preset(
            2e-4, 16, "QLoRA (arXiv 2305.14314; scripts/finetune_guanaco_7b.sh of its code), for 7B and 13B"
        ),
    },
    "dpo": {
        "full": _DPO,
        "half": _DPO,
        "lora": Preset(5e-6, 16, "TRL's script for DPO with LoRA"),
    },
}
