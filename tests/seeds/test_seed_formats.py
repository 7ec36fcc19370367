"""Seed tasks from the formats people have: what is read, what is said of the rest, and what a bad row gets."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import Instance, SproutError, Task, read_seeds, run
from pipeline.seeds.read import load_seeds
from pipeline.stages import Classify, Filter, Instances, Instructions

TWICE = {"instruction": "Say it twice.", "input": "it", "output": "it it"}
SPAM = {"instruction": "Is it spam? Answer yes or no.", "input": "Buy now!", "output": "yes"}
HAM = SPAM | {"input": "See you at nine.", "output": "no"}
ROWS = [TWICE, SPAM, HAM]
READ = [
    ("Say it twice.", False, [("it", "it it")]),
    ("Is it spam? Answer yes or no.", True, [("Buy now!", "yes"), ("See you at nine.", "no")]),
]
CSV = (
    "instruction,input,output\nSay it twice.,it,it it\nIs it spam? Answer yes or no.,Buy now!,yes\n"
    "Is it spam? Answer yes or no.,See you at nine.,no\n"
)


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def chat(*turns: tuple[str, object], **fields: object) -> dict[str, object]:
    return fields | {"messages": [{"role": role, "content": content} for role, content in turns]}


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def shown(tasks: list[Task]) -> list[object]:
    return [(t.instruction, t.is_classification, [(i.input, i.output) for i in t.instances]) for t in tasks]


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (json.dumps(ROWS), "Alpaca JSON"),
        (json.dumps(ROWS, indent=2), "Alpaca JSON"),
        ("\ufeff\n " + json.dumps(ROWS), "Alpaca JSON"),
        (lines(*ROWS), "Alpaca JSONL"),
        ("\n" + lines(*ROWS).replace("\n", "\r\n\r\n"), "Alpaca JSONL"),
        (gzip.compress(lines(*ROWS).encode(), mtime=0), "Alpaca JSONL"),
        (CSV, "Alpaca CSV"),
        ("\ufeff" + CSV.replace("\n", "\r\n"), "Alpaca CSV"),
        (CSV.replace(",", ";"), "Alpaca CSV"),
        ("sep=;\n" + CSV.replace(",", ";"), "Alpaca CSV"),
        (CSV.replace(",", "\t"), "Alpaca TSV"),
        (CSV.replace(",", " | "), "Alpaca CSV"),
        (CSV.replace(",", ", ").replace("it it", '"it it"'), "Alpaca CSV"),
        (CSV.replace("instruction,input", " Instruction ,INPUT") + ",,\n\n", "Alpaca CSV"),
        (gzip.compress(CSV.encode(), mtime=0), "Alpaca CSV"),
    ],
)
def test_a_format_shows_in_what_the_file_holds_not_in_its_name(tmp_path, content, format):
    seeds = load_seeds(written(tmp_path / "seeds.txt", content))

    assert [(t, c, [(i.strip(), o) for i, o in found]) for t, c, found in shown(seeds.tasks)] == READ
    assert seeds.format == format


@pytest.mark.parametrize(
    ("record", "format", "instruction", "output"),
    [
        (chat(("user", "Hi?"), ("assistant", "Ho.")), "messages", "Hi?", "Ho."),
        (chat(("system", "You are a helpful assistant."), ("user", "Hi?"), ("assistant", "Ho.")), "messages", "Hi?", "Ho."),
        (chat(("system", "You are a pirate."), ("user", "Hi?"), ("assistant", "Arr.")), "messages", "You are a pirate.\n\nHi?", "Arr."),
        (chat(("developer", "Be brief."), ("user", "Hi?"), ("assistant", "Ho.")), "messages", "Be brief.\n\nHi?", "Ho."),
        (chat(("user", "Hi?"), ("user", "You there?"), ("assistant", "Ho.")), "messages", "Hi?\n\nYou there?", "Ho."),
        (chat(("user", "Hi?"), ("assistant", "Ho."), ("user", "More?"), ("assistant", "No.")), "messages", "Hi?", "Ho."),
        (chat(("user", [{"type": "text", "text": "Hi?"}]), ("assistant", "Ho.")), "messages", "Hi?", "Ho."),
        ({"conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Ho."}]}, "ShareGPT", "Hi?", "Ho."),
        (chat(("user", "a"), ("assistant", "b"), instruction="Hi?", output="Ho."), "Alpaca", "Hi?", "Ho."),
        ({"prompt": "Hi?", "completion": " Ho.\n"}, "prompt-completion", "Hi?", "Ho."),
        ({"prompt": chat(("user", "Hi?"))["messages"], "completion": chat(("assistant", "Ho."))["messages"]}, "prompt-completion", "Hi?", "Ho."),
    ],
)  # fmt: skip
def test_conversations_and_completions_become_tasks(tmp_path, record, format, instruction, output):
    for name, content in (("JSONL", lines(record)), ("JSON", json.dumps([record]))):
        seeds = load_seeds(written(tmp_path / name, content))

        assert (seeds.format, seeds.tasks[0].instruction) == (f"{format} {name}", instruction)
        assert seeds.tasks[0].instances == (Instance(output=output),)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_are_read_as_spreadsheets_save_them(tmp_path, encoding, end):
    path = tmp_path / "s.tsv"
    text = f"instruction\toutput{end}Übersetze: {'x' * 200_000}\tJa{end}"
    path.write_bytes(("\ufeff" * (encoding == "utf-16-be") + text).encode(encoding))
    (task,) = read_seeds(path)

    assert (task.instruction[:12], task.instances[0].output) == ("Übersetze: x", "Ja")


def test_quoted_cells_keep_their_line_breaks_and_delimiters(tmp_path):
    path = written(tmp_path / "s.csv", 'instruction,output\r\n"Write\r\na ""poem"", please.","Rose,\r\nred."\r\n')
    (task,) = read_seeds(path)

    assert (task.instruction, task.instances[0].output) == ('Write\na "poem", please.', "Rose,\nred.")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (lines(chat(("user", "a"), ("assistant", "b"), ("user", "c"))), "conversations that go on, of which only the first question and answer are taken: 1"),
        (lines(chat(("system", "You are an AI assistant."), ("user", "a"), ("assistant", "b"))), "system messages that only name an assistant and are left out: 1"),
        (lines(chat(("tool", "x"), ("user", "a"), ("assistant", "b"))), "messages of tools that are left out: 1"),
        (lines(TWICE | {"text": "x"}, SPAM | {"text": "x"}, HAM), "rows whose field 'text' is left out: 2"),
        (CSV, "tasks without the field is_classification: 2; judging by instruction and outputs, 1 of them is classification "),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_counted_in_a_line_of_the_log(tmp_path, caplog, content, note):
    path = written(tmp_path / "seeds", content)
    read_seeds(path)

    assert any(message.startswith(f"{path}: {note}") for message in caplog.messages)


def test_what_is_stated_is_not_inferred_nor_spoken_of(tmp_path, caplog):
    path = written(
        tmp_path / "s.csv",
        "instruction,output,is_classification,id,name\nSay yes or no.,yes,FALSE,7,say\nGo.,Gone.,1,,\n",
    )
    seeds = read_seeds(path)

    assert [(task.is_classification, task.name) for task in seeds] == [(False, "say"), (True, "")]
    assert seeds[0].id == "7"
    assert caplog.messages == []


def test_one_row_states_it_for_all_of_its_task(tmp_path):
    rows = [SPAM, HAM | {"is_classification": False}]

    assert [task.is_classification for task in read_seeds(written(tmp_path / "s", lines(*rows)))] == [False]


def test_ids_stay_when_rows_are_added_or_moved(tmp_path):
    before = {task.instruction: task.id for task in read_seeds(written(tmp_path / "a", lines(*ROWS)))}
    rows = [{"instruction": "Name a river.", "output": "Rhine"}, *reversed(ROWS), TWICE | {"input": "so"}]
    after = {task.instruction: task.id for task in read_seeds(written(tmp_path / "b", json.dumps(rows)))}

    assert len(after) == 3
    assert before.items() <= after.items()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("instruction,output\n", ": no seed tasks in it"),
        ("instruction,inputs,output\na,b,c\n", ":1: there is no column 'inputs'; did you mean input?"),
        ("instructions,output\na,b\n", ":1: there is no column 'instructions'; did you mean instruction?"),
        ("\ninstruction,answr\na,b\n", ":2: output is missing; there are instruction, answr"),
        ("output,output\na,b\n", ":1: two columns have the same name; there are output, output"),
        ("instruction,output\na,b,c\n", ":2: 3 cells below 2 columns; put quotes around a text with ',' in it"),
        ("# mine\ninstruction,output\na,b\n", ":1: the first line should name the columns (found '# mine')"),
        ('instruction,output\n"a\nb",c\nd\n', ":4: output is missing; there are instruction"),
        ("instruction,output\na,\n", ":2: the output is empty; write the right answer, or leave the row out"),
        ("instruction,output\n ,b\n", ":2: the instruction is empty; say what is to be done"),
        ('instruction,output\na,b\n"c,d\ne,f\n', ":3: not CSV (unexpected end of data); is a quote not closed"),
        ("instruction,output,is_classification\na,b,perhaps\n", ":2: is_classification: input should be a valid boolean"),
        ("instruction,output,is_classification\na,b,no\na,c,yes\n", ":3: is_classification is not what it is in "),
        ("instruction,output\na,é\n".encode("latin-1"), ":2: byte 0xe9 at column 3 is not UTF-8; save the file as UTF-8"),
        ("id,instruction,output\n1,a,b\n1,c,d\n", ":3: the id '1' is already that of "),
        (json.dumps([TWICE, SPAM], indent=1)[:-60], ":7: item 2: not JSON ("),
        (json.dumps([TWICE, SPAM])[:-1], ":1: item 2: no comma and no single ] follows it; is the file complete?"),
        (json.dumps([TWICE, SPAM])[:20], ":1: item 1: not JSON (unterminated string"),
        (json.dumps([TWICE, 3]), ":1: item 2: an object with the fields of a task is expected (found 3)"),
        ('[{"output": ' + "[" * 100_000, ":1: item 1: not JSON (nested too deeply)"),
        (json.dumps([TWICE | {"output": "é"}], ensure_ascii=False).encode("latin-1"), ":1: byte 0xe9 at column"),
        (lines(TWICE) + "{oops\n", ":2: not JSON (expecting property name"),
        (lines(TWICE) + "[1]\n", ":2: an object with the fields of a task is expected (found [1])"),
        (lines(TWICE, {"instruction": "a"}), ":2: output is missing; there are instruction"),
        (lines({"instruction": "a", "respond": "b"}), ":1: output is missing; there are instruction, respond"),
        (lines({"instuction": "a", "output": "b"}), ":1: there is no field 'instuction'; did you mean instruction?"),
        (lines({"prompt": "a", "chosen": "b"}), ":1: completion is missing; there are prompt, chosen"),
        (lines({"questions": "a", "answer": "b"}), ":1: there are 'questions', 'answer'; name them instruction, input and output"),
        (lines(TWICE | {"output": [3]}), ":1: output: input should be a valid string (found [3])"),
        (lines(TWICE | {"output": None}), ":1: output is missing; there are instruction, input"),
        (lines(chat(("user", "a"))), ":1: no message of the assistant, so no output"),
        (lines(chat(("assistant", "a"), ("user", "b"))), ":1: the assistant speaks first; begin with a message of the user"),
        (lines(chat(("user", "a"), ("assistant", None))), ":1: the output is empty"),
        (lines(chat(("user", [{"type": "image"}]), ("assistant", "b"))), ":1: messages.0.content: a part of the type 'image' is no text; leave the row out"),
        (lines({"messages": "a"}), ":1: messages: input should be a valid list (found 'a')"),
        (b"PK\x03\x04\0\0", ": cannot be read (File is not a zip file); give the path of a JSONL file"),
        (b"PAR1\0\0", ": cannot be read as Parquet ("),
    ],
)  # fmt: skip
def test_a_bad_row_gets_one_sentence_that_names_its_line(tmp_path, content, said):
    path = written(tmp_path / "seeds.csv", content)

    with pytest.raises(SproutError) as error:
        read_seeds(path)
    assert str(error.value).startswith(f"{path}{said}")
    assert "\n" not in str(error.value)


def test_a_table_without_a_known_column_is_told_by_its_ending(tmp_path):
    for name in ("s.csv", "s.csv.gz"):
        with pytest.raises(SproutError, match=r":1: there are 'ask', 'anser'; name them instruction"):
            read_seeds(written(tmp_path / name, "ask;anser\na;b\n"))
    with pytest.raises(SproutError, match=r"s.txt:1: not JSON \(expecting value\); each line"):
        read_seeds(written(tmp_path / "s.txt", "ask;anser\na;b\n"))


def test_folders_that_datasets_reads_are_read(tmp_path, caplog):
    from datasets import Dataset, DatasetDict, disable_progress_bars

    disable_progress_bars()
    rows = Dataset.from_list([row | {"is_classification": None} for row in ROWS])
    rows.save_to_disk(tmp_path / "saved")
    DatasetDict(train=rows).save_to_disk(tmp_path / "split")
    DatasetDict(test=rows).save_to_disk(tmp_path / "other")
    for config in ("a", "b"):
        rows.to_parquet(tmp_path / "several" / config / "train.parquet")
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/*\n" for name in "ab")
    written(tmp_path / "several" / "README.md", f"---\nconfigs:\n{configs}---\n")
    (tmp_path / "lines").mkdir()
    written(tmp_path / "lines" / "train.jsonl", lines(*ROWS))

    one = {"id": "a", "instruction": "Go.", "instances": [{"input": "", "output": "Gone."}], "rejected": None}
    tasks = Dataset.from_list([one, one | {"id": "b", "instruction": "Come.", "rejected": "not_new"}])
    tasks.to_parquet(tmp_path / "seeds.parquet")

    assert shown(read_seeds(tmp_path / "seeds.parquet")) == [("Go.", False, [("", "Gone.")])]
    for name in ("saved", "split", "lines", "several:b", "several/a/train.parquet", "other", "other@test"):
        assert shown(read_seeds(tmp_path / name)) == READ, name
    for name, said in {
        "several": "there are the configurations a, b; choose one: ",
        "other@train": "there is no split 'train'; there are test",
        "several:c": "there is no configuration 'c'; there are a, b",
    }.items():
        with pytest.raises(SproutError) as error:
            read_seeds(tmp_path / name)
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_a_folder_that_is_no_data_set_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "tasks").mkdir()
    task = Task(id="a", instruction="Go.", is_classification=False, instances=(Instance(output="Gone."),))
    written(tmp_path / "tasks" / "mine.jsonl", task.model_dump_json())
    (tmp_path / "run").mkdir()
    written(tmp_path / "run" / "1_instructions.jsonl", task.model_dump_json())

    for name in ("empty", "tasks", "run"):
        with pytest.raises(SproutError, match=r"cannot be read \(Is a directory\); give the path of a JSONL file"):
            read_seeds(tmp_path / name)


def test_a_name_on_the_hub_gets_one_sentence_where_there_is_no_network(tmp_path):
    code = "import sys; from pipeline import *; from pipeline.seeds.read import *\ntry: read_seeds('owner/name')\nexcept SproutError as error: print(error)"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path.cwd()), "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)

    assert done.stderr == ""
    assert done.stdout.startswith("owner/name: there is no such file, and as a data set on the hub it cannot be read (")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("name", ["nowhere", "nowhere.csv", "no/where.jsonl", "folder/name"])
def test_a_path_that_is_not_there_is_not_taken_for_a_name_on_the_hub(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()

    with pytest.raises(SproutError, match=rf"{name}: cannot be read \(No such file or directory\)"):
        read_seeds(name)


@pytest.mark.parametrize("rows", [ROWS, [TWICE], [SPAM, HAM]])
def test_a_run_goes_through_on_such_seeds_also_with_one_kind_alone(tmp_path, model, rows):
    seeds = read_seeds(written(tmp_path / "s.json", json.dumps(rows)))
    tasks = run(
        [Instructions(num_tasks=5, window=2), Classify(), Instances(), Filter()], seeds, model, tmp_path / "run"
    )

    kinds = {task.is_classification for task in tasks}
    assert kinds <= {task.is_classification for task in seeds}
    assert all(task.instances for task in tasks)
