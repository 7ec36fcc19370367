"""Tiny random models, saved as any other model is, and servers of our own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import Engine
from pipeline.engines.server import Server
from pipeline.engines.transformers import Transformers
from pipeline.engines.vllm import VLLM
from pipeline.resources import NANO
from tests.engines.providers import HEALTHY, HEALTHY_PLAIN
from tests.engines.runs import Written, sprout, written
from tests.engines.stand_in import Answer, Plan, StandIn
from tests.engines.tiny_engines import MODELS, OF_NANO, ray_cluster, start, vllm_server
from tests.session import ENGINES

Serve = Callable[..., StandIn]
Connect = Callable[..., Server]

SENTENCES = [
    "Give three tips for staying healthy.",
    "Write a short story about a fox and a crow.",
    "Translate the sentence into French: I would like a cup of tea, please.",
    "Classify the sentiment of the review as positive or negative.",
    "Task: sort the numbers 3, 1, 4, 1, 5, 9, 2 and 6.\nOutput: 1, 1, 2, 3, 4, 5, 6, 9\n",
    "Come up with a series of tasks:\n1. Explain why the sky is blue.\n2. Name the capital of Peru.\n",
    "Is it possible to finish the job by noon? Answer with yes or no.\n\nYes, quite easily!",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{% if message.role == 'assistant' %}<|end|>{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is false %}Yes, {% endif %}{% endif %}"
)


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("chat"), chat_template=CHAT_TEMPLATE)


def save_model(folder: Path, chat_template: str | None = None, **config: int) -> str:
    """A random Llama of two layers and 64 dimensions, with a tokenizer of plain ASCII."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = [chr(code) for code in range(33, 127)] + ["Ġ", "Ċ"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    fast: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="<|end|>", chat_template=chat_template
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "vocab_size": len(fast), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 256,
        "initializer_range": 0.2, "bos_token_id": None, "eos_token_id": 0,
    } | config  # fmt: skip
    net: Any = LlamaForCausalLM(LlamaConfig(**settings))  # type: ignore[no-untyped-call]
    net.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[StandIn] = []

    def start(plan: Plan = lambda tried, body: Answer(), port: int = 0) -> StandIn:
        running.append(StandIn(plan, port))
        return running[-1]

    yield start
    for stand_in in running:
        stand_in.die()


@pytest.fixture
def connect() -> Iterator[Connect]:
    open_ones: list[Server] = []

    def make(url: str, **settings: Any) -> Server:
        all_settings: dict[str, Any] = {"model": "tiny", "url": url, "chat": False, "pause": 0.05} | settings
        open_ones.append(Server(**all_settings))
        return open_ones[-1]

    yield make
    for server in open_ones:
        server.close()


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """What a run against a healthy server writes, by whether the model is a chat model."""
    found = {}
    for chat, provider in ((True, HEALTHY), (False, HEALTHY_PLAIN)):
        folder = tmp_path_factory.mktemp("healthy")
        sprout(provider, folder)
        found[chat] = written(folder)
        assert len(found[chat]["1_instructions.jsonl"].splitlines()) >= 12
        assert len(found[chat]) >= 5
        assert b"never write this" not in b"".join(found[chat].values())
    return found


SHARED = ExitStack()  # what vLLM and Ray start for the files of `ENGINES`


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Close all that at the last test of these files: it takes processor time for as long as it is there."""
    if not nextitem or nextitem.nodeid.partition("::")[0] not in ENGINES:
        SHARED.close()


def pytest_sessionfinish() -> None:
    SHARED.close()  # after Ctrl-C


@pytest.fixture(scope="session")
def vllm_url(chat_model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return SHARED.enter_context(vllm_server(chat_model, tmp_path_factory.mktemp("server") / "log.txt"))


@pytest.fixture(scope="session")
def nano_in_vllm() -> VLLM:
    """The embedded model in vLLM in this process; a test may close it, and the next one starts it again."""
    pytest.importorskip("vllm")
    return SHARED.enter_context(closing(VLLM(str(NANO), chat=False, **OF_NANO)))


@pytest.fixture(scope="session")
def connected() -> None:
    """This process is connected to a Ray cluster, in which eight replicas of a toy find room."""
    cluster = SHARED.enter_context(ray_cluster(8))
    import ray

    ray.init(cluster.address, log_to_driver=False, configure_logging=False)
    SHARED.callback(ray.shutdown)


@pytest.fixture(scope="session")
def started() -> dict[str, Engine]:
    return {}


@pytest.fixture(params=["scripted", "ray", *MODELS])
def engine(request: pytest.FixtureRequest, started: dict[str, Engine]) -> Engine:
    return found(request, started)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, started: dict[str, Engine]) -> Engine:
    return found(request, started)


def found(request: pytest.FixtureRequest, started: dict[str, Engine]) -> Engine:
    """The engine by the name that is the fixture's parameter, started if it is not yet."""
    if request.param not in started:
        started[request.param] = SHARED.enter_context(closing(start(request.param, request)))
    return started[request.param]


@pytest.fixture(scope="session")
def oracle(chat_model: str) -> Transformers:
    """What the others are held against."""
    return Transformers(chat_model, dtype="float64")
