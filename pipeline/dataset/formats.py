"""The formats of a dataset: the columns of each, and the files they are written to."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from pipeline.dataset.rows import Row, clean, question
from pipeline.errors import SproutError
from pipeline.seeds.read import problem_of
from pipeline.task import Task

Format = Literal["prompt_completion", "messages", "alpaca", "sharegpt", "openai", "seeds", "datasets"]
Split = Literal["train", "validation"]

FORMATS: tuple[Format, ...] = get_args(Format)
SPLITS: tuple[Split, ...] = get_args(Split)
BATCH = 4096  # rows that are turned into a table at once

MEANING: Mapping[Format, str] = {
    "prompt_completion": "`prompt`, `completion`: text for a base model, as TRL takes it",
    "messages": "`messages` of a user and an assistant: for a chat model, as TRL takes it",
    "alpaca": "`instruction`, `input`, `output`",
    "sharegpt": "`conversations` of `human` and `gpt`, as LLaMA-Factory and axolotl take it",
    "openai": "lines for a fine-tuning job with OpenAI: `messages` and nothing else",
    "seeds": "tasks with all their instances, as Self-Instruct has them: the seeds of a next run",
    "datasets": "`instruction`, `input`, `output` and `messages`, for `datasets.load_from_disk`",
}


class Writer(Protocol):
    def write(self, batch: Sequence[dict[str, Any]]) -> None: ...
    def close(self) -> None: ...


def write(folder: Path, formats: Iterable[Format], rows: Iterable[tuple[Split, Row]], fingerprint: str) -> None:
    """Write rows in each of the formats but `seeds`; a split without a row has no file."""
    wanted = [name for name in formats if name != "seeds"]
    _write(folder, wanted, rows, fingerprint)
    if "datasets" in wanted:
        save_to_disk(folder)


def write_seeds(folder: Path, tasks: Iterable[tuple[Split, Task]]) -> None:
    """Write tasks in the format `seeds`, in their order.

    Raises:
        SproutError: for a task that cannot be a seed task.
    """
    _write(folder, ["seeds"], tasks)


def _write(folder: Path, formats: Sequence[Format], items: Iterable[tuple[Split, Any]], fingerprint: str = "") -> None:
    writers: dict[tuple[Format, Split], list[Writer]] = {}
    with ExitStack() as stack:
        for split, batch in batches(items):
            for name in formats:
                if (name, split) not in writers:
                    writers[name, split] = open_writers(folder, name, split, fingerprint)
                    for writer in writers[name, split]:
                        stack.callback(writer.close)
                columns = [COLUMNS[name](item) for item in batch]
                for writer in writers[name, split]:
                    writer.write(columns)


def file_name(name: Format, split: Split, ending: str = "jsonl") -> str:
    """The training rows of a format are in the file that has its name: alpaca.jsonl, alpaca_validation.jsonl."""
    return f"{name}.{ending}" if split == "train" else f"{name}_{split}.{ending}"


def batches(items: Iterable[tuple[Split, Any]]) -> Iterator[tuple[Split, list[Any]]]:
    waiting: dict[Split, list[Any]] = {split: [] for split in SPLITS}
    for split, item in items:
        waiting[split].append(item)
        if len(waiting[split]) == BATCH:
            yield split, waiting[split]
            waiting[split] = []
    yield from ((split, batch) for split, batch in waiting.items() if batch)


def open_writers(folder: Path, name: Format, split: Split, fingerprint: str) -> list[Writer]:
    if name == "datasets":
        return [Arrow(folder / name / f"{split}.arrow", f"{fingerprint}:{split}")]
    return [Lines(folder / file_name(name, split)), Parquet(folder / file_name(name, split, "parquet"))]


class Lines:
    """JSONL; not with `Dataset.to_json`, which puts a backslash before every slash."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, batch: Sequence[dict[str, Any]]) -> None:
        self.file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch)

    def close(self) -> None:
        self.file.close()


class Parquet:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: Any = None

    def write(self, batch: Sequence[dict[str, Any]]) -> None:
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.Table.from_pylist(batch)
        self.writer = self.writer or pyarrow.parquet.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)

    def close(self) -> None:
        if self.writer:
            self.writer.close()


class Arrow:
    """What `datasets` keeps in its cache; without the cache in the user's home."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        from datasets.arrow_writer import ArrowWriter

        path.parent.mkdir(exist_ok=True)
        self.writer = ArrowWriter(path=str(path), fingerprint=fingerprint)

    def write(self, batch: Sequence[dict[str, Any]]) -> None:
        import pyarrow

        self.writer.write_table(pyarrow.Table.from_pylist(batch))

    def close(self) -> None:
        self.writer.finalize()
        self.writer.close()


def save_to_disk(folder: Path) -> None:
    """Have `datasets` save what `Arrow` wrote, a file for each split, in the layout that `load_from_disk` reads."""
    import datasets

    bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    files = {split: folder / "datasets" / f"{split}.arrow" for split in SPLITS}
    splits = {split: datasets.Dataset.from_file(str(path)) for split, path in files.items() if path.exists()}
    datasets.DatasetDict(splits).save_to_disk(str(folder / "datasets"))
    for path in files.values():
        path.unlink(missing_ok=True)
    if bars:
        datasets.enable_progress_bars()


def columns_prompt_completion(row: Row) -> dict[str, Any]:
    return {"id": row.id, "prompt": row.prompt, "completion": row.completion}


def columns_messages(row: Row) -> dict[str, Any]:
    return {"id": row.id, **columns_openai(row)}


def columns_alpaca(row: Row) -> dict[str, Any]:
    return {"id": row.id, "instruction": row.instruction, "input": row.input, "output": row.output}


def columns_sharegpt(row: Row) -> dict[str, Any]:
    human = {"from": "human", "value": question(row.instruction, row.input)}
    return {"id": row.id, "conversations": [human, {"from": "gpt", "value": row.output}]}


def columns_openai(row: Row) -> dict[str, Any]:
    user = {"role": "user", "content": question(row.instruction, row.input)}
    return {"messages": [user, {"role": "assistant", "content": row.output}]}


def columns_datasets(row: Row) -> dict[str, Any]:
    return columns_alpaca(row) | columns_openai(row)  # a `prompt` beside `messages` would leave TRL to guess


def columns_seeds(task: Task) -> dict[str, Any]:
    if problem := problem_of(task):
        raise SproutError(f"task {task.id} cannot be exported as a seed task: {problem}")
    made = [{"input": clean(one.input), "output": clean(one.output)} for one in task.instances]
    kept = {"id": task.id, "name": clean(task.name), "instruction": clean(task.instruction), "instances": made}
    return kept | {"is_classification": task.is_classification}


COLUMNS: Mapping[Format, Callable[[Any], dict[str, Any]]] = {
    "prompt_completion": columns_prompt_completion,
    "messages": columns_messages,
    "alpaca": columns_alpaca,
    "sharegpt": columns_sharegpt,
    "openai": columns_openai,
    "seeds": columns_seeds,
    "datasets": columns_datasets,
}
