"""Head to head: every verdict can be read, none is paid for twice, and a judge that cannot judge is found out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.base import Completion
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.evaluation.judge import Judged
from pipeline.runs.context import Context
from pipeline.stages.evaluate import Evaluate
from pipeline.stages.judge import Judge, table

ANSWERS = {"base": "a stone", "seeds": "a fig", "dataset": "a ripe fig"}


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A folder in which three models were evaluated."""
    rows = [{"id": str(n), "instruction": f"Name fruit no. {n}.", "output": "fig"} for n in range(8)]
    path = tmp_path / "heldout.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    folder = tmp_path / "run"
    engines = {name: Scripted(lambda request, said=said: said, model=name) for name, said in ANSWERS.items()}
    run = Context(seeds=(), engine=engines["base"], folder=folder, open_engine=engines.__getitem__)
    Evaluate(heldout=str(path), models={name: name for name in engines}).make((), run)
    (folder / "settings.json").write_text(json.dumps({"evaluate": evaluated(path)}))
    return folder


def evaluated(heldout: Path) -> dict[str, str]:
    """What settings.json has of an evaluation, as far as a judge looks."""
    return {"file": "evaluation.json", "heldout": str(heldout)}


def fair(text: str) -> str:
    answers = text.partition("Answer A: ")[2].partition("\n\nAnswer B: ")
    first, second = (len(one.splitlines()[0]) if "fig" in one.splitlines()[0] else 0 for one in answers[::2])
    return "tie" if first == second else "A" if first > second else "B"


def judge(folder: Path, answer: Callable[[str], str | Completion], **settings: Any) -> tuple[dict, Scripted]:
    engine = Scripted(lambda request: answer(str(request.prompt)), model=str(settings.get("model", "judge")))
    run = Context(seeds=(), engine=engine, folder=folder, open_engine=lambda model: engine)
    Judge.model_validate(settings).make((), run)
    return json.loads((folder / "judge.json").read_text("utf-8")), engine


def verdicts(folder: Path, name: str = "judge.jsonl") -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]


def test_a_fair_judge_finds_the_better_model_and_its_verdicts_can_be_read(run_folder):
    found, engine = judge(run_folder, fair, theirs=["base", "seeds"], with_reference=True)

    assert (found["judge"], found["ours"], found["with_reference"]) == ("judge", "dataset", True)
    assert [(one["wins"], one["losses"]) for one in found["against"].values()] == [(8, 0), (8, 0)]
    assert len(engine.requests) == 2 * 2 * 8
    assert "A good answer: fig" in str(engine.requests[0].prompt)
    lines = verdicts(run_folder)
    assert len(lines) == 16
    assert lines[0] == {
        "models": ["dataset", "base"], "id": "0", "task": "0", "instruction": "Name fruit no. 0.", "input": "",
        "ours": "a ripe fig", "theirs": "a stone", "said": ["A", "B"], "outcome": "win",
    }  # fmt: skip
    assert table(Judged.model_validate(found)).splitlines() == [
        "head to head, judged by judge  wins  ties  losses                      win rate  no worse  consistent  first  unclear",
        "dataset against base              8     0       0  100.0 (67.6 to 100.0) better    100.00        100%    50%        0",
        "dataset against seeds             8     0       0  100.0 (67.6 to 100.0) better    100.00        100%    50%        0",
    ]


def test_a_judge_that_prefers_what_is_shown_first_decides_nothing(run_folder, caplog):
    found, _ = judge(run_folder, lambda text: "A")

    assert found["against"]["base"] | {"win_rate": None} == {
        "instances": 8, "wins": 0, "ties": 8, "losses": 0, "win_rate": None, "same": 0, "failed": 0, "unclear": 0,
        "consistency": 0, "first_rate": 1,
    }  # fmt: skip
    assert table(Judged.model_validate(found)).endswith(
        "50.0 (33.8 to 66.2) unclear    100.00          0%   100%        0"
    )
    assert caplog.messages == [
        "judge: the judge says the same in both orders of only 0 % of the pairs with base, and names the answer shown "
        "first in 100 % of its verdicts; the others count as ties, so that the win rate says little; use a stronger judge"
    ]


def test_a_judge_that_rambles_gives_ties_that_are_counted_and_told(run_folder, caplog):
    found, _ = judge(run_folder, lambda text: "Well, there is much to be said for either")

    assert (found["against"]["base"]["ties"], found["against"]["base"]["unclear"]) == (8, 16)
    assert verdicts(run_folder)[0]["said"] == ["Well, there is much to be said for either"] * 2
    assert caplog.messages[0] == (
        "judge: 16 of the judge's answers on base are no verdict and count as ties; see judge.jsonl, and use a judge "
        "that says A, B or tie"
    )


def test_two_judges_of_a_run_each_have_their_verdicts_and_their_name_in_the_log(run_folder, caplog):
    judge(run_folder, fair)
    first = verdicts(run_folder)
    engine = Scripted(lambda request: "Well, both are good")
    Judge(label="second").make((), Context(seeds=(), engine=engine, folder=run_folder))

    assert verdicts(run_folder) == first
    assert verdicts(run_folder, "judge-second.jsonl")[0]["said"] == ["Well, both are good"] * 2
    assert caplog.messages[-1].startswith("judge-second: 16 of the judge's answers on base are no verdict")
    assert "see judge-second.jsonl" in caplog.messages[-1]


def test_a_judge_reads_the_answers_of_the_evaluation_with_its_label_or_of_the_only_one(tmp_path):
    heldout = tmp_path / "heldout.jsonl"
    heldout.write_text('{"id": "0", "instruction": "Name a fruit.", "output": "fig"}')
    folder, engine = tmp_path / "run", Scripted(lambda request: "tie")
    context = Context(
        seeds=(), engine=engine, folder=folder, open_engine=lambda model: Scripted(lambda _: model, model)
    )
    for label in ("easy", "hard"):
        Evaluate(heldout=str(heldout), models={"base": "a stone", "dataset": label}, label=label).make((), context)
    settings = {f"evaluate-{label}": evaluated(heldout) for label in ("easy", "hard")}
    (folder / "settings.json").write_text(json.dumps({"evaluate-hard": settings["evaluate-hard"]}))
    Judge().make((), context)
    (folder / "settings.json").write_text(json.dumps(settings))
    Judge(label="easy").make((), context)

    assert [verdicts(folder, name)[0]["ours"] for name in ("judge.jsonl", "judge-easy.jsonl")] == ["hard", "easy"]
    with pytest.raises(SproutError, match=r"more than once \(evaluate-easy, evaluate-hard\), .* list it as judge-easy"):
        Judge().make((), context)


def test_a_request_that_failed_leaves_its_pair_out_and_is_asked_again(run_folder, caplog):
    def fails(text: str) -> str | Completion:
        failed = "no. 3" in text and "Answer A: a ripe fig" in text
        return Completion(id="0:3", text="too long", finish_reason="error") if failed else fair(text)

    found, _ = judge(run_folder, fails)
    again, engine = judge(run_folder, fair)

    assert (found["against"]["base"]["instances"], found["against"]["base"]["failed"]) == (7, 1)
    assert caplog.messages == [
        "judge: 1 request failed; the first is 0:3: too long",
        "judge: 1 of 8 pairs with base are left out because their requests failed",
    ]
    assert [request.id for request in engine.requests] == ["0:3"]
    assert again["against"]["base"]["wins"] == 8


def test_answers_from_files_are_compared_on_the_instances_that_one_of_them_answers(run_folder, tmp_path):
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text("".join(f'{{"id": "{n}", "prediction": "a ripe fig"}}\n' for n in (1, 2)))
    found, _ = judge(run_folder, fair, ours="base", theirs=str(theirs), model="other", max_instances=4)

    assert (found["judge"], found["against"][str(theirs)]["instances"]) == ("other", 8)
    assert (found["against"][str(theirs)]["losses"], found["against"][str(theirs)]["ties"]) == (2, 6)
    found, _ = judge(run_folder, fair, ours=str(theirs), theirs=str(theirs))
    assert (found["against"][str(theirs)]["instances"], found["against"][str(theirs)]["same"]) == (2, 2)
    assert found["against"][str(theirs)]["consistency"] is None
    assert table(Judged.model_validate(found)).endswith(
        "50.0 (too few to say) unclear    100.00           –      –        0"
    )


def test_what_cannot_be_judged_is_said_before_the_judge_is_asked(run_folder, tmp_path):
    with pytest.raises(SproutError, match=r"no answers of 'tuned': .* holds base, dataset, seeds; evaluate it first"):
        judge(run_folder, fair, ours="tuned")
    with pytest.raises(
        SproutError,
        match=r"was not evaluated; evaluate it first, or name the held-out tasks that were answered, with --heldout",
    ):
        judge(tmp_path / "empty", fair)
    (tmp_path / "other.jsonl").write_text('{"id": "x", "instruction": "?", "output": "a"}')
    with pytest.raises(SproutError, match=r"holds no prediction for any of the 1 held-out instances"):
        judge(run_folder, fair, heldout=str(tmp_path / "other.jsonl"))
    assert not (run_folder / "judge.json").exists()


@pytest.mark.parametrize(("settings", "choices"), [({}, (" A", " B", " tie")), ({"constrain": False}, ())])
def test_the_judge_is_held_to_a_verdict_unless_the_settings_say_otherwise(run_folder, settings, choices):
    _, engine = judge(run_folder, fair, **settings)
    assert {request.choices for request in engine.requests} == {choices}
