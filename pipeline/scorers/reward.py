"""What a reward model gives for the outputs: a classifier of texts that was trained on people's preferences."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from pipeline.asking.converse import question
from pipeline.engines.model_folder import check_model, context_length, load_error, load_tokenizer, not_installed
from pipeline.errors import SproutError, unknown
from pipeline.scorers.base import NoNumber, Number, Work
from pipeline.text import mend

NEEDS = {"torch": "transformers", "transformers": "transformers"}
TASKS = 32  # that are read together
TEXTS = 8  # that go through the model at once

Model = Annotated[
    str, Field(min_length=1, description="a sequence-classification model: a folder, or a name on the hub")
]
Layout = Annotated[
    str,
    Field(description="the text, with {prompt} and {output} in it; empty: by the model's chat template, or a pair"),
]
Label = Annotated[str, Field(description="of a model with several labels: the log-probability of this one counts")]


def reward(work: Work, *, model: Model, layout: Layout = "", label: Label = "") -> Iterator[Number | NoNumber]:
    """The number that a sequence-classification model gives for the outputs, on average over the instances.

    InstructMining takes one of 1.4 billion parameters, trained on OASST (arXiv 2307.06290). The model runs in this
    process, on a GPU if there is one, besides the engines of the run. A task with an output that is too long for the
    model has no number.
    """
    rated = None
    place = work.start - work.start % TASKS  # blocks begin where they did before an interruption: the same numbers
    source = islice(work.tasks, place, None)
    while block := list(islice(source, TASKS)):
        rated = rated or _Rated(model, layout, label)
        numbers = rated.numbers(
            [(mend(question(t.instruction, i.input)), mend(i.output)) for t in block for i in t.instances]
        )
        found = iter(numbers)
        for task in block:
            own = [next(found) for _ in task.instances]
            if place >= work.start:
                yield _mean(own)
            place += 1


def _mean(numbers: Sequence[float | None]) -> Number | NoNumber:
    known = [one for one in numbers if one is not None]
    if len(known) < len(numbers):
        return NoNumber("an output is too long for the reward model")
    return math.fsum(known) / len(known) if known else None


class _Rated:
    """A model that is loaded, and how its texts are laid out."""

    def __init__(self, model: str, layout: str, label: str) -> None:
        for name in ("{prompt}", "{output}") if layout else ():
            if name not in layout:
                raise SproutError(f"options.reward: layout lacks {name}; say where it stands")
        check_model(model)
        self.layout, self.tokenizer = layout, load_tokenizer(model)
        self.network, self.device = _load(model)
        self.limit = min(context_length(model), self.tokenizer.model_max_length)
        # A model without a token to pad with takes what stands at the end, so it is given one text at a time.
        self.pad: int | None = self.network.config.get_text_config().pad_token_id
        labels = {int(number): str(name) for number, name in self.network.config.id2label.items()}
        self.column: int | None = None
        if len(labels) > 1:
            if label not in labels.values():
                raise SproutError(
                    f"options.reward: {unknown('label', label, labels.values())}; {model} has several labels"
                )
            self.column = next(number for number, name in labels.items() if name == label)
        elif label:
            raise SproutError(f"options.reward: {model} has one number and no labels; delete label")

    def numbers(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Of each prompt and output; None for one that is too long."""
        ids = [self._ids(*pair) for pair in pairs]
        fitting = [number for number, one in enumerate(ids) if len(one["input_ids"]) <= self.limit]
        found: dict[int, float] = {}
        most = 1 if self.pad is None else TEXTS
        for first in range(0, len(fitting), most):
            rows = fitting[first : first + most]
            found |= dict(zip(rows, self._forward([ids[row] for row in rows]), strict=True))
        return [found.get(number) for number in range(len(pairs))]

    def _ids(self, prompt: str, output: str) -> dict[str, list[int]]:
        if self.layout:
            encoded = self.tokenizer(self.layout.replace("{prompt}", prompt).replace("{output}", output))
        elif self.tokenizer.chat_template:
            messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": output}]
            encoded = self.tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)
        else:
            encoded = self.tokenizer(prompt, output)
        return {name: list(values) for name, values in encoded.items()}

    def _forward(self, rows: Sequence[dict[str, list[int]]]) -> list[float]:
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        fill = {"input_ids": self.pad or 0}
        padded = {
            name: [row[name] + [fill.get(name, 0)] * (width - len(row[name])) for row in rows] for name in rows[0]
        }
        batch = {name: torch.tensor(values, device=self.device) for name, values in padded.items()}
        with torch.inference_mode():
            logits = self.network(**batch).logits.float()
        column = logits[:, 0] if self.column is None else torch.log_softmax(logits, -1)[:, self.column]
        return [float(one) for one in column]


def _load(model: str) -> tuple[Any, Any]:
    try:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForSequenceClassification
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise not_installed("transformers", error) from error
    disable_progress_bar()  # type: ignore[no-untyped-call]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        network: Any = AutoModelForSequenceClassification.from_pretrained(model, dtype="auto", use_safetensors=True)
    except (AssertionError, OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise load_error(model, error) from error
    if device.type == "cpu" and network.dtype.itemsize == 2:
        network = network.float()
    return network.to(device).eval(), device
