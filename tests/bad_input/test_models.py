"""Models that are not there, not whole, or not to be run; and servers that are gone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.resources import NANO
from tests.bad_input.conftest import Sprout

WEIGHTS = b"\2\0\0\0\0\0\0\0{}"  # a safetensors file that holds none
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4370344\n"
INDEX = b'{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
FILES = {"config.json": b"{}", "tokenizer.json": b"{}"}
WHOLE = FILES | {"model.safetensors": WEIGHTS}


def filter_with(model: str, *args: str) -> tuple[str, ...]:
    return ("filter", "--seeds", "good.jsonl", "--engine", "transformers", "--model", model, "--out", "run", *args)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "my: has no config.json, so it is not a model folder; give one saved by save_pretrained"),
        ({"notes.txt": b"x"}, "my: has no config.json"),
        ({"adapter_config.json": b"{}", "adapter_model.safetensors": WEIGHTS}, "my: holds only a LoRA adapter; merge it into its base model"),
        (WHOLE | {"config.json": b"{"}, "my/config.json: not JSON (Expecting property name enclosed in double quotes: line 1 column 2"),
        (WHOLE | {"config.json": b"[]"}, "my/config.json: not a JSON object; fetch the model again"),
        (WHOLE | {"config.json": b"\xff"}, "my/config.json: not JSON ("),
        ({"config.json": b"{}", "model.safetensors": WEIGHTS}, "my: has no tokenizer (tokenizer.json or the like); save it beside the model"),
        (WHOLE | {"tokenizer.json": b""}, "my/tokenizer.json: not JSON (Expecting value: line 1 column 1"),
        (WHOLE | {"tokenizer_config.json": b"{"}, "my/tokenizer_config.json: not JSON"),
        (FILES, "my: holds no weights; save them as *.safetensors"),
        (FILES | {"model.gguf": b""}, "my: holds no weights; save them as *.safetensors"),
        (FILES | {"pytorch_model.bin": b""}, "my: holds only pickled weights, which can run code when loaded; save them as *.safetensors"),
        (FILES | {"model.safetensors": POINTER}, "my/model.safetensors: cannot be loaded, it is not a complete safetensors file; fetch it again"),
        (FILES | {"model.safetensors": b""}, "my/model.safetensors: cannot be loaded, it is not a complete safetensors file"),
        (FILES | {"model-1-of-2.safetensors": WEIGHTS, "model.safetensors.index.json": INDEX}, "my: lacks model-2-of-2.safetensors (1 of 2 parts)"),
        (WHOLE | {"model.safetensors.index.json": b"{"}, "my/model.safetensors.index.json: not JSON"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_a_folder_that_is_no_whole_model_gets_one_sentence(sprout: Sprout, files, said, engine):
    Path("my").mkdir()
    for name, content in files.items():
        Path("my", name).write_bytes(content)
    code, error = sprout(*filter_with("my", "--engine", engine))

    assert code == 1
    assert said in error


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nowhere", "nowhere: is not a folder here; give a model folder (config.json, tokenizer.json, *.safetensors)"),
        ("good.jsonl", "good.jsonl: is a file; give a model folder"),
        ("~/models/llama", f"{Path.home()}/models/llama: is not a folder here"),
        ("nobody/nothing", "nobody/nothing: is neither a folder here nor in "),
    ],
)
def test_a_model_that_is_not_there_gets_one_sentence(sprout: Sprout, monkeypatch, model, said):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, error = sprout(*filter_with(model))

    assert code == 1
    assert error.startswith(said)


def test_a_chat_template_that_is_not_there_cannot_be_used(sprout: Sprout):
    said = "its tokenizer has no chat template; set engine.chat=false, or take a chat model"

    assert sprout(*filter_with("nano", "--set", "engine.chat=true")) == (1, f"{NANO}: {said}")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "foonet"}, "my: cannot be loaded: The checkpoint you are trying to load has model type `foonet` but Transformers does not recognize this architecture; install a newer version of transformers"),
        ({"model_type": "foonet", "auto_map": {"AutoConfig": "foo.Config"}}, "my: cannot be loaded without code of its own, which would run on this machine; if you trust it, set engine.trust_remote_code=true"),
        ({}, "my: cannot be loaded: Unrecognized model in my"),
        ({"model_type": "llama", "hidden_size": 100, "num_attention_heads": 3}, "The hidden size (100) is not a multiple of the number of attention heads (3)"),
        ({"model_type": "t5"}, "my: cannot be loaded: Unrecognized configuration class"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_loaded_gets_one_sentence(sprout: Sprout, config, said):
    shutil.copytree(NANO, "my")
    Path("my", "config.json").write_text(json.dumps(config))
    code, error = sprout("instructions", *filter_with("my")[1:])

    assert code == 1
    assert said in error
    assert len(error) < 450


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        (["engine.url=localhost:8000"], 1, "localhost:8000: is not the url of a server; it begins with http:// or https:// and most end in /v1"),
        (["engine.timeout=0"], 1, "[engine] timeout: input should be greater than 0 (found 0)"),
        (["engine.retries=3"], 1, "[engine] there is no setting 'retries'; there are model, chat"),
    ],
)  # fmt: skip
def test_a_bad_setting_of_a_server_gets_one_sentence(sprout: Sprout, changes, code, said):
    ended, error = sprout(*filter_with("my", "--engine", "server", *(arg for one in changes for arg in ("--set", one))))

    assert ended == code
    assert said in error


def test_a_server_that_is_gone_ends_with_a_code_of_its_own(tmp_path: Path):
    changes = ["engine.url=http://127.0.0.1:9/v1", "engine.patience=0", "engine.chat=false"]
    command = ["instructions", "--seeds", "nano", "--engine", "server", "--model", "my", "--out", str(tmp_path)]
    command += [arg for one in changes for arg in ("--set", one)]
    environment = os.environ | {"SPROUT_API_KEY": "planted-key-123"}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *command], capture_output=True, text=True, env=environment, check=False
    )

    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("sprout: http://127.0.0.1:9/v1: ")
    assert "Traceback" not in done.stderr
    assert "planted-key-123" not in done.stdout + done.stderr
