"""Repairs by the model, blind ratings, and where the figures and records of a review go."""

import json
import time

import pytest

from pipeline import Completion, SproutError, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.report import write_report
from pipeline.report.record import read_run
from pipeline.report.review import argilla
from pipeline.report.review.answers import answers_of
from pipeline.report.review.queue import Choice, tasks_of
from pipeline.report.review.ratings import read_ratings
from pipeline.report.review.repair import Repairs
from pipeline.report.show import ANY, find
from pipeline.runs.reviews import FILE
from pipeline.stages import Classify, Export, Filter, Instances, Instructions
from tests.conftest import answer
from tests.report.reviewing import GOOD, WRONG, Visitor, folder, lines, numbered, predicted, served

__all__ = ["folder"]


@pytest.fixture
def opened() -> list[int]:
    return []


@pytest.fixture
def repairs(folder, opened) -> Repairs:
    def open_engine() -> Scripted:
        opened.append(1)
        return Scripted(numbered)

    return Repairs(folder, open_engine)


def test_a_repair_is_tried_on_one_task_then_done_to_all_and_taken_back_at_once(folder, repairs, opened, capsys):
    before = {task.id: task for task in find(folder)}
    with served(tasks_of(folder, Choice()), repairs) as url:
        anna = Visitor(url)
        assert anna.get("start")["repairs"]
        assert not opened
        item = anna.get("items", first=0, count=1)["items"][0]
        tried = anna.post("try", id=item["id"], note="name the part number")
        assert tried["after"]["instances"][0]["output"].endswith(
            "It is part 16." if len(item["instances"][0]["output"]) == 16 else "."
        )
        assert not (folder / FILE).exists()
        count = anna.get("found", search="euros")["count"]
        anna.post("repair", note="name the part number", search="euros")
        while (state := anna.get("repair"))["running"]:
            time.sleep(0.02)

    assert opened == [1]
    assert (count, state["total"], state["done"], state["changed"]) == (22, 22, 22, 21)
    assert "1 are as they were; the first: the model gave no text" in state["problem"]
    assert all(
        "It is part" in task.instances[0].output
        for task in find(folder)
        if "It costs 3 " not in task.instances[0].output
    )
    line = lines(folder)[0]
    assert (line["note"], line["model"], line["before"]["instruction"]) == (
        "name the part number",
        "scripted",
        before[line["task"]].instruction,
    )
    main(["edit", str(folder), "--undo"])
    assert "21 tasks restored from before the repair “name the part number”" in capsys.readouterr().out
    assert {task.id: task for task in find(folder)} == before


def test_a_repair_that_fails_says_why_and_changes_nothing(folder):
    broken = Scripted(lambda request: Completion(id=request.id, text="the server is on fire", finish_reason="error"))
    with served(tasks_of(folder, Choice()), Repairs(folder, lambda: broken)) as url:
        anna = Visitor(url)
        item = anna.get("items", first=0, count=1)["items"][0]
        assert "the server is on fire" in anna.post("try", id=item["id"], note="shorter")["error"]
        assert "say what to change" in anna.post("try", id=item["id"], note=" ")["error"]
        anna.post("repair", note="shorter", search="")
        while (state := anna.get("repair"))["running"]:
            time.sleep(0.02)
        assert "the server is on fire" in state["problem"]
    assert not (folder / FILE).exists()


def test_without_a_model_a_repair_says_how_to_get_one(folder):
    with served(tasks_of(folder, Choice())) as url:
        assert "--settings" in Visitor(url).post("try", id="x", note="y")["error"]


def test_answers_are_rated_without_names_and_the_same_answer_once(tmp_path):
    heldout = predicted(tmp_path / "run")
    desk = answers_of(tmp_path / "run", "base,tuned", [str(heldout)], Choice(sample=0))
    with served(desk) as url:
        anna, bo = Visitor(url, "anna"), Visitor(url, "bo")
        page = json.dumps(anna.get("items", first=0, count=20)) + json.dumps(anna.get("start"))
        assert '"model' not in page
        assert len(anna.get("items", first=0, count=1)["items"][0]["answers"]) == 1
        orders = set()
        for visitor in (anna, bo):
            for place in range(8):
                texts = [one["text"] for one in visitor.get("items", first=place, count=1)["items"][0]["answers"]]
                orders.add(tuple(text.split()[0] for text in texts))
                for number, text in enumerate(texts):
                    visitor.do(place, "rate", answer=number, rating="D" if text.startswith("base") else "A")
            assert visitor.get("start")["done"] == 8
        assert orders == {("same",), ("base", "tuned"), ("tuned", "base")}
        assert "richtig 0" in anna.get("detail", id="h0")["outputs"]
    found = read_ratings(tmp_path / "run")

    assert found is not None
    assert {one.name: (one.counts["A"], one.counts["D"]) for one in found.models} == {"base": (1, 7), "tuned": (8, 0)}
    (pair,) = found.pairs
    assert (pair.ours, pair.theirs, pair.wins, pair.ties, pair.losses) == ("tuned", "base", 7, 1, 0)
    assert pair.best.verdict == "better"
    assert found.agreement.kappa == 1
    (tmp_path / "run" / "predictions" / "tuned.jsonl").write_text(
        '{"id": "h0", "prediction": "other"}\n', encoding="utf-8"
    )
    assert [one.name for one in read_ratings(tmp_path / "run").models] == ["base"]  # of an answer that is no more


def test_all_instances_that_were_evaluated_are_rated_however_many_a_task_has(tmp_path):
    ids = [f"h{number}" for number in range(130)]
    rows = [{"id": id, "task": "t", "instruction": "Go.", "input": id, "output": "went"} for id in ids]
    (tmp_path / "heldout.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(f"{json.dumps({'id': id, 'prediction': id})}\n" for id in ids), encoding="utf-8")
    heldout, out = str(tmp_path / "heldout.jsonl"), str(tmp_path / "run")
    given = ["--predictions", f"base={answers}", "--set", "evaluate.max_instances=130"]
    main(["evaluate", "--heldout", heldout, "--out", out, *given])

    assert len(answers_of(tmp_path / "run", "base", [heldout], Choice(sample=0)).ids) == 130
    assert len(answers_of(tmp_path / "run", "base", None, Choice(sample=0)).ids) == 130


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ("base,nobody", "there is no model 'nobody'"),
        ("base,base", "named twice"),
        ("base,x=none.jsonl", "is not there"),
    ],
)
def test_answers_that_are_not_there_are_told(answers, problem, tmp_path):
    heldout = predicted(tmp_path)
    with pytest.raises(SproutError, match=problem):
        answers_of(tmp_path, answers, [str(heldout)], Choice())
    with pytest.raises(SproutError, match="--heldout"):
        answers_of(tmp_path, "base,tuned", None, Choice())


def test_report_and_card_show_the_figures(seeds, tmp_path):
    pytest.importorskip("bokeh", reason="needs the extra `report`")
    stages = [Instructions(num_tasks=12), Classify(), Instances(), Filter(), Export()]
    run(stages, seeds, Scripted(answer), tmp_path)
    heldout = predicted(tmp_path)
    with served(tasks_of(tmp_path, Choice())) as url:
        for place in range(12):
            Visitor(url, "<b>anna</b>").do(place, "judge", verdict=GOOD if place % 3 else WRONG)
    with served(answers_of(tmp_path, "base,tuned", [str(heldout)], Choice(sample=0))) as url:
        Visitor(url).do(1, "rate", answer=0, rating="B")
    run(stages, seeds, Scripted(answer), tmp_path)

    card = (tmp_path / "dataset" / "README.md").read_text("utf-8")
    assert "| the output is right | 8 of 12 | 67 % (39 to 86) |" in card
    assert "people have read 12 of its tasks" in card
    marks = read_run(tmp_path).marks
    assert sorted(map(tuple, marks.values())) == [("good",)] * 8 + [("output not good",)] * 4
    page = write_report(tmp_path, seeds).read_text("utf-8")
    assert "<td>8 of 12</td><td>67 % (39 to 86)</td>" in page
    assert "&lt;b&gt;anna&lt;/b&gt;" in page
    assert "beside the point or no answer" in page


def test_records_for_argilla_hold_fields_metadata_and_verdicts(folder, tmp_path):
    """As `argilla.Record.from_dict` takes them: docs.argilla.io, reference, records."""
    with served(tasks_of(folder, Choice())) as url:
        anna = Visitor(url)
        anna.do(0, "judge", verdict=WRONG)
        anna.do(0, "tag", tags=["wheels"])
        id = anna.get("items", first=0, count=1)["items"][0]["id"]
    path = tmp_path / "records.json"
    said = argilla.write(folder, path, None, "", ANY)

    records = json.loads(path.read_text("utf-8"))
    assert f"{len(records)} records" in said
    assert len(records) == 22
    (one,) = [record for record in records if record["metadata"].get("tags") == ["wheels"]]
    assert one["id"] == f"{id}:0"
    assert one.keys() == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert one["fields"].keys() == {"instruction", "input", "output"}
    assert one["suggestions"]["valid_output"] == {"value": "no", "score": None, "agent": "anna"}
