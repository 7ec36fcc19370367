"""Selections that look at meanings, with vectors of our own making: against plain loops, and going on after a kill."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline import Context, Instance, SproutError, Task, read_tasks
from pipeline.engines.scripted import Scripted
from pipeline.novelty import encoder
from pipeline.novelty.diversity import k_center, vote_k
from pipeline.novelty.encoder import Encoder, Vectors
from pipeline.novelty.transport import transport_gradient
from pipeline.report.why import why
from pipeline.runs.run import run_stages
from pipeline.stages import _choosing
from pipeline.stages.select import Select

pytest.importorskip("faiss", reason="faiss is not installed")

NUM = 80
KINDS = ("ask", "sort", "name")
Selected = Callable[..., list[Task]]


def made_up(num: int, seed: int) -> Vectors:
    """Directions in heaps, so that many are close to one another."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((num // 5, 8))
    vectors = centres[rng.integers(len(centres), size=num)] + 0.25 * rng.standard_normal((num, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


TASKS = [
    Task(
        id=f"t{number:02}",
        instruction=f"Say {number} in words.",
        instances=(Instance(output=str(number)),),
        scores={"judge": float(number * 37 % 11)} if number % 13 else {},
        meta={"kind": KINDS[number % 5 % 3]} if number % 10 else {},
    )
    for number in range(NUM)
]
TARGETS = [
    Task(id=f"w{number}", instruction=f"Wanted {number}", is_classification=False, instances=TASKS[0].instances)
    for number in range(9)
]
SEEDS = [Task(id=f"s{number}", instruction=f"Seed {number}") for number in range(4)]
VECTORS = made_up(NUM + len(TARGETS) + len(SEEDS), seed=1)
OF_TARGETS, OF_SEEDS = VECTORS[NUM : NUM + len(TARGETS)], VECTORS[NUM + len(TARGETS) :]
SCORED = [number for number in range(NUM) if number % 13]
RANKED = sorted(SCORED, key=lambda number: -TASKS[number].scores["judge"])


@pytest.fixture(scope="module")
def embedded(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all texts have their vectors, so that no model is loaded."""
    folder = tmp_path_factory.mktemp("embedded")
    known = Encoder(minilm, folder)
    known.stored.append([known.key(task.instruction) for task in (*TASKS, *TARGETS, *SEEDS)], VECTORS)
    return folder


@pytest.fixture
def selected(minilm: str, embedded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Selected:
    """Run the stage in a folder, and return all it has decided."""
    monkeypatch.setattr(encoder, "load_model", None)
    (tmp_path / "target.jsonl").write_text("".join(task.model_dump_json() + "\n" for task in TARGETS))

    def run(
        tasks: list[Task] = TASKS, folder: str = "run", seeds: list[Task] = SEEDS, **settings: object
    ) -> list[Task]:
        where = tmp_path / folder
        if not (where / "vectors").exists():
            shutil.copytree(embedded, where / "vectors")
        context = Context(seeds, Scripted(lambda request: ""), where)
        given = {name: str(tmp_path / one) if name == "target" else one for name, one in settings.items()}
        run_stages([Select(encoder=minilm, **given)], {"select": "1_select.jsonl"}, tasks, context)
        return [*read_tasks(where / "1_select.jsonl")]

    return run


def kept(decided: list[Task]) -> list[int]:
    return [int(task.id[1:]) for task in decided if task.kept]


def by_rank(decided: list[Task]) -> list[int]:
    """The numbers of the tasks that have a rank, in its order."""
    ranked = [task for task in decided if "rank" in task.meta]
    return [int(task.id[1:]) for task in sorted(ranked, key=lambda task: int(str(task.meta["rank"])))]


def walk(order: list[int], most: int, max_cosine: float) -> tuple[list[int], dict[int, int]]:
    """The plain loop: keep a row unless one kept before is too close; and for the others, which one that is."""
    chosen: list[int] = []
    near: dict[int, int] = {}
    for row in order:
        if len(chosen) == most:
            break
        cosines = VECTORS[chosen].astype(float) @ VECTORS[row].astype(float)
        if len(chosen) and cosines.max() > max_cosine:
            near[row] = chosen[int(cosines.argmax())]
        else:
            chosen.append(row)
    return chosen, near


@pytest.mark.parametrize("most", [1, 7, 15, 500])
@pytest.mark.parametrize("batch", [1, 4, 1024])
def test_in_the_order_of_scores_each_task_is_kept_that_is_far_from_all_kept_before(
    selected: Selected, monkeypatch: pytest.MonkeyPatch, most: int, batch: int
) -> None:
    monkeypatch.setattr(_choosing, "BATCH", batch)
    chosen, near = walk(RANKED, most, 0.9)

    decided = selected(by="judge", top=most, max_cosine=0.9)

    assert kept(decided) == sorted(chosen)
    assert {int(task.id[1:]) for task in decided if task.rejected == "near_duplicate"} == near.keys()
    for row, other in near.items():
        assert decided[row].meta["nearest_id"] == f"t{other:02}"
        assert decided[row].meta["nearest"] == TASKS[other].instruction
        assert decided[row].scores["cosine"] > 0.9
    assert by_rank(decided) == RANKED


def test_a_walk_without_a_number_keeps_all_that_are_apart(selected: Selected, tmp_path: Path) -> None:
    chosen, near = walk(RANKED, NUM, 0.8)
    decided = selected(by="judge", max_cosine=0.8)

    assert kept(decided) == sorted(chosen)
    assert Counter(task.rejected for task in decided) == {
        None: len(chosen), "near_duplicate": len(near), "no_score": NUM - len(SCORED),
    }  # fmt: skip
    row, other = next(iter(near.items()))
    said = why(f"t{row:02}", [tmp_path / "run"])
    assert f"nearest id: t{other:02}" in said
    assert f"nearest: {TASKS[other].instruction}" in said


def test_the_farthest_each_time_also_from_the_seeds(selected: Selected) -> None:
    decided = selected(method="k_center", top=12)
    order = k_center(VECTORS[:NUM], 12, OF_SEEDS)

    assert kept(decided) == sorted(order[:12])
    assert by_rank(decided) == order


def test_in_a_run_that_begins_with_it_the_seeds_are_the_tasks_and_cover_nothing(selected: Selected) -> None:
    assert by_rank(selected(seeds=TASKS, method="k_center", top=12)) == k_center(VECTORS[:NUM], 12)


def test_those_that_most_others_are_close_to(selected: Selected) -> None:
    decided = selected(method="vote_k", top=12, num_neighbours=5)
    order = vote_k(VECTORS[:NUM], 12, 5)

    assert kept(decided) == sorted(order[:12])
    assert by_rank(decided) == order


@pytest.mark.parametrize("method", ["k_center", "vote_k"])
def test_a_bound_of_the_score_holds_for_coverage_too(selected: Selected, method: str) -> None:
    decided = selected(method=method, top=9, by="judge", min_score=5)

    assert len(kept(decided)) == 9
    assert all(TASKS[row].scores["judge"] >= 5 for row in kept(decided))


@pytest.mark.parametrize("method", ["k_center", "vote_k"])
def test_coverage_of_each_group(selected: Selected, method: str) -> None:
    decided = selected(method=method, top=12, groups="kind", weights="equal", num_neighbours=4)

    assert Counter(TASKS[row].meta.get("kind") for row in kept(decided)) == {None: 3, "ask": 3, "sort": 3, "name": 3}
    first = [task for task in decided if task.meta.get("kind") == "sort"]
    assert by_rank(first)[:3] == [int(task.id[1:]) for task in sorted(
        (task for task in first if task.kept), key=lambda task: int(str(task.meta["rank"]))
    )]  # fmt: skip


def test_from_each_cluster_in_proportion_and_the_better_ones_more_often(selected: Selected) -> None:
    decided = selected(method="k_means", top=20, num_clusters=2, by="judge")
    sizes = Counter(task.meta["cluster"] for task in decided if "cluster" in task.meta)
    taken = Counter(task.meta["cluster"] for task in decided if task.kept)

    assert len(kept(decided)) == 20
    assert set(sizes) == {0, 1} or set(sizes) == {0}
    assert all(abs(taken[number] - 20 * size / len(SCORED)) < 1 for number, size in sizes.items())
    means = [
        np.mean([task.scores["judge"] for task in decided if task.kept is one and task.scores]) for one in (True, False)
    ]
    assert means[0] > means[1] + 2


def test_the_order_of_a_target_is_that_of_transport(selected: Selected, tmp_path: Path) -> None:
    decided = selected(target="target.jsonl", top=10)
    gradient = transport_gradient(VECTORS[:NUM], OF_TARGETS).round(6)

    assert by_rank(decided) == np.argsort(gradient, kind="stable").tolist()
    assert kept(decided) == sorted(np.argsort(gradient, kind="stable")[:10].tolist())
    assert [task.scores["transport"] for task in decided] == gradient.tolist()
    assert f"transport {gradient[3]}" in why("t03", [tmp_path / "run"])


def test_a_target_with_a_bound_of_the_score_and_apart(selected: Selected) -> None:
    decided = selected(target="target.jsonl", top=10, by="judge", min_score=3, max_cosine=0.85)
    pool = [row for row in SCORED if TASKS[row].scores["judge"] >= 3]
    gradient = transport_gradient(VECTORS[pool], OF_TARGETS).round(6)
    order = [pool[place] for place in np.argsort(gradient, kind="stable")]

    assert kept(decided) == sorted(walk(order, 10, 0.85)[0])


METHODS: dict[str, dict[str, object]] = {
    "walk": {"by": "judge", "top": 15, "max_cosine": 0.85},
    "k_center": {"method": "k_center", "top": 15},
    "k_means": {"method": "k_means", "top": 15, "num_clusters": 2, "by": "judge"},
    "vote_k": {"method": "vote_k", "top": 15, "num_neighbours": 5},
    "target": {"target": "target.jsonl", "top": 15},
    "groups": {"by": "judge", "top": 15, "groups": "kind", "weights": "equal", "max_cosine": 0.9},
}
each = pytest.mark.parametrize("settings", METHODS.values(), ids=METHODS)


@each
def test_a_run_killed_at_any_line_ends_the_same(
    selected: Selected, tmp_path: Path, settings: dict[str, object]
) -> None:
    selected(**settings)
    path = tmp_path / "run" / "1_select.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)

    for stop in range(0, len(lines) + 1, 7):
        path.write_bytes(b"".join(lines[:stop]) + (lines[stop][:20] if stop < len(lines) else b""))
        selected(**settings)
        assert path.read_bytes() == whole


@each
def test_what_was_decided_stands_when_tasks_arrive_later(
    selected: Selected, settings: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    before = selected(TASKS[:40], **settings)
    after = selected(**settings)

    assert after[:40] == before
    assert len(after) == NUM
    assert len(kept(after)) <= 15
    assert "these decisions stand" in caplog.text
    if "max_cosine" in settings:
        vectors = VECTORS[kept(after)].astype(float)
        assert np.triu(vectors @ vectors.T, 1).max() <= settings["max_cosine"]  # type: ignore[operator]


@each
def test_tasks_that_arrive_later_fill_what_is_left(selected: Selected, settings: dict[str, object]) -> None:
    before = selected(TASKS[:8], **settings)
    after = selected(**settings)

    assert after[:8] == before
    assert len(kept(after)) == 15 if "groups" not in settings else 12 <= len(kept(after)) <= 15


@each
def test_no_task_is_lost_and_each_has_a_reason_or_is_kept(selected: Selected, settings: dict[str, object]) -> None:
    decided = selected(**settings)

    assert [task.id for task in decided] == [task.id for task in TASKS]
    assert {task.rejected for task in decided} <= {*Select.reasons, None}
    assert all("rank" in task.meta for task in decided if task.rejected != "no_score")


def test_another_target_is_another_selection(selected: Selected, tmp_path: Path) -> None:
    selected(target="target.jsonl", top=10)
    (tmp_path / "moved.jsonl").write_text((tmp_path / "target.jsonl").read_text())
    selected(target="moved.jsonl", top=10)
    (tmp_path / "moved.jsonl").write_text("".join(task.model_dump_json() + "\n" for task in TARGETS[:5]))

    with pytest.raises(SproutError, match="was begun with another target in select"):
        selected(target="moved.jsonl", top=10)
