"""Completions that are one of a few texts, or JSON: every engine that can hold a model to that does so, exactly."""

import itertools
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipeline.engines.base import Completion, Engine, Request, Sampling, ScoreRequest
from pipeline.engines.scripted import Scripted
from pipeline.engines.server import Server
from pipeline.engines.shape import thinks_first
from pipeline.engines.transformers import Transformers
from pipeline.engines.vllm import VLLM
from pipeline.resources import PACKAGE
from tests.engines.conftest import CHAT_TEMPLATE, save_model
from tests.engines.tiny_engines import QUIET

pytestmark = QUIET
NANO = PACKAGE / "nano" / "model"
PROMPT = "Is it possible to finish the job by noon? Answer:"
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}, "good": {"type": "boolean"}},
    "required": ["score", "good"],
    "additionalProperties": False,
}
THINKS = {"enable_thinking": True}
ANSWERS = {"enable_thinking": False}


def held(choices: tuple[str, ...], **fields: Any) -> Request:
    sampling = Sampling(**({"temperature": 0, "max_tokens": 24} | fields.pop("sampling", {})))
    return Request(**({"id": "a", "prompt": PROMPT, "sampling": sampling, "choices": choices} | fields))


def only(engine: Engine, request: Request) -> Completion:
    (completion,) = engine.generate([request])
    return completion


@pytest.mark.parametrize("choices", [
    (" Yes", " No"), ("Yes", "No"), (" A", " B", " tie"), ("positive", "negative", "neutral"), ("x",), (" ",),
    ("A", "AB", "ABC"), ("AB", "ABC", "A"), (" one two three", " one two four"), ("a\nb", "a\tb"), ('say "no"', "it's \\ {}[]|()*"),
    ("1", "2", "10"), tuple(f"label {number}" for number in range(40)),
], ids=str)  # fmt: skip
def test_a_completion_is_exactly_one_of_its_choices(model: Engine, choices: tuple[str, ...]) -> None:
    settings: list[dict[str, Any]] = [{"temperature": 0}, *({"temperature": 2, "seed": seed} for seed in range(6))]
    found = list(model.generate(held(choices, id=str(n), sampling=one) for n, one in enumerate(settings)))
    assert {completion.text for completion in found} <= {*choices}
    assert {completion.finish_reason for completion in found} == {"stop"}


@pytest.mark.parametrize("sampling", [
    {"max_tokens": 1}, {"min_tokens": 8, "max_tokens": 9}, {"stop": ("n", "a")}, {"presence_penalty": 2},
    {"temperature": 1, "top_k": 1, "seed": 1}, {"temperature": 1, "top_p": 0.01, "seed": 1},
], ids=str)  # fmt: skip
def test_no_setting_cuts_a_choice_off_or_draws_it_out(model: Engine, sampling: dict[str, Any]) -> None:
    completion = only(model, held((" positive and long", " negative and long"), sampling=sampling))
    assert completion.text in (" positive and long", " negative and long")
    assert completion.finish_reason == "stop"


def test_a_choice_that_begins_another_can_be_the_answer_and_so_can_the_other(model: Engine) -> None:
    requests = [held(("a", "ab"), id=str(n), sampling={"temperature": 2, "seed": n}) for n in range(60)]
    assert {completion.text for completion in model.generate(requests)} == {"a", "ab"}


def test_requests_with_and_without_a_shape_share_a_batch(model: Engine) -> None:
    free = Request(id="free", prompt=PROMPT, sampling=Sampling(temperature=0, max_tokens=24))
    alone = only(model, free)
    mixed = [
        held((" Yes", " No"), id="1"),
        free,
        held((), id="2", json_schema=SCHEMA),
        held((" a long choice",), id="3"),
    ]
    found = {completion.id: completion for completion in model.generate(mixed)}
    assert found["free"] == alone
    assert found["1"].text in (" Yes", " No")
    assert found["3"].text == " a long choice"


def test_what_is_json_by_a_schema_is_that_and_ends(model: Engine) -> None:
    sampling = [{"temperature": 0.7, "max_tokens": 120, "seed": seed} for seed in range(4)]
    requests = [held((), id=str(n), json_schema=SCHEMA, sampling=one) for n, one in enumerate(sampling)]
    whole = [completion for completion in model.generate(requests) if completion.finish_reason == "stop"]
    assert whole
    for completion in whole:
        jsonschema.validate(json.loads(completion.text), SCHEMA)


def test_a_schema_that_is_none_stops_no_other_request(model: Engine) -> None:
    bad = {"type": "no such type"}
    requests = [held((), id="1", json_schema=bad), held((" Yes", " No"), id="2"), held((), id="3", json_schema=SCHEMA)]
    found = list(model.generate([*requests, held((" Yes", " No"), id="4")]))
    assert found[1].text == found[3].text
    assert found[1].text in (" Yes", " No")
    assert found[2].text.startswith("{")
    if not isinstance(model, Server):  # which is asked without it
        assert found[0].finish_reason == "error"


def test_a_prefilled_answer_goes_on_with_a_choice(model: Engine) -> None:
    messages = ({"role": "user", "content": PROMPT},)
    request = held(("es", "ep"), prompt=messages, prefill="Y", chat_template_kwargs=ANSWERS)
    assert only(model, request).text in ("es", "ep")


def test_a_message_is_answered_with_a_choice(model: Engine) -> None:
    messages = ({"role": "user", "content": PROMPT},)
    assert only(model, held(("Yes", "No"), prompt=messages, chat_template_kwargs=ANSWERS)).text in ("Yes", "No")


@pytest.mark.vllm
def test_the_embedded_model_gives_the_same_held_answers_in_vllm(nano_in_vllm: VLLM) -> None:
    from pipeline import read_seeds
    from pipeline.stages import Classify

    seeds = read_seeds("nano")
    stage = Classify()
    prompt = stage.prompts(stage.demos(seeds))
    requests = [held((" Yes", " No"), id=seed.id, prompt=prompt(seed)) for seed in seeds[:24]]
    texts = [completion.text for completion in nano_in_vllm.generate(requests)]
    assert texts == [completion.text for completion in Transformers(str(NANO), dtype="float64").generate(requests)]
    assert {*texts} == {" Yes", " No"}


def test_a_choice_is_drawn_as_often_as_the_model_finds_it_likely(base_model: str) -> None:
    """Of choices that are one token each: by their probabilities among themselves."""
    engine = Transformers(base_model, dtype="float64", window=400)
    choices = ("a", "t", "s")
    scores = [ScoreRequest(id=one, prompt=PROMPT, continuation=one) for one in choices]
    weights = [math.exp(likelihood.sum) for likelihood in engine.score(scores)]
    requests = [held(choices, id=str(n), sampling={"temperature": 1, "seed": n}) for n in range(800)]
    counts = Counter(completion.text for completion in engine.generate(requests))
    for choice, weight in zip(choices, weights, strict=True):
        share = weight / sum(weights)
        assert counts[choice] == pytest.approx(800 * share, abs=4 * (800 * share * (1 - share)) ** 0.5 + 1)


def test_a_choice_costs_no_token_after_its_last(base_model: str) -> None:
    engine = Transformers(base_model, dtype="float64")
    assert only(engine, held(("a", "t"))).completion_tokens == 1
    assert only(engine, held(("a", "ab"))).completion_tokens == 2  # one of them the end, or b


def test_held_texts_do_not_depend_on_the_batch(base_model: str) -> None:
    shapes = itertools.cycle([(" Yes", " No"), ("a", "ab", "abc"), (), (" one long choice", " another")])
    requests = [
        held(choices, id=str(n), prompt=PROMPT[: 10 + n], sampling={"temperature": 1, "seed": n})
        for n, choices in zip(range(40), shapes, strict=False)
    ]
    runs = [list(Transformers(base_model, dtype="float64", window=window).generate(requests)) for window in (1, 7, 32)]
    assert runs[1:] == runs[:1] * 2


def test_characters_of_several_bytes_are_spelled_by_the_tokens_there_are() -> None:
    """The tokenizer of the embedded model knows all bytes, and next to no character beyond ASCII."""
    engine = Transformers(str(NANO), dtype="float64")
    choices = ("são", "日本", "😀", "нет")
    requests = [held(choices, id=str(n), sampling={"temperature": 3, "seed": n}) for n in range(30)]
    found = Counter(completion.text for completion in engine.generate(requests))
    assert {*found} <= {*choices}
    assert len(found) > 1


def test_a_choice_that_no_token_spells_is_an_error_that_stops_no_other(base_model: str) -> None:
    engine = Transformers(base_model)
    found = list(engine.generate([held(("日本",), id="1"), held((" Yes", " No"), id="2")]))
    assert [completion.finish_reason for completion in found] == ["error", "stop"]
    assert found[0].text == "the model has no tokens for the shape of this completion"


def test_a_request_has_choices_or_a_schema_and_each_choice_once(model: Engine) -> None:
    for fields in ({"choices": ("a", "a")}, {"choices": ("a", "")}, {"choices": ("a",), "json_schema": {}}):
        with pytest.raises(ValueError, match="choices"):
            Request(id="a", prompt="p", sampling=Sampling(), **fields)


def test_a_scripted_engine_sees_the_choices_and_may_answer_anything() -> None:
    engine = Scripted(lambda request: f"none of {len(request.choices)}")
    assert only(engine, held(("Yes", "No"))).text == "none of 2"


def tokenizer_of(template: str, folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(save_model(folder, chat_template=template))


USER = "<user>{{ messages[0].content }}<assistant>"
EMPTY_THOUGHT = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n{% endif %}"


@pytest.mark.parametrize(("template", "kwargs", "thinks"), [
    (USER, {}, False),
    (USER + EMPTY_THOUGHT, {}, True),
    (USER + EMPTY_THOUGHT, ANSWERS, False),
    (USER + EMPTY_THOUGHT, THINKS, True),
    (USER + "<think>\n", {}, True),
    (USER + "{% if thinking %}<think>{% else %}</think>{% endif %}", {}, False),
    (USER + "{% if thinking %}<think>{% else %}</think>{% endif %}", {"thinking": True}, True),
    (USER + "{# <|channel|>analysis #}", {}, True),
    ("{{ raise_exception('no') }}", {}, False),
])  # fmt: skip
def test_a_chat_template_tells_whether_the_model_thinks_first(
    template: str, kwargs: dict[str, Any], thinks: bool, tmp_path: Path
) -> None:
    assert thinks_first(tokenizer_of(template, tmp_path), kwargs) is thinks


def test_a_model_that_thinks_first_is_not_held_and_the_log_says_so_once(
    chat_model: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert "enable_thinking" in CHAT_TEMPLATE
    engine = Transformers(chat_model, dtype="float64")
    messages = ({"role": "user", "content": PROMPT},)
    free = Request(id="a", prompt=messages, sampling=Sampling(temperature=0, max_tokens=24))
    wanted = only(engine, free)
    for _ in range(2):
        assert only(engine, held(("Yes", "No"), prompt=messages)) == wanted
    (said,) = [message for message in caplog.messages if "thinks first" in message]
    assert said.endswith("set engine.chat_template_kwargs = { enable_thinking = false } or whatever the model calls it")


def test_without_its_package_answers_come_as_they_are_and_the_log_says_what_to_install(
    base_model: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    free = Request(id="a", prompt=PROMPT, sampling=Sampling(temperature=0, max_tokens=24))
    engine = Transformers(base_model, dtype="float64")
    monkeypatch.setitem(sys.modules, "llguidance.hf", None)
    assert only(engine, held((" Yes", " No"))) == only(engine, free)
    assert only(engine, held((" Yes", " No"))) == only(engine, free)
    (said,) = [message for message in caplog.messages if "are not held" in message]
    assert said.endswith("to hold them, pip install llguidance")
