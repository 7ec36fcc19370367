"""Engines of every kind on tiny models, vLLM in this process and served among them."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.engines.base import Engine, ScoreRequest
from pipeline.engines.ray import Ray
from pipeline.engines.ray.cluster import LOCAL_SETTINGS
from pipeline.engines.scripted import Scripted
from pipeline.engines.server import Server
from pipeline.engines.transformers import Transformers
from pipeline.engines.vllm import VLLM

os.environ["RAY_AUTH_MODE"] = "token"  # before the first import of Ray, which vLLM brings about too

QUIET = [  # what vLLM does that would be an error here: it imports a part of torch that is on its way out
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
]
WINDOW = 8
TRIES = 9  # Ray gives parts of itself 15 s to start, which a busy machine may not do
TOY = "tests.engines.toy_replica:Toy"  # what answers in a replica on Ray
MODELS = ["transformers", pytest.param("vllm", marks=pytest.mark.vllm), pytest.param("server", marks=pytest.mark.vllm)]
SMALL: dict[str, Any] = {"kv_cache_memory_bytes": 64 << 20, "max_num_batched_tokens": 512}  # what makes vLLM start fast
OF_NANO = SMALL | {"max_num_batched_tokens": 2048, "window": 32}


@contextmanager
def vllm_server(model: str, log: Path, **options: int) -> Iterator[str]:
    """The url of a real server of a model that it calls tiny; it may still be starting, `ready` waits for it."""
    if not find_spec("vllm"):
        pytest.skip("vllm is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += [
        "--served-model-name",
        "tiny",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--generation-config",
        "vllm",
    ]
    command += ["--dtype", "float32", "--enforce-eager", "--no-enable-chunked-prefill"]
    command += [
        word for name, value in (SMALL | options).items() for word in ("--" + name.replace("_", "-"), str(value))
    ]
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | quiet)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


class RayCluster(NamedTuple):
    address: str
    head: int  # the process that all depends on


@contextmanager
def ray_cluster(*cpus: int) -> Iterator[RayCluster]:
    """A Ray cluster of machines with so many CPUs."""
    if not find_spec("ray"):
        pytest.skip("ray is not installed")
    os.environ |= {"RAY_AUTH_TOKEN": secrets.token_hex(32)} | LOCAL_SETTINGS
    command = [sys.executable, str(Path(__file__).with_name("ray_cluster.py")), *map(str, cpus)]
    for _ in range(TRIES):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with process:
            assert process.stdin
            assert process.stdout
            if words := process.stdout.readline().decode().split():
                yield RayCluster(words[0], int(words[1]))
                process.stdin.close()
                return
    raise TimeoutError("Ray does not start")


def ready(url: str, seconds: float = 400) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url + "/models", timeout=5):
                return url
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(f"{url} did not start within {seconds:.0f} s")


def by_length(request: ScoreRequest) -> list[float]:
    return [-0.5] * len(request.continuation)


def start(name: str, request: pytest.FixtureRequest) -> Engine:
    """An engine by name, on the tiny chat model."""
    if name == "scripted":
        return Scripted(lambda request: f"answer to {request.prompt}", window=WINDOW, likelihood=by_length)
    model = request.getfixturevalue("chat_model")
    if name == "ray":
        request.getfixturevalue("connected")
        return Ray(model, num_replicas=2, replica=TOY, window=WINDOW, echo=True)
    if name == "transformers":
        return Transformers(model, window=WINDOW, dtype="float64")
    url = request.getfixturevalue("vllm_url")  # it starts while vLLM starts here
    if name == "server":
        return Server("tiny", ready(url), window=WINDOW, tokenizer=model)
    return VLLM(model, window=WINDOW, **SMALL)
