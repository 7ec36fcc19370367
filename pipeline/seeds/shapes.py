"""The rows in what a JSON file holds: an array, a wrapped list, columns as pandas writes them, arrays of arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.errors import SproutError, unknown
from pipeline.seeds.values import printable


class Record(NamedTuple):
    """A row, or what stands in its place."""

    where: str  # such as path:line
    number: int  # of the line in JSONL, else of the row
    value: Any


COLUMNS = frozenset(
    {
        *("instruction", "input", "output", "outputs", "instances", "prompt", "completion", "messages"),
        *("conversations", "id", "prediction", "references", "question", "answer", "query", "response", "context"),
        *("problem", "solution", "inputs", "targets"),
    }
)
CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "chat", "chat_messages")
SYSTEM = ("system", "system_prompt", "system_message")  # fields beside a conversation or an instruction
ROLE_KEYS = ("role", "from", "speaker", "author", "sender")
CONTENT_KEYS = ("content", "value", "text", "message", "utterance", "parts")
_NATURAL = {"Definition", "Instances"}  # of a task file of Super-NaturalInstructions
_ABOUT = {"features", "fields", "columns", "schema"}  # lists that describe the rows beside them
_WRAPPERS = ("data", "rows", "records", "items", "examples", "tasks", "samples", "predictions", "results")


def header_of(cells: Iterable[Any]) -> list[str]:
    """The names of columns as rows have them: `Is classification` is is_classification."""
    return [str(cell).strip().lower().replace(" ", "_") for cell in cells]


def named_in(row: Mapping[str, Any], name: str) -> str:
    """The name that a row has for a field as the user writes it, who sees `My text` where a table gives my_text."""
    return name if name in row else header_of([name])[0]


def is_message(value: object) -> bool:
    return isinstance(value, dict) and any(key in value for key in ROLE_KEYS)


def is_conversation(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_message, value))


def rows_of(values: Sequence[Record], splits: Sequence[str], asked: str) -> Iterator[Record]:
    """The rows that the values hold, whatever is around them.

    Args:
        splits: Of several lists by name, the first of these that is there is read.
        asked: The one that must be read instead; empty if none must.

    Raises:
        SproutError: for several lists of which none is to be preferred, and columns that are not equally long.
    """
    if len(values) > 1 and isinstance(values[0].value, list) and (header := _header(values[0].value)):
        yield from _below(header, values[1:])
        return
    if asked and not (len(values) == 1 and isinstance(values[0].value, dict)):
        place = values[0].where if values else "the file"
        raise SproutError(f"{place}: there are no splits in it; leave out @{asked}")
    for record in values:
        if isinstance(record.value, dict):
            yield from _unwrapped(record, splits, asked, alone=len(values) == 1)
        elif isinstance(record.value, list):
            yield from _items(record)
        else:
            yield record


def rows_of_line(record: Record) -> Iterator[Record]:
    """The rows in one of many lines of JSON, each of which is an object."""
    return _unwrapped(record, (), "", alone=False)


def _header(cells: Sequence[Any]) -> list[str]:
    """The names of columns, if these cells are some."""
    if not cells or not all(isinstance(cell, str) for cell in cells):
        return []
    names = header_of(cells)
    return names if COLUMNS.intersection(names) else []


def _below(header: Sequence[str], rows: Iterable[Record]) -> Iterator[Record]:
    for record in rows:
        if not isinstance(record.value, list) or len(record.value) > len(header):
            raise SproutError(f"{record.where}: an array of at most {len(header)} cells is expected, one for each name")
        yield record._replace(value=dict(zip(header, record.value, strict=False)))


def _items(record: Record) -> Iterator[Record]:
    """A conversation, the rows of a nested array, or the array as it is."""
    if is_conversation(record.value):
        yield record._replace(value={"messages": record.value})
    elif record.value and all(isinstance(item, dict) for item in record.value):
        yield from _numbered(record.where, record.value)
    else:
        yield record


def _numbered(where: str, values: Iterable[Any], noun: str = "item") -> Iterator[Record]:
    for number, value in enumerate(values, 1):
        yield Record(f"{where}: {noun} {number}", number, value)


def _unwrapped(record: Record, splits: Sequence[str], asked: str, alone: bool = True) -> Iterator[Record]:
    where, value = record.where, record.value
    if asked:
        yield from _split(record, asked)
    elif {"row", "row_idx"} <= value.keys():  # as the hub's viewer hands out rows
        yield record._replace(value=value["row"])
    elif _is_row(value) or _NATURAL & value.keys():
        yield record
    elif isinstance(names := value.get("columns"), list) and _is_table(value.get("data")):
        labels = value.get("index")
        rows = [row.value for row in _below(header_of(names), _numbered(where, value["data"], "row"))]
        yield from _numbered(where, _labelled(rows, labels if isinstance(labels, list) else []), "row")
    elif columns := _columns(value, where):
        yield from _numbered(where, columns, "row")
    elif value and all(isinstance(item, dict) and _is_row(item) for item in value.values()):
        yield from _numbered(where, _labelled([*value.values()], [*value]), "row")
    elif name := _chosen(value, where, splits, alone):
        yield from _inside(record, name, splits)
    else:
        yield record


def _inside(record: Record, name: str, splits: Sequence[str] = (), asked: str = "") -> Iterator[Record]:
    where, value = f"{record.where}: {printable(name)}", record.value[name]
    if isinstance(value, dict):
        yield from _unwrapped(Record(where, record.number, value), splits, asked)
    else:
        yield from rows_of([*_numbered(where, value)], splits, asked)


def _split(record: Record, asked: str) -> Iterator[Record]:
    names = [name for name, item in record.value.items() if isinstance(item, dict | list)]
    if asked in names:
        yield from _inside(record, asked)
    elif len(names) == 1 and isinstance(record.value[names[0]], dict):
        yield from _inside(record, names[0], asked=asked)
    else:
        problem = unknown("split", asked, map(printable, names[:12])) if names else "there are no splits in it"
        raise SproutError(f"{record.where}: {problem}")


def _is_row(value: Mapping[str, Any]) -> bool:
    """Whether it has a field of a row, and not a column of them."""
    if any(_is_one_conversation(value[key]) for key in CONVERSATIONS if key in value):
        return True
    if any(is_conversation(value.get(key)) for key in ("prompt", "completion", "chosen", "rejected", "contents")):
        return True
    return any(key in COLUMNS and not isinstance(item, dict | list) for key, item in value.items())


def _is_one_conversation(item: Any) -> bool:
    """Whether a field holds the messages of one, and not several conversations or rows with one each."""

    def is_whole(one: Any) -> bool:
        return isinstance(one, list) or (isinstance(one, dict) and not is_message(one) and _is_row(one))

    if isinstance(item, list):
        return not item or not all(map(is_whole, item))
    return is_message(item)  # its messages by columns


def _is_table(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, list) for row in value)


def _columns(value: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """Rows from columns: lists, or objects whose keys are labels of rows; none if it holds no columns."""
    if not COLUMNS.intersection(header_of(value)):
        return []
    columns = [*value.values()]
    if len(columns) == 1 and isinstance(columns[0], list) and all(isinstance(item, dict) for item in columns[0]):
        return []  # a wrapped list of rows
    if all(isinstance(column, list) for column in columns) and any(columns):
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(f"{printable(name)} {len(column)}" for name, column in [*value.items()][:12])
            raise SproutError(f"{where}: the columns are not equally long: {lengths}")
        return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if all(isinstance(column, dict) for column in columns):
        labels = [*dict.fromkeys(label for column in columns for label in column)]
        return _labelled([{name: column.get(label) for name, column in value.items()} for label in labels], labels)
    return []


def _labelled(rows: Sequence[dict[str, Any]], labels: Sequence[Any]) -> list[dict[str, Any]]:
    """The rows, with their labels as ids where these are more than a count, or a word for what is in it."""
    if len(labels) == 1 and any(labels[0] in (name, name.removesuffix("s")) for name in _WRAPPERS):
        return [*rows]
    counted = [str(label) for label in labels] == [str(number) for number in range(len(rows))]
    if counted or len(labels) != len(rows):
        return [*rows]
    return [{"id": label} | row for label, row in zip(labels, rows, strict=True)]


def _chosen(value: Mapping[str, Any], where: str, splits: Sequence[str], alone: bool) -> str:
    """The key under which the rows are; empty if there is none. One of several values is more likely a row itself."""

    def holds(item: Any) -> bool:
        return isinstance(item, dict) or (
            isinstance(item, list) and (len(value) == 1 or all(isinstance(row, dict | list) for row in item))
        )

    names = [name for name, item in value.items() if holds(item)]
    lists = [name for name in names if isinstance(value[name], list) and value[name] and name not in _ABOUT] or [
        name for name in names if isinstance(value[name], list)
    ]
    if not alone and len(names) < len(value) and not set(names) & {*splits, *_WRAPPERS}:
        return ""
    found = [split for split in splits if split in names][:1] or (lists if len(lists) == 1 else [])
    found = (
        found or [name for name in _WRAPPERS if name in names and not lists][:1] or (names if len(names) == 1 else [])
    )
    if not found and len(lists) > 1:
        known = [*map(printable, lists[:12])]
        raise SproutError(
            f"{where}: there are the lists {', '.join(known)}; choose one by putting @{known[0]} behind the file's name"
        )
    return found[0] if found else ""
