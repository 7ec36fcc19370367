"""Scores by the embedded model are those of torch, whatever its batches and pieces, and after any interruption."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import Instance, Task, run
from pipeline.engines.transformers import Transformers, likelihood
from pipeline.resources import NANO
from pipeline.runs.journal import FILE
from pipeline.runs.run import RunOptions
from pipeline.stages.score import Score
from tests.stages.conftest import save_model

torch = pytest.importorskip("torch", reason="torch is not installed")

Losses = Callable[[str, str], list[float]]
TEXTS = (
    ("Name the capital of the country.", "France", "Paris"),
    ("Count from 2 to 5.", "", "2, 3, 4, 5"),
    ("Say whether the word is an animal.", "horse", "yes"),
    ("Say whether the word is an animal.", "stone", "no, it is not, and never was one"),
    ("Write the word backwards.", "river", "revir"),
    ("Write a story.", "", "Once there was a fox. " * 4),
    ("Nothing.", "", ""),
)
SCORERS: dict[str, Any] = {
    "scorers": ("likelihood", "ifd", "ratio=ifd", "complexity=choices", "margin", "length"),
    "options": {
        "ratio": {"form": "perplexity"},
        "complexity": {"template": "score_complexity"},
        "margin": {"minus": "base"},
    },
}


def tasks() -> list[Task]:
    return [
        Task(id=f"t{n}", instruction=text, instances=(Instance(input=given, output=output),))
        for n, (text, given, output) in enumerate(TEXTS)
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def losses() -> Losses:
    """The loss of each token of a text after another, by torch alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded: dict[str, Any] = {}

    def of(prompt: str, text: str, model: str = str(NANO)) -> list[float]:
        if model not in loaded:
            network: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64)
            loaded[model] = network, AutoTokenizer.from_pretrained(model)
        network, tokenizer = loaded[model]
        before, after = (tokenizer(one, add_special_tokens=False).input_ids for one in (prompt, text))
        ids = torch.tensor([before + after])
        with torch.inference_mode():
            logits = network(ids).logits[0]
        found = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:], reduction="none")
        return [float(one) for one in found[max(0, len(before) - 1) :]]

    return of


def scored(folder: Path, base: str, window: int) -> list[Task]:
    engine = Transformers(str(NANO), chat=False, dtype="float64", window=window)
    options = RunOptions(engines={"base": Transformers(base, dtype="float64", window=window)})
    found = list(run([Score(**SCORERS)], tasks(), engine, folder, options))
    engine.close()
    return found


def mean(numbers: list[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def test_likelihood_ifd_margin_and_choices_on_nano_are_those_of_torch(tmp_path: Path, base: str, losses: Any) -> None:
    for task, (text, given, output) in zip(scored(tmp_path, base, 4), TEXTS, strict=True):
        prompt = f"{text}\n\n{given}\n\n" if given else f"{text}\n\n"
        stage = Score(**SCORERS)
        rating = stage.wording(Transformers(str(NANO), chat=False), {}).render(
            "score_complexity", instruction=text, input=given, output=output, lowest=1, highest=6
        )
        ratings = {n: math.exp(-math.fsum(losses(rating, f" {n}"))) for n in range(1, 7)}
        expected = math.fsum(n * share for n, share in ratings.items()) / math.fsum(ratings.values())
        assert task.scores["complexity"] == pytest.approx(expected, abs=1e-6)
        if not output:
            assert list(task.scores) == ["complexity", "length"]
            continue
        after, alone = mean(losses(prompt, output)), losses("", output)
        assert task.scores["likelihood"] == pytest.approx(-after, abs=1e-6)
        assert task.scores["margin"] == pytest.approx(mean(losses(prompt, output, base)) - after, abs=1e-6)
        if alone:  # a text of one token has none that something comes before
            assert task.scores["ifd"] == pytest.approx(after / mean(alone), abs=1e-6)
            assert task.scores["ratio"] == pytest.approx(math.exp(after - mean(alone)), abs=1e-6)
        else:
            assert not {"ifd", "ratio"} & task.scores.keys()


def test_neither_batch_nor_piece_nor_an_interruption_changes_a_byte(
    tmp_path: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(tmp_path / "whole", base, 64)
    whole = (tmp_path / "whole" / "1_score.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "whole" / "1_score.jsonl").write_bytes(b"".join(lines[:2]))
    (tmp_path / "whole" / FILE).unlink()
    scored(tmp_path / "whole", base, 1)
    assert (tmp_path / "whole" / "1_score.jsonl").read_bytes() == whole
    monkeypatch.setattr(likelihood, "MAX_TOKENS", 64)
    monkeypatch.setattr(likelihood, "MAX_LOGITS", 1 << 14)
    monkeypatch.setattr(likelihood, "MIN_PIECE", 3)
    scored(tmp_path / "pieces", base, 8)
    assert (tmp_path / "pieces" / "1_score.jsonl").read_bytes() == whole
