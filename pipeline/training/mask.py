"""Answers are learned with some of their tokens hidden (Masked Thought, arXiv 2403.02178)."""

import logging
from typing import Any

from pipeline.training.settings import TrainingSettings

logger = logging.getLogger(__name__)


def masking(trainer: type[Any], settings: TrainingSettings) -> type[Any]:
    """The trainer, with a share of the answers' tokens replaced in what the model reads; it learns them all the same.

    The share rises from 0 to `mask_input` over the first two thirds of the training.
    """
    import torch

    class Masking(trainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            if model.training:
                risen = self.state.global_step / max(1.0, settings.mask_ramp * self.state.max_steps)
                share = settings.mask_input * min(1.0, risen)
                ids, labels = inputs["input_ids"], inputs["labels"]
                generator = torch.Generator()
                # By what the batch holds, so that a training that goes on hides the same.
                generator.manual_seed(hash((settings.random_seed, self.state.global_step, int(ids.sum()))) % 2**63)
                hidden = (torch.rand(ids.shape, generator=generator) < share).to(ids.device) & (labels != -100)
                inputs = inputs | {"input_ids": ids.masked_fill(hidden, self._mask_id())}
            return super().compute_loss(model, inputs, *args, **kwargs)

        def _mask_id(self) -> int:
            if not hasattr(self, "_hiding"):
                embeddings = self.accelerator.unwrap_model(self.model).get_input_embeddings().num_embeddings
                self._hiding = mask_id(self.processing_class, embeddings)
                logger.info("train: %r stands for hidden tokens", self.processing_class.decode([self._hiding]))
            return self._hiding

    return Masking


def mask_id(tokenizer: Any, num_embeddings: int) -> int:
    """What stands for a hidden token: one for that, one that no text has, or else the end of text."""
    if tokenizer.mask_token_id is not None:
        return int(tokenizer.mask_token_id)
    if len(tokenizer) < num_embeddings:
        return num_embeddings - 1
    return int(tokenizer.eos_token_id if tokenizer.unk_token_id is None else tokenizer.unk_token_id)
