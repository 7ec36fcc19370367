"""The gain: every model is tuned and asked once, and the table says what can be said."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.dataset.read import read_dataset
from pipeline.engines.base import Request
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.evaluation.confidence import Difference
from pipeline.evaluation.metrics import METRICS
from pipeline.gain.candidates import complete_candidates
from pipeline.gain.controls import CONTROLS, MEANING, candidates, control_tasks
from pipeline.gain.dataset import gain, table, write_control
from pipeline.gain.products import products_of
from pipeline.gain.record import Gain
from pipeline.report.review.changes import TaskChoice, drop
from pipeline.runs.context import Context
from pipeline.runs.run import run as run_stages
from pipeline.runs.store import to_line
from pipeline.stage import Stage
from pipeline.stages import Classify, Decontaminate, Evaluate, Export, Filter, Instances, Instructions, Train
from pipeline.task import Instance, Task, read_tasks

SEEDS = [Task(id=f"seed_{n}", instruction="Say yes.", instances=(Instance(output=f"yes {n}"),)) for n in range(2)]
WHOLE = [
    Task(id=f"task_{n}", instruction=f"Count to {n}.", instances=(Instance(output=" ".join(map(str, range(n)))),))
    for n in range(20)
]
TASKS = WHOLE[4:]
SETTINGS = {"max_steps": 2, "batch_size": 2}
EXPORT = Export(encoding="plain", validation_share=0.25)
MODELS = len(CONTROLS) + 1
ASKING = [Instructions(), Classify(), Instances()]


def make_run(folder: Path, model: str = "base", share: int = 4) -> tuple[Context, list[str]]:
    """A run that kept 16 instructions of 20, and the models its engines are asked on: tuned ones answer `share` in 10."""
    folder.mkdir(parents=True, exist_ok=True)
    rejected = [*(task.reject("not_new") for task in WHOLE[:4]), Task(id="task_x", instruction="", rejected="empty")]
    lines = [to_line(task.update(instances=())) for task in [*rejected, *TASKS]]
    (folder / "1_instructions.jsonl").write_text("".join(lines), "utf-8")
    asked: list[str] = []

    def open_engine(name: str) -> Scripted:
        def answer(request: Request) -> str:
            if str(request.prompt).endswith("Classification:"):
                return " No"
            if str(request.prompt).endswith("Example 1"):
                return f"\nOutput: {WHOLE[int(request.id[5:])].instances[0].output or 'nothing'}"
            asked.append(name)
            whole = name.endswith(("/run/model", "/dataset/model"))
            taught = name != model or "Task: Say yes." in str(request.prompt)
            right = whole or (taught and int(request.id) % 10 < share)
            return "good" if right else "bad"

        return Scripted(answer, model=name)

    return Context(SEEDS, open_engine(model), folder, open_engine=open_engine), asked


@pytest.fixture
def heldout(tmp_path: Path) -> str:
    rows = [{"id": str(n), "task": f"t{n % 10}", "instruction": f"Is {n} good?", "output": "good"} for n in range(40)]
    path = tmp_path / "heldout.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def size(tasks: list[Task]) -> dict[str, int]:
    return {task.id: len(task.instances[0].output.split()) for task in tasks}


def chosen(control: str, folder: Path, random_seed: int = 0) -> list[str]:
    run, _ = make_run(folder)
    complete_candidates(ASKING, 100, run)
    return [task.id for task in control_tasks(control, TASKS, run.folder, random_seed, size)]


def test_parts_of_the_dataset_hold_the_smaller_ones(tmp_path):
    eighth, quarter, half = (chosen(name, tmp_path) for name in ("eighth", "quarter", "half"))

    assert (len(eighth), len(quarter), len(half)) == (2, 4, 8)
    assert eighth == quarter[:2] == half[:2]
    assert set(half) < {task.id for task in TASKS}
    assert chosen("half", tmp_path) == half != chosen("half", tmp_path, random_seed=1)


def test_candidates_are_all_instructions_that_were_written_with_inputs_and_outputs(tmp_path):
    run, _ = make_run(tmp_path)
    with pytest.raises(SproutError, match="`sprout gain` writes it"):
        candidates(tmp_path)
    complete_candidates(ASKING, 100, run)

    assert {task.id for task in candidates(tmp_path)} == {task.id for task in WHOLE}
    assert all(task.instances and task.is_classification is False for task in candidates(tmp_path))
    complete_candidates(ASKING, 5, run)
    assert len(candidates(tmp_path)) == 5
    with pytest.raises(SproutError, match=r"1_instructions.jsonl: is missing, and unfiltered tasks are drawn from it"):
        complete_candidates(ASKING, 100, Context(SEEDS, run.engine, tmp_path / "elsewhere"))
    with pytest.raises(SproutError, match="no stage of the run adds tasks"):
        complete_candidates(ASKING[1:], 100, run)


def test_what_a_person_has_dropped_is_tuned_on_by_no_control(tmp_path):
    run, _ = make_run(tmp_path)
    drop(tmp_path, TaskChoice(("task_7",)), "anna")
    complete_candidates(ASKING, 100, run)

    assert {task.id for task in candidates(tmp_path)} == {task.id for task in WHOLE} - {"task_7"}


def test_what_the_run_has_asked_is_not_asked_again_for_candidates(model, seeds, tmp_path):
    stages = [Instructions(num_tasks=20, window=4), Classify(), Instances(), Filter()]
    run_stages(stages, seeds, model, tmp_path)
    rejected = sum(not task.kept for task in read_tasks(tmp_path / "1_instructions.jsonl"))
    before = len(model.requests)
    complete_candidates(stages, 1000, Context(seeds, model, tmp_path))

    assert rejected > 0
    assert len(model.requests) - before == 2 * rejected
    complete_candidates(stages, 1000, Context(seeds, model, tmp_path))
    assert len(model.requests) - before == 2 * rejected
    assert len(candidates(tmp_path)) == 20 + rejected


class Marks(Stage):
    """Leaves a mark on each task, as a stage of the user's own may."""

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        yield from (task.update(meta=task.meta | {"mark": True}) for task in todo)


def test_candidates_go_through_every_later_stage_whose_work_is_not_to_reject(tmp_path):
    run, _ = make_run(tmp_path)
    complete_candidates([*ASKING, Filter(), Marks()], 100, run)

    assert [path.stem for path in sorted((tmp_path / "gain" / "candidates").glob("*.jsonl"))] == [
        "1_classify", "2_instances", "3_marks",
    ]  # fmt: skip
    assert all(task.meta["mark"] and task.instances for task in candidates(tmp_path))


def test_candidates_are_completed_anew_with_another_template(tmp_path):
    run, _ = make_run(tmp_path)
    template = tmp_path / "mine.jinja"
    given = {"classify": template}

    def record(text: str) -> str:
        template.write_text(text)
        complete_candidates([ASKING[0], Classify(template_files=given), *ASKING[2:]], 100, run)
        return (tmp_path / "gain" / "candidates" / "candidates.json").read_text()

    first = record("{{ instruction }} Classification:")
    assert record("{{ instruction }} Classification:") == first != record("{{ instruction }}\nClassification:")


def test_no_control_is_helped_by_what_it_is_tested_on(tmp_path):
    run, _ = make_run(tmp_path)
    (tmp_path / "heldout.jsonl").write_text(json.dumps({"instruction": WHOLE[7].instruction, "output": "7"}) + "\n")
    complete_candidates([*ASKING, Decontaminate(heldout=str(tmp_path / "heldout.jsonl"))], 100, run)

    assert {task.id for task in candidates(tmp_path)} == {task.id for task in WHOLE} - {"task_7"}


def test_unfiltered_tasks_are_as_many_or_have_as_many_tokens(tmp_path):
    by_id = {task.id: task for task in WHOLE}
    same_tasks, same_tokens = chosen("random", tmp_path), chosen("unfiltered", tmp_path)
    tokens = sum(size([by_id[id] for id in same_tokens]).values())

    assert len(same_tasks) == len(TASKS)
    assert not {*same_tasks} <= {task.id for task in TASKS}
    assert tokens == pytest.approx(sum(size(TASKS).values()), abs=10)
    assert (
        chosen("seeds", tmp_path) == chosen("seeds_stopped", tmp_path) == []
    )  # the seed tasks are what the export adds


def test_each_model_is_tuned_and_asked_once_and_the_table_has_a_line_for_it(tmp_path, heldout, base_model):
    run, asked = make_run(tmp_path / "run", base_model)
    stages = [EXPORT, Train.model_validate(SETTINGS), Evaluate(heldout=heldout, num_demos=1)]
    for stage in stages:
        stage.make(TASKS, run)
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("model.safetensors")}
    assert (len(before), len(asked)) == (1, 3 * 40)

    found = gain([*ASKING, *stages], TASKS, run)
    weights = {path.read_bytes() for path in run.folder.rglob("model.safetensors") if "choice" not in path.parts}
    # Here as many tasks are as many tokens, and two steps over-fit no seeds: twice, two controls are the same model.
    assert len(weights) == MODELS - 2
    # The base model is also asked with a demo, and what is stopped in time has another record than its twin.
    assert len(asked) == (len(weights) + 3) * 40
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [one.name for one in found.rows] == list(MEANING)
    rows = {one.name: one for one in found.rows}
    held = sum(EXPORT.splitter.holds_back(task) for task in TASKS)
    assert 1 < held < 8
    assert (rows["seeds"].rows, rows["dataset"].rows) == ((2,), (18 - held,))
    assert {one.steps for name, one in rows.items() if name not in ("base", "demos")} == {(2,)}
    sure = Difference(value=100, low=50, high=100, verdict="better")  # ten tasks, all alike: two more might go wrong
    assert rows["base"].dataset["rouge_l"] == sure
    assert rows["half"].rouge_l.value == rows["demos"].rouge_l.value == 40
    assert (rows["demos"].num_demos, rows["demos"].rows, rows["base"].num_demos) == ((1,), (), ())
    written = (run.folder / "gain.json").read_text("utf-8")
    assert Gain.model_validate_json(written) == found
    assert [*json.loads(written)["rows"][0]] == ["name", "tuned_on", *METRICS, "by_random_seed", "dataset"]

    made = {
        path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.suffix in (".safetensors", ".jsonl")
    }
    assert gain([*ASKING, *stages], TASKS, run) == found
    assert len(asked) == (len(weights) + 3) * 40
    assert {path: path.stat().st_mtime_ns for path in made} == made
    lines = table(found).splitlines()
    none = " | ".join(["0.0 (0.0 to 25.0)"] * 3)
    assert lines[2] == f"| nothing (the base model) |  |  | {none} | +100.0 (50.0 to 100.0) better |"
    assert lines[3].startswith("| nothing (the base model in the layout of verify, seed tasks shown: 1) |  |  | 40.0 (")
    assert lines[11] == f"| the dataset | {18 - held} | 2 |{' 100.0 (75.0 to 100.0) |' * 3}  |"
    assert (run.folder / "gain.md").read_text("utf-8").startswith("| tuned on | rows | steps | ROUGE-L |")


def test_each_control_is_a_dataset_with_the_export_settings_and_the_validation_split_of_the_run(tmp_path, base_model):
    run, _ = make_run(tmp_path / "run", base_model)
    complete_candidates(ASKING, 100, run)
    stages = products_of([EXPORT, Train(), Evaluate(heldout="nano")])
    EXPORT.make(TASKS, run)
    whole = read_dataset(run.folder / "dataset", False)
    texts = {row.prompt for row in whole.train}
    seeds = {f"{seed.instruction}\n\n" for seed in SEEDS}
    for control in CONTROLS:
        folder = write_control(control, stages, TASKS, run, 7)
        rows = read_dataset(folder, False)
        trained = {row.prompt for row in rows.train}

        assert folder == run.folder / "gain" / "7" / control / "dataset"
        assert sorted(map(str, rows.validation)) == sorted(map(str, whole.validation))
        assert seeds <= trained
        assert not trained & {row.prompt for row in rows.validation}
        assert (trained == seeds) == control.startswith("seeds")
        assert trained <= texts or control in ("random", "unfiltered")
        assert not (folder / "README.md").exists()  # a card would say that it is the dataset of the run


def test_several_random_seeds_are_pooled_and_shown_one_by_one(tmp_path, heldout, base_model):
    run, asked = make_run(tmp_path / "run", base_model)
    stages = [EXPORT, Train.model_validate(SETTINGS | {"max_steps": 1}), Evaluate(heldout=heldout, resample="task")]
    EXPORT.make(TASKS, run)
    found = gain([*ASKING, *stages], TASKS, run, num_random_seeds=2, controls=("seeds", "random"))
    rows = {one.name: one for one in found.rows}

    assert len(asked) == (1 + 2 * 3) * 40
    assert list(rows) == ["base", "seeds", "random", "dataset"]
    assert found.random_seeds == (0, 1)
    assert list(rows["base"].by_random_seed) == ["0"]
    assert list(rows["random"].by_random_seed) == ["0", "1"]
    assert rows["random"].by_random_seed["1"].rouge_l.value == 40
    assert rows["seeds"].dataset["exact_match"].verdict == "better"
    assert "over held-out tasks (40 instances), and Student's t over 2 random seeds" in table(found)
    assert len(set(map(str, run.folder.glob("gain/*/*/model/model.safetensors")))) == 2 * 3 - 1


def test_a_run_that_is_not_tuned_or_not_evaluated_has_no_gain(tmp_path, heldout):
    run, asked = make_run(tmp_path / "run")

    for stages in ([Train()], [Evaluate(heldout=heldout)]):
        with pytest.raises(SproutError, match=r"add a table \[train\], and \[evaluate\] with heldout"):
            gain([*ASKING, *stages], TASKS, run)
    for train in (Train(dataset="mine.jsonl"), Train(dataset="dataset-seeds")):
        only_seeds = EXPORT.model_copy(update={"only": "seeds"})
        with pytest.raises(SproutError, match=r"no stage is tuned on it; leave out train.dataset"):
            gain([*ASKING, only_seeds, train, Evaluate(heldout=heldout)], TASKS, run)
    assert not asked
