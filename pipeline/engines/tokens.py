"""Text to tokens: prompts, answers that are begun or given, and what the chat template puts around them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.engines.base import Message, Prompt, ScoreRequest

SOME = 400  # characters of a message, whose longest word is looked for in what the chat template makes of it
MARK = "SPROUT9MARK"  # stands for a message while its place in the chat template is sought


def prompt_ids(tokenizer: Any, prompt: Prompt, template_kwargs: Mapping[str, Any], prefill: str = "") -> list[int]:
    """The tokens of a prompt; messages go through the chat template, which brings its own first token (BOS).

    Args:
        prefill: What the answer begins with.

    Raises:
        ValueError: when the chat template refuses the messages, or leaves out what the last one says.
    """
    if isinstance(prompt, str):
        ids: list[int] = tokenizer(prompt + prefill).input_ids
        return ids
    if prefill:
        text = render(tokenizer, [*prompt, _answer(prefill)], template_kwargs, continue_final_message=True)
    else:
        text = render(tokenizer, prompt, template_kwargs, add_generation_prompt=True)
    if max(prompt[-1]["content"][:SOME].split(), key=len, default="") not in text:
        raise ValueError(
            "the chat template leaves out what the message says; it may be for messages with pictures: serve the model "
            "with vLLM and take --engine server"
        )
    ids = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def split_ids(tokenizer: Any, prompt: str, continuation: str, special: bool = True) -> tuple[list[int], list[int]]:
    """The tokens of a prompt, and those of what follows it.

    The prompt has the tokens it has when it stands alone, as it has when the model is asked. As one text, the line ends
    between the two can become other tokens: GPT-2's tokenizer has one for two of them, but not before a word. Then the
    two are cut apart.

    Args:
        special: Whether the tokenizer puts tokens of its own before the prompt, such as BOS.
    """
    ids: list[int] = tokenizer(prompt, add_special_tokens=special)["input_ids"]
    whole: list[int] = tokenizer(prompt + continuation, add_special_tokens=special)["input_ids"]
    if whole[: len(ids)] == ids:
        return ids, whole[len(ids) :]
    return ids, tokenizer(continuation, add_special_tokens=False)["input_ids"]


def scored_ids(tokenizer: Any, request: ScoreRequest) -> tuple[list[int], int]:
    """The tokens of prompt and continuation, and the place of the first one that is scored.

    Raises:
        ValueError: when there is no such token, and when the chat template refuses the messages or changes the answer.
    """
    if isinstance(request.prompt, str):
        end = tokenizer.eos_token or "" if request.count_end else ""
        if request.count_end and not end:
            raise ValueError("the tokenizer has no end-of-text token, so count_end has nothing to count")
        prompt, continuation = split_ids(tokenizer, request.prompt, request.continuation.removesuffix(end) + end)
    else:
        before, answer, end = _answered(tokenizer, request)
        prompt, continuation = split_ids(tokenizer, before, answer + end, special=False)
    return [*prompt, *continuation], first_scored(len(prompt), len(continuation))


def first_scored(num_prompt: int, num_continuation: int) -> int:
    """The place of the first token that is scored: nothing is known of one that has nothing before it.

    Raises:
        ValueError: when there is none.
    """
    start = max(num_prompt, 1)
    if start >= num_prompt + num_continuation:
        raise ValueError("the continuation has no token that can be scored")
    return start


def pre_query(tokenizer: Any, system: str | None, template_kwargs: Mapping[str, Any]) -> str | None:
    """As `Engine.pre_query`, without the first token that the tokenizer puts before a plain prompt by itself.

    Raises:
        ValueError: when the chat template refuses the messages.
    """
    if not tokenizer.chat_template:
        return None
    before = [] if system is None else [{"role": "system", "content": system}]
    text = render(tokenizer, [*before, {"role": "user", "content": MARK}], template_kwargs)
    found, mark, _ = text.partition(MARK)
    if not mark:
        raise ValueError("the chat template does not show the user's message")
    adds_first = tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    return found.removeprefix(tokenizer.bos_token) if adds_first else found


def render(tokenizer: Any, messages: Sequence[Message], template_kwargs: Mapping[str, Any], **how: bool) -> str:
    """Messages as the chat template puts them.

    Raises:
        ValueError: when it refuses them.
    """
    from jinja2 import TemplateError

    options = {**template_kwargs, "add_generation_prompt": False, "tokenize": False, **how}
    try:
        text: str = tokenizer.apply_chat_template(list(messages), **options)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses these messages: {error}") from None
    except ValueError as error:
        first = str(error).partition("!")[0].partition("\n")[0]  # what follows may be the whole conversation
        raise ValueError(f"the chat template cannot put these messages: {first}") from None
    return text


def _answered(tokenizer: Any, request: ScoreRequest) -> tuple[str, str, str]:
    """What stands before the answer, the answer, and what ends it if that counts; all as the chat template puts them.

    The end is what follows the answer up to the first token that the tokenizer knows as one of its own, such as end of
    turn; where the template puts no such token there, nothing ends it.
    """
    messages, kwargs = [*request.prompt], request.chat_template_kwargs
    answered: list[Any] = [*messages, _answer(request.continuation)]
    begun = render(tokenizer, answered, kwargs, continue_final_message=True)
    marked = render(tokenizer, [*messages, _answer(MARK)], kwargs, continue_final_message=True).removesuffix(MARK)
    asked = render(tokenizer, request.prompt, kwargs, add_generation_prompt=True)  # type: ignore[arg-type]
    wanted = request.continuation.strip()
    before = next(
        (one for one in (marked, asked) if begun.startswith(one) and begun[len(one) :].strip() == wanted), None
    )
    if before is None:
        raise ValueError("the chat template changes the answer, so there is no likelihood of it as it stands")
    if not request.count_end:
        return before, begun[len(before) :], ""
    whole = render(tokenizer, answered, kwargs)
    after = whole[len(begun) :] if whole.startswith(begun) else ""
    own = {*tokenizer.added_tokens_decoder, *tokenizer.all_special_ids}
    ends = [number for number in tokenizer(after, add_special_tokens=False).input_ids if number in own]
    if not ends:
        return before, begun[len(before) :], ""
    end = tokenizer.convert_ids_to_tokens(ends[0])
    return before, begun[len(before) :], after[: after.index(end) + len(end)]


def _answer(text: str) -> Message:
    return {"role": "assistant", "content": text}
