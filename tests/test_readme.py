"""What the README and the page on recipes show is what the project does; their commands are in test_docs.py."""

import json
import re
import runpy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline import Request, Sampling, read_seeds, read_tasks
from tests.conftest import answer

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RECIPES = ROOT / "docs" / "recipes.md"


class ToyServer(BaseHTTPRequestHandler):
    """An OpenAI-compatible server of a base model that answers like the scripted one."""

    disable_nagle_algorithm = True  # or each answer takes 40 ms

    def do_GET(self) -> None:
        self.reply({"object": "list", "data": [{"id": "my-model", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/chat/completions"):
            self.reply({"error": {"message": "the model has no chat template", "code": 400}}, 400)
            return
        prompt = f"{body.get('seed')}\n{body['prompt']}"  # another seed, another sample
        text = answer(Request(id="x", prompt=prompt, sampling=Sampling()))
        self.reply({"id": "1", "object": "text_completion", "created": 0, "model": "my-model",
                    "choices": [{"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})  # fmt: skip

    def reply(self, body: object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Listening(ThreadingHTTPServer):
    request_queue_size = 128  # of 5, connections beyond it would wait for seconds


@contextmanager
def serving(handler: type[ToyServer]) -> Iterator[int]:
    """A server with such answers, by its port."""
    with Listening(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server_port() -> Iterator[int]:
    with serving(ToyServer) as port:
        yield port


def test_the_script_runs_as_it_stands(server_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = README.read_text(encoding="utf-8")
    script = re.search(r"<!-- script -->\n```python\n(.*?)```", RECIPES.read_text(encoding="utf-8"), re.DOTALL)
    seeds = re.search(r"<!-- file: my_seeds.csv -->\n```csv\n(.*?)```", text, re.DOTALL)
    assert script
    assert seeds
    assert len([line for line in script[1].splitlines() if line.strip()]) <= 15
    (tmp_path / "script.py").write_text(script[1].replace(":8000/", f":{server_port}/"))
    (tmp_path / "my_seeds.csv").write_text(seeds[1])
    monkeypatch.chdir(tmp_path)

    names = runpy.run_path(str(tmp_path / "script.py"), run_name="__main__")

    folder = tmp_path / "outputs" / "scripted"
    assert names["tasks"]
    assert len(list(read_tasks(folder / "2_no_questions.jsonl"))) == 200
    assert (folder / "dataset" / "messages.jsonl").is_file()


def test_the_readme_is_read_in_minutes():
    assert len(README.read_text(encoding="utf-8").split()) <= 1200


def test_the_rows_it_calls_real_are_in_the_file_of_seeds():
    seeds = {(task.instruction, one.input, one.output) for task in read_seeds("nano") for one in task.instances}
    table = re.search(r"\| three seeds .*?\n\n", README.read_text(encoding="utf-8"), re.DOTALL)
    assert table

    shown = re.findall(r"^\| (.*?)<br>(.*?) → \*\*(.*?)\*\* \|", table[0], re.MULTILINE)

    assert len(shown) == 3
    assert {*shown} <= seeds
