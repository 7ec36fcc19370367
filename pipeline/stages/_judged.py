"""How `choose` has a judge compare the answers to an instance, two at a time, or rate them all at once."""

from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.asking.ask import put, seeded
from pipeline.asking.ratings import parse_ratings, ratings_schema
from pipeline.asking.templates import render
from pipeline.asking.verdicts import parse_better
from pipeline.engines.base import Completion, Engine, Request
from pipeline.task import Instance, Task

if TYPE_CHECKING:
    from pipeline.stages.choose import Choose

WORDS = ("A", "B", "tie")  # that the template of a comparison asks for


class Pick(NamedTuple):
    """Which answer to an instance is taken, and what was found out about the others.

    Attributes:
        place: Of the answer; None if none qualifies.
        reason: Why none does.
        scores: By the place of an answer, the score that it was given here.
    """

    place: int | None
    reason: str = ""
    scores: Mapping[int, float] = MappingProxyType({})


Picking = Generator[Request, Completion, Pick]


def compared(stage: "Choose", engine: Engine, about: str, task: Task, instance: Instance) -> Picking:
    """The answer that stands at the end, when each challenges the one that stood before it.

    A challenger takes its place if the judge is surer than `min_confidence` that it is better: the share of verdicts
    for it, a tie being half of one, where each pair is judged as often in either order.

    Args:
        about: What ids of requests begin with.
    """
    texts = [answer.text for answer in instance.answers]
    standing, sure = 0, True
    points: dict[int, list[float]] = {}
    words = {"choices": tuple(word if engine.chat else f" {word}" for word in WORDS)}
    for place in range(1, len(texts)):
        if texts[place].split() == texts[standing].split():
            continue
        verdicts: list[float] = []
        for number in range(2 * stage.num_verdicts):
            swapped = number % 2 == 1
            first, second = (texts[place], texts[standing]) if swapped else (texts[standing], texts[place])
            fields = {"instruction": task.instruction, "input": instance.input, "first": first, "second": second}
            id = f"{about}:{standing}-{place}:{number}"
            completion = yield _request(stage, engine, id, render("choose", stage, **fields), words)
            better = parse_better(completion.text)
            verdicts.append(0.5 if better is None else better if swapped else 1 - better)
        share = sum(verdicts) / len(verdicts)
        points.setdefault(standing, []).append(1 - share)
        points.setdefault(place, []).append(share)
        if share > stage.min_confidence:
            standing, sure = place, True
        else:
            sure = sure and 1 - share > stage.min_confidence
    scores = {place: round(sum(each) / len(each), 4) for place, each in points.items()}
    if stage.unsure == "reject" and not sure:
        return Pick(None, "unsure", scores)
    return Pick(standing, "", scores)


def rated(stage: "Choose", engine: Engine, about: str, task: Task, instance: Instance) -> Picking:
    """The best of the ratings that a judge gives all answers at once, averaged over their order and its reverse."""
    texts = [answer.text for answer in instance.answers]
    sums, shape = [0.0] * len(texts), {"json_schema": ratings_schema(len(texts))}
    for number in range(2):
        places = list(range(len(texts)))[:: -1 if number else 1]
        fields = {"instruction": task.instruction, "input": instance.input}
        prompt = render("choose_ratings", stage, **fields, answers=[texts[place] for place in places])
        completion = yield _request(stage, engine, f"{about}:{number}", prompt, shape)
        ratings = parse_ratings(completion.text, len(texts))
        if ratings is None:
            return Pick(None, "unrated")
        for place, rating in zip(places, ratings, strict=True):
            sums[place] += rating / 2
    return stage.best(dict(enumerate(sums)))


def _request(stage: "Choose", engine: Engine, id: str, prompt: str, shape: Mapping[str, Any]) -> Request:
    """Held to a shape, where the engine can see to that."""
    sampling = seeded(stage.sampling, stage.random_seed, id)
    plain = Request(id=id, prompt=prompt, sampling=sampling, **(shape if stage.constrain else {}))
    return put(plain, engine, engine.chat)
