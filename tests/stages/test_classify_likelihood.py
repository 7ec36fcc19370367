"""To classify by likelihood: a threshold from seed tasks that are not shown makes up for a model that leans to one side."""

import itertools
import json
import logging
import re
from collections import Counter

import pytest

from pipeline import Context, Instance, SproutError, Task, read_tasks, run
from pipeline.engines.base import Likelihood
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.budget import Prices
from pipeline.runs.plan import plan
from pipeline.runs.redecide import redecide
from pipeline.stages import Classify, Filter, Instances
from pipeline.stages._threshold import learn
from tests.conftest import answer

BIAS = -5  # of a model that finds No likelier than Yes for every task


def task(number: int, is_classification: bool | None = None) -> Task:
    kind = "Sort" if number % 3 == 0 else "Describe"
    instance = Instance(input=f"case {number}", output=f"result {number}")
    return Task(id=f"task_{number}", instruction=f"{kind} thing number {number}.", is_classification=is_classification,
                instances=(instance,))  # fmt: skip


@pytest.fixture
def many() -> list[Task]:
    """90 seed tasks, a third of them classification, by their first word."""
    return [task(1000 + number, (1000 + number) % 3 == 0).update(id=f"seed_{number:03}") for number in range(90)]


class Leaning(Scripted):
    """Finds Yes 2 to 4 times less likely than No for all tasks, but less so for those that are classification."""

    def __init__(self, fails=lambda request: False) -> None:
        self.scored: list[str] = []
        self.fails = fails
        super().__init__(answer, likelihood=self.count)

    def count(self, request):
        self.scored.append(request.id)
        if self.fails(request):
            return Likelihood(id=request.id, error="too long")
        number = int(re.findall(r"number (\d+)\.\nClassification:$", request.prompt)[0])
        if request.continuation == " No":
            return -0.1
        return BIAS + (2 if number % 3 == 0 else 0) + number % 7 / 10


def decided(stage, seeds, engine, folder, todo=None):
    todo = [task(number) for number in range(20)] if todo is None else todo
    return list(stage.decide(todo, (), Context(seeds, engine, folder)))


BY_LIKELIHOOD = Classify(decide_by="likelihood")


def test_a_model_that_says_no_to_everything_is_read_by_how_surely_it_does(many, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    engine = Leaning()
    found = decided(BY_LIKELIHOOD, many, engine, tmp_path)

    assert [one.is_classification for one in found] == [number % 3 == 0 for number in range(20)]
    assert all(one.meta["classify"]["margin"] < 0 for one in found)
    (said,) = caplog.messages
    assert re.search(
        r"above -3\.6\d*, learned from 59 seed tasks; balanced accuracy 100 % on them, 100 % on each", said
    )
    assert not engine.requests


def test_the_threshold_comes_from_seeds_that_no_prompt_shows(many, tmp_path):
    engine = Leaning()
    decided(BY_LIKELIHOOD, many, engine, tmp_path)
    shown = {demo.instruction for demo in BY_LIKELIHOOD.demos(many)}
    known = [seed for seed in many if f"known:{seed.id}:Yes" in engine.scored]

    assert len(shown) == 31
    assert len(known) == 59
    assert not shown & {seed.instruction for seed in known}
    assert Counter(engine.scored) == Counter({*engine.scored})


def test_of_many_seeds_some_are_enough(tmp_path):
    many = [task(n, n % 3 == 0).update(id=f"seed_{n}") for n in range(1000, 1500)]
    engine = Leaning()
    decided(BY_LIKELIHOOD, many, engine, tmp_path, [task(1)])

    assert len(engine.scored) == 2 * (64 + 64 + 1) == BY_LIKELIHOOD.requests_before(many) + 2


def run_stages(decide_by="likelihood"):
    return [Classify(decide_by=decide_by), Instances(), Filter()]


def test_too_few_seeds_are_said_before_anything_is_asked(seeds, tmp_path):
    engine = Leaning()
    with pytest.raises(SproutError) as caught:
        run(run_stages(), seeds, engine, tmp_path)

    assert str(caught.value) == (
        "classify: to decide by likelihood takes 12 labelled seed tasks of each kind besides the demos, and there are 0 that "
        "are classification and 0 that are not; add seed tasks, show fewer of them (classify.num_classification_demos, "
        'classify.num_other_demos), or set classify.decide_by = "answer"'
    )
    assert not engine.scored
    assert not engine.requests
    assert str(caught.value) in list(BY_LIKELIHOOD.check_seeds(seeds))
    assert not [said for said in Classify().check_seeds(seeds) if "likelihood" in said]
    with pytest.raises(SproutError, match="there are 0 that are classification and 0 that are not"):
        run(run_stages(), [seed.update(is_classification=None) for seed in seeds], engine, tmp_path)


def test_seeds_of_one_kind_leave_nothing_to_ask(many, tmp_path):
    engine = Leaning()
    alike = [seed.update(is_classification=True) for seed in many]

    assert {one.is_classification for one in decided(BY_LIKELIHOOD, alike, engine, tmp_path)} == {True}
    assert not engine.scored


def test_a_seed_that_cannot_be_scored_is_left_out_and_a_task_stays_undecided(many, tmp_path):
    engine = Leaning(lambda request: request.id.startswith(("known:seed_01", "task_5:No")))
    found = decided(BY_LIKELIHOOD, many, engine, tmp_path)

    assert [one.is_classification for one in found] == [number % 3 == 0 for number in range(20) if number != 5]
    with pytest.raises(SproutError, match="59 of 59 seed tasks cannot be scored, the log says why; add seed tasks"):
        decided(BY_LIKELIHOOD, many, Leaning(lambda request: True), tmp_path)


def test_an_engine_that_tells_no_likelihoods_is_named(many, tmp_path):
    with pytest.raises(SproutError, match="the engine Scripted cannot tell how likely a text is"):
        decided(BY_LIKELIHOOD, many, Scripted(answer), tmp_path)


def test_a_probability_of_nothing_is_a_very_small_one(many, tmp_path):
    engine = Leaning()
    plain = engine.likelihood
    engine.likelihood = lambda request: float("-inf") if "number 7." in request.prompt[-40:] else plain(request)
    found = {one.id: one for one in decided(BY_LIKELIHOOD, many, engine, tmp_path)}

    assert found["task_7"].meta["classify"]["margin"] == 0
    assert json.loads(found["task_7"].model_dump_json())["is_classification"] is True


def test_a_run_goes_on_with_what_is_missing_and_pays_nothing_twice(many, tmp_path):
    stopped = Leaning(lambda request: request.id.startswith("seed_08"))
    run(run_stages(), many, stopped, tmp_path)
    again = Leaning()
    run(run_stages(), many, again, tmp_path)

    assert again.scored
    assert {one[:7] for one in again.scored} == {"seed_08"}
    run(run_stages(), many, finished := Leaning(), tmp_path)
    assert not finished.scored
    run(run_stages(), many, Leaning(), tmp_path / "whole")
    lines = [
        sorted((folder / "1_classify.jsonl").read_text().splitlines()) for folder in (tmp_path, tmp_path / "whole")
    ]
    assert lines[0] == lines[1]


def test_another_way_to_decide_is_another_setting(many, tmp_path):
    run(run_stages(), many, Leaning(), tmp_path)
    with pytest.raises(SproutError, match="was begun with different settings: decide_by in classify"):
        run(run_stages("answer"), many, Leaning(), tmp_path)
    with pytest.raises(SproutError, match="was begun with different settings: constrain in classify"):
        run([Classify(decide_by="likelihood", constrain=False), *run_stages()[1:]], many, Leaning(), tmp_path)


def test_a_run_is_decided_anew_from_the_likelihoods_it_has(many, tmp_path):
    run(run_stages(), many, Leaning(), tmp_path)
    before = (tmp_path / "1_classify.jsonl").read_bytes()
    redecide(run_stages(), Context(many, engine := Leaning(), tmp_path))

    assert (tmp_path / "1_classify.jsonl").read_bytes() == before
    assert not engine.scored


def test_a_plan_counts_the_requests_for_the_threshold_once(many, tmp_path):
    context = Context(many, engine := Leaning(), tmp_path)
    said = plan(run_stages(), context, Prices())
    foreseen = int(re.search(r"classify +([\d,]+) ", said)[1].replace(",", ""))
    run(run_stages(), many, engine, tmp_path)

    assert foreseen == 2 * 59 + 2 * len(many)
    assert len(engine.scored) <= foreseen
    said = plan(run_stages(), Context(many, Leaning(), tmp_path), Prices())
    assert re.search(r"classify +0 ", said)


def test_why_tells_the_margin_and_the_threshold(many, tmp_path):
    run(run_stages(), many, Leaning(), tmp_path)
    kept = next(one for one in read_tasks(tmp_path / "1_classify.jsonl") if one.is_classification)
    said = why(kept.id, [tmp_path])

    margin, threshold = kept.meta["classify"]["margin"], kept.meta["classify"]["threshold"]
    assert "\nclassify: kept\n  classification: yes\n" in said
    assert f"log P(Yes) - log P(No) is {margin}, and the threshold learned from the seed tasks is {threshold}" in said


@pytest.mark.parametrize(
    ("yes", "no", "value", "accuracy"),
    [
        ([3, 4], [1, 2], 2.5, 1), ([1, 2], [-9, -8, -3], -1, 1), ([5, 5, 5], [5, 5, 5], 5.5, 0.5),
        ([0, 3, 4, 5], [-3, -2, -1, 2], -0.5, 0.875), ([1, 1], [2, 2], 2.5, 0.5), ([9, 9], [0, 0, 9, 9], 4.5, 0.75),
        ([-4.0, -3.5], [-6.0, -5.0], -4.5, 1),
    ],
)  # fmt: skip
def test_the_threshold_has_the_highest_balanced_accuracy(yes, no, value, accuracy):
    known = [(number, True) for number in yes] + [(number, False) for number in no]
    for order in itertools.islice(itertools.permutations(known), 0, 700, 97):
        found = learn(order)
        assert (found.value, found.accuracy) == (value, accuracy)
        assert 0 <= found.accuracy_left_out <= 1


def test_accuracy_on_each_by_the_others_is_not_flattered():
    numbers = [(float(number * 37 % 41), number % 2 == 0) for number in range(40)]
    found = learn(numbers)
    assert found.accuracy_left_out < found.accuracy
