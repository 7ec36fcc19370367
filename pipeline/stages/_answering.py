"""How `answer` asks one engine: in the words that its model is used to, and what of a completion is its answer."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.asking.ask import ending, in_chat, is_empty, put, seeded
from pipeline.asking.clean import clean_text
from pipeline.asking.converse import messages, question
from pipeline.asking.templates import render
from pipeline.dataset.encodings import AFTER, zero_shot
from pipeline.engines.base import Completion, Engine, Prompt, Request, Sampling
from pipeline.evaluation.models import asked_as_chat
from pipeline.stages.instances import as_demo
from pipeline.stages.verify import parse_answer
from pipeline.task import Instance, Task
from pipeline.text import trimmed

if TYPE_CHECKING:
    from pipeline.stages.answer import Answer

PLAIN, EXPLAIN, WITH_DEMOS, PARAPHRASE = "plain", "explain", "with_demos", "paraphrase"
PROMPTS = (PLAIN, EXPLAIN, WITH_DEMOS, PARAPHRASE)
SAMPLING = Sampling(temperature=0.7, max_tokens=1024, stop=("\nTask:", "\nExample 2"))
ANSWER = re.compile(
    r"^[^\S\n]*(?:[*_#>]+[^\S\n]*)?(?:the )?(?:final )?answer(?:[*_]+)?\s*:[*_]*"
    r"|^[^\S\n]*(?:#+ (?:final )?answer|\*\*(?:final )?answer\*\*)[^\S\n]*$"  # a heading
    r"|^[^\S\n]*(?:so|therefore|thus|hence),? the (?:final )?answer is:?(?=\s)",
    re.IGNORECASE | re.MULTILINE,
)
LABEL = re.compile(r"\A(?:new )?answer:\s*", re.IGNORECASE)  # with which these templates end


class Case(NamedTuple):
    """A task with the demos that are shown before each of its instances."""

    task: Task
    instances: tuple[Instance, ...]
    demos: tuple[tuple[Task, ...], ...]  # of each instance


class Said(NamedTuple):
    """What of a completion is its answer, or what it lacks."""

    text: str  # as far as there is one
    lack: str = ""  # "cut_off", "empty" or "unreadable"


class Asked:
    """One engine as it is asked.

    Args:
        stage: Whose settings say how.
        engine: A chat model gets messages; any other gets text, and so does a model that was tuned on text.
    """

    def __init__(self, stage: "Answer", engine: Engine) -> None:
        self.stage, self.engine = stage, engine
        self.chat = asked_as_chat(engine.model, engine)

    def request(self, id: str, case: Case, number: int) -> Request:
        """Ask for an output of one instance."""
        sampling = ending(self.stage.sampling, SAMPLING, self.chat)
        if self.stage.prompt == PLAIN and not self.chat:
            stop = dict.fromkeys([*sampling.stop, *AFTER[self.stage.encoding]])
            sampling = sampling.model_copy(update={"stop": tuple(stop)})
        sampling = seeded(sampling, self.stage.random_seed, id)
        demos = case.demos[number]
        prompt = self._prompt(case.task, case.instances[number], demos)
        ids = tuple(demo.id for demo in demos) if self.stage.demos == "nearest" else ()
        if isinstance(prompt, str):
            return put(Request(id=id, prompt=prompt, sampling=sampling, demos=ids), self.engine, self.chat)
        return in_chat(Request(id=id, prompt="", sampling=sampling, demos=ids), self.engine, prompt)

    def parse(self, completion: Completion) -> Said:
        said = self._read(completion)
        return Said(said.text) if self.stage.keep_incomplete else said

    def _read(self, completion: Completion) -> Said:
        if is_empty(completion):
            return Said("", "empty")
        said = self._answer_in(trimmed(clean_text(completion.text)))
        return Said(said.text, "cut_off") if completion.finish_reason == "length" else said

    def _answer_in(self, text: str) -> Said:
        if self.stage.prompt == EXPLAIN:
            return explained(text, self.stage.keep_explanation)
        if self.stage.prompt == WITH_DEMOS and not self.chat:
            text = parse_answer(text)
        elif self.stage.prompt not in (PLAIN, WITH_DEMOS):
            text = LABEL.sub("", text)
        return Said(text) if text else Said("", "empty")

    def _prompt(self, task: Task, instance: Instance, demos: Sequence[Task]) -> Prompt:
        if self.stage.prompt == PLAIN:
            if self.chat:
                return question(task.instruction, instance.input)
            return zero_shot(task.instruction, instance.input, self.stage.encoding)
        if self.stage.prompt == WITH_DEMOS and self.chat:
            turns = [(question(demo.instruction, one.input), one.output) for demo in demos for one in demo.instances]
            return messages(turns, question(task.instruction, instance.input))
        fields = {"instruction": task.instruction, "input": instance.input}
        if self.stage.prompt == WITH_DEMOS:
            flat = as_demo(task.update(instances=(instance,)))
            fields = {"instruction": flat.instruction, "input": flat.instances[0].input}
            return render(self.stage.template, self.stage, **fields, demos=[as_demo(demo) for demo in demos])
        if self.stage.prompt == EXPLAIN:
            return render(self.stage.template, self.stage, **fields)
        return render(self.stage.template, self.stage, **fields, output=instance.output)


def explained(text: str, whole: bool) -> Said:
    """The answer behind the last line that announces it.

    Args:
        whole: The explanation belongs to the answer and stands before it.
    """
    found = list(ANSWER.finditer(text))
    answer = text[found[-1].end() :].strip() if found else ""
    if not answer:
        return Said(text, "unreadable")
    before = text[: found[-1].start()].strip()
    return Said(f"{before}\n\n{answer}" if whole and before else answer)
