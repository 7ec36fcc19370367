"""A sunburst chart: the verbs of a dataset and their nouns, in two rings."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.plots import CLUSTERS, FONT, INK, PAPER, Chart, hover, plot


def sunburst(verbs: Mapping[tuple[str, str], int]) -> Chart:
    """As figure 3 of the paper: the 20 most frequent verbs inside, the 4 most frequent nouns of each around them."""
    totals: Counter[str] = Counter()
    for (verb, _), count in verbs.items():
        totals[verb] += count
    wedges: list[tuple[float, float, str, int, int, str]] = []  # from, to, text, count, ring, colour
    for color, (verb, _) in zip(itertools.cycle(CLUSTERS), totals.most_common(20), strict=False):
        nouns = Counter({noun: n for (own, noun), n in verbs.items() if own == verb and noun}).most_common(4)
        at = start = wedges[-1][1] if wedges else 0.0
        inner = len(wedges)
        for noun, count in nouns:
            wedges.append((at, at + count, noun, count, 1, color))
            at += count
        if nouns:
            wedges.insert(inner, (start, at, verb, totals[verb], 0, color))
    whole = max((end for _, end, *_ in wedges), default=0.0) or 1.0
    return _rings([(2 * math.pi * a / whole, 2 * math.pi * b / whole, *rest) for a, b, *rest in wedges])


def _rings(wedges: Sequence[tuple[Any, ...]]) -> Chart:
    from bokeh.models import ColumnDataSource

    start, end, texts, counts, rings, colors = (list(column) for column in zip(*wedges, strict=True))
    middle = [(a + b) / 2 for a, b in zip(start, end, strict=True)]
    inside = [0.2 if ring == 0 else 0.58 for ring in rings]
    outside = [0.57 if ring == 0 else 1.0 for ring in rings]
    far = [0.385 if ring == 0 else 0.79 for ring in rings]
    wide = [(b - a) * r > 0.042 for a, b, r in zip(start, end, far, strict=True)]  # enough for a line of text
    data = {
        "start": start, "end": end, "inside": inside, "outside": outside, "color": colors, "count": counts,
        "text": texts, "alpha": [0.8 if ring == 0 else 0.45 for ring in rings],
        "label": [clipped(text) if fits else "" for text, fits in zip(texts, wide, strict=True)],
        "x": [r * math.cos(a) for r, a in zip(far, middle, strict=True)],
        "y": [r * math.sin(a) for r, a in zip(far, middle, strict=True)],
        "angle": [a if math.cos(a) >= 0 else a + math.pi for a in middle],
    }  # fmt: skip
    chart = plot("", "", height=640)
    chart.x_range.start, chart.x_range.end, chart.y_range.start, chart.y_range.end = -1.02, 1.02, -1.02, 1.02
    chart.update(sizing_mode="fixed", width=640, min_border=0)
    chart.axis.visible = chart.grid.visible = False
    rings_style: dict[str, Any] = {"fill_color": "color", "fill_alpha": "alpha", "line_color": PAPER}
    source = ColumnDataSource(data)
    marks = chart.annular_wedge(0, 0, "inside", "outside", "start", "end", source=source, **rings_style)
    style: dict[str, Any] = {"text_font": {"value": FONT}, "text_font_size": "13px", "text_color": INK}
    chart.text("x", "y", "label", "angle", source=source, text_align="center", text_baseline="middle", **style)
    hover(chart, [("", "@text"), ("tasks", "@count{0,0}")], marks, "mouse")
    return chart


def clipped(text: str) -> str:
    return text if len(text) < 15 else f"{text[:13]}…"
