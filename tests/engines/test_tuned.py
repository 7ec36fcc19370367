"""What `train` writes is what transformers and vLLM load: the merged folder, and the adapter on its base."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import Context, Request, Sampling, read_seeds
from pipeline.engines.base import Engine
from pipeline.engines.scripted import Scripted
from pipeline.engines.transformers import Transformers
from pipeline.engines.vllm import VLLM
from pipeline.resources import NANO
from pipeline.stages import Export, Train
from tests.engines.tiny_engines import QUIET

pytestmark = QUIET
SMALL: dict[str, Any] = {"kv_cache_memory_bytes": 64 << 20, "max_num_batched_tokens": 512, "max_model_len": 512}
PROMPTS = ["Give the opposite of the word.\n\nbig\n\n", "Name the capital.\n\nFrance\n\n", "Count from 2 to 5.\n\n"]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    seeds = read_seeds("nano")[:16]
    run = Context(seeds, Scripted(lambda request: "", model=str(NANO)), folder)
    for stage in (
        Export(encoding="plain", only="seeds", validation_share=0),
        Train(method="lora", max_steps=12, batch_size=8, learning_rate=5e-3, max_length=256),
    ):
        stage.make((), run)
    return folder / "model"


def answers(engine: Engine) -> list[str]:
    sampling = Sampling(temperature=0, max_tokens=12)
    found = engine.generate(Request(id=text, prompt=text, sampling=sampling) for text in PROMPTS)
    return [completion.text for completion in found]


@pytest.mark.vllm
def test_the_folder_and_the_adapter_answer_the_same_in_vllm_and_transformers(tuned):
    pytest.importorskip("vllm")
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest

    expected = answers(Transformers(str(tuned), dtype="float32"))
    merged = VLLM(str(tuned), **SMALL)
    assert answers(merged) == expected
    merged.close()

    base = VLLM(str(NANO), enable_lora=True, max_lora_rank=16, **SMALL)
    assert answers(base) != expected
    assert base._core
    adapter = LoRARequest("tuned", 1, str(tuned / "adapter"))
    found = base._core.llm.generate(PROMPTS, SamplingParams(temperature=0, max_tokens=12), lora_request=adapter)
    assert [output.outputs[0].text for output in found] == expected
    base.close()
