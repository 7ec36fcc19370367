"""Texts of files: numbers, nulls, broken characters, and what templates and models leave in them."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline import SproutError, read_seeds
from pipeline.report import seed_check
from pipeline.seeds.read import load_seeds

ROW = {"instruction": "Say it.", "input": "it", "output": "it"}
OWN = {"id": "x", "instruction": "Say it.", "is_classification": False, "instances": [{"input": "it", "output": "it"}]}
HALVES = "halves of surrogate pairs that are replaced by U+FFFD"
THOUGHTS = "outputs with thoughts, which are removed: 1"
THOUGHTS_PERHAPS = "outputs that begin with what may be thoughts, such as <reasoning>, and are kept as they are: 1"
THOUGHTS_KEPT = "outputs with a mark of thoughts, such as <think>, that are kept as they are: 1"
TOKENS = "texts that begin or end with a model's token, such as </s>, which is removed: 1"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def texts(path: Path) -> list[tuple[str, str, str]]:
    return [(task.instruction, one.input, one.output) for task in load_seeds(path).tasks for one in task.instances]


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("7", "7"), ("-3", "-3"), ("7.5", "7.5"), ("2.50", "2.50"), ("1e3", "1e3"), ("4.0", "4.0"), ("true", "true"), ("false", "false"),
        ("1" * 5000, "1" * 5000), ("Infinity", "Infinity"), ("1e999", "1e999"), ('"x"', "x"),
    ],
)  # fmt: skip
def test_a_number_is_the_text_that_the_file_has_for_it(tmp_path: Path, literal: str, text: str) -> None:
    for field in ("instruction", "input", "output"):
        place = write(tmp_path / "a", json.dumps(ROW | {field: "HERE"}).replace('"HERE"', literal))
        own = {
            "id": "x",
            "instruction": "Say it.",
            "is_classification": False,
            "instances": [{"input": "it", "output": "it"}],
        }
        within: dict[str, Any] = own if field == "instruction" else own["instances"][0]  # type: ignore[assignment]
        within[field] = "HERE"
        mine = write(tmp_path / "b", json.dumps(own).replace('"HERE"', literal))
        assert text in texts(place)[0]
        assert texts(mine) == texts(place)


@pytest.mark.parametrize("nothing", ["null", "NaN"])
def test_null_and_nan_are_missing(tmp_path: Path, nothing: str) -> None:
    assert texts(write(tmp_path / "a", f'{{"instruction": "Say.", "input": {nothing}, "output": "x"}}')) == [
        ("Say.", "", "x")
    ]
    own = f'{{"id": "x", "instruction": "Say.", "is_classification": false, "instances": [{{"input": {nothing}, "output": "x"}}]}}'
    assert texts(write(tmp_path / "b", own)) == [("Say.", "", "x")]
    for content, said in (
        (f'{{"instruction": "Say.", "output": {nothing}}}', "output is missing"),
        (f'{{"instruction": {nothing}, "output": "x"}}', "instruction is missing"),
        (own.replace('"x"}]', f"{nothing}}}]"), "instances.0.output is missing"),
    ):
        with pytest.raises(SproutError, match=f":1: .*{said}"):
            load_seeds(write(tmp_path / "c", content))


@pytest.mark.parametrize("row", [ROW, OWN])
@pytest.mark.parametrize(("id", "text"), [("7", "7"), ("7.0", "7"), ("7.5", "7.5"), ('"a"', "a"), ("true", "true")])
def test_an_id_may_be_a_number(tmp_path: Path, row: dict[str, Any], id: str, text: str) -> None:
    path = write(tmp_path / "a", json.dumps(row | {"id": "HERE"}).replace('"HERE"', id))

    assert [task.id for task in read_seeds(path)] == [text]


def test_tasks_of_our_own_need_no_ids_and_are_one_where_the_instruction_is_the_same(tmp_path: Path) -> None:
    bare = {key: value for key, value in OWN.items() if key != "id"}
    other = bare | {"instances": [{"input": "so", "output": "so"}]}
    path = write(tmp_path / "a", "\n".join(map(json.dumps, [bare, bare | {"instruction": "Go."}, other])))
    seeds = read_seeds(path)

    assert [len(task.instances) for task in seeds] == [2, 1]
    assert seeds[0].id == read_seeds(write(tmp_path / "b", json.dumps(ROW)))[0].id  # as the row of a table has
    with pytest.raises(SproutError, match=r"b:2: is_classification is not what it is in .*b:1, whose instruction"):
        read_seeds(write(tmp_path / "b", "\n".join(map(json.dumps, [bare, bare | {"is_classification": True}]))))


@pytest.mark.parametrize(
    ("content", "expected", "halves"),
    [
        (r'{"instruction": "Smile \ud83d", "output": "\ude00!"}', ("Smile \ufffd", "", "\ufffd!"), 2),
        (r'{"instruction": "Smile \ud83d\ude00", "output": "x"}', ("Smile \U0001f600", "", "x"), 0),
        (r'{"instruction": "Smile", "output": "\ude00\ud83d"}', ("Smile", "", "\ufffd\ufffd"), 2),
        (r'{"instruction": "Smile", "out\ud83dput": "x", "output": "y"}', ("Smile", "", "y"), 1),
        ("instruction,output\nSmile \ud83d,x\n", ("Smile \ufffd", "", "x"), 1),
        ("instruction,output\nSmile \ud83d\ude00,x\n", ("Smile \U0001f600", "", "x"), 0),
        (r'{"messages": [{"role": "user", "content": "Smile \ud83d"}, {"role": "bot", "content": "x"}]}', ("Smile \ufffd", "", "x"), 1),
        (r'{"id": "\ud83d", "instruction": "Smile", "is_classification": false, "instances": [{"output": "\ud83d"}]}', ("Smile", "", "\ufffd"), 2),
    ],
)  # fmt: skip
def test_half_a_surrogate_pair_is_mended_and_counted(
    tmp_path: Path, content: str, expected: tuple[str, str, str], halves: int
) -> None:
    path = tmp_path / "a"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))

    assert texts(path) == [expected]
    assert [note for note in load_seeds(path).notes if HALVES in note] == [f"{HALVES}: {halves}"] * bool(halves)


CLEANED = [
    ("Say.", "<noinput>", "x", ("Say.", "", "x"), "inputs that are '<noinput>', and so are left empty: 1"),
    ("Say.", "<No Input>", "x", ("Say.", "", "x"), "inputs that are '<No Input>', and so are left empty: 1"),
    ("Say.", "[no_input]", "x", ("Say.", "", "x"), "inputs that are '[no_input]', and so are left empty: 1"),
    ("Say.", "N/A", "x", ("Say.", "", "x"), "inputs that are 'N/A', and so are left empty: 1"),
    ("Say.", " n/a.\n", "x", ("Say.", "", "x"), "inputs that are 'n/a.', and so are left empty: 1"),
    ("Say.", "None", "x", ("Say.", "None", "x"), "inputs that are 'None' and are kept; leave them empty if they mean that there is none: 1"),
    ("Say.", "nan", "x", ("Say.", "nan", "x"), "inputs that are 'nan' and are kept; leave them empty if they mean that there is none: 1"),
    ("Say.", "y", "N/A", ("Say.", "y", "N/A"), "outputs that are 'N/A' and are kept; leave these rows out if the answer is missing: 1"),
    ("Say.", "The form says N/A.", "x", ("Say.", "The form says N/A.", "x"), ""),
    ("Say.", "", "x</s>", ("Say.", "", "x"), TOKENS),
    ("Say.", "", "<s> x </s>\n", ("Say.", "", "x"), TOKENS),
    ("Say.", "", "x<|endoftext|>", ("Say.", "", "x"), TOKENS),
    ("Say.", "", "x<|im_end|>\n<|endoftext|>", ("Say.", "", "x"), TOKENS),
    ("Say.", "", "x<|eot_id|>", ("Say.", "", "x"), TOKENS),
    ("Say.", "", "x<end_of_turn>", ("Say.", "", "x"), TOKENS),
    ("Say.", "", "x<｜end▁of▁sentence｜>", ("Say.", "", "x"), TOKENS),
    ("Say.", "", "<|im_start|>assistant\nx<|im_end|>", ("Say.", "", "x"), TOKENS),
    ("<s>Say.", "", "x", ("Say.", "", "x"), TOKENS),
    ("Say.", "y<|im_end|>", "x", ("Say.", "y", "x"), TOKENS),
    ("Say.", "", "a <s>b</s>", ("Say.", "", "a <s>b</s>"), ""),
    ("Say.", "", "The tag </s> ends it.", ("Say.", "", "The tag </s> ends it."), ""),
    ("Say.", "", "<think>hm</think>\n\nx", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "\n<thinking>\nhm\n</thinking>x", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "hm\n</think>\n\nx", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "<seed:think>hm</seed:think>x", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "<|begin_of_thought|>hm<|end_of_thought|>\nx", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>x", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "<|START_THINKING|>hm<|END_THINKING|>x", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "<reasoning>hm</reasoning>x", ("Say.", "", "<reasoning>hm</reasoning>x"), THOUGHTS_PERHAPS),
    ("Say.", "", "[THINK]hm[/THINK]x", ("Say.", "", "x"), THOUGHTS),
    ("Say.", "", "a <think>hm</think> b", ("Say.", "", "a \n b"), THOUGHTS),
    ("Say.", "", "The tag </think> ends it.", ("Say.", "", "The tag </think> ends it."), THOUGHTS_KEPT),
    ("Write <think> first.", "", "<think>hm</think>x", ("Write <think> first.", "", "<think>hm</think>x"), THOUGHTS_KEPT),
]  # fmt: skip


@pytest.mark.parametrize(("instruction", "input", "output", "expected", "note"), CLEANED)
def test_marks_are_removed_where_that_is_certain_and_said_by_a_run_as_by_a_check(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    instruction: str,
    input: str,
    output: str,
    expected: tuple[str, str, str],
    note: str,
) -> None:
    row = {"instruction": instruction, "input": input, "output": output, "is_classification": False}
    own = {
        "id": "a",
        "instruction": instruction,
        "is_classification": False,
        "instances": [{"input": input, "output": output}],
    }
    for name, fields in (("row", row), ("own", own)):
        path = write(tmp_path / name, json.dumps(fields))
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            (task,) = read_seeds(path)

        assert (task.instruction, task.instances[0].input, task.instances[0].output) == expected
        assert caplog.messages == [f"{path}: {note}"] * bool(note)
        assert seed_check.check(path).notes == [note] * bool(note)


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("hi<|im_end|>\n<|im_start|>assistant\nho", True),
        ("[INST] hi [/INST] ho", True),
        ("hi<end_of_turn>\nho", True),
        ("if a <b> or c[0]: <s>old</s> <image/>", False),
    ],
)
def test_a_chat_template_in_the_texts_is_said(tmp_path: Path, text: str, noted: bool) -> None:
    seeds = load_seeds(write(tmp_path / "seeds.jsonl", json.dumps(ROW | {"instruction": text})))

    assert seeds.tasks[0].instruction == text
    assert any("a model's token inside, such as <|im_end|>" in note for note in seeds.notes) == noted
