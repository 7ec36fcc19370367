"""The dedup stage with the real MiniLM: what it rejects, what it records, and going on after a kill."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import Instance, Task
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.novelty import encoder
from pipeline.novelty.embedding import Encoder
from pipeline.runs.context import Context
from pipeline.runs.run import run_stages
from pipeline.seeds.read import read_seeds
from pipeline.stages import dedup
from pipeline.stages.dedup import Dedup

pytest.importorskip("faiss", reason="faiss is not installed")

FILE = "5_dedup.jsonl"
Execute = Callable[..., list[Task]]


def task(number: int, instruction: str, input: str = "", **scores: float) -> Task:
    return Task(
        id=f"task_{number}", instruction=instruction, instances=(Instance(input=input, output="x"),), scores=scores
    )


def generated() -> list[Task]:
    """26 different instructions; each third one again in capitals, and each fifth in other words, further on."""
    texts = [seed.instruction for seed in read_seeds("general")[:26]]
    texts += [text.upper() for text in texts[::3]] + [f"Please {text[0].lower()}{text[1:]}" for text in texts[::5]]
    return [task(number, text, judge=number % 4) for number, text in enumerate(texts)]


TASKS = generated()
SEEDS = [Task(id="seed_0", instruction=TASKS[4].instruction.upper()), Task(id="seed_1", instruction="Name a fish.")]


@pytest.fixture(scope="module")
def embedded(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the vectors of all texts, so that no other test loads the model."""
    folder = tmp_path_factory.mktemp("embedded")
    Encoder(minilm, folder).encode([task.instruction for task in [*SEEDS, *TASKS]])
    return folder


@pytest.fixture
def execute(minilm: str, embedded: Path, tmp_path: Path) -> Execute:
    """Run the stage in a folder and return all it has decided."""

    def run(tasks: list[Task] = TASKS, folder: str = "run", **settings: object) -> list[Task]:
        where = tmp_path / folder
        if not (where / "vectors").exists():
            shutil.copytree(embedded, where / "vectors")
        context = Context(SEEDS, Scripted(lambda request: ""), where)
        run_stages([stage := Dedup(encoder=minilm, **settings)], {stage.name: FILE}, tasks, context)
        return [Task.model_validate_json(line) for line in (where / FILE).read_text("utf-8").splitlines()]

    return run


def kept(tasks: list[Task]) -> set[str]:
    return {task.id for task in tasks if task.kept}


def test_the_first_stays_and_the_others_name_it(execute: Execute) -> None:
    decided = execute()

    assert [task.id for task in decided] == [task.id for task in TASKS]
    by_id = {task.id: task for task in decided}
    shouted = by_id["task_26"]  # the first instruction in capitals, which is all the same to this model
    assert by_id["task_0"].kept
    assert shouted.rejected == "near_duplicate"
    assert shouted.meta == {"nearest_id": "task_0", "nearest": TASKS[0].instruction}
    assert shouted.scores["cosine"] == 1
    assert all(task.kept == (task.scores["cosine"] <= 0.9) for task in decided)


def test_a_kept_task_names_the_closest_kept_before_it(execute: Execute) -> None:
    decided = execute(max_cosine=1)

    assert len(kept(decided)) == len(TASKS)
    assert decided[26].meta == {"nearest_id": "task_0"}
    assert decided[26].scores == {"judge": 2, "cosine": 1}


def test_seeds_count_as_kept_unless_told_otherwise(execute: Execute) -> None:
    with_seeds = execute()
    without = execute(folder="without", against_seeds=False)

    assert with_seeds[4].rejected == "near_duplicate"
    assert with_seeds[4].meta["nearest_id"] == "seed_0"
    assert without[4].kept
    assert without[0].scores == {"judge": 0}  # nothing to compare with yet


def test_the_first_input_counts_where_it_is_asked_for(minilm: str, tmp_path: Path) -> None:
    tasks = [
        task(number, "Translate to German.", text)
        for number, text in enumerate(["The cat sleeps.", "", "Pay the invoice by Friday."])
    ]
    context = Context((), Scripted(lambda request: ""), tmp_path)

    assert len(kept(list(Dedup(encoder=minilm).decide(tasks, (), context)))) == 1
    assert len(kept(list(Dedup(encoder=minilm, text="instance").decide(tasks, (), context)))) == 3


def test_a_run_killed_at_any_line_ends_the_same(
    execute: Execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute()
    whole = (tmp_path / "run" / FILE).read_bytes()
    monkeypatch.setattr(dedup, "BATCH", 7)
    monkeypatch.setattr(encoder, "load_model", None)  # all is in the cache
    lines = whole.splitlines(keepends=True)

    for stop in range(len(lines) + 1):
        torn = lines[stop][:20] if stop < len(lines) else b""
        (tmp_path / "run" / FILE).write_bytes(b"".join(lines[:stop]) + torn)
        execute()
        assert (tmp_path / "run" / FILE).read_bytes() == whole


def test_a_run_killed_while_it_embeds_ends_the_same_to_the_last_bit(
    minilm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedup, "BATCH", 16)
    stage = Dedup(encoder=minilm)
    contexts = [Context(SEEDS, Scripted(lambda request: ""), tmp_path / name) for name in ("whole", "killed")]

    whole = list(stage.decide(TASKS, (), contexts[0]))
    decided = stage.decide(TASKS, (), contexts[1])
    done = [next(decided) for _ in range(21)]
    decided.close()

    assert [*done, *stage.decide(TASKS[21:], done, contexts[1])] == whole
    first, second = ([path.read_bytes() for path in (context.folder / "vectors").iterdir()] for context in contexts)
    assert first == second


def test_a_run_that_grew_goes_on_from_its_index(execute: Execute, tmp_path: Path) -> None:
    whole = execute(folder="whole")
    execute(TASKS[:30])

    assert execute() == whole


def test_a_finished_run_needs_no_encoder(tmp_path: Path) -> None:
    stage = Dedup(encoder="nobody/no-such-model")

    assert list(stage.decide([], TASKS, Context(SEEDS, Scripted(lambda request: ""), tmp_path))) == []


def test_half_a_surrogate_pair_is_mended(execute: Execute) -> None:
    pair = [task(100, "Spell \ud83d please."), task(101, "Spell \ud83d please.")]

    decided = execute([*TASKS, *pair])

    assert decided[-1].rejected == "near_duplicate"
    assert decided[-1].meta["nearest"] == "Spell \ufffd please."


def test_an_encoder_that_is_not_there_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(SproutError, match="is not a folder here; give the folder or the hub name"):
        Dedup(encoder=str(tmp_path / "missing"))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_cosine": 0},
        {"max_cosine": 1.1},
        {"text": "output"},
        {"encoder_prompt": 1},
        {"num_kept": 12},
        {"num_probes": -1},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Dedup(**settings)


def test_the_default_is_that_of_the_paper() -> None:
    assert Dedup().max_cosine == 0.9


def test_in_a_run_that_begins_with_it_seeds_are_compared_with_one_another_and_not_with_themselves(
    minilm: str, tmp_path: Path
) -> None:
    pair = [task(1, "Name a large river."), task(2, "NAME A LARGE RIVER."), task(3, "Sort the words by length.")]

    decided = list(Dedup(encoder=minilm).decide(pair, (), Context(pair, Scripted(lambda request: ""), tmp_path)))

    assert [one.kept for one in decided] == [True, False, True]


def test_what_an_encoder_wants_before_each_text_makes_other_vectors_and_another_file(
    minilm: str, tmp_path: Path
) -> None:
    decided = {}
    for prompt in ("", "query: "):
        context = Context((), Scripted(lambda request: ""), tmp_path)
        stage = Dedup(encoder=minilm, encoder_prompt=prompt, max_cosine=1)
        decided[prompt] = list(stage.decide(TASKS[:3], (), context))

    assert len(list((tmp_path / "vectors").iterdir())) == 2
    plain, asked = ([one.scores["cosine"] for one in some[1:]] for some in decided.values())
    assert plain != asked
    vectors = Encoder(minilm, tmp_path / "plain").encode([f"query: {TASKS[0].instruction}"])
    assert Encoder(minilm, tmp_path / "with", "query: ").encode([TASKS[0].instruction]) == pytest.approx(
        vectors, abs=1e-6
    )
