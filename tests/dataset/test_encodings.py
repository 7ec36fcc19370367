"""The layout of worked examples as an encoding: what a base model was asked in, it is tuned and evaluated in."""

from pipeline.asking.templates import render
from pipeline.dataset.encodings import encode, zero_shot
from pipeline.dataset.rows import Rows, RowSettings
from pipeline.stages.verify import Verify
from pipeline.task import Instance, Task

TASK = Task(id="task_1", instruction="I", instances=(Instance(input="X", output="Y"),))


def test_worked_examples_are_laid_out_as_in_the_prompt_that_asks_for_them():
    assert encode("I", "X", "Y", "examples") == ("Task: I\nExample 1\nInput: X\nOutput:", " Y")
    assert encode("I", "", "Y", "examples") == ("Task: I\nExample 1\nOutput:", " Y")
    asked = render("verify", Verify(), demos=(), instruction="I", input="X")
    assert asked.endswith(zero_shot("I", "X", "examples"))


def test_every_row_of_a_dataset_can_have_one_encoding():
    prompts = {
        encoding: [row.prompt for row in Rows([TASK], (), RowSettings(encoding))] for encoding in ("output", "examples")
    }

    assert all(prompt.endswith("\n\nOutput:") for prompt in prompts["output"])
    assert all(prompt.startswith("Task: ") for prompt in prompts["examples"])
