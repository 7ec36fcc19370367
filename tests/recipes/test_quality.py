"""The recipe that we recommend runs on the embedded model, and each of its stages does its part."""

from pipeline.cli.main import main
from pipeline.runs.files import find_stage_files
from pipeline.task import read_tasks

SMALL = {
    "instructions.num_tasks": "6",
    "instructions.sampling.max_tokens": "120",
    "instances.num_input_first_demos": "3",
    "instances.num_output_first_demos": "3",
    "instances.sampling.max_tokens": "60",
    "answer.prompt": "with_demos",
    "answer.num_demos": "4",
    "answer.sampling.max_tokens": "24",
    "answer.sampling.stop": '["\\n"]',
    "choose.min_rouge": "0",
    "select.max_cosine": "0.99",
}


def test_of_many_tasks_with_several_answers_the_better_half_is_kept(tmp_path, minilm):
    words = ["run", "quality", "--engine", "transformers", "--model", "nano", "--seeds", "nano", "--quiet"]
    changes = SMALL | {"select.encoder": minilm}
    main([*words, "--out", str(tmp_path), *(x for key, value in changes.items() for x in ("--set", f"{key}={value}"))])
    tasks = {name: list(read_tasks(path)) for name, path in find_stage_files(tmp_path).items()}

    assert all(len(task.instances) == 1 for task in tasks["instances"] if task.kept)
    assert max(len(task.instances[0].answers) for task in tasks["answer"] if task.kept) > 1
    scored = [task for task in tasks["score"] if task.kept]
    assert all({"complexity", "quality"} <= {*task.scores} for task in scored)
    kept = [task for task in tasks["select"] if task.kept]
    assert 0 < len(kept) <= (len(scored) + 1) // 2
    assert (tmp_path / "dataset" / "alpaca.jsonl").is_file()
