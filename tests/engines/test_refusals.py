"""What refusals of servers come to, as tables: what they say, and what is asked otherwise."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server.dialect import Attempt, Dialect
from pipeline.engines.server.refusals import after_refusal
from pipeline.engines.server.room import fewer_tokens
from pipeline.engines.server.said import said
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.waiting import wait_said

SAMPLING = Sampling(temperature=0.7, top_p=0.5, presence_penalty=2, max_tokens=1000, stop=("\n\n",), seed=7)
CHAT = Request(id="r", prompt=({"role": "user", "content": "p"},), sampling=SAMPLING)
UNSUPPORTED = "Unsupported parameter: '{}' is not supported with this model."


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message} | fields}


def extra(*names: str) -> list[dict[str, Any]]:
    return [{"type": "extra_forbidden", "loc": ["body", one], "msg": "Extra inputs are not permitted"} for one in names]


def changes(body: object, request: Request = CHAT, status: int = 400) -> list[dict[str, Any]]:
    """What each other way to put the request leaves out, and what it has instead."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found, attempt = said(content, status), Attempt(Dialect())
    trouble = Trouble(f"answer {status}", found.words, status, params=found.params)
    before = attempt.body(request)
    ways = [way.body(request) for way in after_refusal(attempt, request, trouble, thoughts=500)]
    return [
        {key: after.get(key) for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        for after in ways
    ]


@pytest.mark.parametrize(
    ("body", "left_out"),
    [
        (error(UNSUPPORTED.format("temperature"), param="temperature", code="unsupported_parameter"), {"temperature"}),
        (error("Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is "
               "supported.", param="temperature", code="unsupported_value"), {"temperature"}),
        (error(UNSUPPORTED.format("top_p"), param="top_p"), {"top_p"}),
        (error(UNSUPPORTED.format("stop"), param="stop"), {"stop"}),
        (error("the model does not support the parameter `presence_penalty`"), {"presence_penalty"}),
        (error("Penalty is not enabled for models/gemini-2.5-flash", status="INVALID_ARGUMENT"), {"presence_penalty"}),
        ([error('Invalid JSON payload received. Unknown name "seed": Cannot find field.', code=400)], {"seed"}),
        ({"code": "Client specified an invalid argument", "error": "Argument not supported on this model: presencePenalty"},
         {"presence_penalty"}),
        ({"error": "Model grok-4 does not support parameter stop."}, {"stop"}),
        ({"error": "Argument not supported on this model: stop"}, {"stop"}),
        (error("`temperature` and `top_p` cannot both be specified for this model. Please use only one."), {"top_p"}),
        (error("litellm.UnsupportedParamsError: gemini does not support parameters: ['presence_penalty', 'seed'], for "
               "model=gemini. To drop these, set `litellm.drop_params=True`"), {"presence_penalty", "seed"}),
        (error("stop_sequences: each stop sequence must contain non-whitespace"), {"stop"}),
        (error("'presence_penalty' : property 'presence_penalty' is unsupported"), {"presence_penalty"}),
        (error("Validation: 'top_p' is immutable for this model and must be 0.95, got 0.5"), {"top_p"}),
        ({"object": "error", "message": {"detail": extra("seed")}, "type": "invalid_request_error"}, {"seed"}),
        ({"object": "error", "message": json.dumps({"detail": extra("presence_penalty")}), "code": "1000"},
         {"presence_penalty"}),
        ({"detail": extra("seed", "presence_penalty")}, {"seed", "presence_penalty"}),
        ({"title": "Unprocessable Entity", "status": 422,
          "detail": "body -> presence_penalty\n  Extra inputs are not permitted (type=extra_forbidden)"},
         {"presence_penalty"}),
        (error("Provider returned error", code=400, metadata={
            "raw": json.dumps(error("Unsupported parameter: 'top_p'", param="top_p")), "provider_name": "Azure"}), {"top_p"}),
        ({"message": "seed is not supported by this deployment"}, {"seed"}),
        ({"detail": "Random seed is not available"}, {"seed"}),
        ("top-p sampling is disabled here", {"top_p"}),
        ("<html><body><h1>400</h1><p>Unknown parameter <b>temperature</b></p></body></html>", {"temperature"}),
        ([{"loc": ["body", "stop"], "msg": "field not allowed"}], {"stop"}),
        (error("Unknown parameter 'presence_penalty'. Supported parameters are: temperature, top_p, max_tokens, stop."),
         {"presence_penalty"}),
        (error("Unrecognized request argument supplied: seed"), {"seed"}),
        (error("Additional properties are not allowed ('seed' was unexpected)"), {"seed"}),
        (error("create() got an unexpected keyword argument 'presence_penalty'"), {"presence_penalty"}),
        (error("`temperature` may only be set to 1 when thinking is enabled."), {"temperature"}),
        (error("This model does not support temperature, top_p"), {"temperature", "top_p"}),
        (error("Nucleus sampling is not available"), {"top_p"}),
        (error("topP is not supported"), {"top_p"}),
        (error("Stop words are not supported"), {"stop"}),
        (error("Too many stop sequences (1 > 0)"), {"stop"}),
        (error("the `stop` array can have at most 0 items"), {"stop"}),
        (error("seed must be >= 0 and <= 5"), {"seed"}),
        (error("参数 temperature 不支持"), {"temperature"}),
        (error("Range of seed should be [0, 5]"), {"seed"}),
        (error("it has a stopSequences value of 6 but the supported range is from 0 (inclusive) to 5"), {"stop"}),
        (error("unknown field `top_p`, expected one of `model`, `messages`, `temperature`, `stop`, `seed`"), {"top_p"}),
        (error("[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted', 'input': "
               "{'temperature': 0.7, 'top_p': 0.5, 'stop': ['a']}}]"), {"seed"}),
        ({"errors": [{"title": "Invalid Attribute", "detail": "presence_penalty: unknown field"}]}, {"presence_penalty"}),
    ],
)  # fmt: skip
def test_a_parameter_that_a_refusal_names_is_left_out(body: object, left_out: set[str]) -> None:
    assert changes(body)[-1] == dict.fromkeys(left_out)


@pytest.mark.parametrize(
    ("body", "sampling", "instead"),
    [
        (error("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
               param="max_tokens"), {}, {"max_tokens": None, "max_completion_tokens": 1000}),
        (error("Missing required parameter: 'max_completion_tokens'"), {},
         {"max_tokens": None, "max_completion_tokens": 1000}),
        (error("Output tokens: min 50"), {"max_tokens": 8}, {"max_tokens": 50}),
        (error("At least 16 output tokens are needed"), {"max_tokens": 8}, {"max_tokens": 16}),
        ({"detail": extra("max_tokens")}, {}, {"max_tokens": None, "max_completion_tokens": 1000}),
        (error("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 8 instead.",
               param="max_output_tokens"), {"max_tokens": 8}, {"max_tokens": 16}),
        (error("max_tokens must be at least 16"), {"max_tokens": 8}, {"max_tokens": 16}),
        ({"detail": [{"type": "greater_than_equal", "loc": ["body", "max_tokens"], "ctx": {"ge": 32},
                      "msg": "Input should be greater than or equal to 32"}]}, {"max_tokens": 8}, {"max_tokens": 32}),
        (error("Could not finish the message because max_tokens or model output limit was reached. Please try again with "
               "higher max_tokens."), {"max_tokens": 8}, {"max_tokens": 508}),
        ({"error": "Input validation error: `temperature` must be strictly positive", "error_type": "validation"},
         {"temperature": 0}, {"temperature": 0.01}),
        (error("temperature must be between 0.1 and 1"), {"temperature": 0}, {"temperature": 0.1}),
        (error("temperature must be in the range (0, 1]"), {"temperature": 2}, {"temperature": None}),
        ({"error": "Input validation error: `top_p` must be > 0.0 and < 0.4"}, {}, {"top_p": 0.39}),
        (error("presence_penalty: Input should be less than or equal to 1.5"), {}, {"presence_penalty": 1.5}),
        (error("max_tokens is too large: 1000. This model supports at most 400 completion tokens, whereas you provided "
               "1000.", param="max_tokens"), {}, {"max_tokens": 400}),
        (error("Invalid max_tokens value, the valid range of max_tokens is [1, 400]"), {}, {"max_tokens": 400}),
        (error("it has a maxOutputTokens value of 1000 but the supported range is from 1 (inclusive) to 401 (exclusive)."),
         {}, {"max_tokens": 400}),
        (error("it has a topK value of 64 but the supported range is from 1 (inclusive) to 41 (exclusive)."),
         {"top_k": 64}, {"top_k": 40}),
        (error("presence_penalty: range: 0..1"), {}, {"presence_penalty": 1}),
    ],
)  # fmt: skip
def test_a_value_that_is_refused_becomes_the_nearest_one_that_is_not(
    body: object, sampling: dict[str, Any], instead: dict[str, Any]
) -> None:
    request = CHAT.model_copy(update={"sampling": SAMPLING.model_copy(update=sampling)})
    assert changes(body, request)[0] == instead


def test_a_limit_on_prompt_and_answer_together_is_none_on_answers_alone() -> None:
    words = (
        "Request too large for model `small` on tokens per minute (TPM): Limit 1200, Requested 1300, please reduce your "
        "message size and try again."
    )
    way = next(after_refusal(Attempt(Dialect()), CHAT, Trouble("answer 413", words, 413)))
    assert (way.most, way.dialect.high) == (900, {})


@pytest.mark.parametrize(
    "words",
    [
        "bad weather",
        "Your prompt was flagged as sensitive",
        "Please stop sending so many requests",
        "The seed of the matter is elsewhere",
        "Request contains an invalid argument.",
        "This model's maximum context length is 256 tokens. However, your messages resulted in 300 tokens.",
    ],
)
def test_a_refusal_that_names_no_parameter_changes_nothing(words: str) -> None:
    assert changes(error(words)) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"message": "too odd", "code": 400}}', "too odd"),
        (b'{"error": "too odd"}', "too odd"),
        (b'{"error": null, "message": "too odd"}', "too odd"),
        (b'{"message": "too odd", "code": 400}', "too odd"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"loc": ["body", "stop"], "msg": "too many"}, {"msg": "too odd"}]}', "body.stop: too many; too odd"),
        (b'{"detail": [{"loc": ["body", "x"], "msg": "bad", "input": {"message": "no"}}]}', "body.x: bad"),
        (b'{"message": {"text": "odd"}}', "odd"),
        (b'{"error": {"code": "BadRequest", "message": "[{\\"message\\": \\"odd\\"}]"}}', "odd"),
        (b'[{"error": {"code": 400, "message": "too odd", "status": "INVALID_ARGUMENT"}}]', "too odd"),
        (b'{"error": {"message": "it failed", "metadata": {"raw": "too odd"}}}', "it failed; too odd"),
        (b'{"error": {"message": "too long", "n_prompt_tokens": 9, "n_ctx": 8}}', "too long, n_prompt_tokens = 9, n_ctx = 8"),
        (b'{"code": 1}', '{"code": 1}'),
        (b"<html><head><title>Bad Gateway</title><style>p{}</style></head><body><p>Try &amp; try</p></body></html>",
         "Bad Gateway Try & try"),
        (b"too <odd>\xff", "too <odd>\ufffd"),
        (b"[1]", "1"),
        (b"", "status 500"),
        (b"  ", "status 500"),
        (b"null", "status 500"),
        (b"{}", "status 500"),
        (b"[" * 100_000, "[" * 4000),
    ],
)  # fmt: skip
def test_what_an_error_says_is_found_in_any_shape(body: bytes, expected: str) -> None:
    assert said(body, 500).words == expected


PIECES = st.sampled_from(
    ["max_tokens", "temperature", "context length", "tokens", "exceeds", "maximum", "at least", ">", "<=", "+", "[", "]",
     "range", "between", "and", "not supported", "prompt", "try again in", "retryDelay", "1000", "4096", "-3", "1e9", "0.5",
     "9" * 40, "'stop'", "seed", "{", "}", '"', ":", ",", "\n", "s", "ms", "é", "\ud83d", "٣"]
)  # fmt: skip
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "detail", "loc", "msg", "param", "code", "metadata", "raw", "input", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_no_wording_of_a_refusal_breaks_its_reader(words: str) -> None:
    for request in (CHAT, CHAT.model_copy(update={"prompt": "p"})):
        trouble = Trouble("answer 400", words, 400)
        for way in after_refusal(Attempt(Dialect()), request, trouble, 100):
            assert way.limit_of(request) >= 1
            assert way.body(request)[way.dialect.limit] == way.limit_of(request)
    assert 0 <= fewer_tokens(words, 1000) < 1000
    assert wait_said(words) >= 0


@given(JSONS | st.binary(max_size=60))
def test_no_shape_of_an_error_breaks_its_reader(body: object) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert isinstance(said(content, 400).words, str)
    assert said(content, 400).words
