"""Two models head to head: a judge reads both answers to a held-out task, twice, the second time in the other order."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.asking.ask import OneOf, is_answer, lack_of, request, said_of
from pipeline.asking.templates import render
from pipeline.asking.verdicts import parse_better
from pipeline.engines.base import Engine, Request, Sampling
from pipeline.evaluation.confidence import (
    Difference,
    Interval,
    default_unit,
    interval,
    resample,
    score_interval,
    unit_means,
)
from pipeline.evaluation.heldout import HeldOut
from pipeline.stage import Configured

logger = logging.getLogger(__name__)

SAMPLING = Sampling(temperature=0, max_tokens=16)
WORDS = ("A", "B", "tie")  # that the template asks for
POINTS: dict[str, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}


class Verdict(BaseModel):
    """Both answers to one instance, and the judge's words on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # of the instance
    task: str
    instruction: str
    input: str
    ours: str
    theirs: str
    said: tuple[
        str | None, ...
    ]  # ours shown first, then theirs; None: the request failed or had no text; empty: the same answers
    outcome: Literal["win", "tie", "loss"] | None  # for ours; None: a request failed


class Tally(BaseModel):
    """How often our model wins, and how reliable the judge is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instances: int  # that have an outcome
    wins: int
    ties: int
    losses: int
    win_rate: Difference | None  # in percent, where a tie is half a win, against 50; None: no instance has an outcome
    same: int  # how many answers are the same
    failed: int  # how many instances have no outcome
    unclear: int  # how often the judge said what is no verdict
    consistency: float | None  # the share of asked pairs where both orders say the same
    first_rate: float | None  # the share of verdicts, ties aside, for the answer shown first

    @property
    def no_worse(self) -> float | None:
        """How often ours wins or ties, in percent.

        Against the model that wrote the data it is CodecLM's capacity recovery ratio (arXiv 2404.05875).
        """
        return 100 * (self.wins + self.ties) / self.instances if self.instances else None


class Judged(BaseModel):
    """The contents of judge.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: str  # the model
    with_reference: bool  # it was shown the first right output
    ours: str  # the name of our model
    against: dict[str, Tally]  # by the name of the other


class Asking(NamedTuple):
    """How a judge is asked."""

    with_reference: bool = False  # show it the first right output as well
    sampling: Sampling = SAMPLING
    constrain: bool = True  # to A, B or tie, where the engine can see to that
    stage: Configured | None = None  # whose templates it is asked with


ASKING = Asking()


def head_to_head(
    heldout: Sequence[HeldOut],
    ours: Mapping[str, str],
    theirs: Mapping[str, str],
    judge: Engine,
    asking: Asking = ASKING,
) -> Iterator[Verdict]:
    """Let a judge compare two models; yield its verdict on each instance, in order.

    The judge sees each pair in both orders, and a win counts only if it is one in both: a judge that prefers the first
    answer produces ties, and so does one whose words are no verdict. Answers that are equal, blanks aside, are a tie
    without a request. A pair with a failed request has no outcome.

    Args:
        ours: The answers by the id of the held-out instance; a missing one counts as empty.
        judge: Give one with a journal (`recorded.Recorded`) so that a repeated request costs nothing.
    """
    pairs = {one.id: (ours.get(one.id, ""), theirs.get(one.id, "")) for one in heldout}
    asked = [one for one in heldout if pairs[one.id][0].split() != pairs[one.id][1].split()]

    def requests() -> Iterator[Request]:
        for one in asked:
            for order, (first, second) in enumerate((pairs[one.id], pairs[one.id][::-1])):
                text = prompt(one, first, second, asking)
                yield request(judge, f"{order}:{one.id}", text, asking.sampling)

    asks = OneOf(judge, WORDS) if asking.constrain else judge
    completions, lacks = asks.generate(requests()), Counter[str]()
    ids = {one.id for one in asked}
    for one in heldout:
        both = [next(completions), next(completions)] if one.id in ids else []
        lacks.update(map(lack_of, both))
        said = tuple(each.text if is_answer(each) else None for each in both)
        fields = {"id": one.id, "task": one.task_name, "instruction": one.instruction, "input": one.input}
        yield Verdict(**fields, ours=pairs[one.id][0], theirs=pairs[one.id][1], said=said, outcome=outcome(said))
    if lacking := said_of(lacks):
        logger.warning("judge: of %d answers of the judge %s", lacks.total(), lacking)


def figures(verdicts: Sequence[Verdict]) -> Tally:
    decided = [verdict for verdict in verdicts if verdict.outcome]
    both = [tuple(parse_better(text or "") for text in verdict.said) for verdict in decided if verdict.said]
    clear = [said for pair in both for said in pair if said is not None]
    outcomes = [verdict.outcome for verdict in decided]
    return Tally(
        instances=len(decided),
        wins=outcomes.count("win"),
        ties=outcomes.count("tie"),
        losses=outcomes.count("loss"),
        win_rate=win_rate(decided),
        same=sum(not verdict.said for verdict in verdicts),
        failed=len(verdicts) - len(decided),
        unclear=2 * len(both) - len(clear),
        consistency=share([None not in pair and pair[0] == 1 - (pair[1] or 0) for pair in both]),
        first_rate=share([said == 1.0 for said in clear if said != 0.5]),
    )


def prompt(instance: HeldOut, first: str, second: str, asking: Asking = ASKING) -> str:
    reference = instance.outputs[0] if asking.with_reference else ""
    fields = {"instruction": instance.instruction, "input": instance.input, "reference": reference}
    answers = {"first": first.strip() or "(empty)", "second": second.strip() or "(empty)"}
    return render("judge", asking.stage, **fields, **answers)


def outcome(said: Sequence[str | None]) -> Literal["win", "tie", "loss"] | None:
    """The outcome of both orders: a win or a loss only if they agree on it."""
    if None in said:
        return None
    found = [parse_better(text or "") for text in said]
    return "win" if found == [1, 0] else "loss" if found == [0, 1] else "tie"


def win_rate(decided: Sequence[Verdict]) -> Difference | None:
    """In percent, with an interval over instances, or over tasks that have several (see `Comparison`)."""
    if not decided:
        return None
    points = [POINTS[verdict.outcome or ""] for verdict in decided]
    tasks = [verdict.task for verdict in decided]
    if default_unit(tasks) == "task":
        values = 100 * np.array(points)[:, None]
        means, units = resample(values, tasks)[:, 0], unit_means(values, tasks)[:, 0]
        return interval(means, units, (0.0, 100.0)).difference(none=50)
    found = score_interval(points.count(1.0), points.count(0.5), points.count(0.0))
    return Interval(*(50 + 50 * end for end in found)).difference(none=50)


def share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
