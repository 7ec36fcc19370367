"""Answers of several models to the same held-out tasks, shuffled and without names, to be rated from A to D."""

import random
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pipeline.errors import SproutError, unknown
from pipeline.evaluation.heldout import HeldOut, read_sets
from pipeline.evaluation.predictions import answers_in
from pipeline.evaluation.record import Scored, read_evaluation
from pipeline.report.review.desk import Action, Answer, ChangedMeanwhile, Desk, in_random_order
from pipeline.report.review.queue import Choice
from pipeline.report.review.ratings import LEVELS
from pipeline.runs.said import Said, digest
from pipeline.runs.settings import FILE as SETTINGS
from pipeline.runs.settings import read_settings


class AnswerDesk(Desk):
    """Held-out tasks, each with what the models answered; the same answer of two models is shown once.

    The order of the answers is drawn anew for each task and reviewer, and no name of a model reaches the page.
    """

    page: ClassVar[str] = "answers"

    def __init__(self, folder: Path, heldout: Sequence[HeldOut], answers: Mapping[str, Mapping[str, str]]) -> None:
        title = f"{len(heldout):,} held-out tasks, answers of {len(answers)} models"
        super().__init__(folder, [one.id for one in heldout], title)
        self.heldout, self.answers = heldout, answers

    def about(self) -> Answer:
        return {"levels": LEVELS}

    def item(self, place: int, reviewer: str) -> Answer:
        one, given = self.heldout[place], self._rated(self.ids[place], reviewer)
        shown = self._shown(one.id, reviewer)
        return {
            "id": one.id,
            "instruction": one.instruction,
            "input": one.input,
            "answers": [{"text": text, "rating": given.get(digest(text), "")} for text in shown],
            "seen": digest(*shown),
            "done": all(digest(text) in given for text in shown),
        }

    def lines(self, place: int, asked: Action) -> Sequence[Said]:
        id = self.ids[place]
        if asked.did == "skip":
            return [Said(reviewer=asked.reviewer, task=id, did="skip", model="all")]
        shown = self._shown(id, asked.reviewer)
        if asked.did != "rate" or asked.rating not in LEVELS or not 0 <= asked.answer < len(shown):
            raise SproutError(f"{id}: this is no rating of an answer; reload the page")
        if asked.seen != digest(*shown):
            raise ChangedMeanwhile("these are no longer the answers; here they are as they are now")
        text, group = shown[asked.answer], f"answer-{secrets.token_hex(4)}"
        models = [name for name, answers in self.answers.items() if answers.get(id, "").strip() == text]
        return [
            Said(reviewer=asked.reviewer, task=id, did="rate", model=name, rating=asked.rating, group=group,
                 seen=digest(self.answers[name].get(id, "")), note=digest(text))
            for name in models
        ]  # fmt: skip

    def done(self, reviewer: str) -> set[str]:
        rated: dict[str, set[str]] = {}
        skipped = set()
        for one in self.reviews.current():
            if one.reviewer == reviewer and self.mine(one):
                rated.setdefault(one.task, set()).add(one.note)
                skipped |= {one.task} if one.did == "skip" else set()
        texts = {id: {digest(text) for text in self._texts(id)} for id in rated.keys() & self.places.keys()}
        return {id for id, needed in texts.items() if needed <= rated[id] or id in skipped}

    def mine(self, one: Said) -> bool:
        return one.did == "rate" or (one.did == "skip" and one.model == "all")

    def detail(self, id: str) -> Answer:
        return {"outputs": list(self.heldout[self.places[id]].outputs)} if id in self.places else {"outputs": []}

    def _rated(self, id: str, reviewer: str) -> dict[str, str]:
        """What the reviewer gives to each answer, by its digest."""
        return {
            one.note: one.rating for one in self.reviews.current()
            if one.did == "rate" and one.task == id and one.reviewer == reviewer
        }  # fmt: skip

    def _texts(self, id: str) -> list[str]:
        return sorted({answers.get(id, "").strip() for answers in self.answers.values()})

    def _shown(self, id: str, reviewer: str) -> list[str]:
        texts = self._texts(id)
        return random.Random(f"{reviewer}:{id}").sample(texts, len(texts))


def answers_of(folder: Path, names: str, heldout: Sequence[str] | None, choice: Choice) -> AnswerDesk:
    """The answers to rate.

    Args:
        names: Of models, with commas: of files in `folder`/predictions, or NAME=FILE.
        heldout: What they answer to; None: what `folder` was evaluated on.

    Raises:
        SproutError: for a model without predictions, or if it is not known what they answer to.
    """
    found = read_sets([*heldout] if heldout else evaluated_on(folder), most_of_a_task(folder))
    paths = dict(place_of(folder, name) for name in names.split(","))
    if len(paths) < len(names.split(",")):
        raise SproutError(f"--answers {names}: a model is named twice; give each a name of its own")
    answers = {name: answers_in(path, found)[0] for name, path in paths.items()}
    known = {one.id: one for one in found if all(one.id in given for given in answers.values())}
    if not known:
        raise SproutError(f"{folder}: there is no held-out task that {' and '.join(answers)} have all answered")
    ids = in_random_order(known)[: choice.size] if choice.sample else known
    return AnswerDesk(folder, [known[id] for id in ids], answers)


def place_of(folder: Path, name: str) -> tuple[str, Path]:
    own, equals, file = name.partition("=")
    path = Path(file) if equals else folder / "predictions" / f"{name}.jsonl"
    if not path.is_file():
        there = sorted(one.stem for one in (folder / "predictions").glob("*.jsonl"))
        hint = unknown("model", name, there) if there else "`sprout evaluate` writes answers there"
        raise SproutError(f"{path}: is not there; {hint}, or give NAME=FILE")
    return own, path


def most_of_a_task(folder: Path) -> int:
    """How many instances of a held-out task the models of a run were asked; the default of `evaluate` if none was."""
    scored = (one for one in read_evaluation(folder).values() if isinstance(one, Scored))
    return max((task.instances for one in scored for task in one.task.values()), default=100)


def evaluated_on(folder: Path) -> list[str]:
    """The held-out sets that a run was evaluated on, by its settings.

    Raises:
        SproutError: if they are not recorded.
    """
    for table in read_settings(folder / SETTINGS).values():
        if given := table.get("heldout") if "sampling" in table else None:
            return [given] if isinstance(given, str) else [*given]
    raise SproutError(f"{folder}: does not record which held-out tasks the models answered; name them with --heldout")
