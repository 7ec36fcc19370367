"""What a stage has to say of how it ended, kept in the folder of the run so that all who look at it say the same."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pipeline.runs.products import read_record, write_record

logger = logging.getLogger(__name__)

FILE = "remarks.json"


def remark(folder: Path, stage: str, text: str) -> None:
    """Warn of something, and keep it as the last word of a stage; an empty text takes an earlier one back."""
    before = read_remarks(folder)
    after = {name: one for name, one in before.items() if name != stage} | ({stage: text} if text else {})
    if text:
        logger.warning("%s", text)
    if after != before:
        write_record(folder / FILE, after)


def read_remarks(folder: Path) -> Mapping[str, str]:
    """By stage; empty if there is nothing to say."""
    return {name: text for name, text in read_record(folder / FILE).items() if isinstance(text, str)}
