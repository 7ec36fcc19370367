"""Write the dataset, in the formats trainers read."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from pipeline.dataset import card, formats
from pipeline.dataset import rows as export
from pipeline.dataset.formats import Format, Split
from pipeline.dataset.trainer_configs import FORMAT, write_configs
from pipeline.errors import SproutError
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.runs.products import digest, empty_folder, put_in_place, read_record, write_record
from pipeline.runs.settings import read_settings
from pipeline.stage import Flag, Product
from pipeline.stages.train import Train
from pipeline.task import Task

logger = logging.getLogger(__name__)


class Export(Product):
    """A folder with each format, split by task for training and validation, its figures in dataset.json, and a card.

    `load_dataset("<run>/dataset", "messages")` reads it. Row ids are the task's id and the number of the instance.
    """

    path: ClassVar[str] = "dataset"
    growable: ClassVar[frozenset[str]] = frozenset(
        {"formats", "licence", "teacher_licence", "seeds_licence", "push_to_hub", "private"}
    )

    caption: ClassVar[str] = "JSONL and Parquet, for your own fine-tuning too"
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag(
            "--format",
            "formats with commas between them, such as alpaca,sharegpt,openai",
            commas=True,
            setting="formats",
        ),
        Flag("--push-to-hub", "upload the dataset to this repository, private", metavar="NAME"),
    )

    formats: tuple[Format, ...] = Field(default=("prompt_completion", "messages", "alpaca"), min_length=1)
    encoding: export.Encoding = (
        "random"  # of prompt_completion: one of the paper's 13 ways for each row, or one for all
    )
    input_noise: bool = False  # one input in two loses its field name and its blank lines
    include_seeds: bool = True  # seed tasks are part of the dataset
    validation_share: float = Field(default=0.02, ge=0, lt=1)  # of the generated tasks
    random_seed: int = 0  # of the order, the encodings and the validation split
    licence: str = ""  # of the dataset, by its name on the hub, such as apache-2.0; it is for you to say
    teacher_licence: str = ""  # of the model that writes the tasks, or its terms for what it writes
    seeds_licence: str = ""  # of the seed tasks
    push_to_hub: str = ""  # a name on the Hugging Face hub, owner/name, to upload the finished folder to
    private: bool = True  # the repository, if push_to_hub makes one

    @model_validator(mode="after")
    def _check(self) -> "Export":
        if self.push_to_hub:
            check_hub(self.push_to_hub)
        return self

    def make(self, tasks: Sequence[Task], context: Context) -> None:
        folder = context.folder / self.path
        self.write(tasks, context, folder)
        if self.push_to_hub:
            push(folder, self.push_to_hub, self.private)

    def write(self, tasks: Sequence[Task], context: Context, folder: Path) -> None:
        seeds = context.seeds if self.include_seeds else ()
        options: dict[str, Any] = self.model_dump(include={"encoding", "random_seed", "input_noise"})
        rows = export.Rows(tasks, seeds, **options)
        if not rows:
            num_tasks = len(tasks) + len(seeds)
            raise SproutError(f"{folder}: nothing to export: none of the {num_tasks} kept tasks has an instance")
        origin, settings = card.read_origin(context, len(tasks)), self.model_dump(mode="json")
        train = train_settings(context.folder) if FORMAT[context.engine.chat] in self.formats else None
        model = shown(context.engine.model), context.engine.chat, train and train.settings()
        fingerprint = digest(settings, origin.model_dump(), rows.fingerprint, model)
        record = read_record(folder / "dataset.json")
        if record.get("fingerprint") == fingerprint and record.get("files", {}).items() <= sizes(folder).items():
            return
        self.ask(origin)
        partial = empty_folder(folder.with_name(f"{folder.name}.partial"))
        figures = self.write_formats(rows, partial) | {"settings": settings, "fingerprint": fingerprint}
        write_record(partial / "dataset.json", figures | {"files": sizes(partial)})
        if train:
            write_configs(partial, context.engine.model, context.engine.chat, train, "validation" in figures["splits"])
        text = card.render(origin, figures, settings, self.formats, list(figures["splits"]), self.push_to_hub)
        (partial / "README.md").write_text(text, encoding="utf-8")
        put_in_place(partial, folder)

    def write_formats(self, rows: export.Rows, folder: Path) -> dict[str, Any]:
        """Write each format, and return what was written in figures."""
        if "seeds" in self.formats:
            tasks = enumerate(rows.all_tasks())
            formats.write_seeds(folder, ((self.split(rows, *one), one[1]) for one in tasks if rows.used[one[0]]))
        counts, new = Counts(), rows.used.copy()

        def counted() -> Iterator[tuple[Split, export.Row]]:
            for which, task, row in rows.items():
                split = self.split(rows, which, task)
                counts.add(split, task, row, first=bool(new[which]))
                new[which] = False
                yield split, row

        formats.write(folder, self.formats, counted(), rows.fingerprint)
        if not counts.instances["train"]:
            raise SproutError(
                f"export.validation_share {self.validation_share} holds back all of the {counts.tasks['validation']} "
                f"tasks, so none is left to train on; lower it"
            )
        return counts.figures()

    def split(self, rows: export.Rows, which: int, task: Task) -> Split:
        generated = which < len(rows.tasks)
        held = generated and export.held_back(task.id, self.validation_share, self.random_seed)
        return "validation" if held else "train"

    def ask(self, origin: card.Origin) -> None:
        """A licence is asked for, never guessed."""
        found = card.licences(origin, self.model_dump(include={"licence", "teacher_licence", "seeds_licence"}))
        if missing := [f"{self.name}.{name}" for name, licence in found.items() if not licence]:
            logger.warning("export: the card says that no licence is stated; set %s to state it", ", ".join(missing))


def sizes(folder: Path) -> dict[str, int]:
    """The bytes of each file of rows."""
    paths = (path for kind in ("*.jsonl", "*.parquet", "*.arrow") for path in folder.rglob(kind))
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(paths)}


def train_settings(folder: Path) -> Train:
    """Those of the run, if it has the stage `train`; else the defaults."""
    table = read_settings(folder / "settings.json").get("train", {})
    return Train.model_validate({key: table[key] for key in Train.model_fields.keys() & table.keys() if key != "model"})


class Counts:
    """What a dataset holds, in the figures of the paper's Table 1; mean words are of instructions once per task."""

    def __init__(self) -> None:
        self.tasks: Counter[Split] = Counter()
        self.instances: Counter[Split] = Counter()
        self.classification = 0
        self.words: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()

    def add(self, split: Split, task: Task, row: export.Row, first: bool) -> None:
        self.instances[split] += 1
        self._count("output", row.output)
        if row.input:
            self._count("input", row.input)
        if first:
            self.tasks[split] += 1
            self.classification += bool(task.is_classification)
            self._count("instruction", row.instruction)

    def figures(self) -> dict[str, Any]:
        num_tasks = self.tasks.total()
        return {
            "tasks": num_tasks,
            "instances": self.instances.total(),
            "splits": {
                split: {"tasks": self.tasks[split], "instances": self.instances[split]}
                for split in formats.SPLITS
                if self.instances[split]
            },
            "classification_share": round(self.classification / num_tasks, 4),
            "instances_with_input": self.texts["input"],
            "mean_words": {
                part: round(self.words[part] / max(1, self.texts[part]), 2)
                for part in ("instruction", "input", "output")
            },
        }

    def _count(self, part: str, text: str) -> None:
        self.words[part] += len(text.split())
        self.texts[part] += 1


def check_hub(name: str) -> None:
    """See that a folder can be uploaded, as far as that can be told without the network.

    Raises:
        SproutError: for a name the hub does not take, without a token, and where the network is not to be used.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise SproutError(f"export.push_to_hub: {' '.join(str(error).split())}") from None
    if constants.HF_HUB_OFFLINE:
        raise SproutError(
            f"export.push_to_hub: HF_HUB_OFFLINE=1 forbids to upload {name}; unset that, or leave out push_to_hub"
        )
    if not get_token():
        raise SproutError(
            f"export.push_to_hub: there is no token to upload {name} with; run `hf auth login`, or set HF_TOKEN"
        )


def push(folder: Path, name: str, private: bool) -> None:
    """Upload a finished dataset; a repository of that name is made if there is none yet.

    Raises:
        SproutError: if the hub cannot be reached, or refuses it. The folder is as it was.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # that of httpx, or of its successor

    api = HfApi()
    try:
        url = api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(
            folder_path=folder, repo_id=url.repo_id, repo_type="dataset", commit_message="Dataset made with Sprout"
        )
    except (HTTPError, ConnectionError, ValueError) as error:  # the last for a card that the hub does not take
        problem = getattr(error, "server_message", None) or str(error).partition("\n")[0] or type(error).__name__
        raise SproutError(
            f"{folder} is finished but could not be uploaded to {name} on {api.endpoint}: {' '.join(problem.split())}; "
            f"the same command tries again"
        ) from None
    logger.info("export: %s is on the hub: %s", folder, url)
