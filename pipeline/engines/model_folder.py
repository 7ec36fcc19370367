"""What a model's folder holds, looked at before anything heavy is imported; for the engines that load a model here."""

import json
import re
from pathlib import Path
from typing import Any

from pipeline.engines import Prompt
from pipeline.errors import SproutError

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json")


def check_model(model: str) -> None:
    """See that `model` is a folder that can be loaded, or at least a name of the form used on the Hugging Face hub.

    Raises:
        SproutError: for a folder that is missing, or that has no config, no tokenizer or no safetensors weights.
    """
    folder = Path(model)
    if not folder.exists() and is_hub_name(model):
        return
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "is no folder here"
        raise SproutError(f"{model}: {found}; give a model folder (config.json, tokenizer.json, *.safetensors)")
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise SproutError(f"{model}: holds only a LoRA adapter; merge it into its base model and give that folder")
        raise SproutError(f"{model}: has no config.json, so it is no model folder; give one saved by save_pretrained")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise SproutError(f"{model}: has no tokenizer ({TOKENIZERS[0]} or the like); save it beside the model")
    _check_weights(folder)


def is_hub_name(model: str) -> bool:
    """Whether it can only mean `owner/name` on the hub: not a path, and its first part is no folder here."""
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
        raise SproutError(f"{model}: its tokenizer has no chat template; use chat=False, or a chat model")
    return template


def has_template(model: str, trust_remote_code: bool = False) -> bool:
    folder = Path(model)
    if not folder.is_dir():
        return bool(load_tokenizer(model, trust_remote_code).chat_template)
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(json.loads(config.read_text("utf-8")).get("chat_template"))


def load_tokenizer(model: str, trust_remote_code: bool = False) -> Any:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise not_installed("transformers", error) from error
    try:
        return AutoTokenizer.from_pretrained(model, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise load_error(model, error) from error


def load_error(model: str, error: Exception) -> SproutError:
    return SproutError(f"{model}: cannot be loaded: {' '.join(str(error).split())[:300]}")


def not_installed(package: str, error: ImportError) -> SproutError:
    return SproutError(f"{package} cannot be imported ({error}); install it, or use another engine")


def prompt_ids(tokenizer: Any, prompt: Prompt) -> list[int]:
    """The tokens of a prompt; messages go through the chat template, which brings its own first token (BOS).

    Raises:
        ValueError: when the chat template refuses the messages.
    """
    if isinstance(prompt, str):
        ids: list[int] = tokenizer(prompt).input_ids
        return ids
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template(list(prompt), add_generation_prompt=True, tokenize=False)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses these messages: {error}") from None
    ids = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def _check_weights(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
        found = "only pickled weights, which can run code when loaded" if pickled else "no weights"
        raise SproutError(f"{folder}: holds {found}; save them as *.safetensors")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        missing = sorted(name for name in shards if not (folder / name).is_file())
        if missing:
            raise SproutError(f"{folder}: lacks {missing[0]} ({len(missing)} of {len(shards)} parts); fetch it again")
