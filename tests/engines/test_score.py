"""Likelihoods are those of torch, in every engine and in whatever company a text is scored."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import Engine, Likelihood, Request, Sampling, ScoreRequest
from pipeline.engines.scripted import Scripted
from pipeline.engines.server import Server
from pipeline.engines.transformers import Transformers
from pipeline.errors import SproutError
from pipeline.resources import NANO
from tests.engines.tiny_engines import QUIET, ready

torch = pytest.importorskip("torch", reason="torch is not installed")
pytestmark = QUIET

CrossEntropy = Callable[[str, str, str], list[float]]
LONG = "Classify the sentiment of the review as positive or negative. " * 6
PLAIN = [  # prompt, continuation
    ("Give three tips", " for staying healthy."),
    ("Give three tips", " for"),
    (LONG + "Good. ", "positive"),
    (LONG + "Good. ", "negative or positive, who knows"),
    (LONG, "Bad"),
    ("Task:\n\n", "\n\nsort the numbers"),
    ("Is it", " possible?\nYes, quite easily!"),
    ("", "Write a short story about a fox and a crow."),
    ("3, 1, 4", ", 1, 5, 9, 2 and 6"),
]


@pytest.fixture(scope="session")
def cross_entropy() -> CrossEntropy:
    """The negative loss of each token, one text at a time."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded: dict[str, Any] = {}

    def of(model: str, prompt: str, continuation: str) -> list[float]:
        if model not in loaded:
            net: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64)
            loaded[model] = net, AutoTokenizer.from_pretrained(model)
        net, tokenizer = loaded[model]
        before, after = tokenizer(prompt).input_ids, tokenizer(continuation).input_ids
        with torch.inference_mode():
            logits = net(torch.tensor([before + after])).logits[0]
        losses = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor((before + after)[1:]), reduction="none")
        return [-float(loss) for loss in losses[max(0, len(before) - 1) :]]

    return of


def asked(pairs: list[tuple[str, str]], **fields: Any) -> list[ScoreRequest]:
    return [
        ScoreRequest(id=f"r{number}", prompt=prompt, continuation=continuation, **fields)
        for number, (prompt, continuation) in enumerate(pairs)
    ]


def near(found: Likelihood, expected: list[float], tolerance: float = 1e-4) -> None:
    assert found.error == ""
    assert found.per_token == pytest.approx(expected, abs=tolerance)
    assert found.num_tokens == len(expected)
    assert found.sum == pytest.approx(sum(expected), abs=tolerance * len(expected))


def test_a_plain_continuation_is_as_likely_as_torch_says(
    model: Engine, chat_model: str, cross_entropy: CrossEntropy
) -> None:
    for found, (prompt, continuation) in zip(model.score(asked(PLAIN)), PLAIN, strict=True):
        near(found, cross_entropy(chat_model, prompt, continuation))


def test_the_end_of_text_counts_if_asked(model: Engine, chat_model: str, cross_entropy: CrossEntropy) -> None:
    for found, (prompt, continuation) in zip(model.score(asked(PLAIN, count_end=True)), PLAIN, strict=True):
        near(found, cross_entropy(chat_model, prompt, continuation + "<|end|>"))


@pytest.mark.parametrize("count_end", [False, True])
def test_an_answer_is_scored_as_the_chat_template_puts_it(
    model: Engine, chat_model: str, cross_entropy: CrossEntropy, count_end: bool
) -> None:
    messages = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"})
    requests = [
        ScoreRequest(id="a", prompt=messages, continuation="Yes, quite easily!", count_end=count_end),
        ScoreRequest(id="b", prompt=messages[1:], continuation="Yes", count_end=count_end),
    ]
    end = "<|end|>" if count_end else ""
    first, second = model.score(requests)
    near(
        first,
        cross_entropy(chat_model, "<|system|>Be brief.\n<|user|>Hello\n<|assistant|>", f"Yes, quite easily!{end}"),
    )
    near(second, cross_entropy(chat_model, "<|user|>Hello\n<|assistant|>", f"Yes{end}"))


def test_neither_company_nor_order_nor_what_was_asked_before_changes_a_likelihood(model: Engine) -> None:
    requests = asked(PLAIN)
    alone = [next(model.score([request])) for request in requests]
    sampling = Sampling(temperature=0, max_tokens=2)
    list(model.generate(Request(id=one.id, prompt=f"{one.prompt}x", sampling=sampling) for one in requests))  # caches
    for order in (requests * 3, requests[::-1]):
        for found, request in zip(model.score(order), order, strict=True):
            expected = alone[int(request.id[1:])]
            near(found, list(expected.per_token), 2e-5)
            assert (found.id, found.prompt_tokens) == (expected.id, expected.prompt_tokens)


def test_the_choices_of_an_answer_share_its_probability(model: Engine) -> None:
    """A token after a prompt that every choice shares: no probability is lost, or counted twice."""
    letters = [chr(code) for code in range(33, 127)]
    found = list(model.score(asked([(LONG, letter) for letter in letters])))
    assert 0 < sum(2.718281828459045**one.sum for one in found if one.num_tokens == 1) < 1


def test_what_cannot_be_scored_says_why_and_stops_no_other(model: Engine) -> None:
    too_long, empty, good = model.score(asked([("Yes", " three tips" * 300), ("Yes", ""), ("Yes", ", quite")]))
    assert "256" in too_long.error
    assert empty.error == "the continuation has no token that can be scored"
    assert (good.error, too_long.per_token, empty.num_tokens) == ("", (), 0)


def test_likelihoods_come_in_order_and_are_announced_when_they_arrive(engine: Engine) -> None:
    requests, there = asked(PLAIN * 4), list[str]()
    unique = [request.model_copy(update={"id": f"n{number}"}) for number, request in enumerate(requests)]
    for found in engine.score(unique, arrived=lambda request, likelihood: there.append(likelihood.id)):
        assert found.id in there
    assert sorted(there) == sorted(request.id for request in unique)
    assert [found.id for found in engine.score(unique)] == [request.id for request in unique]


def test_a_source_of_texts_that_has_none_for_now_is_asked_again(engine: Engine) -> None:
    handed_out = 0

    def requests() -> Iterator[ScoreRequest | None]:
        for number, request in enumerate(asked(PLAIN)):
            while number - handed_out >= 2:
                yield None
            yield request

    found = []
    for likelihood in engine.score(requests()):
        handed_out += 1
        found.append(likelihood.id)
    assert found == [f"r{number}" for number in range(len(PLAIN))]


def test_an_endless_stream_of_texts_can_be_left(engine: Engine) -> None:
    endless = (request for _ in itertools.repeat(0) for request in asked(PLAIN))
    scored = engine.score(endless)
    assert [one.id for one in itertools.islice(scored, 3)] == ["r0", "r1", "r2"]
    scored.close()
    assert [one.id for one in engine.score(asked(PLAIN[:2]))] == ["r0", "r1"]
    assert list(engine.score([])) == []


@pytest.mark.parametrize("name", ["transformers", pytest.param("vllm", marks=pytest.mark.vllm)])
def test_the_embedded_model_gives_the_likelihoods_of_torch_again_after_it_was_closed(
    name: str, cross_entropy: CrossEntropy, request: pytest.FixtureRequest
) -> None:
    in_torch = name == "transformers"
    engine: Engine = Transformers(str(NANO), window=4) if in_torch else request.getfixturevalue("nano_in_vllm")
    pairs = [("Name the capital.\n\nFrance\n\n", "Paris"), ("Count from 2 to 5.\n\n", "2, 3, 4, 5"), *PLAIN]
    for closed in (False, True):
        if closed:
            engine.close()
        for found, (prompt, continuation) in zip(engine.score(asked(pairs)), pairs, strict=True):
            near(found, cross_entropy(str(NANO), prompt, continuation))


@pytest.mark.vllm
def test_without_the_tokenizer_a_server_scores_plain_text_and_nothing_else(vllm_url: str, chat_model: str) -> None:
    here, there = Server("tiny", ready(vllm_url), tokenizer=chat_model), Server("tiny", ready(vllm_url), chat=True)
    for one, other in zip(here.score(asked(PLAIN)), there.score(asked(PLAIN)), strict=True):
        near(one, list(other.per_token), 2e-5)
    message = ({"role": "user", "content": "Hello"},)
    for request in (
        ScoreRequest(id="a", prompt=message, continuation="Yes"),
        ScoreRequest(id="a", prompt="Hello", continuation="Yes", count_end=True),
    ):
        with pytest.raises(
            SproutError, match=r"needed here; set engine.tokenizer to its folder or its name on the hub"
        ):
            list(there.score([request]))
    assert there.pre_query() is None
    here.close()
    there.close()


def test_pieces_of_a_long_text_add_up(base_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.engines.transformers import likelihood

    whole = list(Transformers(base_model, dtype="float64").score(asked(PLAIN)))
    monkeypatch.setattr(likelihood, "MAX_LOGITS", 1)
    monkeypatch.setattr(likelihood, "MIN_PIECE", 3)
    monkeypatch.setattr(likelihood, "MAX_TOKENS", 100)
    for found, expected in zip(Transformers(base_model, dtype="float64").score(asked(PLAIN)), whole, strict=True):
        near(found, list(expected.per_token), 1e-9)


def test_a_text_as_long_as_the_context_can_be_scored(tmp_path: Path, base_model: str) -> None:
    found, too_long = Transformers(base_model).score(
        asked([(" tea" * 100, " tea" * 156), (" tea" * 100, " tea" * 157)])
    )
    assert (found.prompt_tokens, found.num_tokens) == (100, 156)
    assert too_long.error == "prompt and continuation have 257 tokens; the model takes 256"


def test_a_function_gives_a_log_probability_those_of_tokens_or_a_likelihood() -> None:
    answers: list[Any] = [-1.5, [-1.0, -2.0], Likelihood(id="r2", error="no")]
    engine = Scripted(lambda request: "", likelihood=lambda request: answers[int(request.id[1:])])
    one, two, three = engine.score(asked(PLAIN[:3]))
    assert (one.sum, one.num_tokens, two.sum, two.num_tokens, three.error) == (-1.5, 1, -3.0, 2, "no")
    with pytest.raises(SproutError, match="the engine Scripted cannot tell how likely a text is"):
        list(Scripted(lambda request: "").score(asked(PLAIN)))
