"""The request that begins a fine-tuning job with OpenAI, which tunes its own models alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.dataset.formats.base import Format
from pipeline.dataset.trainers.base import Trainer, Tuning, as_json

MIN_ROWS = 10  # lines in a file to train on: OpenAI's guide to supervised fine-tuning
MAX_BYTES = 512 << 20  # of an uploaded file: OpenAI's reference of the files API
_MODEL = "gpt-4.1-mini-2025-04-14"


class OpenAI(Trainer):
    chat_rows = base_rows = "openai"

    def files(self, tuning: Tuning, rows: Format) -> Mapping[str, str]:
        """The body of the request; names of files stand where it needs the ids that an upload gives them."""
        hyperparameters = {"n_epochs": max(1, round(tuning.settings.num_epochs))}
        job = {"model": _MODEL, "training_file": rows.file("train")}
        job |= {"validation_file": rows.file("validation")} if tuning.validation else {}
        method = {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}}
        return {"openai.json": as_json(job | {"method": method, "seed": tuning.settings.random_seed})}

    def how_to(self, folder: Path) -> str:
        return (
            f"upload the files that {folder / 'openai.json'} names, for the purpose fine-tune; put their ids in place "
            f"of the names, choose a model, and post it to /v1/fine_tuning/jobs"
        )

    def complaints(self, folder: Path, rows: Format, num_rows: int) -> Iterator[str]:
        path = folder / rows.file("train")
        if num_rows < MIN_ROWS:
            yield f"{path} has {num_rows} lines, and OpenAI takes no file with fewer than {MIN_ROWS}; grow more tasks"
        if (size := path.stat().st_size) > MAX_BYTES:
            yield f"{path} has {size >> 20:,} MB, and OpenAI takes no file of more than {MAX_BYTES >> 20}; cut it up"

    def choose(self, tuning: Tuning) -> Format | None:
        return next((one for one in tuning.formats if one.name == self.chat_rows), None)
