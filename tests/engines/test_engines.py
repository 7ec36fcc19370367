"""What every engine promises, held against all of them: scripted, transformers, vLLM in this process and served."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.engines.base import Completion, Engine, Prompt, Request, Sampling
from pipeline.engines.scripted import Scripted
from pipeline.engines.transformers import Transformers
from tests.engines.tiny_engines import QUIET, WINDOW, start

pytestmark = QUIET
PROMPTS = ["Give three tips", "Task: sort the numbers", "Write a short story about a fox", "Yes,", "Is it", "3, 1, 4"]


def ask(engine: Engine, prompts: list[Prompt], **sampling: Any) -> list[Completion]:
    settings = Sampling(**({"temperature": 0.0, "max_tokens": 24} | sampling))
    return list(
        engine.generate(Request(id=str(n), prompt=prompt, sampling=settings) for n, prompt in enumerate(prompts))
    )


def varied(count: int) -> Iterator[Request]:
    for number in range(count):
        sampling = Sampling(max_tokens=1 + number * 7 % 20, seed=number)
        yield Request(id=f"r{number}", prompt=PROMPTS[number % len(PROMPTS)], sampling=sampling)


def test_completions_come_in_the_order_of_the_requests(engine: Engine) -> None:
    assert [completion.id for completion in engine.generate(varied(30))] == [f"r{number}" for number in range(30)]


@pytest.mark.parametrize("window", [1, 3, 8, 20])
def test_a_source_that_has_none_for_now_is_asked_again_after_the_next_completion(engine: Engine, window: int) -> None:
    handed_out = 0
    seen: list[int] = []

    def requests() -> Iterator[Request | None]:
        for number, request in enumerate(varied(30)):
            while number - handed_out >= window:
                yield None
            seen.append(handed_out)
            yield request

    ids = []
    for completion in engine.generate(requests()):
        handed_out += 1
        ids.append(completion.id)
    assert ids == [f"r{number}" for number in range(30)]
    size = min(window, WINDOW) if isinstance(engine, Scripted) else window  # the others read ahead
    if not isinstance(engine, Transformers):  # which asks again after a whole batch
        assert seen == [max(0, number - size + 1) for number in range(30)]


def test_every_completion_is_announced_when_it_arrives_before_it_is_handed_out(engine: Engine) -> None:
    there: list[tuple[str, Completion]] = []

    for completion in engine.generate(
        varied(30), arrived=lambda request, completion: there.append((request.id, completion))
    ):
        assert (completion.id, completion) in there
    assert sorted(id for id, _ in there) == sorted(request.id for request in varied(30))


def test_an_endless_stream_can_be_left_and_the_engine_asked_again(engine: Engine) -> None:
    endless = (request for _ in itertools.repeat(0) for request in varied(5))
    completions = engine.generate(endless)
    first = list(itertools.islice(completions, 6))
    completions.close()
    assert [completion.id for completion in first] == ["r0", "r1", "r2", "r3", "r4", "r0"]
    assert [completion.id for completion in engine.generate(varied(10))] == [f"r{number}" for number in range(10)]


def test_no_requests_bring_no_completions(engine: Engine) -> None:
    assert list(engine.generate([])) == []


def test_a_text_ends_before_the_first_stop_string(model: Engine) -> None:
    (whole,) = ask(model, ["Give three tips"])
    late, early = whole.text[12:14], whole.text[7:9]
    (cut,) = ask(model, ["Give three tips"], stop=(late, early))
    assert cut.text == whole.text[: whole.text.index(early)]
    assert cut.finish_reason == "stop"
    assert cut.completion_tokens < whole.completion_tokens


def test_a_text_that_is_cut_says_so_and_tokens_are_counted(model: Engine) -> None:
    (completion,) = ask(model, ["Give three tips"], max_tokens=5)
    assert (completion.finish_reason, completion.completion_tokens) == ("length", 5)
    assert completion.prompt_tokens == 3


def test_more_tokens_than_fit_are_cut_to_what_fits(model: Engine) -> None:
    short, long = ask(model, ["Give three tips", " tea" * 100], max_tokens=300)
    assert short.finish_reason in ("length", "stop")
    assert long.finish_reason == "length"
    assert long.prompt_tokens + long.completion_tokens == 256


def test_many_long_prompts_with_seeds_of_their_own_are_all_answered(model: Engine) -> None:
    sampling = Sampling(max_tokens=4, temperature=1.0, top_p=0.5)
    requests = [
        Request(id=str(n), prompt=" tea" * 100 + f" {n}", sampling=sampling.model_copy(update={"seed": n}))
        for n in range(24)
    ]
    assert [completion.finish_reason for completion in model.generate(requests)] == ["length"] * 24


def test_a_prompt_that_is_too_long_is_an_error_that_stops_no_other(model: Engine) -> None:
    completions = ask(model, ["Give three tips", "three tips " * 300, "Yes,"])
    assert [completion.finish_reason == "error" for completion in completions] == [False, True, False]
    assert "256" in completions[1].text


def test_the_seed_decides_the_sample(model: Engine) -> None:
    request = next(varied(1))
    seeds = [7, 8, 9, 7, 8, 9]
    requests = [
        request.model_copy(update={"sampling": Sampling(temperature=1.0, top_p=0.95, max_tokens=20, seed=seed)})
        for seed in seeds
    ]
    texts = [completion.text for completion in model.generate(requests)]
    assert texts[:3] == texts[3:]
    assert len(set(texts)) == 3


def test_without_a_seed_samples_differ(model: Engine) -> None:
    assert len({completion.text for completion in ask(model, ["Yes,"] * 6, temperature=1.0)}) > 1


def test_a_narrow_nucleus_leaves_the_likeliest_token(model: Engine) -> None:
    assert ask(model, [*PROMPTS], temperature=1.0, top_p=0.0001, seed=1) == ask(model, [*PROMPTS])


@pytest.mark.parametrize("penalty", [0.0, 1.5])
def test_greedy_texts_are_the_same_in_every_engine(model: Engine, oracle: Transformers, penalty: float) -> None:
    assert ask(model, [*PROMPTS], presence_penalty=penalty) == ask(oracle, [*PROMPTS], presence_penalty=penalty)


def test_messages_go_through_the_chat_template(model: Engine) -> None:
    assert model.chat
    messages, completion = ask(model, [({"role": "user", "content": "Hello"},), "<|user|>Hello\n<|assistant|>"])
    assert messages.text == completion.text
    assert messages.prompt_tokens == completion.prompt_tokens


def test_the_chat_template_gets_what_the_request_says(model: Engine) -> None:
    message, sampling = ({"role": "user", "content": "Hello"},), Sampling(temperature=0, max_tokens=24)
    given = Request(id="1", prompt=message, sampling=sampling, chat_template_kwargs={"enable_thinking": False})
    plain = Request(id="2", prompt="<|user|>Hello\n<|assistant|>Yes, ", sampling=sampling)
    found, same = model.generate([given, plain])
    assert found.text == same.text
    assert found.prompt_tokens == same.prompt_tokens


def begun(engine: Engine, prompt: Prompt, prefill: str) -> Completion:
    sampling = Sampling(temperature=0, max_tokens=24)
    (completion,) = engine.generate([Request(id="a", prompt=prompt, sampling=sampling, prefill=prefill)])
    return completion


def test_an_answer_begins_with_what_it_is_told(model: Engine) -> None:
    assert model.can_prefill
    message = ({"role": "user", "content": "Hello"},)
    answer = begun(model, message, "Yes, I")
    plain = begun(model, "<|user|>Hello\n<|assistant|>Yes, I", "")
    assert (answer.text, answer.prompt_tokens) == (plain.text, plain.prompt_tokens)
    assert answer.text != begun(model, message, "").text
    assert begun(model, "Give three", " tips") == begun(model, "Give three tips", "")


def test_a_chat_model_is_asked_for_the_message_of_a_user(model: Engine) -> None:
    assert model.pre_query() == "<|user|>"
    assert model.pre_query(system="Be brief.") == "<|system|>Be brief.\n<|user|>"
    (completion,) = ask(model, [str(model.pre_query())])
    assert completion.text


def test_of_few_tokens_the_likeliest_is_taken(model: Engine) -> None:
    assert ask(model, [*PROMPTS], temperature=1.3, top_k=1, seed=1) == ask(model, [*PROMPTS])


def test_samples_are_among_the_likeliest_tokens(model: Engine, oracle: Transformers) -> None:
    import torch

    (net, tokenizer) = (oracle._load().net, oracle._load().tokenizer)
    with torch.inference_mode():
        logits = net(**tokenizer("Give three tips", return_tensors="pt")).logits[0, -1]
    likeliest = {tokenizer.decode(int(token)) for token in logits.topk(5).indices}
    settings = [Sampling(temperature=2, top_k=5, top_p=0.99, max_tokens=1, seed=seed) for seed in range(60)]
    requests = [Request(id=str(n), prompt="Give three tips", sampling=one) for n, one in enumerate(settings)]
    texts = {completion.text for completion in model.generate(requests)}
    assert 2 < len(texts) <= 5
    assert texts <= likeliest


def test_a_text_does_not_end_before_it_has_the_tokens_it_must_have(model: Engine) -> None:
    def lengths(min_tokens: int) -> set[int]:
        settings = [Sampling(temperature=2, max_tokens=60, min_tokens=min_tokens, seed=seed) for seed in range(40)]
        requests = [Request(id=str(n), prompt="Yes", sampling=one) for n, one in enumerate(settings)]
        completions = list(model.generate(requests))
        assert {completion.finish_reason for completion in completions} <= {"stop", "length"}
        return {completion.completion_tokens for completion in completions}

    assert min(lengths(0)) < 60  # some end by themselves
    assert lengths(60) == {60}


def test_a_stop_string_among_the_tokens_there_must_be_ends_nothing(model: Engine) -> None:
    (whole,) = ask(model, ["Give three tips"])
    early = whole.text[3:5]
    (cut,) = ask(model, ["Give three tips"], stop=(early,))
    (kept,) = ask(model, ["Give three tips"], stop=(early,), min_tokens=12)
    assert cut.text == whole.text[: whole.text.index(early)]
    assert kept.completion_tokens > 12
    assert whole.text.startswith(kept.text)


@pytest.mark.parametrize("name", ["scripted", "transformers", pytest.param("server", marks=pytest.mark.vllm)])
def test_an_engine_that_was_closed_starts_again_when_asked(name: str, request: pytest.FixtureRequest) -> None:
    engine = start(name, request)
    before = ask(engine, ["Yes,"])
    engine.close()
    engine.close()
    assert ask(engine, ["Yes,"]) == before
    engine.close()
