"""What the benchmarks compare is the same work: the same prompts, whole batches, all of it counted."""

import asyncio
import importlib
from collections.abc import Callable
from multiprocessing import dummy
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.engines.scripted import Scripted

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FEW = 12, 4  # tasks, requests in flight


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    novelty = importlib.import_module("novelty")
    monkeypatch.setattr(novelty, "FORK", dummy)  # threads: a fork of tests that have some may wait for ever
    return importlib.import_module


def asked(model: Scripted) -> list[tuple[str, dict[str, object]]]:
    return [
        (
            request.prompt,
            request.sampling.model_dump(mode="json") | ({"choices": [*request.choices]} if request.choices else {}),
        )
        for request in model.requests
    ]


def test_others_are_asked_the_very_prompts_of_the_run(
    load: Callable[[str], ModuleType], model: Scripted, tmp_path: Path
) -> None:
    ways = load("ways")
    measured = ways.sprout(model, tmp_path / "run", *FEW)
    prompts = ways.prompts_of(tmp_path / "run")
    assert list(prompts) == ["instructions", "classify", "instances"]
    assert measured.kept == 12
    assert measured.whole.requests == sum(map(len, prompts.values()))
    for prompt in (one for found in prompts.values() for one in found):
        assert prompt in asked(model)


def test_instances_alone_ask_what_they_asked_in_the_run(
    load: Callable[[str], ModuleType], model: Scripted, tmp_path: Path
) -> None:
    ways, other = load("ways"), Scripted(model.answer)
    ways.sprout(model, tmp_path / "run", *FEW)
    measured = ways.instances(other, tmp_path / "alone", tmp_path / "run", [])
    assert sorted(prompt for prompt, _ in asked(other)) == sorted(
        prompt for prompt, _ in ways.prompts_of(tmp_path / "run")["instances"]
    )
    assert measured.whole.requests == len(other.requests) == 12


def test_the_comparisons_of_a_part_of_a_run_are_that_part_of_all(
    load: Callable[[str], ModuleType], model: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways, throughput = load("ways"), load("throughput")
    run = ways.sprout(model, tmp_path / "run", *FEW)
    assert ways.comparisons(tmp_path / "run", 1) > 0
    monkeypatch.setattr(ways, "comparisons", lambda recorded, share: 100.0)
    part = run._replace(kept=3.0)
    whole = throughput.with_comparisons(part, tmp_path / "run", 12.0)
    assert whole.whole.seconds == part.whole.seconds + 25
    assert throughput.requests_alone([(whole, 0.0)])[0][0].whole == part.whole


def test_one_in_a_few_batches_of_each_stage_is_asked_of_the_reference_and_none_is_torn(
    load: Callable[[str], ModuleType],
) -> None:
    prompts = {"classify": [(str(number), {}) for number in range(43)], "instances": [("one", {})]}
    some = load("throughput").thinned(prompts, 4)
    assert [int(prompt) for prompt, _ in some["classify"]] == [*range(5), *range(20, 25), *range(40, 43)]
    assert some["instances"] == [("one", {})]


def test_on_a_gpu_raw_vllm_is_asked_the_very_prompts_of_the_stage(load: Callable[[str], ModuleType]) -> None:
    gpu = load("gpu")
    size = gpu.Size("nano", tasks=9, max_tokens=7, rounds=1, steps=1, batch_size=1, window=4, toy=True)
    engine = Scripted(lambda request: "of a random model", window=4)
    spent = gpu.stage(engine, size)
    prompts = gpu.prompts(size)["instances"]
    assert sorted(prompt for prompt, _ in prompts) == sorted(str(request.prompt) for request in engine.requests)
    assert len({prompt for prompt, _ in prompts}) == spent.requests == 9
    assert {sampling["max_tokens"] for _, sampling in prompts} == {7}


def test_the_engine_and_the_bare_client_get_all_answers_of_a_server_that_answers_at_once(
    load: Callable[[str], ModuleType],
) -> None:
    client = load("client")
    with client.served() as url:
        ours, theirs = [*client.engine(url, 50, 1)], asyncio.run(client.bare_client(url, 50, 1))
    assert len(ours) == 2
    assert all(seconds > 0 for seconds in [*ours, *theirs])
