"""A server that deviates as a provider's does: what it refuses, in which words, and in which shape it answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.engines.server.shape import SHAPES
from tests.conftest import QUESTIONS
from tests.engines.chaos_server import toy_answer
from tests.engines.constrained import answered
from tests.engines.stand_in import Answer, StandIn, prompt_of

Refusal = Callable[[str, Any], Answer]  # of a parameter and its value


def tokens(text: str) -> int:
    return len(text) // 4 + 1


def model(body: dict[str, Any]) -> str:
    """All that the model would write to a prompt, if no stop string ended it."""
    prompt = prompt_of(body)
    if prompt == "Hello":
        return "Hello! How can I help you today? I write tasks, sort them and give an example of each."
    if prompt.endswith(QUESTIONS) or ("messages" in body and "Task: " not in prompt and not prompt.endswith(".")):
        return toy_answer(body)  # one turn
    return toy_answer(body) + ("\n16. Never write this" if prompt.endswith(".") else "\nTask: never write this")


def openai(message: str, status: int = 400, **fields: Any) -> Answer:
    return Answer(status, body={"error": {"message": message, "type": "invalid_request_error", "code": None} | fields})


def unsupported(name: str, value: Any) -> Answer:
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return openai(message, param=name, code="unsupported_parameter")


def only_default(name: str, value: Any) -> Answer:
    message = f"Unsupported value: '{name}' does not support {value} with this model. Only the default (1) value is supported."
    return openai(message, param=name, code="unsupported_value")


def use_completion_tokens(name: str, value: Any) -> Answer:
    return openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                  "instead.", param="max_tokens", code="unsupported_parameter")  # fmt: skip


def extra_forbidden(name: str, value: Any) -> Answer:
    detail = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": value}
    ]
    body = {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error", "code": None}
    return Answer(422, body=body)


def bare(message: str, status: int = 400) -> Refusal:
    return lambda name, value: Answer(status, body={"error": message.format(name=name, value=value)})


def no_such_path(prompt_kind: str) -> Answer:
    return Answer(404, body={"detail": "Not Found"})


def too_long_openai(prompt: int, asked: int, context: int) -> Answer:
    return openai(f"This model's maximum context length is {context} tokens. However, you requested {prompt + asked} tokens "
                  f"({prompt} in the messages, {asked} in the completion). Please reduce the length of the messages or "
                  f"completion.", code="context_length_exceeded")  # fmt: skip


def too_long_openrouter(prompt: int, asked: int, context: int) -> Answer:
    return openai(f"This endpoint's maximum context length is {context} tokens. However, you requested about "
                  f"{prompt + asked} tokens ({prompt} of text input, {asked} in the output). Please reduce the length of "
                  f"either one, or use the \"middle-out\" transform.", code=400)  # fmt: skip


def too_long_tgi(prompt: int, asked: int, context: int) -> Answer:
    return Answer(422, body={"error": f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {context}. "
                             f"Given: {prompt} `inputs` tokens and {asked} `max_new_tokens`", "error_type": "validation"})  # fmt: skip


def too_long_sglang(prompt: int, asked: int, context: int) -> Answer:
    message = (f"Requested token count exceeds the model's maximum context length of {context} tokens. You requested a total "
               f"of {prompt + asked} tokens: {prompt} tokens from the input messages and {asked} tokens for the completion.")  # fmt: skip
    return Answer(400, body={"object": "error", "message": message, "type": "BadRequestError", "code": 400})


def too_long_llama(prompt: int, asked: int, context: int) -> Answer:
    fields = {"type": "exceed_context_size_error", "n_prompt_tokens": prompt, "n_ctx": context, "code": 400}
    return Answer(
        400, body={"error": {"message": "the request exceeds the available context size, try increasing it"} | fields}
    )


def too_long_anthropic(prompt: int, asked: int, context: int) -> Answer:
    return openai(f"input length and `max_tokens` exceed context limit: {prompt} + {asked} > {context}, decrease input "
                  f"length or `max_tokens` and try again")  # fmt: skip


def parts(text: str) -> object:
    thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}
    half = len(text) // 2
    return [thoughts, {"type": "text", "text": text[:half]}, {"type": "text", "text": text[half:]}]


@dataclass(frozen=True)
class Provider:
    """What a server takes and how it answers. The default is a healthy one.

    Attributes:
        refuses: By parameter, how it is refused whenever it is sent.
        values: By parameter, what a value must be not to be refused, and how it is.
        chat: Whether it takes messages; `plain`, plain text; or how it refuses them.
        least: Tokens that must be asked for.
        context: Tokens of prompt and completion together; beyond, it answers `too_long`.
        thoughts: Tokens that the model thinks first; `thinks_in` is the field they are told in, "content" within <think>.
        stop: Whether a text ends before a stop string, "after" it, or goes on ("ignored").
        lead: What the text begins with, after the thoughts.
        reasons: Its words for "stop" and "length".
        usage: What it tells instead of the right counts.
        key_header: Which header must hold the key.
        knows: The parameters by which it can be told the shape of a completion.
        strict: How it refuses those among these parameters that it does not know, if it does.
        rambles: Unless it is held to them, the model says neither yes nor no to every other task.
        first: How each prompt is answered at first, before it is asked again.
        always: How each request with a kind of prompt is answered, by what the prompt ends with.
    """

    refuses: Mapping[str, Refusal] = field(default_factory=dict)
    values: Mapping[str, tuple[Callable[[Any], bool], Refusal]] = field(default_factory=dict)
    chat: bool | Answer = True
    plain: bool | Answer = True
    least: int = 1
    context: int = 0
    too_long: Callable[[int, int, int], Answer] = too_long_openai
    thoughts: int = 0
    thinks_in: str = "reasoning_content"
    stop: str = "before"
    lead: str = ""
    reasons: Mapping[str, object] = field(default_factory=lambda: {"stop": "stop", "length": "length"})
    usage: Callable[[int, int], object] = lambda prompt, written: {
        "prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}  # fmt: skip
    content: Callable[[str], object] = lambda text: text
    key_header: str = ""
    knows: frozenset[str] = frozenset()
    strict: Refusal | None = None
    rambles: bool = False
    first: Answer | None = None
    always: Mapping[str, Answer] = field(default_factory=dict)

    def answer(self, tried: int, body: dict[str, Any], path: str, headers: Mapping[str, str]) -> Answer:
        if self.first and not tried:
            return self.first
        for end, answer in self.always.items():
            if prompt_of(body).endswith(end):
                return answer
        takes = self.chat if "messages" in body else self.plain
        if isinstance(takes, Answer):
            return takes
        if self.key_header and self.key_header not in headers:
            return openai("Access denied due to invalid subscription key or wrong API endpoint.", 401, code="401")
        if not takes:
            return no_such_path(path)
        strange = [name for name in SHAPES if name in body and name not in self.knows]
        if self.strict and strange:
            return self.strict(strange[0], body[strange[0]])
        for name, refusal in self.refuses.items():
            if name in body:
                return refusal(name, body[name])
        for name, (good, refusal) in self.values.items():
            if name in body and not good(body[name]):
                return refusal(name, body[name])
        asked = next(int(body[name]) for name in ("max_tokens", "max_completion_tokens") if name in body)
        if asked < self.least:
            return openai(f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {self.least}, but "
                          f"got {asked} instead.", param="max_output_tokens", code="integer_below_min_value")  # fmt: skip
        prompt = tokens(prompt_of(body))
        if self.context and prompt + asked > self.context:
            return self.too_long(prompt, asked, self.context)
        return Answer(body=self.completion(body, asked, prompt))

    def completion(self, body: dict[str, Any], asked: int, prompt: int) -> dict[str, Any]:
        thoughts = "Okay, the user wants this.\n\n" * (4 * self.thoughts // 28 + 1) if self.thoughts else ""
        left = asked - self.thoughts
        text, finish = self.written(body, max(0, left))
        written = min(asked, self.thoughts + tokens(text))
        message: dict[str, Any] = {"role": "assistant", "content": self.content(text) if left > 0 else None}
        if self.thoughts and self.thinks_in == "content":
            whole = f"<think>\n{thoughts[: 4 * asked]}" + (f"</think>{self.lead}{text}" if left > 0 else "")
            cuts = [place for one in body.get("stop", []) if (place := whole.find(one)) >= 0]
            message["content"], finish = (whole[: min(cuts)], "stop") if cuts else (whole, finish)
        elif self.thoughts and self.thinks_in:
            message[self.thinks_in] = thoughts[: 4 * asked]
        choice: dict[str, Any] = {"index": 0}
        if self.reasons[finish] != "absent":
            choice["finish_reason"] = self.reasons[finish]
        choice |= {"message": message} if "messages" in body else {"text": text, "logprobs": None}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice]}
        usage = self.usage(prompt, written)
        return answer if usage == "absent" else answer | {"usage": usage}

    def written(self, body: dict[str, Any], left: int) -> tuple[str, str]:
        """The text and how it ends."""
        text = ("" if self.thinks_in == "content" and self.thoughts else self.lead) + answered(
            body, model(body), self.knows, self.rambles
        )
        cuts = [(place, one) for one in body.get("stop", []) if (place := text.find(one)) >= 0]
        if cuts and self.stop != "ignored":
            place, one = min(cuts)
            text = text[: place + (len(one) if self.stop == "after" else 0)]
        return (text[: 4 * left], "length") if len(text) > 4 * left else (text, "stop")


class ProviderServer(StandIn):
    """A server of a provider."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__(lambda tried, body: Answer())

    def answer(self, tried: int, body: dict[str, Any], path: str, headers: dict[str, str]) -> Answer:
        return self.provider.answer(tried, body, path, headers)


HEALTHY = Provider()
NOT_CHAT = openai("This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use "
                  "v1/completions?", 404, param="model")  # fmt: skip
NOT_PLAIN = openai("This is a chat model and not supported in the v1/completions endpoint. Did you mean to use "
                   "v1/chat/completions?", 404, param="model")  # fmt: skip
AZURE_PLAIN = openai("The completion operation does not work with the specified model, gpt-4o. Please choose different model "
                     "and try again.", code="OperationNotSupported")  # fmt: skip
REASONING = Provider(
    refuses={"max_tokens": use_completion_tokens, "presence_penalty": unsupported, "stop": unsupported, "top_p": unsupported},
    values={"temperature": (lambda value: value == 1, only_default)},
    plain=NOT_PLAIN, least=16, thoughts=120, thinks_in="",
)  # fmt: skip
PROVIDERS = {
    "vLLM": Provider(context=4096, thoughts=60),
    "vLLM with a base model": Provider(
        context=4096,
        chat=Answer(400, body={"object": "error", "type": "BadRequestError", "code": 400, "message": "As of transformers "
                               "v4.44, default chat template is no longer allowed, so you must provide a chat template if "
                               "the tokenizer does not define one."}),
    ),
    "llama.cpp": Provider(context=2048, too_long=too_long_llama, thinks_in="content", thoughts=40, lead="\n\n"),
    "llama-cpp-python": Provider(context=2048, usage=lambda prompt, written: {
        "prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}),
    "Ollama": Provider(thoughts=50, thinks_in="reasoning", usage=lambda prompt, written: {
        "prompt_tokens": 0, "completion_tokens": written, "total_tokens": written}),
    "LM Studio": Provider(thinks_in="content", thoughts=50, lead="\n\n", usage=lambda prompt, written: None,
                          plain=Answer(200, body={"error": "Unexpected endpoint or method. (POST /v1/completions)"})),
    "TGI": Provider(
        context=2048, too_long=too_long_tgi, stop="after", reasons={"stop": "eos_token", "length": "length"},
        values={"top_p": (lambda value: 0 < value < 1, bare("Input validation error: `{name}` must be > 0.0 and < 1.0", 422)),
                "temperature": (lambda value: value > 0, bare("Input validation error: `{name}` must be strictly positive", 422))},
    ),
    "SGLang": Provider(context=2048, too_long=too_long_sglang, reasons={
        "stop": {"type": "stop", "matched": "\n"}, "length": {"type": "length", "length": 8}}),
    "OpenAI": Provider(plain=NOT_PLAIN, least=16),
    "OpenAI reasoning": REASONING,
    "Azure": Provider(plain=AZURE_PLAIN, refuses={"max_tokens": use_completion_tokens}),
    "Azure, older urls": Provider(plain=AZURE_PLAIN, key_header="api-key"),
    "Mistral": Provider(refuses={"seed": extra_forbidden}, plain=False, content=parts, reasons={
        "stop": "stop", "length": "model_length"}),
    "Gemini": Provider(
        refuses={"presence_penalty": lambda name, value: Answer(400, body=[{"error": {
            "code": 400, "message": "Penalty is not enabled for models/gemini-2.5-flash", "status": "INVALID_ARGUMENT"}}]),
            "seed": lambda name, value: Answer(400, body=[{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message":
                f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'}}])},
        plain=False, thoughts=80, thinks_in="", reasons={"stop": "STOP", "length": "MAX_TOKENS"},
        usage=lambda prompt, written: {"prompt_tokens": prompt, "completion_tokens": max(0, written - 80),
                                       "total_tokens": prompt + written},
    ),
    "DeepSeek reasoner": Provider(plain=False, thoughts=200, refuses={"top_p": bare("deepseek-reasoner does not support {name}")}),
    "OpenRouter": Provider(context=2048, too_long=too_long_openrouter, thoughts=90, thinks_in="reasoning", refuses={
        "top_p": lambda name, value: openai("Provider returned error", code=400, metadata={
            "provider_name": "Azure", "raw": json.dumps({"error": {"message": f"Unsupported parameter: '{name}'"}})})}),
    "xAI": Provider(refuses={
        "presence_penalty": bare("Argument not supported on this model: presencePenalty"),
        "stop": bare("Model grok-4 does not support parameter stop.")}),
    "Anthropic": Provider(
        context=2048, too_long=too_long_anthropic, reasons={"stop": "end_turn", "length": "max_tokens"},
        values={"stop": (lambda value: all(map(str.strip, value)),
                         lambda name, value: openai("stop_sequences: each stop sequence must contain non-whitespace"))}),
    "Groq": Provider(refuses={"presence_penalty": lambda name, value: openai(
        f"'{name}' : property '{name}' is unsupported")}),
    "NIM": Provider(refuses={"presence_penalty": lambda name, value: Answer(422, body={
        "title": "Unprocessable Entity", "status": 422,
        "detail": f"body -> {name}\n  Extra inputs are not permitted (type=extra_forbidden)"})}),
}  # fmt: skip
HEALTHY_PLAIN = replace(HEALTHY, chat=NOT_CHAT)
