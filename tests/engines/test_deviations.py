"""Each deviation of a server by itself: the dataset of a healthy one, or the right sentence and exit code."""

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
from tests.engines.runs import Written, run_on, sprout, written
from tests.engines.stand_in import MODELS, Answer

pytestmark = pytest.mark.usefixtures("no_page")
HALF = "1. Describe the gla"


def chat_answer(reason: object, content: object, **fields: Any) -> Answer:
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
    return Answer(
        body={"choices": [{"index": 0, "finish_reason": reason, "message": message}], "usage": usage} | fields
    )


def with_reason(stop: object, length: object = "length") -> Provider:
    return replace(HEALTHY, reasons={"stop": stop, "length": length})


def with_usage(usage: object) -> Provider:
    return replace(HEALTHY, usage=lambda prompt, written: usage)


def refusing(name: str, refusal: Any) -> Provider:
    return replace(HEALTHY, refuses={name: refusal})


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


WEATHER = openai("bad weather")
EMPTY = chat_answer("length", None)
SENTENCES = {
    "all refused": (
        replace(HEALTHY, always={"": WEATHER}), ("--set", "engine.chat=true"),
        "instructions: the first 5 requests failed, and none was answered: bad weather",
    ),
    "all refused, and chat asked for": (
        replace(HEALTHY, always={"": WEATHER}), (), "as messages and as plain text: bad weather; if only",
    ),
    "one stage refused": (
        replace(HEALTHY, always={"Classification:": WEATHER}), (),
        "classify: the first 5 requests failed, and none was answered: bad weather",
    ),
    "an unknown reason each time": (
        replace(HEALTHY, always={"": chat_answer("whatever", HALF)}), (),
        "instructions: the first 5 requests failed, and none was answered: the server ended it early: whatever",
    ),
    "filtered each time": (
        replace(HEALTHY, always={"": chat_answer("SAFETY", HALF)}), (), "the server ended it early: SAFETY",
    ),
    "nothing each time": (
        replace(HEALTHY, always={"Classification:": chat_answer("stop", "", usage=None)}), (),
        "classify: the first 5 requests failed, and none was answered: the answer holds no text",
    ),
    "thoughts and nothing else": (
        replace(HEALTHY, always={"": EMPTY}), (), "the model thinks first and max_tokens = 1024 is used up",
    ),
    "no tokens for thoughts": (
        replace(HEALTHY, always={"Classification:": EMPTY}), ("--set", "engine.max_thought_tokens=0"),
        "the model thinks first and max_tokens = 8 is used up; set classify.sampling.max_tokens higher",
    ),
    "no limit under any name": (
        replace(HEALTHY, refuses={"max_tokens": unsupported, "max_completion_tokens": unsupported}),
        ("--set", "engine.chat=true"), "Unsupported parameter: 'max_",
    ),
    "no money": (
        replace(HEALTHY, always={"": openai("You exceeded your current quota.", 429, code="insufficient_quota")}), (),
        "requires payment first (You exceeded your current quota.)",
    ),
    "no such model": (
        replace(HEALTHY, always={"": openai("The model `tiny` does not exist", 404, code="model_not_found")}), (),
        "serves tiny, but not at /v1/chat/completions (The model `tiny` does not exist)",
    ),
    "a refused key": (
        replace(HEALTHY, always={"": openai("Incorrect API key provided", 401)}), (),
        "refuses the API key for tiny (401): Incorrect API key provided; there is no key; set SPROUT_API_KEY",
    ),
    "a long refusal": (
        replace(HEALTHY, always={"": Answer(400, body={"detail": ["too odd " * 2000]})}), ("--set", "engine.chat=true"), "too odd too …",
    ),
    "a parameter that cannot be left out": (
        HEALTHY, ("--set", 'engine.omit=["max_tokens"]'), "there is no parameter to leave out 'max_tokens'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SENTENCES)
def test_a_run_that_cannot_succeed_soon_says_so_in_the_server_s_words(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider, options, sentence = SENTENCES[name]
    with pytest.raises(SystemExit) as caught:
        sprout(provider, tmp_path, *options)
    last = capsys.readouterr().err.splitlines()[-1]
    assert caught.value.code == 1
    assert sentence in last
    assert len(last) < 600


def test_a_run_that_is_refused_asks_no_more_than_a_few_times(tmp_path: Path) -> None:
    with ProviderServer(replace(HEALTHY, always={"": WEATHER})) as server:
        more = ("--set", "instructions.num_tasks=2000", "--set", "engine.chat=true")
        with pytest.raises(SystemExit):
            run_on(server, tmp_path, *more)
    assert len(server.calls) < 60


def test_a_server_of_many_models_names_a_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"organisation-{number}/a-model-of-{number}-layers" for number in range(400)]
    before = MODELS["data"]
    MODELS["data"] = [{"id": name} for name in names]
    try:
        with pytest.raises(SystemExit):
            sprout(replace(HEALTHY, always={"": Answer(404)}), tmp_path)
    finally:
        MODELS["data"] = before
    last = capsys.readouterr().err.splitlines()[-1]
    assert "it serves organisation-0/a-model-of-0-layers, organisation-1/" in last
    assert "more" in last
    assert len(last) < 400


def test_what_is_left_out_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sprout(refusing("seed", extra_forbidden), tmp_path)
    said = [line for line in capsys.readouterr().err.splitlines() if "refuses seed" in line]
    assert [line.partition(": ")[2] for line in said] == [
        'refuses seed ("body.seed: Extra inputs are not permitted"); it is left out from now on, so another run may get '
        "other texts"
    ]


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


def test_a_budget_holds_where_nobody_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        sprout(with_usage("absent"), tmp_path, "--max-tokens", "3000")
    assert caught.value.code == 3
    assert "they are estimated from the length of the text" in capsys.readouterr().err


def test_a_plan_of_what_nobody_counts_is_an_estimate_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with ProviderServer(with_usage("absent")) as server:
        run_on(server, tmp_path, "--set", "prices.prompt=100", "--set", "prices.completion=100", command="plan")
    assert any("they are estimated from the length of the text" in record.getMessage() for record in caplog.records)
    total = capsys.readouterr().out.splitlines()[-2].split()
    assert (total[0], total[4] > "0.00") == ("all", True)


def test_tasks_without_an_answer_stay_undecided_and_are_asked_again(
    healthy: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Moody(ProviderServer):
        def answer(self, tried: int, body: dict[str, Any], path: str, headers: dict[str, str]) -> Answer:
            prompts = dict.fromkeys(str(call[2]["messages"][-1]["content"]) for call in self.calls)
            third = [prompt for prompt in prompts if prompt.endswith("Classification:")][2::3]
            empty = body["messages"][-1]["content"] in third  # each third task, however often it is asked
            return EMPTY if empty else super().answer(tried, body, path, headers)

    with Moody(HEALTHY) as server:
        run_on(server, tmp_path, "--set", "engine.max_thought_tokens=0")
    said = capsys.readouterr().err
    assert "classify: 4 of 12 completions hold no text: the model thinks first and max_tokens = 8 is used up" in said
    assert "classify: 4 tasks undecided" in said
    classified = written(tmp_path)["2_classify.jsonl"]
    assert 0 < len(classified.splitlines()) < 12
    assert set(classified.splitlines()) < set(healthy[True]["2_classify.jsonl"].splitlines())
