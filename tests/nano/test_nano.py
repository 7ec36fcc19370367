"""The embedded model: what it has seen, what it has not, and that it can be made again."""

import json
import re
from itertools import islice, pairwise
from pathlib import Path

from pipeline import read_seeds
from pipeline.evaluation.heldout import read_heldout
from pipeline.nano import heldout
from pipeline.nano.documents import documents
from pipeline.nano.pretrain import pretrain
from pipeline.nano.world import FAMILIES, LABELLED, SEEDED
from pipeline.novelty.rouge import RougeIndex
from pipeline.resources import HELDOUT, NANO

DOCUMENTS = list(islice(documents("test"), 400))


def test_the_world_is_wide():
    assert len(FAMILIES) >= 40
    assert len(LABELLED) >= 10


def test_documents_have_the_layouts_of_the_prompts():
    text = "\n".join(DOCUMENTS)

    for line in ("\n9. ", "\nClassification: Yes\n", "\nExample 2\nInput: ", "\nClass label: "):
        assert line in text


def test_no_document_shows_an_instruction_of_the_evaluation_or_the_format_of_tuning():
    held_out = heldout.heldout_instructions()
    for document in DOCUMENTS:
        lines = document.splitlines()
        assert held_out.isdisjoint(re.sub(r"^\d+\. ", "", line) for line in lines)
        assert held_out.isdisjoint(line.removeprefix("Task: ") for line in lines)
        for above, line in pairwise(lines):
            assert line or not above.startswith("Task: ")  # never an instruction, an empty line, and its input


def test_no_seed_and_no_held_out_task_are_alike():
    seeds = {task.instruction for task in read_seeds("nano")}
    tested = read_heldout(HELDOUT)

    assert seeds.isdisjoint(task.instruction for task in tested)
    assert {task.category for task in tested} - set(SEEDED)


def test_the_files_are_those_the_code_makes(tmp_path):
    names = (HELDOUT / "splits" / "default" / "test_tasks.txt").read_text().split()
    for name, task in zip(names, heldout.heldout_tasks(), strict=True):
        assert json.loads((HELDOUT / "tasks" / f"{name}.json").read_text()) == heldout.super_ni(task, name)
    assert [task.instruction for task in read_seeds("nano")] == [task.instruction for task in heldout.seed_tasks()]


def test_hundreds_of_its_instructions_are_new_to_each_other():
    index = RougeIndex()
    lists = [document for document in DOCUMENTS if "\n9. " in document]
    for line in (line for document in lists for line in document.splitlines()[1:]):
        if index.nearest(line.partition(". ")[2]).text is None:
            index.add(line.partition(". ")[2])
    assert len(index) > 300


def test_a_model_can_be_made_in_a_moment_and_loaded(tmp_path: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    first = pretrain(tmp_path, minutes=0.05, width=64, layers=1, vocabulary=400)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)

    assert 0 < first < 8
    assert tokenizer.decode(tokenizer("Name: é 猫\n").input_ids) == "Name: é 猫\n"
    assert model.config.max_position_embeddings >= 1024


def test_the_model_in_the_repository_is_small():
    assert (NANO / "model.safetensors").stat().st_size < 15e6
