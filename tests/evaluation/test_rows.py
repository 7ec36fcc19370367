"""Rows of held-out sets and predictions as people have them: other shapes, numbers, nulls, broken texts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.evaluation.answers import score_file
from pipeline.evaluation.heldout import HeldOut, read_heldout, read_sets
from pipeline.evaluation.predictions import answers_in, read_predictions
from pipeline.runs.context import Context
from pipeline.stages.evaluate import Evaluate


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def to(name: str, content: Any) -> Path:
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return path

    return to


def one(**fields: Any) -> HeldOut:
    return HeldOut(**{"id": "h-1", "task": "h-1", "instruction": "Add.", "outputs": ("4",)} | fields)


CHAT = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Ho."}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"id": 1, "instruction": "Add.", "input": "2 + 2", "output": 4}', one(id="1", task="1", input="2 + 2")),
        ('{"id": 1.0, "task": 7, "instruction": "Add.", "output": 4}', one(id="1", task="7")),
        ('{"instruction": "Add.", "output": 4.50}', one(outputs=("4.50",))),
        ('{"instruction": "Add.", "output": true}', one(outputs=("true",))),
        ('{"instruction": "Add.", "outputs": [4, "four", null]}', one(outputs=("4", "four"))),
        ('{"instruction": "Add.", "input": null, "output": "4"}', one()),
        ('{"instruction": "Add.", "input": NaN, "output": "4", "category": null}', one()),
        ('{"instruction": 5, "output": "4"}', one(instruction="5")),
        ('{"instruction": "Add.", "references": ["4"]}', one()),
        ('{"instruction": "Add \\ud83d.", "output": "4"}', one(instruction="Add \ufffd.")),
        ('{"instruction": "Add.", "input": "<noinput>", "output": "4</s>"}', one()),
        ('{"instruction": "Add.", "output": "<think>2 and 2</think>4"}', one()),
        ('{"instruction": "Add.", "output": "4", "system": "Be brief."}', one(instruction="Be brief.\n\nAdd.")),
        ('{"instruction": "Add.", "output": "4", "system": "You are a helpful assistant.", "history": []}', one()),
        ("id,instruction,output\r\n7,Add.,4\r\n", one(id="7", task="7")),
        ("instruction,outputs\nAdd.,\"[\"\"4\"\", 5]\"\n", one(outputs=("4", "5"))),
        ({"messages": CHAT, "id": 3, "task": "greet"}, one(id="3", task="greet", instruction="Hi?", outputs=("Ho.",))),
        ([CHAT], one(instruction="Hi?", outputs=("Ho.",))),
        ({"conversations": CHAT, "system": "Be a pirate."}, one(instruction="Be a pirate.\n\nHi?", outputs=("Ho.",))),
        ({"prompt": "Hi?", "completion": " Ho."}, one(instruction="Hi?", outputs=("Ho.",))),
        ({"instruction": "Add.", "instances": [{"input": 2, "output": 4}]}, one(id="h-1-0", input="2")),
        ({"Definition": ["Add."], "Categories": ["Math"], "Instances": [{"input": 2, "output": [4]}]}, one(id="h-0", task="h", category="Math", input="2")),
        ({"id": 9, "references": [4], "task_id": 1}, one(id="9", task="1", instruction="")),
    ],
)  # fmt: skip
def test_a_held_out_row_is_read_as_people_have_it(write: Callable[..., Path], content: Any, expected: HeldOut) -> None:
    assert read_heldout(write("h.json", content)) == (expected,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"instruction": "Add.", "output": null}', ":1: no output; give `output`, `outputs` or `instances`"),
        ('{"instruction": "Add.", "output": {"a": 1}}', ":1: outputs.0: input should be a valid string"),
        ('{"instruction": "Add.", "output": "4", "history": [["a", "b"]]}', ":1: history: a held-out task is one question; write what"),
        ('{"messages": [{"role": "berater", "content": "Hi?"}]}', ":1: messages.0: the role 'berater' is not known"),
        ("instruction,answr\nAdd.,4\n", ":2: no output; give `output`"),
        ("Add them up.\n", ":1: not JSON (expecting value)"),
        ('"Add."', ":1: an object with the fields of a held-out task is expected (found 'Add.')"),
        ("[]", ": no held-out instances in it"),
        ("", ": no held-out instances in it"),
    ],
)  # fmt: skip
def test_a_held_out_row_that_cannot_be_used_is_named(write: Callable[..., Path], content: str, said: str) -> None:
    path = write("h.jsonl", content)
    with pytest.raises(SproutError) as error:
        read_heldout(path)
    assert str(error.value).startswith(f"{path}{said}") or str(error.value).replace("output.0", "outputs.0").startswith(
        f"{path}{said}"
    )


def test_what_is_said_of_a_held_out_set_is_said_once(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"instruction": "Add.", "output": ""},
        {"instruction": "Go \ud83d.", "output": "x"},
        {"instruction": "A.", "output": "b", "weight": 0},
    ]
    path = write("h.jsonl", "\n".join(map(json.dumps, rows)))

    assert [len(read_heldout(path)), len(read_sets(str(path)))] == [2, 2]
    assert caplog.messages == [
        f"{path}: halves of surrogate pairs that are replaced by U+FFFD: 1",
        f"{path}: references that are empty: 1",
        f"{path}: rows that are marked not to be trained on, and are left out: 1",
    ]


def test_rows_of_several_lists_have_ids_of_their_own(write: Callable[..., Path]) -> None:
    row = {"instruction": "Add.", "output": "4"}
    path = write("h.jsonl", "\n".join(json.dumps({"page": n, "items": [row, row]}) for n in (1, 2)))

    assert [instance.id for instance in read_heldout(path)] == ["h-1", "h-2", "h-3", "h-4"]


def test_a_compressed_set_has_the_name_that_it_has_unpacked(write: Callable[..., Path]) -> None:
    import gzip

    path = write("mine.jsonl", {"instruction": "Add.", "output": "4"})
    packed = path.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))

    assert read_heldout(packed) == read_heldout(path)
    assert read_heldout(packed)[0].id == "mine-1"


HELDOUT = tuple(one(id=id, task=id) for id in ("a", "b"))
BOTH = {"a": "x", "b": "7"}


@pytest.mark.parametrize(
    "content",
    [
        [{"id": "a", "prediction": "x"}, {"id": "b", "prediction": 7}],
        {"a": "x", "b": 7},
        {"a": {"prediction": "x"}, "b": {"prediction": 7}},
        {"predictions": {"a": "x", "b": 7}},
        {"predictions": [{"id": "a", "prediction": "x"}, {"id": "b", "prediction": 7}], "model": "m"},
        {"id": ["a", "b"], "prediction": ["x", 7]},
        [["a", "x"], ["b", 7]],
        [["id", "prediction"], ["a", "x"], ["b", 7]],
        '{"a": "x"}\n{"b": 7}',
        '["a", "x"]\n["b", 7]',
        "id,prediction\na,x\nb,7\n",
        "prediction;id\nx;a\n7;b\n",
        ["x", 7],
        {"predictions": ["x", 7]},
        "prediction\nx\n7\n",
        '"x"\n7',
    ],
)
def test_predictions_are_read_as_people_have_them(write: Callable[..., Path], content: Any) -> None:
    assert answers_in(write("p.json", content), HELDOUT) == (BOTH, [])


def test_predictions_without_ids_are_taken_in_order_and_that_is_said(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = write("p.json", ["x", "y"])

    assert answers_in(path, HELDOUT)[0] == {"a": "x", "b": "y"}
    assert caplog.messages == [
        f"evaluate: {path}: there are no ids, so predictions are taken in the order of the held-out tasks"
    ]
    with pytest.raises(SproutError, match=r"item 1: id is missing; a row holds `id` and `prediction`"):
        answers_in(write("p.json", ["x", "y", "z"]), HELDOUT)


def test_ids_of_predictions_may_be_numbers_and_null_is_empty_and_said(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(
        "p.jsonl",
        '{"id": 1, "prediction": "blue"}\n{"id": 2.0, "prediction": null}\n{"id": "3", "prediction": NaN}\n{"id": 4, "prediction": "\\ud83d"}',
    )

    assert [*read_predictions(path)] == [("1", "blue"), ("2", ""), ("3", ""), ("4", "\ufffd")]
    assert caplog.messages == [
        f"evaluate: {path}: halves of surrogate pairs that are replaced by U+FFFD: 1",
        f"evaluate: {path}: 2 predictions are null, and count as empty",
    ]


def test_references_that_rouge_l_does_not_see_are_told_of_and_there_is_a_tokenizer_for_them(
    write: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"id": n, "instruction": "?", "output": text} for n, text in enumerate(["蓝色", "绿色", "blue"])]
    heldout = str(write("h.json", rows))
    predictions = {"mine": str(write("p.json", {"0": "蓝色", "1": "绿", "2": "blue"}))}
    run = Context(seeds=(), engine=Scripted(lambda request: ""), folder=tmp_path / "out")

    def figures(**given: Any) -> dict[str, Any]:
        Evaluate.model_validate({"heldout": heldout, "models": {}, "predictions": predictions} | given).make((), run)
        found: dict[str, Any] = json.loads((run.folder / "evaluation.json").read_text("utf-8"))["mine"]
        return found

    assert figures()["rouge_l"] == 33.3333
    assert caplog.messages == [
        "evaluate: 2 of 3 references are not written in a-z and 0-9, which is all that ROUGE-L sees, so it is about 0 whatever "
        'is answered; set evaluate.tokenizer = "unicode"'
    ]
    caplog.clear()
    found = figures(tokenizer="unicode")
    assert (found["rouge_l"], found["exact_match"], found["match"]) == (88.8889, 66.6667, 66.6667)
    assert found["interval"]["match"]["value"] == 66.6667
    assert found["tokenizer"] == "unicode"
    assert caplog.messages == []
    write("h.json", [row | {"output": "+"} for row in rows])
    figures(tokenizer="unicode")
    assert caplog.messages == [
        "evaluate: 3 of 3 references have no letter or digit, so their ROUGE-L is always 0; see match"
    ]


def test_match_is_in_the_files_beside_exact_match(write: Callable[..., Path], tmp_path: Path) -> None:
    heldout = [one(id="a", outputs=("-5",)), one(id="b", outputs=("1000",))]
    found = score_file(heldout, write("p.json", {"a": "5", "b": "1,000"}), tmp_path / "scored.jsonl")

    assert (found.means.exact_match, found.means.match) == (100, 50)
    lines = map(json.loads, (tmp_path / "scored.jsonl").read_text().splitlines())
    assert [(line["exact_match"], line["match"]) for line in lines] == [(1, 0), (1, 1)]
