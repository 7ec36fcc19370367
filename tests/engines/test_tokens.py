"""Where prompt and continuation meet, and what the chat templates that people use make of answers."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import ScoreRequest
from pipeline.engines.tokens import pre_query, prompt_ids, scored_ids, split_ids
from tests.engines.conftest import save_model

pytest.importorskip("transformers", reason="transformers is not installed")

HELLO = ({"role": "user", "content": "Hello"},)
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ '<|end|>\n' }}{% endfor %}"
ASKS = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
TEMPLATES = {
    "plain": TURNS + ASKS,
    "trims": TURNS.replace("m.content }}", "m.content | trim }}") + ASKS,
    "space before": TURNS.replace("{{ m.content }}", " {{ m.content }}") + ASKS,
    "no end": "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}",
    "empty thoughts": "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.role == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{{ m.content }}{{ '<|end|>\n' }}"
    "{% endfor %}" + ASKS,
    "shouts": TURNS.replace("m.content }}", "m.content | upper }}") + ASKS,
    "no system": "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    + TURNS
    + ASKS,
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(save_model(tmp_path_factory.mktemp("tokens"), chat_template="-"))


def parts(tokenizer: Any, request: ScoreRequest) -> tuple[str, str]:
    """What is not scored, and what is, as text."""
    ids, start = scored_ids(tokenizer, request)
    return tokenizer.decode(ids[:start]), tokenizer.decode(ids[start:])


@pytest.mark.parametrize(
    ("name", "answer", "before", "scored"),
    [
        ("plain", "Yes, I do", "<|user|>Hello<|end|>\n<|assistant|>", "Yes, I do<|end|>"),
        ("plain", " Yes \n", "<|user|>Hello<|end|>\n<|assistant|>", " Yes \n<|end|>"),
        ("plain", "", "<|user|>Hello<|end|>\n<|assistant|>", "<|end|>"),
        ("plain", "<|user|>", "<|user|>Hello<|end|>\n<|assistant|>", "<|user|><|end|>"),
        ("trims", " Yes \n", "<|user|>Hello<|end|>\n<|assistant|>", "Yes<|end|>"),
        ("space before", "Yes", "<|user|> Hello<|end|>\n<|assistant|> ", "Yes<|end|>"),
        ("no end", "Yes", "user: Hello\nassistant: ", "Yes"),
        ("empty thoughts", "Yes", "<|user|>Hello<|end|>\n<|assistant|><think>\n\n</think>\n\n", "Yes<|end|>"),
    ],
)
def test_only_the_answer_and_what_ends_it_are_scored(
    tokenizer: Any, name: str, answer: str, before: str, scored: str
) -> None:
    tokenizer.chat_template = TEMPLATES[name]
    assert parts(tokenizer, ScoreRequest(id="a", prompt=HELLO, continuation=answer, count_end=True)) == (before, scored)
    if answer:
        request = ScoreRequest(id="a", prompt=HELLO, continuation=answer)
        assert parts(tokenizer, request) == (before, scored.removesuffix("<|end|>"))


@pytest.mark.parametrize(
    ("name", "messages", "message"),
    [
        ("shouts", HELLO, "the chat template c"),
        ("no system", ({"role": "system", "content": "Be brief."}, *HELLO), "refuses these messages: no system here"),
    ],
)
def test_a_template_that_changes_the_answer_or_refuses_messages_is_told(
    tokenizer: Any, name: str, messages: tuple[dict[str, str], ...], message: str
) -> None:
    tokenizer.chat_template = TEMPLATES[name]
    with pytest.raises(ValueError, match=message) as told:
        scored_ids(tokenizer, ScoreRequest(id="a", prompt=messages, continuation="Yes, please"))
    assert "Hello" not in str(told.value)


@pytest.mark.parametrize("name", ["plain", "trims", "space before", "no end", "for pictures", "of another"])
def test_a_template_that_leaves_out_what_the_user_says_is_told(tokenizer: Any, name: str) -> None:
    more = {
        "for pictures": "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}"
        + ASKS,
        "of another": "<|user|>{{ prompt }}<|assistant|>",
    }
    tokenizer.chat_template = (TEMPLATES | more)[name]
    if name not in more:
        assert prompt_ids(tokenizer, HELLO, {})
        assert prompt_ids(tokenizer, ({"role": "user", "content": " "},), {})
        return
    with pytest.raises(ValueError, match="leaves out what the message says"):
        prompt_ids(tokenizer, HELLO, {})


@pytest.mark.parametrize("special", [True, False])
def test_the_tokens_of_a_prompt_are_those_it_has_alone(tokenizer: Any, special: bool) -> None:
    for prompt in ("Task:\n", "Task:\n\n", "Give three", "Give thr", ""):
        for continuation in ("\n\nYes", "ee tips", " tips", "ips"):
            before, after = split_ids(tokenizer, prompt, continuation, special)
            assert before == tokenizer(prompt, add_special_tokens=special).input_ids
            assert tokenizer.decode([*before, *after]) == prompt + continuation


def test_the_end_of_text_is_counted_once(tokenizer: Any) -> None:
    for continuation in (" tips", " tips<|end|>"):
        request = ScoreRequest(id="a", prompt="Give three", continuation=continuation, count_end=True)
        assert parts(tokenizer, request) == ("Give three", " tips<|end|>")


def test_the_first_token_of_all_is_not_scored(tokenizer: Any) -> None:
    before, scored = parts(tokenizer, ScoreRequest(id="a", prompt="", continuation="Give three tips"))
    assert (before, scored) == ("Give", " three tips")
    with pytest.raises(ValueError, match="no token that can be scored"):
        scored_ids(tokenizer, ScoreRequest(id="a", prompt="", continuation="Give"))


def test_the_template_ends_where_the_user_begins(tokenizer: Any) -> None:
    tokenizer.chat_template = TEMPLATES["plain"]
    assert pre_query(tokenizer, None, {}) == "<|user|>"
    assert pre_query(tokenizer, "Be brief.", {}) == "<|system|>Be brief.<|end|>\n<|user|>"
    tokenizer.chat_template = TEMPLATES["no system"]
    with pytest.raises(ValueError, match="no system here"):
        pre_query(tokenizer, "Be brief.", {})
    tokenizer.chat_template = None
    assert pre_query(tokenizer, None, {}) is None


def test_a_first_token_that_the_tokenizer_brings_is_not_there_twice(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(save_model(tmp_path, chat_template="{{ bos_token }}" + TURNS + ASKS))
    tokenizer.bos_token = "<|end|>"  # the one special token that it has
    tokenizer._tokenizer.post_processor = TemplateProcessing(single="<|end|> $A", special_tokens=[("<|end|>", 0)])
    found = pre_query(tokenizer, None, {})

    assert found == "<|user|>"
    assert prompt_ids(tokenizer, found, {}) == tokenizer("<|end|><|user|>", add_special_tokens=False).input_ids
    before, _ = parts(tokenizer, ScoreRequest(id="a", prompt="", continuation="Give three"))
    assert before == "<|end|>"  # something to come after
