"""An estimate of what a run will take, from twenty requests that the run need not repeat."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import NamedTuple

from pipeline.errors import SproutError
from pipeline.runs.budget import Budget, Prices
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE, Journal, Usage
from pipeline.runs.lock import only_writer
from pipeline.runs.probes import Estimate, Probes
from pipeline.runs.recorded import Recorded
from pipeline.runs.run import first_tasks, listed
from pipeline.runs.settings import check_settings, file_names
from pipeline.runs.store import Store
from pipeline.stage import Product, Stage
from pipeline.task import Task

NUM_PROBES = 20
MOST_PROBES = 64  # of a stage, where one task takes that many


def plan(stages: Sequence[Stage | Product], context: Context, prices: Prices) -> str:
    """Probe the engines and estimate the rest of the run as a table; writes no stage file.

    Half of the probes are the next requests of a stage that writes tasks until it has enough, the others are what the
    later stages ask about those tasks. Their completions go into the run's journal, so the run asks none of them again.

    Raises:
        SproutError: as `run`, and if no task of the probe is kept.
    """
    files = file_names(stages)
    with only_writer(context.folder):
        check_settings(stages, files, context)
        with Journal(context.folder / FILE) as journal:
            estimates, notes = probe(stages, files, context, journal)
    return table(estimates, prices) + "".join(f"\n{note}" for note in notes)


def probe(
    stages: Sequence[Stage | Product], files: dict[str, str], context: Context, journal: Journal
) -> tuple[list[Estimate], list[str]]:
    """The estimate of each stage that asks, and remarks on its reliability."""
    estimates, notes = [], []
    asking = [stage for stage in stages if isinstance(stage, Stage) and (stage.asks or stage.adds)]
    tasks = first_tasks(asking, context.seeds)
    num_tasks = len(tasks)
    # One that selects without a template of its own asks nothing, so the others share its probes.
    after = [stage for stage in asking if stage.asks and not stage.open_ended]
    num_after = sum(bool(stage.templates) or not stage.selects for stage in after)
    for stage in (one for one in stages if isinstance(one, Stage)):
        if not (stage.asks or stage.adds):
            num_tasks = stage.most_kept(num_tasks)
            continue
        store = Store(context.folder / files[stage.name])
        done = store.load()
        own = context.of(stage)
        most = NUM_PROBES // 2 if stage.open_ended else NUM_PROBES // (2 * max(1, num_after))
        recorded = partial(Recorded, journal=journal, stage=stage.name, budget=Budget())
        used = journal.usage().get(stage.name)
        todo = () if stage.open_ended and not stage.of_given else tasks[: max(1, most)]
        given = frozenset(task.id for task in todo)
        own = replace(own, given=given)
        probes = Probes(most, stage.open_ended, recorded)
        new = decide_few(stage, (todo, done), own, probes)
        while not (new or stage.adds) and probes.left and probes.most < MOST_PROBES:  # a task has more requests
            probes = Probes(2 * probes.most, stage.open_ended, recorded)
            new = decide_few(stage, (todo, done), own, probes)
        probes.pace = pace(used)
        kept = [task for task in new if task.kept and not (stage.open_ended and task.id in given)]
        if stage.open_ended:
            given_kept = stage.wanted(num_tasks) - stage.wanted(0)
            left = max(0, stage.wanted(0) - max(0, len(store.kept) - given_kept))
            if probes.asked < most and probes.all_known:
                left = 0  # it has ended, with fewer tasks than it wants
            if not kept and left:
                reasons = Counter(task.rejected for task in new if task.rejected)
                raise SproutError(f"{stage.name}: the probe kept no task{listed(reasons)}")
            estimates.append(probes.estimate(stage.name, math.ceil(left * probes.asked / max(1, len(kept)))))
            if new:
                notes.append(
                    f"{stage.name}: {len(kept)} kept of {len(new)} in {probes.asked} requests; fewer will be as the "
                    f"pool grows, so the run may take more requests than this"
                )
            tasks = kept or list(store.kept[:most])
        else:
            if probes.asked or probes.left or stage.templates:
                probed = Probed(len(todo), stage.requests_before(context.seeds), probes.each_took(stage, new))
                estimates.append(probes.estimate(stage.name, num_left(stage, probes, store, probed, num_tasks)))
            tasks = kept or tasks
        is_done = stage.adds and bool(done) and not probes.asked + probes.left
        num_tasks = len(store.kept) if is_done else stage.wanted(num_tasks)
    return estimates, notes


def decide_few(
    stage: Stage, tasks: tuple[Sequence[Task], Sequence[Task]], context: Context, probes: Probes
) -> list[Task]:
    """What a stage decides about a few tasks, of those to do and those done, with so many requests."""
    decided = stage.decide(*tasks, context.wrapped(stage, probes.add))
    return list(decided if stage.asks else islice(decided, max(1, probes.most)))


class Probed(NamedTuple):
    """What was put about a few tasks."""

    num_tasks: int
    before: int  # requests that are put once, before those for tasks
    each: float  # requests of a task that was decided, on average; 0 if none was


def num_left(stage: Stage, probes: Probes, store: Store, probed: Probed, num_tasks: int) -> int:
    """How many requests a stage still has to put: by its own word, or as its probes show."""
    if (most := stage.num_requests(num_tasks)) is not None:
        return round(most * max(0.0, 1 - len(store.kept) / max(1, stage.wanted(num_tasks))))
    counted = probes.asked + probes.left
    if stage.adds and not stage.of_given:
        return counted  # whatever it is given
    before = probed.before
    share = max(0, counted - before) / max(1, probed.num_tasks)  # a task may have no request, or several
    share = max(share, probed.each)  # and answers may lead to further ones, which nobody can count before
    left = round(share * max(0, num_tasks - len(store.decided))) if num_tasks else counted
    return left + (before if num_tasks and not store.decided else 0)


def pace(used: Usage | None) -> float:
    """Seconds per request of a stage, from the journal, without pauses and the first request, which loads the model."""
    if used is None or used.requests < 2:
        return 0.0
    return min(used.last - used.first, used.seconds or math.inf) / (used.requests - 1)


def table(estimates: Sequence[Estimate], prices: Prices) -> str:
    columns = list(zip(*estimates, strict=True))[1:] or [()] * 4  # without rows, of stages that ask nothing
    total = Estimate("all", *map(sum, columns))
    width = max(14, *(len(row.stage) + 2 for row in estimates), 0)
    lines = [f"{'stage':<{width}}{'requests':>11}{'tokens in':>15}{'tokens out':>14}{'cost':>12}{'time, at most':>16}"]
    for row in (*estimates, total):
        cost = prices.cost(row.prompt_tokens, row.completion_tokens)
        lines.append(
            f"{row.stage:<{width}}{row.requests:>11,}{row.prompt_tokens:>15,}{row.completion_tokens:>14,}"
            f"{cost:>12,.2f}{duration(row.seconds):>16}"
        )
    if estimates and not total.requests:
        lines.append("Nothing is left to ask: `sprout run` needs no further request.")
    if uncounted := [row.stage for row in estimates if row.requests and not row.prompt_tokens]:
        lines.append(
            f"The server reported no token counts for {', '.join(uncounted)}, so the table lacks these and their cost."
        )
    if prices == Prices():
        lines.append(
            "No prices are set, so the cost is 0: `--set prices.prompt=…`, `prices.completion=…`, per million tokens."
        )
    return "\n".join(lines)


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
