"""Compare what two models answered, by the verdict of a third."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from pipeline.engines.base import Sampling
from pipeline.errors import SproutError
from pipeline.evaluation.answers import Answering
from pipeline.evaluation.confidence import figure_text
from pipeline.evaluation.heldout import HeldOut, read_sets
from pipeline.evaluation.judge import SAMPLING, Asking, Judged, Tally, Verdict, figures, head_to_head
from pipeline.evaluation.models import opener, remembering
from pipeline.evaluation.predictions import answers_in
from pipeline.evaluation.table import aligned
from pipeline.resources import located, shown
from pipeline.runs.context import Context
from pipeline.runs.products import read_record, write_record
from pipeline.runs.settings import FILE, read_settings
from pipeline.stage import Flag, Product
from pipeline.stages.evaluate import Evaluate
from pipeline.task import Task

logger = logging.getLogger(__name__)

MAX_UNCLEAR = 0.1  # of the judge's answers, before it is said
MIN_CONSISTENCY = 0.5  # of the pairs, as many as by a coin, before it is said


class Judge(Product):
    """Compares two models: a judge reads both answers to each held-out task, in both orders.

    In a run with several evaluations, `judge-NAME` reads the answers of `evaluate-NAME`, and `judge` those of
    `evaluate`. A run with one evaluation needs no such label.

    Beside judge.json with the figures, judge.jsonl has a line for each pair: both answers, and what the judge said.
    """

    path: ClassVar[str] = "judge.json"
    of_tasks: ClassVar[bool] = False
    templates: ClassVar[tuple[str, ...]] = ("judge",)
    growable: ClassVar[frozenset[str]] = frozenset({"ours", "theirs", "max_instances"})

    optional: ClassVar[bool] = True
    caption: ClassVar[str] = "the verdicts of the judge"
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag("--heldout", "folder of Super-NaturalInstructions, file of tasks, or nano", metavar="SET", many=True),
        Flag("--ours", "a name in predictions/, or a file of answers (default: dataset)"),
        Flag("--theirs", "what it is compared with, likewise (default: base)", many=True),
        Flag("--judge", "the judge: a folder, hub name, or my-model@http://host/v1", metavar="MODEL", setting="model"),
    )

    ours: str = Field(
        default="dataset", description="a name in predictions/, or a file of answers (`id`, `prediction`)"
    )
    theirs: str | tuple[str, ...] = Field(default="base", description="what it is compared with, one after the other")
    heldout: str | tuple[str, ...] | None = Field(
        default=None, description="the held-out sets that were answered; unset: those the run was evaluated on"
    )
    max_instances: int = Field(default=100, ge=1, description="of each held-out task")
    model: str = Field(
        default="", description="the judge: a folder, a hub name or NAME@URL; empty: the model of its engine"
    )
    with_reference: bool = Field(default=False, description="show the judge the first right output")
    constrain: bool = Field(
        default=True, description="the judge can say A, B or tie and nothing else, if its engine can enforce that"
    )
    sampling: Sampling = Field(default=SAMPLING, description="how the judge writes")

    def summary(self, folder: Path) -> str:
        found = read_record(folder / self.written)
        return table(Judged.model_validate(found)) if found else ""

    def make(self, tasks: Sequence[Task], context: Context) -> None:
        evaluated = self.evaluated(context.folder)
        heldout = read_sets(self.heldout or self.sets(evaluated, context.folder), self.max_instances)
        others = (self.theirs,) if isinstance(self.theirs, str) else self.theirs
        place = context.folder / Answering(label=evaluated.partition("-")[2]).predictions
        answers = {name: answers_of(name, heldout, place) for name in (self.ours, *others)}
        model = located(self.model or context.engine.model)
        if not model:
            raise SproutError("no judge is named; give a folder, a name on the hub, or nano, with --model")
        asking = Asking(self.with_reference, self.sampling, self.constrain, self)
        against: dict[str, Tally] = {}
        path = (context.folder / self.written).with_suffix(".jsonl")
        partial = path.with_name(f"{path.name}.partial")
        with (
            remembering(self.name, context.folder, opener(context, [model]), context.budget) as opened,
            partial.open("w", encoding="utf-8", newline="\n") as file,
        ):
            engine = opened(model)
            for name in others:
                ours, theirs = answers[self.ours], answers[name]
                both = [one for one in heldout if one.id in ours or one.id in theirs]
                for model_name, given in ((self.ours, ours), (name, theirs)):
                    if missing := sum(one.id not in given for one in both):
                        logger.warning(
                            "%s: %d answers of %s are missing and count as empty", self.name, missing, model_name
                        )
                verdicts = []
                for one in head_to_head(both, ours, theirs, engine, asking):
                    verdicts.append(one)
                    file.write(line(one, self.ours, name))
                against[name] = figures(verdicts)
                self.warn(against[name], name, path)
            engine.close()
        partial.replace(path)
        judged = Judged(judge=shown(model), with_reference=self.with_reference, ours=self.ours, against=against)
        write_record(context.folder / self.written, judged.model_dump())

    def warn(self, tally: Tally, other: str, verdicts: Path) -> None:
        """Say what makes the figures against another model less sure: requests that failed, answers of no use."""
        pairs = tally.instances + tally.failed
        if tally.failed:
            logger.warning(
                "%s: %d of %d pairs with %s are left out because their requests failed", self.name, tally.failed, pairs,
                other,
            )  # fmt: skip
        if tally.unclear > MAX_UNCLEAR * 2 * (tally.instances - tally.same):
            logger.warning(
                "%s: %d of the judge's answers on %s are no verdict and count as ties; see %s, and use a judge that "
                "says A, B or tie", self.name, tally.unclear, other, verdicts.name,
            )  # fmt: skip
        elif tally.consistency is not None and tally.consistency < MIN_CONSISTENCY:
            logger.warning(
                "%s: the judge says the same in both orders of only %.0f %% of the pairs with %s, and names the answer "
                "shown first in %.0f %% of its verdicts; the others count as ties, so that the win rate says little; "
                "use a stronger judge",
                self.name, 100 * tally.consistency, other, 100 * (tally.first_rate or 0),
            )  # fmt: skip

    def evaluated(self, folder: Path) -> str:
        """The evaluation of the run whose answers are compared, by its name: that of the same label, or the only one.

        Raises:
            SproutError: if there are several, all with other labels.
        """
        named = f"{Evaluate.kind}-{self.label}" if self.label else Evaluate.kind
        there = [name for name in read_settings(folder / FILE) if name.partition("-")[0] == Evaluate.kind]
        if found := next((name for name in (named, Evaluate.kind) if name in there), None):
            return found
        if len(there) > 1:
            raise SproutError(
                f"{folder}: was evaluated more than once ({', '.join(there)}), and {self.name} has the label of none; "
                f"list it as {self.kind}-{there[0].partition('-')[2]}, say"
            )
        return there[0] if there else Evaluate.kind

    def sets(self, evaluated: str, folder: Path) -> str | tuple[str, ...]:
        """The held-out sets of an evaluation of the run, as settings.json has them.

        Raises:
            SproutError: if there are none.
        """
        found = read_settings(folder / FILE).get(evaluated, {}).get("heldout")
        if not found:
            raise SproutError(
                f"{folder}: was not evaluated; evaluate it first, or name the held-out tasks that were answered, with "
                f"--heldout"
            )
        return found if isinstance(found, str) else tuple(found)


def answers_of(name: str, heldout: Sequence[HeldOut], predictions: Path) -> dict[str, str]:
    """The answers of a model by its name in an evaluation, whose answers are in a folder, or those in a file.

    Raises:
        SproutError: if there are neither.
    """
    made_here = predictions / f"{name}.jsonl"
    path = made_here if made_here.is_file() else Path(name)
    if not path.is_file():
        there = ", ".join(sorted(one.stem for one in made_here.parent.glob("*.jsonl"))) or "nothing"
        raise SproutError(f"there are no answers of {name!r}: {predictions} holds {there}; evaluate it first, "
                          f"or give a JSONL file of predictions")  # fmt: skip
    return answers_in(path, heldout)[0]


def line(verdict: Verdict, ours: str, theirs: str) -> str:
    fields = verdict.model_dump()
    return json.dumps({"models": [ours, theirs]} | fields, ensure_ascii=False) + "\n"


def table(judged: Judged) -> str:
    """How often ours wins against each other model, and how reliable the judge is; see `Tally`."""
    head = [
        f"head to head, judged by {judged.judge}",
        "wins",
        "ties",
        "losses",
        "win rate",
        "no worse",
        "consistent",
        "first",
        "unclear",
    ]
    return aligned([head, *rows(judged)], str.rjust)


def rows(judged: Judged) -> Iterator[list[str]]:
    for name, tally in judged.against.items():
        won = f"{figure_text(tally.win_rate, sign=False)} {tally.win_rate.verdict}" if tally.win_rate else "–"
        shares = ["–" if share is None else f"{share:.0%}" for share in (tally.consistency, tally.first_rate)]
        counts = [str(count) for count in (tally.wins, tally.ties, tally.losses)]
        no_worse = "–" if tally.no_worse is None else f"{tally.no_worse:.2f}"
        yield [f"{judged.ours} against {name}", *counts, won, no_worse, *shares, str(tally.unclear)]
