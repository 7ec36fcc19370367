"""One reader for seeds, held-out tasks and predictions: the same rows, however they are kept."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import ipc, parquet

from pipeline.errors import SproutError
from pipeline.evaluation.heldout import read_heldout
from pipeline.evaluation.predictions import read_predictions
from pipeline.seeds.read import load_seeds
from pipeline.seeds.records import Wanted
from pipeline.seeds.stream import each_record

ROWS: list[dict[str, Any]] = [
    {"id": "a", "instruction": "Say it twice.", "input": "it", "output": "it it", "prediction": "it"},
    {"id": "b", "instruction": "Name a sea.", "input": "", "output": "North Sea", "prediction": "Baltic"},
    {"id": "c", "instruction": "Name a hill, please.", "input": "in \"Rome\"", "output": "Caelian\nHill", "prediction": ""},
]  # fmt: skip
NAMES = [*ROWS[0]]
CELLS = [[*row.values()] for row in ROWS]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def table(delimiter: str = ",", index: bool = False) -> str:
    file = io.StringIO()
    lines = [NAMES, *CELLS]
    if index:
        lines = [[label, *cells] for label, cells in zip(["", "0", "1", "2"], lines, strict=True)]
    csv.writer(file, delimiter=delimiter).writerows(lines)
    return file.getvalue()


def columns(labels: bool) -> dict[str, Any]:
    given = {name: [row[name] for row in ROWS] for name in NAMES}
    return {name: dict(zip("012", column, strict=True)) for name, column in given.items()} if labels else given


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("folder")
        for name, content in files.items():
            archive.writestr(name.replace("_dot_", ".").replace("_in_", "/"), content)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("rows.jsonl")
        info.size = len(LINES)
        archive.addfile(info, io.BytesIO(LINES))
    return buffer.getvalue()


def arrow(kind: str) -> bytes:
    rows, sink = pyarrow.Table.from_pylist(ROWS), pyarrow.BufferOutputStream()
    if kind == "parquet":
        parquet.write_table(rows, sink)
    else:
        with (ipc.new_file if kind == "file" else ipc.new_stream)(sink, rows.schema) as writer:
            writer.write_table(rows)
    return bytes(sink.getvalue())


def packed(codec: str) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, codec) as stream:
        stream.write(LINES)
    return bytes(sink.getvalue())


KEPT: dict[str, Any] = {
    "JSONL": LINES,
    "JSONL, a mark and blank lines": b"\xef\xbb\xbf\n" + LINES.replace(b"\n", b"\r\n\r\n"),
    "JSONL, UTF-16": LINES.decode().encode("utf-16"),
    "JSONL, UTF-16 without a mark": LINES.decode().encode("utf-16-be"),
    "JSONL, UTF-32": LINES.decode().encode("utf-32"),
    "JSONL with commas": LINES.replace(b"}\n", b"},\n"),
    "JSON text sequence": b"".join(b"\x1e" + line for line in LINES.splitlines(keepends=True)),
    "JSONL of texts of JSON": "\n".join(json.dumps(json.dumps(row)) for row in ROWS),
    "JSONL of arrays": "\n".join(map(json.dumps, [NAMES, *CELLS])),
    "JSONL of batches": json.dumps(ROWS[:2]) + "\n" + json.dumps(ROWS[2:]),
    "array": json.dumps(ROWS),
    "array, pretty": json.dumps(ROWS, indent=4),
    "objects, pretty": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "array of arrays": json.dumps([NAMES, *CELLS]),
    "nested array": json.dumps([ROWS]),
    "wrapped": json.dumps({"data": ROWS}),
    "wrapped, pretty": json.dumps({"version": "1.0", "count": 3, "data": ROWS, "tags": ["x"], "errors": []}, indent=1),
    "a comma behind the last item": json.dumps(ROWS)[:-1] + ",]",
    "wrapped in its own name": json.dumps({"instances": ROWS}),
    "pages": "\n".join(json.dumps({"page": n, "items": rows}) for n, rows in enumerate([ROWS[:2], [], ROWS[2:]])),
    "pandas split with other labels": json.dumps({"columns": NAMES, "index": ["x"], "data": CELLS}),
    "wrapped by an unknown name": json.dumps({"meine_daten": ROWS}),
    "wrapped twice": json.dumps({"result": {"items": ROWS}}),
    "wrapped array of arrays": json.dumps({"values": [NAMES, *CELLS]}),
    "viewer of the hub": json.dumps({"features": [{"feature_idx": 0, "name": "id"}], "partial": False, "rows": [{"row_idx": n, "row": row, "truncated_cells": []} for n, row in enumerate(ROWS)]}),
    "the only split": json.dumps({"default": ROWS}),
    "pandas columns": json.dumps(columns(labels=True)),
    "pandas list": json.dumps(columns(labels=False)),
    "pandas split": json.dumps({"columns": NAMES, "index": [0, 1, 2], "data": CELLS}),
    "pandas index": json.dumps({str(n): row for n, row in enumerate(ROWS)}),
    "pandas index by id": json.dumps({row["id"]: {name: row[name] for name in NAMES[1:]} for row in ROWS}),
    "pandas table": json.dumps({"schema": {"fields": [], "pandas_version": "1"}, "data": [{"index": n} | row for n, row in enumerate(ROWS)]}),
    "pandas lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS),
    "CSV": table(),
    "CSV with semicolons": table(";"),
    "TSV": table("\t"),
    "CSV, sep=": "sep=;\r\n" + table(";"),
    "CSV, UTF-16": table("\t").encode("utf-16"),
    "CSV of pandas with its index": table(index=True),
    "Parquet": arrow("parquet"),
    "Arrow": arrow("file"),
    "Arrow stream": arrow("stream"),
    "gzip": gzip.compress(LINES, mtime=0),
    "gzip of CSV": gzip.compress(table().encode(), mtime=0),
    "gzip, two members": gzip.compress(LINES[:10], mtime=0) + gzip.compress(LINES[10:], mtime=0),
    "gzip twice": gzip.compress(gzip.compress(LINES, mtime=0), mtime=0),
    "gzip of Parquet": gzip.compress(arrow("parquet"), mtime=0),
    "bz2": bz2.compress(LINES),
    "xz": lzma.compress(LINES),
    "lzma": lzma.compress(LINES, lzma.FORMAT_ALONE),
    "zstd": packed("zstd"),
    "zstd, two frames": packed("zstd") + pyarrow.compress(b"\n", codec="zstd", asbytes=True),
    "lz4": packed("lz4"),
    "zip": zipped(rows_dot_jsonl=LINES, __MACOSX_in_rows_dot_jsonl=b"x", _dot_DS_Store=b"x"),
    "zip of Parquet": zipped(rows_dot_parquet=arrow("parquet")),
}  # fmt: skip


@pytest.mark.parametrize("content", KEPT.values(), ids=KEPT)
def test_the_same_rows_are_read_however_they_are_kept(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "rows"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    seeds = load_seeds(path).tasks
    heldout = read_heldout(path)
    predictions = [*read_predictions(path, [row["id"] for row in ROWS])]

    assert [(t.id, t.instruction, t.instances[0].input, t.instances[0].output) for t in seeds] == [
        tuple(row[:4]) for row in CELLS
    ]
    assert [(one.id, one.instruction, one.input, *one.outputs) for one in heldout] == [tuple(row[:4]) for row in CELLS]
    assert predictions == [(row["id"], row["prediction"]) for row in ROWS]


NAMED: list[tuple[str | bytes, str]] = [
    (tarred(), "a tar archive; unpack it and give the file in it)"),
    (zipped(a_dot_jsonl=LINES, b_dot_jsonl=LINES), "a zip archive with 2 files: a.jsonl, b.jsonl; unpack it and give one of them)"),
    (zipped(), "a zip archive with 0 files; unpack it"),
    (zipped(xl_in_workbook_dot_xml=b""), "an Excel file; save the sheet as CSV in UTF-8)"),
    (zipped(mimetype=b"application/vnd.oasis", content_dot_xml=b""), "an OpenDocument file; save the sheet as CSV"),
    (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive; unpack it"),
    (b"Rar!\x1a\x07\x01\0", "a RAR archive; unpack it"),
    (b"%PDF-1.7", "a PDF file; save its tasks as CSV or JSONL)"),
    (b"SQLite format 3\0\x10", "an SQLite database; export the table"),
    (b"\x80\x04\x95\0", "a Python pickle; save its rows as JSONL)"),
    (b"\x93NUMPY\1\0", "a NumPy array; save its rows"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS; fetch the file itself with `git lfs pull`)"),
    (b"\n<!DOCTYPE html>\n<html>", "a web page; download the file itself)"),
    (b"<?xml version='1.0'?>", "an XML file; save its rows"),
    (b"{\\rtf1\\ansi", "a file of a word processor, RTF; save it as plain text)"),
    (packed("zstd")[:-5], "cannot be read (Truncated compressed stream); "),
    (lzma.compress(LINES)[:-9], "cannot be read (Compressed data ended before the end-of-stream marker was reached); "),
    (bz2.compress(LINES)[:-9], "cannot be read (Compressed data ended before the end-of-stream marker was reached); "),
    (zipped(rows_dot_jsonl=LINES)[:-30], "cannot be read (File is not a zip file); "),
    (b"PAR1 and no more", "cannot be read as Parquet ("),
    (b"ARROW1\0\0 and no more", "cannot be read as Arrow ("),
    (LINES.decode().encode("utf-16")[:-1], "cannot be read (truncated data, as utf-16); save the file as UTF-8"),
    ("é".encode("latin-1"), ":1: byte 0xe9 at column 1 is not UTF-8"),
    (json.dumps({"instruction": ["a", "b"], "output": ["c"]}), "the columns are not equally long: instruction 2, output 1"),
    (json.dumps({"easy": ROWS, "hard": ROWS}), "there are the lists easy, hard; choose one by putting @easy behind the file's name"),
    (json.dumps([NAMES, [1] * 9]), "an array of at most 5 cells is expected, one for each name"),
    (json.dumps({"columns": NAMES, "data": [*CELLS, [1] * 9]}), "row 4: an array of at most 5 cells is expected, one for each name"),
    (json.dumps({"data": ROWS, "more": ROWS}), "there are the lists data, more; choose one by putting @data behind the file's name"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), NAMED)
def test_what_cannot_be_read_is_named_for_what_it_is(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = tmp_path / "rows"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    for read in (load_seeds, read_heldout, lambda path: [*read_predictions(path)]):
        with pytest.raises(SproutError) as error:
            read(path)
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_seeds_are_read_from_the_split_train_and_held_out_tasks_from_test(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"test": ROWS[:1], "train": ROWS[1:]}))

    assert [task.id for task in load_seeds(path).tasks] == ["b", "c"]
    assert [one.id for one in read_heldout(path)] == ["a"]
    assert [task.id for task in load_seeds(f"{path}@test").tasks] == ["a"]
    assert [one.id for one in read_heldout(f"{path}@train")] == ["b", "c"]
    for place, said in {
        f"{path}@dev": "there is no split 'dev'; there are test, train",
        f"{path}:main": "a file has no configurations; leave out :main",
        "https://host/rows.jsonl": "cannot be read (an address); download the file",
    }.items():
        with pytest.raises(SproutError, match=said.replace("(", r"\(").replace(")", r"\)")):
            load_seeds(place)
    path.write_text(json.dumps(ROWS))
    with pytest.raises(SproutError, match=r"there are no splits in it; leave out @test"):
        load_seeds(f"{path}@test")
    path.rename(tmp_path / "rows@test")
    assert len(load_seeds(tmp_path / "rows@test").tasks) == 3


def test_folders_that_datasets_reads_are_held_out_and_predict_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from datasets import Dataset, DatasetDict, disable_progress_bars

    disable_progress_bars()
    rows = Dataset.from_list(ROWS)
    DatasetDict(test=rows, train=rows.select([0])).save_to_disk(tmp_path / "both")
    rows.save_to_disk(tmp_path / "saved")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "test.jsonl").write_bytes(LINES)

    for name in ("both", "saved", "files", "files@test"):
        assert [one.id for one in read_heldout(tmp_path / name)] == ["a", "b", "c"]
        assert [*read_predictions(tmp_path / name)] == [(row["id"], row["prediction"]) for row in ROWS]
    assert [task.id for task in load_seeds(tmp_path / "both").tasks] == ["a"]
    assert load_seeds(tmp_path / "files").notes[0] == "rows of the split test, the only one: 3"
    with pytest.raises(SproutError, match=r"there are no splits in it; leave out @test"):
        read_heldout(tmp_path / "saved@test")


@pytest.mark.parametrize("name", ["data", "row", "record", "example"])
def test_a_word_around_each_row_is_no_id(tmp_path: Path, name: str) -> None:
    rows = [{name: {"instruction": f"Say {text}.", "output": text}} for text in ("a", "b")]
    (tmp_path / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    tasks = load_seeds(tmp_path / "seeds.jsonl").tasks
    assert [task.instances[0].output for task in tasks] == ["a", "b"]
    assert name not in {task.id for task in tasks}


def test_numbers_of_single_precision_have_the_digits_they_were_written_with(tmp_path: Path) -> None:
    outputs = pyarrow.array([0.1, 2.5, 3e-7, 4.0], pyarrow.float32())
    file = pyarrow.table({"instruction": ["Say 0.1.", "Say 2.5.", "Say 3e-7.", "Say 4."], "output": outputs})
    parquet.write_table(file, tmp_path / "seeds.parquet")
    rows = [*each_record(tmp_path / "seeds.parquet", Wanted(("train",), ""), Counter())]

    assert [one.instances[0].output for one in load_seeds(tmp_path / "seeds.parquet").tasks] == [
        "0.1",
        "2.5",
        "3e-07",
        "4.0",
    ]
    assert [row.value["output"] for row in rows] == [0.1, 2.5, 3e-7, 4.0]


def test_whole_numbers_of_a_column_with_gaps_get_no_point(tmp_path: Path) -> None:
    table = pyarrow.table(
        {"instruction": ["Add one to 1.", "Add one to 2.", "Name a sea."], "output": [2.0, 3.0, None]}
    )
    parquet.write_table(table.slice(0, 2), tmp_path / "floats")
    parquet.write_table(table, tmp_path / "gaps")

    assert [task.instances[0].output for task in load_seeds(tmp_path / "floats").tasks] == ["2.0", "3.0"]
    with pytest.raises(SproutError, match=r"gaps: row 3: output is missing"):
        load_seeds(tmp_path / "gaps")
    parquet.write_table(
        table.set_column(1, "output", [["x"] * 3]).append_column("input", [[1.0, None, 3.0]]), tmp_path / "inputs"
    )
    assert [task.instances[0].input for task in load_seeds(tmp_path / "inputs").tasks] == ["1", "", "3"]
