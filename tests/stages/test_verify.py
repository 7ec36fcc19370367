"""Outputs that the model does not give again are left out."""

import pytest

from pipeline import Completion, Context, Instance, Request, Task, run
from pipeline.engines.scripted import Scripted
from pipeline.stages.filter import Filter
from pipeline.stages.instances import Instances
from pipeline.stages.verify import Verify, agrees, parse_answer
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files

LONG = "A long output may well be said in quite other words than these."


def task(id: str, *outputs: str) -> Task:
    instances = tuple(Instance(input=f"{id} {number}", output=output) for number, output in enumerate(outputs))
    return Task(id=id, instruction=f"Do {id}.", is_classification=False, instances=instances)


def verify(tasks, seeds, folder, says, window=8, **settings):
    engine = Scripted(says, window=window)
    return list(Verify(**settings).decide(tasks, (), Context(seeds, engine, folder))), engine.requests


@pytest.mark.parametrize("window", [1, 2, 8])
def test_what_is_said_twice_stays_and_the_rest_is_counted(seeds, tmp_path, window):
    tasks = [task("a", "yes", "no"), task("b", LONG), task("c", "no"), task("d", LONG, "no", "yes"), task("e", LONG)]
    found, asked = verify(tasks, seeds, tmp_path, lambda request: " Yes.", window)

    assert [one.id for one in found] == ["a", "b", "c", "d", "e"]
    assert [[i.output for i in one.instances] for one in found] == [["yes"], [LONG], ["no"], [LONG, "yes"], [LONG]]
    assert [one.rejected for one in found] == [None, None, "not_repeated", None, None]
    assert found[3].meta == {"left_out": {"not_repeated": 1}}
    assert [request.id for request in asked] == ["a:0", "a:1", "c:0", "d:1", "d:2"]


def test_counts_of_earlier_stages_stay(seeds, tmp_path):
    given = task("a", "yes", "no").update(meta={"request": 3, "left_out": {"repeated": 2}})
    found, _ = verify([given], seeds, tmp_path, lambda request: "yes")

    assert found[0].meta == {"request": 3, "left_out": {"repeated": 2, "not_repeated": 1}}


def test_a_task_whose_request_failed_is_not_decided(seeds, tmp_path):
    def says(request: Request) -> Completion | str:
        return Completion(id=request.id, text="too long", finish_reason="error") if request.id == "a:1" else "yes"

    found, _ = verify([task("a", "yes", "yes"), task("b", "yes")], seeds, tmp_path, says)
    assert [one.id for one in found] == ["b"]


def test_requests_share_one_prefix_and_end_with_the_input(seeds, tmp_path):
    _, asked = verify([task("a", "x", "y"), task("b", "z")], seeds, tmp_path, lambda request: "x", num_demos=6)
    prompts = [str(request.prompt) for request in asked]

    assert len({prompt.rsplit("Task:", 1)[0] for prompt in prompts}) == 1
    assert prompts[0].count("\nTask: ") == 7
    assert prompts[1].endswith("\nTask: Do a.\nExample 1\nInput: a 1\nOutput:")
    bare = Task(id="c", instruction="Say hi.", is_classification=True, instances=(Instance(output="hi"),))
    assert Verify().prompt(bare, 0, ()).endswith("\nTask: Say hi.\nExample 1\nOutput:")


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (" Paris", "Paris"), ("Paris\n", "Paris"), ("Output: Paris", "Paris"), ("\nParis", "Paris"), ("", ""),
        ("Paris\nExample 2\nInput: x\nOutput: y", "Paris"), ("Paris\nInput: x", "Paris"), ("```\nParis\n```", "Paris"),
    ],
)  # fmt: skip
def test_the_answer_is_the_first_output(text, output):
    assert parse_answer(text) == output


@pytest.mark.parametrize(
    ("output", "said", "same"),
    [("Yes", "yes.", True), ("a  b", "A b", True), ("yes", "no", False), ("x", "", False), ("3 + 4", "3 - 4", False),
     ("urgent", "**Urgent**", True), ('"Yes."', "yes", True), ("`42`", "42", True), ("1.5", "15", False)],
)  # fmt: skip
def test_only_case_white_space_a_full_stop_and_marks_around_it_may_differ(output, said, same):
    assert agrees(Instance(output=output), said) is same


def test_it_goes_on_in_a_run_to_the_same_bytes(seeds, tmp_path):
    def says(request: Request) -> str:
        if str(request.prompt).endswith("Output:"):
            return "eins" if int(request.id[-3], 16) % 3 else "other"
        return answer(request)

    def all_stages():
        return [*stages()[:2], Instances(), Filter(), Verify()]

    run(all_stages(), seeds, Scripted(says), tmp_path / "whole")
    kept = run(all_stages()[:4], seeds, Scripted(says), tmp_path / "killed")
    whole = (tmp_path / "whole" / "5_verify.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "killed" / "5_verify.jsonl").write_bytes(b"".join(whole[: len(whole) // 2]) + whole[-1][:20])
    run(all_stages(), seeds, Scripted(says), tmp_path / "killed")

    assert len(whole) == len(kept) == 20
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
