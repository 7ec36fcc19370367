"""Write the kept tasks as a dataset, in the formats trainers read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipeline import export
from pipeline.errors import SproutError
from pipeline.products import digest, empty_folder, put_in_place, read_record, write_record
from pipeline.stage import Product, Run
from pipeline.task import Task

BATCH = 4096  # rows that are turned into a table at once


class Export(Product):
    """A folder with each format as JSONL and Parquet, its figures in dataset.json, and a card that names the formats.

    `load_dataset("<run>/dataset", "messages")` reads it. Row ids are the task's id and the number of the instance.
    """

    name: ClassVar[str] = "export"
    path: ClassVar[str] = "dataset"

    formats: tuple[export.Format, ...] = Field(default=("prompt_completion", "messages", "alpaca"), min_length=1)
    encoding: export.Encoding = "random"
    input_noise: bool = False
    include_seeds: bool = True
    random_seed: int = 0

    def make(self, tasks: Sequence[Task], run: Run) -> None:
        folder = run.folder / self.path
        chosen = [*tasks, *(run.seeds if self.include_seeds else ())]
        rows = export.rows(chosen, encoding=self.encoding, random_seed=self.random_seed, input_noise=self.input_noise)
        if not rows:
            raise SproutError(f"{folder}: nothing to export: none of the {len(chosen)} kept tasks has an instance")
        fingerprint = digest(self.settings(), *(row.model_dump_json() for row in rows))
        if read_record(folder / "dataset.json").get("fingerprint") == fingerprint:
            return
        figures = export.counts(chosen, rows) | {"settings": self.settings(), "fingerprint": fingerprint}
        partial = empty_folder(folder.with_name(f"{folder.name}.partial"))
        for name in self.formats:
            write_rows(partial, name, map(export.FORMATS[name], rows))
        write_record(partial / "dataset.json", figures)
        (partial / "README.md").write_text(card(self.formats, figures), encoding="utf-8")
        put_in_place(partial, folder)


def write_rows(folder: Path, name: str, rows: Iterable[dict[str, Any]]) -> None:
    """Write `name`.jsonl and `name`.parquet.

    Not with `Dataset.to_json`, which puts a backslash before every slash, and without its cache in the user's home.
    """
    import pyarrow
    import pyarrow.parquet

    source, parquet = iter(rows), None
    with (folder / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        while batch := list(islice(source, BATCH)):
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch)
            table = pyarrow.Table.from_pylist(batch)
            parquet = parquet or pyarrow.parquet.ParquetWriter(folder / f"{name}.parquet", table.schema)
            parquet.write_table(table)
    if parquet:
        parquet.close()


def card(formats: Sequence[str], figures: Mapping[str, Any]) -> str:
    configs = "".join(f"- config_name: {name}\n  data_files: {name}.parquet\n" for name in formats)
    text = f"{figures['instances']} instances of {figures['tasks']} tasks, made with Sprout."
    return f"---\nconfigs:\n{configs}---\n\n{text}\nSettings and figures are in dataset.json.\n"
