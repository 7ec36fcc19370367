"""Two models head to head: a judge reads both answers to a held-out task, twice, the second time in the other order."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.asking.ask import is_answer, lack_of, request, said_of
from pipeline.asking.templates import render
from pipeline.asking.verdicts import parse_better
from pipeline.engines.base import Engine, Request, Sampling
from pipeline.evaluation.confidence import MIN_UNITS, interval, resample
from pipeline.evaluation.heldout import HeldOut

logger = logging.getLogger(__name__)

SAMPLING = Sampling(temperature=0, max_tokens=16)
POINTS = {"win": 1.0, "tie": 0.5, "loss": 0.0}


class Verdict(BaseModel):
    """Both answers to one instance, and what the judge said of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # of the instance
    instruction: str
    input: str
    ours: str
    theirs: str
    said: tuple[
        str | None, ...
    ]  # ours shown first, then theirs; None: the request failed or had no text; empty: the same answers
    outcome: Literal["win", "tie", "loss"] | None  # for ours; None: a request failed


def head_to_head(
    heldout: Sequence[HeldOut],
    ours: Mapping[str, str],
    theirs: Mapping[str, str],
    judge: Engine,
    with_reference: bool = False,
    sampling: Sampling = SAMPLING,
) -> Iterator[Verdict]:
    """Have a judge compare two models; yield its verdict on each instance, in order.

    Each pair is judged in both orders. It is won only if it is won in both: a judge that prefers the answer shown first
    gives ties, and so does one that says what is no verdict. Answers that are the same, blanks aside, are a tie that
    nobody is asked about. A pair of which a request failed has no outcome.

    Args:
        ours: The answers by the id of the held-out instance; one that is missing is empty.
        judge: To ask what was asked before for nothing, give one that keeps a journal (`recorded.Recorded`).
        with_reference: Show the judge the first right output as well.
    """
    pairs = {one.id: (ours.get(one.id, ""), theirs.get(one.id, "")) for one in heldout}
    asked = [one for one in heldout if pairs[one.id][0].split() != pairs[one.id][1].split()]

    def requests() -> Iterator[Request]:
        for one in asked:
            for order, (first, second) in enumerate((pairs[one.id], pairs[one.id][::-1])):
                text = prompt(one, first, second, with_reference)
                yield request(judge, f"{order}:{one.id}", text, sampling)

    completions, lacks = judge.generate(requests()), Counter[str]()
    ids = {one.id for one in asked}
    for one in heldout:
        both = [next(completions), next(completions)] if one.id in ids else []
        lacks.update(map(lack_of, both))
        said = tuple(each.text if is_answer(each) else None for each in both)
        fields = {"id": one.id, "instruction": one.instruction, "input": one.input}
        yield Verdict(**fields, ours=pairs[one.id][0], theirs=pairs[one.id][1], said=said, outcome=outcome(said))
    if lacking := said_of(lacks):
        logger.warning("judge: of %d answers of the judge %s", lacks.total(), lacking)


def figures(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """How often ours wins, and how far the judge can be trusted.

    Returns:
        `instances` that have an outcome; `wins`, `ties`, `losses`; `win_rate`, where a tie is half a win, in percent
        with its 95 % interval and the verdict "better" or "worse" only where that is clear of 50; `same`, how many
        answers are the same; `failed`, how many have no outcome; `unclear`, how often the judge said what is no
        verdict; `consistency`, the share of asked pairs where both orders say the same; `first_rate`, the share of
        verdicts, ties aside, for the answer shown first; both None if there are none.
    """
    points = [POINTS[one.outcome] for one in verdicts if one.outcome]
    both = [tuple(parse_better(text or "") for text in one.said) for one in verdicts if one.said and one.outcome]
    clear = [one for pair in both for one in pair if one is not None]
    return {
        "instances": len(points),
        "wins": points.count(1.0),
        "ties": points.count(0.5),
        "losses": points.count(0.0),
        "win_rate": rate(points),
        "same": sum(not one.said for one in verdicts),
        "failed": len(verdicts) - len(points),
        "unclear": 2 * len(both) - len(clear),
        "consistency": share([None not in pair and pair[0] == 1 - (pair[1] or 0) for pair in both]),
        "first_rate": share([one == 1.0 for one in clear if one != 0.5]),
    }


def prompt(instance: HeldOut, first: str, second: str, with_reference: bool = False) -> str:
    reference = instance.outputs[0] if with_reference else ""
    fields = {"instruction": instance.instruction, "input": instance.input, "reference": reference}
    return render("judge", **fields, first=first.strip() or "(empty)", second=second.strip() or "(empty)")


def outcome(said: Sequence[str | None]) -> Literal["win", "tie", "loss"] | None:
    """What both orders come to: a win or a loss only if both say so."""
    if None in said:
        return None
    found = [parse_better(text or "") for text in said]
    return "win" if found == [1, 0] else "loss" if found == [0, 1] else "tie"


def rate(points: Sequence[float]) -> dict[str, Any] | None:
    if not points:
        return None
    found = interval(resample(100 * np.array(points)[:, None])[:, 0], len(points))
    verdict = "better" if found.low > 50 else "worse" if found.high < 50 else "unclear"
    known = len(points) >= MIN_UNITS
    low, high = (round(found.low, 4), round(found.high, 4)) if known else (None, None)
    return {"value": round(found.value, 4), "low": low, "high": high, "verdict": verdict}


def share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
