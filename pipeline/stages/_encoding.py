"""How stages that compare meanings turn tasks into vectors: the settings they share, and what is compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.engines.model_folder import is_hub_name
from pipeline.novelty.encoder import check_folder
from pipeline.runs.store import ids_of
from pipeline.task import Task
from pipeline.text import mend

ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


def _checked(encoder: str) -> str:
    if encoder and not is_hub_name(encoder):
        check_folder(Path(encoder))
    return encoder


EncoderName = Annotated[
    str, AfterValidator(_checked), Field(description="a sentence-transformers model: a folder, or a name on the hub")
]
EncoderPrompt = Annotated[
    str, Field(description='what the encoder wants before each text: "query: " for E5, an instruction for INSTRUCTOR')
]
Compared = Annotated[
    Literal["instruction", "instance"],
    Field(description="what is compared; instance: the instruction with its first input"),
]


def compared(task: Task, text: Compared) -> str:
    """The text of a task that is turned into a vector."""
    given = task.instances[0].input if text == "instance" and task.instances else ""
    return mend(f"{task.instruction}\n{given}" if given else task.instruction)


def seeds_besides(seeds: Sequence[Task], *tasks: Sequence[Task]) -> list[Task]:
    """The seeds that are not among the tasks; in a run that begins with a stage that is given the seeds, none is."""
    known = {seed.id for seed in seeds}
    given = {id for some in tasks for id in ids_of(some) if id in known}
    return [seed for seed in seeds if seed.id not in given]
