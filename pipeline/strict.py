"""What settings hold: no text and no true or false stands for a number, and no number is infinite."""

import math
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

_NUMBERS = {int: "int_type", float: "float_type"}


class Strict(BaseModel):
    """A table of settings, as the base of a model: pydantic alone takes "10", true and infinity for numbers."""

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        _check(cls.model_fields[str(info.field_name)].annotation, value)
        return 0.0 if isinstance(value, float) and value == 0 else value  # which may be -0.0


def _check(kind: Any, value: Any) -> None:
    """Refuse what pydantic would turn into a number, and an infinite one; what it refuses itself, it words better."""
    kinds = _branches(kind)
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticKnownError("finite_number")
    if isinstance(value, bool | str):
        number = next((one for one in kinds if one in _NUMBERS), None)
        if number and {*kinds} <= {int, float, NoneType} and (isinstance(value, bool) or _is_number(value)):
            raise PydanticKnownError(_NUMBERS[number])  # type: ignore[arg-type]
    if any(isinstance(one, type) and issubclass(one, BaseModel) for one in kinds):
        return  # it checks its fields itself
    if isinstance(value, Mapping):
        inner = [get_args(one)[-1] for one in kinds if get_origin(one) in (dict, Mapping)]
        for item in value.values():
            _check(inner[0] if inner else Any, item)
    elif isinstance(value, list | tuple):
        inner = [get_args(one)[0] for one in kinds if get_origin(one) in (list, tuple, Sequence)]
        for item in value:
            _check(inner[0] if inner else Any, item)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _branches(kind: Any) -> list[Any]:
    """The types that a value may have, without what is only said about them."""
    if get_origin(kind) is Annotated:
        return _branches(get_args(kind)[0])
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return [inner for one in get_args(kind) for inner in _branches(one)]
    return [kind]
