"""The recipe `code`: the answers of a model are run, and the first that passes is taken."""

import json

import pytest

from pipeline import Instance, SproutError, Task, read_tasks, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.sandbox.find import find_way
from pipeline.seeds.read import read_seeds
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from pipeline.stages.check import Check
from pipeline.stages.export import Export


@pytest.fixture(autouse=True)
def sandbox():
    try:
        find_way()
    except SproutError as error:
        pytest.skip(str(error))


def test_the_solutions_that_ship_pass_their_tests(tmp_path):
    assert len(run([Check()], read_seeds("code"), Scripted(str), tmp_path)) == 12


def test_it_runs_on_the_embedded_model_whose_place_the_solutions_take(tmp_path):
    few = ("answer.num_answers=1", "answer.sampling.max_tokens=12")
    main(["run", "code", "--engine", "transformers", "--model", "nano", "--out", str(tmp_path), "--quiet",
          *(part for change in few for part in ("--set", change))])  # fmt: skip

    rows = [json.loads(line) for line in (tmp_path / "dataset" / "messages.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 12
    assert all("def " in row["messages"][1]["content"] for row in rows)


PROMPT = 'def double(x):\n    """Twice x."""\n'
BODY = "    y = x + x\n    return y"
HUMAN_EVAL = {"prompt": PROMPT, "test": "def check(one):\n    assert one(2) == 4", "entry_point": "double"}


def test_a_base_model_that_goes_on_with_the_body_of_a_function_passes_and_teaches_it_as_it_is(tmp_path):
    program = json.dumps("{prompt}{answer}\n{test}\ncheck({entry_point})\n")
    few = ["engine.model=toy", "export.validation_share=0", "answer.num_answers=1", f"check.program={program}"]
    stages = build_stages(read("code", few))
    task = Task(id="t", instruction=PROMPT, instances=(Instance(output="    return 2 * x"),), meta=HUMAN_EVAL)
    [kept] = run(stages, [task], Scripted(lambda request: f"\n{BODY}\n"), tmp_path)
    row = json.loads((tmp_path / "dataset" / "prompt_completion.jsonl").read_text("utf-8"))
    chat = json.loads((tmp_path / "dataset" / "chat_prompt_completion.jsonl").read_text("utf-8"))
    again = read_seeds(tmp_path / "dataset" / "prompt_completion.jsonl")

    assert [answer.scores["check"] for answer in kept.instances[0].answers] == [1, 1]
    assert kept.instances[0].output == row["completion"].removeprefix(" " * row["prompt"].endswith(":")) == BODY
    assert chat["completion"][0]["content"] == BODY
    assert again[0].instances[0].output == BODY


def test_the_first_answer_that_passes_is_taken_and_feedback_has_all(tmp_path):
    good = "Here it is:\n```python\ndef transposed(table):\n    return [list(row) for row in zip(*table)]\n```\nAny questions?"

    def answer(request):
        return good if "transposed" in str(request.prompt) and request.sampling.seed % 2 else "def f():\n    return 1"

    settings = read("code", ["engine.model=toy", "export.validation_share=0"])
    stages = build_stages(settings)
    run(stages, read_seeds("code"), Scripted(answer, chat=True), tmp_path)
    chosen = {task.name: task for task in read_tasks(tmp_path / "3_choose.jsonl")}
    feedback = [json.loads(line) for line in (tmp_path / "dataset" / "feedback.jsonl").read_text("utf-8").splitlines()]

    assert any(isinstance(stage, Export) for stage in stages)
    assert chosen["transpose"].instances[0].output == good
    assert chosen["flatten"].instances[0].output.startswith("def flat(items):")
    assert len(feedback) == 12 * 9
    assert sum(row["prompt"].startswith("[right]") for row in feedback) > 12
    assert any("NameError: name 'flat' is not defined" in row["prompt"] for row in feedback)
