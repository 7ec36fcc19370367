"""Servers that tell likelihoods in one way, in another, or not at all."""

import math
import string
from typing import Any

import pytest

from pipeline.engines.base import Likelihood, Request, Sampling, ScoreRequest
from pipeline.errors import SproutError
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import Answer, Plan

TEXT = ScoreRequest(id="a", prompt="Hello,", continuation=" you")
NOTHING = Answer(body={"choices": [{"text": "x", "finish_reason": "length", "logprobs": None}]})


def logprob(place: int, token: str) -> float:
    """A toy's: by the place of a token and by its length."""
    return -place / 10 - len(token)


def cut(text: str) -> list[str]:
    """Two characters are a token; two blanks, or what is left, are one too."""
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def like_vllm(tried: int, body: dict[str, Any]) -> Answer:
    """Characters are tokens. A prompt of more than 40 of them is refused."""
    if "add_special_tokens" in body:
        return Answer(body={"tokens": [ord(one) for one in body["prompt"]]})
    if "prompt_logprobs" not in body:
        return Answer()
    ids = body["prompt"]
    if len(ids) > 40:
        return Answer(400, "This model's maximum context length is 40 tokens")
    told = [{str(one): {"logprob": logprob(place, chr(one))}} for place, one in enumerate(ids)]
    return Answer(body={"choices": [{"text": "", "finish_reason": "length", "prompt_logprobs": [None, *told[1:]]}]})


def like_openai(tried: int, body: dict[str, Any]) -> Answer:
    """The old completions: text and nothing else is taken, and told back with what is written after it."""
    if "add_special_tokens" in body:
        return Answer(404, "Not Found")
    if not body.get("echo"):
        return Answer()
    if not isinstance(body["prompt"], str):
        return Answer(400, "prompt must be a string")
    tokens = [*cut(body["prompt"]), "!"]
    told = [None, *(logprob(place, one) for place, one in list(enumerate(tokens))[1:])]
    logprobs = {"tokens": tokens, "token_logprobs": told}
    choice = {"text": "".join(tokens), "finish_reason": "length", "logprobs": logprobs}
    return Answer(body={"choices": [choice], "usage": {"prompt_tokens": len(tokens) - 1, "completion_tokens": 1}})


def expected(before: list[str], after: list[str]) -> list[float]:
    return [logprob(place, token) for place, token in enumerate([*before, *after]) if place >= len(before)]


def score(serve: Serve, connect: Connect, plan: Plan, *requests: ScoreRequest, **settings: Any) -> list[Likelihood]:
    return list(connect(serve(plan).url, **settings).score(requests))


def test_vllms_field_is_read_at_the_tokens_that_were_sent(serve: Serve, connect: Connect) -> None:
    (found,) = score(serve, connect, like_vllm, TEXT)
    assert found.per_token == pytest.approx(expected(list("Hello,"), list(" you")))
    assert (found.id, found.prompt_tokens) == ("a", 6)


def test_a_text_that_is_told_back_is_read_where_the_continuation_begins(serve: Serve, connect: Connect) -> None:
    (found,) = score(serve, connect, like_openai, TEXT)
    assert found.per_token == pytest.approx(expected(cut("Hello,"), cut(" you")))
    assert found.prompt_tokens == 3


def test_a_border_inside_a_token_is_told(serve: Serve, connect: Connect) -> None:
    inside, at_its_end = (TEXT.model_copy(update={"prompt": prompt}) for prompt in ("Hello", "Hello,"))
    one, other = score(serve, connect, like_openai, inside, at_its_end)
    assert one.error == "no token of the server begins where the continuation does; set engine.tokenizer"
    assert other.num_tokens == 2


def test_after_nothing_the_first_token_does_not_count(serve: Serve, connect: Connect) -> None:
    alone = ScoreRequest(id="a", prompt="", continuation="Hello,")
    for plan, tokens in ((like_vllm, list("Hello,")), (like_openai, cut("Hello,"))):
        (found,) = score(serve, connect, plan, alone)
        assert found.per_token == pytest.approx(expected(tokens[:1], tokens[1:]))


def refusing(status: int, message: str) -> Plan:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        strange = {"prompt_logprobs", "echo", "add_special_tokens"} & body.keys()
        return Answer(status, message) if strange else Answer()

    return plan


@pytest.mark.parametrize(
    "plan",
    [
        lambda tried, body: Answer(),  # ignores what it does not know
        lambda tried, body: NOTHING,
        lambda tried, body: Answer(body=b"<html>hello</html>") if "add_special_tokens" in body else NOTHING,
        refusing(400, "Unrecognized request argument supplied: echo"),
        refusing(422, "extra fields not permitted"),
        refusing(404, "Not Found"),
        refusing(501, "echo is not supported"),
    ],
)
def test_a_server_that_tells_no_likelihood_is_said_to(serve: Serve, connect: Connect, plan: Plan) -> None:
    message = "knows neither prompt_logprobs nor echo with logprobs, so it cannot tell how likely a text is; serve"
    with pytest.raises(SproutError, match=message):
        score(serve, connect, plan, TEXT)


def test_what_else_is_wrong_with_a_server_is_said_as_ever(serve: Serve, connect: Connect) -> None:
    with pytest.raises(SproutError, match="refuses the API key"):
        score(serve, connect, lambda tried, body: Answer(401, "who are you?"), TEXT)
    with pytest.raises(SproutError, match=r"does not serve llama at /v1/chat/completions; it serves tiny"):
        score(serve, connect, lambda tried, body: Answer(404, "Not Found"), TEXT, model="llama")


def test_a_busy_server_is_asked_again_and_a_text_it_refuses_is_set_aside(serve: Serve, connect: Connect) -> None:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        return Answer(503, "busy") if not tried and "prompt_logprobs" in body else like_vllm(tried, body)

    long = ScoreRequest(id="long", prompt="x" * 30, continuation="y" * 30)
    bad, good = score(serve, connect, plan, long, TEXT)
    assert bad.error == "This model's maximum context length is 40 tokens"
    assert good.num_tokens == 4


def test_many_texts_come_in_order(serve: Serve, connect: Connect) -> None:
    texts = [TEXT.model_copy(update={"id": str(n), "continuation": "x" * (1 + n % 7)}) for n in range(100)]
    found = score(serve, connect, like_vllm, *texts, window=16)
    assert [one.id for one in found] == [str(number) for number in range(100)]
    assert [one.num_tokens for one in found] == [1 + number % 7 for number in range(100)]
    assert all(math.isfinite(one.sum) for one in found)


def test_prompt_and_continuation_are_cut_apart_where_they_would_melt(serve: Serve, connect: Connect) -> None:
    """A toy whose tokens of letters are words: "Hel" + "lo" is one of them."""
    words = {word: number for number, word in enumerate(["Hel", "lo", "Hello", " ", *string.punctuation])}

    def plan(tried: int, body: dict[str, Any]) -> Answer:
        if "add_special_tokens" in body:
            text = body["prompt"]
            return Answer(body={"tokens": [words[text]] if text in words else [0]})
        return like_vllm(tried, body)

    (found,) = score(serve, connect, plan, ScoreRequest(id="a", prompt="Hel", continuation="lo"))
    assert found.per_token == pytest.approx([logprob(1, chr(words["lo"]))])


def knows_begun(tried: int, body: dict[str, Any]) -> Answer:
    if body.get("continue_final_message") and body.get("add_generation_prompt"):
        return Answer(400, "Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
    return Answer()


def test_an_answer_is_begun_only_where_the_server_goes_on_with_it(serve: Serve, connect: Connect) -> None:
    request = Request(id="a", prompt=({"role": "user", "content": "Hello"},), sampling=Sampling(), prefill="Yes")
    server = serve(knows_begun)
    engine = connect(server.url, chat=True)
    assert engine.can_prefill
    (completion,) = engine.generate([request])
    body = server.calls[-1][2]
    assert completion.finish_reason == "stop"
    assert body["messages"][-1] == {"role": "assistant", "content": "Yes"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize("plan", [lambda tried, body: Answer(), refusing(400, "x"), lambda *_: Answer(422, "unknown")])
def test_a_server_that_would_answer_anew_is_not_asked_to_go_on(serve: Serve, connect: Connect, plan: Plan) -> None:
    engine = connect(serve(plan).url, chat=True)
    begun = Request(id="a", prompt=({"role": "user", "content": "Hello"},), sampling=Sampling(), prefill="Yes")
    assert not engine.can_prefill
    with pytest.raises(
        SproutError, match="cannot begin an answer with a given text, which takes continue_final_message"
    ):
        list(engine.generate([begun]))


def test_a_plain_prompt_simply_goes_on(serve: Serve, connect: Connect) -> None:
    server = serve()
    list(connect(server.url).generate([Request(id="a", prompt="Hello,", sampling=Sampling(), prefill=" I")]))
    assert server.calls[-1][2]["prompt"] == "Hello, I"


@pytest.mark.parametrize(
    ("sampling", "sent"),
    [
        ({}, {}),
        ({"top_k": 5, "min_tokens": 3}, {"top_k": 5, "min_tokens": 3}),
        ({"top_k": 5, "temperature": 0.0}, {}),
    ],
)
def test_what_changes_nothing_is_not_sent(
    serve: Serve, connect: Connect, sampling: dict[str, Any], sent: dict[str, Any]
) -> None:
    server = serve()
    list(connect(server.url).generate([Request(id="a", prompt="Hello", sampling=Sampling(**sampling))]))
    body = server.calls[-1][2]
    assert {key: value for key, value in body.items() if key in ("top_k", "min_tokens")} == sent
