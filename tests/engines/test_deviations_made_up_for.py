"""Servers that deviate in what can be made up for: a run writes the dataset that it writes on a healthy one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.server.shape import SHAPES
from tests.engines.providers import (
    HEALTHY,
    HEALTHY_PLAIN,
    NOT_PLAIN,
    Provider,
    ProviderServer,
    bare,
    extra_forbidden,
    only_default,
    openai,
    parts,
    too_long_anthropic,
    too_long_llama,
    too_long_openai,
    too_long_openrouter,
    too_long_sglang,
    too_long_tgi,
    unsupported,
    use_completion_tokens,
)
from tests.engines.runs import HALF, Written, chat_answer, refusing, run_on, sprout, with_usage, written
from tests.engines.stand_in import Answer
from tests.engines.test_bodies import events

pytestmark = pytest.mark.usefixtures("no_page")


def with_reason(stop: object, length: object = "length") -> Provider:
    return replace(HEALTHY, reasons={"stop": stop, "length": length})


def at_first(answer: Answer) -> Provider:
    return replace(HEALTHY, first=answer)


def long(too_long: Any) -> Provider:
    return replace(HEALTHY, context=1900, too_long=too_long)


SAME = {
    "no reason": with_reason(None, None),
    "an absent reason": with_reason("absent", "absent"),
    "an empty reason": with_reason("", ""),
    "reasons in capitals": with_reason("STOP", "MAX_TOKENS"),
    "reasons of Anthropic": with_reason("end_turn", "max_tokens"),
    "half a text, short of something": at_first(chat_answer("insufficient_system_resource", HALF)),
    "half a text, cancelled": at_first(chat_answer("cancelled", HALF)),
    "half a text, for reasons unknown": at_first(chat_answer("because", HALF)),
    "nothing at first": at_first(chat_answer("stop", "", usage=None)),
    "null at first": at_first(chat_answer("stop", None)),
    "no choices at first": at_first(Answer(body={"choices": []})),
    "an error in a 200 at first": at_first(Answer(body={"error": {"message": "it broke", "code": 502}})),
    "an error without a number at first": at_first(Answer(body={"error": {"message": "it broke"}})),
    "a wait in the body": at_first(Answer(429, body={"error": {"details": [{"retryDelay": "0.05s"}]}})),
    "a page at first": at_first(Answer(502, body=b"<html><title>Bad Gateway</title></html>")),
    "content in parts": replace(HEALTHY, content=parts),
    "content in strings": replace(HEALTHY, content=lambda text: [text[:3], text[3:]]),
    "content as an object": replace(HEALTHY, content=lambda text: {"type": "text", "text": text}),
    "no usage": with_usage("absent"),
    "usage that is null": with_usage(None),
    "usage that is a list": with_usage([1]),
    "negative counts": with_usage({"prompt_tokens": -50, "completion_tokens": -20}),
    "half counts": with_usage({"prompt_tokens": 50.5, "completion_tokens": 20.5}),
    "counts in words": with_usage({"prompt_tokens": "fifty", "completion_tokens": None}),
    "the prompt's tokens only": with_usage({"prompt_tokens": 50}),
    "temperature refused": refusing("temperature", unsupported),
    "only one temperature": replace(HEALTHY, values={"temperature": (lambda value: value == 1, only_default)}),
    "top_p refused": refusing("top_p", bare("{name} is not available")),
    "presence_penalty refused": refusing("presence_penalty", bare("the model does not support the parameter `{name}`")),
    "seed refused by a detail": refusing("seed", extra_forbidden),
    "seed refused in a list": refusing("seed", lambda name, value: Answer(422, body={
        "detail": [{"loc": ["body", name], "msg": "extra fields not permitted"}]})),
    "stop refused": refusing("stop", unsupported),
    "stop refused with status 500": refusing("stop", bare("{name} is not supported", 500)),
    "stop strings that stay in the text": replace(HEALTHY, stop="after"),
    "stop strings that are ignored": replace(HEALTHY, stop="ignored"),
    "max_tokens by another name": refusing("max_tokens", use_completion_tokens),
    "both temperature and top_p": replace(HEALTHY, values={"top_p": (lambda value: False, lambda name, value: openai(
        "`temperature` and `top_p` cannot both be specified for this model. Please use only one."))}),
    "16 tokens at least": replace(HEALTHY, least=16),
    "20 tokens at least": replace(HEALTHY, least=20),
    "blank lines before the text": replace(HEALTHY, lead="\n\n"),
    "no plain text": replace(HEALTHY, plain=NOT_PLAIN),
    "no path for plain text": replace(HEALTHY, plain=False),
    "too long, as OpenAI": long(too_long_openai),
    "too long, as OpenRouter": long(too_long_openrouter),
    "too long, as TGI": long(too_long_tgi),
    "too long, as SGLang": long(too_long_sglang),
    "too long, as llama.cpp": long(too_long_llama),
    "too long, as Anthropic": long(too_long_anthropic),
    "thoughts in their own field": replace(HEALTHY, thoughts=100),
    "thoughts in the text": replace(HEALTHY, thoughts=100, thinks_in="content"),
    "thoughts that nobody shows": replace(HEALTHY, thoughts=100, thinks_in=""),
    "more thoughts than the list may have tokens": replace(HEALTHY, thoughts=2000),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_the_dataset_is_that_of_a_healthy_server(name: str, healthy: Written, tmp_path: Path) -> None:
    server = sprout(SAME[name], tmp_path)
    assert written(tmp_path) == healthy[True]
    assert all(body.keys() & {"max_tokens", "max_completion_tokens"} for _, _, body, _ in server.calls)


@pytest.mark.parametrize(
    "chat",
    [
        HEALTHY_PLAIN.chat,
        False,
        openai("my-model does not support chat"),
        Answer(422, body={"error": "Template error: template not found", "error_type": "template_error"}),
        Answer(405, body=b"Method Not Allowed"),
        Answer(body={"error": "Unexpected endpoint or method. (POST /v1/chat/completions)"}),
    ],
    ids=["not a chat model", "no such path", "no chat", "no template", "no method", "no endpoint"],
)
def test_a_model_without_messages_is_asked_as_plain_text(chat: Any, healthy: Written, tmp_path: Path) -> None:
    sprout(replace(HEALTHY, chat=chat), tmp_path)
    assert written(tmp_path) == healthy[False]


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


def test_what_is_to_be_left_out_is_never_sent(healthy: Written, tmp_path: Path) -> None:
    omit = ["temperature", "stop", "seed", "presence_penalty", "top_p", *SHAPES]
    server = sprout(HEALTHY, tmp_path, "--set", f"engine.omit={omit}")
    assert written(tmp_path) == healthy[True]
    probe = {"continue_final_message", "add_generation_prompt"}  # whether an answer can be begun for it
    assert {key for _, _, body, _ in server.calls for key in body} - probe == {"model", "messages", "max_tokens"}


def test_values_that_the_api_has_anyway_are_not_sent(tmp_path: Path) -> None:
    sampling = "instructions.sampling={temperature=1, top_p=1, presence_penalty=0, stop=[]}"
    server = sprout(HEALTHY, tmp_path, "--set", sampling)
    asked = [body for _, _, body, _ in server.calls if body["max_tokens"] == 1024]
    assert asked
    assert {key for body in asked for key in body} == {"model", "messages", "max_tokens", "seed", "stop"}
