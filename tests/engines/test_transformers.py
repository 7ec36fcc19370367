"""What only the engine for a CPU promises: texts that depend on nothing but their own request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import Request, Sampling
from pipeline.engines.transformers import Transformers
from pipeline.errors import SproutError

torch = pytest.importorskip("torch", reason="torch is not installed")

PROMPTS = [
    "Give three tips",
    "Write a short story about a fox and a crow. Translate the sentence into French: I would like a cup of tea",
    "Task:",
    "Come up with a series of tasks:\n1. Explain why the sky is blue.\n2. Name the capital of Peru.\n3.",
    "Is it possible to finish",
]


def mixed(count: int) -> list[Request]:
    """Sampled and greedy requests of many lengths, with and without stop strings and penalties."""
    return [
        Request(
            id=f"r{number}",
            prompt=PROMPTS[number % 5] + " the" * (number % 7),
            sampling=Sampling(
                temperature=(0.0, 0.7, 1.0, 1.3)[number % 4],
                top_p=(1.0, 0.9, 0.5)[number % 3],
                presence_penalty=(0.0, 1.5)[number % 2],
                max_tokens=5 + 7 * (number % 9),
                stop=((), ("e ",), ("\n", "st"))[number % 3],
                seed=number if number % 4 else None,
            ),
        )
        for number in range(count)
    ]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_texts_do_not_depend_on_the_batch_nor_on_the_number_of_threads(base_model: str) -> None:
    requests = mixed(72)
    runs = []
    for window, threads in [(1, 1), (7, 2), (32, 1), (32, 2)]:
        torch.set_num_threads(threads)
        runs.append(list(Transformers(base_model, dtype="float64", window=window).generate(requests)))
    assert runs[1:] == runs[:1] * 3
    assert len({completion.text for completion in runs[0]}) > 60


def test_a_beginning_shared_by_a_batch_changes_no_text(base_model: str) -> None:
    """Batches of 8 that share a beginning, a shorter one, another, none, and the first again."""
    long = "Classify the sentiment of the review as positive or negative. " * 6
    beginnings = [long, long[:200], "Is it possible to finish the job by noon? " * 4, "", long]
    requests = [
        request.model_copy(update={"prompt": beginnings[number // 8] + str(request.prompt)})
        for number, request in enumerate(mixed(40))
    ]
    alone = list(Transformers(base_model, dtype="float64", window=1).generate(requests))
    assert list(Transformers(base_model, dtype="float64", window=8).generate(requests)) == alone


def test_sampling_follows_the_probabilities_of_the_model(base_model: str) -> None:
    """The first token of 2,000 samples, against temperature and top_p worked out by hand."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_model)
    net = AutoModelForCausalLM.from_pretrained(base_model, dtype=torch.float64)
    logits = net(**tokenizer("Give three tips", return_tensors="pt")).logits[0, -1].detach()
    probabilities, order = (logits / 0.8).softmax(0).sort(descending=True)
    kept = int((probabilities.cumsum(0) < 0.7).sum()) + 1
    expected = {
        str(tokenizer.decode(int(order[rank]))): float(probabilities[rank] / probabilities[:kept].sum())
        for rank in range(kept)
    }
    requests = [
        Request(
            id=str(seed),
            prompt="Give three tips",
            sampling=Sampling(temperature=0.8, top_p=0.7, max_tokens=1, seed=seed),
        )
        for seed in range(2000)
    ]
    texts = [completion.text for completion in Transformers(base_model, dtype="float64", window=500).generate(requests)]
    assert set(texts) <= set(expected)
    for text, probability in expected.items():
        deviation = (2000 * probability * (1 - probability)) ** 0.5
        assert texts.count(text) == pytest.approx(2000 * probability, abs=4 * deviation)


def test_half_precision_is_not_used_on_a_cpu(tmp_path: Path, base_model: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(base_model, dtype=torch.bfloat16).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(base_model).save_pretrained(tmp_path)
    full = Transformers(str(tmp_path), dtype="float32", device="cpu")
    chosen = Transformers(str(tmp_path), device="cpu")
    assert list(chosen.generate(mixed(8)[1::2])) == list(full.generate(mixed(8)[1::2]))


def test_positions_end_where_the_model_does(tmp_path: Path, base_model: str) -> None:
    """GPT-2 has a table of positions; a row that is at its end must not carry the others past it."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(base_model)
    tokenizer.save_pretrained(tmp_path)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=1, n_head=2, eos_token_id=0)
    torch.manual_seed(0)
    net: Any = GPT2LMHeadModel(config)  # type: ignore[no-untyped-call]
    net.save_pretrained(tmp_path)
    sampling = Sampling(max_tokens=100, seed=1)
    requests = [Request(id=str(n), prompt=" tea" * n, sampling=sampling) for n in (60, 1, 1, 1, 1, 1, 1, 1, 1, 1)]
    completions = list(Transformers(str(tmp_path)).generate(requests))
    assert {completion.prompt_tokens + completion.completion_tokens for completion in completions} == {64}


def test_a_dtype_or_a_device_that_is_not_there_is_an_error_of_one_sentence(base_model: str) -> None:
    with pytest.raises(SproutError, match="dtype 'flaot32' is not known"):
        Transformers(base_model, dtype="flaot32")
    with pytest.raises(SproutError, match="cannot be loaded"):
        list(Transformers(base_model, device="toaster").generate(mixed(1)))


def test_weights_that_cannot_be_read_are_an_error_of_one_sentence(tmp_path: Path, base_model: str) -> None:
    for file in Path(base_model).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(SproutError, match="cannot be loaded"):
        list(Transformers(str(tmp_path)).generate(mixed(1)))
