"""Data sets on a hub: files whose types the library `datasets` would guess are read as they are written."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REVISION = "0" * 40
ROOT = Path(__file__).resolve().parents[2]
README = "---\nconfigs:\n- config_name: a\n  data_files: a.jsonl\n- config_name: b\n  data_files: b.csv\n---\n"


class Hub(ThreadingHTTPServer):
    """Enough of the hub to read the data set me/mine from it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.give(json.dumps([one for one in self.listed() if one["path"] in asked]).encode())

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/datasets/me/mine/resolve/"):
            data = self.server.files.get(path.rpartition("/")[2])
            return self.give(data) if data is not None else self.send_error(404)
        if "/tree/" in path:
            return self.give(json.dumps(self.listed()).encode()) if path.endswith(REVISION) else self.send_error(404)
        siblings = [{"rfilename": name} for name in self.server.files]
        return self.give(json.dumps({"id": "me/mine", "sha": REVISION, "siblings": siblings}).encode())

    def listed(self) -> list[dict[str, object]]:
        files = self.server.files.items()
        return [{"type": "file", "path": name, "size": len(data), "oid": name} for name, data in files]

    def give(self, data: bytes) -> None:
        self.send_response(200)
        etag = hashlib.sha256(data).hexdigest()
        for name, value in {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data if self.command != "HEAD" else b"")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def said(hub: Hub, folder: Path, place: str, **env: str) -> list[tuple[str, str]]:
    """Inputs and outputs of the seeds, read by a command of its own, since the address is read at import."""
    code = (
        "import sys; from pipeline.seeds.read import read_seeds\n"
        "for task in read_seeds(sys.argv[1]): print(task.model_dump_json())"
    )
    env = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder), "PYTHONPATH": str(ROOT)} | env
    made = subprocess.run(
        [sys.executable, "-c", code, place], env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert not made.returncode, made.stderr
    found = map(json.loads, made.stdout.splitlines())
    return [(one["input"], one["output"]) for task in found for one in task["instances"]]


def test_texts_and_fields_of_json_and_csv_on_the_hub_are_those_of_the_files(tmp_path: Path, hub: Hub) -> None:
    lines = [
        {"instruction": "Write the next day.", "input": "2024-01-05", "output": "2024-01-06"},
        {"instruction": "Repeat it.", "input": "007", "output": 2.50},
    ]
    hub.files = {
        "README.md": README.encode(),
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in lines).encode(),
        "b.csv": b"instruction,input,output\nWrite the next day.,2024-01-05,2024-01-06\nRepeat it.,007,NA\n",
    }

    rows = [("2024-01-05", "2024-01-06"), ("007", "2.5")]
    assert said(hub, tmp_path, "me/mine:a") == rows
    assert said(hub, tmp_path, "me/mine:b") == [rows[0], ("007", "NA")]
    assert said(hub, tmp_path, "me/mine:a", HF_HUB_OFFLINE="1") == rows
