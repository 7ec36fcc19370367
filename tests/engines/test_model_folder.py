"""A model folder that will not do is told so before anything heavy is imported."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engines.model_folder import check_model, choose_chat, is_hub_name, load_error
from pipeline.errors import SproutError

WEIGHTS = "\2\0\0\0\0\0\0\0{}"  # a safetensors file that holds none
FILES = {"config.json": "{}", "tokenizer.json": "{}", "tokenizer_config.json": "{}", "model.safetensors": WEIGHTS}
INDEX = '{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
Save = Callable[[dict[str, str]], str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(files: dict[str, str]) -> str:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        return str(tmp_path)

    return write


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in FILES.items() if name not in names}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (without("config.json"), "has no config.json"),
        (without("config.json") | {"adapter_config.json": "{}"}, "only a LoRA adapter"),
        (without("tokenizer.json"), "has no tokenizer"),
        (without("model.safetensors"), "holds no weights"),
        (without("model.safetensors") | {"pytorch_model.bin": ""}, "only pickled weights"),
        (
            without("model.safetensors") | {"model-1-of-2.safetensors": "", "model.safetensors.index.json": INDEX},
            r"lacks model-2-of-2.safetensors \(1 of 2 parts\)",
        ),
    ],
)
def test_a_folder_that_lacks_something_is_refused(save: Save, files: dict[str, str], reason: str) -> None:
    with pytest.raises(SproutError, match=reason):
        check_model(save(files))


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("We couldn't connect to 'https://hub' to load the files. Check your connection.", "check the network"),
        ("a/b is not a local folder and is not a valid model identifier listed on 'https://hub'", "check the name"),
        ("Unrecognized model in a/b.", "check that it is complete"),
        ("You are trying to access a gated repo.\nMake sure to have access to it at https://hub/a/b.\n401 Client Error.",
         "ask for access on its page on the hub, and log in"),
        ("There was a specific connection error:\n403 Forbidden: Please enable access to public gated repositories in your "
         "token settings.", "ask for access on its page on the hub"),
        ("Engine core initialization failed. See root cause above. Failed core proc(s): {}", "the log of vLLM above says"),
        ("Free memory on device (3.2/79.1 GiB) on startup is less than desired GPU memory utilization (0.9, 71.2 GiB).",
         "where memory is short, set engine.gpu_memory_utilization"),
        ("429 Client Error: Too Many Requests for url: https://hub/a/b", "wait a while, and log in"),
        ("PermissionError at /c when downloading a/b. Check cache directory permissions.", "set HF_HOME to a folder that"),
        ("[Errno 30] Read-only file system: '/c'", "set HF_HOME to a folder that"),
        ("[Errno 122] Disk quota exceeded: '/c/blob'", "make room, or set HF_HOME"),
        ("(Caused by SSLError('[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'))", "set SSL_CERT_FILE"),
        ("The checkpoint has model type `new` but Transformers does not recognize this architecture.", "install a newer"),
    ],
)  # fmt: skip
def test_the_advice_fits_what_keeps_a_model_from_being_loaded(said: str, advice: str) -> None:
    assert f"; {advice}" in str(load_error("a/b", OSError(said)))


def test_a_whole_folder_is_accepted(save: Save) -> None:
    check_model(save(FILES))


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SproutError, match="is not a folder here"):
        check_model(str(tmp_path / "missing"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SproutError, match="is a file"):
        check_model(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Qwen/Qwen2.5-0.5B", True),
        ("pipeline/nothing", False),  # pipeline is a folder here, so this is a path misspelt
        ("models", False),
        ("./models/a", False),
        ("/models/a", False),
        ("a/b/c", False),
    ],
)
def test_a_name_on_the_hub_is_told_from_a_path(model: str, expected: bool) -> None:
    assert is_hub_name(model) is expected


@pytest.mark.parametrize(
    ("files", "chat"),
    [
        ({}, False),
        ({"chat_template.jinja": "{{ messages }}"}, True),
        ({"tokenizer_config.json": '{"chat_template": "{{ messages }}"}'}, True),
    ],
)
def test_chat_is_chosen_by_the_template(save: Save, files: dict[str, str], chat: bool) -> None:
    model = save(FILES | files)
    assert choose_chat(model, None) is chat
    assert choose_chat(model, False) is False


def test_a_template_that_is_not_there_cannot_be_forced(save: Save) -> None:
    with pytest.raises(SproutError, match="has no chat template"):
        choose_chat(save(FILES), True)


def test_the_engines_are_checked_without_importing_anything_heavy(save: Save) -> None:
    code = (
        "import sys\n"
        "from pipeline.engines.transformers import Transformers\n"
        "from pipeline.engines.vllm import VLLM\n"
        "from pipeline.engines.server import Server\n"
        f"Transformers({save(FILES)!r}), VLLM({save(FILES)!r})\n"
        "print([name for name in ('torch', 'transformers', 'vllm', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
