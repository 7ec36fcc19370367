"""Take one of the candidate answers as the output: by consensus, a score, a check, or a judge."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.asking.chains import Chain, ask_chains
from pipeline.engines.base import Completion, Engine, Sampling
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.stage import Reason, Stage
from pipeline.stages._consensus import MIN_ROUGE, consensus
from pipeline.stages._counts import with_counts
from pipeline.stages._judged import Pick, Picking, compared, rated
from pipeline.task import Instance, Task
from pipeline.text import short, trimmed

CONSENSUS, SCORE, CHECK, JUDGE, RATINGS = "consensus", "score:", "check", "judge", "ratings"
ASKED = (JUDGE, RATINGS)
WAY = re.compile(rf"{CONSENSUS}|{SCORE}.+|{CHECK}(-\w+)?|{JUDGE}|{RATINGS}")  # a check may have a label
WAYS = f"{CONSENSUS}, {SCORE}NAME, {CHECK}, {JUDGE} or {RATINGS}"
NUMBERED = (SCORE, RATINGS)
OF_WAY: Mapping[str, tuple[str, ...]] = {  # which ways to choose heed a setting; all heed the others
    "order": (SCORE,), "min_score": NUMBERED, "max_score": NUMBERED, "min_gap": NUMBERED, "min_rouge": (CONSENSUS,),
    "shortest": (CHECK,), "min_confidence": (JUDGE,), "unsure": (JUDGE,), "num_verdicts": (JUDGE,),
}  # fmt: skip
PASSES = 1.0  # the score of an answer that passes a check


class Choose(Stage):
    """Makes one of its `answers` the output of each instance; the answers stay.

    `consensus` takes the answer that others agree with, as Ensemble-Instruct does (arXiv 2310.13961); `score:NAME` the
    best by a score of the answers; `check` the first that has passed the stage `check`. With `judge`,
    an engine compares the answers two at a time in both orders, and the first stands until another is surely better
    (the correction of CLEAR, arXiv 2403.12776); with `ratings`, it rates all answers from 1 to 10, in their order and
    in reverse (CodecLM, arXiv 2404.05875). What a judge finds is in the scores `judge` and `rating` of the answers.

    Answers that the stage `answer` has left out, such as empty ones, neither vote nor can be chosen. An instance of
    which no answer qualifies is left out and counted in `meta["left_out"]`; a task with none left is rejected, for the
    reason of its first instance. Of equally good answers, the first is taken.
    """

    templates: ClassVar[tuple[str, ...]] = ("choose", "choose_ratings")
    writes: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, Reason]] = {
        "no_answers": Reason("It has no answers to choose from.", "a task that no stage `answer` has seen"),
        "no_consensus": Reason(
            "By `consensus`: no two answers are the same, and some have nothing in common.", "Paris / 42 / blue"
        ),
        "no_score": Reason("By a score: none of its answers has that score.", "answers too long for the scoring model"),
        "score_too_low": Reason("By a score or ratings: the best is below `min_score`.", "2 of 10"),
        "score_too_high": Reason("By a score: the best is above `max_score`.", "a loss of 4, where 2 is the most"),
        "small_gap": Reason("By a score or ratings: the best is hardly better than the next, by `min_gap`.", "8 and 7"),
        "none_passes": Reason("By `check`: none of its answers passes.", "code that fails its tests"),
        "unsure": Reason("By a judge: it is not sure which answer is better, by `min_confidence`.", "A, then B"),
        "unrated": Reason("By `ratings`: what the judge says cannot be read as a rating of each answer.", "Both good."),
    }

    by: str = Field(default=CONSENSUS, description=WAYS)
    order: Literal["highest", "lowest"] = Field(default="highest", description="score: which is best")
    min_score: float | None = Field(default=None, description="score, ratings: what the best must reach; unset: any")
    max_score: float | None = Field(default=None, description="score, ratings: what the best may have; unset: any")
    min_gap: float | None = Field(
        default=None, ge=0, description="score, ratings: the best is better by more than this; CodecLM: 3"
    )
    min_rouge: float = Field(
        default=MIN_ROUGE, ge=0, lt=1,
        description="consensus: any two answers have a ROUGE-L F1 above this; Ensemble-Instruct",
    )  # fmt: skip
    shortest: bool = Field(default=False, description="check: of all that pass the shortest, rather than the first")
    min_confidence: float = Field(
        default=0.8, ge=0.5, lt=1,
        description="judge: share of verdicts above which an answer is surely better, a tie being half of one; CLEAR",
    )  # fmt: skip
    unsure: Literal["keep", "reject"] = Field(
        default="keep", description="judge: where none is surely better, keep the first, or reject the instance"
    )
    num_verdicts: int = Field(default=1, ge=1, description="judge: in each order; several need a temperature")
    constrain: bool = Field(
        default=True,
        description="the judge can say A, B or tie, or ratings, and nothing else, if its engine can enforce that",
    )
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(default=Sampling(temperature=0, max_tokens=64), description="how the judge writes")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not WAY.fullmatch(self.by):
            raise ValueError(f"by: {self.by!r} is not a way to choose; set {WAYS}")
        way = next((way for way in (SCORE, CHECK) if self.by.startswith(way)), self.by)
        for name, ways in OF_WAY.items():
            if way not in ways and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}: has no effect with by = {self.by!r}; delete it")
        if self.num_verdicts > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"num_verdicts: {self.num_verdicts} verdicts at temperature 0 would be the same; raise the temperature"
            )
        return self

    @property
    def uses_model(self) -> bool:
        return self.by in ASKED

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        for number, instance in enumerate(task.instances if task.kept else (), 1):
            places = [
                place for place, answer in enumerate(instance.answers, 1) if trimmed(answer.text) == instance.output
            ]
            for place in places[:1]:
                answer = instance.answers[place - 1]
                who = f", of {shown(answer.model)}" if answer.model else ""
                yield f"instance {number}: answer {place} of {len(instance.answers)}{who}, by {self.by}"
        for number, instance in enumerate((before or task).instances, 1):
            if reason := self.pick(instance).reason if not self.uses_model else "":
                yield f"instance {number}: none is taken, {reason}"
        for number, instance in enumerate(task.instances, 1):
            for answer in instance.answers:
                scores = ", ".join(f"{name} {score:g}" for name, score in answer.scores.items())
                yield f"{number}: {short(answer.text, 100)}{f' ({scores})' if scores else ''}"

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        yield f"Each output was chosen among several answers, by {self.by.replace(':', ' ')}."

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if self.by in ASKED:
            asked = ask_chains(context.engine, todo, lambda task: self.asked(task, context.engine))
            yield from (self.chosen(task, picks) for task, picks in asked)
            return
        for task in todo:
            yield self.chosen(task, [self.pick(instance) for instance in task.instances])

    def pick(self, instance: Instance) -> Pick:
        """Which answer is taken, where no judge is asked."""
        answers = instance.answers
        if not answers:
            return Pick(None, "no_answers")
        if self.by == CONSENSUS:
            agreed = consensus([answer.text for answer in answers], self.min_rouge)
            return Pick(agreed.place) if agreed else Pick(None, "no_consensus")
        if self.by.startswith(CHECK):
            passing = [place for place, answer in enumerate(answers) if answer.scores.get(self.by) == PASSES]
            if self.shortest:
                passing.sort(key=lambda place: len(answers[place].text))
            return Pick(passing[0]) if passing else Pick(None, "none_passes")
        name = self.by.removeprefix(SCORE)
        scores = {place: one.scores.get(name, math.nan) for place, one in enumerate(answers)}
        return self.best({place: score for place, score in scores.items() if not math.isnan(score)})

    def best(self, scores: Mapping[int, float]) -> Pick:
        """The answer with the best score, by its place, if it keeps within the bounds."""
        sign = 1 if self.order == "highest" else -1
        ordered = sorted(scores, key=lambda place: (-sign * scores[place], place))
        found = dict(scores)
        if not ordered:
            return Pick(None, "no_score")
        best = scores[ordered[0]]
        if self.min_score is not None and best < self.min_score:
            return Pick(None, "score_too_low", found)
        if self.max_score is not None and best > self.max_score:
            return Pick(None, "score_too_high", found)
        if self.min_gap is not None and not (len(ordered) > 1 and abs(best - scores[ordered[1]]) > self.min_gap):
            return Pick(None, "small_gap", found)
        return Pick(ordered[0], "", found)

    def asked(self, task: Task, engine: Engine) -> Chain[list[Pick]]:
        """The requests to the judge, instance by instance, and what is taken."""
        picks: list[Pick] = []
        for number, instance in enumerate(task.instances):
            if not instance.answers:
                picks.append(Pick(None, "no_answers"))
                continue
            way = compared if self.by == JUDGE else rated
            picking: Picking = way(self, engine, f"{task.id}:{number}", task, instance)
            picks.append((yield from picking))
        return picks

    def chosen(self, task: Task, picks: Sequence[Pick]) -> Task:
        """The task with what was picked as its outputs."""
        name = {JUDGE: "judge", RATINGS: "rating"}.get(self.by, "")
        if name:
            pairs = zip(task.instances, picks, strict=True)
            task = task.update(instances=tuple(scored(instance, name, pick.scores) for instance, pick in pairs))
        instances = tuple(
            instance.model_copy(update={"output": trimmed(instance.answers[pick.place].text)})
            for instance, pick in zip(task.instances, picks, strict=True)
            if pick.place is not None
        )
        if not instances:
            return task.reject(picks[0].reason if picks else "no_answers")
        left_out = Counter(pick.reason for pick in picks if pick.place is None)
        return with_counts(task, "left_out", left_out).update(instances=instances)


def scored(instance: Instance, name: str, scores: Mapping[int, float]) -> Instance:
    """The instance with a score of that name for those answers that have one, by their place."""
    answers = tuple(
        answer.model_copy(update={"scores": answer.scores | {name: scores[place]}}) if place in scores else answer
        for place, answer in enumerate(instance.answers)
    )
    return instance.model_copy(update={"answers": answers})
