"""A server is asked only for models that are its own, and told of when it answers as another."""

import logging

import pytest

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server import Server
from pipeline.engines.server.names import is_another
from pipeline.errors import SproutError
from pipeline.resources import NANO
from pipeline.settings.build import open_engine, open_engines
from pipeline.settings.read import read
from tests.engines.stand_in import MODELS, Answer, StandIn


def ask(engine: Server, times: int = 3) -> list[str]:
    requests = (Request(id=str(n), prompt=f"say {n}", sampling=Sampling()) for n in range(times))
    with_text = [completion.text for completion in engine.generate(requests)]
    engine.close()
    return with_text


@pytest.mark.parametrize(
    ("asked", "said", "another"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", False),
        ("gpt-4", "gpt-4-0613", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", True),
        ("gpt-4", "gpt-4o", True),
        ("openai/gpt-4o", "gpt-4o", False),
        ("GPT-4o", "gpt-4o", False),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", False),
        ("claude-3-5-sonnet-latest", "claude-3-5-haiku-20241022", True),
        ("models/gemini-2.0-flash", "gemini-2.0-flash-001", False),
        ("gemini-2.0-flash", "models/gemini-2.0-flash", False),
        ("gemini-2.5-flash-preview", "gemini-2.5-flash-preview-09-2025", False),
        ("mistral-small-latest", "mistral-small-2503", False),
        ("llama3.2", "llama3.2:latest", False),
        ("meta-llama/Llama-3.1-8B-Instruct:free", "meta-llama/llama-3.1-8b-instruct", False),
        ("Llama-3.1-8B-Instruct", "/models/Llama-3.1-8B-Instruct-Q4_K_M.gguf", False),
        ("Qwen/Qwen2.5-7B", "/root/.cache/models--Qwen--Qwen2.5-7B/snapshots/d149", False),
        ("accounts/fireworks/models/llama-v3p1-8b", "accounts/fireworks/models/llama-v3p1-8b", False),
        ("Llama-3.1-8B", "Llama-3.1-8B-Instruct", True),
        ("Llama-3.1-8B", "Llama-3.1-70B", True),
        ("my-model", "tiny", True),
        ("my-model", "", False),
        ("outputs/mine/model", "qwen2.5:7b", True),
    ],
)
def test_a_version_a_path_or_an_alias_is_no_other_model(asked, said, another):
    assert is_another(asked, said) is another


def test_a_server_that_answers_as_another_model_is_told_of_once(caplog):
    with StandIn(lambda tried, body: Answer()) as server:
        assert len(ask(Server("mine", server.url, chat=False))) == 3
        warned = [one.message for one in caplog.records if "answers as" in one.message]
        caplog.clear()
        ask(Server("tiny", server.url, chat=False))

    assert len(warned) == 1
    assert 'answers as "tiny" where "mine" is asked for' in warned[0]
    assert "answers as" not in caplog.text


@pytest.mark.parametrize("table", ["engine", "engines.other"])
@pytest.mark.parametrize("model", ["nano", "a folder"])
def test_a_folder_here_is_never_put_to_a_server_as_a_name(table, model, tmp_path):
    model = str(tmp_path) if model == "a folder" else model
    with StandIn(lambda tried, body: Answer()) as server:
        changes = [f"{table}.name=server", f"{table}.model={model}", f"{table}.url={server.url}", f"{table}.chat=false"]
        settings = read(None, changes)
        engine = open_engine(settings) if table == "engine" else open_engines(settings)["other"]
        with pytest.raises(SproutError, match=r"does not serve .*; it serves tiny\. Load it in this process with"):
            ask(engine)
        assert not server.calls


def test_a_folder_that_a_server_lists_by_its_path_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "data", [{"id": str(tmp_path)}])
    with StandIn(lambda tried, body: Answer()) as server:
        assert ask(Server(str(tmp_path), server.url, chat=False), 1) == ["echo say 0"]
        assert server.calls[-1][2]["model"] == str(tmp_path)


@pytest.mark.parametrize("model", ["nano", str(NANO)])
def test_another_model_that_is_a_folder_here_is_loaded_here_whatever_the_engine_of_the_run(model, caplog, monkeypatch):
    settings = read(None, ["engine.name=server", "engine.model=tiny", "engine.url=http://127.0.0.1:9/v1"])
    monkeypatch.setattr("pipeline.settings.build.GPU", ())
    with caplog.at_level(logging.INFO):
        engine = open_engine(settings, model)

    assert (type(engine).__name__, engine.model) == ("Transformers", str(NANO))
    assert "transformers loads it in this process; the server is not asked" in caplog.text
    assert isinstance(open_engine(settings, "another-name"), Server)
    monkeypatch.setattr("pipeline.settings.build.LOADERS", ("not_installed",))
    with pytest.raises(SproutError, match=r"is a folder here, .* serve the folder and name it NAME@URL"):
        open_engine(settings, model)


def test_few_requests_are_in_flight_at_first_and_more_as_answers_come():
    with StandIn(lambda tried, body: Answer(seconds=0.02)) as server:
        ask(Server("tiny", server.url, chat=False), 4)
        first = server.most_at_once
        ask(Server("tiny", server.url, chat=False), 200)

    assert first <= 4
    assert server.most_at_once >= 16
