"""Likelihoods are kept as completions are: nothing is scored twice, nothing is lost, all of it counts."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pipeline import Completion, Sampling, SproutError
from pipeline.engines.base import Engine, Likelihood, Request, ScoreRequest
from pipeline.engines.scripted import Scripted
from pipeline.errors import BudgetReached
from pipeline.runs.budget import Budget
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.keys import key
from pipeline.runs.probes import Probe
from pipeline.runs.recorded import Recorded
from pipeline.runs.redecide import Recording


def likelihood(request: ScoreRequest) -> Likelihood:
    number = int(request.id[1:])
    if number == 13:
        return Likelihood(id=request.id, error="too long")
    return Likelihood(id=request.id, per_token=(-number / 3, -1e-9), prompt_tokens=10)


class Counting(Scripted):
    """Remembers which texts it was asked to score."""

    def __init__(self, window: int = 4) -> None:
        self.scored: list[str] = []
        super().__init__(lambda request: " yes", likelihood=self.count, window=window)

    def count(self, request: ScoreRequest) -> Likelihood:
        self.scored.append(request.id)
        return likelihood(request)


def requests(numbers: Iterable[int], continuation: str = "Paris") -> Iterator[ScoreRequest]:
    for number in numbers:
        yield ScoreRequest(id=f"r{number}", prompt=f"prompt {number}", continuation=continuation)


def recorded(engine: Engine, journal: Journal, budget: Budget | None = None) -> Recorded:
    return Recorded(engine, journal, "score", budget or Budget())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / FILE) as found:
        yield found


def test_what_was_scored_is_not_scored_again_and_comes_in_order(journal: Journal) -> None:
    first, second = Counting(), Counting()
    before = list(recorded(first, journal).score(requests([4, 1, 6])))
    engine = recorded(second, journal)
    found = list(engine.score(requests(range(8))))

    assert second.scored == ["r0", "r2", "r3", "r5", "r7"]
    assert engine.num_known == 3
    assert [one.id for one in found] == [f"r{number}" for number in range(8)]
    assert [found[number] for number in (4, 1, 6)] == before
    assert [one.per_token for one in found] == [likelihood(one).per_token for one in requests(range(8))]  # to the bit


def test_another_continuation_model_or_end_is_another_likelihood(journal: Journal) -> None:
    engine = Counting()
    base = next(requests([1]))
    others = [
        base.model_copy(update={"continuation": "Rome"}),
        base.model_copy(update={"prompt": ({"role": "user", "content": "prompt 1"},)}),
        base.model_copy(update={"count_end": True}),
        base.model_copy(update={"chat_template_kwargs": {"enable_thinking": False}}),
    ]
    assert len({key("model", one) for one in (base, *others)} | {key("other", base)}) == 6
    list(recorded(engine, journal).score([base, *others, base.model_copy(update={"id": "r2"})]))
    assert engine.scored == ["r1"] * 5  # the last is the first under another id


def test_a_text_that_cannot_be_scored_is_asked_again_and_said(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        engine = Counting()
        found = list(recorded(engine, journal).score(requests([12, 13, 14])))
        assert [one.error for one in found] == ["", "too long", ""]
        assert "r13" in engine.scored
    assert "score: 1 request failed; the first is r13: too long" in caplog.text


def test_where_no_text_can_be_scored_the_stage_ends_after_a_handful(journal: Journal) -> None:
    engine = Scripted(lambda request: "", likelihood=lambda one: Likelihood(id=one.id, error="no such field"))
    with pytest.raises(SproutError, match="score: the first 5 requests failed, and none was answered: no such field"):
        list(recorded(engine, journal).score(requests(range(100))))


def test_a_stop_loses_nothing_that_was_scored(journal: Journal) -> None:
    def some(request: ScoreRequest) -> Likelihood:
        if request.id == "r5":
            raise KeyboardInterrupt
        return likelihood(request)

    with pytest.raises(KeyboardInterrupt):
        list(recorded(Scripted(lambda request: "", likelihood=some), journal).score(requests(range(9))))
    engine = Counting()
    list(recorded(engine, journal).score(requests(range(9))))
    assert engine.scored == ["r5", "r6", "r7", "r8"]


def test_likelihoods_count_against_the_budget_and_in_the_usage(journal: Journal) -> None:
    budget = Budget(max_tokens=36)
    with pytest.raises(BudgetReached):
        list(recorded(Counting(window=1), journal, budget).score(requests(range(9))))
    list(recorded(Counting(), journal).generate([Request(id="a", prompt="b", sampling=Sampling())]))
    usage = journal.usage()["score"]

    assert (budget.prompt_tokens, budget.completion_tokens) == (36, 0)
    assert (usage.requests, usage.prompt_tokens) == (4, 36)  # and a completion without figures
    assert usage.last > 0


def test_likelihoods_are_decided_anew_by_the_id_of_their_request(journal: Journal) -> None:
    list(recorded(Counting(), journal).score(requests([1, 3])))
    engine = Recording(Counting(), {})
    engine.read(journal, "score")
    one, missing, other = engine.score(requests([1, 2, 3, 4], continuation="another one"))  # and none after the last

    assert (one.per_token, other.per_token) == ((-1 / 3, -1e-9), (-3 / 3, -1e-9))
    assert missing.error == "was not recorded"


def test_a_probe_scores_a_few_texts_and_counts_the_others(journal: Journal) -> None:
    inner = Counting()
    engine = Probe(recorded(inner, journal), 5, endless=False)
    found = list(engine.score(requests(range(20))))

    assert len(found) == len(inner.scored) == 5
    assert (engine.asked, engine.left, engine.prompt_tokens) == (5, 15, 60)


def test_a_key_holds_what_bears_on_a_completion_and_nothing_else() -> None:
    base = Request(id="a", prompt="b", sampling=Sampling())
    same = [
        base.model_copy(update={"id": "other", "demos": ("c",)}),
        base.model_copy(update={"sampling": Sampling(max_tokens=5, top_k=0, min_tokens=0, top_p=1)}),
    ]
    other = [base.model_copy(update={"prefill": "Yes"}), base.model_copy(update={"prompt": "bYes"})]
    other += [base.model_copy(update={"choices": choices}) for choices in (("A", "B"), ("B", "A"), ("A",))]
    other += [base.model_copy(update={"json_schema": schema}) for schema in ({}, {"type": "object"})]
    other += [
        base.model_copy(update={"sampling": Sampling(**settings)})
        for settings in ({"top_k": 5}, {"min_tokens": 5}, {"seed": 0}, {"stop": ("x",)}, {"temperature": 0})
    ]
    assert {key("model", one) for one in same} == {key("model", base)}
    assert len({key("model", one) for one in (base, *other)}) == 13


def test_the_prompt_that_is_kept_shows_what_the_answer_began_with(journal: Journal) -> None:
    message = ({"role": "user", "content": "Hello"},)
    asked = [
        Request(id="text", prompt="Yes,", sampling=Sampling(), prefill=" I"),
        Request(id="chat", prompt=message, sampling=Sampling(), prefill="Yes"),
    ]
    list(recorded(Scripted(lambda request: Completion(id=request.id, text=" do")), journal).generate(asked))
    text, chat = journal.entry("score", "text"), journal.entry("score", "chat")

    assert text is not None
    assert text.prompt == "Yes, I"
    assert chat is not None
    assert chat.prompt.endswith('{"role": "assistant", "content": "Yes"}]')
