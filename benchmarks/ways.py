"""Ways to ask one model the same things, each timed: vLLM bare, Sprout, and what they run on.

What is timed never includes loading the model. An engine lives in a process of its own (vLLM's own processes come on
top) and does nothing, and costs no CPU, while another is measured.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from novelty import reference

from pipeline import Request, Sampling, read_seeds, read_tasks, run
from pipeline.engines.vllm import VLLM
from pipeline.resources import NANO
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.run import run_stages
from pipeline.runs.settings import file_names
from pipeline.runs.store import Store
from pipeline.settings.build import build_stage
from pipeline.settings.read import read

STAGES = ("instructions", "classify", "instances", "filter")
MAX_NUM_SEQS = 256  # requests vLLM works on at once: the default of its `LLM` on a CPU
MAX_NUM_BATCHED_TOKENS = 4096  # the default of `LLM` on a CPU; a server's is half of it

Prompts = dict[str, list[tuple[str, dict[str, Any]]]]  # by stage, with the sampling


class Spent(NamedTuple):
    """What was asked for in how long."""

    seconds: float
    requests: int
    prompt_tokens: int
    cached_tokens: int
    tokens: int  # of completions

    @property
    def speed(self) -> float:
        """Completion tokens a second."""
        return self.tokens / self.seconds


class Measured(NamedTuple):
    whole: Spent
    stages: dict[str, Spent]
    kept: float  # tasks


def added(parts: Sequence[Spent], seconds: float) -> Spent:
    requests, prompt_tokens, cached_tokens, tokens = (sum(part[i] for part in parts) for i in range(1, 5))
    return Spent(seconds, int(requests), int(prompt_tokens), int(cached_tokens), int(tokens))


def sprout(engine: Any, folder: Path, num_tasks: int, window: int | None = None) -> Measured:
    """A run of the four stages with the settings of the quick start, but for these."""
    settings = read("quickstart", [f"instructions.num_tasks={num_tasks}"])
    first, *others = (build_stage(name, settings) for name in STAGES)
    stages = [first.model_copy(update={"window": window}), *others]
    seeds = read_seeds("nano")
    start = time.perf_counter()
    tasks = run(stages, seeds, engine, folder)
    return journal_of(folder, time.perf_counter() - start, len(tasks))


def instances(engine: Any, folder: Path, recorded: Path, changes: Sequence[str]) -> Measured:
    """The stage `instances` alone, on the tasks of another run."""
    stage = build_stage("instances", read("quickstart", changes))
    files = stage_files()
    tasks = [task for task in Store(recorded / files["classify"]).load() if task.kept]
    start = time.perf_counter()
    kept = run_stages([stage], files, tasks, Context(read_seeds("nano"), engine, folder))
    return journal_of(folder, time.perf_counter() - start, len(kept))


def stage_files() -> dict[str, str]:
    """The names of a run's files, by stage."""
    kinds: list[Any] = [build_stage(name, read("quickstart")) for name in STAGES]
    return file_names(kinds)


def journal_of(folder: Path, seconds: float, kept: int) -> Measured:
    with Journal(folder / FILE) as journal:
        used = journal.usage()
    stages = {
        name: Spent(stage.seconds, stage.requests, stage.prompt_tokens, stage.cached_tokens, stage.completion_tokens)
        for name, stage in used.items()
    }
    return Measured(added(list(stages.values()), seconds), stages, kept)


def prompts_of(folder: Path) -> Prompts:
    """The prompts of a run, in the order their completions came."""
    with Journal(folder / FILE) as journal:
        rows = journal.db.execute(
            "SELECT stage, coalesce(prefixes.text, '') || prompt, sampling, max_tokens FROM completions "
            "LEFT JOIN prefixes ON prefixes.id = prefix ORDER BY arrived"
        ).fetchall()
    found: Prompts = {}
    for stage, prompt, sampling, most in rows:
        found.setdefault(stage, []).append((prompt, json.loads(sampling) | {"max_tokens": most}))
    return found


def raw(engine: VLLM, prompts: Prompts, kept: float, batch: int | None = None) -> Measured:
    """`LLM.generate` on all prompts of a stage at once, or on `batch` at a time, each waiting for the slowest."""
    stages, start = {}, time.perf_counter()
    for stage, asked in prompts.items():
        size, begun = batch or len(asked), time.perf_counter()
        parts = [generate(engine, asked[at : at + size]) for at in range(0, len(asked), size)]
        stages[stage] = added(parts, time.perf_counter() - begun)
    return Measured(added(list(stages.values()), time.perf_counter() - start), stages, kept)


def comparisons(recorded: Path, share: int) -> float:
    """Seconds in which the published code would compare what a run wrote, each text with the pool of its time.

    One in `share` of the texts is compared.
    """
    pool = [task.instruction for task in read_seeds("nano")]
    seconds = 0.0
    texts = (
        task for task in read_tasks(recorded / stage_files()["instructions"]) if task.rejected in (None, "not_new")
    )
    for number, task in enumerate(texts):
        if number % share == 0:
            start = time.perf_counter()
            reference(pool)([task.instruction])
            seconds += time.perf_counter() - start
        if task.kept:
            pool.append(task.instruction)
    return seconds * share


def generate(engine: VLLM, asked: Sequence[tuple[str, dict[str, Any]]]) -> Spent:
    params = [sampling_params(sampling) for _, sampling in asked]
    outputs = loaded(engine).generate([prompt for prompt, _ in asked], params, use_tqdm=False)
    return spent(outputs, 0.0)


def sampling_params(sampling: dict[str, Any], **more: Any) -> Any:
    """As vLLM takes it, with the words that a completion was held to."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    words = sampling.get("choices")
    held: dict[str, Any] = {"structured_outputs": StructuredOutputsParams(choice=list(words))} if words else {}
    return SamplingParams(**{key: value for key, value in sampling.items() if key != "choices"}, **held, **more)


def spent(outputs: Sequence[Any], seconds: float) -> Spent:
    """Of vLLM's outputs."""
    return Spent(
        seconds,
        len(outputs),
        sum(len(output.prompt_token_ids) for output in outputs),
        sum(output.num_cached_tokens or 0 for output in outputs),
        sum(len(output.outputs[0].token_ids) for output in outputs),
    )


def loaded(engine: VLLM) -> Any:
    assert engine._core
    return engine._core.llm


@contextmanager
def child(**options: Any) -> Iterator[Callable[..., Any]]:
    """vLLM on nano in a process of its own, which calls what it is told to with that engine."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=obey, args=(options, theirs))
    process.start()
    theirs.close()

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        ours.send((function, arguments))
        return received()

    def received() -> Any:
        try:
            return ours.recv()
        except EOFError:
            raise SystemExit("an engine died; what it said is above") from None

    received()
    try:
        yield call
    finally:
        ours.close()
        process.join()


def obey(options: dict[str, Any], orders: Connection) -> None:
    options |= {"max_num_seqs": MAX_NUM_SEQS, "max_num_batched_tokens": MAX_NUM_BATCHED_TOKENS}
    engine = VLLM(str(NANO), window=MAX_NUM_SEQS, **options)
    list(engine.generate([Request(id="warm", prompt="Warm up.", sampling=Sampling(max_tokens=8))]))
    orders.send(None)
    try:
        while True:
            function, arguments = orders.recv()
            loaded(engine).reset_prefix_cache()
            orders.send(function(engine, *arguments))
    except EOFError:
        engine.close()
