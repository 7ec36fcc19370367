"""What the bodies of answers come to, as tables: texts, reasons to finish, counts, errors in good answers."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server.answer import Reply, read
from pipeline.engines.server.body import Unreadable
from pipeline.engines.server.refusals import cut_at_stop
from pipeline.engines.server.trouble import Trouble

PLAIN = Request(id="r", prompt="p", sampling=Sampling(max_tokens=1000))
CHAT = Request(id="r", prompt=({"role": "user", "content": "p" * 40},), sampling=Sampling(max_tokens=1000))
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


def text(**choice: Any) -> bytes:
    return body({"text": "a", "finish_reason": "stop"} | choice)


def message(reason: object = "stop", **parts: Any) -> bytes:
    return body({"message": {"role": "assistant"} | parts, "finish_reason": reason})


def body(choice: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"choices": [choice], "usage": USAGE} | fields).encode()


def reply(content: bytes, request: Request = CHAT) -> Reply:
    return read(content, request, request.sampling.max_tokens)


def ending(reason: object) -> str:
    """What a text that ends so comes to."""
    try:
        return reply(message(reason, content="half a te")).completion.finish_reason
    except Trouble:
        return "asked again"


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["stop", "STOP", "Stop", "eos", "eos_token", "end_turn", "stop_sequence", "STOP_SEQUENCE", "COMPLETE", "eosFound",
          "FINISH_REASON_STOP", "endoftext", {"type": "stop", "matched": 2}, None, "", " ", "null", "None", "REASON_STOP",
          "stop_reason_end_turn", "<|im_end|>", "eom"], "stop"),
        (["length", "LENGTH", "max_tokens", "MAX_TOKENS", "FINISH_REASON_MAX_TOKENS", "max_output_tokens", "model_length",
          "max_length", "time_limit", "token_limit", "maxPredictedTokensReached", "contextLengthReached", "max_new_tokens",
          "model_context_window_exceeded", "context_length_exceeded", {"type": "length", "length": 16}, "limit",
          "max_completion_tokens", "truncated", "incomplete", "max_token", "REASON_MAX_LEN", "maximum_tokens", "cut_off"], "length"),
        (["content_filter", "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "refusal", "sensitive",
          "guardrail_intervened", "content_filtered", "ERROR_TOXIC", "LANGUAGE", "tool_calls", "function_call", "tool_use",
          "IMAGE_SAFETY", "MALFORMED_FUNCTION_CALL", "policy_violation"], "error"),
        (["abort", "error", "ERROR", "cancelled", "canceled", "insufficient_system_resource", "network_error", "OTHER",
          "FINISH_REASON_UNSPECIFIED", "user_stopped_it", "not_finished", "unknown", "halb", "停止", "!", 7, True, ["stop"],
          {"why": "stop"}, "rate_limit", "failed", "modelUnloaded", "nonstop", "stop?not", "reason", "finish_reason"], "asked again"),
    ],
)  # fmt: skip
def test_only_reasons_known_to_be_good_leave_a_whole_text(reasons: list[object], expected: str) -> None:
    assert {str(reason): ending(reason) for reason in reasons} == {str(reason): expected for reason in reasons}


def part(text: object, type: str = "text") -> dict[str, Any]:
    return {"type": type, "text": text}


@pytest.mark.parametrize(
    ("request_", "content", "expected", "thought"),
    [
        (PLAIN, text(), "a", False),
        (PLAIN, text(text=""), "", False),
        (PLAIN, text(reasoning="hm"), "a", True),
        (CHAT, message(content="a"), "a", False),
        (CHAT, message(content=None), "", False),
        (CHAT, message("length"), "", False),  # as Gemini, when thoughts took all
        (CHAT, message(content="a", reasoning_content="hm"), "a", True),
        (CHAT, message(content="a", reasoning="hm"), "a", True),
        (CHAT, message(content="a", reasoning_content=""), "a", False),
        (CHAT, message(content=[part("a"), part("b")]), "ab", False),
        (CHAT, message(content=[part("a", "output_text")]), "a", False),
        (CHAT, message(content=["a", part("b")]), "ab", False),
        (CHAT, message(content=[{"text": "a"}]), "a", False),
        (CHAT, message(content=part("a")), "a", False),
        (CHAT, message(content=[{"type": "text", "text": {"value": "a", "annotations": []}}]), "a", False),
        (CHAT, message(content=[{"type": "thinking", "thinking": [part("hm")]}, part("a")]), "a", True),
        (CHAT, message(content=[{"type": "reasoning", "text": "hm"}, part("a")]), "a", True),
        (CHAT, message(content=[{"type": "reference", "reference_ids": [1]}, part("a")]), "a", False),
        (CHAT, message(content=[]), "", False),
        (CHAT, b"\xef\xbb\xbf \n" + message(content="a"), "a", False),
    ],
)  # fmt: skip
def test_an_answer_comes_to_its_text(request_: Request, content: bytes, expected: str, thought: bool) -> None:
    found = reply(content, request_)
    assert (found.completion.text, found.thought) == (expected, thought)
    assert (found.completion.prompt_tokens, found.completion.completion_tokens) == (3, 2)


def test_a_refusal_in_a_field_of_its_own_is_no_answer() -> None:
    completion = reply(message(content=None, refusal="I can't help with that.")).completion
    assert (completion.finish_reason, completion.text) == ("error", "the model refuses: I can't help with that.")


def test_a_text_without_a_reason_is_cut_off_if_it_has_all_its_tokens() -> None:
    full = body({"message": {"content": "a"}}, usage={"prompt_tokens": 3, "completion_tokens": 1000})
    assert reply(full).completion.finish_reason == "length"
    assert reply(body({"message": {"content": "a"}})).completion.finish_reason == "stop"


@pytest.mark.parametrize(
    ("usage", "counts", "told"),
    [
        (USAGE, (3, 2), True),
        ({"prompt_tokens": 3.0, "completion_tokens": 2.0}, (3, 2), True),
        ({"input_tokens": 3, "output_tokens": 2}, (3, 2), True),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 25}, (3, 22), True),  # Gemini leaves thoughts out
        ({"prompt_tokens": 3, "total_tokens": 5}, (3, 2), True),
        ({"prompt_tokens": 3}, (3, 3), False),
        ({"completion_tokens": 2}, (10, 2), False),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (10, 3), False),
        ({"prompt_tokens": -3, "completion_tokens": -2}, (10, 3), False),
        ({"prompt_tokens": 2.5, "completion_tokens": 0.5}, (10, 3), False),
        ({"prompt_tokens": "many", "completion_tokens": "2"}, (10, 3), False),
        ({"prompt_tokens": True, "completion_tokens": [2]}, (10, 3), False),
        ({"prompt_tokens": math.nan, "completion_tokens": math.inf}, (10, 3), False),
        ({"prompt_tokens": 10**30, "completion_tokens": 1e300}, (10, 3), False),
        (None, (10, 3), False),
        ([1], (10, 3), False),
        ("none", (10, 3), False),
    ],
)
def test_token_counts_that_can_be_none_are_estimated(usage: object, counts: tuple[int, int], told: bool) -> None:
    found = reply(body({"message": {"content": "ten bytes."}, "finish_reason": "stop"}, usage=usage))
    assert (found.completion.prompt_tokens, found.completion.completion_tokens) == counts
    assert found.counted is told


@pytest.mark.parametrize(
    ("request_", "content", "place"),
    [
        *((PLAIN, text()[:length], "it is not JSON") for length in range(1, len(text()))),
        (PLAIN, b" \n", "it is empty"),
        (PLAIN, text(text=["a", 1]), "choices[0].text[1] is a number"),
        (PLAIN, text(text=7), "choices[0].text is a number"),
        (PLAIN, message(content="a"), "choices[0].text is missing"),
        (CHAT, text(), "choices[0].message is missing"),
        (CHAT, body({"message": "a"}), "choices[0].message is a text"),
        (CHAT, message(content=7), "choices[0].message.content is a number"),
        (CHAT, message(content=[{"type": "text"}]), "choices[0].message.content[0].text is missing"),
        (CHAT, message(content=[None]), "choices[0].message.content[0] is missing"),
        (PLAIN, b'{"choices": []}', "choices is empty"),
        (PLAIN, b'{"choices": {"text": "a"}}', "choices is an object"),
        (PLAIN, b'{"choices": ["a"]}', "choices[0] is a text"),
        (PLAIN, b'{"hello": "world"}', "choices is missing"),
        (PLAIN, b"null", "it is JSON, but no object"),
        (PLAIN, b'"text"', "it is JSON, but no object"),
        (PLAIN, b"<html></html>", "it is not JSON"),
        (PLAIN, b'{"choices": [{"text": "\xff", "finish_reason": "stop"}]}', "it is not JSON"),
        (PLAIN, b"[" * 100_000, "it is not JSON"),
    ],
)  # fmt: skip
def test_a_body_of_another_shape_is_no_completion_and_its_field_is_named(
    request_: Request, content: bytes, place: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        reply(content, request_)
    assert str(caught.value) == place


@pytest.mark.parametrize(
    ("content", "words", "status"),
    [
        ({"error": {"message": "too odd", "code": 400}}, "too odd", 400),
        ({"error": {"message": "slow down", "code": "429"}, "choices": []}, "slow down", 429),
        ({"error": {"message": "it is gone", "code": 502, "metadata": {"raw": "bad gateway"}}}, "it is gone; bad gateway", 502),
        ({"error": "Unexpected endpoint or method. (POST /v1/x)"}, "Unexpected endpoint or method. (POST /v1/x)", 404),
        ({"error": {"message": "long", "type": "invalid_request_error", "code": "context_length_exceeded"}}, "long", 400),
        ({"object": "error", "message": "no", "code": 50001}, "no", 0),
        ({"detail": "not now"}, "not now", 0),
        ({"error": {"message": "it broke"}, "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}, "it broke", 0),
        ({"choices": [{"finish_reason": "error", "message": {"content": "a"}, "error": {"message": "it broke"}}]},
         "the server ended it early: it broke", 0),
    ],
)  # fmt: skip
def test_an_error_in_a_good_answer_is_one(content: dict[str, Any], words: str, status: int) -> None:
    with pytest.raises(Trouble) as caught:
        reply(json.dumps(content).encode())
    assert (str(caught.value), caught.value.status) == (words, status)


@pytest.mark.parametrize(
    ("text", "plain", "chat"),
    [
        ("one\n\ntwo", "one", "one"),
        ("\n\none\n\ntwo", "", "\n\none"),
        ("<think>a\n\nb</think>\n\none\n\ntwo", "<think>a", "<think>a\n\nb</think>\n\none"),
        ("one", "one", "one"),
        ("", "", ""),
        ("one STOP two\n\n", "one ", "one "),
    ],
)
def test_a_text_ends_before_its_first_stop_string_whatever_the_server_does(text: str, plain: str, chat: str) -> None:
    sampling = Sampling(stop=("\n\n", "STOP"))
    assert cut_at_stop(text, PLAIN.model_copy(update={"sampling": sampling})) == plain
    assert cut_at_stop(text, CHAT.model_copy(update={"sampling": sampling})) == chat


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["stop", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "content", "value", "thinking", "prompt_tokens", "message", "error", "reason"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "choices": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "text": VALUES,
                        "finish_reason": VALUES,
                        "error": VALUES,
                        "delta": VALUES | st.fixed_dictionaries({}, optional={"content": VALUES, "role": VALUES}),
                        "message": VALUES
                        | st.fixed_dictionaries(
                            {}, optional={"content": VALUES, "reasoning": VALUES, "refusal": VALUES}
                        ),
                    },
                )
                | VALUES,
                max_size=2,
            )
            | VALUES,
            "usage": VALUES,
            "error": VALUES,
            "detail": VALUES,
            "data": VALUES,
        },
    )
    | VALUES
)
def test_no_shape_of_an_answer_breaks_its_reader(content: object) -> None:
    for request in (PLAIN, CHAT):
        with suppress(Unreadable, Trouble):
            found = reply(json.dumps(content).encode(), request)
            counts = (
                found.completion.prompt_tokens,
                found.completion.cached_tokens,
                found.completion.completion_tokens,
            )
            assert all(0 <= count < 2**60 for count in counts)
