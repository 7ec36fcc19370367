"""Tasks as rows to tune on, in the paper's encodings; and which tasks are held back for validation."""

import hashlib
import json
import random
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.task import Task

Encoding = Literal["random", "plain"]
ZeroShot = Literal["plain", "output"]

# The prompts an instance is put in (Self-Instruct, section 2.3 and its released code). They vary, so that the tuned
# model does not learn one of them by heart. The end-of-text token is not part of them: the trainer adds it.
WITH_INPUT = (
    "{instruction}\nInput: {input}\nOutput:",
    "{instruction}\n\nInput: {input}\n\nOutput:",
    "Task: {instruction}\nInput: {input}\nOutput:",
    "{instruction}\n\n{input}\n\nOutput:",
    "{instruction}\n\n{input}\n\n",
    "{instruction}\n{input}\n\n",
    "Task: {instruction}\n\n{input}\n\n",
)
WITHOUT_INPUT = (
    "{instruction} Output:",
    "{instruction}\nOutput:",
    "{instruction}\n\nOutput:",
    "{instruction}\n",
    "{instruction}\n\n",
    "Task: {instruction}\n\n",
)
ENCODINGS = WITH_INPUT + WITHOUT_INPUT
FIXED: Mapping[ZeroShot, tuple[str, str]] = {
    "plain": ("{instruction}\n\n{input}\n\n", "{instruction}\n\n"),
    "output": ("{instruction}\n\nInput: {input}\n\nOutput:", "{instruction}\n\nOutput:"),
}

# The name before the colon in "Sentence: ..." or "Sentence 1: ...", at the start of a line; not "10:30", not "https://".
FIELD = re.compile(r"^[^\W\d]\w*(?: \w+){0,2}:(?:[ \t]+|$)\s*", re.MULTILINE)

SIZE = 12  # bytes of a hash: among 100 million rows, two have the same by chance once in 1e13 datasets


class Row(BaseModel):
    """One instance as it is tuned on. `prompt` and `completion` are for a base model, the rest for a chat model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    number: int  # of the instance in its task
    instruction: str
    input: str
    output: str
    prompt: str
    completion: str

    @property
    def id(self) -> str:
        return f"{self.task}:{self.number}"


class Rows:
    """The rows of a dataset, shuffled, without exact duplicates; each is made from its task when it is looked at.

    The encoding of an instance depends on its task's id, its number and `random_seed` alone. With `input_noise` one
    input in two loses its field name and its blank lines. Of a row 24 bytes of hashes are held while the duplicates are
    sought, then the 8 of its place.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        seeds: Sequence[Task] = (),
        *,
        encoding: Encoding = "random",
        random_seed: int = 0,
        input_noise: bool = False,
    ) -> None:
        self.tasks, self.seeds = tasks, seeds
        self.encoding, self.random_seed, self.input_noise = encoding, random_seed, input_noise
        self._starts = array("Q")  # of each task the place of its first instance
        prompts, instances, count = bytearray(), bytearray(), 0
        hashed = hashlib.sha256()
        for task in self.all_tasks():
            self._starts.append(count)
            count += len(task.instances)
            for number in range(len(task.instances)):
                row = self._row(task, number)
                prompts += _hash(row.prompt, row.completion)
                instances += _hash(row.instruction, row.input, row.output)
            hashed.update(_hash(task.id, task.name, task.is_classification, len(task.instances)))
        for part in (_hash(len(tasks), random_seed), prompts, instances):
            hashed.update(part)
        self.fingerprint = hashed.hexdigest()[:16]  # other rows, another fingerprint
        first = _first(prompts)
        prompts.clear()
        first &= _first(instances)
        instances.clear()
        places = np.flatnonzero(first).astype("u8")
        self.used = np.zeros(len(self._starts), bool)  # whether a task has a row
        self.used[np.searchsorted(self._starts, places, side="right") - 1] = True
        self._places = array("Q", places.tobytes())
        random.Random(f"{random_seed}:shuffle").shuffle(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Row]:
        return (row for _, _, row in self.items())

    def items(self) -> Iterator[tuple[int, Task, Row]]:
        """Each row with its task and the number of that: those of the seeds follow those of the tasks."""
        for place in self._places:
            which = bisect_right(self._starts, place) - 1
            seed = which - len(self.tasks)
            task = self.tasks[which] if seed < 0 else self.seeds[seed]
            yield which, task, self._row(task, place - self._starts[which])

    def all_tasks(self) -> Iterator[Task]:
        return chain(self.tasks, self.seeds)

    def _row(self, task: Task, number: int) -> Row:
        where = f"{self.random_seed}:{task.id}:{number}"
        instance = task.instances[number]
        instruction, input, output = clean(task.instruction), clean(instance.input), clean(instance.output)
        if self.input_noise:
            input = add_noise(input, random.Random(f"{where}:noise"))
        rng = random.Random(where) if self.encoding == "random" else None
        prompt, completion = encode(instruction, input, output, rng)
        return Row(
            task=task.id,
            number=number,
            instruction=instruction,
            input=input,
            output=output,
            prompt=prompt,
            completion=completion,
        )


def rows(
    tasks: Sequence[Task], *, encoding: Encoding = "random", random_seed: int = 0, input_noise: bool = False
) -> list[Row]:
    """As `Rows`, all of them at once."""
    return list(Rows(tasks, encoding=encoding, random_seed=random_seed, input_noise=input_noise))


def held_back(task_id: str, share: float, random_seed: int) -> bool:
    """Whether a task is kept for validation: by its id alone, so that a run that grows holds back the same ones.

    It is for generated tasks; seed tasks are always trained on.
    """
    hashed = hashlib.sha256(f"{random_seed}:validation:{task_id}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest()[:8]) < share * 2**64


def encode(instruction: str, input: str, output: str, rng: random.Random | None = None) -> tuple[str, str]:
    """The prompt and the completion of an instance: in one of `ENCODINGS`, or without `rng` in the plain one."""
    if rng is None:
        return zero_shot(instruction, input), output
    prompt = _fill(rng.choice(WITH_INPUT if input else WITHOUT_INPUT), instruction, input)
    return prompt, f" {output}" if prompt.endswith("Output:") else output


def zero_shot(instruction: str, input: str = "", encoding: ZeroShot = "plain") -> str:
    """The prompt for a base model that is to answer; always the same one, also after tuning on varied ones."""
    with_input, without = FIXED[encoding]
    return _fill(with_input if input else without, instruction, input)


def question(instruction: str, input: str = "") -> str:
    """The user's message to a chat model, in training and in evaluation."""
    return f"{instruction}\n\n{input}" if input else instruction


def token_ids(row: Row, tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens of a row for a base model: those of the prompt, and those that are to follow, end of text included.

    The prompt has the tokens it has when it stands alone, as it will when the model is asked. Cut as one text, the
    line ends between the two can become other tokens: GPT-2's tokenizer has one for two of them, but not before a word.
    """
    completion = row.completion.removesuffix(tokenizer.eos_token) + tokenizer.eos_token
    prompt: list[int] = tokenizer(row.prompt)["input_ids"]
    whole: list[int] = tokenizer(row.prompt + completion)["input_ids"]
    if whole[: len(prompt)] == prompt:
        return prompt, whole[len(prompt) :]
    return prompt, tokenizer(completion, add_special_tokens=False)["input_ids"]


def clean(text: str) -> str:
    """Text that can be written as UTF-8: surrogate pairs become their character, lone surrogates U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def add_noise(input: str, rng: random.Random) -> str:
    """For one input in two: drop its field name, if it has just one, and its blank lines.

    The paper's code takes every word before a colon for a field name, and deletes all that stands before the first
    one; here a field name begins a line, and the one that is dropped begins the input.
    """
    if rng.random() >= 0.5:
        return input
    text = input.strip()
    if len(FIELD.findall(text)) == 1 and (found := FIELD.match(text)):
        text = text[found.end() :]
    return re.sub(r"\n{2,}", "\n", text) or input


def _fill(template: str, instruction: str, input: str) -> str:
    return template.format(instruction=instruction, input=input)


def _hash(*parts: object) -> bytes:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=SIZE).digest()


def _first(hashes: bytearray) -> NDArray[np.bool_]:
    """Of each hash whether it occurs there for the first time."""
    found = np.frombuffer(hashes, dtype=f"S{SIZE}")
    order = np.argsort(found, kind="stable")
    ordered = found[order]
    new = np.ones(len(found), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    del ordered
    first = np.zeros(len(found), bool)
    first[order[new]] = True
    return first
