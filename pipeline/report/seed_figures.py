"""The figures of `sprout seeds check`."""

from pydantic import BaseModel, ConfigDict


class SeedFigures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Inferred(SeedFigures):
    """A task for which the file doesn't state whether it is a classification."""

    id: str
    is_classification: bool | None  # what it is taken as
    instruction: str
    outputs: list[str]


class Near(SeedFigures):
    ids: tuple[str, str]
    rouge_l: float


class NearestScores(SeedFigures):
    """The ROUGE-L of instructions to the closest other one."""

    compared: int  # how many instructions the other figures are of
    sampled: bool  # there are more
    mean: float
    max: float
    bins: dict[str, int]  # by range of ROUGE-L


class Duplicates(SeedFigures):
    """What is there twice, and how close each instruction comes to another one; each list holds ids of tasks."""

    same_instruction: list[list[str]]
    same_instance: list[list[str]]
    near: list[Near]
    nearest: NearestScores


class Verbs(SeedFigures):
    distinct: int
    pairs: int  # of a verb and its noun, distinct
    none: int  # instructions in which none is found
    most: dict[str, int]
    method: str


class WordCounts(SeedFigures):
    """How long texts are, in words."""

    least: int
    median: float
    most: int


class SeedCoverage(SeedFigures):
    verbs: Verbs
    words: dict[str, WordCounts | None]  # of instructions, inputs and outputs; None where there is nothing
    with_input: int  # tasks
    instances: dict[str, int]  # how many tasks have so many
    scripts: dict[str, int]


class Labels(SeedFigures):
    """How often each output of the classification tasks occurs, in each and over all."""

    tasks: int  # that are classification
    share: float
    by_task: dict[str, dict[str, int]]
    most: dict[str, int]
    distinct: int
    once: int


class PromptSize(SeedFigures):
    """In tokens, taken as 4 ASCII characters or 1 other each."""

    prompt: int
    completion: int  # how many may be added
    shortened_by: str = ""  # the setting to lower


class Checked(SeedFigures):
    """All figures of a seed file, and what to do about them, most urgent first."""

    path: str
    format: str
    notes: list[str]
    tasks: int
    instances: int
    inferred: list[Inferred]
    duplicates: Duplicates
    coverage: SeedCoverage
    labels: Labels
    rejected: dict[str, str]  # by id, the reason
    prompts: dict[str, PromptSize]
    advice: list[str] = []
