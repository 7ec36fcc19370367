"""Folders of files: the library `datasets` says which belong together, and their texts are those of the files."""

import json
from collections import Counter
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from pipeline.errors import SproutError
from pipeline.evaluation.heldout import read_heldout
from pipeline.seeds.read import load_seeds
from pipeline.seeds.records import Wanted
from pipeline.seeds.stream import each_record

TEXTS = ("2024-01-05", "2024-01-05 10:00:00", "007", "1e5", "1.0", "NA", "null", "nan", "true", "1234567890123456789")


def row(text: str) -> dict[str, str]:
    return {"instruction": f"Say {text} again.", "input": text, "output": text}


def lines(*texts: str) -> str:
    return "".join(json.dumps(row(text)) + "\n" for text in texts)


def table(*texts: str) -> str:
    return "instruction,input,output\n" + "".join(",".join(row(text).values()) + "\n" for text in texts)


def saved(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def said(folder: Path | str) -> list[tuple[str, str]]:
    return [(one.input, one.output) for task in load_seeds(folder).tasks for one in task.instances]


@pytest.mark.parametrize("name", ["train_jsonl", "train_csv", "data__train_csv", "train_json"])
def test_a_text_that_looks_like_a_date_or_a_number_stays_as_it_is_written(tmp_path: Path, name: str) -> None:
    content = {"jsonl": lines(*TEXTS), "csv": table(*TEXTS), "json": json.dumps([*map(row, TEXTS)])}
    folder = saved(tmp_path, **{name: content[name.rpartition("_")[2]]})

    rows = [(text, text) for text in TEXTS]
    assert said(folder) == rows
    assert [one.outputs for one in read_heldout(folder)] == [(text,) for text in TEXTS]
    streamed = [*each_record(folder, Wanted(("train",), ""), Counter())]
    assert [(one.value["input"], one.value["output"]) for one in streamed] == rows
    assert [one.number for one in streamed] == [*range(1, len(TEXTS) + 1)]


def test_files_may_differ_in_their_columns_and_be_as_spreadsheets_write_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("instruction;input;output\r\nSag öl.;;öl\r\n".encode("utf-16"))
    saved(tmp_path, b_csv="instruction,output\nSay b.,b\n", c_csv="question,answer,level\nSay c?,c,7\n")
    assert said(tmp_path) == [("", "öl"), ("", "b"), ("", "c")]


def test_parquet_files_are_one_split_as_their_readme_says(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / "data").mkdir(exist_ok=True)
        rows = pyarrow.Table.from_pylist([row(f"{number}"), row(f"{number}{number}")])
        parquet.write_table(rows, tmp_path / "data" / f"some-{number}.parquet")
    configs = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: data/*\n---\n"
    saved(tmp_path, README_md=configs)
    assert [output for _, output in said(f"{tmp_path}:main@train")] == ["0", "00", "1", "11"]


def test_a_readme_that_says_how_files_are_read_is_followed(tmp_path: Path) -> None:
    configs = "---\nconfigs:\n- config_name: default\n  data_files: a.csv\n  sep: '^'\n---\n"
    saved(tmp_path, README_md=configs, a_csv="instruction^output\nSay one.^one\n")
    assert said(tmp_path) == [("", "one")]


@pytest.mark.parametrize(
    ("files", "read", "left_out"),
    [
        ({"a_jsonl": lines("a"), "b_csv": table("b")}, ["a"], "b.csv"),
        ({"train_jsonl": lines("a"), "more_jsonl": lines("b")}, ["a"], "more.jsonl"),
        ({"cars_jsonl": lines("a"), "my.test_jsonl": lines("b"), "sub__x_json": lines("c")}, ["b"], "cars.jsonl, sub/x.json"),
        ({"a_jsonl": lines("a"), "B_JSONL": lines("b")}, ["a"], "B.JSONL"),
        ({"train_jsonl": lines("a"), "dev_jsonl": lines("b"), "test_jsonl": lines("c")}, ["a"], ""),
        ({"a_jsonl": lines("a"), "_hidden_jsonl": lines("b"), "notes_txt": "hi", "dataset.infos_json": "{}"}, ["a"], ""),
    ],
)  # fmt: skip
def test_files_that_belong_to_no_split_are_named(
    tmp_path: Path, files: dict[str, str], read: list[str], left_out: str
) -> None:
    folder = saved(tmp_path, **files)
    (tmp_path / "dataset.infos.json").rename(tmp_path / "dataset_infos.json") if "dataset.infos_json" in files else None
    notes: Counter[str] = Counter()

    assert [output for _, output in said(folder)] == read
    assert [one.value["output"] for one in each_record(folder, Wanted(("train", "test"), ""), notes)] == read
    for note in ("; ".join(load_seeds(folder).notes), "; ".join(notes)):
        assert ("files left out" in note) == bool(left_out)
        assert f"({left_out})" in note or not left_out


def test_what_is_wrong_with_a_row_is_said_with_its_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(saved(tmp_path, seeds__a_jsonl=lines("a"), seeds__b_jsonl=lines("b") + '{"instruction": "Say'))
    with pytest.raises(SproutError, match=r"^seeds/b.jsonl:2: not JSON"):
        load_seeds("seeds")
    saved(tmp_path, seeds__b_jsonl=lines("b") + '{"instruction": "Say c."}\n')
    with pytest.raises(SproutError, match=r"^seeds/b.jsonl:2: output is missing"):
        load_seeds("seeds")


@pytest.mark.parametrize("name", ["a[1]", "[a]/b", "what?", "all*"])
def test_signs_of_a_pattern_in_the_name_of_a_folder_are_only_signs(tmp_path: Path, name: str) -> None:
    saved(tmp_path / name, train_jsonl=lines("a"), test_jsonl=lines("b"))
    saved(tmp_path / "whats", train_jsonl=lines("other"))
    saved(tmp_path / "all of it", train_jsonl=lines("other"))

    assert said(tmp_path / name) == [("a", "a")]
    assert said(f"{tmp_path / name}@test") == [("b", "b")]


def test_files_that_a_card_names_below_such_a_folder_are_not_taken_for_others(tmp_path: Path) -> None:
    configs = (
        "---\nconfigs:\n- config_name: one\n  data_files: a.jsonl\n- config_name: two\n  data_files: b.jsonl\n---\n"
    )
    saved(tmp_path / "a[1]", README_md=configs, a_jsonl=lines("a"), b_jsonl=lines("b"))

    with pytest.raises(
        SproutError, match=r"a\[1\]: .*not found below a folder with \[, \* or \? in its name; rename it"
    ):
        load_seeds(f"{tmp_path / 'a[1]'}:two")


@pytest.mark.parametrize("name", [".", "./", "../seeds", "öl und meer"])
def test_a_folder_is_found_however_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = saved(tmp_path / "seeds", a_jsonl=lines("a"))
    saved(folder / "öl und meer", a_jsonl=lines("a")) if " " in name else None
    monkeypatch.chdir(folder)
    assert said(name) == [("a", "a")]
