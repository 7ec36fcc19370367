"""Curves of the report over what a run has tuned: the loss by step, and the score by size of the dataset."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.evaluation.confidence import figure_text
from pipeline.gain.controls import SHARES
from pipeline.report.plots import ACCENT, INK, MUTED, Chart, hover, legend_above, plot

_MOST_POINTS = 1000  # on a line
_MODELS = {"model-seeds": ("seeds alone", MUTED), "model": ("dataset", ACCENT)}  # in the order they are drawn
_PARTS = {"eighth": "1/8", "quarter": "1/4", "half": "1/2", "dataset": "all"}
_LEVELS = {"base": ("base model", MUTED, "dotted"), "seeds": ("seeds alone", INK, "dashed")}

assert _PARTS.keys() == {*SHARES, "dataset"}


def training(runs: Mapping[str, Mapping[str, Any]]) -> Chart:
    """The loss on what is trained on, as it is and smoothed, and where there is one that on what is not."""
    chart = plot("steps", "loss")
    for name, (label, color) in _MODELS.items():
        record = runs.get(name, {})
        steps, losses = columns(record.get("loss", []))
        if not len(steps):
            continue
        smooth = smoothed(losses, max(1, len(losses) // 40))
        rows = np.unique(np.linspace(0, len(steps) - 1, min(_MOST_POINTS, len(steps))).astype(int))
        data = {"x": steps[rows].tolist(), "loss": losses[rows].tolist(), "smooth": smooth[rows].round(4).tolist()}
        chart.line("x", "loss", source=data, color=color, line_width=1, line_alpha=0.3)
        line = chart.line("x", "smooth", source=data, color=color, line_width=2.5, legend_label=label)
        hover(chart, [("tuned on", label), ("step", "@x{0,0}"), ("loss", "@smooth{0.000}")], line, "vline")
        steps, losses = columns(record.get("validation_loss", []))
        if len(steps):
            data = {"x": steps.tolist(), "loss": losses.tolist()}
            style: dict[str, Any] = {"source": data, "color": color, "legend_label": f"{label}, validation"}
            chart.line("x", "loss", line_width=2, line_dash="dashed", **style)
            marks = chart.scatter("x", "loss", size=7, **style)
            tips = [("tuned on", label), ("step", "@x{0,0}"), ("validation loss", "@loss{0.000}")]
            hover(chart, tips, marks, "mouse")
    chart.y_range.start = 0
    legend_above(chart)
    chart.legend.ncols = 2  # four in a row do not fit on a narrow screen
    return chart


def columns(points: Sequence[Sequence[Any]]) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    known = [point for point in points if point[1] is not None]
    steps, values = np.array(known, dtype=float).reshape(-1, 2).T
    return steps, values


def smoothed(values: "np.ndarray[Any, Any]", reach: int) -> "np.ndarray[Any, Any]":
    """The mean over `reach` values to each side, over fewer at the ends."""
    sums = np.concatenate([[0], np.cumsum(values)])
    first, last = np.arange(len(values)) - reach, np.arange(len(values)) + reach + 1
    first, last = np.maximum(first, 0), np.minimum(last, len(values))
    return np.asarray((sums[last] - sums[first]) / (last - first))


def sizes(gain: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of the dataset and its parts, the smallest first."""
    return sorted((row for row in gain if row.get("name") in _PARTS), key=lambda row: [*_PARTS].index(row["name"]))


def size_curve(gain: Sequence[Mapping[str, Any]]) -> Chart:
    """ROUGE-L by how much of the dataset is tuned on, with 95 % intervals; each step is a doubling."""
    rows = sizes(gain)
    places = [[*_PARTS].index(row["name"]) for row in rows]
    scores = [row["rouge_l"] for row in rows]
    counts = [max(row.get("rows") or [0]) for row in rows]
    data = {
        "x": places, "value": [score["value"] for score in scores],
        "low": [known(score, "low") for score in scores], "high": [known(score, "high") for score in scores],
        "part": [_PARTS[row["name"]] for row in rows], "rows": counts,
        "score": [figure_text(score, sign=False) for score in scores],
    }  # fmt: skip
    chart = plot("part of the dataset, and rows tuned on", "ROUGE-L")
    for row in gain:
        if row.get("name") in _LEVELS:
            label, color, dash = _LEVELS[row["name"]]
            style: dict[str, Any] = {"line_color": color, "line_dash": dash, "line_width": 1.5, "legend_label": label}
            chart.line([-0.3, len(_PARTS) - 0.7], [row["rouge_l"]["value"]] * 2, **style)
    chart.segment("x", "low", "x", "high", source=data, line_color=ACCENT, line_width=2)
    chart.line("x", "value", source=data, line_color=ACCENT, line_width=2.5, legend_label="dataset")
    marks = chart.scatter("x", "value", source=data, size=9, color=ACCENT, line_color=None)
    hover(chart, [("part", "@part"), ("rows", "@rows{0,0}"), ("ROUGE-L", "@score")], marks, "mouse")
    chart.xaxis.ticker = places
    named = zip(places, data["part"], counts, strict=True)
    chart.xaxis.major_label_overrides = {place: f"{part}\n{count:,}" for place, part, count in named}
    chart.x_range.start, chart.x_range.end, chart.y_range.start = -0.3, len(_PARTS) - 0.7, 0
    legend_above(chart)
    return chart


def known(score: Mapping[str, Any], which: str) -> float:
    """An end of the interval; of one without end, the value itself."""
    return float(score["value"] if score[which] is None else score[which])
