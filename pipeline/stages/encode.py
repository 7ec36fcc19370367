"""Write metadata of tasks: use case and skills, concepts, persona, tags, difficulty, level."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field, JsonValue

from pipeline.asking.ask import begun, ending, seeded
from pipeline.asking.chains import Chain, ask_chains
from pipeline.asking.metadata import KINDS, fields_of, parse_metadata
from pipeline.asking.rewritten import copied
from pipeline.asking.templates import render
from pipeline.engines.base import Completion, Engine, Sampling
from pipeline.runs.context import Context
from pipeline.stage import Stage
from pipeline.task import Task
from pipeline.text import words

logger = logging.getLogger(__name__)

SAMPLING = Sampling(temperature=0, max_tokens=200, stop=("\n\n",))
MIN_WORDS, MOST_WORDS = 4, 6  # in a row that are also in the prompt: fewer may be chance, and so many never are


class Encode(Stage):
    """Asks for each kind of metadata, one request a kind, and writes the answers into `meta`.

    An answer that cannot be read, or repeats the example of the prompt, is left out: `meta["unreadable"]` names its
    kind, and the log counts them. A task that was made from a passage is shown with it.
    """

    kinds: tuple[str, ...] = Field(
        default=("use_case",), min_length=1,
        description=f"{', '.join(KINDS)}: prompts/encode_NAME.jinja each, or the path of a template of yours",
    )  # fmt: skip
    max_chars: int = Field(
        default=4000, ge=1, description="of an input or a passage that is shown; the rest is left out"
    )
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=SAMPLING, description="how the model writes; unless set, `stop` is for base models alone"
    )

    @property
    def templates_used(self) -> tuple[str, ...]:
        return tuple(map(template_of, self.kinds))

    def num_requests(self, num_given: int) -> int:
        return num_given * len(self.kinds)

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        yield f"Metadata in `meta` are what a model says of each task: {', '.join(map(name_of, self.kinds))}."

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        for kind in map(name_of, self.kinds):
            for field in fields_of(kind):
                yield f"{field.name.replace('_', ' ')}: {task.meta.get(field.name, 'could not be read')}"

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        unread, num_asked = Counter[str](), Counter[str]()
        for task, found in ask_chains(context.engine, todo, lambda task: self.said_of(task, context.engine)):
            missing = [kind for kind, values in found.items() if values is None]
            num_asked.update(found.keys())
            unread.update(missing)
            meta: dict[str, JsonValue] = {name: value for name, value in task.meta.items() if name != "unreadable"}
            meta |= {name: value for values in found.values() if values for name, value in values.items()}
            if missing:
                meta["unreadable"] = list(missing)
            yield task.update(meta=meta)
        for kind, number in unread.items():
            logger.warning(
                "%s: %d of %d answers about %s cannot be read or repeat the prompt, so their tasks have none",
                self.name, number, num_asked[kind], kind,
            )  # fmt: skip

    def said_of(self, task: Task, engine: Engine) -> Chain[dict[str, dict[str, JsonValue] | None]]:
        """What the model says of a task, by the kind; None for what cannot be read."""
        found: dict[str, dict[str, JsonValue] | None] = {}
        for kind in self.kinds:
            name = name_of(kind)
            id, prompt = f"{task.id}:{name}", self.prompt(task, kind)
            sampling = seeded(ending(self.sampling, SAMPLING, engine.chat), self.random_seed, id)
            completion = yield begun(engine, id, prompt, sampling)
            said = parse_metadata(completion.text, fields_of(name), completion.finish_reason == "length")
            found[name] = None if said and repeats(said, prompt, task) else said
        return found

    def prompt(self, task: Task, kind: str) -> str:
        passage = task.meta.get("passage")
        given = task.instances[0].input if task.instances else ""
        return render(
            template_of(kind), self, instruction=task.instruction, input=given[: self.max_chars],
            passage=passage[: self.max_chars] if isinstance(passage, str) else "", meta=task.meta,
        )  # fmt: skip


def repeats(said: Mapping[str, JsonValue], prompt: str, task: Task) -> bool:
    """Whether all that is said, or some words of a part of it, stand in the prompt, such as in its examples."""
    shown = [task.instruction, str(task.meta.get("passage", "")), *(instance.input for instance in task.instances[:1])]
    texts = {name: " ".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in said.items()}
    whole = " ".join(f"{name.replace('_', ' ')} {text}" for name, text in texts.items())
    sizes = [(whole, len(words(whole))), *((text, min(MOST_WORDS, len(words(text)))) for text in texts.values())]
    return any(size >= MIN_WORDS and copied(text, prompt, shown, size) for text, size in sizes)


def template_of(kind: str) -> str:
    return kind if kind.endswith(".jinja") else f"encode_{kind}"


def name_of(kind: str) -> str:
    """The name of a kind in `meta`: that of its file, without the ending."""
    return Path(kind).stem.removeprefix("encode_")
