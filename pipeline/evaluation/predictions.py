"""What models answered to held-out instances: the files of an evaluation, and files made elsewhere."""

import filecmp
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import SproutError, explain
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.metrics import Score, Tokenizer, score

logger = logging.getLogger(__name__)


class Prediction(BaseModel):
    """A line of predictions/<name>.jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prediction: str
    rouge_l: float
    exact_match: float


class _Answer(BaseModel):
    id: str
    prediction: str


def write_predictions(
    path: Path, answers: Iterable[tuple[HeldOut, str]], tokenizer: Tokenizer | None
) -> dict[str, Score]:
    """Write each answer with its scores; return these by id. The file is put in place when it is whole, and other."""
    scores: dict[str, Score] = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        for instance, prediction in answers:
            one = scores[instance.id] = score(instance, prediction, tokenizer)
            line = Prediction(id=instance.id, prediction=prediction, **dict(one))
            file.write(json.dumps(line.model_dump(), ensure_ascii=False) + "\n")
            file.flush()
    if path.is_file() and filecmp.cmp(partial, path, shallow=False):
        partial.unlink()
    else:
        partial.replace(path)
    return scores


def answers_in(path: Path, heldout: Sequence[HeldOut]) -> tuple[dict[str, str], list[str]]:
    """The predictions of a file by the id of their instance, and the ids in it that are of no instance.

    Where there are several sets, an id may do without the name of its set, if no other set has it too.

    Raises:
        SproutError: as `read_predictions`, and for a file that holds no prediction for any of the instances.
    """
    given = list(read_predictions(path))
    predictions = dict(given)
    if twice := len(given) - len(predictions):
        logger.warning("evaluate: %s: %d ids occur again, and the last prediction counts", path, twice)
    bare = {one.id: one.id.removeprefix(f"{one.source}/") for one in heldout}
    times = Counter(bare.values())
    found, used = {}, set()
    for id, name in bare.items():
        key = id if id in predictions or times[name] > 1 else name
        if key in predictions:
            found[id] = predictions[key]
            used.add(key)
    if not found:
        raise SproutError(
            f"{path}: holds no prediction for any of the {len(heldout)} held-out instances; their ids are such as "
            f"{heldout[0].id}"
        )
    return found, [id for id in predictions if id not in used]


def read_predictions(path: Path) -> Iterator[tuple[str, str]]:
    """The id and the text of each prediction in a file made elsewhere; other fields are passed over.

    Raises:
        SproutError: naming `path:line`, for a file that cannot be read and a line that is no prediction.
    """
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
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
