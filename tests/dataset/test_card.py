"""The card of a dataset fills itself from the run, and says so where something is not known."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, constants

from pipeline import Instance, RunOptions, Task, __version__, run
from pipeline.dataset.card import NOT_STATED, cell, size_category
from pipeline.dataset.origin import without_place
from pipeline.engines.model_folder import revision
from pipeline.engines.scripted import Scripted
from pipeline.resources import NANO, shipped
from pipeline.runs.context import Context
from pipeline.runs.files import funnel
from pipeline.seeds.read import read_seeds
from pipeline.stages import Answer as Candidates
from pipeline.stages import Choose, Classify, Decontaminate, Export, Filter, Instances, Instructions, Verify
from pipeline.task import read_tasks
from tests.conftest import answer

HELD_OUT = {"id": "held-0", "instruction": "Count the words one by one", "input": "one", "output": "1"}


class Named(Scripted):
    def __init__(self, model: str) -> None:
        super().__init__(answer, model)
        self.revision = revision(model)


@pytest.fixture
def heldout(tmp_path: Path) -> str:
    path = tmp_path / "heldout.jsonl"
    path.write_text(json.dumps(HELD_OUT) + "\n")
    return str(path)


def card(folder: Path, seeds: list[Task], heldout: str = "", model: str = "toy", **settings: object) -> DatasetCard:
    """The card of a run of five stages, with the library of the hub, which checks its header."""
    stages = [Instructions(num_tasks=30, window=4), Classify(), Instances(), Filter()]
    if heldout:
        stages.append(Decontaminate(heldout=heldout))
    run([*stages, Export.model_validate(settings)], seeds, Named(model), folder)
    return DatasetCard.load(folder / "dataset" / "README.md")


def section(text: str, name: str) -> str:
    return re.split(r"^## ", text.partition(f"## {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def cells(text: str) -> list[list[str]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [line for line in lines if set(line) != {"---"}]


def test_the_header_names_the_files_of_each_format_and_split(tmp_path, seeds):
    found = card(tmp_path, seeds, formats=("alpaca", "seeds", "datasets"), validation_share=0.3)

    assert found.data.configs == [
        {
            "config_name": name,
            "data_files": [
                {"split": "train", "path": f"{name}.parquet"},
                {"split": "validation", "path": f"{name}_validation.parquet"},
            ],
        }
        | ({"default": True} if name == "alpaca" else {})
        for name in ("alpaca", "seeds")
    ]
    files = [one["path"] for config in found.data.configs for one in config["data_files"]]
    assert all((tmp_path / "dataset" / file).is_file() for file in files)
    assert found.data.size_categories == ["n<1K"]
    assert found.data.task_categories == ["text-generation"]
    assert "synthetic" in found.data.tags
    assert found.data.language is None


@pytest.mark.parametrize(
    ("licence", "header"),
    [
        ("", (None, None)),
        ("Apache-2.0", ("apache-2.0", None)),
        ("Terms of Acme: ask | us", ("other", "Terms of Acme: ask | us")),
    ],
)
def test_the_licence_is_the_one_that_is_stated_or_none(tmp_path, seeds, licence, header):
    found = card(tmp_path, seeds, licence=licence)

    assert (found.data.license, found.data.get("license_name")) == header
    assert cells(section(found.text, "Licences"))[1:] == [
        ["this dataset", licence.replace("|", "\\|") or NOT_STATED],
        ["the model that wrote it", NOT_STATED],
        ["the seed tasks", NOT_STATED],
    ]


def test_licences_of_what_ships_are_known_and_can_be_overruled(tmp_path):
    ours = read_seeds("nano")
    known = cells(section(card(tmp_path / "1", ours, model=str(NANO)).text, "Licences"))
    stated = cells(section(card(tmp_path / "2", ours, model=str(NANO), teacher_licence="mit").text, "Licences"))
    theirs = cells(section(card(tmp_path / "3", ours[1:], model=str(NANO)).text, "Licences"))

    assert [line[1] for line in known[1:]] == [NOT_STATED, "apache-2.0", "apache-2.0"]
    assert [line[1] for line in stated[1:]] == [NOT_STATED, "mit", "apache-2.0"]
    assert [line[1] for line in theirs[1:]] == [NOT_STATED, "apache-2.0", NOT_STATED]


def test_the_shipped_seeds_and_model_are_under_the_licence_the_card_says():
    assert "(Apache-2.0)" in (shipped("seed_tasks") / "README.md").read_text("utf-8")
    assert "license: apache-2.0\n" in (NANO / "README.md").read_text("utf-8")


def test_yields_are_those_of_the_funnel_and_counts_those_of_the_files(tmp_path, seeds, heldout):
    text = card(tmp_path, seeds, heldout, validation_share=0.3).text
    rows = cells(section(text, "Filters and yield"))[1:]

    assert [row[0] for row in rows] == ["instructions", "classify", "instances", "filter", "decontaminate"]
    for row, counts in zip(rows, funnel(tmp_path).values(), strict=True):
        assert row[1:3] == [f"{counts.total():,}", f"{counts['kept']:,}"]
        rejected = dict(one.rsplit(" ", 1) for one in row[3].split(", ")) if len(row) > 3 and row[3] != "|" else {}
        assert {reason: int(n) for reason, n in rejected.items() if n} == {
            reason: n for reason, n in counts.items() if reason != "kept"
        }
    figures = json.loads((tmp_path / "dataset" / "dataset.json").read_text("utf-8"))
    for split, tasks, instances in cells(section(text, "What it holds"))[1:]:
        lines = (tmp_path / "dataset" / f"alpaca{'' if split == 'train' else '_validation'}.jsonl").read_text("utf-8")
        ids = [json.loads(line)["id"] for line in lines.splitlines()]
        assert (int(instances), int(tasks)) == (len(ids), len({id.split(":")[0] for id in ids}))
    assert f"{figures['instances']} instances of {figures['tasks']} tasks, written by toy, made with" in text


def test_what_stages_say_of_what_they_did_is_in_the_card(tmp_path, seeds, heldout):
    told = section(card(tmp_path / "1", seeds, heldout).text, "Notes on the stages")
    digest = json.loads((tmp_path / "1" / "settings.json").read_text())["decontaminate"]["heldout"]
    alone = card(tmp_path / "2", seeds).text

    assert "- instructions: An instruction is new if its ROUGE-L with every other text is at most 0.7" in told
    assert re.search(r"- decontaminate: \d+ of \d+ tasks were left out because they share more than 50% of the", told)
    assert f"compared with no other evaluation sets than these: heldout.jsonl (digest {digest})." in told
    assert "- decontaminate" not in alone
    assert "Unless a note above says that it was compared with an evaluation set, it may hold" in alone


def test_the_settings_can_be_read_by_a_run_again(tmp_path, seeds, heldout):
    text = card(tmp_path, seeds, heldout, encoding="plain", licence='a "b"').text
    tables = tomllib.loads(section(text, "How it was made").partition("```toml\n")[2].partition("```")[0])

    assert Export.model_validate(tables["export"]).encoding == "plain"
    assert tables["export"]["licence"] == 'a "b"'
    assert Instructions.model_validate(tables["instructions"]).window == 4
    assert all(stage.model_validate(tables[stage.kind]) for stage in (Classify, Instances, Filter))
    assert Decontaminate.model_validate(tables["decontaminate"] | {"heldout": heldout}).ngram == 8
    assert tables["decontaminate"]["heldout"] == "heldout.jsonl"
    assert tables["stages"] == ["instructions", "classify", "instances", "filter", "decontaminate", "export"]


def test_no_path_of_the_machine_is_in_the_card(tmp_path, seeds, heldout, monkeypatch):
    folder = tmp_path / "models" / "mine"
    shutil.copytree(NANO, folder)
    text = card(tmp_path / "out", seeds, heldout, model=str(folder)).content

    assert re.search(r"\| model \| mine; a local folder, content [0-9a-f]{16} \|", text)
    assert not re.search(r"(^|[^\w:/.])/[\w-]+/[\w-]+", text)
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ("/home/me/models/mine", "mine"),
        (str(NANO), "nano"),
        ("\n\n", "\n\n"),
        ("/end", "/end"),
        ("owner/name", "owner/name"),
        ({"stop": ["/a/b/c", 3], "seed": None}, {"stop": ["c", 3]}),
    ],
)
def test_of_a_path_the_last_name_is_left(item, shown):
    assert without_place(item) == shown


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cached(folder: Path) -> Path:
    """The cache of the hub, with a model owner/name."""
    for path, text in {"refs/main": COMMIT, f"snapshots/{COMMIT}/config.json": "{}"}.items():
        place = folder / "models--owner--name" / path
        place.parent.mkdir(parents=True)
        place.write_text(text)
    return folder


def test_the_revision_of_a_model_of_the_hub_is_that_of_its_files_here(tmp_path, seeds, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cached(tmp_path / "hub")))

    here = card(tmp_path / "1", seeds, model="owner/name").text
    elsewhere = card(tmp_path / "2", seeds, model="owner/other").text
    assert f"| model | owner/name; revision {COMMIT} |" in here
    assert "| model | owner/other; its revision is not known here |" in elsewhere


def test_the_card_names_all_models_that_wrote_not_only_that_of_the_run(tmp_path, seeds, caplog):
    stages = [Instructions(num_tasks=8, window=4), Classify(), Instances(), Candidates(engines=("other",)), Export()]
    engines = {"other": Scripted(lambda request: "blue", "owner/other")}
    run(stages, seeds, Named(str(NANO)), tmp_path, RunOptions(engines=engines))
    text = (tmp_path / "dataset" / "README.md").read_text("utf-8")

    assert "| model | nano; ships with Sprout" in text
    assert "| model | owner/other; its revision is not known here |" in text
    assert "written by nano and owner/other" in text
    assert "export.teacher_licence" in caplog.text  # that of nano does not cover what the other has written


def test_a_model_that_only_judged_is_not_among_those_that_wrote(tmp_path, seeds):
    candidates = Candidates(engines=("other",))
    judges = [Classify(engine="judge"), Choose(by="judge", engine="judge"), Verify(engine="again")]
    stages = [Instructions(num_tasks=8, window=4), judges[0], Instances(), candidates, *judges[1:], Export()]
    engines = {
        "other": Scripted(lambda request: "blue", "theirs"),
        "judge": Scripted(answer, "a judge"),
        "again": Scripted(lambda request: "good", "a judge"),
    }
    run(stages, seeds, Scripted(answer, "ours"), tmp_path, RunOptions(engines=engines))
    text = (tmp_path / "dataset" / "README.md").read_text("utf-8")

    assert "written by ours and theirs, made with" in text
    assert "| model | a judge" not in text


def test_a_model_of_a_server_has_no_revision_even_if_one_of_that_name_is_here(tmp_path, seeds, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cached(tmp_path / "hub")))

    engine = Scripted(answer, "owner/name")
    run([Instructions(num_tasks=5, window=1), Classify(), Instances(), Export()], seeds, engine, tmp_path)

    text = (tmp_path / "dataset" / "README.md").read_text("utf-8")
    assert "| model | owner/name; its revision is not known here |" in text


def test_tasks_from_elsewhere_are_not_said_to_come_from_the_run_even_if_they_are_as_many(tmp_path, seeds):
    card(tmp_path, seeds)
    kept = sum(task.kept for task in read_tasks(tmp_path / "4_filter.jsonl"))
    made = [
        Task(id=f"a{n}", instruction=f"Add {n}.", instances=(Instance(input="1 1", output="2"),)) for n in range(kept)
    ]
    for folder in (tmp_path, tmp_path / "empty"):
        Export().make(made, Context(seeds=seeds, engine=Named("toy"), folder=folder))
        text = (folder / "dataset" / "README.md").read_text("utf-8")

        assert "The tasks were given to the export from outside of a run" in text
        assert "written by a model that is not known here" in text
        assert "| instructions |" not in text
        assert "toy" not in text


def test_the_card_of_the_seed_tasks_alone_says_so(tmp_path, seeds):
    text = card(tmp_path, seeds, only="seeds", validation_share=0.3).text
    figures = json.loads((tmp_path / "dataset" / "dataset.json").read_text("utf-8"))

    assert figures["splits"]["train"]["tasks"] == len(seeds)
    assert "to train on, the seed tasks that a dataset was grown from, and for validation tasks written by toy" in text


def test_a_card_is_made_anew_when_the_run_behind_it_is_another(tmp_path, seeds):
    found = card(tmp_path, seeds)
    path = tmp_path / "1_instructions.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id":"x","instruction":"y","rejected":"from_elsewhere"}\n')
    kept = [task for task in read_tasks(tmp_path / "4_filter.jsonl") if task.kept]
    Export().make(kept, Context(seeds=seeds, engine=Named("toy"), folder=tmp_path))

    text = (tmp_path / "dataset" / "README.md").read_text("utf-8")
    assert "from_elsewhere" not in found.text
    assert "from_elsewhere 1" in text


def test_seeds_are_named_or_told_by_their_digest(tmp_path, seeds):
    assert "general, which ship with Sprout; digest" in card(tmp_path / "1", read_seeds("general")).text
    assert re.search(r"\| seed tasks \| the maker's own; digest [0-9a-f]{12} \|", card(tmp_path / "2", seeds).text)
    left_out = card(tmp_path / "3", seeds, include_seeds=False).text
    assert "| seed tasks in this dataset | no |" in left_out
    assert f"Sprout {__version__}" in left_out


@pytest.mark.parametrize(
    ("instances", "category"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (9_999, "1K<n<10K"), (10_000, "10K<n<100K"), (82_000, "10K<n<100K"), (1_000_000, "1M<n<10M")],
)  # fmt: skip
def test_sizes_have_the_names_of_the_hub(instances, category):
    assert size_category(instances) == category


def test_a_text_stays_in_its_cell():
    assert cell("a|b\nc <script>") == "a\\|b c &lt;script>"
