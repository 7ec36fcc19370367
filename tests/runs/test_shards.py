"""Shards of a run, each with random choices of its own, and merged again."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pipeline import SproutError, Task, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.novelty.rouge import RougeIndex
from pipeline.report.why import why
from pipeline.runs.merge import merge
from pipeline.runs.settings import read_settings
from pipeline.runs.shards import Shard, write_finished
from pipeline.runs.store import read_kept
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from pipeline.stages import Classify, Instances, Instructions
from pipeline.task import read_tasks
from tests.conftest import answer

OF = 4


@pytest.fixture(scope="module")
def four(seeds: list[Task], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of four shards, which no test may change."""
    return made(tmp_path_factory.mktemp("four"), seeds)[0].parent


def copied(four: Path, folder: Path) -> list[Path]:
    shutil.copytree(four, folder, dirs_exist_ok=True)
    return sorted(folder.glob("mine-*"))


def made(folder: Path, seeds: list[Task], of: int = OF, num_tasks: int = 25) -> list[Path]:
    """All shards of a run, with a threshold that many tasks do not reach."""
    folders = [Path(Shard(number, of).folder(str(folder / "mine"))) for number in range(1, of + 1)]
    for number, path in enumerate(folders, 1):
        one(path, seeds, Shard(number, of), num_tasks)
    return folders


def one(path: Path, seeds: list[Task], shard: Shard, num_tasks: int = 25) -> None:
    seed = shard.random_seed(0)
    stages = [
        Instructions(num_tasks=num_tasks, max_rouge=0.5, random_seed=seed),
        Classify(random_seed=seed),
        Instances(random_seed=seed),
    ]
    run(stages, seeds, Scripted(answer), path)
    write_finished(path, shard)


def exact(texts: list[str], max_rouge: float) -> list[str]:
    """What the filter keeps of texts in a row."""
    index, kept = RougeIndex(max_rouge=max_rouge), []
    for text in texts:
        if index.nearest(text).text is None:
            index.add(text)
            kept.append(text)
    return kept


@pytest.mark.parametrize("of", [4, 16])
def test_shards_merged_are_what_the_exact_filter_keeps_of_all_in_a_row(
    seeds: list[Task], four: Path, tmp_path: Path, of: int
) -> None:
    folders = copied(four, tmp_path) if of == OF else made(tmp_path, seeds, of, 100 // of)
    name = "1_instructions.jsonl"
    before = [task for path in folders for task in read_kept(path / name)]
    merged = merge(folders[::-1], tmp_path / "mine")
    after = list(read_tasks(tmp_path / "mine" / name))
    assert [task.instruction for task in after if task.kept] == exact([task.instruction for task in before], 0.5)
    dropped = [task for task in after if task.rejected == "not_new" and "nearest_id" in task.meta]
    assert len(dropped) == sum(one.not_new for one in merged.shards) > 0
    texts = {task.id: task.instruction for task in after if task.kept}
    for task in dropped:
        assert texts[str(task.meta["nearest_id"])] == task.meta["nearest"]
        assert task.scores["rouge_l"] > 0.5
    gone = {task.id for task in dropped}
    for later in ("2_classify.jsonl", "3_instances.jsonl"):
        lines = [line for path in folders for line in (path / later).read_bytes().splitlines(keepends=True)]
        left = [line for line in lines if json.loads(line)["id"] not in gone]
        assert (tmp_path / "mine" / later).read_bytes() == b"".join(left)
    assert len({task.id for task in after}) == len(after)


def test_no_two_shards_have_a_random_seed_or_an_id_in_common(four: Path) -> None:
    all_shards = [Shard(number, of) for of in (1, 2, 16, 9999) for number in range(1, of + 1)]
    found = {shard.random_seed(base) for shard in all_shards for base in (-1, 0, 1, 7)}
    assert len(found) == 4 * len(all_shards)
    assert all(Shard.of_seed(shard.random_seed(base)) == (shard, base) for shard in all_shards for base in (-1, 0, 7))
    assert Shard.of_seed(7) == (None, 7)
    ids = [task.id for path in four.iterdir() for task in read_tasks(path / "1_instructions.jsonl")]
    assert len(ids) == len({*ids})


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "3", "3/", "a/b", "1/10000", "-1/4", "3/4/5"])
def test_what_is_no_shard_is_told(text: str) -> None:
    with pytest.raises(SproutError, match=r"not like 3/16"):
        Shard.parse(text)


def test_shards_that_do_not_belong_together_are_refused_in_a_sentence(
    seeds: list[Task], four: Path, tmp_path: Path
) -> None:
    folders, out = copied(four, tmp_path), tmp_path / "mine"

    def refused(given: list[Path], sentence: str) -> None:
        with pytest.raises(SproutError, match=sentence) as caught:
            merge(given, out)
        assert "\n" not in str(caught.value)
        assert not out.exists() or not any(path.name != ".lock" for path in out.iterdir())

    refused([folders[0], *folders[2:]], r"shard 2 of 4 is missing; `sprout run … --shard 2/4` makes it")
    refused(folders[2:], r"shards 1, 2 of 4 are missing; `sprout run … --shard 1/4` makes the first, then merge again")
    refused([*folders, tmp_path], f"{tmp_path}: holds no run")
    refused([*folders, folders[1]], "is shard 2/4, and so is")
    run([Instructions(num_tasks=5)], seeds, Scripted(answer), tmp_path / "plain")
    refused([*folders, tmp_path / "plain"], "plain: is not a shard of a run")
    dated = [Instructions(num_tasks=5, random_seed=20260115)]  # the number of shard 115 of 2026
    run(dated, seeds, Scripted(answer), tmp_path / "dated")
    refused([*folders, tmp_path / "dated"], "dated: is not a shard of a run")
    one(tmp_path / "other", seeds, Shard(1, 3))
    refused([*folders, tmp_path / "other"], "other: is shard 1/3, but .* is 1/4; give all shards of one run")
    other = tmp_path / "changed"
    seed = Shard(4, 4).random_seed(0)
    run([Instructions(num_tasks=5, max_rouge=0.6, random_seed=seed)], seeds, Scripted(answer), other)
    write_finished(other, Shard(4, 4))
    refused([*folders[:3], other], "changed: was run with another .*max_rouge.* in instructions than .*mine-01-of-04")
    (folders[3] / "shard.json").unlink()
    refused(folders, r"mine-04-of-04: shard 4/4 is not finished; run it again with --shard 4/4")
    one(folders[3], seeds, Shard(4, 4))
    with (folders[3] / "3_instances.jsonl").open("ab") as file:
        file.write((folders[2] / "3_instances.jsonl").read_bytes().splitlines(keepends=True)[0])
    refused(folders, "shard 4/4 is not finished")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}


def test_a_merge_is_done_once_and_never_over_something_else(seeds: list[Task], tmp_path: Path) -> None:
    folders, out = made(tmp_path, seeds, OF, 4), tmp_path / "mine"
    first = merge(folders, out)
    written = contents(out)
    assert merge(folders, out) == first
    assert contents(out) == written
    one(folders[0], seeds, Shard(1, 4), 8)
    with pytest.raises(SproutError, match="mine: holds something other than these shards merged"):
        merge(folders, out)
    with pytest.raises(SproutError, match="holds something other"):
        merge(folders, folders[0])


SETTINGS = """
seeds = "{seeds}"
out = "{out}"
stages = ["instructions", "classify", "instances", "filter", "export"]
[engine]
name = "scripted"
answer = "tests.conftest:answer"
[instructions]
num_tasks = 12
max_rouge = 0.6
"""


def test_shards_of_a_settings_file_are_merged_into_a_run_that_goes_on(
    seed_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "outputs" / "mine"
    file = tmp_path / "mine.toml"
    file.write_text(SETTINGS.format(seeds=seed_file, out=out), encoding="utf-8")
    for number in (1, 2, 3):
        main(["run", str(file), "--shard", f"{number}/3", "--quiet"])
    folders = sorted(map(str, out.parent.glob("mine-*")))
    assert [Path(folder).name for folder in folders] == ["mine-01-of-03", "mine-02-of-03", "mine-03-of-03"]
    assert read_settings(Path(folders[1]) / "settings.json")["instructions"]["random_seed"] == 30002
    assert not (Path(folders[0]) / "dataset").exists()
    assert [stage.name for stage in build_stages(read(folders[0]))][-1] == "filter"
    main(["run", folders[0], "--quiet"])  # goes on by its own settings
    capsys.readouterr()

    main(["merge", *folders, "--out", str(out)])
    printed = capsys.readouterr().out
    assert re.search(r"^\.\./mine-02-of-03 +\d+ +\d+ +0$", printed, re.MULTILINE)
    assert f"sprout run {out}/run.toml" in printed
    main(["run", str(file), "--quiet"])
    main(["run", str(out), "--quiet"])
    kept = list(read_kept(out / "4_filter.jsonl"))
    assert len(kept) > 15, printed
    rows = (out / "dataset" / "alpaca.jsonl").read_text("utf-8").splitlines()
    assert len(rows) >= len(kept) - 5

    capsys.readouterr()
    main(["why", kept[-1].id, str(out)])
    life = capsys.readouterr().out
    assert "mine-03-of-03" in life
    assert "prompt, to scripted" in life
    dropped = next(one for one in read_tasks(out / "1_instructions.jsonl") if "nearest_id" in one.meta)
    assert f"nearest id {dropped.meta['nearest_id']}" in why(dropped.id, [out])
    main(["stats", str(out), "--json"])
    figures = json.loads(capsys.readouterr().out)
    each = []
    for folder in folders:
        main(["stats", folder, "--json"])
        each.append(json.loads(capsys.readouterr().out)["instructions"]["engine"]["requests"])
    assert figures["instructions"]["engine"]["requests"] == sum(each)
    main(["drop", str(out), kept[0].id])
    capsys.readouterr()
    main(["show", str(out), "--num", "1000", "--json"])
    assert kept[0].id not in capsys.readouterr().out
    main(["report", str(out)])
    assert (out / "report.html").stat().st_size > 10_000


def test_a_pattern_that_matches_no_folder_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine-notes.txt").touch()
    with pytest.raises(SystemExit):
        main(["merge", str(tmp_path / "mine-*"), "--out", str(tmp_path / "mine")])
    assert capsys.readouterr().err == (
        f"sprout: {tmp_path}/mine-*: no folder matches; give the folders that `sprout run … --shard` has written\n"
    )


def test_the_reviews_of_all_shards_are_merged_whatever_their_last_lines_lack(four: Path, tmp_path: Path) -> None:
    """A kill leaves half a line, and some editors no line end; the next shard's first line follows it."""
    folders, out = copied(four, tmp_path), tmp_path / "mine"
    merge(folders, tmp_path / "whole")
    kept = {*read_kept(tmp_path / "whole" / "3_instances.jsonl").ids()}
    of_shards = [[*read_kept(path / "3_instances.jsonl").ids()] for path in folders]
    ids = [next((id for id in own if id in kept), own[0]) for own in of_shards]  # two shards have none that is new
    for path, id in zip(folders, ids, strict=True):
        main(["drop", str(path), id])
    for path, end in ((folders[0], b""), (folders[1], b'\n{"time":"2026')):
        review = path / "review.jsonl"
        review.write_bytes(review.read_bytes().removesuffix(b"\n") + end)
    last = folders[2] / "3_instances.jsonl"
    last.write_bytes(last.read_bytes().removesuffix(b"\n"))
    merge(folders, out)
    decided = (out / "review.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["task"] for line in decided] == ids
    assert {*read_kept(out / "3_instances.jsonl").ids()} == kept


def test_a_run_without_a_stage_that_adds_tasks_has_no_shards(seed_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'seeds = "{seed_file}"\nout = "{tmp_path}/x"\nstages = ["filter", "export"]\n', encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["run", str(file), "--engine", "scripted", "--shard", "1/2"])
    with pytest.raises(SproutError, match="no stage before export adds tasks, so each shard would hold the same ones"):
        build_stages(read(str(file)).model_copy(update={"shard": "1/2"}))
