"""Any number of models: some of servers, each asked once, and paid for once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import Completion, Request
from pipeline.engines.scripted import Scripted
from pipeline.errors import BudgetReached, SproutError
from pipeline.evaluation.answers import Answering
from pipeline.evaluation.evaluate import EvaluationOptions, evaluate
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.models import check_names, opener
from pipeline.runs.budget import Budget
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE, Journal
from tests.engines.stand_in import Answer, StandIn

HELDOUT = [HeldOut(id=str(n), task="t", instruction=f"Count to {n}.", outputs=("one two",)) for n in range(6)]


def says(text: str) -> Callable[[dict[str, Any]], str]:
    return lambda body: text


def refuses_messages(tried: int, body: dict[str, Any]) -> Answer:
    return Answer(400, "this model has no chat template") if "messages" in body else Answer()


def never(model: str) -> Scripted:
    raise AssertionError(f"{model} is opened")


def test_models_of_servers_stand_beside_each_other_and_are_not_asked_again_when_they_are_gone(tmp_path):
    chats, completes = StandIn(lambda tried, body: Answer(), text=says("one two")), StandIn(refuses_messages)
    with chats, completes:
        models = {"gpt": f"tiny@{chats.url}", "base": f"tiny@{completes.url}"}
        found = evaluate(models, HELDOUT, never, tmp_path)
    paths = {path for _, path, _, _ in completes.calls[-6:]}
    again = evaluate(models, HELDOUT, never, tmp_path)

    assert {name: (one.chat, one.rouge_l) for name, one in found.items()} == {
        "gpt": (True, 100),
        "base": (False, 0),
    }
    assert found["gpt"].model == models["gpt"]
    assert {body["model"] for _, _, body, _ in chats.calls} == {"tiny"}
    assert paths == {"/v1/completions"}
    assert again == found


def test_a_model_of_a_server_is_named_where_it_cannot_be_opened(tmp_path):
    run = Context(seeds=(), engine=Scripted(lambda request: "", model="base"), folder=tmp_path)
    opener(run, ["base", "tiny@http://127.0.0.1:9/v1"])
    with pytest.raises(SproutError, match="cannot open another model than base"):
        opener(run, ["base", "tiny@127.0.0.1"])
    with pytest.raises(SproutError, match="holds a user, a password or a key"):
        evaluate({"gpt": "tiny@https://me:secret@host/v1"}, HELDOUT, never, tmp_path)
    with pytest.raises(SproutError, match="'a b': not the name of a file"):
        check_names(["a b"])


def at_most(tokens: int) -> EvaluationOptions:
    return EvaluationOptions(Answering(budget=Budget(max_tokens=tokens)))


def costly(request: Request) -> Completion:
    return Completion(id=request.id, text="one", prompt_tokens=5, completion_tokens=5)


def test_an_evaluation_stops_at_its_budget_and_what_it_paid_for_is_in_the_journal(tmp_path):
    def opened(window: int) -> Scripted:
        return Scripted(costly, model="base", window=window)

    engine, rest = opened(1), opened(1)
    with pytest.raises(BudgetReached, match="20 tokens are spent of the 20"):
        evaluate({"base": "base"}, HELDOUT, lambda model: engine, tmp_path, at_most(20))
    with Journal(tmp_path / FILE) as journal:
        used = journal.usage()["evaluation"]
    evaluate({"base": "base"}, HELDOUT, lambda model: rest, tmp_path, at_most(50))

    assert (used.requests, used.prompt_tokens, used.completion_tokens) == (2, 10, 10)
    assert [request.id for request in engine.requests + rest.requests] == [one.id for one in HELDOUT]


def test_one_held_out_instance_without_an_instruction_is_not_asked(tmp_path):
    bare = HeldOut(id="x", task="t", instruction="", outputs=("a",))
    with pytest.raises(SproutError, match="x has no instruction, so no model can be asked"):
        evaluate({"base": "base"}, [*HELDOUT, bare], never, tmp_path)
    path = Path(tmp_path / "theirs.jsonl")
    path.write_text('{"id": "x", "prediction": "A."}\n')
    evaluate({}, [bare], never, tmp_path, EvaluationOptions(files={"theirs": str(path)}))
    assert json.loads((tmp_path / "evaluation.json").read_text())["theirs"]["exact_match"] == 100
