"""Two models head to head: a judge reads both answers to a held-out task, twice, the second time in the other order."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.confidence import MIN_UNITS, interval, resample
from pipeline.engines import Engine, Request, Sampling, request
from pipeline.heldout import HeldOut
from pipeline.prompts import render

logger = logging.getLogger(__name__)

SAMPLING = Sampling(temperature=0, max_tokens=16)
ANSWER = re.compile(  # "A", "**B**", "Answer A is better", "A tie"; not "A good answer would be"
    r"[\s\"'*`(\[]*(?:(?:it(?:'s| is) )?(?:a )?(tie|draw|neither|both|equal)\b"
    r"|(?:answer\s+)?(a|b)(?=\W*$|[.,:;!)\]*\"'\n]|\s+(?:is|because|wins|does)\b))",
    re.IGNORECASE,
)
WORDS = {"a": 1.0, "b": 0.0}  # for the answer shown first


def head_to_head(
    heldout: Sequence[HeldOut],
    ours: Mapping[str, str],
    theirs: Mapping[str, str],
    judge: Engine,
    with_reference: bool = False,
    sampling: Sampling = SAMPLING,
) -> dict[str, Any]:
    """Have a judge compare two models; return how often ours wins, and how far the judge can be trusted.

    Each pair is judged in both orders. It is won only if it is won in both: a judge that prefers the answer shown first
    gives ties. Answers that are the same, blanks aside, are a tie that nobody is asked about. What the judge says that
    is no verdict counts as a tie in `ties`, and is counted in `unclear`; a request that failed leaves its pair out.

    Args:
        ours: The answers by the id of the held-out instance; one that is missing is empty.
        judge: To ask what was asked before for nothing, give one that keeps a journal (`recorded.Recorded`).
        with_reference: Show the judge the first right output as well.

    Returns:
        `wins`, `ties`, `losses`; `win_rate`, where a tie is half a win, in percent with its 95 % interval and the
        verdict "better" or "worse" only where that is clear of 50; `consistency`, the share of asked pairs where both
        orders say the same; `first_rate`, the share of verdicts, ties aside, for the answer shown first; both None if
        there are none.
    """
    same = {one.id for one in heldout if ours.get(one.id, "").split() == theirs.get(one.id, "").split()}
    asked = [one for one in heldout if one.id not in same]
    found = dict(verdicts(asked, ours, theirs, judge, with_reference, sampling))
    both = {one.id: found[one.id] for one in asked if len(found.get(one.id, ())) == 2}
    if missing := len(asked) - len(both):
        logger.warning("judge: %d of %d pairs are left out, their requests failed", missing, len(heldout))
    points = [0.5] * len(same) + [merge(*pair) for pair in both.values()]
    clear = [one for pair in both.values() for one in pair if one is not None]
    decided = [one for one in clear if one != 0.5]
    return {
        "judge": judge.model,
        "instances": len(points),
        "wins": points.count(1.0),
        "ties": points.count(0.5),
        "losses": points.count(0.0),
        "win_rate": rate(points),
        "unclear": 2 * len(both) - len(clear),
        "consistency": share([first is not None and second is not None and first == 1 - second
                              for first, second in both.values()]),
        "first_rate": share([one == 1.0 for one in decided]),
    }  # fmt: skip


def verdicts(
    heldout: Sequence[HeldOut],
    ours: Mapping[str, str],
    theirs: Mapping[str, str],
    judge: Engine,
    with_reference: bool,
    sampling: Sampling,
) -> Iterator[tuple[str, list[float | None]]]:
    """For each pair what the judge says of the answer shown first: ours, then theirs."""

    def requests() -> Iterator[Request]:
        for one in heldout:
            pair = ours.get(one.id, ""), theirs.get(one.id, "")
            for order, (first, second) in enumerate((pair, pair[::-1])):
                text = prompt(one, first, second, with_reference)
                yield request(judge, f"{order}:{one.id}", text, sampling)

    found: dict[str, list[float | None]] = {}
    for completion in judge.generate(requests()):
        if completion.finish_reason != "error":
            found.setdefault(completion.id.partition(":")[2], []).append(parse_verdict(completion.text))
    yield from found.items()


def prompt(instance: HeldOut, first: str, second: str, with_reference: bool = False) -> str:
    reference = instance.outputs[0] if with_reference else ""
    fields = {"instruction": instance.instruction, "input": instance.input, "reference": reference}
    return render("judge", **fields, first=first.strip() or "(empty)", second=second.strip() or "(empty)")


def parse_verdict(text: str) -> float | None:
    """1 if the answer shown first is better, 0 if the second is, 0.5 for a tie; None for what is no verdict."""
    said = ANSWER.match(text)
    return WORDS.get((said[2] or "tie").lower(), 0.5) if said else None


def merge(first: float | None, second: float | None) -> float:
    """What both orders come to: 1 if ours wins in both, 0 if theirs does, else a tie."""
    ours = (first, None if second is None else 1 - second)
    return 1.0 if ours == (1, 1) else 0.0 if ours == (0, 0) else 0.5


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
