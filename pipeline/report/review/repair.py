"""Has the model write outputs anew as a reviewer's note asks: one task to try it, then all that a search finds."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.asking.ask import is_answer, request, seeded
from pipeline.asking.clean import clean_text
from pipeline.asking.templates import render
from pipeline.engines.base import Completion, Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.resources import shown
from pipeline.runs.budget import Budget
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.recorded import Recorded
from pipeline.runs.reviews import Reviews
from pipeline.runs.said import Said, Texts, digest
from pipeline.task import Instance, Task
from pipeline.text import one_line, short

STAGE = "repair"  # whose completions they are, in the journal
SAMPLING = Sampling(temperature=0, max_tokens=1024)
STOP = ("\nTask:", "\nNote:")  # what a base model would go on with
LABEL = re.compile(r"^(?:new |rewritten )?answer:\s*", re.IGNORECASE)


@dataclass
class RepairProgress:
    """How far a repair of many tasks has come."""

    group: str = ""
    total: int = 0
    done: int = 0
    changed: int = 0
    running: bool = False
    problem: str = ""


class Repairs:
    """Opens the engine when it is first asked, and asks it one thing at a time."""

    def __init__(self, folder: Path, open_engine: Callable[[], Engine]) -> None:
        self.folder, self.open_engine = folder, open_engine
        self.engine: Engine | None = None
        self.asking = threading.Lock()
        self.progress = RepairProgress()

    def tried(self, task: Task, note: str) -> tuple[Texts, str]:
        """The texts of a task after a repair, and the model that has made it; nothing is written down.

        Raises:
            SproutError: if the model cannot be asked, or its answer is cut off or empty.
        """
        with self.asking:
            for _, after, problem in [*self._repaired([task], note)]:
                if after is None:
                    raise SproutError(f"{task.id}: {problem}")
                return after, self.model
        raise SproutError(f"{task.id}: has no output to repair")

    def begin(
        self, tasks: list[Task], note: str, reviewer: str, reviews: Reviews, lock: threading.RLock
    ) -> RepairProgress:
        """Repair tasks in the background; each change is on disk as it arrives, and all have one name to undo them."""
        if self.progress.running:
            raise SproutError("a repair is running; wait until it has finished")
        group = f"repair-{digest(note, *(task.id for task in tasks))[:6]}-{len(reviews.lines)}"
        self.progress = RepairProgress(group, len(tasks), running=True)
        work = threading.Thread(target=self._all, args=(tasks, note, reviewer, reviews, lock), daemon=True)
        work.start()
        return self.progress

    @property
    def state(self) -> dict[str, object]:
        return asdict(self.progress)

    @property
    def model(self) -> str:
        return shown(self._opened().model)

    def close(self) -> None:
        if self.engine is not None:
            self.engine.close()

    def _all(self, tasks: list[Task], note: str, reviewer: str, reviews: Reviews, lock: threading.RLock) -> None:
        progress, problems = self.progress, []
        try:
            with self.asking:
                for task, after, problem in self._repaired(tasks, note):
                    before = Texts.of(task)
                    if after is not None and after != before:
                        edit = Said(reviewer=reviewer, task=task.id, did="edit", before=before, after=after, note=note,
                                    model=self.model, group=progress.group)  # fmt: skip
                        with lock:
                            reviews.say(edit)
                        progress.changed += 1
                    problems += [problem] if problem else []
                    progress.done += 1
        except SproutError as error:
            progress.problem = str(error)
        except Exception as error:  # whatever an engine raises: the page has to hear of it
            progress.problem = f"{type(error).__name__}: {error}"
        if problems and not progress.problem:
            progress.problem = f"{len(problems)} are as they were; the first: {problems[0]}"
        progress.running = False

    def _repaired(self, tasks: Iterable[Task], note: str) -> Iterator[tuple[Task, Texts | None, str]]:
        """Each task with its texts after the repair, or None and why not."""
        waiting: list[tuple[Task, list[Completion]]] = []
        engine = self._opened()

        def requests() -> Iterator[Request]:
            for task in tasks:
                if task.instances:
                    waiting.append((task, []))
                for number in range(len(task.instances)):
                    yield asked(engine, task, number, note)

        with Journal(self.folder / FILE) as journal:
            recorded = Recorded(engine, journal, STAGE, Budget())
            for completion in recorded.generate(requests()):
                task, given = waiting[0]
                given.append(completion)
                if len(given) == len(task.instances):
                    waiting.pop(0)
                    yield repaired(task, given)

    def _opened(self) -> Engine:
        if self.engine is None:
            self.engine = self.open_engine()
        return self.engine


def asked(engine: Engine, task: Task, number: int, note: str) -> Request:
    """The request that has an output of a task written anew."""
    instance = task.instances[number]
    texts = {"instruction": task.instruction, "input": instance.input, "output": instance.output}
    id = f"{task.id}:{number}:{digest(note, instance.output)}"
    sampling = seeded(SAMPLING.model_copy(update={"stop": () if engine.chat else STOP}), 0, id)
    return request(engine, id, render("repair", **texts, note=one_line(note)), sampling)


def repaired(task: Task, given: list[Completion]) -> tuple[Task, Texts | None, str]:
    """The texts of a task with new outputs; None, and why, if one of these did not come."""
    instances = []
    for instance, completion in zip(task.instances, given, strict=True):
        if completion.finish_reason == "error":
            return task, None, f"the request failed: {short(completion.text)}"
        text = LABEL.sub("", clean_text(completion.text).strip())
        if completion.finish_reason == "length":
            return task, None, "the new answer was cut off"
        if not is_answer(completion) or not text:
            return task, None, "the model gave no text"
        instances.append(Instance(input=instance.input, output=text))
    return task, Texts(instruction=task.instruction, instances=tuple(instances)), ""
