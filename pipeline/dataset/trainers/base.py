"""What a trainer needs beside the data. One is found by the name of its module: adding a file adds a trainer."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.dataset.content import Shape
from pipeline.dataset.formats.base import Format

if TYPE_CHECKING:
    from pipeline.training.settings import TrainingSettings

Entry = tuple[str, Any, str]  # key, value, and where the value is from
READ = "parquet"  # of the files of a format; of JSONL a column whose texts are all dates would be read as dates


SHAPES: Mapping[str, Mapping[bool, Shape]] = {  # by the objective of a training, for chat models and others
    "sft": {True: "messages", False: "text"},
    "dpo": {True: "chat_preference", False: "preference"},
}


@dataclass(frozen=True)
class Tuning:
    """What a config is written for: a model, the formats that its dataset has, and how the stage `train` would tune."""

    model: str
    chat: bool
    formats: Sequence[Format]  # in the order in which they were asked for
    settings: "TrainingSettings"
    validation: bool  # whether the dataset has rows for it

    @property
    def rows_per_part(self) -> int:
        return self.settings.rows_per_step // self.settings.gradient_accumulation

    @property
    def kind(self) -> str:
        return "chat" if self.chat else "base"


class Trainer(ABC):
    """What one trainer needs beside the rows of a dataset to tune on them as the stage `train` does."""

    chat_rows: ClassVar[str] = "messages"  # the format that suits it best for a chat model
    base_rows: ClassVar[str] = "prompt_completion"

    @property
    def name(self) -> str:
        """The name of its module."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def files(self, tuning: Tuning, rows: Format) -> Mapping[str, str]:
        """The text of each file that goes into the folder of a dataset, for the rows in the files of a format."""

    @abstractmethod
    def how_to(self, folder: Path) -> str:
        """What to do to tune on the dataset in a folder, in one line."""

    def complaints(self, folder: Path, rows: Format, num_rows: int) -> Iterator[str]:
        """What the trainer will not take of the rows to train on, in sentences."""
        return iter(())

    def how(self, rows: Format) -> Mapping[str, Any] | None:
        """How a config names the rows of a format; None if the trainer cannot read them."""
        return rows.trainers.get(self.name)

    def choose(self, tuning: Tuning) -> Format | None:
        """Of the formats there are for the kind of model, the first that the trainer reads."""
        shape = SHAPES[tuning.settings.objective][tuning.chat]
        return next((one for one in tuning.formats if one.shape == shape and self.how(one) is not None), None)

    def wanted(self, chat: bool, objective: str) -> str | None:
        """The name of the format that suits it best; None if it gets no config for such a training."""
        if objective != "sft":
            return None
        return self.chat_rows if chat else self.base_rows


class LocalTrainer(Trainer):
    """A trainer that is run in the folder of a dataset, with a config in YAML."""

    command: ClassVar[str]  # what the config is given to

    def files(self, tuning: Tuning, rows: Format) -> Mapping[str, str]:
        records = {name: as_json(record) for name, record in self.records(tuning, rows).items()}
        return {f"{self.name}.yaml": self.render(self.entries(tuning, rows), tuning)} | records

    def how_to(self, folder: Path) -> str:
        config = folder / f"{self.name}.yaml"
        line = config.read_text(encoding="utf-8").partition("\n")[0] if config.is_file() else ""
        return f"cd {folder} && {line.removeprefix('# ').partition(', in this')[0] or f'{self.command} {config.name}'}"

    @abstractmethod
    def entries(self, tuning: Tuning, rows: Format) -> Sequence[Entry]:
        """The keys of the config, for the rows in the files of a format."""

    def records(self, tuning: Tuning, rows: Format) -> Mapping[str, Mapping[str, Any]]:
        """JSON files that the trainer needs besides, by name."""
        return {}

    def command_for(self, tuning: Tuning) -> str:
        """What the config is given to."""
        return self.command

    def render(self, entries: Sequence[Entry], tuning: Tuning) -> str:
        """As YAML, of which JSON is a part."""
        lines = [f"# {self.command_for(tuning)} {self.name}.yaml, in this folder"]
        for key, value, source in entries:
            text = json.dumps(value, ensure_ascii=False)
            if isinstance(value, float) and "." not in text:
                text = text.replace("e", ".0e")  # without a point it is a string in YAML 1.1
            lines.append(f"{key}: {text}" + (f"  # {source}" if source else ""))
        return "\n".join(lines) + "\n"


def as_json(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def when(wanted: bool, entry: Entry) -> list[Entry]:
    return [entry] if wanted else []


def schedule(settings: "TrainingSettings", epochs: str, scheduler: str) -> list[Entry]:
    """The learning rate and how long it lasts; trainers have two names for some."""
    given = "train.learning_rate" if settings.learning_rate else settings.preset.source
    return [
        ("learning_rate", settings.learning_rate or settings.preset.learning_rate, given),
        (epochs, settings.num_epochs, "train.num_epochs"),
        *when(settings.max_steps is not None, ("max_steps", settings.max_steps, "train.max_steps, before epochs")),
        (scheduler, settings.lr_scheduler, "train.lr_scheduler"),
    ]


def as_in_transformers(tuning: Tuning, warmup: str) -> list[Entry]:
    """What is called as in transformers."""
    settings, validation = tuning.settings, tuning.validation
    return [
        ("per_device_train_batch_size", tuning.rows_per_part, "train.batch_size; divide it by the number of GPUs"),
        ("gradient_accumulation_steps", settings.gradient_accumulation, "train.gradient_accumulation"),
        *schedule(settings, "num_train_epochs", "lr_scheduler_type"),
        (warmup, settings.warmup_ratio, "train.warmup_ratio: a share of all steps"),
        ("weight_decay", 0.0, "as in train"),
        *when(validation, ("eval_strategy", "epoch", "")),
        *when(validation, ("prediction_loss_only", True, "the loss is all that is asked for")),
        ("gradient_checkpointing", True, "as in train, on a GPU"),
        ("output_dir", "../tuned", ""),
    ]
