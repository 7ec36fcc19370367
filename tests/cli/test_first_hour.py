"""What a person meets in the first hour: typing errors, waiting, tables, and files of their own that are broken."""

import json
import logging
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import Context, Instance, RunOptions, SproutError, Task, run
from pipeline.cli import progress as progress_module
from pipeline.cli.main import main
from pipeline.cli.progress import shown_progress
from pipeline.engines.scripted import Scripted
from pipeline.report import stats
from pipeline.report.show import compare
from pipeline.report.why import why
from pipeline.runs.budget import Budget, Prices
from pipeline.runs.plan import table
from pipeline.runs.probes import Estimate
from pipeline.seeds.read import load_seeds
from pipeline.settings.build import build_stages, open_engine
from pipeline.settings.read import read
from pipeline.stages import Evaluate, Export, Score
from tests.conftest import answer
from tests.runs.test_run import stages

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ("instructions.temperature=1", "did you mean instructions.sampling.temperature?"),
        ("classify.max_tokens=3", "did you mean classify.sampling.max_tokens?"),
        ("classify.num_tasks=5", "did you mean instructions.num_tasks?"),
        ("num_tasks=5", "did you mean instructions.num_tasks?"),
        ("temperature=1", "did you mean classify.sampling.temperature or"),
        ("engine.temperature=1", "did you mean classify.sampling.temperature or"),
        ("instructions.num_task=5", "did you mean num_tasks?"),
        ("engine.modle=nano", "did you mean model?"),
        ("engine.url=http://127.0.0.1:8000/v1", "asks no server; add --engine server"),
        ("engine.model=http://127.0.0.1:8000/v1", "is the url of a server; add --engine server --set engine.url=http"),
    ],
)
def test_a_setting_in_the_wrong_place_is_told_where_it_belongs(change, meant):
    def all_of_it() -> None:
        settings = read(None, ["engine.name=transformers", "engine.model=nano", change])
        build_stages(settings)
        open_engine(settings)

    with pytest.raises(SproutError, match=re.escape(meant)):
        all_of_it()


@pytest.mark.parametrize("model", ["gpt-4o", "llama3.2:1b", "meta-llama/Llama-3.1-8B"])
def test_a_name_that_only_a_server_knows_brings_the_advice_to_ask_one(model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SproutError, match="add --engine server if a server has"):
        open_engine(read(None, ["engine.name=transformers", f"engine.model={model}"]))


def test_nano_is_understood_wherever_a_model_is_named():
    train = next(one for one in build_stages(read(None, ["train.model=nano"])) if one.kind == "train")

    assert train.model == "nano"
    with pytest.raises(SproutError, match="nano_"):
        build_stages(read(None, ["train.model=nano_"]))


@pytest.mark.parametrize("what", ["a run", "an evaluation"])
def test_a_line_is_said_while_a_batch_takes_long(what, seeds, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "INTERVAL", 0.1)

    def slow(request):
        time.sleep(0.5 if request.id.endswith("-0") or request.id == "heldout_0" else 0)
        return answer(request)

    budget = Budget()
    with shown_progress(budget=budget) as progress:
        if what == "a run":
            run(stages(2), seeds, Scripted(slow), tmp_path, RunOptions(progress=progress, budget=budget))
        else:
            heldout = tmp_path / "heldout.jsonl"
            heldout.write_text(
                "".join(
                    json.dumps(
                        {
                            "id": f"heldout_{n}",
                            "instruction": "Count.",
                            "is_classification": False,
                            "instances": [{"input": "", "output": "one"}],
                        }
                    )
                    + "\n"
                    for n in range(3)
                )
            )
            slow_engine = Scripted(lambda request: time.sleep(0.5) or "one", model="tiny", window=1)
            Evaluate(heldout=str(heldout)).make([], Context(seeds, slow_engine, tmp_path, budget=budget))
    said = capsys.readouterr().err

    assert re.search(r"^\w+: \d+ answered, \d+ asked and on their way$", said, re.MULTILINE), said
    if what == "an evaluation":
        assert "evaluate: base, tiny, answers 3 instances" in said


def test_columns_are_as_wide_as_the_names_in_them(seeds, tmp_path):
    name = "instructions-of_a_person_with_a_long_label"
    figures = {name: stats.StageFigures(decided=10, kept=5, rejected={"not_new": 5})}
    planned = table([Estimate(name, 1, 1, 1, 1.0), Estimate("classify", 20, 1, 1, 1.0)], Prices())

    assert re.search(rf"^{name}  +10 +5 ", stats.show(figures), re.MULTILINE)
    lines = [line for line in planned.splitlines() if line.startswith((name, "classify", "stage"))]
    assert len({len(line.rstrip()) for line in lines}) == 1


def test_columns_of_a_comparison_stand_apart(seeds, tmp_path):
    folders = [tmp_path / ("a_folder_with_a_name_of_some_length_" + end) for end in ("one", "two")]
    run(stages(4), seeds, Scripted(answer), folders[0])
    run(stages(4, max_rouge=0.65), seeds, Scripted(answer), folders[1])
    lines = compare(*folders).splitlines()

    head, tail = lines[0], next(line for line in lines if line.startswith("instructions.max_rouge"))
    assert head.split() == [str(folders[0]), str(folders[1])]
    assert tail.split() == ["instructions.max_rouge", "0.7", "0.65"]
    assert tail.endswith("0.65")
    assert head.index(str(folders[1])) + len(str(folders[1])) == len(tail)


def test_what_was_inferred_of_seeds_is_said_once_for_a_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "seeds.csv").write_text(
        "instruction,output\n" + "".join(f"Name river number {n}.,Nile {n}\n" for n in range(9))
    )
    (tmp_path / "toy_first_hour.py").write_text("from tests.conftest import answer as answer\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = [
        "--seeds",
        "seeds.csv",
        "--engine",
        "scripted",
        "--set",
        "engine.answer=toy_first_hour:answer",
        "--out",
        "run",
    ]
    words += ["--set", "instructions.num_tasks=5", "--quiet"]
    said = []
    for command in ("run", "run", "plan", "export", "run"):
        main([command, *words])
        said.append(capsys.readouterr().err.count("without the field is_classification"))

    assert said == [1, 0, 0, 0, 0]
    (tmp_path / "run" / "report.html").unlink()
    main(["report", "run"])
    assert "Name river number" in unpacked((tmp_path / "run" / "report.html").read_text("utf-8"))
    (tmp_path / "seeds.csv").unlink()
    capsys.readouterr()
    main(["report", "run"])


def unpacked(page: str) -> str:
    """The tasks on a page, which are compressed there."""
    import base64
    import gzip

    packed = max(re.findall(r"H4sI[\w+/=]+", page), key=len)
    return gzip.decompress(base64.b64decode(packed)).decode()


def test_seeds_need_no_ids_whatever_the_format(tmp_path):
    texts = {
        "seeds.csv": "instruction,output\nName a river.,Nile\n",
        "rows.jsonl": '{"instruction": "Name a river.", "output": "Nile"}\n',
        "tasks.jsonl": '{"instruction": "Name a river.", "is_classification": false, "instances": [{"output": "Nile"}]}\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        assert [task.instances[0].output for task in load_seeds(tmp_path / name).tasks] == ["Nile"], name


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("sprout 0.")


def test_a_validation_split_that_is_empty_is_said(seeds, tmp_path, caplog):
    tasks = [Task(id=f"t{n}", instruction=f"Say {n}.", instances=(Instance(output=str(n)),)) for n in range(3)]
    with caplog.at_level(logging.INFO):
        Export(validation_share=0.0001).make(tasks, Context(seeds, Scripted(answer), tmp_path))

    assert (
        "the validation split is empty, as none of 3 generated tasks falls into export.validation_share" in caplog.text
    )


def test_why_shows_scores_and_what_was_scored(seeds, tmp_path):
    scoring = Scripted(answer, likelihood=lambda request: [-0.5, -1.5])
    tasks = run([Score(scorers=("likelihood", "length"))], seeds, scoring, tmp_path)
    said = why(tasks[0].id, [tmp_path])

    assert "scores: likelihood -1, length 2" in said
    assert "scored, by scripted: 2 tokens, -1.0000 each on average" in said
    assert tasks[0].instances[0].output in said


BROKEN = {
    "an error": ("import json\n\nraise ValueError('no')\n", 3),
    "no Python": ("import json\n\nclass :\n", 3),
    "an exit": ("\nimport sys\nsys.exit(1)\n", 3),
}


PLACES = [
    ("broken_module.py", ["settings", "--set", "stages=['broken_module:Stage']"]),
    ("broken_module.py", ["settings", "--set", "score.scorers=['broken_module:score']"]),
    ("broken_module.py", ["settings", "--set", "export.formats=['broken_module:Format']"]),
    ("broken_module.py", ["run", "--engine", "broken_module:Engine"]),
    ("pipeline/dataset/formats/broken_module.py", ["settings", "--set", "export.formats=['alpaca']"]),
    ("pipeline/scorers/broken_module.py", ["settings", "--set", "score.scorers=['broken_module']"]),
    ("pipeline/stages/broken_module.py", ["settings", "--set", "stages=['broken_module']"]),
    ("pipeline/filters/broken_module.py", ["settings"]),
    ("pipeline/engines/broken_module.py", ["settings"]),
]


@pytest.mark.parametrize(
    ("how", "place", "words"),
    [*((how, *PLACES[0]) for how in BROKEN), *(("an error", *place) for place in PLACES[1:])],
)
def test_a_broken_module_is_a_sentence_with_its_line(how, place, words, house):
    text, line = BROKEN[how]
    folder = house.parent if place.startswith("pipeline") else house.parent / "work"
    text = f"{text}\n\ndef broken_module(task): ...\n" if "scorers" in place else text
    (folder / place).write_text(text, encoding="utf-8")
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pipeline", *words], cwd=house.parent / "work", capture_output=True, text=True,
            check=False, env={"PATH": "", "PYTHONPATH": f"{house.parent}:{house.parent / 'work'}"},
        )  # fmt: skip
    finally:
        (folder / place).unlink()

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert f"broken_module.py:{line}: " in ended.stderr
    assert "cannot be imported" in ended.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package."""
    folder = tmp_path_factory.mktemp("house")
    package = shutil.copytree(
        ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("model", "__pycache__")
    )
    for name in ("prompts", "seed_tasks"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "work").mkdir()
    return package
