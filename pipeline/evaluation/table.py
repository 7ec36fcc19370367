"""An evaluation as text: scores side by side, differences, and lm-eval's figures."""

import sys
from collections.abc import Callable, Mapping, Sequence

from pipeline.evaluation.confidence import difference_text
from pipeline.evaluation.metrics import METRICS, Means
from pipeline.evaluation.record import Evaluation, Scored, Value


def table(evaluation: Evaluation, max_categories: int = 20) -> str:
    """Scores side by side, the difference of each pair, and lm-eval's figures.

    Overall, per set and track if there are several, and per category if there are not too many.
    """
    scored = {name: entry for name, entry in evaluation.items() if isinstance(entry, Scored)}
    return "\n\n".join(
        filter(None, (scores(scored, max_categories), differences(scored), wordings(scored), benchmarks(evaluation)))
    )


def scores(evaluation: Mapping[str, Scored], max_categories: int) -> str:
    if not evaluation:
        return ""
    models = list(evaluation.values())
    parts: list[tuple[str, Sequence[Means]]] = [("all", models)]
    for group, least, most in (("source", 2, sys.maxsize), ("track", 2, sys.maxsize), ("category", 1, max_categories)):
        means: list[Mapping[str, Means]] = [getattr(model, group) for model in models]
        keys = [key for key in means[0] if key]
        if least <= len(keys) <= most:
            parts += [(key, [one[key] for one in means]) for key in keys]
    rows = [["", *(f"{name} {title}" for name in evaluation for title in METRICS.values()), "instances"]]
    for title, figures in parts:
        cells = [f"{getattr(figure, metric):.1f}" for figure in figures for metric in METRICS]
        rows.append([title, *cells, str(figures[0].instances)])
    return aligned(rows, str.rjust)


def differences(evaluation: Mapping[str, Scored]) -> str:
    """The difference of each pair of models with its 95 % interval; empty if there is nothing to compare."""
    pairs = {
        f"{name} against {other}": figures
        for name, entry in evaluation.items()
        for other, figures in entry.against.items()
    }
    if not pairs:
        return ""
    found = [[name, *(difference_text(figures[metric]) for metric in METRICS)] for name, figures in pairs.items()]
    unit = next(iter(evaluation.values())).resampled
    title = f"difference, 95 % interval over {unit}s"
    return aligned([[title, *METRICS.values()], *found], str.ljust)


def wordings(evaluation: Mapping[str, Scored]) -> str:
    """Each model's scores over several wordings of the instances; empty if there is only one."""
    found = {name: entry.phrasings for name, entry in evaluation.items() if entry.phrasings}
    if not found:
        return ""
    titles = [f"{title} {figure}" for title in METRICS.values() for figure in ("mean", "worst", "spread")]
    cells = [
        [name, *(f"{figure:.1f}" for metric in METRICS for figure in dict(spreads[metric]).values())]
        for name, spreads in found.items()
    ]
    return aligned([["over the wordings", *titles], *cells], str.rjust)


def benchmarks(evaluation: Evaluation) -> str:
    """lm-eval's figures, a line for each task and metric; empty if it was not run."""
    found = {name: entry.lm_eval for name, entry in evaluation.items() if entry.lm_eval}
    if not found:
        return ""
    versions = dict.fromkeys(str(one.version) for one in found.values())
    keys = dict.fromkeys(
        (task, metric)
        for one in found.values()
        for task, figures in one.tasks.items()
        for metric, value in figures.items()
        if isinstance(value, (int, float)) and "_stderr" not in metric and "," in metric
    )
    rows = [[f"lm-eval {', '.join(versions)}", *found]]
    for task, metric in keys:
        name, _, kind = metric.partition(",")
        cells = [_figure(one.tasks.get(task, {}), name, kind) for one in found.values()]
        rows.append([f"{task} {name}" + (f" ({kind})" if kind != "none" else ""), *cells])
    return aligned(rows, str.rjust)


def _figure(figures: Mapping[str, Value], name: str, kind: str) -> str:
    value, error = (figures.get(key) for key in (f"{name},{kind}", f"{name}_stderr,{kind}"))
    if not isinstance(value, (int, float)):
        return "–"
    return f"{value:.4f} ± {error:.4f}" if isinstance(error, float) else f"{value:.4f}"


def aligned(rows: Sequence[Sequence[str]], adjust: Callable[[str, int], str]) -> str:
    """Aligned columns of text; the first is left-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[row[0].ljust(widths[0]), *map(adjust, row[1:], widths[1:])] for row in rows]
    return "\n".join("  ".join(line).rstrip() for line in lines)
