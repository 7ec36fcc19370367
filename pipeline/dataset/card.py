"""The card of a dataset: a README that says what it holds and where it comes from. What is not known it says so."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.dataset.figures import Figures
from pipeline.dataset.formats.base import Format
from pipeline.dataset.origin import Licences, Origin, licences, without_place
from pipeline.toml import value

NOT_STATED = "not stated; ask whoever made this dataset"
NOT_SHOWN = ("stage", "file", "model", "chat", "seeds", "push_to_hub", "private")  # no settings of what is in it


@dataclass(frozen=True)
class Card:
    """A README in Markdown, with a header that the hub and `load_dataset` read."""

    origin: Origin
    figures: Figures
    formats: Sequence[Format]
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
            self.decontamination(),
            self.limits(),
            self.made(),
        ]
        return "\n\n".join(parts) + "\n"

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
            tags=["synthetic", "self-instruct", "instruction-tuning"],
            **fields,
        )
        return f"---\n{data.to_yaml()}\n---"

    def summary(self) -> str:
        size = f"{self.figures.instances:,} instances of {self.figures.tasks:,} tasks"
        how = (
            f"made with Sprout {self.origin.version} by Self-Instruct "
            f"([Wang et al. 2022](https://arxiv.org/abs/2212.10560))"
        )
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
            f"## Use\n\n```python\n{load}\n```\n\n{table(['format', 'files', 'what'], rows)}\n\n"
            "Beside each JSONL file is the same as Parquet. All formats hold the same instances. An id is that of the "
            "task and the number of the instance in it; seeds have the id of the task, and openai has none. Where "
            "instruction and input are one text, nothing says where the one ends; alpaca, seeds and datasets keep both."
        )

    def contents(self) -> str:
        figures, words = self.figures, self.figures.mean_words
        splits = [[name, f"{one.tasks:,}", f"{one.instances:,}"] for name, one in figures.splits.items()]
        held = " Whole tasks are held back, by a hash of their id; seed tasks never are." if len(splits) > 1 else ""
        return (
            f"## What it holds\n\n{table(['split', 'tasks', 'instances'], splits)}\n\n"
            f"{figures.classification_share:.1%} of the tasks are classification. {figures.instances_with_input:,} "
            f"instances have an input. Mean words: instruction {words.instruction}, input {words.input}, output "
            f"{words.output}.{held}"
        )

    def licence_table(self) -> str:
        names = {
            "this dataset": self.licences.licence,
            "the model that wrote it": self.licences.teacher_licence,
            "the seed tasks": self.licences.seeds_licence,
        }
        rows = [[what, cell(licence) or NOT_STATED] for what, licence in names.items()]
        return f"## Licences\n\n{table(['of', 'licence'], rows)}"

    def source(self) -> str:
        origin = self.origin
        rows = [["model", f"{cell(name)}; {cell(what)}"] for name, what in origin.models.items()]
        if origin.seeds:
            rows.append(["seed tasks", f"{origin.seeds}, which ship with Sprout; digest {origin.seeds_digest}"])
        elif origin.seeds_digest:
            rows.append(["seed tasks", f"the maker's own; digest {cell(origin.seeds_digest)}"])
        included = "yes, for training" if self.settings.get("include_seeds") else "no"
        return f"## Sources\n\n{table(['', ''], [*rows, ['seed tasks in this dataset', included]])}"

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
        return f"## Filters and yield\n\n{table(['stage', 'decided', 'kept', 'rejected, by reason'], rows)}"

    def decontamination(self) -> str:
        name, origin = "decontaminate", self.origin
        if name not in origin.funnel:
            done = "None: it was compared with no evaluation set." if origin.funnel else "Not known here."
            return f"## Decontamination\n\n{done}"
        counts, settings = origin.funnel[name], origin.settings.get(name, {})
        gone = sum(n for reason, n in counts.items() if reason != "kept")
        sets = f" The run is evaluated on {', '.join(map(cell, origin.heldout))}." if origin.heldout else ""
        meaning = ", or mean the same by the cosine of their vectors" if settings.get("encoder") else ""
        share, ngram = f"{settings.get('max_overlap', 0.5):.0%}", settings.get("ngram", 8)
        return (
            f"## Decontamination\n\n{gone:,} of {sum(counts.values()):,} tasks were left out because they share more "
            f"than {share} of the words of a held-out instance in {ngram}-grams{meaning}. The held-out instances have "
            f"the digest {cell(str(settings.get('heldout', 'unknown')))}.{sets}"
        )

    def limits(self) -> str:
        funnel = self.origin.funnel
        found = [
            "A language model wrote it and nobody has checked it: outputs may be wrong, invented, biased or harmful. "
            "The filters look at form, not at truth.",
            "Its languages are not recorded.",
        ]
        if funnel and "dedup" not in funnel:
            found.append("Instructions that are too alike were sought by their words (ROUGE-L), not by their meaning.")
        if "decontaminate" in funnel:
            found.append("It was compared with the held-out instances above and with no others.")
        else:
            found.append("It may hold instances of an evaluation set.")
        if self.settings.get("validation_share"):
            found.append("A validation split is written by the same model: it shows overfitting, it is no test set.")
        return "## Known limits\n\n" + "\n".join(f"- {limit}" for limit in found)

    def made(self) -> str:
        """The settings of each stage as TOML that a run reads, but for places on the machine that made it."""
        lines = ["# sprout run settings.toml --seeds SEEDS --engine ENGINE --model MODEL --out FOLDER"]
        for stage, fields in [*self.origin.settings.items(), ("export", self.settings)]:
            lines += ["", f"[{stage}]", *toml(stage, fields)]
        fence = "```"
        return f"## How it was made\n\n{fence}toml\n" + "\n".join(lines) + f"\n{fence}"


def size_category(instances: int) -> str:
    """As the hub has them: n<1K, 1K<n<10K and so on."""
    steps = ["1K", "10K", "100K", "1M", "10M", "100M", "1B"]
    step = min(max(len(str(instances)) - 3, 0), len(steps) - 1)
    return f"{steps[step - 1]}<n<{steps[step]}" if step else "n<1K"


def toml(stage: str, fields: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, item in fields.items():
        if item is None or key.endswith(".jinja") or key in NOT_SHOWN:
            continue
        line = f"{key} = {value(without_place(item))}"
        digested = stage == "decontaminate" and key == "heldout"
        lines.append(f"# {line}  # a digest; name the sets" if digested else line)
    return lines


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """A text that comes from a file, so that it stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
