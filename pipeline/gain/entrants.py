"""The datasets in a comparison of recipes: those of finished runs, and others."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pipeline import recipes
from pipeline.dataset.exports import Exports
from pipeline.dataset.write import sizes
from pipeline.errors import SproutError
from pipeline.evaluation.demos import DEMOS
from pipeline.evaluation.evaluate import Evaluates
from pipeline.evaluation.heldout import HeldOut
from pipeline.gain.controls import STOPPED
from pipeline.gain.measure import BASE
from pipeline.gain.products import products_of
from pipeline.resources import NANO
from pipeline.runs.files import find_stage_files
from pipeline.runs.products import read_record
from pipeline.runs.settings import file_names
from pipeline.settings.build import build_stages
from pipeline.settings.read import RunSettings
from pipeline.stage import Product, Stage
from pipeline.training.trains import Trains


class Entrant(NamedTuple):
    """A dataset in the comparison."""

    name: str  # in the names of files; no two have the same
    given: str  # what the user calls it
    dataset: Path | str


def find_entrants(given: Sequence[str], read: Callable[[str], RunSettings]) -> list[Entrant]:
    """Find each dataset by the settings of its run, or as a file, a folder or a name on the hub.

    Args:
        given: The first one names a run, whose settings apply to all.
        read: Reads settings.

    Raises:
        SproutError: for a run that is not finished, one that tunes another model or is evaluated on other held-out
            tasks than the first, and for a dataset that is named twice.
    """
    if not is_settings(given[0]):
        raise SproutError(
            f"{given[0]}: is not a settings file (*.toml) or recipe; name one first: it says what is tuned and how, "
            "and what it is evaluated on"
        )
    runs = {one: FinishedRun(one, read(one)) for one in given if is_settings(one)}
    first = runs[given[0]]
    try:
        products_of(first.stages)
    except SproutError as error:
        raise SproutError(f"{given[0]}: {error}") from None
    places: dict[Path | str, str] = {}
    found: list[Entrant] = []
    for one in given:
        if run := runs.get(one):
            run.check_like(first)
        place = run.dataset if run else _place(one)
        key = Path(place).resolve() if Path(place).exists() else place
        if key in places:
            named = "is named twice; name it once" if places[key] == one else f"has the same dataset as {places[key]}"
            raise SproutError(f"{one}: {named}")
        places[key] = one
        found.append(Entrant(_name(one, (entrant.name for entrant in found)), one, place))
    return found


def is_settings(given: str) -> bool:
    """Whether this names a settings file or a recipe, not a dataset."""
    return given.endswith(".toml") or given in recipes.names()


@dataclass
class FinishedRun:
    """A run, by its settings; its dataset shows whether it is finished."""

    given: str
    settings: RunSettings

    @cached_property
    def stages(self) -> list[Stage | Product]:
        return build_stages(self.settings)

    @cached_property
    def export(self) -> Exports:
        """The stage that writes its dataset; of several, the one that a model is tuned on.

        Raises:
            SproutError: if none writes a dataset of all tasks.
        """
        exports = [stage for stage in self.stages if isinstance(stage, Exports) and stage.whole]
        if not exports:
            raise SproutError(f"{self.given}: none of its stages writes a dataset of all tasks; add export to the list")
        tuned_on = {stage.dataset for stage in self.stages if isinstance(stage, Trains)}
        return next((export for export in exports if export.written in tuned_on), exports[0])

    @property
    def dataset(self) -> Path:
        """The folder of its dataset.

        Raises:
            SproutError: for a run that is not finished.
        """
        folder = Path(self.settings.out)
        files = [folder / name for name in file_names(self.stages).values() if name.endswith(".jsonl")]
        dataset = folder / self.export.written
        written = read_record(dataset / "dataset.json").get("files")
        whole = written and written.items() <= sizes(dataset).items()
        if missing := [path for path in files if not path.is_file()] or ([] if whole else [dataset]):
            raise SproutError(
                f"{self.given}: its run is not finished, as {missing[0]} is not there or not whole; run `sprout run "
                f"{self.given}` first"
            )
        return dataset

    @property
    def base(self) -> str:
        """The model that is tuned on its dataset; empty if none is."""
        trains = [one for one in self.stages if isinstance(one, Trains) and one.dataset == self.export.written]
        model = trains[0].model or str(self.settings.engine.get("model", "")) if trains else ""
        model = str(NANO) if model == "nano" else model
        return str(Path(model).resolve()) if Path(model).is_dir() and model else model

    @property
    def heldout(self) -> tuple[HeldOut, ...]:
        """The held-out instances it is evaluated on; empty if there are none."""
        return next((one.instances() for one in self.stages if isinstance(one, Evaluates)), ())

    def check_like(self, first: "FinishedRun") -> None:
        """Check that this run tunes the same model and evaluates on the same tasks as the first, if it does either.

        Raises:
            SproutError: if it does not.
        """
        if self.base and self.base != first.base:
            raise SproutError(
                f"{self.given}: tunes {self.base}, and {first.given} {first.base}; have both tune the same model, such "
                f"as with --set train.model={first.base}"
            )
        if self.heldout and self.heldout != first.heldout:
            raise SproutError(
                f"{self.given}: is evaluated on other held-out tasks than {first.given}; give both the same "
                f"evaluate.heldout and evaluate.max_instances, in the files or with --set"
            )


def _place(given: str) -> Path | str:
    """The place of a dataset; for a run's folder, of the dataset in it."""
    folder = Path(given)
    if folder.is_dir() and find_stage_files(folder):
        if not (folder / "dataset" / "dataset.json").is_file():
            raise SproutError(f"{given}: holds a run without a dataset; finish it with `sprout run`")
        return folder / "dataset"
    return given


def _name(given: str, others: Iterable[str]) -> str:
    """A unique name: that of the file without folder and ending."""
    taken = {*others, BASE, DEMOS, STOPPED}
    stem = re.sub(r"[^\w-]+", "_", Path(given.partition("@")[0].rstrip("/")).stem).strip("_") or "dataset"
    return next(name for name in (stem, *(f"{stem}-{number}" for number in range(2, 99999))) if name not in taken)
