"""What people drop and change stays so in all that is made of a run, and is taken back by one command."""

import json

import pytest

from pipeline import SproutError, Task, read_seeds, read_tasks, run
from pipeline.cli.main import main
from pipeline.dataset.read import read_dataset
from pipeline.engines.scripted import Scripted
from pipeline.report import stats
from pipeline.report.record import read_run
from pipeline.report.why import why
from pipeline.runs.files import funnel
from pipeline.runs.reviews import FILE
from pipeline.runs.store import read_kept
from pipeline.stages import Classify, Export, Filter, Instances, Instructions, Train
from tests.conftest import answer


def stages(**settings):
    return [Instructions(num_tasks=20, max_rouge=0.6), Classify(), Instances(), Filter(), Export(**settings)]


@pytest.fixture
def folder(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path / "run")
    return tmp_path / "run"


def kept(folder) -> list[Task]:
    return list(read_kept(folder / "4_filter.jsonl"))


def sprout(capsys, *args) -> str:
    main([str(arg) for arg in args])
    return capsys.readouterr().out


def refused(capsys, *args) -> str:
    with pytest.raises(SystemExit) as caught:
        main([str(arg) for arg in args])
    assert caught.value.code == 1
    return capsys.readouterr().err


def rows(folder) -> list[dict[str, str]]:
    paths = sorted((folder / "dataset").glob("alpaca*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]


def in_dataset(folder) -> set[str]:
    return {row["id"].split(":")[0] for row in rows(folder)}


def test_a_dropped_task_leaves_the_dataset_with_the_next_run_and_keep_brings_it_back(folder, seeds, capsys):
    first, second = (task.id for task in kept(folder)[:2])
    before = {path.name: path.read_bytes() for path in folder.glob("*_*.jsonl")}
    original = (folder / "dataset" / "alpaca.jsonl").read_bytes()

    said = sprout(capsys, "drop", folder, first, second[:12], "--reviewer", "anna")
    assert "2 tasks dropped" in said
    assert f"sprout keep {folder}" in said
    tasks = run(stages(), seeds, Scripted(answer), folder)

    assert len(tasks) == 18
    assert not {first, second} & in_dataset(folder)
    assert {path.name: path.read_bytes() for path in folder.glob("*_*.jsonl")} == before
    sprout(capsys, "keep", folder, first, second)
    assert len(run(stages(), seeds, Scripted(answer), folder)) == 20
    assert (folder / "dataset" / "alpaca.jsonl").read_bytes() == original


def test_what_a_search_finds_is_dropped_for_a_reason_and_found_by_it(folder, capsys):
    word = kept(folder)[0].instruction.split()[0]
    number = sum(word in task.instruction for task in kept(folder))

    assert f"{number} tasks dropped, with the reason off_topic" in sprout(
        capsys, "drop", folder, "--search", word, "--reason", "off topic"
    )
    assert funnel(folder)["review"] == {"kept": 20 - number, "off_topic": number}
    assert f"review               20{20 - number:>9}{number:>10}   off_topic {number}" in sprout(
        capsys, "stats", folder
    )
    shown = sprout(capsys, "show", folder, "--reason", "off_topic", "--json", "--num", "50").splitlines()
    assert len(shown) == number
    assert "off_topic" in sprout(capsys, "show", folder, "--stage", "review", "--reason", "rejected")
    assert word not in sprout(capsys, "show", folder, "--num", "50")
    sprout(capsys, "keep", folder, "--reason", "off_topic")
    assert "review" not in funnel(folder)


@pytest.mark.parametrize("order", [("folder", "id"), ("id", "folder")])
def test_the_folder_and_the_id_are_taken_in_either_order(order, folder, capsys):
    words = {"folder": folder, "id": kept(folder)[0].id}

    assert "1 task dropped" in sprout(capsys, "drop", *(words[word] for word in order))


def test_report_card_why_and_compare_honour_it(folder, seeds, capsys):
    task = kept(folder)[0]
    sprout(capsys, "drop", folder, task.id, "--reviewer", "anna")
    run(stages(), seeds, Scripted(answer), folder)
    record = read_run(folder)

    assert record.kept.tasks == 19
    assert record.funnel["review"] == {"kept": 19, "dropped_by_review": 1}
    assert [life.stage for life in record.lives if life.task.id == task.id] == ["review"]
    card = (folder / "dataset" / "README.md").read_text("utf-8")
    assert "| review | 20 | 19 | dropped_by_review 1 |" in card
    assert "People have dropped 1 of its tasks and changed 0." in card
    life = why(task.id, [folder])
    assert life.startswith(f"{task.id}  rejected by review: dropped_by_review")
    assert "anna: drop (dropped_by_review)" in life
    assert stats.as_record(stats.figures(folder))["review"]["rejected"] == {"dropped_by_review": 1}
    assert "19" in sprout(capsys, "compare", folder, folder)


def test_a_changed_output_is_exported_and_what_was_before_is_kept(folder, seeds, capsys):
    task = kept(folder)[0]
    sprout(capsys, "edit", folder, task.id, "--output", "Bring it in.", "--instance", "2", "--reviewer", "anna")
    run(stages(), seeds, Scripted(answer), folder)

    assert "Bring it in." in {row["output"] for row in rows(folder) if row["id"].startswith(task.id)}
    (line,) = (json.loads(line) for line in (folder / FILE).read_text("utf-8").splitlines())
    assert line["before"]["instances"][1]["output"] == task.instances[1].output
    assert line["after"]["instances"][1]["output"] == "Bring it in."
    sprout(capsys, "edit", folder, "--undo")
    run(stages(), seeds, Scripted(answer), folder)
    assert "Bring it in." not in {row["output"] for row in rows(folder)}


def test_tags_and_notes_filter_and_choose_what_is_exported(folder, seeds, capsys):
    first, second = kept(folder)[:2]
    sprout(capsys, "edit", folder, first.id, second.id, "--add-tag", "wheels, good")
    sprout(capsys, "edit", folder, first.id, "--add-note", "Name the part number")

    assert second.id in sprout(capsys, "show", folder, "--tag", "wheels")
    shown = sprout(capsys, "show", folder, "--note", "PART")
    assert first.id in shown
    assert second.id not in shown
    assert "  tags    wheels, good" in shown
    run(stages(tags=("wheels",)), seeds, Scripted(answer), folder)
    assert in_dataset(folder) - {seed.id for seed in seeds} == {first.id, second.id}


def test_training_refuses_a_dataset_from_before_the_last_change(folder, seeds, capsys):
    task = kept(folder)[0]
    sprout(capsys, "drop", folder, task.id)
    with pytest.raises(SproutError, match=r"dataset was made before people dropped or changed tasks.*sprout export"):
        run([*stages()[:4], Train()], seeds, Scripted(answer), folder)
    sprout(capsys, "keep", folder, "--all")
    with pytest.raises(SproutError) as caught:  # there is no such model, so that the dataset was no obstacle
        run([*stages()[:4], Train()], seeds, Scripted(answer), folder)
    assert "made before" not in str(caught.value)


def test_what_was_dropped_does_not_come_back_as_a_seed_a_row_or_a_task_of_another_run(folder, seeds, tmp_path, capsys):
    first, second = kept(folder)[:2]
    sprout(capsys, "drop", folder, first.id)
    sprout(capsys, "edit", folder, second.id, "--output", "Bring it in.")
    file = folder / "4_filter.jsonl"

    assert first.id not in {task.id for task in read_seeds(file)}
    assert "Bring it in." in {task.instances[0].output for task in read_seeds(file)}
    texts = [row.answer if hasattr(row, "answer") else str(row) for row in read_dataset(file, chat=True).train]
    assert not any(first.instruction in text for text in texts)
    assert any("Bring it in." in text for text in texts)
    given = [first.id, *(task.id for task in kept(folder))]
    scripted = ("--engine", "scripted", "--set", "engine.answer=tests.conftest:answer", "--seeds", file)
    sprout(capsys, "export", "--tasks", file, "--out", tmp_path / "other", "--format", "alpaca", *scripted)
    assert in_dataset(tmp_path / "other") == {*given} - {first.id}


def test_the_dataset_of_another_run_is_refused_too_if_it_is_older_than_its_review(folder, seeds, tmp_path, capsys):
    sprout(capsys, "drop", folder, kept(folder)[0].id)
    for place in (folder, folder / "dataset"):
        with pytest.raises(SproutError, match="made before people dropped"):
            run([Train(dataset=str(place))], seeds, Scripted(answer), tmp_path / "other")
    run(stages(), seeds, Scripted(answer), folder)
    with pytest.raises(SproutError) as caught:
        run([Train(dataset=str(folder))], seeds, Scripted(answer), tmp_path / "other")
    assert "made before" not in str(caught.value)


def test_a_run_that_grows_keeps_what_was_dropped_out(folder, seeds, capsys):
    task = kept(folder)[0]
    sprout(capsys, "drop", folder, task.id)
    more = [Instructions(num_tasks=30, max_rouge=0.6), *stages()[1:]]

    assert len(run(more, seeds, Scripted(answer), folder)) == 29
    assert task.id not in in_dataset(folder)


def test_all_tasks_dropped_is_an_error_with_the_way_back(folder, seeds, capsys):
    sprout(capsys, "drop", folder, "--search", "the")
    with pytest.raises(SproutError, match=r"all 20 tasks are dropped, so none is left; `sprout keep .* --all`"):
        run(stages(), seeds, Scripted(answer), folder)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("drop", "RUN"), "no task is named"),
        (("drop", "RUN", "task_nope"), "task_nope: no such task"),
        (("drop", "RUN", "task_"), "begins the ids of"),
        (("drop", "RUN", "REJECTED"), "was rejected by instructions (not_new)"),
        (("drop", "RUN", "--search", "nothing like it"), "no task matches"),
        (("drop", "RUN", "ID", "--reason", "?!"), "is not a reason"),
        (("drop", "no/such/folder", "ID"), "there is no such folder"),
        (("keep", "RUN", "--all"), "no dropped task matches"),
        (("keep", "RUN", "--reason", "off_topic"), "there is no reason 'off_topic'"),
        (("edit", "RUN", "ID"), "nothing to change is given"),
        (("edit", "RUN", "ID", "--output", "x", "--instance", "7"), "there is no instance 7"),
        (("edit", "RUN", "ID", "--instruction", " "), "an instruction cannot be empty"),
        (("edit", "RUN", "--search", "the", "--output", "x"), "one task at a time"),
        (("edit", "RUN", "--undo"), "nothing to undo"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(command, problem, folder, capsys):
    rejected = next(task.id for task in read_tasks(folder / "1_instructions.jsonl") if not task.kept)
    words = {"RUN": folder, "ID": kept(folder)[0].id, "REJECTED": rejected}

    assert problem in refused(capsys, *(words.get(word, word) for word in command))
    assert not (folder / FILE).exists()


def test_a_stage_cannot_have_the_name_of_the_review(seeds, tmp_path):
    class Review(Filter):
        kind = "review"

    with pytest.raises(SproutError, match="a stage cannot be called review"):
        run([*stages()[:4], Review()], seeds, Scripted(answer), tmp_path)
