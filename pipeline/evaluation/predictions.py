"""Models' answers to held-out instances: the files of an evaluation, and files made elsewhere."""

import filecmp
import json
import logging
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.metrics import Score, Tokenizer, score
from pipeline.seeds.records import Wanted, read_records
from pipeline.seeds.shapes import Record
from pipeline.seeds.values import id_of, printable, text_of

logger = logging.getLogger(__name__)

_WANTED = Wanted(splits=("test", "validation", "dev"), advice="give a file of predictions, such as JSONL or CSV")


class Prediction(BaseModel):
    """A line of predictions/<name>.jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prediction: str
    rouge_l: float
    exact_match: float
    match: float


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
    """The predictions in a file by the id of their instance, and the ids that belong to no instance.

    With several sets, an id may omit the name of its set if it is unique without it.

    Raises:
        SproutError: as `read_predictions`, and for a file without a prediction for any of the instances.
    """
    given = list(read_predictions(path, [one.id for one in heldout]))
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
            f"{path}: holds no prediction for any of the {len(heldout)} held-out instances; an id looks like "
            f"{printable(heldout[0].id)}"
        )
    return found, [id for id in predictions if id not in used]


def read_predictions(path: Path, ids: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """The id and text of each prediction in a file made elsewhere; other fields are ignored.

    The file holds rows in any format that seeds may have, with `id` and `prediction`; or pairs of these; or an object
    that maps ids to texts. A file without ids follows the order of `ids` if it has as many predictions. A null
    prediction is empty.

    Raises:
        SproutError: naming the place, for a file that cannot be read or a row that is no prediction.
    """
    records = read_records(path, _WANTED)
    for note, count in records.notes.items():
        logger.warning("evaluate: %s: %s: %d", path, note, count)
    answers = [answer for record in records.records for answer in _answers(record)]
    if ids and answers and len(answers) == len(ids) and not any(answer.id for answer in answers):
        logger.warning(
            "evaluate: %s: there are no ids, so predictions are taken in the order of the held-out tasks", path
        )
        answers = [answer._replace(id=id) for id, answer in zip(ids, answers, strict=True)]
    if empty := sum(answer.text is None for answer in answers):
        logger.warning("evaluate: %s: %d predictions are null, and count as empty", path, empty)
    for answer in answers:
        if not answer.id:
            raise SproutError(f"{answer.where}: id is missing; a row holds `id` and `prediction`")
        yield answer.id, answer.text or ""


class _Answer(NamedTuple):
    where: str
    id: str
    text: str | None


def _answers(record: Record) -> Iterator[_Answer]:
    where, value = record.where, record.value
    if isinstance(value, list) and len(value) == 2:
        value = {"id": value[0], "prediction": value[1]}
    elif value is None or isinstance(text_of(value), str):
        value = {"prediction": value}
    if not isinstance(value, dict):
        raise SproutError(f"{where}: expected `id` and `prediction` (found {reprlib.repr(value)})")
    if (
        value
        and not {"id", "prediction"} & value.keys()
        and not any(isinstance(one, dict | list) for one in value.values())
    ):
        yield from (_Answer(where, id, _text(one, where)) for id, one in value.items())
    elif "prediction" not in value:
        raise SproutError(f"{where}: prediction is missing; a row holds `id` and `prediction`")
    else:
        id = id_of(value.get("id"))
        if id is not None and not isinstance(id, str):
            raise SproutError(f"{where}: id: input should be a valid string (found {reprlib.repr(id)})")
        yield _Answer(where, id or "", _text(value["prediction"], where))


def _text(value: Any, where: str) -> str | None:
    text = text_of(value)
    if text is not None and not isinstance(text, str):
        raise SproutError(f"{where}: prediction: input should be a valid string (found {reprlib.repr(text)})")
    return text
