"""Write the dataset, in the formats trainers read."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, PrivateAttr, ValidationError, model_validator

from pipeline.dataset.card import Card
from pipeline.dataset.encodings import Encoding
from pipeline.dataset.exports import RECORD, Exports
from pipeline.dataset.figures import Figures
from pipeline.dataset.formats.base import Format
from pipeline.dataset.formats.find import FormatName, code_of, find_format
from pipeline.dataset.hub import check_hub, push
from pipeline.dataset.origin import Licences, Origin, licences, read_origin
from pipeline.dataset.rows import Rows, RowSettings
from pipeline.dataset.trainers.base import Tuning
from pipeline.dataset.trainers.write import TrainerName, complaints, trainers, write_configs
from pipeline.dataset.write import Splitter, sizes, write_rows
from pipeline.errors import SproutError, explain
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.runs.products import digest, empty_folder, put_in_place, read_record, write_record
from pipeline.runs.reviews import Reviews, tags_of
from pipeline.stage import Flag, Product, Stage
from pipeline.task import Task
from pipeline.text import counted
from pipeline.training.settings import TrainingSettings
from pipeline.training.trains import Trains

logger = logging.getLogger(__name__)


class Export(Exports):
    """Writes each format, split by task for training and validation, with figures in dataset.json and a card.

    `load_dataset("<run>/dataset", "messages")` reads it. Row ids are the task's id and the number of the instance.
    Formats that are in the folder stay there, and are made anew when the rows change.

    Example:
        >>> Export(formats=("alpaca", "my_formats:Pairs"), encoding="plain")
    """

    path: ClassVar[str] = "dataset"
    caption: ClassVar[str] = "JSONL and Parquet, for your own fine-tuning too"
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag(
            "--format",
            "formats with commas between them, such as alpaca,sharegpt,openai",
            commas=True,
            setting="formats",
        ),
        Flag(
            "--for",
            "what this trainer needs: data and config. Of trl, llamafactory, axolotl, openai; it may be repeated",
            metavar="TRAINER",
            commas=True,
            setting="trainers",
        ),
        Flag("--push-to-hub", "upload the dataset to this repository, private", metavar="NAME"),
    )
    growable: ClassVar[frozenset[str]] = frozenset(
        {
            "formats",
            "options",
            "trainers",
            "tags",
            "licence",
            "teacher_licence",
            "seeds_licence",
            "push_to_hub",
            "private",
        }
    )

    formats: tuple[FormatName, ...] = Field(
        default=("prompt_completion", "chat_prompt_completion", "messages", "alpaca"),
        min_length=1,
        description="each as JSONL and Parquet; one of your own as module:Class",
    )
    options: dict[str, dict[str, JsonValue]] = Field(
        default={},
        description='settings of formats, by name, such as { preference = { score = "reward" } }; see dataset.md',
    )
    trainers: tuple[TrainerName, ...] = Field(
        default=(), description="what these need is written too: a format that each reads best, and its config"
    )
    encoding: Encoding = Field(
        default="random",
        description="of prompt_completion: random, one of the paper's 13 for each row; or one for all: plain, the "
        "instruction and the input; output, which ends in Output:; examples, as in the prompts of `instances`",
    )
    input_noise: bool = Field(
        default=False, description="one input in two loses its field name and blank lines, as in the paper's code"
    )
    include_seeds: bool = Field(default=True, description="the seed tasks are part of what is trained on")
    only: Literal["seeds"] | None = Field(
        default=None,
        description="seeds: train on the seed tasks alone, to compare with; the validation split stays the same",
    )
    carry: tuple[str, ...] = Field(
        default=(), description='of `meta` of each task, what becomes a column of its rows: ["file", "passage"]'
    )
    tags: tuple[str, ...] = Field(
        default=(), description="only tasks to which reviewers have given one of these tags; empty: all tasks"
    )
    validation_share: float = Field(
        default=0.02, ge=0, lt=1, description="of the generated tasks, held back to measure the loss on"
    )
    shuffle: bool = Field(
        default=True, description="false: the seed tasks, then the tasks in the order of their stage, for a curriculum"
    )
    random_seed: int = Field(default=0, description="of the order, the encodings and the validation split")
    licence: str = Field(
        default="", description="of the dataset, by its name on the hub, such as apache-2.0; it is for you to say"
    )
    teacher_licence: str = Field(
        default="", description="of the model that writes the tasks, or its terms for what it writes"
    )
    seeds_licence: str = Field(default="", description="of the seed tasks")
    push_to_hub: str = Field(
        default="", description="a name on the Hugging Face hub, owner/name, to upload the finished folder to"
    )
    private: bool = Field(default=True, description="the repository, if push_to_hub makes one")

    _training: TrainingSettings = PrivateAttr(default_factory=TrainingSettings)

    @model_validator(mode="after")
    def _check(self) -> "Export":
        if self.only == "seeds" and not self.include_seeds:
            raise ValueError("only = seeds leaves nothing to train on without include_seeds")
        names = [find_format(name).name for name in self.formats]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"formats has {twice} twice; name each once")
        for name, options in self.options.items():
            if name not in names:
                raise ValueError(f"options: {name} is not among the formats {', '.join(names)}; delete its settings")
            kind = find_format(self.formats[names.index(name)]).Options
            try:
                kind.model_validate(options)
            except ValidationError as error:
                raise ValueError(f"options.{name}: {explain(error, kind, 'setting')}") from None
        if self.push_to_hub:
            check_hub(self.push_to_hub)
        return self

    @classmethod
    def deeper(cls, key: str, table: Mapping[str, Any]) -> list[str]:
        given = table.get("formats")
        try:
            found = [find_format(str(name)) for name in given] if isinstance(given, list) else []
        except SproutError:
            return []
        return [f"options.{one.name}.{key}" for one in found if key in type(one).Options.model_fields]

    def resolve(self, stages: Sequence[Stage | Product]) -> Self:
        """Takes the settings of the run's training on this dataset, for the configs of other trainers.

        Without one, a dataset that keeps its order is trained on in that order.
        """
        trains = (stage for stage in stages if isinstance(stage, Trains) and stage.dataset == self.written)
        resolved = self.model_copy()
        resolved._training = next(trains, TrainingSettings(shuffle=self.shuffle))
        for name in resolved.trainers:
            if not trainers()[name].wanted(True, resolved._training.objective):
                raise SproutError(
                    f"{self.name}.trainers: there is no config of {name} for train.objective = "
                    f'"{resolved._training.objective}"; name trl in its place'
                )
        return resolved

    def make(self, tasks: Sequence[Task], context: Context) -> None:
        folder, origin, chat = context.folder / self.written, read_origin(context, tasks), context.engine.chat
        model = [shown(context.engine.model), chat, self._training.of_result()]
        whole = self.model_copy(update={"formats": self.all_formats(folder, chat)})

        def document(partial: Path, figures: Figures) -> None:
            self.ask(origin)
            validation = "validation" in figures.splits
            tuning = Tuning(context.engine.model, chat, whole.found_formats, self._training, validation)
            write_configs(partial, tuning)
            for setting in self._training.of_ours:
                logger.warning(
                    "%s: the configs of other trainers leave out train.%s, which they lack", self.name, setting
                )
            for complaint in complaints(partial, tuning, figures.splits["train"].instances):
                logger.warning("%s: %s", self.name, complaint.replace(str(partial), str(folder)))
            settings = whole.model_dump(mode="json")
            card = Card(origin, figures, whole.found_formats, self.name, settings, self.push_to_hub)
            (partial / "README.md").write_text(card.render(), encoding="utf-8")

        made_of = {"origin": origin.model_dump(), "model": model, "reviewed": Reviews(context.folder).changes}
        whole._write(whole.rows(tasks, context.seeds), folder, made_of, document)
        if self.push_to_hub:
            push(folder, self.push_to_hub, self.private)

    def all_formats(self, folder: Path, chat: bool) -> tuple[str, ...]:
        """The formats asked for, those that the trainers read, and those that are in the folder, which stay."""
        rows = (trainers()[name].wanted(chat, self._training.objective) for name in self.trainers)
        wanted = [*dict.fromkeys([*self.formats, *filter(None, rows)])]
        written = read_record(folder / "dataset.json").get("settings", {}).get("formats", [])
        stay = [name for name in written if name not in wanted and find_format(name).is_in(folder, "train")]
        if stay:
            logger.info(
                "%s: %s: %s also there and kept up to date; to drop a format, delete its files", self.name, folder,
                f"{' and '.join(stay)} {'is' if len(stay) == 1 else 'are'}",
            )  # fmt: skip
        return (*wanted, *stay)

    def summary(self, folder: Path) -> str:
        place = folder / self.written
        if not self.trainers or not place.is_dir():
            return ""
        return "\n".join(f"for {name}: {trainers()[name].how_to(place)}" for name in dict.fromkeys(self.trainers))

    def write(self, tasks: Sequence[Task], seeds: Sequence[Task], folder: Path) -> None:
        self._write(self.rows(tasks, seeds), folder, {}, lambda partial, figures: None)

    def rows(self, tasks: Sequence[Task], seeds: Sequence[Task]) -> Rows:
        with_answers = any(one.of_answers for one in self.found_formats)
        about = (self.encoding, self.input_noise, self.shuffle, self.random_seed, self.carry, with_answers)
        settings = RowSettings(*about)
        if self.tags:
            tasks = [task for task in tasks if {*self.tags} & {*tags_of(task)}]
        if self.only == "seeds":
            tasks = [task for task in tasks if self.splitter.holds_back(task)]
        return Rows(tasks, seeds if self.include_seeds else (), settings)

    @property
    def whole(self) -> bool:
        return self.only is None and not self.tags

    def made_from(self, num_tasks: int, num_seeds: int) -> str:
        sources = {"task": 0 if self.only == "seeds" else num_tasks, "seed": num_seeds if self.include_seeds else 0}
        return " and ".join(counted(number, noun) for noun, number in sources.items() if number)

    def seeds_alone(self) -> Self:
        return self.model_copy(update={"only": "seeds", "include_seeds": True})

    @property
    def splitter(self) -> Splitter:
        return Splitter(self.validation_share, self.random_seed)

    def ask(self, origin: Origin) -> None:
        """Ask for a licence rather than guess it."""
        stated = Licences(**self.model_dump(include=set(Licences.model_fields)))
        found = licences(origin, stated).model_dump(exclude=set() if origin.has_seeds else {"seeds_licence"})
        if missing := [f"{self.name}.{name}" for name, licence in found.items() if not licence]:
            logger.warning(
                "%s: the card says that no licence is stated; set %s to state it", self.name, ", ".join(missing)
            )

    def _write(
        self, rows: Rows, folder: Path, made_of: Mapping[str, Any], document: Callable[[Path, Figures], None]
    ) -> None:
        """Write a folder atomically, unless it exists with the same contents; `document` adds to it."""
        if not rows:
            num_tasks = len(rows.tasks) + len(rows.seeds)
            raise SproutError(f"{folder}: nothing to export: none of the {num_tasks} kept tasks has an instance")
        settings = self.model_dump(mode="json")
        fingerprint = digest(settings, rows.fingerprint, code_of(self.formats), made_of)
        record = read_record(folder / RECORD)
        if record.get("fingerprint") == fingerprint and record.get("files", {}).items() <= sizes(folder).items():
            return
        partial = empty_folder(folder.with_name(f"{folder.name}.partial"))
        figures = write_rows(partial, self.found_formats, rows, self.splitter)
        if "train" not in figures.splits:
            raise SproutError(
                f"{self.name}.validation_share {self.validation_share} holds back all of the "
                f"{figures.splits['validation'].tasks} tasks, so none is left to train on; lower it"
            )
        if self.validation_share and self.only is None and "validation" not in figures.splits:
            logger.info(
                "%s: the validation split is empty, as none of %d generated tasks falls into %s.validation_share = %g; "
                "set it higher, or to 0", self.name, len(rows.tasks), self.name, self.validation_share,
            )  # fmt: skip
        about = {"settings": settings, "fingerprint": fingerprint, "files": sizes(partial)}
        about |= {"reviewed": made_of["reviewed"]} if made_of.get("reviewed") else {}
        write_record(partial / RECORD, figures.model_dump() | about)
        document(partial, figures)
        put_in_place(partial, folder)

    @property
    def found_formats(self) -> list[Format]:
        """The formats, each with its settings."""
        formats = map(find_format, self.formats)
        return [type(one)(self.options[one.name]) if one.name in self.options else one for one in formats]
