"""Pre-train nano, the embedded base model, from scratch: `python -m pipeline.nano.pretrain --minutes 100`.

It may be killed: the same command continues from the last checkpoint.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.nano.documents import documents

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
CONTEXT = 2048  # positions the model has
SHORT, LONG, LONG_FROM = 512, 1024, 0.7  # tokens of a training row, at first and from this share of the time on
TOKENS = 4096  # tokens a step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/nano"), help="folder to write the model to")
    parser.add_argument(
        "--minutes", type=float, default=100, help="time to train; the learning rate falls to the end of it"
    )
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--vocabulary", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    parser.add_argument("--random-seed", type=int, default=0)
    pretrain(**vars(parser.parse_args()))


def pretrain(
    out: Path,
    minutes: float,
    width: int = 192,
    layers: int = 4,
    vocabulary: int = 2048,
    threads: int = 0,
    random_seed: int = 0,
) -> float:
    """Train for `minutes` and save a Hugging Face folder in `out`; returns the mean loss of the last 20 steps, in nats."""
    import torch

    torch.manual_seed(random_seed)
    torch.set_num_threads(threads or torch.get_num_threads())
    tokenizer = get_tokenizer(out, vocabulary, random_seed)
    model = new_model(len(tokenizer), width, layers)
    optimizers = make_optimizers(model)
    step, spent = restore(out, model, optimizers)
    losses: list[float] = []
    began = saved = time.monotonic()
    stream = documents(f"{random_seed}:{step}")
    while (share := (spent + time.monotonic() - began) / (60 * minutes)) < 1:
        rows = next_rows(tokenizer, stream, SHORT if share < LONG_FROM else LONG)
        factor = min(1, (step + 1) / 50) * (0.02 + 0.98 * min(1, 1.6 * (1 - share)))
        losses.append(train_step(model, optimizers, rows, factor))
        step += 1
        if step % 25 == 0:
            speed = len(losses) * TOKENS / (time.monotonic() - began)
            recent = sum(losses[-25:]) / len(losses[-25:])
            print(
                f"{share:4.0%}  step {step}  {step * TOKENS / 1e6:.1f}M tokens  {speed:.0f} tokens/s  loss {recent:.3f}",
                flush=True,
            )
        if time.monotonic() - saved > 120:
            saved = time.monotonic()
            checkpoint(out, model, optimizers, step, spent + saved - began)
    save(model, tokenizer, out)
    return sum(losses[-20:]) / max(1, len(losses[-20:]))


def save(model: Any, tokenizer: "PreTrainedTokenizerFast", out: Path) -> None:
    """Save in bfloat16, which halves the file."""
    import torch

    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def checkpoint(out: Path, model: Any, optimizers: "list[torch.optim.Optimizer]", step: int, spent: float) -> None:
    import torch

    out.mkdir(parents=True, exist_ok=True)
    state = {
        "model": model.state_dict(),
        "optimizers": [o.state_dict() for o in optimizers],
        "step": step,
        "spent": spent,
    }
    torch.save(state, out / "checkpoint.tmp")
    (out / "checkpoint.tmp").replace(out / "checkpoint.pt")


def restore(out: Path, model: Any, optimizers: "list[torch.optim.Optimizer]") -> tuple[int, float]:
    """Load the checkpoint in `out`; return its step and the seconds spent, (0, 0) if there is none."""
    import torch

    if not (out / "checkpoint.pt").exists():
        return 0, 0.0
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return state["step"], state["spent"]


def get_tokenizer(out: Path, vocabulary: int, random_seed: int) -> "PreTrainedTokenizerFast":
    """The tokenizer of the checkpoint in `out`, or a new one."""
    from transformers import PreTrainedTokenizerFast

    if (out / "tokenizer.json").exists():
        known: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(out)
        return known
    tokenizer = train_tokenizer(vocabulary, random_seed)
    tokenizer.save_pretrained(out)
    return tokenizer


def train_tokenizer(vocabulary: int, random_seed: int) -> "PreTrainedTokenizerFast":
    """A byte-level BPE in which nearly every word of nano's world is one token; it can encode any text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    stream = documents(f"{random_seed}:tokenizer")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((next(stream) for _ in range(6000)), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=END, pad_token=END, model_max_length=CONTEXT, padding_side="left"
    )


def new_model(vocabulary: int, width: int, layers: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    heads = width // 32
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=8 * width // 3 // 32 * 32, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=CONTEXT, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config)  # type: ignore[no-untyped-call]


def make_optimizers(model: Any) -> "list[torch.optim.Optimizer]":
    """Muon for the matrices of the layers, AdamW for embeddings and norms."""
    import torch

    from pipeline.nano.muon import Muon

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [Muon(matrices, lr=0.01, decay=0.3), torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.95), weight_decay=0.0)]


def train_step(model: Any, optimizers: "list[torch.optim.Optimizer]", rows: "torch.Tensor", factor: float) -> float:
    import torch

    loss = model(input_ids=rows, labels=rows).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.item())


def next_rows(tokenizer: "PreTrainedTokenizerFast", stream: Iterator[str], length: int) -> "torch.Tensor":
    """A tensor of shape (TOKENS / length, length). Each row begins with a document, as a prompt does."""
    import torch

    encode = tokenizer.backend_tokenizer.encode
    rows = []
    for _ in range(TOKENS // length):
        row: list[int] = []
        while len(row) < length:
            row += [*encode(next(stream)).ids, tokenizer.eos_token_id]
        rows.append(row[:length])
    return torch.tensor(rows)


if __name__ == "__main__":
    main()
