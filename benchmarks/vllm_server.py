"""A vLLM server of nano, and what it counts."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import aiohttp
from ways import MAX_NUM_BATCHED_TOKENS, MAX_NUM_SEQS, Measured, Prompts, Spent, added

from pipeline.engines.server import Server
from pipeline.resources import NANO

KV_CACHE_GIB = 2  # as the engine in process takes on a CPU
PLAIN = "{% for message in messages %}{{ message.content }}{% endfor %}"  # chat that comes to the prompt as it is
LOOK = 0.25  # seconds between two looks at the server's counters
COUNTERS = ("request_success_total", "prompt_tokens_total", "prefix_cache_hits_total", "generation_tokens_total")


ON_CPU = (
    "--enforce-eager", "--dtype", "float32", "--block-size", "32",  # as the engine in process
    "--no-enable-chunked-prefill",  # a seeded request that it cuts kills the engine
    "--max-num-seqs", str(MAX_NUM_SEQS), "--max-num-batched-tokens", str(MAX_NUM_BATCHED_TOKENS),
    "--chat-template", PLAIN,
)  # fmt: skip


@contextmanager
def served(model: str = str(NANO), options: Sequence[str] = ON_CPU) -> Iterator[str]:
    """A vLLM server of a model that it calls nano, by its address.

    Args:
        options: By default, those of the engines in a process of their own.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not `vllm serve`, which in the CPU build looks for a package of another name.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--port", str(port)]
    command += ["--host", "127.0.0.1", "--generation-config", "vllm", "--served-model-name", "nano"]
    command += ["--uvicorn-log-level", "warning", *options]
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": str(KV_CACHE_GIB), "VLLM_SERVER_DEV_MODE": "1", "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "1",
    }  # fmt: skip
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    root = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{root}/health", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the vLLM server did not start; what it said is above") from None
                time.sleep(1)
        yield root
    finally:
        process.terminate()
        process.wait()


def at_server(root: str, function: Callable[..., Any], *arguments: Any, window: int = MAX_NUM_SEQS) -> Any:
    """Sprout against the server, with its prefix cache empty at first."""
    reset(root)
    engine = Server("nano", f"{root}/v1", chat=False, window=window)
    try:
        return function(engine, *arguments)
    finally:
        engine.close()


def bare(root: str, prompts: Prompts, kept: float) -> Measured:
    """All prompts of a stage at once, by a client that does nothing else: what the server leaves of the speed."""
    reset(root)
    return asyncio.run(_bare(root, prompts, kept))


async def _bare(root: str, prompts: Prompts, kept: float) -> Measured:
    stages, start = {}, time.perf_counter()
    # The server closes connections that were idle for 5 s, just as they may be used again.
    pool = aiohttp.TCPConnector(limit=MAX_NUM_SEQS, keepalive_timeout=3)
    async with aiohttp.ClientSession(connector=pool, timeout=aiohttp.ClientTimeout(None)) as session:
        for stage, asked in prompts.items():
            begun = time.perf_counter()
            used = await asyncio.gather(*(_usage(session, f"{root}/v1/completions", *one) for one in asked))
            cached = sum((one["prompt_tokens_details"] or {}).get("cached_tokens", 0) for one in used)
            read, tokens = (sum(one[key] for one in used) for key in ("prompt_tokens", "completion_tokens"))
            stages[stage] = Spent(time.perf_counter() - begun, len(used), read, cached, tokens)
    return Measured(added(list(stages.values()), time.perf_counter() - start), stages, kept)


async def _usage(session: aiohttp.ClientSession, url: str, prompt: str, sampling: dict[str, Any]) -> dict[str, Any]:
    words = sampling.get("choices")
    rest = {key: value for key, value in sampling.items() if key != "choices"}
    held = {"structured_outputs": {"choice": words}} if words else {}
    async with session.post(url, json={"model": "nano", "prompt": prompt} | rest | held) as answer:
        usage: dict[str, Any] = (await answer.json())["usage"]
        return usage


def reset(root: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{root}/reset_prefix_cache", method="POST")).close()


class Counted(NamedTuple):
    """The counters of a vLLM server."""

    requests: float
    prompt_tokens: float
    cached_tokens: float
    tokens: float


class Watch:
    """What a server does meanwhile, by its own counters: nobody counts in a way of his own."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.before = self.after = self._look()
        self.first = self.last = 0.0  # when it was seen to begin and to end; the looks are LOOK apart
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._follow)
        self.thread.start()

    def stop(self, seconds: float) -> tuple[Spent, float]:
        """What it was asked in `seconds`, and for how long it had something to do."""
        self.over.set()
        self.thread.join()
        self._note()
        counts = (int(after - before) for before, after in zip(self.before, self.after, strict=True))
        return Spent(seconds, *counts), self.last - self.first

    def _follow(self) -> None:
        while not self.over.wait(LOOK):
            self._note()

    def _note(self) -> None:
        before, now = self.after, time.perf_counter()
        self.after = self._look()
        if self.after != before:
            self.first, self.last = self.first or now - LOOK, now

    def _look(self) -> Counted:
        with urllib.request.urlopen(f"{self.root}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        return Counted(
            *(sum(map(float, re.findall(rf"^vllm:{name}\{{.*\}} (\S+)$", text, re.MULTILINE))) for name in COUNTERS)
        )
