"""Keys of requests are what recorded runs have: however they are put together, the same bytes are hashed."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Request, Sampling
from pipeline.engines.base import ScoreRequest
from pipeline.runs.keys import key, sampling_of

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\t\x7f😀\ud83d\udc1f'), max_size=30)


def plain(model: str, prompt: Any, rest: Any, **extras: Any) -> str:
    given = {name: value for name, value in extras.items() if value}
    return hashlib.sha256(json.dumps([model, prompt, rest, given]).encode()).hexdigest()[:32]


@settings(deadline=None)
@given(prompt=TEXT, cut=st.integers(0, 30), prefill=TEXT, seed=st.none() | st.integers(0, 2**31))
def test_a_key_is_the_hash_of_model_prompt_sampling_and_shape_wherever_its_prefix_ends(prompt, cut, prefill, seed):
    sampling = Sampling(temperature=0, top_p=0.5, stop=("\n", "é"), seed=seed, max_tokens=7)
    request = Request(id="a", prompt=prompt, sampling=sampling, prefill=prefill)
    assert key("m", request, prompt[:cut]) == plain("m", prompt, sampling.bearing(), prefill=prefill)


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": ({"role": "user", "content": "a 'quoted' \"word\" é"}, {"role": "assistant", "content": "yes"})},
        {"prompt": "a", "chat_template_kwargs": {"enable_thinking": False}},
        {"prompt": "a", "choices": (" Yes", " No")},
        {"prompt": "a", "json_schema": {"type": "object", "properties": {"é": {}}}},
        {"prompt": "a", "json_schema": {}},
        {"prompt": ""},
    ],
)
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.1, top_k=3, min_tokens=1, presence_penalty=2)])
def test_a_key_counts_all_that_bears_on_the_text(given, sampling):
    schema = given.get("json_schema")
    extras = {
        "chat_template_kwargs": given.get("chat_template_kwargs"),
        "choices": given.get("choices"),
        "json_schema": "" if schema is None else json.dumps(schema),
    }
    request = Request(id="a", sampling=sampling, **given)
    assert key("m", request) == plain("m", given["prompt"], sampling.bearing(), **extras)
    written = sampling.model_dump(mode="json", exclude={"max_tokens"})
    shape = request.model_dump(mode="json", include={"choices", "json_schema"}, exclude_defaults=True)
    assert sampling_of(request) == json.dumps(written | shape, ensure_ascii=False)


@settings(deadline=None)
@given(prompt=TEXT, continuation=TEXT, cut=st.integers(0, 30), count_end=st.booleans())
def test_a_likelihood_has_a_key_of_prompt_and_continuation(prompt, continuation, cut, count_end):
    request = ScoreRequest(id="a", prompt=prompt, continuation=continuation, count_end=count_end)
    assert key("m", request, prompt[:cut]) == plain("m", prompt, continuation, count_end=count_end)


def test_a_number_is_written_as_it_was_given():
    """A temperature of 1 that no validation has made 1.0 is another text, and was another key."""
    whole = Sampling(seed=1).model_copy(update={"temperature": 1})
    for sampling in (whole, whole.model_copy(update={"temperature": 1.0})):
        request = Request(id="a", prompt="p", sampling=Sampling()).model_copy(update={"sampling": sampling})
        assert key("m", request) == plain("m", "p", sampling.bearing())
