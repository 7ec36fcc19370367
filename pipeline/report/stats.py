"""What became of every candidate of a run, stage by stage."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipeline.runs.files import funnel, kept_by_place, stage_files
from pipeline.runs.products import write_record
from pipeline.runs.shards import usage
from pipeline.stage import Product, Stage

if TYPE_CHECKING:
    from pipeline.runs.journal import Usage


MIN_WIDTH = 14  # characters


class EngineUsage(BaseModel):
    """The requests, tokens and time of a stage as in `journal.Usage`, with rates and shares, as in `stats.json`."""

    model_config = ConfigDict(frozen=True)

    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    first: float  # when its first completion arrived, seconds since 1970
    last: float
    seconds: float  # at work, in all sittings; 0 if it was not measured
    busy: float  # of them, while the engine was busy
    in_flight: float  # requests, on average, while it was busy
    tokens_per_second: float | None  # of completions, while at work
    tokens_per_kept_task: float
    busy_share: float  # of `seconds`, from 0 to 1


class StageFigures(BaseModel):
    """What a stage decided, and what the engine did for it if it asked any."""

    model_config = ConfigDict(frozen=True)

    decided: int
    kept: int
    rejected: dict[str, int]  # by reason
    by_place: tuple[tuple[int, int], ...] = ()  # of tasks read from lists: kept and decided, by their place in these
    engine: EngineUsage | None = None


class ProductFigures(BaseModel):
    """What the engine did for a product, such as an evaluation."""

    model_config = ConfigDict(frozen=True)

    engine: EngineUsage


Figures = Mapping[str, StageFigures | ProductFigures]


def show(found: Figures) -> str:
    """The funnel of `figures` as text: in each line, what was decided is what was kept plus what was rejected."""
    width = width_of(found)
    lines = [f"{'stage':<{width}}{'decided':>9}{'kept':>9}{'rejected':>10}   reasons"]
    for stage, one in found.items():
        if isinstance(one, StageFigures):
            reasons = ", ".join(f"{reason} {n}" for reason, n in one.rejected.items())
            rejected = one.decided - one.kept
            lines.append(f"{stage:<{width}}{one.decided:>9,}{one.kept:>9,}{rejected:>10,}   {reasons}".rstrip())
    for stage, one in found.items():
        if isinstance(one, StageFigures) and len(one.by_place) > 1:
            places = ", ".join(f"{kept:,} of {decided:,}" for kept, decided in one.by_place)
            lines.append(f"\n{stage}, kept by position in the model's list: {places}")
    return "\n".join(lines)


def width_of(names: Iterable[str]) -> int:
    """Of a column with the names of stages, such as evolve-deepen."""
    return max(MIN_WIDTH, *(len(name) + 2 for name in names), 0)


def figures(folder: Path) -> Figures:
    """All of it: by stage, what was kept, what was rejected by reason, and what the engine did for it.

    Raises:
        SproutError: if the folder holds no stage file.
    """
    engines, files = usage(folder), stage_files(folder)
    found: dict[str, StageFigures | ProductFigures] = {}
    for stage, counts in funnel(folder).items():
        kept = counts.pop("kept", 0)
        engine = _engine_usage(engines[stage], kept) if stage in engines else None
        rejected = dict(counts.most_common())
        listed = any(isinstance(one, StageFigures) and one.by_place for one in found.values())  # and passed on since
        by_place = () if listed else tuple(kept_by_place(files[stage]))
        found[stage] = StageFigures(
            decided=kept + counts.total(), kept=kept, rejected=rejected, by_place=by_place, engine=engine
        )
    for name, used in engines.items():
        if name not in found:
            found[name] = ProductFigures(engine=_engine_usage(used, 0))
    return found


def as_record(found: Figures) -> dict[str, dict[str, Any]]:
    """Figures as they stand in `stats.json`; a stage that asked no engine has none of its figures."""
    return {name: one.model_dump(mode="json", exclude_defaults=True) for name, one in found.items()}


def write(folder: Path) -> Figures:
    """Write `stats.json`, and return what is in it."""
    found = figures(folder)
    write_record(folder / "stats.json", as_record(found))
    return found


def show_usage(found: Figures) -> str:
    """What each stage has paid for by `figures`, as text; empty if the run has no journal."""
    width = width_of(found)
    names = (
        f"{'stage':<{width}}{'requests':>9}{'tokens in':>13}{'cached':>8}{'tokens out':>12}{'per kept':>10}{'per s':>8}"
    )
    lines = [f"{names}{'busy':>6}{'in flight':>10}"]
    for stage, one in found.items():
        if engine := one.engine:
            cached = engine.cached_tokens / max(1, engine.prompt_tokens)
            each = f"{engine.tokens_per_kept_task:,.1f}" if isinstance(one, StageFigures) and one.kept else ""
            speed = "–" if engine.tokens_per_second is None else f"{engine.tokens_per_second:,.0f}"
            lines.append(
                f"{stage:<{width}}{engine.requests:>9,}{engine.prompt_tokens:>13,}{cached:>8.0%}"
                f"{engine.completion_tokens:>12,}{each:>10}"
                f"{speed:>8}{engine.busy_share:>6.0%}{engine.in_flight:>10,.1f}"
            )
    return "\n".join(lines) if len(lines) > 1 else ""


def summary(folder: Path, found: Figures, stages: Sequence[Stage | Product] = ()) -> str:
    """What a run has come to, where it is, and what can be done with it.

    Args:
        found: The figures of the run; empty where there is nothing but an evaluation.
        stages: Those of the run, whose products say what has come of them.
    """
    products = [stage for stage in stages if isinstance(stage, Product)]
    parts = [show(found)] if found else []
    parts += [product.summary(folder) for product in products]
    places = {product.written: product.caption for product in products if product.caption}
    places |= {"report.html": "all figures and all tasks, on one page"}
    parts.append("\n".join(f"{folder / name}  {what}" for name, what in places.items() if (folder / name).exists()))
    if found:
        run = shlex.quote(str(folder))
        parts.append(f"next:\n  sprout stats {run}\n  sprout show {run}")
    return "\n\n".join(filter(None, parts))


def _engine_usage(used: "Usage", kept: int) -> EngineUsage:
    return EngineUsage(
        **used._asdict(),
        tokens_per_second=used.tokens_per_second,
        tokens_per_kept_task=used.completion_tokens / max(kept, 1),
        busy_share=used.busy / max(used.seconds, 1e-9),
    )
