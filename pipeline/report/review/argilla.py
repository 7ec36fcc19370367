"""Tasks as records for Argilla, which `Dataset.records.from_json` reads (argilla 2)."""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError
from pipeline.report.show import Marks, find_states
from pipeline.runs.reviews import Reviewed
from pipeline.text import mended

QUESTIONS = ("instruction", "input", "output")


def write(folder: Path, path: Path, reason: str | None, search: str, marks: Marks) -> str:
    """Write a record for each instance of the tasks that are found, with what reviewers say of it as suggestions.

    A response in Argilla belongs to a user of its server, whom nobody knows here; so verdicts are suggestions.

    Raises:
        SproutError: if the file cannot be written.
    """
    states = find_states(folder, None, reason, search, marks)
    records = [record for state in states for record in records_of(state)]
    text = json.dumps(mended(records), ensure_ascii=False, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SproutError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    questions = ", ".join(f"valid_{name}" for name in QUESTIONS)
    return f"{path}: {len(records):,} records, with fields {', '.join(QUESTIONS)} and questions {questions}"


def records_of(state: Reviewed) -> list[dict[str, Any]]:
    task = state.task
    metadata: dict[str, Any] = {"task": task.id}
    if task.is_classification is not None:
        metadata["classification"] = "yes" if task.is_classification else "no"
    metadata |= {"tags": list(state.tags)} if state.tags else {}
    metadata |= {"notes": [note.text for note in state.notes]} if state.notes else {}
    metadata |= {"rejected": rejected} if (rejected := state.result.rejected) else {}
    suggestions: dict[str, Any] = {}
    for (reviewer, _), verdict in state.verdicts.items():
        for name, yes in verdict:
            if yes is not None:
                suggestions[f"valid_{name}"] = {"value": "yes" if yes else "no", "score": None, "agent": reviewer}
    return [
        {
            "id": f"{task.id}:{number}",
            "fields": {"instruction": task.instruction, "input": one.input, "output": one.output},
            "metadata": metadata,
            "suggestions": suggestions,
            "responses": {},
            "vectors": {},
        }
        for number, one in enumerate(task.instances)
    ]
