"""Tiny random models, saved as any other model is."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    return lambda **options: save_model(tmp_path_factory.mktemp("model"), **options)


@pytest.fixture(scope="session")
def base_model(make_model: Callable[..., str]) -> str:
    return make_model()


@pytest.fixture(scope="session")
def chat_model(make_model: Callable[..., str]) -> str:
    return make_model(chat_template=CHAT_TEMPLATE)


@pytest.fixture
def heldout(tmp_path: Path) -> str:
    path = tmp_path / "heldout.jsonl"
    rows = [
        {"id": f"{task}{n}", "task": task, "category": category, "instruction": f"Count {task}?", "input": str(n)}
        for task, category in (("a", "Word Analogy"), ("b", "Title Generation"))
        for n in range(3)
    ]
    path.write_text("".join(f"{json.dumps(row | {'output': 'The 3 cats.'})}\n" for row in rows))
    return str(path)


def save_model(
    folder: Path, eos: str | None = "<|end|>", chat_template: str | None = None, dtype: str = "float32"
) -> str:
    """A random Llama of two layers and 32 dimensions, with a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|end|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["Name the capital of the country.\n\nInput: Output: Task: Peru Lima yes no"], trainer
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=eos, chat_template=chat_template)
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)
    return str(folder)
