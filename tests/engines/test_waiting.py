"""How long to wait, in the words of providers; and a model that is not there yet, which is worth waiting for."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pipeline.engines.server.waiting import retry_after, until_reset, wait_said
from pipeline.errors import EngineUnreachable, SproutError
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import Answer
from tests.engines.test_server import echoes, requests

NOW = datetime(2026, 3, 5, 12, 0, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        # OpenAI and Groq: of requests and of tokens, in the way that Go writes times
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m26.4s", "x-ratelimit-remaining-tokens": "9000", "x-ratelimit-reset-tokens": "6ms"}, 86.4),
        ({"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "8.64s", "x-ratelimit-remaining-tokens": "12", "x-ratelimit-reset-tokens": "6m0s"}, 8.64),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m0s"}, 60),
        ({"x-ratelimit-reset-requests": "10", "x-ratelimit-reset-tokens": "3"}, 3),  # Azure
        # Anthropic: times of day
        ({"anthropic-ratelimit-requests-remaining": "40", "anthropic-ratelimit-requests-reset": at(2), "anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": at(33)}, 33),
        ({"ratelimitbysize-remaining": "-20", "ratelimitbysize-reset": "23"}, 23),  # Mistral
        ({"x-ratelimit-reset": "12 sec", "x-tokenlimit-reset": "4"}, 4),  # Together
        ({"x-ratelimit-remaining-requests-day": "900", "x-ratelimit-reset-requests-day": "33011.382867", "x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "11.38"}, 11.38),  # Cerebras
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH + 42)}, 42),  # GitHub, and many gateways
        ({"X-RateLimit-Reset": str((EPOCH + 42) * 1000)}, 42),  # OpenRouter
        ({"ratelimit-limit": "100", "ratelimit-remaining": "0", "ratelimit-reset": "50"}, 50),  # drafts of the IETF
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"ratelimit": '"default";r=0;t=30', "ratelimit-policy": '"default";q=100;w=60'}, 30),
        ({"x-ratelimit-reset": format_datetime(NOW + timedelta(seconds=5), usegmt=True)}, 5),
        # nothing to go by
        ({"x-ratelimit-reset": str(EPOCH - 42)}, 0),
        ({"x-ratelimit-reset-requests": "soon", "x-ratelimit-limit-requests": "60"}, 0),
        ({"x-ratelimit-reset": "999999999"}, 0),
        ({"x-ratelimit-over-limit": "yes", "strict-transport-security": "max-age=31536000"}, 0),
        ({}, 0),
    ],
)  # fmt: skip
def test_the_time_until_a_limit_is_lifted_is_found(headers: dict[str, str], seconds: float) -> None:
    assert until_reset({"date": format_datetime(NOW, usegmt=True), **headers}) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": str(EPOCH + 9)}, 9),  # Cloud Foundry
        ({"retry-after": "3s"}, 3),
        ({"retry-after-ms": "20", "retry-after": "1"}, 0.02),
        ({"retry-after": at(8)}, 8),
    ],
)
def test_retry_after_is_read_in_the_spellings_that_occur(headers: dict[str, str], seconds: float) -> None:
    assert retry_after({"date": format_datetime(NOW, usegmt=True), **headers}) == pytest.approx(seconds)


def test_limits_that_stand_in_the_body_of_an_answer_count_too() -> None:
    soon = int((datetime.now(UTC).timestamp() + 30) * 1000)
    plain = f'{{"metadata": {{"headers": {{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{soon}"}}}}}}'

    for body in (plain, plain.replace('"', r"\"")):
        assert 25 < wait_said(body) <= 30
    assert wait_said('{"error": "Model x is currently loading", "estimated_time": 20.5}') == 20.5
    assert wait_said('{"type": "rate_limit_error", "rate_limit_reached": "yes"}') == 0


def test_the_wait_until_a_limit_is_lifted_is_kept_after_429_alone(serve: Serve, connect: Connect) -> None:
    limits = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "600ms"}
    for status, least, most in ((429, 0.6, 10), (500, 0, 0.55)):
        stand_in = serve(lambda tried, body, status=status: Answer() if tried else Answer(status, headers=limits))
        assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)
        first, second = (when for when, *_ in stand_in.calls)
        assert least <= second - first < most


@pytest.mark.parametrize("num_servers", [1, 2])
def test_a_wait_beyond_patience_does_not_hold_up_a_server_that_answers(
    serve: Serve, connect: Connect, num_servers: int
) -> None:
    start, later = time.monotonic(), Answer(429, "come back next year", {"Retry-After": "31536000"})
    urls = [serve(lambda tried, body: later if not tried and "Hello" not in str(body) else Answer()).url]
    urls += [serve(lambda tried, body: later).url for _ in range(num_servers - 1)]
    assert list(connect(urls, window=3, patience=0.5).generate(requests(5))) == echoes(5)
    assert time.monotonic() - start < 20


def test_a_wait_beyond_patience_of_every_server_ends_it(serve: Serve, connect: Connect) -> None:
    later = Answer(429, "come back next year", {"Retry-After": "31536000"})
    urls = [serve(lambda tried, body: later).url for _ in range(2)]
    with pytest.raises(EngineUnreachable, match=r"from any server .*: come back next year; .*: come back next year"):
        list(connect(urls, window=4, patience=0.5).generate(requests(5)))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "model 'tiny' is being downloaded (45 %)"),
        (404, "The model tiny is still loading, please try again"),
        (500, "Model is not ready, it is still building or deploying."),
        (400, "Model tiny isn't ready yet"),
        (503, "Loading model"),
        (404, "Loading model"),
    ],
)
def test_a_model_that_is_being_loaded_is_waited_for(serve: Serve, connect: Connect, status: int, words: str) -> None:
    stand_in = serve(lambda tried, body: Answer() if tried > 1 else Answer(status, words))
    assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)


@pytest.mark.parametrize(
    "words",
    [
        'model "tiny" not found, try pulling it first',
        "No models loaded. Please load a model first.",
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
        "Model not found, inaccessible, and/or not deployed",
        "Failed to load model",
    ],
)  # fmt: skip
def test_a_model_that_will_not_come_by_itself_ends_the_run_at_once(serve: Serve, connect: Connect, words: str) -> None:
    with pytest.raises(SproutError, match=r"does not serve|but not at"):
        list(connect(serve(lambda tried, body: Answer(404, words)).url).generate(requests(1)))
