"""Held-out instances with reworded instructions, to measure how much a model depends on the wording."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.asking.ask import is_answer, request, seeded
from pipeline.asking.rewritten import parse_rewritten
from pipeline.asking.templates import render
from pipeline.engines.base import Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.metrics import METRICS, Score
from pipeline.novelty.tokens import tokens
from pipeline.runs.products import digest, read_record, write_record

logger = logging.getLogger(__name__)

FILE = "phrasings.json"  # by instruction, its other wordings; those that are there already are not asked for
SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_tokens=512, stop=("\nTask:",))


class Spread(BaseModel):
    """A metric's mean over all instances, for each wording, times 100."""

    model_config = ConfigDict(frozen=True)

    mean: float
    worst: float
    spread: float  # the best wording minus the worst


def reworded(heldout: Sequence[HeldOut], num: int, engine: Engine, folder: Path) -> list[tuple[HeldOut, ...]]:
    """The same instances in `num` other wordings, from `folder`/phrasings.json; the engine writes those that are
    missing.

    If a wording cannot be used, the original instruction takes its place.

    Raises:
        SproutError: for a file with other contents, and for any failure of the engine.
    """
    path = folder / FILE
    known = read_record(path)
    if any(not isinstance(one, list) or not all(isinstance(text, str) for text in one) for one in known.values()):
        raise SproutError(f"{path}: is not a list of wordings for each instruction; correct it, or delete it")
    instructions = list(dict.fromkeys(one.instruction for one in heldout))
    missing = {one: left for one in instructions if (left := range(len(known.get(one, ())), num))}
    for instruction, text in _asked(missing, engine):
        known.setdefault(instruction, []).append(text)
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        write_record(path, known)
    wordings = {instruction: [*known.get(instruction, ()), *[instruction] * num][:num] for instruction in instructions}
    unused = sum(text == instruction for instruction, texts in wordings.items() for text in texts)
    if unused:
        logger.warning("evaluate: %d of %d wordings cannot be used, so the instruction stands for itself; correct them "
                       "in %s, and evaluate again", unused, num * len(instructions), path)  # fmt: skip
    return [
        tuple(
            one.model_copy(update={"id": f"{one.id}#{number + 2}", "instruction": wordings[one.instruction][number]})
            for one in heldout
        )
        for number in range(num)
    ]


def spread(scores: Sequence[Score], others: Sequence[Sequence[Score]]) -> dict[str, Spread]:
    """How a model scores over the wordings, the original one included, by metric."""
    found = {}
    for metric in METRICS:
        means = [100 * sum(getattr(one, metric) for one in part) / max(1, len(part)) for part in (scores, *others)]
        mean = sum(means) / len(means)
        figures = {"mean": mean, "worst": min(means), "spread": max(means) - min(means)}
        found[metric] = Spread(**{name: round(figure, 4) for name, figure in figures.items()})
    return found


def _asked(missing: dict[str, range], engine: Engine) -> Iterator[tuple[str, str]]:
    """The missing wordings of each instruction, by their numbers; one that cannot be used is the instruction itself.

    A failed request yields none, and no later one of its instruction, so that the next evaluation goes on from there:
    each number has a random seed of its own, and a number asked twice would give the same wording twice.
    """
    wanted = [(instruction, number) for instruction, numbers in missing.items() for number in numbers]
    failed = set[str]()

    def requests() -> Iterator[Request]:
        for instruction, number in wanted:
            id = f"wording:{digest(instruction)}:{number}"
            sampling = seeded(SAMPLING.model_copy(update={"stop": ()}) if engine.chat else SAMPLING, 0, id)
            yield request(engine, id, render("evolve_rephrase", instruction=instruction), sampling)

    for (instruction, _), completion in zip(wanted, engine.generate(requests()), strict=True):
        if instruction in failed or not is_answer(completion):
            failed.add(instruction)
        else:
            text = parse_rewritten(completion.text) if completion.finish_reason == "stop" else ""
            yield instruction, text if tokens(text) and tokens(text) != tokens(instruction) else instruction
