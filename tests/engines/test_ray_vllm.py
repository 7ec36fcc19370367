"""Two real replicas of vLLM on nano give what one process gives."""

import hashlib

import pytest

from pipeline.engines.base import Engine, Request, Sampling, ScoreRequest
from pipeline.engines.ray import Ray
from pipeline.engines.vllm import VLLM
from pipeline.resources import NANO
from tests.engines.tiny_engines import OF_NANO, QUIET

pytestmark = [*QUIET, pytest.mark.vllm]
WORDS = ("tea", "river", "poem", "market", "violin")


def digest(engine: Engine) -> str:
    """Of what an engine answers to 60 requests, and of some likelihoods, to four digits."""
    asked = [
        Request(
            id=f"r{number}",
            prompt=f"{number}. Write about a {WORDS[number % 5]}",
            sampling=Sampling(max_tokens=4 + number % 20, temperature=number % 3 * 0.5, seed=number),
        )
        for number in range(60)
    ]
    texts = [one.text for one in engine.generate(asked)]
    scored = [
        ScoreRequest(id=f"s{number}", prompt="Name a", continuation=f" {word}") for number, word in enumerate(WORDS)
    ]
    likelihoods = [f"{one.sum:.4f}" for one in engine.score(scored)]
    return hashlib.sha256("\n".join((*texts, *likelihoods)).encode()).hexdigest()


def test_two_replicas_answer_as_one_process_does(connected: None, nano_in_vllm: VLLM) -> None:
    spread = Ray(str(NANO), num_replicas=2, slots=16, chat=False, **OF_NANO)
    found = digest(spread)
    spread.close()

    assert found == digest(nano_in_vllm)
