"""A stage whose first requests bring nothing stops; one that others answer does not, and says what is missing."""

from pathlib import Path

import pytest

from pipeline import Completion, Context, Request, Sampling, Task
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.budget import Budget
from pipeline.runs.journal import Journal
from pipeline.runs.recorded import Recorded
from pipeline.stages.classify import Classify

WORDS = {"r": "refused", "l": "the prompt is too long", "e": "", "t": "<think>Hm", "a": "an answer"}


def completion(request: Request, kind: str) -> Completion:
    """One that is refused (r, l), empty for want of tokens (e, t), empty by choice (c), or an answer (a)."""
    reason = {"r": "error", "l": "error", "e": "length", "t": "length"}.get(kind, "stop")
    return Completion.model_validate({"id": request.id, "text": WORDS.get(kind, ""), "finish_reason": reason})


def asked(kinds: str, folder: Path, window: int = 4, ids: range | None = None) -> list[str]:
    """The ids of what comes back of as many requests, each with a completion of its kind."""
    numbers = ids or range(len(kinds))
    engine = Scripted(lambda request: completion(request, kinds[int(request.id) - numbers[0]]), window=window)
    made = (Request(id=f"{n}", prompt=f"p{n}", sampling=Sampling(max_tokens=8)) for n in numbers)
    with Journal(folder / "completions.sqlite") as journal:
        return [one.id for one in Recorded(engine, journal, "classify", Budget()).generate(made)]


@pytest.mark.parametrize("window", [1, 4, 50])
@pytest.mark.parametrize(
    "kinds", ["aaaa", "rrrra", "rrra" + "r" * 20, "c" * 20, "eta", "l" * 40 + "a", "rrrr", "a" + "e" * 20]
)
def test_completions_come_in_order_where_one_is_answered(kinds: str, window: int, tmp_path: Path) -> None:
    assert asked(kinds, tmp_path, window) == [f"{n}" for n in range(len(kinds))]


@pytest.mark.parametrize("window", [1, 4, 50])
@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ("r" * 30, "classify: the first 5 requests failed, and none was answered: refused"),
        ("lrlrlrlrlr", "classify: the first 10 requests failed, and none was answered: refused"),
        ("l" * 60, "classify: the first 50 requests failed, and none was answered: the prompt is too long; serve "
         "the model with a longer context, or make the prompts of classify shorter"),
        ("e" * 30, "classify: the first 5 completions hold no text: the model thinks first and max_tokens = 8 is used up"),
        ("t" * 30, "classify: the first 5 completions hold no text: the model thinks first and max_tokens = 8 is used up"),
    ],
)  # fmt: skip
def test_a_stage_whose_first_requests_bring_nothing_stops(
    kinds: str, sentence: str, window: int, tmp_path: Path
) -> None:
    with pytest.raises(SproutError) as caught:
        asked(kinds, tmp_path, window)
    assert str(caught.value).startswith(sentence)


def test_what_was_answered_before_counts_when_a_run_goes_on(tmp_path: Path) -> None:
    assert asked("a" + "r" * 20, tmp_path) == [f"{n}" for n in range(21)]
    assert asked("r" * 20, tmp_path, ids=range(1, 21)) == [f"{n}" for n in range(1, 21)]


def test_empty_completions_are_counted_by_their_cause(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked("aeetcr", tmp_path)
    said = sorted(record.getMessage() for record in caplog.records)
    assert said[0].startswith(
        "classify: 1 of 6 completions hold no text: the model ended its answer before writing any"
    )
    assert said[1] == "classify: 1 request failed; the first is 5: refused"
    assert said[2].startswith(
        "classify: 3 of 6 completions hold no text: the model thinks first and max_tokens = 8 is used up"
    )
    assert "set classify.sampling.max_tokens higher" in said[2]


def test_a_task_without_an_answer_is_not_decided(seeds: list[Task], tmp_path: Path) -> None:
    answers = iter([" Yes", "", "<think>The task", " \n", " Perhaps"])
    tasks = list(Classify().decide(seeds[:5], (), Context(seeds, Scripted(lambda request: next(answers)), tmp_path)))
    assert [(task.id, task.rejected) for task in tasks] == [("seed_0", None), ("seed_4", "unclear_answer")]
