"""Servers are told the shape of an answer in words they know; one that knows none is asked without, and read as ever."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server.dialect import Attempt, Dialect
from pipeline.engines.server.refusals import after_refusal
from pipeline.engines.server.shape import SHAPES, in_shape, taken_out
from pipeline.engines.server.trouble import Trouble
from tests.engines.providers import (
    HEALTHY,
    HEALTHY_PLAIN,
    Provider,
    Refusal,
    bare,
    extra_forbidden,
    openai,
    unsupported,
)
from tests.engines.runs import Written, sprout, written
from tests.engines.stand_in import Answer
from tests.engines.test_refusals import changes

pytestmark = pytest.mark.usefixtures("no_page")
SAMPLING = Sampling(temperature=0, max_tokens=8, stop=("\n", "Task:"))
PLAIN = Request(id="r", prompt="p", sampling=SAMPLING, choices=(" Yes", " No"))
CHAT = Request(id="r", prompt=({"role": "user", "content": "p"},), sampling=SAMPLING, choices=("Yes", "No"))
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}}


def holding(*knows: str, strict: Refusal | None = None, provider: Provider = HEALTHY) -> Provider:
    return replace(provider, knows=frozenset(knows), strict=strict, rambles=True)


def asked(server: Any, end: str = "Classification:") -> list[dict[str, Any]]:
    """The bodies of the requests to classify."""
    prompts = [(str(body.get("prompt") or body["messages"][-1]["content"]), body) for _, _, body, _ in server.calls]
    return [body for prompt, body in prompts if prompt.endswith(end)]


def unknown_name(name: str, value: Any) -> Answer:
    message = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    return Answer(400, body=[{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message}}])


def unrecognised(name: str, value: Any) -> Answer:
    return openai(f"Unrecognized request argument supplied: {name}")


def of_no_name(name: str, value: Any) -> Answer:
    return openai("Request contains an invalid argument.")


def with_status_500(name: str, value: Any) -> Answer:
    """As the server of llama-cpp-python words it."""
    error = {"type": "literal_error", "loc": ("body", name, "type"), "msg": "Input should be 'text' or 'json_object'"}
    message = f"1 validation error: {error} File app.py, line 376, in create_chat_completion"
    return Answer(500, body={"error": {"message": message, "type": "internal_server_error", "code": None}})


def without_a_decoder(name: str, value: Any) -> Answer:
    """As trtllm-serve words it, started without a backend for guided decoding."""
    message = "Request is specified with GuidedDecodingParams, but GuidedDecoder is not setup."
    return Answer(500, body={"object": "error", "message": message, "type": "InternalServerError", "code": 500})


CHATS = {
    "vLLM": holding("structured_outputs", "response_format"),
    "vLLM 0.10": holding("guided_choice", "response_format"),
    "vLLM that forbids what it does not know": holding("guided_choice", strict=extra_forbidden),
    "OpenAI": holding("response_format", strict=unrecognised),
    "Azure": holding("response_format", strict=unsupported),
    "Mistral": holding("response_format", strict=extra_forbidden),
    "Gemini": holding("response_format", strict=unknown_name),
    "Groq": holding("response_format", strict=lambda name, value: openai(f"property '{name}' is unsupported")),
    "Ollama, LM Studio": holding("response_format"),
    "llama.cpp": holding("grammar", "response_format"),
    "SGLang": holding("regex", "response_format"),
    "one that knows a grammar only": holding("grammar"),
}
PLAINS = {
    "vLLM": holding("structured_outputs", provider=HEALTHY_PLAIN),
    "vLLM 0.10": holding("guided_choice", provider=HEALTHY_PLAIN),
    "llama.cpp": holding("grammar", provider=HEALTHY_PLAIN),
    "SGLang": holding("regex", provider=HEALTHY_PLAIN),
    "one that forbids what it does not know": holding("regex", strict=extra_forbidden, provider=HEALTHY_PLAIN),
}


@pytest.mark.parametrize(("name", "chat"), [*((name, True) for name in CHATS), *((name, False) for name in PLAINS)])
def test_a_server_that_can_holds_the_model_to_yes_or_no(
    name: str, chat: bool, healthy: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = sprout((CHATS if chat else PLAINS)[name], tmp_path)
    assert written(tmp_path) == healthy[chat]
    assert "read as they come" not in capsys.readouterr().err
    assert len(asked(server)) <= 12 * 5


@pytest.mark.parametrize(
    "strict",
    [
        None, extra_forbidden, unrecognised, of_no_name, bare("{name} is unknown", 422), with_status_500,
        without_a_decoder,
    ],
)  # fmt: skip
@pytest.mark.parametrize("provider", [HEALTHY, HEALTHY_PLAIN], ids=["chat", "plain"])
def test_a_server_that_cannot_is_asked_without_and_the_log_says_so_once(
    strict: Refusal | None, provider: Provider, healthy: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chat = provider is HEALTHY
    sprout(replace(provider, strict=strict, rambles=strict is None), tmp_path)
    said = [line for line in capsys.readouterr().err.splitlines() if "read as they come" in line]
    assert len(said) == 1
    assert "it does not know how to do that, so answers are not held to a few words" in said[0]
    classified = [json.loads(line) for line in written(tmp_path)["2_classify.jsonl"].splitlines()]
    if strict:
        assert written(tmp_path) == healthy[chat]
    else:
        assert 0 < sum(task.get("rejected") == "unclear_answer" for task in classified) < len(classified)


def test_what_was_learned_is_not_tried_again(tmp_path: Path) -> None:
    server = sprout(replace(HEALTHY, strict=extra_forbidden), tmp_path, "--set", "engine.window=1")
    told = [body for body in asked(server) if body.keys() & {*SHAPES}]
    assert len(told) <= 5
    assert all(not body.keys() & {*SHAPES} for body in asked(server)[len(told) :])


def test_a_model_that_thinks_first_is_not_held(
    healthy: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = sprout(replace(HEALTHY, thoughts=60), tmp_path)
    assert written(tmp_path) == healthy[True]
    assert not any(body.keys() & {*SHAPES} for body in asked(server))
    said = [line for line in capsys.readouterr().err.splitlines() if "read as they come" in line]
    assert len(said) == 1
    assert "the model thinks first, so its answers are not held" in said[0]


def test_a_run_can_do_without(healthy: Written, tmp_path: Path) -> None:
    server = sprout(HEALTHY, tmp_path, "--set", "classify.constrain=false")
    assert written(tmp_path) == healthy[True]
    assert not any(body.keys() & {*SHAPES} for body in asked(server))


def told(request: Request, *omit: str) -> dict[str, Any]:
    body = Attempt(Dialect(frozenset(omit))).body(request)
    return {name: body[name] for name in (*SHAPES, "stop", "min_tokens", "max_tokens") if name in body}


STOP = ["\n", "Task:"]
ENUM = {
    "type": "object", "properties": {"answer": {"type": "string", "enum": ["Yes", "No"]}}, "required": ["answer"],
    "additionalProperties": False,
}  # fmt: skip


def test_each_parameter_says_it_in_its_own_way() -> None:
    assert told(PLAIN) == {"structured_outputs": {"choice": [" Yes", " No"]}, "stop": STOP, "max_tokens": 8}
    assert told(PLAIN, "structured_outputs") == {
        "guided_choice": [" Yes", " No"], "regex": "( Yes| No)", "grammar": 'root ::= " Yes" | " No"', "stop": STOP,
        "max_tokens": 8,
    }  # fmt: skip
    assert told(CHAT, "structured_outputs") == {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": ENUM}},
        "max_tokens": 40,
    }  # fmt: skip
    assert told(CHAT, *SHAPES) == {"stop": STOP, "max_tokens": 8}
    asks_json = CHAT.model_copy(update={"choices": (), "json_schema": SCHEMA})
    assert told(asks_json) == {"structured_outputs": {"json": SCHEMA}, "stop": STOP, "max_tokens": 8}
    assert told(asks_json, "structured_outputs")["response_format"]["json_schema"]["schema"] == SCHEMA
    assert told(asks_json, "structured_outputs", "response_format")["json_schema"] == SCHEMA


def test_no_setting_cuts_a_choice_off_on_a_server() -> None:
    sampling = Sampling(max_tokens=2, min_tokens=2, stop=("e", "x"))
    body = told(PLAIN.model_copy(update={"sampling": sampling}))
    assert (body["max_tokens"], body["stop"], "min_tokens" in body) == (5, ["x"], False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"answer": "Yes"}', "Yes"), ('{\n "answer":\n "No"\n}\n', "No"), ("Yes", "Yes"), (" No\n", "No"), ('"Yes"', "Yes"),
        ('{"answer": "Perhaps"}', '{"answer": "Perhaps"}'), ('{"answer": "Ye', '{"answer": "Ye'), ("yes", "yes"),
        ("Yes, sure", "Yes, sure"), ('{"reply": "Yes"}', '{"reply": "Yes"}'), ('["Yes"]', '["Yes"]'), ("", ""), ("1", "1"),
        ("[" * 100_000, "[" * 100_000), ('{"answer": null}', '{"answer": null}'),
    ],
)  # fmt: skip
def test_a_choice_is_taken_out_of_what_is_around_it(text: str, found: str) -> None:
    assert taken_out(text, CHAT) == found
    assert in_shape(found, CHAT) is (found in ("Yes", "No"))
    if found in ("Yes", "No"):
        assert taken_out(text, PLAIN) == f" {found}"


@pytest.mark.parametrize("refusal", [
    unrecognised, unknown_name, extra_forbidden, unsupported,
    lambda name, value: openai("Structured outputs are not supported by this model"),
])  # fmt: skip
def test_a_refused_shape_is_told_in_other_words(refusal: Refusal) -> None:
    found = changes(refusal("structured_outputs", None).body, CHAT)[-1]
    assert found["structured_outputs"] is None
    assert found["response_format"]


def test_a_refusal_that_names_nothing_is_answered_by_telling_no_shape() -> None:
    assert changes(of_no_name("structured_outputs", None).body, CHAT) == [{"structured_outputs": None}]


def test_a_schema_that_is_refused_says_nothing_about_the_next() -> None:
    asks_json = CHAT.model_copy(update={"choices": (), "json_schema": SCHEMA})
    body = openai("Invalid schema for response_format 'answer': In context=(), 'additionalProperties' is required").body
    attempt = Attempt(Dialect(frozenset({"structured_outputs"})))
    (way,) = after_refusal(attempt, asks_json, Trouble("answer 400", str(body), 400, params=("response_format",)))
    assert way.dialect == attempt.dialect
    assert way.shape(asks_json) == {}


@pytest.mark.parametrize("words", [
    "This response_format type is unavailable now",
    "'json_schema' is not supported with this model",
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "This model does not support structured output.",
])  # fmt: skip
def test_a_refused_response_format_is_known_by_its_names(words: str) -> None:
    attempt = Attempt(Dialect(frozenset({"structured_outputs"})))
    (way,) = after_refusal(attempt, CHAT, Trouble("answer 400", words, 400))
    assert way.dialect.omit == {"structured_outputs", "response_format"}
