"""What models answered to held-out instances: the files of an evaluation, and files made elsewhere."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import SproutError, explain
from pipeline.heldout import HeldOut
from pipeline.metrics import Score, Tokenizer, score


class Prediction(BaseModel):
    """A line of predictions/<name>.jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prediction: str
    rouge_l: float
    exact_match: float
    request: str  # a hash of what was asked of which model; a line with another one is out of date


class _Answer(BaseModel):
    id: str
    prediction: str


def write_scores(
    path: Path, answers: Iterable[tuple[HeldOut, str]], wanted: Mapping[str, str], tokenizer: Tokenizer | None
) -> dict[str, Score]:
    """Write each answer with its scores the moment it is there."""
    scores: dict[str, Score] = {}
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for instance, prediction in answers:
            one = scores[instance.id] = score(instance, prediction, tokenizer)
            line = Prediction(id=instance.id, prediction=prediction, **dict(one), request=wanted[instance.id])
            file.write(json.dumps(line.model_dump(), ensure_ascii=False) + "\n")
            file.flush()
    return scores


def read_scores(path: Path, wanted: Mapping[str, str]) -> dict[str, Score]:
    """The scores of the answers that are there already. Lines out of date, or cut off, are taken out of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    scores: dict[str, Score] = {}
    current = []
    for line in lines:
        with suppress(ValidationError):
            one = Prediction.model_validate_json(line)
            if wanted.get(one.id) == one.request and line.endswith(b"\n"):
                scores[one.id] = Score(rouge_l=one.rouge_l, exact_match=one.exact_match)
                current.append(line)
    if current != lines:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(b"".join(current))
        partial.replace(path)
    return scores


def read_predictions(path: Path) -> Iterator[tuple[str, str]]:
    """The id and the text of each prediction in a file made elsewhere; other fields are passed over.

    Raises:
        SproutError: naming `path:line`, for a file that cannot be read and a line that is no prediction.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise SproutError(f"{path}: cannot be read ({error.strerror}); give a JSONL file of predictions") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                answer = _Answer.model_validate_json(line)
            except ValidationError as error:
                problem = explain(error, _Answer)
                raise SproutError(f"{path}:{number}: {problem}; a line holds `id` and `prediction`") from None
            yield answer.id, answer.prediction
