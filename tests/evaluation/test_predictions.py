"""Predictions made elsewhere are scored as those made here, and the figures are those of the published computation."""

import json
import random
import string
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.evaluation.answers import score_file
from pipeline.evaluation.heldout import HeldOut, read_heldout, read_sets
from pipeline.evaluation.metrics import Means, open_tokenizer
from pipeline.evaluation.predictions import answers_in, read_predictions
from pipeline.evaluation.record import read_evaluation
from pipeline.evaluation.table import table
from pipeline.runs.context import Context
from pipeline.stages.evaluate import Evaluate
from tests.stages.conftest import save_model

TEXT = "The cats, sat; on a running Train! 42 U.S.A. well-known Überraschung 東京 駅 は Yes no… it's"
WORDS = TEXT.split(" ")
CATEGORIES = ("Textual Entailment", "Title  Generation")


def text(rng: random.Random) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randrange(6)))


def rows(track: str, rng: random.Random) -> list[dict]:
    return [
        {
            "id": f"{track}-{n}", "references": [text(rng) or "yes" for _ in range(rng.randrange(1, 4))],
            "task_id": f"{track}_task{n % 5}", "task_category": CATEGORIES[n % 2], "track": track,
        }
        for n in range(60)
    ]  # fmt: skip


class Pieces:
    """Cuts text as the published evaluation does, with the tokenizer in a folder."""

    def __init__(self, folder: str) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")

    def tokenize(self, text: str) -> list[str]:
        return [piece.lstrip("Ġ") for piece in self.tokenizer.encode(text, add_special_tokens=False).tokens]


def normal(text: str) -> str:
    return " ".join("".join(c for c in text.lower() if c not in string.punctuation).split())


def expected(rows: list[dict], given: dict[str, str], scorer: RougeScorer) -> dict[str, float]:
    """Computed without the project: FACTS of arXiv 2204.07705, a mean over instances, rounded to 4 decimals."""
    rouge = [
        max(scorer.score(r, given.get(row["id"], ""))["rougeL"].fmeasure for r in row["references"]) for row in rows
    ]
    exact = [any(normal(r) == normal(given.get(row["id"], "")) for r in row["references"]) for row in rows]
    return {
        "instances": len(rows),
        "rouge_l": round(100 * sum(rouge) / len(rows), 4),
        "exact_match": round(100 * sum(exact) / len(rows), 4),
    }


def write(path: Path, lines: list[dict]) -> str:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return str(path)


def test_published_references_and_predictions_get_the_published_scores_per_track_category_and_task(tmp_path):
    folder = save_model(tmp_path / "tokenizer")
    (tmp_path / "tokenizer" / "config.json").unlink()  # a tokenizer is enough
    rng = random.Random("published")
    tracks = {track: rows(track, rng) for track in ("default", "xlingual")}
    every = [row for track in tracks.values() for row in track]
    given = {row["id"]: rng.choice([row["references"][0].upper(), text(rng), f"{text(rng)}\n"]) for row in every[7:]}
    references = write(tmp_path / "references.jsonl", every)
    predictions = write(tmp_path / "t5.jsonl", [{"id": id, "prediction": said, "x": 1} for id, said in given.items()])
    scorers = {
        "default": RougeScorer(["rougeL"], use_stemmer=True),
        "xlingual": RougeScorer(["rougeL"], tokenizer=Pieces(folder)),
    }

    run = Context(seeds=(), engine=Scripted(lambda request: ""), folder=tmp_path)
    settings = {"heldout": references, "models": {}, "predictions": {"t5": predictions}, "tokenizer": folder}
    Evaluate.model_validate(settings).make((), run)
    found = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["t5"]

    shown = table(read_evaluation(tmp_path)).splitlines()
    assert found["missing"] == 7
    for track, lines in tracks.items():
        figures = found["track"][track]
        categories = figures.pop("category")
        for one in (figures, *categories.values(), *found["task"].values()):
            one.pop("match", None)
        assert figures == expected(lines, given, scorers[track])
        assert figures["rouge_l"] > 10
        for category in CATEGORIES:
            some = [line for line in lines if line["task_category"] == category]
            assert categories["_".join(category.lower().split())] == expected(some, given, scorers[track])
        for task in {line["task_id"] for line in lines}:
            some = [line for line in lines if line["task_id"] == task]
            assert found["task"][task] == expected(some, given, scorers[track])
    assert [line.split()[0] for line in shown[1:]] == [
        "all",
        "default",
        "xlingual",
        "textual_entailment",
        "title_generation",
    ]


def test_the_xlingual_track_needs_its_tokenizer_and_no_other_does(tmp_path):
    one = HeldOut(id="1", task="t", instruction="?", outputs=("a",))
    gone = str(tmp_path / "gone")

    assert open_tokenizer([one], gone) is None
    with pytest.raises(
        SproutError, match=r"gone: cannot be loaded as the tokenizer of the xlingual track .*evaluate\.tok"
    ):
        open_tokenizer([one, one.model_copy(update={"track": "xlingual"})], gone)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "a"}', "prediction is missing; a row holds `id` and `prediction`"),
        ('{"id": "a", "prediction": ["b"]}', r"prediction: input should be a valid string \(found \['b'\]\)"),
        ('{"id": {}, "prediction": "b"}', r"id: input should be a valid string \(found {}\)"),
        ('{"prediction": "b"}', "id is missing; a row holds `id` and `prediction`"),
        ('{"id": "a", "prediction": "', "not JSON"),
    ],
)
def test_a_line_that_is_no_prediction_is_named(tmp_path, line, message):
    path = tmp_path / "p.jsonl"
    path.write_text('{"id": "z", "prediction": "a"}\n\n' + line + "\n")
    with pytest.raises(SproutError, match=f"p.jsonl:3: {message}"):
        list(read_predictions(path))
    with pytest.raises(SproutError, match=r"gone.jsonl: cannot be read"):
        list(read_predictions(tmp_path / "gone.jsonl"))


def test_ids_are_found_with_or_without_the_name_of_their_set(tmp_path, caplog):
    for name in ("one", "two"):
        lines = [{"id": id, "instruction": "?", "output": "a"} for id in (f"{name}1", "both")]
        write(tmp_path / f"{name}.jsonl", lines)
    heldout = read_sets([str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl")])
    given = [("one1", "x"), ("two/two1", "x"), ("both", "x"), ("two/both", "y"), ("one1", "z")]
    path = Path(write(tmp_path / "p.jsonl", [{"id": id, "prediction": said} for id, said in given]))

    assert answers_in(path, heldout) == ({"one/one1": "z", "two/two1": "x", "two/both": "y"}, ["both"])
    assert caplog.messages == [f"evaluate: {path}: 1 ids occur again, and the last prediction counts"]
    with pytest.raises(
        SproutError, match=r"holds no prediction for any of the 1 held-out instances; an id looks like one/both"
    ):
        answers_in(Path(write(tmp_path / "p.jsonl", [{"id": "c", "prediction": ""}])), heldout[1:2])


def test_predictions_that_are_missing_count_as_empty(tmp_path, caplog):
    rows = [
        {"id": f"{task}{n}", "task": task, "instruction": "?", "output": "The 3 cats."}
        for task in "ab"
        for n in range(3)
    ]
    heldout = read_heldout(write(tmp_path / "heldout.jsonl", rows))
    path = write(tmp_path / "p.jsonl", [{"id": "a0", "prediction": "3 cats"}, {"id": "b0", "prediction": "THE 3 CATS"}])
    found = score_file(heldout, path, tmp_path / "scored.jsonl")

    assert found.means.task["a"] == Means(instances=3, rouge_l=26.6667, exact_match=0, match=0)
    assert found.means.task["b"].exact_match == 33.3333
    assert found.missing == 4
    assert [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()] == [
        {"id": "a0", "prediction": "3 cats", "rouge_l": 0.8, "exact_match": 0, "match": 0},
        {"id": "b0", "prediction": "THE 3 CATS", "rouge_l": 1, "exact_match": 1, "match": 1},
    ]
    assert caplog.messages == [f"evaluate: {path}: 4 of 6 answers are missing, counted as empty"]
