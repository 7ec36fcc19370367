"""Few-shot prompting, the baseline for tuning: a model that sees solved tasks before each held-out one."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.asking.ask import in_chat
from pipeline.asking.converse import Turns, messages, question
from pipeline.engines.base import Engine, Request, Sampling
from pipeline.engines.model_folder import context_length, load_tokenizer
from pipeline.engines.tokens import prompt_ids
from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut
from pipeline.task import Task

DEMOS = "demos"  # of the model that is shown them, among others


@dataclass(frozen=True)
class Shown:
    """Demos and the layout of a base model's prompt; a chat model gets them as turns.

    Attributes:
        prompt: Renders the demos, then a held-out instance without its output.
        parse: Finds the answer in a base model's completion.
        stop: Texts that end an answer.
    """

    demos: Sequence[Task]
    prompt: Callable[[HeldOut], str]
    parse: Callable[[str], str]
    stop: tuple[str, ...]

    def request(self, instance: HeldOut, sampling: Sampling, engine: Engine, chat: bool) -> Request:
        """Ask for the output of an instance; `chat`: by messages."""
        if chat:
            asked = messages(self._turns(), question(instance.instruction, instance.input))
            return in_chat(Request(id=instance.id, prompt="", sampling=sampling), engine, asked)
        stop = tuple(dict.fromkeys([*sampling.stop, *self.stop]))
        sampling = sampling.model_copy(update={"stop": stop})
        return Request(id=instance.id, prompt=self.prompt(instance), sampling=sampling)

    def answer(self, text: str, chat: bool) -> str:
        return text if chat else self.parse(text)

    def _turns(self) -> Turns:
        return [(question(demo.instruction, one.input), one.output) for demo in self.demos for one in demo.instances]


def as_many_as_fit(
    shown: Callable[[int], Shown], num_seeds: int, heldout: Sequence[HeldOut], engine: Engine, chat: bool
) -> Shown:
    """As many demos as fit into a model's context with the longest held-out instance and the longest right answer.

    Args:
        shown: Makes a `Shown` with a number of demos.
        num_seeds: How many seed tasks there are.
        engine: Of a model in a folder or on the hub.

    Raises:
        SproutError: for a model whose config or tokenizer cannot be read, and for a chat template that refuses demos.
    """
    tokenizer = load_tokenizer(engine.model)

    def length(text: str) -> int:
        return len(tokenizer(text).input_ids)

    longest = max(heldout, key=lambda one: length(question(one.instruction, one.input)))
    limit = engine.context_limit or context_length(engine.model)
    room = limit - max(length(text) for text in {max(one.outputs, key=len) for one in heldout})

    def size(num: int) -> int:
        request = shown(num).request(longest, Sampling(), engine, chat)
        try:
            return len(prompt_ids(tokenizer, request.prompt, request.chat_template_kwargs))
        except ValueError as error:
            raise SproutError(f"{engine.model}: {error}; set evaluate.num_demos=0 to do without demos") from None

    most = bisect_right(range(1, num_seeds + 1), room, key=size)
    while most and size(most) > room:  # other numbers draw other seed tasks, so more of them may be shorter
        most -= 1
    return shown(most)
