"""Tasks as rows to tune on: the paper's encodings, and the columns of each format."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pipeline.task import Task

Encoding = Literal["random", "plain"]
ZeroShot = Literal["plain", "output"]
Format = Literal["prompt_completion", "messages", "alpaca"]

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


def rows(
    tasks: Iterable[Task], *, encoding: Encoding = "random", random_seed: int = 0, input_noise: bool = False
) -> list[Row]:
    """One row per instance, shuffled, without exact duplicates.

    The encoding of an instance depends on its task's id, its number and `random_seed` alone. With `input_noise` one
    input in two loses its field name and its blank lines.
    """
    unique: list[Row] = []
    seen: set[tuple[str, ...]] = set()
    for task in tasks:
        for row in _rows_of(task, encoding, random_seed, input_noise):
            keys: set[tuple[str, ...]] = {
                (row.prompt, row.completion),
                (row.instruction, row.input, row.output),
            }
            if not keys & seen:
                unique.append(row)
            seen |= keys
    random.Random(f"{random_seed}:shuffle").shuffle(unique)
    return unique


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


def counts(tasks: Sequence[Task], rows: Sequence[Row]) -> dict[str, Any]:
    """What a dataset holds, in the figures of the paper's Table 1; mean words are of instructions once per task."""
    used = {row.task for row in rows}
    chosen = {task.id: task for task in tasks if task.id in used}
    inputs = [row.input for row in rows if row.input]
    return {
        "tasks": len(chosen),
        "instances": len(rows),
        "classification_share": round(sum(bool(t.is_classification) for t in chosen.values()) / len(chosen), 4),
        "instances_with_input": len(inputs),
        "mean_words": {
            "instruction": _mean_words([task.instruction for task in chosen.values()]),
            "input": _mean_words(inputs),
            "output": _mean_words([row.output for row in rows]),
        },
    }


def _columns_prompt_completion(row: Row) -> dict[str, Any]:
    return {"id": row.id, "prompt": row.prompt, "completion": row.completion}


def _columns_messages(row: Row) -> dict[str, Any]:
    user = {"role": "user", "content": question(row.instruction, row.input)}
    return {"id": row.id, "messages": [user, {"role": "assistant", "content": row.output}]}


def _columns_alpaca(row: Row) -> dict[str, Any]:
    return {"id": row.id, "instruction": row.instruction, "input": row.input, "output": row.output}


FORMATS: Mapping[Format, Callable[[Row], dict[str, Any]]] = {
    "prompt_completion": _columns_prompt_completion,
    "messages": _columns_messages,
    "alpaca": _columns_alpaca,
}


def _rows_of(task: Task, encoding: Encoding, random_seed: int, input_noise: bool) -> Iterator[Row]:
    instruction = clean(task.instruction)
    for number, instance in enumerate(task.instances):
        where = f"{random_seed}:{task.id}:{number}"
        input, output = clean(instance.input), clean(instance.output)
        if input_noise:
            input = add_noise(input, random.Random(f"{where}:noise"))
        rng = random.Random(where) if encoding == "random" else None
        prompt, completion = encode(instruction, input, output, rng)
        yield Row(
            task=task.id,
            number=number,
            instruction=instruction,
            input=input,
            output=output,
            prompt=prompt,
            completion=completion,
        )


def _fill(template: str, instruction: str, input: str) -> str:
    return template.format(instruction=instruction, input=input)


def _mean_words(texts: Sequence[str]) -> float:
    return round(sum(len(text.split()) for text in texts) / len(texts), 2) if texts else 0.0
