"""Evaluation: each model is asked once, however often it is interrupted, and what is new is added."""

import shutil

import pytest

from pipeline.engines.base import Completion, Request
from pipeline.errors import EngineUnreachable
from pipeline.stages.evaluate import Evaluate
from tests.stages.evaluating import engine, half, make, predictions, right, wrong


def test_an_interrupted_evaluation_asks_only_what_is_not_answered_yet(tmp_path, heldout):
    def dies(request: Request) -> str:
        if request.id == "b0":
            raise EngineUnreachable("gone")
        return half(request)

    with pytest.raises(EngineUnreachable):
        make(tmp_path, heldout, {"base": engine(dies, "base")})
    assert not (tmp_path / "evaluation.json").exists()
    assert not (tmp_path / "predictions" / "base.jsonl").exists()
    again = engine(half, "base")
    found = make(tmp_path, heldout, {"base": again})

    assert [request.id for request in again.requests] == ["b0", "b1", "b2"]
    shutil.rmtree(tmp_path / "predictions")
    never = engine(dies, "base")
    assert make(tmp_path, heldout, {"base": never}) == found
    assert not never.requests
    assert len(predictions(tmp_path, "base")) == 6
    assert found == make(tmp_path / "whole", heldout, {"base": engine(half, "base")})


def test_a_finished_evaluation_asks_nothing_and_another_model_is_added_to_it(tmp_path, heldout):
    engines = {"base": engine(wrong, "base"), "other": engine(right, "other")}
    first = make(tmp_path, heldout, engines, models={"base": "base"})
    second = make(tmp_path, heldout, engines, models={"base": "base", "other": "other"})

    assert len(engines["base"].requests) == len(engines["other"].requests) == 6
    assert second["base"] == first["base"]
    assert list(second) == ["base", "other"]


def test_more_instances_are_added_to_those_there_are(tmp_path, heldout):
    base = engine(half, "base")
    make(tmp_path, heldout, {"base": base}, max_instances=2)
    found = make(tmp_path, heldout, {"base": base}, max_instances=3)
    grown = Evaluate(heldout=heldout, max_instances=3, models={"other": "other"})

    assert grown.settings() == Evaluate(heldout=heldout).settings()  # so a run that goes on lets it grow
    assert len(base.requests) == 6
    assert (found["base"]["instances"], found["base"]["rouge_l"]) == (6, 50)


def test_answers_of_a_model_that_was_tuned_anew_are_asked_again(tmp_path, heldout):
    folder = tmp_path / "model"
    folder.mkdir()
    engines = {"base": engine(wrong, "base"), str(folder): engine(wrong, str(folder))}
    (folder / "train.json").write_text('{"fingerprint": "1"}')
    make(tmp_path, heldout, engines)
    (folder / "train.json").write_text('{"fingerprint": "2"}')
    engines[str(folder)] = engine(right, str(folder))
    found = make(tmp_path, heldout, engines)

    assert found["dataset"]["rouge_l"] == 100
    assert len(predictions(tmp_path, "dataset")) == 6
    assert len(engines["base"].requests) == 6


def test_an_answer_that_fails_counts_as_empty_with_one_warning_and_is_asked_again(tmp_path, heldout, caplog):
    def fails(request: Request) -> str | Completion:
        failed = Completion(id=request.id, text="too long", finish_reason="error")
        return failed if request.id in ("a0", "a1") else right(request)

    found = make(tmp_path, heldout, {"base": engine(fails, "base")})
    healthy = engine(right, "base")

    assert (found["base"]["missing"], found["base"]["rouge_l"], found["base"]["instances"]) == (2, 66.6667, 6)
    assert caplog.messages == [
        "evaluate: 2 requests failed; the first is a0: too long",
        "evaluate: base: 2 of 6 answers are missing, counted as empty",
    ]
    assert make(tmp_path, heldout, {"base": healthy})["base"]["rouge_l"] == 100
    assert [request.id for request in healthy.requests] == ["a0", "a1"]
