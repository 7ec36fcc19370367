"""Merges a LoRA adapter into its base model, so that every engine can load it."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from pipeline.engines.model_folder import TRAIN_RECORD, check_model, load_error, load_tokenizer
from pipeline.errors import SproutError
from pipeline.resources import install
from pipeline.runs.products import put_in_place, read_record, write_record

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def merged(model: str, folder: Path) -> str:
    """The model itself or, if it is a folder with only an adapter, `folder`, with the adapter merged into its base.

    An earlier merge is reused unless the adapter has changed.

    Raises:
        SproutError: for an adapter that is incomplete or whose base model cannot be found, and without peft.
    """
    adapter = Path(model)
    if not (adapter / CONFIG).is_file() or (adapter / "config.json").is_file():
        return model
    if not (adapter / WEIGHTS).is_file():
        raise SproutError(
            f"{adapter}: has no {WEIGHTS}, so it is not a complete adapter; give one saved by save_pretrained"
        )
    fingerprint = hashlib.sha256((adapter / CONFIG).read_bytes() + (adapter / WEIGHTS).read_bytes()).hexdigest()[:16]
    if read_record(folder / TRAIN_RECORD).get("fingerprint") != fingerprint:
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        base = base_model(adapter)
        merge(base, adapter, partial)
        write_record(partial / TRAIN_RECORD, {"model": base, "adapter": model, "fingerprint": fingerprint})
        put_in_place(partial, folder)
    return str(folder)


def base_model(adapter: Path) -> str:
    """The model that an adapter was tuned from: a folder, or a name on the hub.

    Raises:
        SproutError: for an adapter whose settings cannot be read or name none, and for a model that is not there.
    """
    try:
        base = json.loads((adapter / CONFIG).read_text("utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise SproutError(f"{adapter / CONFIG}: not the settings of an adapter ({error}); save it again") from None
    if not base or not isinstance(base, str):
        raise SproutError(f"{adapter / CONFIG}: has no base_model_name_or_path; add the model that it was tuned from")
    try:
        check_model(base)
    except SproutError as error:
        raise SproutError(f"{adapter}: its base model: {error} (base_model_name_or_path in {CONFIG})") from None
    return base


def merge(base: str, adapter: Path, folder: Path) -> None:
    """Save base and adapter as one model, in the precision the base has on disk.

    Raises:
        SproutError: if a package is missing, or base or adapter cannot be loaded.
    """
    try:
        from peft import PeftModel
        from safetensors import SafetensorError
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError as error:
        raise SproutError(f"merging an adapter needs more packages ({error}): {install('train')}") from error
    tokenizer = load_tokenizer(base)
    try:
        dtype = AutoConfig.from_pretrained(base).dtype
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype="float32", use_safetensors=True)
        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise load_error(str(adapter), error) from error
    model.to(dtype or "float32").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
