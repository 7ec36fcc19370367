"""The rows of a dataset: tasks, instance by instance, encoded, without duplicates; and what is held back."""

import hashlib
import json
import random
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, tee
from json.encoder import encode_basestring_ascii

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.encodings import Encoding, ZeroShot, add_noise, draw, encode
from pipeline.runs.store import at
from pipeline.task import Answer, Task
from pipeline.text import hash_of, mend

_json = json.JSONEncoder().encode
Known = tuple[tuple[Answer, ...], dict[str, float], dict[str, tuple[str, ...]]]  # answers, scores, what checks said
SIZE = 12  # bytes of a hash: among 100 million rows, two have the same by chance once in 1e13 datasets


@dataclass(slots=True, weakref_slot=True)  # not frozen, which takes three times as long to make
class Row:
    """One instance as a dataset holds it: what a task says, and the prompt and completion it is encoded in."""

    task: str  # the id of the task
    number: int  # of the instance in its task
    instruction: str
    input: str
    output: str
    prompt: str
    completion: str
    # What of the task's `meta` each row carries, by the name of its column.
    meta: dict[str, str]
    answers: tuple[Answer, ...]  # those of the instance, for formats that write them
    scores: dict[str, float]  # those of the task, likewise
    # Of checks, by name: the message for each answer, or for the output.
    said: dict[str, tuple[str, ...]]

    @property
    def id(self) -> str:
        return f"{self.task}:{self.number}"


@dataclass(frozen=True)
class RowSettings:
    """How tasks become rows."""

    encoding: Encoding = "random"  # one of the paper's 13 prompts for each row, or one prompt for all
    input_noise: bool = False  # one input in two loses its field name and its blank lines
    shuffle: bool = True  # unset: the rows of the seed tasks first, then those of the tasks, in their order
    random_seed: int = 0  # of the order, the encodings and the noise
    carry: tuple[str, ...] = ()  # names in `meta` of a task, which become columns of its rows
    with_answers: bool = False  # for formats that write answers, scores or what checks said


class Rows:
    """The rows of a dataset without exact duplicates; each is made from its task when it is looked at.

    The encoding of an instance depends on its task's id, its number and the random seed alone. Memory holds 25 bytes
    per row while duplicates are sought, most of them hashes; then 9, its place and the number of its encoding.

    Example:
        >>> rows = Rows(tasks, seeds, RowSettings(encoding="plain"))
        >>> [row.prompt for row in rows]
    """

    def __init__(self, tasks: Sequence[Task], seeds: Sequence[Task] = (), settings: RowSettings | None = None) -> None:
        self.tasks, self.seeds, self.settings = tasks, seeds, settings or RowSettings()
        self._starts = array("Q")  # of each task the place of its first instance
        self._drawn = bytearray()  # of each instance the number of its encoding, if they are drawn
        prompts, instances, count = bytearray(), bytearray(), 0
        hashed = hashlib.sha256()
        for task in self.all_tasks():
            self._starts.append(count)
            count += len(task.instances)
            for number in range(len(task.instances)):
                fields = self._fields(task, number)
                prompts += _hash(*encode(*fields, self._encoding(task, number, fields[1])))
                instances += _hash(*fields)
            carried: list[object] = [self._carried(task)] if self.settings.carry else []
            if self.settings.with_answers:
                carried += [_plain(self._answers(task, number)) for number in range(len(task.instances))]
            hashed.update(_hash_of(task.id, task.name, task.is_classification, len(task.instances), *carried))
        order = (self.settings.random_seed, *(() if self.settings.shuffle else ("in order",)))
        for part in (_hash_of(len(tasks), *order), prompts, instances):
            hashed.update(part)
        self.fingerprint = hashed.hexdigest()[:16]  # other rows, another fingerprint
        first = _first(prompts)
        prompts.clear()
        first &= _first(instances)
        instances.clear()
        places = np.flatnonzero(first).astype("u8")
        self.used = np.zeros(len(self._starts), bool)  # whether a task has a row
        self.used[np.searchsorted(self._starts, places, side="right") - 1] = True
        self._places = array("Q", self._ordered(places).tobytes())
        if self.settings.shuffle:
            random.Random(f"{self.settings.random_seed}:shuffle").shuffle(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Row]:
        return (row for _, _, row in self.items())

    def items(self) -> Iterator[tuple[int, Task, Row]]:
        """Each row with its task and the number of that: those of the seeds follow those of the tasks."""
        places, of_tasks = tee((bisect_right(self._starts, place) - 1, place) for place in self._places)
        tasks = at(self.tasks, (which for which, _ in of_tasks if which < len(self.tasks)))
        for which, place in places:
            task = next(tasks) if which < len(self.tasks) else self.seeds[which - len(self.tasks)]
            encoding: ZeroShot | int = (
                self._drawn[place] if self.settings.encoding == "random" else self.settings.encoding
            )
            yield which, task, self._row(task, place - self._starts[which], encoding)

    def all_tasks(self) -> Iterator[Task]:
        return chain(self.tasks, self.seeds)

    def _ordered(self, places: NDArray[np.uint64]) -> NDArray[np.uint64]:
        if self.settings.shuffle or not self.seeds:
            return places
        return np.roll(places, -int(np.searchsorted(places, self._starts[len(self.tasks)])))

    def _fields(self, task: Task, number: int) -> tuple[str, str, str]:
        """Instruction, input and output of a row."""
        instance = task.instances[number]
        instruction, input, output = mend(task.instruction), mend(instance.input), mend(instance.output)
        if self.settings.input_noise:
            input = add_noise(input, random.Random(f"{self.settings.random_seed}:{task.id}:{number}:noise"))
        return instruction, input, output

    def _encoding(self, task: Task, number: int, input: str) -> ZeroShot | int:
        if self.settings.encoding != "random":
            return self.settings.encoding
        drawn = draw(input, hash_of(f"{self.settings.random_seed}:{task.id}:{number}"))
        self._drawn.append(drawn)
        return drawn

    def _row(self, task: Task, number: int, encoding: ZeroShot | int) -> Row:
        instruction, input, output = self._fields(task, number)
        prompt, completion = encode(instruction, input, output, encoding)
        known = self._answers(task, number) if self.settings.with_answers else ((), {}, {})
        carried = self._carried(task)
        return Row(task.id, number, instruction, input, output, prompt, completion, carried, *known)

    def _answers(self, task: Task, number: int) -> Known:
        """What models answered to an instance, the scores of the task, and what checks said of the answers."""
        answers = tuple(one.model_copy(update={"text": mend(one.text)}) for one in task.instances[number].answers)
        said = {}
        for name, messages in task.meta.items():
            if isinstance(messages, list) and len(messages) == len(task.instances):
                of_instance = messages[number]
                own = of_instance if isinstance(of_instance, list) else [of_instance]
                said[name] = tuple(mend(one) for one in own if isinstance(one, str))
        return answers, task.scores, said

    def _carried(self, task: Task) -> dict[str, str]:
        """Texts, so that a column has one type; empty where a task, such as a seed, says nothing of it."""
        if not self.settings.carry:
            return {}
        found = {name: task.meta.get(name, "") for name in self.settings.carry}
        return {name: mend(one if isinstance(one, str) else json.dumps(one)) for name, one in found.items()}


def _plain(found: Known) -> list[object]:
    """What models answered, as JSON has it."""
    answers, scores, said = found
    return [said, scores, [one.model_dump(mode="json") for one in answers]]


def held_back(task_id: str, share: float, random_seed: int) -> bool:
    """Whether a task is kept for validation: by its id alone, so that a run that grows holds back the same ones.

    It is for generated tasks; seed tasks are always trained on.
    """
    hashed = hashlib.sha256(f"{random_seed}:validation:{task_id}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest()[:8]) < share * 2**64


def _hash(*texts: str) -> bytes:
    """As `_hash_of`, in a third of the time."""
    return hashlib.blake2b(f"[{', '.join(map(encode_basestring_ascii, texts))}]".encode(), digest_size=SIZE).digest()


def _hash_of(*parts: object) -> bytes:
    return hashlib.blake2b(_json(parts).encode(), digest_size=SIZE).digest()


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
