"""The charts of the report, by Bokeh, each as the JSON that BokehJS draws."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.report.curves import size_curve, sizes, training
from pipeline.report.plots import ACCENT, INK, KEPT, MUTED, PAPER, REJECTED, Chart, hover, legend_above, plot
from pipeline.report.record import RunRecord
from pipeline.report.sunburst import sunburst
from pipeline.report.tasks import MIN_MAPPED

STOP_BELOW = 10  # per cent of candidates that are kept
_BINS = 50
_MOST_POINTS = 400  # on a line


def draw(record: RunRecord, places: Sequence[Sequence[float]] = ()) -> dict[str, str]:
    """By name, the JSON of each chart that the run has figures for; `places` are those of the tasks on the map."""
    charts: dict[str, Chart] = {}
    if record.decided:
        charts |= {"pool": pool(record), "acceptance": acceptance(record)}
    if record.kept_rouge or record.rejected_rouge:
        charts["rouge"] = rouge(record)
    if record.seed_rouge:
        charts["seeds"] = to_seeds(record)
    if places:
        charts["map"] = dataset_map(places)
    charts |= {f"words_{part}": words(part, counts) for part, counts in record.kept.words.items() if counts}
    if record.kept.tasks >= MIN_MAPPED and record.kept.verbs:
        charts["sunburst"] = sunburst(record.kept.verbs)
    if record.training:
        charts["training"] = training(record.training)
    if len(sizes(record.gain)) > 1:
        charts["gain"] = size_curve(record.gain)
    return {name: as_json(name, chart) for name, chart in charts.items()}


def as_json(name: str, chart: Chart) -> str:
    from bokeh.core.types import ID
    from bokeh.embed import json_item

    return json.dumps(json_item(chart, ID(f"chart-{name}")), separators=(",", ":"))


def windows(record: RunRecord) -> list[tuple[int, int, int, int]]:
    """(first request, last request, candidates, kept) of some sixty windows of requests of the same length."""
    count = len(record.decided)
    size = max(1, math.ceil(count / 60))
    starts = range(0, count, size)
    ends = [min(count, start + size) for start in starts]
    return [
        (start, end - 1, sum(record.decided[start:end]), sum(record.accepted[start:end]))
        for start, end in zip(starts, ends, strict=True)
    ]


def recent(record: RunRecord) -> float:
    """How many per cent of the candidates of the last tenth of all requests, 20 at least, were kept."""
    last = max(20, len(record.decided) // 10)
    return 100 * sum(record.accepted[-last:]) / max(1, sum(record.decided[-last:]))


def pool(record: RunRecord) -> Chart:
    candidates, kept = np.cumsum(record.decided), np.cumsum(record.accepted)
    rows = np.unique(np.linspace(0, len(kept) - 1, min(_MOST_POINTS, len(kept))).astype(int))
    chart = plot("requests", "tasks")
    data = {"x": (rows + 1).tolist(), "kept": kept[rows].tolist(), "all": candidates[rows].tolist()}
    chart.line("x", "all", source=data, color=MUTED, line_width=1.5, legend_label="candidates")
    line = chart.line("x", "kept", source=data, color=KEPT, line_width=2.5, legend_label="kept")
    hover(chart, [("requests", "@x{0,0}"), ("candidates", "@all{0,0}"), ("kept", "@kept{0,0}")], line, "vline")
    chart.y_range.start = 0
    legend_above(chart)
    return chart


def acceptance(record: RunRecord) -> Chart:
    shown = [window for window in windows(record) if window[2]]
    data = {
        "left": [first + 0.5 for first, _, _, _ in shown], "right": [last + 1.5 for _, last, _, _ in shown],
        "rate": [100 * kept / decided for _, _, decided, kept in shown],
        "of": [f"{kept} of {decided}" for _, _, decided, kept in shown],
    }  # fmt: skip
    chart = plot("requests", "% of candidates kept")
    style: dict[str, Any] = {"fill_color": KEPT, "line_color": PAPER, "line_width": 0.5}
    bars = chart.quad(left="left", right="right", bottom=0, top="rate", source=data, **style)
    chart.line([0, len(record.decided)], [STOP_BELOW] * 2, color=INK, line_dash="dashed", line_width=1.5)
    hover(chart, [("requests", "@left{0} to @right{0}"), ("kept", "@of"), ("rate", "@rate{0.0} %")], bars, "mouse")
    chart.y_range.start, chart.y_range.end = 0, 100
    return chart


def rouge(record: RunRecord) -> Chart:
    edges = np.arange(_BINS + 1) / _BINS
    scores = [max(0.0, near.score - 1e-9) for near in record.kept_rouge.values()]  # exactly at max_rouge is left of it
    kept = np.histogram(scores, edges)[0].astype(float)
    kept *= record.funnel[record.writer]["kept"] / max(1.0, kept.sum())  # of a sample: as many as there are in all
    rejected = np.histogram(np.asarray(record.rejected_rouge), edges)[0]
    data = {"left": edges[:-1].tolist(), "right": edges[1:].tolist(), "kept": kept.round(1).tolist()}
    data |= {"both": (kept + rejected).tolist(), "rejected": rejected.tolist()}
    chart = plot("ROUGE-L to the closest text before it", "candidates")
    style: dict[str, Any] = {"source": data, "line_color": PAPER, "line_width": 0.5}
    bars = chart.quad("left", "right", "kept", 0, fill_color=KEPT, legend_label="kept", **style)
    top = chart.quad("left", "right", "both", "kept", fill_color=REJECTED, legend_label="rejected", **style)
    chart.line([record.max_rouge] * 2, [0, max(1.0, *data["both"])], color=INK, line_dash="dashed", line_width=1.5)
    tips = [("ROUGE-L", "@left{0.00} to @right{0.00}"), ("kept", "@kept{0,0}"), ("rejected", "@rejected{0,0}")]
    hover(chart, tips, [bars, top], "mouse")
    chart.x_range.start, chart.x_range.end, chart.y_range.start = 0, 1, 0
    legend_above(chart)
    return chart


def to_seeds(record: RunRecord) -> Chart:
    """As figure 5 of the paper."""
    chart = histogram(list(record.seed_rouge.values()), "ROUGE-L to the closest seed", "tasks", ACCENT)
    chart.x_range.start, chart.x_range.end = 0, 1
    return chart


def histogram(values: Sequence[float], x_title: str, y_title: str, color: str) -> Chart:
    counts, edges = np.histogram(values, np.arange(_BINS + 1) / _BINS)
    data = {"left": edges[:-1].tolist(), "right": edges[1:].tolist(), "count": counts.tolist()}
    chart = plot(x_title, y_title)
    bars = chart.quad("left", "right", "count", 0, source=data, fill_color=color, line_color=PAPER, line_width=0.5)
    hover(chart, [("ROUGE-L", "@left{0.00} to @right{0.00}"), (y_title, "@count{0,0}")], bars, "mouse")
    chart.y_range.start = 0
    return chart


def words(part: str, counts: Counter[int]) -> Chart:
    """How long texts are, in words; the longest hundredth is counted in the last bar."""
    values = np.repeat(np.array(sorted(counts)), [counts[value] for value in sorted(counts)])
    most = max(1, int(np.percentile(values, 99)))
    step = max(1, math.ceil((most + 1) / 40))
    edges = np.arange(0, most + step + 1, step)
    found = np.histogram(np.minimum(values, edges[-1] - 1), edges)[0]
    data = {"left": (edges[:-1] - 0.5).tolist(), "right": (edges[1:] - 0.5).tolist(), "count": found.tolist()}
    data["range"] = [str(left) if step == 1 else f"{left} to {left + step - 1}" for left in edges[:-1]]
    data["range"][-1] = f"{edges[-2]} or more"
    chart = plot("words", "", height=190)
    bars = chart.quad("left", "right", "count", 0, source=data, fill_color=ACCENT, line_color=PAPER, line_width=0.5)
    hover(chart, [("words", "@range"), (f"{part}s", "@count{0,0}")], bars, "mouse")
    chart.y_range.start = 0
    return chart


def dataset_map(places: Sequence[Sequence[float]]) -> Chart:
    """Axes without points: the page puts the tasks in, so that each is in it once."""
    from bokeh.models import ColumnDataSource, Range1d

    chart = plot("", "", height=460)
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    margin = 0.04 * np.maximum(high - low, 1e-6)
    for axis, name in enumerate(("x_range", "y_range")):
        setattr(chart, name, Range1d(start=float((low - margin)[axis]), end=float((high + margin)[axis])))
    source = ColumnDataSource({"x": [], "y": [], "color": [], "alpha": [], "text": [], "row": []}, name="places")
    size = 8 if len(places) < 1500 else 6 if len(places) < 5000 else 4
    style: dict[str, Any] = {"fill_color": "color", "fill_alpha": "alpha", "line_color": None, "size": size}
    style |= {"nonselection_fill_alpha": "alpha", "hover_fill_color": INK}
    marks = chart.scatter("x", "y", source=source, **style)
    chart.axis.visible = False
    chart.grid.visible = False
    tool = hover(chart, "@text", marks, "mouse")
    tool.point_policy, tool.limit = "snap_to_data", 2
    chart.add_tools("tap", "wheel_zoom", "pan", "reset")
    chart.toolbar_location = "right"
    chart.toolbar.logo = None
    return chart
