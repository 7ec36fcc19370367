"""What a GPU gives: raw vLLM, Sprout in process, served and by Ray; likelihoods; training. Ten minutes on one GPU.

    python benchmarks/gpu.py                     # a random model of a billion weights, which it makes
    python benchmarks/gpu.py --model FOLDER      # a model of your own
    python benchmarks/gpu.py --toy               # nano and few tasks: a trial on a CPU

Every way asks the same prompts with the same sampling: those of the stage `instances` for `--tasks` tasks. Sprout's
time is that of the stage from start to end, with journal and files. Loading a model is never counted, and the prefix
cache is empty at the start of each round. Each line is printed when it is measured; what cannot be measured says why,
and the next begins. Needs the extras vllm, ray and train.
"""

import argparse
import importlib.util
import shutil
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import train
import vllm_server
import ways
from ways import Prompts

from pipeline import Sampling, Task, read_seeds
from pipeline.dataset.content import TextRow
from pipeline.dataset.rows import Rows
from pipeline.engines.base import Engine, Request, ScoreRequest
from pipeline.engines.ray import Ray
from pipeline.engines.scripted import Scripted
from pipeline.engines.vllm import VLLM
from pipeline.resources import NANO
from pipeline.runs.context import Context
from pipeline.runs.run import run_stages
from pipeline.stage import Stage
from pipeline.stages import Instances
from pipeline.training.settings import TrainingSettings

FILE = {"instances": "1_instances.jsonl"}
BILLION = {
    "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 4096,
}  # fmt: skip


class Size(NamedTuple):
    """How much is asked of what."""

    model: str
    tasks: int
    max_tokens: int
    rounds: int
    steps: int
    batch_size: int
    window: int
    toy: bool

    @property
    def options(self) -> dict[str, Any]:
        """For vLLM; on a GPU its own defaults."""
        few = {"kv_cache_memory_bytes": 256 << 20, "max_num_seqs": 32, "max_num_batched_tokens": 2048}
        return few if self.toy else {}


class Speed(NamedTuple):
    """What was asked for in how long."""

    seconds: float
    requests: int
    tokens: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder; unset: a random Llama of a billion weights")
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30, help="of training")
    parser.add_argument("--batch-size", type=int, default=32, help="rows of a step")
    parser.add_argument("--window", type=int, default=1024, help="requests in flight")
    parser.add_argument("--toy", action="store_true", help="nano and few tasks, on a CPU")
    parser.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS])
    args = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        model = args.model or (str(NANO) if args.toy else billion(Path(temporary) / "model"))
        size = Size(model, args.tasks, args.max_tokens, args.rounds, args.steps, args.batch_size, args.window, args.toy)
        if args.toy:
            size = size._replace(tasks=24, max_tokens=16, rounds=1, steps=2, batch_size=4, window=32)
        print(f"{device()}; {Path(model).name}, {size.tasks:,} tasks, {size.max_tokens} tokens at most\n", flush=True)
        raw: float | None = None
        for name in args.only:
            for line, speed in measured(name, size):
                raw = raw or (speed if "raw" in line else None)
                share = f", {speed / raw:.3f} of raw vLLM" if raw and speed else ""
                print(f"{line}{share}  [{time.perf_counter() - begun:.0f} s]", flush=True)


def measured(name: str, size: Size) -> Sequence[tuple[str, float]]:
    """The lines of a part, each with its completion tokens a second, in a process of its own, which frees the GPU."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(part, name, size).result()
        except (Exception, SystemExit) as error:
            return [(f"{name}: cannot be measured: {type(error).__name__}: {error}", 0.0)]


def part(name: str, size: Size) -> list[tuple[str, float]]:
    try:
        return list(PARTS[name](size))
    except Exception:
        traceback.print_exc()
        raise


def device() -> str:
    if not importlib.util.find_spec("torch"):
        return "no torch"
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def billion(folder: Path) -> str:
    """A random Llama of a billion weights, with nano's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder.mkdir()
    for path in NANO.glob("*token*"):
        shutil.copy(path, folder)
    config = AutoConfig.from_pretrained(NANO)
    config.update(BILLION)
    torch.manual_seed(0)
    models: Any = AutoModelForCausalLM
    net = models.from_config(config, dtype=torch.bfloat16)
    net.save_pretrained(folder)
    print(f"made a random model of {net.num_parameters() / 1e9:.2f} billion weights")
    return str(folder)


def in_process(size: Size) -> Iterator[tuple[str, float]]:
    """vLLM bare and Sprout on the same engine, then likelihoods on it."""
    engine = VLLM(size.model, chat=False, window=size.window, **size.options)
    asked = prompts(size)
    warm(engine)

    def raw() -> Speed:
        ways.loaded(engine).reset_prefix_cache()
        spent = ways.raw(engine, asked, 0).whole
        return Speed(spent.seconds, spent.requests, spent.tokens)

    yield line("raw vLLM", [raw() for _ in range(size.rounds)])
    yield line("Sprout in process", [stage(engine, size) for _ in range(size.rounds)])
    yield from scores(engine, size)
    engine.close()


def served(size: Size) -> Iterator[tuple[str, float]]:
    options = [word for key, value in size.options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    if size.toy:
        options = [*vllm_server.ON_CPU, *options]
    with vllm_server.served(size.model, options) as root:
        vllm_server.at_server(root, warm, window=size.window)
        found = [vllm_server.at_server(root, stage, size, window=size.window) for _ in range(size.rounds)]
    yield line("Sprout, served", found)


def by_ray(size: Size) -> Iterator[tuple[str, float]]:
    options: dict[str, Any] = {"chat": False, "window": size.window, "slots": size.window} | size.options
    engine = Ray(size.model, num_replicas=1, **options)
    warm(engine)
    found = []
    for _ in range(size.rounds):
        found.append(stage(engine, size))
        engine.close()  # for an empty prefix cache
        warm(engine) if len(found) < size.rounds else None
    yield line("Sprout by Ray", found)


def training(size: Size) -> Iterator[tuple[str, float]]:
    rows = [TextRow(prompt=row.prompt, completion=row.completion) for row in Rows(read_seeds("nano"))]
    settings = TrainingSettings(max_steps=size.steps, batch_size=size.batch_size, learning_rate=1e-5)
    way = "`sprout train`"
    speed, loss = train.measure(lambda folder: train.ours(rows, size.model, settings, folder))
    for text in train.table({way: [speed]}, {way: loss}, train.size(size.model)):
        yield text, 0.0


PARTS: dict[str, Callable[[Size], Iterator[tuple[str, float]]]] = {
    "in_process": in_process, "served": served, "by_ray": by_ray, "training": training,
}  # fmt: skip


def line(way: str, found: Sequence[Speed]) -> tuple[str, float]:
    speed = statistics.median(one.tokens / one.seconds for one in found)
    seconds = statistics.median(one.seconds for one in found)
    return f"{way}: {speed:,.0f} tokens/s; {found[0].requests:,} requests in {seconds:.1f} s", speed


def tasks(size: Size) -> list[Task]:
    """Instructions of the seeds, each with a number, so that no two prompts are alike."""
    seeds = read_seeds("general")
    return [
        Task(
            id=f"task_{number:06}",
            instruction=f"{seeds[number % len(seeds)].instruction} ({number})",
            is_classification=seeds[number % len(seeds)].is_classification,
        )
        for number in range(size.tasks)
    ]


def the_stage(size: Size) -> Stage:
    found: Stage = Instances(sampling=Sampling(temperature=0.7, max_tokens=size.max_tokens), num_input_first_demos=4)
    return found


def prompts(size: Size) -> Prompts:
    """What the stage asks, from a run of it that answers with nothing."""
    engine = Scripted(lambda request: " Output: nothing", window=size.window)
    stage(engine, size)
    given = [(str(one.prompt), one.sampling.model_dump(mode="json")) for one in engine.requests]
    return {"instances": given}


def stage(engine: Engine, size: Size) -> Speed:
    """The stage from start to end. What it rejects, as it must of a random model, costs the same."""
    if isinstance(engine, VLLM) and engine._core:
        ways.loaded(engine).reset_prefix_cache()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        try:
            run_stages([the_stage(size)], FILE, tasks(size), Context(read_seeds("general"), engine, Path(folder)))
        except Exception as error:  # a stage that keeps nothing says so at its end
            if "instances" not in str(error):
                raise
        whole = ways.journal_of(Path(folder), time.perf_counter() - start, 0).whole
    return Speed(whole.seconds, whole.requests, whole.tokens)


def scores(engine: Engine, size: Size) -> Iterator[tuple[str, float]]:
    """Likelihoods of the seeds' outputs, again and again with a number before them."""
    seeds = [seed for seed in read_seeds("general") if seed.instances]
    asked = [
        ScoreRequest(
            id=str(number),
            prompt=f"{number}. {seeds[number % len(seeds)].instruction}\n",
            continuation=seeds[number % len(seeds)].instances[0].output or "none",
        )
        for number in range(size.tasks)
    ]
    start = time.perf_counter()
    found = list(engine.score(asked))
    seconds = time.perf_counter() - start
    tokens = sum(one.prompt_tokens + one.num_tokens for one in found)
    failed = sum(bool(one.error) for one in found)
    yield f"likelihoods: {len(found) / seconds:,.1f} texts/s, {tokens / seconds:,.0f} tokens/s, {failed} failed", 0.0


def warm(engine: Engine) -> None:
    sampling = Sampling(max_tokens=8)
    list(engine.generate([Request(id=str(n), prompt=f"Warm up {n}.", sampling=sampling) for n in range(16)]))


if __name__ == "__main__":
    main()
