"""Several wordings of each held-out instance: who writes them, what is asked, and what is told."""

import json

import pytest

from pipeline.engines.base import Completion, Request
from pipeline.evaluation.record import read_evaluation
from pipeline.evaluation.table import table
from tests.stages.evaluating import engine, make, predictions, right


def worded(request: Request) -> str:
    """Rewords what it is asked to; knows the answer where the instruction is worded as in the file, or as task a is."""
    prompt = str(request.prompt)
    if prompt.endswith("New task:"):
        subject = prompt.rpartition("Task: ")[2].partition("\n")[0]
        return f" Say how many {subject.removeprefix('Count ')} {request.sampling.seed % 7}"
    return "the 3 cats" if "Count" in prompt or "many a?" in prompt else "dogs"


def test_each_instance_is_asked_in_several_wordings_whose_mean_worst_and_spread_are_told(tmp_path, heldout):
    base = engine(worded, "base")
    found = make(tmp_path, heldout, {"base": base}, phrasings=3)["base"]

    assert found["instances"] == 6
    assert found["rouge_l"] == 100  # as the file words it
    assert found["phrasings"]["rouge_l"] == {"mean": pytest.approx(200 / 3, abs=0.01), "worst": 50, "spread": 50}
    assert len(predictions(tmp_path, "base")) == 18
    assert len(json.loads((tmp_path / "phrasings.json").read_text("utf-8"))["Count b?"]) == 2
    assert "over the wordings  ROUGE-L mean  ROUGE-L worst  ROUGE-L spread" in table(read_evaluation(tmp_path))
    asked = len(base.requests)
    make(tmp_path, heldout, {"base": base}, phrasings=3)
    assert len(base.requests) == asked == 6 * 3 + 2 * 2


def test_more_wordings_are_others_than_those_there_are(tmp_path, heldout):
    make(tmp_path, heldout, {"base": engine(worded, "base")}, phrasings=2)
    first = json.loads((tmp_path / "phrasings.json").read_text("utf-8"))
    make(tmp_path, heldout, {"base": engine(worded, "base")}, phrasings=4)
    grown = json.loads((tmp_path / "phrasings.json").read_text("utf-8"))
    make(tmp_path / "whole", heldout, {"base": engine(worded, "base")}, phrasings=4)

    assert all(texts[:1] == first[instruction] for instruction, texts in grown.items())
    assert grown == json.loads((tmp_path / "whole" / "phrasings.json").read_text("utf-8"))


def test_a_wording_whose_request_failed_is_asked_for_again_and_no_other_twice(tmp_path, heldout):
    def fails(request: Request) -> str | Completion:
        failed = request.id.startswith("wording:") and request.id.endswith(":0")
        return Completion(id=request.id, text="busy", finish_reason="error") if failed else worded(request)

    make(tmp_path, heldout, {"base": engine(fails, "base")}, phrasings=3)
    make(tmp_path, heldout, {"base": engine(worded, "base")}, phrasings=3)
    make(tmp_path / "whole", heldout, {"base": engine(worded, "base")}, phrasings=3)

    found = [(folder / "phrasings.json").read_text("utf-8") for folder in (tmp_path, tmp_path / "whole")]
    assert json.loads(found[0]) == json.loads(found[1])


def test_wordings_in_the_file_are_taken_as_they_are(tmp_path, heldout):
    own = {"Count a?": ["How many a?"], "Count b?": ["How many b?"]}
    (tmp_path / "phrasings.json").write_text(json.dumps(own), encoding="utf-8")
    base = engine(worded, "base")
    make(tmp_path, heldout, {"base": base}, phrasings=2)

    assert not any("New task:" in str(request.prompt) for request in base.requests)
    assert sum("How many b?" in str(request.prompt) for request in base.requests) == 3


def test_a_wording_that_cannot_be_used_is_counted_and_the_instruction_stands_for_itself(tmp_path, heldout, caplog):
    found = make(tmp_path, heldout, {"base": engine(lambda request: " Count a?", "base")}, phrasings=2)["base"]

    assert "evaluate: 1 of 2 wordings cannot be used" in caplog.text
    assert found["phrasings"]["rouge_l"]["spread"] == 0


def test_one_wording_asks_no_more_than_before(tmp_path, heldout):
    base = engine(right, "base")
    found = make(tmp_path, heldout, {"base": base})["base"]

    assert len(base.requests) == 6
    assert "phrasings" not in found
    assert not (tmp_path / "phrasings.json").exists()
