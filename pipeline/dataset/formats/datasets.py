"""A folder that `datasets.load_from_disk` reads, with both the parts of an instance and its messages."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.dataset.files import Arrow, Line, Writer
from pipeline.dataset.formats.alpaca import Alpaca
from pipeline.dataset.formats.base import ADVICE, SPLITS, Format, Split
from pipeline.dataset.formats.turns import messages_of
from pipeline.dataset.rows import Row
from pipeline.seeds.records import Wanted, read_records
from pipeline.seeds.shapes import Record


class Datasets(Format):
    meaning = "`instruction`, `input`, `output` and `messages`, for `datasets.load_from_disk`"
    fields = Alpaca.fields

    def columns(self, row: Row) -> Line:
        # A `prompt` beside `messages` would leave TRL to guess.
        return Alpaca().columns(row) | {"messages": messages_of(row)}

    def files(self, split: Split) -> list[str]:
        return ["datasets/"] if split == "train" else []

    def loaded(self, split: Split) -> None:
        return None

    def open(self, folder: Path, split: Split, fingerprint: str) -> list[Writer]:
        return [Arrow(folder / self.name / f"{split}.arrow", f"{fingerprint}:{split}")]

    def finish(self, folder: Path) -> None:
        """Have `datasets` save what `Arrow` wrote, a file for each split."""
        import datasets

        bars = not datasets.are_progress_bars_disabled()
        datasets.disable_progress_bars()
        files = {split: folder / self.name / f"{split}.arrow" for split in SPLITS}
        splits = {split: datasets.Dataset.from_file(str(path)) for split, path in files.items() if path.exists()}
        datasets.DatasetDict(splits).save_to_disk(str(folder / self.name))
        for path in files.values():
            path.unlink(missing_ok=True)
        if bars:
            datasets.enable_progress_bars()

    def is_in(self, folder: Path, split: Split) -> bool:
        return (folder / self.name / split).is_dir()

    def records(self, folder: Path, split: Split) -> Sequence[Record]:
        return read_records(folder / self.name, Wanted((split,), ADVICE)).records
