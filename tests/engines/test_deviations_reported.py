"""Servers that deviate in what cannot be made up for: it is said once, in words that help, and may end the run."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.server import connection
from pipeline.errors import EngineUnreachable, SproutError
from tests.engines import stand_in
from tests.engines.conftest import Connect, Serve
from tests.engines.providers import (
    HEALTHY,
    ProviderServer,
    extra_forbidden,
    openai,
    unsupported,
)
from tests.engines.runs import HALF, Written, chat_answer, refusing, run_on, sprout, with_usage, written
from tests.engines.stand_in import MODELS, Answer, prompt_of
from tests.engines.test_server import requests

pytestmark = pytest.mark.usefixtures("no_page")


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
