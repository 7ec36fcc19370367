"""`sprout init`: a settings file from options, or from answers in a terminal; what it finds, and what it prints, holds."""

import contextlib
import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.test_readme import ToyServer, serving

SEEDS = """\
instruction,input,output,is_classification
Answer the question about opening hours.,Are you open on Sunday?,"No, from Monday to Saturday.",false
Is the message about a repair or a purchase?,My brakes squeak.,repair,true
Name the part that the customer needs.,The chain slips.,A new chain,false
"""
SHOP = "support for a bicycle shop"


class Models(ToyServer):
    """As the toy server, with the models that it is made to list."""

    listed: tuple[dict[str, object], ...] = ()

    def do_GET(self) -> None:
        self.reply({"object": "list", "data": [*self.listed]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model"] not in [one["id"] for one in self.listed]:
            self.reply({"error": {"message": f"The model `{body['model']}` does not exist.", "code": 404}}, 404)
        elif self.path.endswith("/chat/completions"):
            self.reply({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})  # fmt: skip


@contextlib.contextmanager
def at_url(handler: type[ToyServer]) -> Iterator[str]:
    with serving(handler) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def url() -> Iterator[str]:
    with at_url(ToyServer) as url:
        yield url


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("shop.csv").write_text(SEEDS)
    return tmp_path


def fails(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main(args)
    assert isinstance(end.value.code, int)
    return end.value.code, capsys.readouterr().err.strip().removeprefix("sprout: ")


def test_the_three_commands_that_it_prints_work_as_printed(here, url, capsys):
    main(["init", "--seeds", "shop.csv", "--url", url, "--domain", f" {SHOP}\n", "--num-tasks", "12"])
    said = capsys.readouterr().out
    settings = tomllib.loads(Path("my.toml").read_text())

    assert "shop.csv: Alpaca CSV, 3 tasks, 3 instances" in said  # as `sprout seeds check` has it
    assert "what to do:\n1. " in said
    assert "model: my-model is a base model; the length of its context is not known" in said
    assert (settings["seeds"], settings["domain"], settings["out"]) == ("shop.csv", SHOP, "outputs/mine")
    assert settings["engine"] == {"name": "server", "model": "my-model", "url": url}
    assert settings["instructions"]["num_tasks"] == 12
    assert 10 < len(Path("my.toml").read_text().splitlines()) < 40
    commands = said.partition("my.toml is written. Next:\n")[2].splitlines()
    assert [line.strip() for line in commands] == [
        "sprout preview my.toml",
        "sprout run my.toml",
        "sprout show outputs/mine",
    ]
    for line in commands:
        main(shlex.split(line)[1:])
        assert capsys.readouterr().out
    assert len(Path("outputs/mine/1_instructions.jsonl").read_text().splitlines()) >= 12
    assert SHOP in Path("outputs/mine/settings.json").read_text()


@pytest.mark.parametrize(
    ("place", "file", "out"),
    [
        ([], "my.toml", "outputs/mine"),
        (["shop"], "shop/my.toml", "outputs/shop"),
        (["bikes.toml"], "bikes.toml", "outputs/bikes"),
        (["new/one.toml"], "new/one.toml", "outputs/one"),
        (["a shop"], "a shop/my.toml", "outputs/a shop"),
    ],
)
def test_it_takes_a_file_or_a_folder(place, file, out, here, capsys):
    main(["init", *place, "--seeds", "nano", "--model", "nano"])

    assert tomllib.loads(Path(file).read_text())["out"] == out
    assert f"sprout run {shlex.quote(file)}\n  sprout show {shlex.quote(out)}" in capsys.readouterr().out


def test_a_model_that_is_loaded_here_is_looked_at(here, capsys):
    main(["init", "--seeds", "nano", "--model", "nano"])

    assert "model: nano is a base model with a context of 2,048 tokens" in capsys.readouterr().out
    settings = tomllib.loads(Path("my.toml").read_text())
    assert settings["engine"]["model"] == "nano"
    assert settings["engine"]["name"] in ("vllm", "transformers")
    assert "domain" not in settings


def test_prompts_that_do_not_fit_into_the_context_are_told_of(here, capsys):
    class Small(Models):
        listed = ({"id": "m", "max_model_len": 1000},)

    with at_url(Small) as url:
        main(["init", "--seeds", "shop.csv", "--url", url])
    said = capsys.readouterr().out

    assert "model: m is a chat model with a context of 1,000 tokens" in said
    assert re.search(r"a prompt of instructions takes about 1,\d+ tokens with its answer, more than that; lower", said)
    assert "lower instructions.num_demos or its sampling.max_tokens" in said


@pytest.mark.parametrize("entry", [{"context_length": 2048}, {"context_window": 2048}, {"meta": {"n_ctx_train": 2048}}, {"max_context_length": 2048, "meta": None}])  # fmt: skip
def test_each_way_of_servers_to_tell_of_the_context_is_read(entry, here, capsys):
    class Telling(Models):
        listed = ({"id": "m"} | entry,)

    with at_url(Telling) as url:
        main(["init", "--seeds", "shop.csv", "--url", url])
    assert "with a context of 2,048 tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            [],
            "init: --seeds, and --url or --model, are missing; give what is missing, or run it in a terminal, where it asks",
        ),
        (
            ["--seeds", "shop.csv"],
            "init: --url or --model is missing; give what is missing, or run it in a terminal, where it asks",
        ),
        (["--model", "nano"], "init: --seeds is missing; give what is missing, or run it in a terminal, where it asks"),
        (["--seeds", "none.csv", "--model", "nano"], "none.csv: cannot be read"),
        (["--seeds", "shop.csv", "--model", "nowhere/at/all"], "nowhere/at/all: is not a folder here"),
        (["--seeds", "shop.csv", "--url", "shop.csv"], "shop.csv: is not the url of a server"),
        (["--seeds", "shop.csv", "--url", "{url}", "--model", "my-modle"], "my-modle"),
    ],
)
def test_what_is_missing_or_wrong_in_a_script_gets_one_sentence_and_no_file(args, said, here, capsys):
    class One(Models):
        listed = ({"id": "my-model"},)

    with at_url(One) as url:
        code, error = fails(capsys, "init", *(arg.format(url=url) for arg in args))

    assert code == 1
    assert said in error
    assert "Traceback" not in error
    assert not Path("my.toml").exists()


def test_a_server_that_is_down_ends_it_soon(here, capsys):
    code, error = fails(capsys, "init", "--seeds", "shop.csv", "--url", "http://127.0.0.1:9/v1", "--model", "m")

    assert code == 4
    assert "http://127.0.0.1:9/v1: no completion for" in error
    assert not Path("my.toml").exists()


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ((), "does not list its models; name one with --model"),
        (("a", "b"), "serves a, b; name one of them with --model"),
    ],
)
def test_a_server_with_no_model_or_several_needs_the_name_of_one(listed, said, here, capsys):
    class Several(Models):
        pass

    Several.listed = tuple({"id": name} for name in listed)
    with at_url(Several) as url:
        assert f"{url}: {said}" in fails(capsys, "init", "--seeds", "shop.csv", "--url", url)[1]


def test_a_file_that_is_there_is_replaced_only_when_told(here, capsys):
    Path("my.toml").write_text("mine")
    code, error = fails(capsys, "init", "--seeds", "nano", "--model", "nano")

    assert (code, error) == (1, "my.toml: already exists; name another file, or replace it with --replace")
    assert Path("my.toml").read_text() == "mine"
    main(["init", "--seeds", "nano", "--model", "nano", "--replace"])
    assert "num_tasks = 200 " in Path("my.toml").read_text()


def test_a_folder_of_another_run_is_left_alone(here):
    Path("outputs/mine").mkdir(parents=True)
    main(["init", "--seeds", "nano", "--model", "nano"])

    assert tomllib.loads(Path("my.toml").read_text())["out"] == "outputs/mine-2"


def in_terminal(folder: Path, answers: list[tuple[str, str]], *args: str) -> tuple[int, str]:
    """The exit code of `sprout init`, and what it showed, when each question gets its answer; None ends the input."""
    main_end, its_end = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "pipeline", "init", *args], cwd=folder, stdin=its_end, stdout=its_end, stderr=its_end)  # fmt: skip
    os.close(its_end)
    said, waiting = "", [*answers]
    while True:
        if not select.select([main_end], [], [], 60)[0]:
            process.kill()
            raise AssertionError(f"nothing more came after: {said[-300:]}")
        try:
            chunk = os.read(main_end, 65536)
        except OSError:  # the other end is closed
            break
        said += chunk.decode()
        if waiting and said.endswith(waiting[0][0]):
            os.write(main_end, f"{waiting.pop(0)[1]}\n".encode())
    os.close(main_end)
    assert not waiting, f"never asked: {waiting[0][0]}"
    return process.wait(), said.replace("\r\n", "\n")


def test_in_a_terminal_it_asks_for_what_is_missing_and_again_after_a_wrong_answer(here, url):
    (here / "my.toml").write_text("mine")
    code, said = in_terminal(
        here,
        [
            ("my.toml exists. Replace it? [no]: ", "y"),
            ("Your seeds, a file of examples: ", "nowhere.csv"),
            ("Your seeds, a file of examples: ", "shop.csv"),
            ("or nothing to load a model here: ", "127.0.0.1"),
            ("or nothing to load a model here: ", url),
            ("What are the tasks about? A few words, or nothing: ", SHOP),
            ("How many tasks? [200]: ", "some"),
            ("How many tasks? [200]: ", ""),
        ],
    )
    settings = tomllib.loads((here / "my.toml").read_text())

    assert code == 0, said
    assert "nowhere.csv: cannot be read" in said
    assert "127.0.0.1: is not the url of a server" in said
    assert "'some' is not a number above 0" in said
    assert (settings["seeds"], settings["domain"], settings["instructions"]["num_tasks"]) == ("shop.csv", SHOP, 200)
    assert settings["engine"]["model"] == "my-model"


def test_in_a_terminal_options_are_not_asked_for_and_no_answer_replaces_no_file(here):
    (here / "my.toml").write_text("mine")
    code, said = in_terminal(here, [("Replace it? [no]: ", "")], "--seeds", "nano")

    assert code == 1
    assert "my.toml: already exists" in said
    code, said = in_terminal(
        here,
        [("or nothing to load a model here: ", ""), ("The model: a folder, a name on the hub, or nano: ", "nano"), ("or nothing: ", "")],
        "one.toml", "--seeds", "nano", "--num-tasks", "7",
    )  # fmt: skip
    assert code == 0, said
    assert tomllib.loads((here / "one.toml").read_text())["instructions"]["num_tasks"] == 7
