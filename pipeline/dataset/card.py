"""The card of a dataset: a README that says what it holds and where it comes from. What is not known it says so."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.dataset.figures import Figures
from pipeline.dataset.formats.base import Format
from pipeline.dataset.origin import Licences, Origin, licences, without_place
from pipeline.text import markdown_table, one_line
from pipeline.toml import value

NOT_STATED = "not stated; ask whoever made this dataset"
NOT_SHOWN = ("push_to_hub", "private")  # no settings of what is in it


@dataclass(frozen=True)
class Card:
    """A README in Markdown, with a header that the hub and `load_dataset` read."""

    origin: Origin
    figures: Figures
    formats: Sequence[Format]
    stage: str  # what the export is called
    settings: Mapping[str, Any]  # of the export
    repository: str = ""  # the name on the hub, if it has one

    @property
    def licences(self) -> Licences:
        stated = {name: self.settings.get(name, "") for name in Licences.model_fields}
        return licences(self.origin, Licences(**stated))

    def render(self) -> str:
        parts = [
            self.header(),
            f"# {self.repository.partition('/')[2] or 'An instruction-tuning dataset'}",
            self.summary(),
            self.use(),
            self.contents(),
            self.licence_table(),
            self.source(),
            self.yields(),
            self.review(),
            self.notes(),
            self.limits(),
            self.made(),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"

    def header(self) -> str:
        from huggingface_hub import DatasetCardData

        configs: list[dict[str, Any]] = []
        for one in self.formats:
            files = [{"split": split, "path": path} for split in self.figures.splits if (path := one.loaded(split))]
            configs += [{"config_name": one.name, "data_files": files}] if files else []
        if configs:
            configs[0]["default"] = True
        fields: dict[str, Any] = {"configs": configs} if configs else {}
        licence = self.licences.licence
        if re.fullmatch(r"[\w.+-]+", licence):
            fields["license"] = licence.lower()  # as the hub writes its names
        elif licence:
            fields |= {"license": "other", "license_name": licence}
        data = DatasetCardData(
            size_categories=[size_category(self.figures.instances)],
            task_categories=["text-generation"],
            tags=["synthetic", "instruction-tuning"],
            **fields,
        )
        return f"---\n{data.to_yaml()}\n---"

    def summary(self) -> str:
        size = f"{self.figures.instances:,} instances of {self.figures.tasks:,} tasks"
        papers = " and ".join(self.origin.papers)
        how = f"made with Sprout {self.origin.version}{f' by {papers}' if papers else ''}"
        models = " and ".join(map(cell, self.origin.models)) or "a model that is not known here"
        if self.settings.get("only") == "seeds":
            held = f", and for validation tasks written by {models}" if "validation" in self.figures.splits else ""
            return f"{size}: to train on, the seed tasks that a dataset was grown from{held}; {how}."
        return f"{size}, written by {models}, {how}."

    def use(self) -> str:
        name = next((one.name for one in self.formats if one.loaded("train")), None)
        place = self.repository or "path/to/this/folder"
        load = f'from datasets import load_dataset\n\ndataset = load_dataset("{place}", "{name}")'
        if name is None:
            load = 'from datasets import load_from_disk\n\ndataset = load_from_disk("path/to/this/folder/datasets")'
        rows = [
            [
                one.name,
                ", ".join(f"`{file}`" for split in self.figures.splits for file in one.files(split)),
                one.meaning,
            ]
            for one in self.formats
        ]
        return (
            f"## Use\n\n```python\n{load}\n```\n\n{markdown_table(['format', 'files', 'what'], rows)}\n\n"
            "Beside each JSONL file is the same as Parquet. All formats hold the same instances. An id is that of the "
            "task and the number of the instance in it; seeds have the id of the task, and openai has none. Where "
            "instruction and input are one text, nothing says where the one ends; alpaca, seeds and datasets keep both."
        )

    def contents(self) -> str:
        figures, words = self.figures, self.figures.mean_words
        splits = [[name, f"{one.tasks:,}", f"{one.instances:,}"] for name, one in figures.splits.items()]
        held = " Whole tasks are held back, by a hash of their id; seed tasks never are." if len(splits) > 1 else ""
        return (
            f"## What it holds\n\n{markdown_table(['split', 'tasks', 'instances'], splits)}\n\n"
            f"{figures.classification_share:.1%} of the tasks are classification. {figures.instances_with_input:,} "
            f"instances have an input. Mean words: instruction {words.instruction}, input {words.input}, output "
            f"{words.output}.{held}"
        )

    def licence_table(self) -> str:
        names = {
            "this dataset": self.licences.licence,
            "the model that wrote it": self.licences.teacher_licence,
            **({"the seed tasks": self.licences.seeds_licence} if self.origin.has_seeds else {}),
            **self.origin.sources,
        }
        rows = [[what, cell(licence) or NOT_STATED] for what, licence in names.items()]
        return f"## Licences\n\n{markdown_table(['of', 'licence'], rows)}"

    def source(self) -> str:
        origin = self.origin
        rows = [["model", f"{cell(name)}; {cell(what)}"] for name, what in origin.models.items()]
        if origin.seeds:
            rows.append(["seed tasks", f"{origin.seeds}, which ship with Sprout; digest {origin.seeds_digest}"])
        elif origin.seeds_digest:
            rows.append(["seed tasks", f"the maker's own; digest {cell(origin.seeds_digest)}"])
        if not self.origin.has_seeds:
            return f"## Sources\n\n{markdown_table(['', ''], rows)}" if rows else ""
        included = "yes, for training" if self.settings.get("include_seeds") else "no"
        return f"## Sources\n\n{markdown_table(['', ''], [*rows, ['seed tasks in this dataset', included]])}"

    def yields(self) -> str:
        if not self.origin.funnel:
            return (
                "## Filters and yield\n\nThe tasks were given to the export from outside of a run, so neither the "
                "model that wrote them nor what was filtered out is known here."
            )
        rows = []
        for stage, counts in self.origin.funnel.items():
            reasons = sorted(((n, reason) for reason, n in counts.items() if reason != "kept"), reverse=True)
            listed = ", ".join(f"{cell(reason)} {n:,}" for n, reason in reasons)
            rows.append([cell(stage), f"{sum(counts.values()):,}", f"{counts.get('kept', 0):,}", listed])
        return f"## Filters and yield\n\n{markdown_table(['stage', 'decided', 'kept', 'rejected, by reason'], rows)}"

    def notes(self) -> str:
        """What the stages say of what they did; empty if none says anything."""
        found = [f"- {cell(stage)}: {cell(note)}" for stage, notes in self.origin.notes.items() for note in notes]
        return "## Notes on the stages\n\n" + "\n".join(found) if found else ""

    def review(self) -> str:
        """What people found in it; empty if nobody has looked."""
        found = self.origin.review
        if found is None:
            return ""
        dropped = f"People have dropped {found.dropped:,} of its tasks and changed {found.edited:,}."
        if not found.shares:
            return f"## Review by people\n\n{dropped}"
        sample = "a random sample of the tasks" if found.drawn else "tasks that were looked for, not drawn at random"
        said = (
            f"The questions of table 2 of the Self-Instruct paper, asked of {sample} as the run had made them: "
            f"{found.tasks:,} tasks; reviewers: {len(found.reviewers)}; 95 % intervals by Wilson."
        )
        rows = [[*map(cell, row)] for row in found.rows]
        table = markdown_table(["", "yes", "share", "agreement"], rows)
        return f"## Review by people\n\n{said}\n\n{table}\n\n{dropped}"

    def limits(self) -> str:
        read = self.origin.review and self.origin.review.tasks
        checked = f"people have read {read:,} of its tasks" if read else "nobody has checked it"
        found = [
            f"A language model wrote it and {checked}: outputs may be wrong, invented, biased or harmful. "
            "The filters look at form, not at truth.",
            "Its languages are not recorded.",
            "Unless a note above says that it was compared with an evaluation set, it may hold instances of one.",
        ]
        if self.settings.get("validation_share"):
            found.append("A validation split is written by the same model: it shows overfitting, it is no test set.")
        return "## Known limits\n\n" + "\n".join(f"- {limit}" for limit in found)

    def made(self) -> str:
        """The settings of each stage as TOML that a run reads, but for places on the machine that made it."""
        lines = ["# sprout run settings.toml --seeds SEEDS --engine ENGINE --model MODEL --out FOLDER"]
        if self.origin.own_templates:
            lines += [f"# The maker's own templates took the place of {', '.join(self.origin.own_templates)}."]
        if self.origin.domain:
            lines += [f"domain = {value(self.origin.domain)}"]
        if self.origin.stages:
            lines += [f"stages = {value([*self.origin.stages, self.stage])}"]
        for stage, fields in [*self.origin.settings.items(), (self.stage, self.settings)]:
            lines += ["", f"[{stage}]", *toml(fields)]
        fence = "```"
        return f"## How it was made\n\n{fence}toml\n" + "\n".join(lines) + f"\n{fence}"


def size_category(instances: int) -> str:
    """As the hub has them: n<1K, 1K<n<10K and so on."""
    steps = ["1K", "10K", "100K", "1M", "10M", "100M", "1B"]
    step = min(max(len(str(instances)) - 3, 0), len(steps) - 1)
    return f"{steps[step - 1]}<n<{steps[step]}" if step else "n<1K"


def toml(fields: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} = {value(without_place(item))}"
        for key, item in fields.items()
        if item is not None and key not in NOT_SHOWN
    ]


def cell(text: str) -> str:
    """A text that comes from a file, so that it stays in its cell."""
    return one_line(text).replace("|", "\\|").replace("<", "&lt;")
