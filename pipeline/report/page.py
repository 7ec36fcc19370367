"""The page: figures, charts and tasks put in one file that asks nothing of any network."""

import base64
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.evaluation.confidence import difference_text, figure_text
from pipeline.evaluation.metrics import METRICS, metrics_in
from pipeline.gain.measure import listed
from pipeline.report import charts, plots, tasks
from pipeline.report.record import RunRecord
from pipeline.report.review.ratings import read_ratings
from pipeline.runs.budget import Prices
from pipeline.stage import Reason
from pipeline.stages import find, names
from pipeline.text import mend

ASSETS = Path(__file__).parent / "assets"
_MOST_VERBS, _MOST_NOUNS, _MOST_LABELS, _MOST_CATEGORIES = 20, 4, 12, 12


def render(record: RunRecord) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    scripts = [bokeh_js(), *(asset(name) for name in ("tasks.js", "browser.js", "family.js", "charts.js"))]
    columns, packed = tasks.fitted(record)
    drawn = charts.draw(record, [place for place in columns["place"] if place])
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent}
    return mend(
        environment.get_template("page.html").render(
            record=record, policy=policy(scripts), scripts=scripts, style=asset("page.css"),
            charts={name: for_script(text) for name, text in drawn.items()},
            colors=for_script(json.dumps({"dark": plots.DARK})),
            packed=packed, shown=len(columns["id"]), clusters=columns["clusters"], source=columns["source"],
            figures=figures(record), funnel=funnel(record), verbs=verbs(record), labels=labels(record),
            glossary=glossary(record), usage=usage(record),
            evaluation=evaluation(record), differences=differences(record), benchmarks=benchmarks(record),
            gain=gain(record), priced=record.prices != Prices(), recent=charts.recent(record),
            validated=any(one.get("validation_loss") for one in record.training.values()),
            stop_below=charts.STOP_BELOW, method=record.method,
            quality=record.quality, ratings=read_ratings(record.folder),
        )
    )  # fmt: skip


def for_script(text: str) -> str:
    """JSON that cannot end the script element it stands in, nor begin a comment there."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def policy(scripts: Iterable[str]) -> str:
    """What the browser may do: run these very scripts, and fetch nothing from anywhere."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        f"base-uri 'none'; form-action 'none'"
    )


@cache
def bokeh_js() -> str:
    """BokehJS as the installed package brings it (BSD-3-Clause)."""
    import bokeh

    source = (Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js").read_text(encoding="utf-8")
    text = source.replace("</script", "<\\/script").replace("\r\n", "\n")
    return f"/* BokehJS {version('bokeh')}, BSD-3-Clause, bokeh.org */\n{text}"


@cache
def asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def number(value: float) -> str:
    return f"{value:,.0f}"


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def figures(record: RunRecord) -> list[tuple[str, str]]:
    """The line at the top: a figure and what it counts."""
    kept = record.kept
    found = [
        (number(kept.tasks), "tasks kept"),
        (percent(kept.tasks, record.candidates), f"of {record.candidates:,} candidates"),
    ]
    if kept.instances:
        found.append((number(kept.instances), "instances"))
    if tokens := sum(used.prompt_tokens + used.completion_tokens for used in record.usage.values()):
        found.append((with_unit(tokens), "tokens paid for"))
    if record.prices != Prices():
        found.append((f"{sum(row['cost'] for row in usage(record)):,.2f}", "cost, at the prices of the run"))
    models = list(record.evaluation.values())
    if len(models) > 1 and all("rouge_l" in model for model in models):
        gain = models[-1]["rouge_l"] - models[0]["rouge_l"]
        found.append((f"{gain:+.1f}", f"ROUGE-L, {' to '.join([*record.evaluation][:: len(models) - 1])}"))
    return found


def with_unit(value: float) -> str:
    """Three digits of a large number, such as 1.23 M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return number(value)


def funnel(record: RunRecord) -> list[dict[str, Any]]:
    """By stage: what it decided and kept, and each reason with its count; `of` is what the widest bar stands for."""
    widest = max(counts.total() for counts in record.funnel.values()) or 1
    return [
        {
            "stage": stage, "decided": counts.total(), "kept": counts["kept"],
            "reasons": [(reason, count) for reason, count in counts.most_common() if reason != "kept"],
            "kept_share": 100 * counts["kept"] / widest,
            "rejected_share": 100 * (counts.total() - counts["kept"]) / widest,
        }
        for stage, counts in record.funnel.items()
    ]  # fmt: skip


def verbs(record: RunRecord) -> list[dict[str, Any]]:
    """The most frequent verbs with their most frequent nouns, as in figure 3 of the paper."""
    totals: dict[str, int] = {}
    for (verb, _), count in record.kept.verbs.items():
        totals[verb] = totals.get(verb, 0) + count
    most = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_VERBS]
    found = []
    for verb, total in most:
        nouns = [(noun, n) for (own, noun), n in record.kept.verbs.most_common() if own == verb and noun][:_MOST_NOUNS]
        rest = total - sum(count for _, count in nouns)
        parts = [(noun, count, 100 * count / total) for noun, count in nouns]
        found.append(
            {
                "verb": verb,
                "count": total,
                "nouns": parts,
                "rest": 100 * rest / total,
                "width": 100 * total / most[0][1],
            }
        )
    return found


def labels(record: RunRecord) -> list[tuple[str, int, float]]:
    most = record.kept.labels.most_common(_MOST_LABELS)
    return [(label, count, 100 * count / most[0][1]) for label, count in most]


def glossary(record: RunRecord) -> list[tuple[str, str, int, Reason]]:
    """Each reason for which a stage rejected tasks: the stage, how many, and what it says the reason means."""
    found = []
    for stage, counts in record.funnel.items():
        kind = stage.partition("-")[0]
        meanings = getattr(find(kind), "reasons", {}) if kind in names() else {}
        for reason, count in counts.most_common():
            if reason != "kept":
                found.append((reason, stage, count, meanings.get(reason, Reason(""))))
    return found


def usage(record: RunRecord) -> list[dict[str, Any]]:
    found = []
    for stage, used in record.usage.items():
        speed = "–" if used.tokens_per_second is None else f"{used.tokens_per_second:,.0f}"
        time = f"{used.seconds:,.0f} s" if used.seconds < 600 else f"{used.seconds / 60:,.0f} min"
        cost = record.prices.cost(used.prompt_tokens, used.completion_tokens)
        kept = record.funnel[stage]["kept"] if stage in record.funnel else 0
        each = f"{used.completion_tokens / kept:,.1f}" if kept else "–"
        found.append(used._asdict() | {"stage": stage, "speed": speed, "time": time, "cost": cost, "each": each})
    return found


def evaluation(record: RunRecord) -> dict[str, Any]:
    """Rows of name, instances, and all metrics of each model; categories with the largest gain first."""
    models = {
        name: model for name, model in record.evaluation.items() if isinstance(model, dict) and "rouge_l" in model
    }
    if not models:
        return {}
    every = list(models.values())

    metrics = metrics_in(every)

    def row(name: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "name": name, "instances": parts[0].get("instances", 0), "rouge_l": [part["rouge_l"] for part in parts],
            "cells": [part[metric] for part in parts for metric in metrics],
        }  # fmt: skip

    groups = [model.get("category", {}) for model in every]
    rows = [
        row(key, [group[key] for group in groups]) for key in groups[0] if key and all(key in group for group in groups)
    ]
    rows.sort(key=lambda one: (one["rouge_l"][0] - one["rouge_l"][-1], one["name"]))
    names = [METRICS[metric] for metric in metrics]
    return {"models": list(models), "metrics": names, "all": row("all", every), "rows": rows, "most": _MOST_CATEGORIES}


def differences(record: RunRecord) -> dict[str, Any]:
    """Every two models of the evaluation, and how far they are apart by each metric, with intervals."""
    pairs = {
        f"{name} against {other}": figures
        for name, model in record.evaluation.items() if isinstance(model, dict)
        for other, figures in model.get("against", {}).items()
    }  # fmt: skip
    metrics = metrics_in(pairs.values())
    rows = [(name, [difference_text(figures[metric]) for metric in metrics]) for name, figures in pairs.items()]
    return {"metrics": [METRICS[metric] for metric in metrics], "rows": rows} if rows else {}


def benchmarks(record: RunRecord) -> dict[str, Any]:
    """What the lm-evaluation-harness says, by task and metric: a cell for each model, with the standard error."""
    models = {
        name: model["lm_eval"]["tasks"]
        for name, model in record.evaluation.items() if isinstance(model, dict) and "lm_eval" in model
    }  # fmt: skip
    keys = dict.fromkeys(
        (task, key)
        for tasks in models.values() for task, figures in tasks.items() for key, value in figures.items()
        if isinstance(value, int | float) and "_stderr" not in key
    )  # fmt: skip

    def cell(figures: dict[str, Any], key: str) -> str:
        error = figures.get("_stderr,".join(key.split(",", 1)))
        value = figures.get(key, "–")
        shown = f"{value:.3f}" if isinstance(value, float) else f"{value}"
        return f"{shown} ± {error:.3f}" if isinstance(error, float) else shown

    rows = [
        (f"{task}, {key.removesuffix(',none')}", [cell(tasks.get(task, {}), key) for tasks in models.values()])
        for task, key in keys
    ]
    return {"models": list(models), "rows": rows} if rows else {}


def gain(record: RunRecord) -> dict[str, Any]:
    """What was tuned on, and: rows, steps, each metric with its interval, how the dataset compares by ROUGE-L."""
    found, metrics = [], metrics_in(record.gain)
    for row in record.gain:
        counts = [listed(row.get(key, [])) for key in ("rows", "steps")]
        scores = [figure_text(row[metric], sign=False) for metric in metrics]
        found.append((row["tuned_on"], [*counts, *scores, difference_text(row.get("dataset", {}).get("rouge_l"))]))
    return {"metrics": [METRICS[metric] for metric in metrics], "rows": found} if found else {}
