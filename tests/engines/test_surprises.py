"""Servers that do something else than they were asked: it is made up for, or said once in words that help."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.server import connection
from pipeline.errors import EngineUnreachable, SproutError
from tests.engines import stand_in
from tests.engines.conftest import Connect, Serve
from tests.engines.providers import HEALTHY, ProviderServer, openai
from tests.engines.runs import Written, run_on, written
from tests.engines.stand_in import Answer, StandIn, prompt_of
from tests.engines.test_bodies import events
from tests.engines.test_server import requests

pytestmark = pytest.mark.usefixtures("no_page")


class InPiecesAlone(ProviderServer):
    """One of Alibaba's models that think: it streams, and refuses all else."""

    words = "parameter.enable_thinking must be set to false for non-streaming calls"
    options = ""  # how it refuses to be asked for the number of tokens

    def answer(self, tried: int, body: dict[str, Any], path: str, headers: dict[str, str]) -> Answer:
        if not body.pop("stream", False):
            return openai(self.words)
        if body.pop("stream_options", None) and self.options:
            return openai(self.options)
        whole: Any = super().answer(tried, body, path, headers).body
        (choice,) = whole.pop("choices")
        text = choice["message"]["content"]
        pieces = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in (text[:9], text[9:])]
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
        return Answer(body=events([*pieces, end, whole | {"choices": []}]))


@pytest.mark.parametrize("words", [
    InPiecesAlone.words,
    "This model only support stream mode, please enable the stream parameter to access the model. ",
    "Streaming is required for this model",
])  # fmt: skip
def test_a_server_that_streams_alone_is_asked_to(
    tmp_path: Path, healthy: Written, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    server = InPiecesAlone(HEALTHY)
    server.words = words
    with server:
        run_on(server, tmp_path)
    assert written(tmp_path) == healthy[True]
    assert capsys.readouterr().err.count("answers in pieces alone") == 1


@pytest.mark.parametrize("words", [
    "property 'stream_options' is unsupported, did you mean 'stream'?",
    "extraneous key [include_usage] is not permitted",
])  # fmt: skip
def test_a_server_that_streams_alone_and_does_not_count_is_asked_for_no_counts(
    tmp_path: Path, healthy: Written, words: str
) -> None:
    server = InPiecesAlone(HEALTHY)
    server.options = words
    with server:
        run_on(server, tmp_path)
    assert written(tmp_path) == healthy[True]


def test_a_prompt_that_only_gets_what_is_no_answer_does_not_hold_up_the_others(connect: Connect, serve: Serve) -> None:
    nothing = Answer(body={"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 0}})  # Gemini, by LiteLLM
    server = serve(lambda tried, body: nothing if prompt_of(body) in ("p1", "p5") else Answer())
    start = time.monotonic()
    completions = list(connect(server.url, patience=60, window=2).generate(requests(6)))
    assert [one.finish_reason for one in completions] == ["stop", "error", "stop", "stop", "stop", "error"]
    assert "choices is empty" in completions[1].text
    assert max(server.tries[prompt] for prompt in ("p1", "p5")) <= connection.MAX_UNREADABLE + 1
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("words", [
    "this custom template is not supported, try using --jinja",
    'Error rendering prompt with jinja template: "Cannot call something that is not a function"',
])  # fmt: skip
def test_a_template_that_fails_is_said_before_a_model_is_taken_for_a_base_model(
    connect: Connect, serve: Serve, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    server = serve(lambda tried, body: openai(words) if "messages" in body else Answer())
    assert not connect(server.url, chat=None).chat
    assert caplog.messages == [
        f"server {server.url}: takes no messages for tiny ({words}), so it is asked for plain text; if it is a chat "
        "model, serve it with its chat template"
    ]


def test_a_prompt_of_which_only_a_part_was_read_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def usage(prompt: int, written: int) -> dict[str, int]:
        return {"prompt_tokens": min(prompt, 514), "completion_tokens": written}  # as Ollama with a context of 1,024

    with ProviderServer(replace(HEALTHY, usage=usage)) as server:
        run_on(server, tmp_path)
    assert max(len(prompt_of(body)) for _, _, body, _ in server.calls) > 8 * 514
    said = [line for line in capsys.readouterr().err.splitlines() if "read only 514 tokens of a prompt of" in line]
    assert len(said) == 1
    assert said[0].endswith("serve the model with a longer one, in Ollama by OLLAMA_CONTEXT_LENGTH")


def test_nothing_is_said_where_a_prompt_may_have_so_few_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def usage(prompt: int, written: int) -> dict[str, int]:
        return {"prompt_tokens": prompt * 4 // 7 if prompt > 800 else 5, "completion_tokens": written}

    with ProviderServer(replace(HEALTHY, usage=usage)) as server:
        run_on(server, tmp_path)
    assert "of a prompt of" not in capsys.readouterr().err


@pytest.mark.parametrize("reason", ["tool_calls", "stop"])
@pytest.mark.parametrize("field", [{"tool_calls": [{"id": "1", "type": "function"}]}, {"function_call": {"name": "f"}}])
def test_a_tool_that_is_called_in_place_of_an_answer_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str, field: dict[str, Any]
) -> None:
    message = {"role": "assistant", "content": None} | field
    body = {"choices": [{"index": 0, "finish_reason": reason, "message": message}]}
    with ProviderServer(replace(HEALTHY, always={"": Answer(body=body)})) as server, pytest.raises(SystemExit):
        run_on(server, tmp_path)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("none was answered: the model calls a tool in place of an answer; serve it without tools")


def test_answers_without_text_are_not_called_thoughts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ProviderServer(replace(HEALTHY, content=lambda text: "")) as server, pytest.raises(SystemExit):
        run_on(server, tmp_path)
    assert "thoughts" not in capsys.readouterr().err


@pytest.mark.parametrize("end", ["<eos>", "<|im_end|>", "</s></s>", " <end_of_turn>\n", "<｜end▁of▁sentence｜>"])
def test_a_token_that_ends_the_turn_does_not_undo_a_choice(
    tmp_path: Path, healthy: Written, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    knows = frozenset({"structured_outputs"})
    leaking = replace(HEALTHY, knows=knows, content=lambda text: text + end if text.strip() in ("Yes", "No") else text)
    with ProviderServer(leaking) as server:
        run_on(server, tmp_path)
    assert written(tmp_path) == healthy[True]
    assert "not held to a few words" not in capsys.readouterr().err


def test_a_refusal_in_an_answer_with_status_200_is_taken_for_one(tmp_path: Path, healthy: Written) -> None:
    words = "Input validation error: `inputs` tokens + `max_new_tokens` must be <= {}. Given: {} `inputs` tokens and {} `max_new_tokens`"

    def too_long(prompt: int, asked: int, context: int) -> Answer:
        return Answer(body=events([{"error": words.format(context, prompt, asked), "error_type": "validation"}]))

    with ProviderServer(replace(HEALTHY, context=1280, too_long=too_long)) as server:
        run_on(server, tmp_path)
    assert written(tmp_path) == healthy[True]
    assert max(tried for prompt, tried in server.tries.items() if prompt.endswith(".")) == 2


def test_a_prompt_that_is_counted_in_part_is_asked_with_fewer_tokens_in_few_steps(
    tmp_path: Path, healthy: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_long(prompt: int, asked: int, context: int) -> Answer:
        least = context - asked + 1  # where vLLM stops to count
        return openai(f"This model's maximum context length is {context} tokens. However, you requested {asked} output "
                      f"tokens and your prompt contains at least {least} input tokens, for a total of at least "
                      f"{asked + least} tokens.")  # fmt: skip

    with ProviderServer(replace(HEALTHY, context=1280, too_long=too_long)) as server:
        run_on(server, tmp_path)
    assert written(tmp_path) == healthy[True]
    assert "takes max_tokens from" not in capsys.readouterr().err
    assert 2 <= max(tried for prompt, tried in server.tries.items() if prompt.endswith(".")) <= 4


def test_a_prompt_that_is_flagged_with_a_status_of_the_server_is_set_aside_at_once(
    serve: Serve, connect: Connect
) -> None:
    flagged = Answer(body={"error": {"message": "This content was flagged for possible risk", "code": 502}})
    server = serve(lambda tried, body: flagged if body["prompt"] == "p0" else Answer())
    first, *others = connect(server.url, patience=60).generate(requests(3))
    assert (first.finish_reason, len(others)) == ("error", 2)
    assert server.tries["p0"] == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(429, "Your quota of the day is used up.", {"Retry-After": "36000"}),
         "(Your quota of the day is used up); it asks to wait 10.0 hours: wait and run again"),
        (Answer(429, "slow down", {"Retry-After": "600"}), "(slow down); it asks to wait 10 minutes: wait and run again"),
        (Answer(seconds=1), "check the server, or give it more time with engine.timeout, and run again"),
        (Answer(500, "a bug"), "(a bug); check the server and run again"),
        (Answer(504, "nginx"), "(nginx; what stands before the model may not wait as long as an answer takes: raise its "
         "limit (in nginx, proxy_read_timeout), or ask for fewer tokens); check the server and run again"),
        (Answer(headers={"Content-Encoding": "gzip"}),
         "(Can not decode content-encoding: gzip); check the server and its url, and run again"),
    ],
    ids=["hours", "minutes", "late", "a bug", "a proxy", "no gzip"],
)  # fmt: skip
def test_the_advice_fits_what_went_on_until_patience_was_over(
    serve: Serve, connect: Connect, answer: Answer, words: str
) -> None:
    with pytest.raises(EngineUnreachable) as caught:
        list(connect(serve(lambda tried, body: answer).url, patience=0.5, timeout=0.2).generate(requests(1)))
    assert str(caught.value).endswith(words)


def test_a_proxy_that_is_not_there_is_named_and_how_to_go_without_it(
    connect: Connect, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: StandIn = serve()
    gone.die()
    monkeypatch.setenv("http_proxy", gone.url.replace("http://", "http://user:pa55@").removesuffix("/v1"))
    with pytest.raises(EngineUnreachable) as caught:
        list(connect("http://somewhere.invalid/v1", patience=0.2).generate(requests(1)))
    assert "Connection refused, to the proxy of http_proxy or all_proxy; no_proxy=somewhere.invalid" in str(
        caught.value
    )
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize("key", ['"sk-1"', "'sk-1'", "Bearer sk-1"])
def test_a_key_with_what_is_around_it_in_a_file_is_refused_before_it_is_sent(
    connect: Connect, serve: Serve, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", key)
    server = serve()
    with pytest.raises(
        SproutError, match=r"^SPROUT_API_KEY holds .*, as a space or a quotation mark; set it to the key"
    ):
        list(connect(server.url).generate(requests(1)))
    assert not server.calls


def test_models_that_are_listed_without_an_object_around_them_are_named(
    connect: Connect, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "MODELS", [{"id": "small"}, {"id": "medium"}])  # as Together
    with pytest.raises(SproutError, match="does not serve large at /v1/completions; it serves small, medium"):
        list(connect(serve(lambda tried, body: Answer(404)).url, model="large").generate(requests(1)))


def test_a_server_that_takes_long_to_answer_at_all_is_said_to_be_waited_for(
    connect: Connect, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "QUIET", 0.1)
    server = serve(lambda tried, body: Answer(seconds=0.5))
    for _ in range(2):
        list(connect(server.url, timeout=9).generate(requests(2)))
    quick = serve()
    list(connect(quick.url).generate(requests(2)))
    said = [line for line in caplog.messages if "no answer after" in line]
    assert said == [f"server {server.url}: no answer after 0.1 s; each may take 9 s, by engine.timeout"] * 2


def test_a_model_that_is_gone_in_the_middle_of_a_run_is_no_question_of_chat(connect: Connect, serve: Serve) -> None:
    gone = Answer(404, body={"error": {"message": "Model unloaded."}})
    server = serve()
    server.plan = lambda tried, body: gone if len(server.calls) > 3 else Answer()
    with pytest.raises(EngineUnreachable) as caught:
        list(connect(server.url, patience=0.5).generate(requests(9)))
    said = (
        f"{server.url}: no longer serves tiny at /v1/completions (Model unloaded); load it there again, and run again"
    )
    assert str(caught.value) == said
