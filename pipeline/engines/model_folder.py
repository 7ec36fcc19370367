"""What a model's folder holds, looked at before anything heavy is imported; for the engines that load a model here."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.engines.tokens import pre_query
from pipeline.errors import SproutError

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json")
TRAIN_RECORD = "train.json"  # what a training writes beside the model it makes
FILES = ("config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors.index.json")


def check_model(model: str) -> None:
    """See that `model` is a folder that can be loaded, or at least a name of the form used on the Hugging Face hub.

    Raises:
        SproutError: for a folder that is missing, that has no config, no tokenizer or no safetensors weights, or where
            one of these is damaged; and for a name on the hub that cannot be fetched and never was.
    """
    folder = Path(model)
    if not folder.exists() and is_hub_name(model):
        _check_hub(model)
        return
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "is not a folder here"
        server = "" if folder.exists() else f", or add --engine server if a server has {model}"
        raise SproutError(f"{model}: {found}; give a model folder (config.json, tokenizer.json, *.safetensors){server}")
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise SproutError(f"{model}: holds only a LoRA adapter; merge it into its base model and give that folder")
        raise SproutError(
            f"{model}: has no config.json, so it is not a model folder; give one saved by save_pretrained"
        )
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise SproutError(f"{model}: has no tokenizer ({TOKENIZERS[0]} or the like); save it beside the model")
    for name in FILES:
        if (folder / name).is_file():
            _read_json(folder / name)
    _check_weights(folder)


def fingerprint(folder: Path, files: Iterable[Path]) -> str:
    """Tells models apart that are alike in size: a hash of names, sizes, and 64 spots of 64 KB in each file."""
    hashed = hashlib.sha256()
    for path in sorted(files):
        size = path.stat().st_size
        hashed.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            for spot in range(64):
                file.seek(spot * size // 64)
                hashed.update(file.read(min(1 << 16, size)))
    return hashed.hexdigest()


def content(folder: Path) -> str:
    """A digest of what makes a model: its configuration, tokenizer and weights, and what it was tuned on.

    It is the same wherever the folder lies and however long the training took.
    """
    files = [path for path in folder.iterdir() if path.suffix in (".json", ".safetensors")]
    found = fingerprint(folder, (path for path in files if path.name != TRAIN_RECORD))
    record = folder / TRAIN_RECORD
    if record not in files:
        return found
    tuned = {key: value for key, value in _read_json(record).items() if key != "seconds"}
    return hashlib.sha256(f"{found} {json.dumps(tuned, sort_keys=True)}".encode()).hexdigest()


def revision(model: str, wanted: str | None = None) -> str:
    """Which weights a model has: 16 hex digits for a folder, the commit for one of the hub; empty if none is here.

    Args:
        wanted: A branch, tag or commit of the hub.
    """
    if Path(model).is_dir():
        return content(Path(model))[:16]
    if not is_hub_name(model):
        return ""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(model, "config.json", revision=wanted)
    return Path(config).parent.name if isinstance(config, str) else ""


def context_of(model: str) -> int | None:
    """How many tokens the context of a model takes, by its config; None if that is not here, or does not say."""
    path: Path | str | None = Path(model) / "config.json"
    if not Path(model).is_dir() and is_hub_name(model):
        from huggingface_hub import try_to_load_from_cache

        path = try_to_load_from_cache(model, "config.json")  # or a mark of what is missing
    if not isinstance(path, str | Path) or not Path(path).is_file():
        return None
    config = _read_json(Path(path))
    inner = config.get("text_config")
    found = config.get("max_position_embeddings") or (isinstance(inner, dict) and inner.get("max_position_embeddings"))
    return found if isinstance(found, int) and found > 0 else None


def is_hub_name(model: str) -> bool:
    """Whether it can only mean `owner/name` on the hub: not a path, and its first part is not a folder here."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model) is not None and not Path(model).parent.exists()


def choose_chat(model: str, chat: bool | None, trust_remote_code: bool = False) -> bool:
    """Whether to put prompts as messages: as told, else if the model's tokenizer has a chat template.

    Raises:
        SproutError: when told to use the template of a model that has none.
    """
    if chat is False:
        return False
    template = has_template(model, trust_remote_code)
    if chat and not template:
        raise SproutError(f"{model}: its tokenizer has no chat template; set engine.chat=false, or take a chat model")
    return template


def has_template(model: str, trust_remote_code: bool = False) -> bool:
    folder = Path(model)
    if not folder.is_dir():
        return bool(load_tokenizer(model, trust_remote_code).chat_template)
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(_read_json(config).get("chat_template"))


def load_tokenizer(model: str, trust_remote_code: bool = False) -> Any:
    try:
        from huggingface_hub.errors import StrictDataclassError
        from transformers import AutoConfig, AutoTokenizer
    except ImportError as error:
        raise not_installed("transformers", error) from error
    try:
        # The config first: it says what is wrong with a model, where a tokenizer makes do with a warning.
        AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code)
        return AutoTokenizer.from_pretrained(model, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, LookupError, StrictDataclassError) as error:
        raise load_error(model, error) from error


def context_length(model: str) -> int:
    """How many tokens the model can take, prompt and answer together; `sys.maxsize` where its config does not say."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model).get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or sys.maxsize)


_ROOM = "make room, or set HF_HOME to a folder on another disk"
_WRITABLE = "set HF_HOME to a folder that you may write"
_MEMORY = "where memory is short, set engine.gpu_memory_utilization or engine.max_model_len"
_ADVICE = {  # on what the hub's library and vLLM say
    "gated repo": "ask for access on its page on the hub, and log in with `hf auth login` or set HF_TOKEN",
    "Too Many Requests": "wait a while, and log in with `hf auth login`, which allows more requests",
    "directory permissions": _WRITABLE,
    "Permission denied": _WRITABLE,
    "Read-only file system": _WRITABLE,
    "No space left": _ROOM,
    "Disk quota": _ROOM,
    "CERTIFICATE_VERIFY_FAILED": "set SSL_CERT_FILE and REQUESTS_CA_BUNDLE to a file with your network's certificate",
    "not recognize this architecture": "install a newer version of transformers, or take another engine",
    "initialization failed": f"the log of vLLM above says why; {_MEMORY}",
    "Free memory on device": _MEMORY,
    "out of memory": "free some, or take a smaller model",
    "KV cache": _MEMORY,
    "couldn't connect": "check the network, or give a folder with the model",
    "not a valid model identifier": "check the name, and log in with `hf auth login` if the model is not public",
}


def load_error(model: str, error: Exception) -> SproutError:
    """What a library says when it cannot load a model, cut down to its first sentence."""
    text = " ".join(str(error).split())
    if "trust_remote_code" in text:
        return SproutError(
            f"{model}: cannot be loaded without code of its own, which would run on this machine; if you trust it, set "
            f"engine.trust_remote_code=true"
        )
    first = re.split(r"(?<=[a-z`)\]}]{2}[.!]) ", text, maxsplit=1)[0][:300].rstrip(".")
    advice = next((what for says, what in _ADVICE.items() if says in text), "")
    return SproutError(
        f"{model}: cannot be loaded: {first}; {advice or 'check that it is complete and that this engine supports it'}"
    )


def not_installed(package: str, error: ImportError) -> SproutError:
    return SproutError(
        f"{package} cannot be imported ({error}); install it, or use another engine: --engine server asks a server"
    )


def local_pre_query(
    model: str, system: str | None, template_kwargs: Mapping[str, Any], trust_remote_code: bool = False
) -> str | None:
    """`Engine.pre_query` of a model whose tokenizer is here.

    Raises:
        SproutError: when the chat template does not take these messages.
    """
    try:
        return pre_query(load_tokenizer(model, trust_remote_code), system, template_kwargs)
    except ValueError as error:
        raise SproutError(f"{model}: {error}") from None


def _check_weights(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        found = "only pickled weights, which can run code when loaded" if pickled else "no weights"
        raise SproutError(f"{folder}: holds {found}; save them as *.safetensors")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(_read_json(index).get("weight_map", {}).values())
        missing = sorted(name for name in shards if not (folder / name).is_file())
        if missing:
            raise SproutError(f"{folder}: lacks {missing[0]} ({len(missing)} of {len(shards)} parts); fetch it again")
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")  # of the header; what is no safetensors file has a huge one
            if length + 8 > path.stat().st_size:
                raise SproutError(f"{path}: cannot be loaded, it is not a complete safetensors file; fetch it again")


def _check_hub(model: str) -> None:
    try:
        from huggingface_hub import constants, try_to_load_from_cache
    except ImportError as error:
        raise not_installed("huggingface_hub", error) from error
    if constants.HF_HUB_OFFLINE and not isinstance(try_to_load_from_cache(model, "config.json"), str):
        raise SproutError(
            f"{model}: is neither a folder here nor in {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE=1 forbids fetching "
            f"it; unset that, give a folder, or add --engine server if a server has it"
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SproutError(f"{path}: not JSON ({error}); fetch the model again") from None
    if not isinstance(found, dict):
        raise SproutError(f"{path}: not a JSON object; fetch the model again")
    return found
