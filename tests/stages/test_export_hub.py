"""A finished dataset on the Hugging Face hub, or why it is not there."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.stages.export import Export
from pipeline.task import Instance, Task


class Hub(ThreadingHTTPServer):
    """As much of the Hugging Face hub as an upload needs; it keeps what it is sent."""

    def __init__(self) -> None:
        self.made: list[dict] = []
        self.tokens: set[str | None] = set()
        self.files: dict[str, bytes] = {}
        self.refuses = ""
        self.licences = ["apache-2.0", "mit", "other"]
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.add(self.headers["Authorization"])
        if self.server.refuses:
            return self.answer(400, {"error": self.server.refuses})
        path = self.path.partition("?")[0]
        if path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            return self.answer(200, {"url": f"{self.server.url}/datasets/me/mine"})
        if path == "/api/datasets/me/mine/preupload/main":
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": files})
        if path == "/api/datasets/me/mine/commit/main":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return self.answer(
                200, {"commitUrl": f"{self.server.url}/datasets/me/mine/commit/1", "commitOid": "1" * 40}
            )
        if path == "/api/validate-yaml":
            stated = re.search("license: (.*)", json.loads(body)["content"])
            if stated and stated[1] not in self.server.licences:
                problem = f'"license" must be one of [{", ".join(self.server.licences)}]'
                return self.answer(400, {"error": "Bad request", "errors": [{"message": problem}], "warnings": []})
            return self.answer(200, {})
        return self.answer(404, {})

    def do_GET(self) -> None:
        self.answer(200, {"id": "me/mine", "siblings": [], "sha": "0" * 40})

    def answer(self, status: int, found: dict) -> None:
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # these two are read from the environment at import
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_planted")
        yield server
        server.shutdown()


def export(folder: Path, **settings: object) -> Path:
    tasks = [Task(id="task_1", instruction="Add.", instances=(Instance(input="1 1", output="2"),))]
    Export.model_validate(settings).make(tasks, Context(seeds=[], engine=Scripted(lambda request: ""), folder=folder))
    return folder / "dataset"


def test_a_finished_folder_is_uploaded_whole_and_private_when_told_so(tmp_path, hub):
    dataset = export(tmp_path, push_to_hub="me/mine")

    assert [(one["name"], one["organization"], one["type"], one["visibility"]) for one in hub.made] == [
        ("mine", "me", "dataset", "private")
    ]
    assert hub.files == {path.name: path.read_bytes() for path in dataset.iterdir()}
    assert 'load_dataset("me/mine", "prompt_completion")' in hub.files["README.md"].decode()
    assert hub.tokens == {"Bearer hf_planted"}
    assert not any(b"hf_planted" in data for data in hub.files.values())


def test_a_public_repository_is_asked_for(tmp_path, hub):
    export(tmp_path, push_to_hub="me/mine", private=False)

    assert [one["visibility"] for one in hub.made] == ["public"]


def test_nothing_is_uploaded_unless_told_so(tmp_path, hub):
    export(tmp_path)

    assert not hub.tokens


def test_an_upload_that_is_refused_leaves_the_folder_and_says_why(tmp_path, hub):
    hub.refuses = "you are over your quota"

    with pytest.raises(SproutError, match=r"dataset is finished but .*me/mine on http.*: you are over your quota; the"):
        export(tmp_path, push_to_hub="me/mine")
    assert (tmp_path / "dataset" / "alpaca.jsonl").exists()
    hub.refuses = ""
    export(tmp_path, push_to_hub="me/mine")
    assert "alpaca.jsonl" in hub.files


def test_a_licence_that_the_hub_does_not_know_is_said_with_those_that_it_does(tmp_path, hub):
    advice = r'"license" must be one of \[apache-2.0, mit, other\]; set export.licence to one of these, or to "other"'
    with pytest.raises(SproutError, match=f"dataset is finished but me/mine on http.* does not take it: .*{advice}"):
        export(tmp_path, push_to_hub="me/mine", licence="GPL-3.0-or-later")
    export(tmp_path, push_to_hub="me/mine", licence="MIT")

    assert "license: mit\n" in hub.files["README.md"].decode()


def test_a_hub_that_is_not_there_is_said(tmp_path, hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(
        SproutError, match=r"could not be uploaded to me/mine on http://127\.0\.0\.1:9: .*the same command"
    ):
        export(tmp_path, push_to_hub="me/mine")


@pytest.mark.parametrize(
    ("name", "offline", "token", "problem"),
    [
        ("a b/c", False, "hf_x", "export.push_to_hub: Repo id must use alphanumeric chars"),
        ("a/b/c", False, "hf_x", "export.push_to_hub: Repo id must be in the form"),
        ("me/mine", True, "hf_x", "HF_HUB_OFFLINE=1 forbids uploading me/mine; unset that, or leave out push_to_hub"),
        ("me/mine", False, "", "there is no token to upload me/mine with; run `hf auth login`, or set HF_TOKEN"),
    ],
)
def test_what_makes_an_upload_impossible_is_said_before_anything_is_made(
    tmp_path, monkeypatch, name, offline, token, problem
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("HF_TOKEN", token)

    with pytest.raises(SproutError, match=problem):
        Export(push_to_hub=name)
