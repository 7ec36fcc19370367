"""Answers in one piece or several, and errors in answers whose status is good."""

import json
from typing import Any

import pytest

from pipeline.engines.server.answer import Reply, read
from pipeline.engines.server.body import Unreadable
from pipeline.engines.server.trouble import Trouble
from tests.engines.test_answers import CHAT, PLAIN, USAGE

GOOD = {
    "choices": [{"index": 0, "message": {"content": "two wörds\n"}, "text": "two wörds\n", "finish_reason": "stop"}]
}
GOOD |= {"usage": USAGE}
DELTAS: list[dict[str, Any]] = [
    {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]},
    {"choices": [{"index": 1, "delta": {"content": "of another choice"}}]},
    {"choices": [{"index": 0, "delta": {"content": "two w"}, "text": "two w"}]},
    {"choices": [{"index": 0, "delta": {"content": "örds\n"}, "text": "örds\n", "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}], "usage": None},
    {"choices": [], "usage": USAGE},
]


def events(pieces: list[dict[str, Any]], end: str = "\n\n", last: str = "data: [DONE]\n\n") -> bytes:
    return ("".join(f"data: {json.dumps(piece)}{end}" for piece in pieces) + last).encode()


def lines(pieces: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(piece, ensure_ascii=False) for piece in pieces).encode()


def reply(content: bytes, plain: bool = False) -> Reply:
    request = PLAIN if plain else CHAT
    return read(content, request, request.sampling.max_tokens)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        events(DELTAS),
        events(DELTAS, end="\r\n\r\n", last=""),
        b": keep-alive\n\nevent: message\nid: 1\n" + events(DELTAS),
        events(DELTAS[:5] + DELTAS[6:]),
        lines(DELTAS),
        events([GOOD]),
        json.dumps({"choices": [{"delta": {"content": "two wörds\n"}, "text": "two wörds\n", "finish_reason": "stop"}],
                    "usage": USAGE}).encode(),
        json.dumps({"success": True, "result": GOOD}).encode(),
        json.dumps({"code": 200, "msg": "ok", "data": GOOD}).encode(),
        json.dumps(GOOD | {"error": {"code": 0, "message": ""}}).encode(),
        json.dumps(GOOD | {"base_resp": {"status_code": 0, "status_msg": ""}}).encode(),
        json.dumps(GOOD).replace("\\n", "\n").encode(),
        json.dumps({"choices": [{"index": 1, "message": {"content": "b"}, "text": "b"}, *GOOD["choices"]], "usage": USAGE}).encode(),
    ],
)  # fmt: skip
def test_an_answer_is_read_in_whichever_way_it_comes(content: bytes, plain: bool) -> None:
    completion = reply(content, plain).completion
    assert completion.text == "two wörds\n"
    assert (completion.prompt_tokens, completion.completion_tokens) == (3, 2)


def test_an_answer_in_pieces_keeps_how_it_ended_and_that_the_model_thought() -> None:
    found = reply(events(DELTAS))
    assert (found.completion.finish_reason, found.thought, found.model) == ("length", True, "m")


def test_parts_of_a_content_stay_parts_in_pieces() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "two "}]
    pieces: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": parts}}]},
        {"choices": [{"delta": {"content": "words"}}]},
    ]
    found = reply(events(pieces))
    assert (found.completion.text, found.thought) == ("two words", True)


@pytest.mark.parametrize(
    "content",
    [
        events(DELTAS[:4], last=""),
        events(DELTAS[:4], last="data: [DO"),
        events(DELTAS[:4])[:-40],
        events(DELTAS[:4], last='data: {"choices": [{"del'),
        lines(DELTAS[:4]),
        json.dumps(DELTAS[3]).encode(),
    ],
)
def test_pieces_without_their_end_are_no_answer(content: bytes) -> None:
    with pytest.raises(Unreadable, match="it came in pieces, and its end is missing"):
        reply(content)


@pytest.mark.parametrize(
    ("content", "words", "status"),
    [
        (events([DELTAS[0], {"error": {"message": "overloaded", "code": 529}}]), "overloaded", 529),
        (b'event: error\ndata: {"error": {"message": "slow down", "code": 429}}\n\n', "slow down", 429),
        ({"base_resp": {"status_code": 1004, "status_msg": "login fails"}, "choices": None}, "login fails", 0),
        ({"error_code": 18, "error_msg": "too many questions a second"}, "too many questions a second", 0),
        ({"code": 20012, "message": "no such model", "data": None}, "no such model", 0),
        ({"success": False, "errors": [{"code": 10000, "message": "no such key"}], "result": None}, "no such key", 0),
        ([{"error": {"message": "overloaded", "code": 503}}], "overloaded", 503),
        ({"choices": [{"finish_reason": None, "message": {"content": ""}, "error": {"message": "it died", "code": 502}}]},
         "the server ended it early: it died", 0),
    ],
)  # fmt: skip
def test_an_error_in_a_good_answer_is_told_in_its_own_words(content: Any, words: str, status: int) -> None:
    with pytest.raises(Trouble) as caught:
        reply(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert (str(caught.value), caught.value.status) == (words, status)


@pytest.mark.parametrize(
    "content",
    [
        {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": True},  # Ollama, Anthropic, llama.cpp
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"},
        {"content": "a", "stop": True, "tokens_evaluated": 3},
    ],
)
def test_an_answer_of_another_api_is_no_error_but_unreadable(content: Any) -> None:
    with pytest.raises(Unreadable, match="choices is missing"):
        reply(json.dumps(content).encode())
