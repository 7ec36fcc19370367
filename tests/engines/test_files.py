"""How many connections a process may open, which its limit on open files says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAY = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))\n"
ASK = "from pipeline.engines.server.files import room_for; print(room_for(int(sys.argv[3])))"
RUN = """
from pipeline.engines.base import Request, Sampling
from pipeline.engines.server import Server
requests = (Request(id=f"r{number}", prompt=f"p{number}", sampling=Sampling()) for number in range(600))
engine = Server("tiny", sys.argv[3], chat=False, window=300, pause=0.01)
print({completion.finish_reason for completion in engine.generate(requests)})
"""


def said(code: str, *arguments: object) -> tuple[str, str]:
    command = [sys.executable, "-c", SAY + code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    ("limit", "allowed", "wanted", "found"),
    [(256, 4096, 100, 100), (256, 4096, 1000, 1000), (256, 512, 1000, 448), (32, 32, 1000, 1)],
)
def test_as_many_connections_are_open_as_the_system_allows(limit: int, allowed: int, wanted: int, found: int) -> None:
    assert said(ASK, limit, allowed, wanted)[0] == str(found)


@pytest.mark.parametrize("allowed", [100, 1000])
def test_no_request_is_lost_where_few_files_may_be_open(allowed: int) -> None:
    server = """
from tests.engines.stand_in import Answer, StandIn
server = StandIn(lambda tried, body: Answer(seconds=0.3))
server.metrics = lambda: "vllm:num_requests_running 1\\nvllm:num_requests_waiting 0\\n"
print(server.url, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", "import sys" + server]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        reasons, warned = said(RUN, 100, allowed, other.stdout.readline().strip())
        other.kill()
    assert reasons == "{'stop'}"
    assert ("at most 36 requests in flight, as this process may open no more files" in warned) is (allowed == 100)
    assert "Too many open files" not in warned
