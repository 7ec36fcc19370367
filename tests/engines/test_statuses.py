"""Errors with a status that says something else than their words."""

import time
from typing import Any

import pytest

from pipeline.errors import SproutError
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import MODELS, Answer
from tests.engines.test_server import echoes, requests


def error(number: int, message: str, **fields: Any) -> Answer:
    return Answer(number, body={"error": {"message": message} | fields})


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (error(400, "API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"), "refuses the API key for tiny (401): API key not valid"),
        (error(400, "Incorrect API key provided: xa***. You can obtain an API key from https://console.x.ai."), "refuses the API key for tiny (401)"),
        (error(403, "You have been blocked"), "refuses access to tiny (403): You have been blocked; if that is for the key, there is no key"),
        (error(400, "Your credit balance is too low to access the Anthropic API."), "requires payment first (Your credit balance is too low"),
        (error(400, "Budget has been exceeded! Current cost: 10.01, Max budget: 10.0", type="budget_exceeded"), "requires payment first (Budget"),
        (error(400, "Access denied, please make sure your account is in good standing.", code="Arrearage"), "requires payment first (Access denied"),
        (error(403, "The request failed because your account has an overdue balance."), "requires payment first (The request failed"),
        (error(429, "Your account is suspended", type="exceeded_current_quota_error"), "requires payment first (Your account"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("num_servers", [1, 2])
def test_what_no_wait_mends_ends_it_at_once(
    serve: Serve, connect: Connect, answer: Answer, sentence: str, num_servers: int
) -> None:
    servers = [serve(lambda tried, body: answer) for _ in range(num_servers)]
    with pytest.raises(SproutError) as caught:
        list(connect([one.url for one in servers], patience=60).generate(requests(5)))
    assert sentence in str(caught.value)
    assert sum(len(one.calls) for one in servers) < 20


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, body={"message": "Too many requests, please wait before trying again.", "__type": "ThrottlingException"}),
        Answer(400, body={"message": "Too many tokens, please wait before trying again."}),
        error(403, "Quota exceeded", errors=[{"reason": "rateLimitExceeded"}], code="rate_limit_exceeded"),
        error(429, "You exceeded your current quota, please check your plan and billing details. Please retry in 0.05s."),
        Answer(body={"error": {"message": "Rate limit reached", "code": 400}}),
        Answer(403, body=b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
        Answer(404, body=b"no healthy upstream"),
    ],
    ids=["AWS", "AWS, of tokens", "Google", "Gemini", "in a 200", "Envoy", "Envoy, without a server"],
)  # fmt: skip
def test_a_limit_that_passes_is_waited_out(serve: Serve, connect: Connect, answer: Answer) -> None:
    stand_in = serve(lambda tried, body: Answer() if tried else answer)
    assert list(connect(stand_in.url).generate(requests(3))) == echoes(3)


def test_a_prompt_that_is_flagged_is_set_aside_at_once(serve: Serve, connect: Connect) -> None:
    flagged = error(403, "Your chosen model requires moderation and your input was flagged", code=403,
                    metadata={"reasons": ["violence"], "flagged_input": "p0 …"})  # fmt: skip
    start, stand_in = time.monotonic(), serve(lambda tried, body: flagged if body["prompt"] == "p0" else Answer())
    first, *others = connect(stand_in.url, patience=60).generate(requests(4))
    assert (first.finish_reason, "your input was flagged" in first.text) == ("error", True)
    assert others == echoes(4)[1:]
    assert stand_in.tries["p0"] == 1
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("models", [{"data": None}, {"data": []}])
def test_a_server_without_a_model_is_told_with_its_words(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, models: dict[str, Any]
) -> None:
    monkeypatch.setitem(MODELS, "data", models["data"])  # as Ollama and LM Studio before they have one
    stand_in = serve(lambda tried, body: error(404, "No models loaded. Use the `lms load` command."))
    with pytest.raises(SproutError) as caught:
        list(connect(stand_in.url).generate(requests(2)))
    assert str(caught.value) == (
        f"{stand_in.url}: has no model yet (No models loaded. Use the `lms load` command); load tiny there first"
    )


def test_one_reason_for_messages_and_plain_text_is_no_question_of_chat(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: error(400, "User location is not supported for the API use."))
    with pytest.raises(SproutError) as caught:
        assert connect(stand_in.url, chat=None).chat
    assert str(caught.value) == (
        f"{stand_in.url}: refuses a small request to tiny, as messages and as plain text: User location is not supported "
        f"for the API use; if only such a small one is refused, set engine.chat = true or false"
    )
