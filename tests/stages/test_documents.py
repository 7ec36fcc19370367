"""Tasks are made from a user's own text, and what an answer must be like is checked."""

import logging

import pytest
from pydantic import ValidationError

from pipeline import Completion, SproutError, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.stages import Documents, Export, Filter
from pipeline.task import Instance, Task
from tests.runs.toys import files

NOTE = "The {n} mill was built in {year}. Its miller, Ada Fell, grinds rye. She sells the flour on market day."


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    for n in range(12):
        (folder / f"{n}.md").write_text(f"# Mill {n}\n\n{NOTE.format(n=n, year=1700 + n)}\n", encoding="utf-8")
    return folder


def passage_of(request):
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
    return prompt.rpartition("Passage:\n")[2].partition("\n\nQuestion:")[0]


def answer(request):
    return f" When was mill {passage_of(request).split()[2]} built?\nAnswer: It was built in {passage_of(request)[-84:-80]}."


def made(folder, stage, reply=answer, **engine):
    run([stage], [], Scripted(reply, **engine), folder)
    return list(read_tasks(folder / "1_documents.jsonl"))


def test_each_passage_and_kind_gives_one_task_that_says_where_it_is_from(notes, tmp_path):
    (notes / "1.md").write_text(
        "---\ntitle: x\n---\n# Mill\n\n## Wheel\n\nThe wheel has twelve paddles.\n", encoding="utf-8"
    )
    stage = Documents(files=str(notes), kinds=("question", "summary"), min_words=5)
    tasks = made(tmp_path / "run", stage, lambda request: " What is it?\nAnswer: A mill.")
    (task,) = (one for one in tasks if one.meta["file"] == "1.md" and one.meta["kind"] == "question")

    assert len(tasks) == 24
    assert (task.instruction, task.instances[0].output) == ("What is it?", "A mill.")
    assert task.instances[0].input == task.meta["passage"] == "# Mill\n\n## Wheel\n\nThe wheel has twelve paddles."
    assert (notes / "1.md").read_text()[task.meta["start"] : task.meta["end"]] == task.meta["passage"]
    assert task.meta["heading"] == "Mill"
    assert task.parents[0].startswith("passage_")


def test_closed_book_leaves_the_passage_out_of_the_task_but_not_out_of_meta(notes, tmp_path):
    engine = Scripted(answer)
    run([Documents(files=str(notes), closed_book=True)], [], engine, tmp_path / "run")

    for task in read_tasks(tmp_path / "run" / "1_documents.jsonl"):
        assert task.instances[0].input == ""
        assert "Ada Fell" in task.meta["passage"]
    assert all("has never seen the passage" in request.prompt for request in engine.requests)


@pytest.mark.parametrize("kind", ["summary", "half", "topic"])
def test_closed_book_is_refused_for_what_needs_the_passage(kind):
    with pytest.raises(ValidationError, match=f"leaves out the passage, which {kind} needs; it goes with question"):
        Documents(files="x", kinds=("question", kind), closed_book=True)


@pytest.mark.parametrize(
    ("reply", "settings", "reason"),
    [
        ("What?", {}, "no_question_and_answer"),
        (
            " Why does Mara Lind, who steers the harbour ferry, find fog worse than a storm?\nAnswer: Because.",
            {},
            "prompt_echo",
        ),
        (" Is the harbour ferry of Ada Fell late?\nAnswer: No.", {}, "copies_prompt"),
        (
            " Why is the mill so loud?\nAnswer: In a storm she can still see the pier, but in fog she has to listen.",
            {},
            "copies_prompt",
        ),
        (" Name the miller of the mill.\nAnswer: Name the miller of the mill.", {}, "question_is_answer"),
        (" What does the passage say?\nAnswer: Rye.", {"closed_book": True}, "refers_to_passage"),
        (" I'm sorry, but I cannot help with that.\nAnswer: No.", {}, "refusal"),
        (" Who <|im_start|> is it?\nAnswer: Ada.", {}, "chat_token"),
    ],
)
def test_what_is_no_task_is_rejected_with_a_reason(notes, tmp_path, reply, settings, reason):
    with pytest.raises(SproutError, match=rf"kept none of 12 tasks, 12 rejected .{reason} 12"):
        made(tmp_path / "run", Documents(files=str(notes), **settings), lambda request: reply)


def test_a_completion_that_was_cut_off_is_no_task(notes, tmp_path):
    def cut(request):
        return Completion(id=request.id, text=" What is it?\nAnswer: It is", finish_reason="length")

    with pytest.raises(SproutError, match=r"12 rejected .cut_off 12"):
        made(tmp_path / "run", Documents(files=str(notes)), cut)


def test_the_same_question_about_the_same_passage_is_kept_once(notes, tmp_path):
    tasks = made(tmp_path / "run", Documents(files=str(notes), num_each=3))

    assert len(tasks) == 36
    assert [task.rejected for task in tasks].count("repeated") == 24


def test_instructions_that_are_alike_can_be_rejected_as_elsewhere(notes, tmp_path):
    tasks = made(tmp_path / "run", Documents(files=str(notes), max_rouge=0.7))

    assert [task.rejected for task in tasks].count("not_new") == 11
    assert all(task.scores["rouge_l"] > 0.7 and task.meta["nearest"] for task in tasks if task.rejected)


def test_half_of_a_text_is_completed(notes, tmp_path):
    engine = Scripted(lambda request: "And there it ends.", chat=True)
    run([Documents(files=str(notes), kinds=("half",))], [], engine, tmp_path / "run")
    task = next(read_tasks(tmp_path / "run" / "1_documents.jsonl"))

    assert task.meta["passage"].startswith(task.instruction)
    assert task.instruction.endswith(f"was built in {1700 + int(task.meta['file'][:-3])}.")
    assert [(one.input, one.output) for one in task.instances] == [("", "And there it ends.")]
    assert engine.requests[0].prompt[0]["content"].startswith("Below is the first half of a text.")
    plain = Scripted(lambda request: "And there it ends.")
    run([Documents(files=str(notes), kinds=("half",))], [], plain, tmp_path / "plain")
    assert all(request.prompt.startswith("# Mill") for request in plain.requests)


def test_a_kind_of_ones_own_is_a_template(notes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    template = tmp_path / "glossary.jinja"
    template.write_text("{{ passage }}\n\nTerm and meaning. Question:")
    engine = Scripted(lambda request: " Rye\nAnswer: A grain.")
    run([Documents(files=str(notes), kinds=("glossary.jinja",))], [], engine, tmp_path / "run")

    assert all(request.prompt.endswith("Term and meaning. Question:") for request in engine.requests)
    assert {task.meta["kind"] for task in read_tasks(tmp_path / "run" / "1_documents.jsonl")} == {"glossary"}
    template.write_text("{{ passage }}\n\nAnother. Question:")
    with pytest.raises(SproutError, match=r"was begun with different settings: glossary.jinja in documents"):
        run([Documents(files=str(notes), kinds=("glossary.jinja",))], [], engine, tmp_path / "run")


def test_an_answer_that_a_template_prescribes_is_not_copied_from_its_example(notes, tmp_path):
    template = tmp_path / "unknown.jinja"
    template.write_text(
        "Ask what the passage leaves open. The answer is always: The passage does not say so anywhere.\n\n"
        "Passage:\nAda sells eggs.\n\nQuestion: Who buys them?\nAnswer: unknown\n\n"
        "Passage:\n{{ passage }}\n\nQuestion:"
    )
    stage = Documents(files=str(notes), kinds=(str(template),))
    tasks = made(
        tmp_path / "run", stage, lambda request: " Who owns it?\nAnswer: The passage does not say so anywhere."
    )

    assert [task.rejected for task in tasks] == [None] * len(tasks)


def test_more_passages_add_to_what_is_there(notes, tmp_path):
    stage = Documents(files=str(notes), max_passages=5)
    made(tmp_path / "grown", stage)
    small = files(tmp_path / "grown")
    made(tmp_path / "grown", stage.model_copy(update={"max_passages": 9}))
    made(tmp_path / "at_once", Documents(files=str(notes), max_passages=9))

    assert files(tmp_path / "grown") == files(tmp_path / "at_once")
    assert files(tmp_path / "grown")["1_documents.jsonl"].startswith(small["1_documents.jsonl"])
    assert len(list(read_tasks(tmp_path / "at_once" / "1_documents.jsonl"))) == 9


def test_texts_that_moved_go_on_and_changed_ones_are_refused(notes, tmp_path):
    made(tmp_path / "run", Documents(files=str(notes), max_passages=3))
    moved = notes.rename(tmp_path / "moved")
    made(tmp_path / "run", Documents(files=str(moved), max_passages=6))
    (moved / "3.md").write_text(
        "Another text about a mill, and long enough to be one of the passages that are taken here."
    )

    with pytest.raises(
        SproutError, match=r"was begun with different settings: text in documents.*delete 1_documents.jsonl"
    ):
        made(tmp_path / "run", Documents(files=str(moved), max_passages=6))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {},
            "documents: no text is named; give a file or a folder of your own text, or a data set, with --documents or documents.files",
        ),
        ({"files": "no_such"}, "no_such: there is no such file or folder"),
        ({"files": "empty"}, "empty: there is no passage in it; give"),
        ({"files": "bad"}, r"bad: there is no passage in it \(files that are empty: 1 \(a.md\)\)"),
        ({"files": "bad", "kinds": ("nothing",)}, "documents_nothing.jinja: no such template"),
    ],
)
def test_without_a_passage_the_run_does_not_begin(tmp_path, monkeypatch, settings, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.md").touch()
    engine = Scripted(answer)

    with pytest.raises(SproutError, match=message):
        run([Documents(**settings)], [], engine, tmp_path / "run")
    assert not engine.requests


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ("topic", "topic")}, "kinds has topic twice"),
        ({"words": 15, "min_words": 16}, "min_words 16 is more than words 15"),
        ({"separators": ("",)}, "separators has an empty text"),
        ({"kinds": ()}, "at least 1 item"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Documents(files="x", **settings)


def test_what_is_left_out_is_said_once(notes, tmp_path, caplog):
    for n in range(5):
        (notes / f"bad{n}.md").touch()
    with caplog.at_level(logging.INFO):
        made(tmp_path / "run", Documents(files=str(notes)))

    assert f"documents: 12 passages of 12 documents in {notes}" in caplog.messages
    assert f"{notes}: files that are empty: 5 (bad0.md, bad1.md, bad2.md …)" in caplog.messages


def test_rows_carry_the_passage_and_its_place(notes, tmp_path):
    from datasets import load_dataset

    formats = ("alpaca", "messages", "openai", "seeds")
    export = Export(formats=formats, carry=("file", "start", "passage", "nothing"), validation_share=0)
    run([Documents(files=str(notes)), Filter(), export], [], Scripted(answer), tmp_path / "run")
    rows = load_dataset(str(tmp_path / "run" / "dataset"), "alpaca", split="train", cache_dir=str(tmp_path / "cache"))

    assert {*rows.column_names} == {"id", "instruction", "input", "output", "file", "start", "passage", "nothing"}
    assert all("Ada Fell" in row["passage"] and row["file"].endswith(".md") and row["nothing"] == "" for row in rows)
    assert (tmp_path / "run/dataset/openai.jsonl").read_text().startswith('{"messages":[{"role":"user"')
    assert '"nothing"' not in (tmp_path / "run/dataset/openai.jsonl").read_text()


@pytest.mark.parametrize(("name", "format"), [("output", "alpaca"), ("id", "messages")])
def test_a_row_carries_nothing_in_the_place_of_its_own_columns(tmp_path, name, format):
    task = Task(id="a", instruction="Add.", instances=(Instance(input="1 1", output="2"),), meta={name: "other"})
    export = Export(formats=(format,), carry=(name,), validation_share=0)

    with pytest.raises(SproutError, match=rf"export.carry: {name} is a column of the format {format} itself"):
        export.make([task], Context(seeds=[], engine=Scripted(answer), folder=tmp_path))


def test_the_card_names_the_texts_and_their_licence_and_no_seeds(notes, tmp_path):
    run([Documents(files=str(notes), licence="cc0-1.0"), Export()], [], Scripted(answer), tmp_path / "run")
    card = (tmp_path / "run" / "dataset" / "README.md").read_text("utf-8")

    assert "| the texts that the tasks are made from | cc0-1.0 |" in card
    assert "- documents: made from passages of up to 250 words. Each task has its passage as input." in card
    assert str(notes) not in card
    assert "seed tasks |" not in card
    assert "Self-Instruct" not in card
