"""The shapes a held-out task has in a file: a task of Super-NaturalInstructions, a row, a published reference."""

from typing import Annotated, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError

from pipeline.errors import SproutError, explain
from pipeline.seeds.conversations import listed
from pipeline.seeds.values import Id, Text, printable, text_of

Kind = TypeVar("Kind", bound=BaseModel)


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _texts(value: object) -> object:
    """One or several references as texts; null means none."""
    values = value if isinstance(value, list | tuple) else [value]
    return [text_of(one) for one in values if one is not None]


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class NaturalInstance(BaseModel):
    """An instance in a task file."""

    id: Id = ""
    input: Text = ""
    output: Annotated[Texts, Field(min_length=1)]


class NaturalTask(BaseModel):
    """A task file; the first of several definitions or categories counts, as in Tk-Instruct."""

    definition: Annotated[str, BeforeValidator(_first)] = Field(validation_alias="Definition")
    category: Annotated[str, BeforeValidator(_first)] = Field(default="", validation_alias="Categories")
    instances: tuple[NaturalInstance, ...] = Field(validation_alias="Instances")


class RowInstance(BaseModel):
    """One of several instances in a row."""

    input: Annotated[str, BeforeValidator(lambda value: "" if value is None else text_of(value))] = ""
    output: Text


class HeldOutRow(BaseModel):
    """A row of a file: one instance, or several of one instruction."""

    id: Id = ""
    task: Id = ""
    category: Text = ""
    track: str = "default"
    instruction: Text
    input: Text = ""
    outputs: Texts = Field(default=(), validation_alias=AliasChoices("outputs", "output", "references"))
    instances: Annotated[tuple[RowInstance, ...], BeforeValidator(listed)] = ()

    def answers(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each input with its references."""
        single = [(self.input, self.outputs)] if self.outputs else []
        return [(instance.input, (instance.output,)) for instance in self.instances] + single


class Reference(BaseModel):
    """A line of the published references."""

    id: Id
    references: Annotated[Texts, Field(min_length=1)]
    task_id: Id = ""
    task_category: Text = ""
    track: str = "default"


def parse(kind: type[Kind], value: object, where: str) -> Kind:
    """Read a value as one of these shapes.

    Raises:
        SproutError: naming the place and the field that does not fit.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise SproutError(f"{where}: {explain(error, kind)}{_known(error, value)}") from None


def _known(error: ValidationError, value: object) -> str:
    """The fields there are, where one is missing."""
    missing = any(len(one["loc"]) == 1 and one["type"] == "missing" for one in error.errors()[:1])
    if not missing or not isinstance(value, dict):
        return ""
    return f"; there are {', '.join(map(printable, [*value][:12])) or 'no fields'}"
