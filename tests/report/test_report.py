"""The report of a run: its figures, and that generated text stays text."""

import base64
import gzip
import html
import json
import re
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline import Instance, SproutError, Task, run
from pipeline.engines.scripted import Scripted
from pipeline.novelty import Nearest
from pipeline.novelty.rouge import RougeIndex
from pipeline.report import write_report
from pipeline.report.charts import windows
from pipeline.report.page import bokeh_js
from pipeline.report.record import RunRecord, read_run
from pipeline.report.tasks import as_columns, fitted
from pipeline.report.verbs import guess, singular
from pipeline.runs.files import funnel
from pipeline.runs.store import to_line
from pipeline.stage import Reason
from pipeline.stages import Classify, Filter, Instances, Instructions, find

PLANTED = '</script><script>window.hit=1</script><img src=x onerror="window.hit=1">{{ 7*7 }}{% raw %}\u2028javascript:x<!--<script>'


@pytest.fixture
def folder(model: Scripted, seeds: Sequence[Task], tmp_path: Path) -> Path:
    run([Instructions(num_tasks=60), Classify(), Instances(), Filter()], seeds, model, tmp_path / "a run")
    return tmp_path / "a run"


def write_tasks(path: Path, tasks: Sequence[Task]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(map(to_line, tasks)), encoding="utf-8")
    return path.parent


def unpacked(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="text/plain" id="packed">([A-Za-z0-9+/=]+)</script>', page)
    assert found
    columns: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return columns


def kept_by_last_stage(record: RunRecord) -> list[Task]:
    return [life.task for life in record.lives if life.stage == record.stages[-1] and life.task.kept]


def test_the_figures_are_those_of_stats(folder: Path, seeds: Sequence[Task]) -> None:
    pytest.importorskip("bokeh")
    record = read_run(folder, seeds)
    assert record.funnel == funnel(folder)
    assert list(record.funnel) == ["instructions", "classify", "instances", "filter"]
    assert record.candidates == record.funnel["instructions"].total() == sum(record.decided) == len(record.lives)
    assert sum(record.accepted) == record.funnel["instructions"]["kept"] == 60
    assert record.kept.tasks == record.funnel["filter"]["kept"] == len(kept_by_last_stage(record))
    assert sum(decided for _, _, decided, _ in windows(record)) == record.candidates
    page = write_report(folder, seeds).read_text(encoding="utf-8")
    columns = unpacked(page)
    assert len(columns["id"]) == record.candidates
    assert sum(reason < 0 for reason in columns["reason"]) == record.kept.tasks
    assert "60 of" in page


def test_a_kept_task_is_compared_with_seeds_and_what_was_kept_before_it(folder: Path, seeds: Sequence[Task]) -> None:
    record = read_run(folder, seeds)
    texts = [seed.instruction for seed in seeds]
    kept = [task for task in kept_by_last_stage(record) if task.id in record.kept_rouge]
    assert len(record.kept_rouge) == 60
    for task in sorted(kept, key=lambda task: (task.meta["request"], task.meta["item"])):
        assert record.kept_rouge[task.id] == RougeIndex(texts).closest(task.instruction)
        assert record.kept_rouge[task.id].score <= 0.7
        texts.append(task.instruction)


def test_a_task_belongs_to_the_last_stage_that_decided_it(tmp_path: Path) -> None:
    one, two, three = (Task(id=f"t{n}", instruction=f"Name {n} things") for n in range(3))
    write_tasks(tmp_path / "1_instructions.jsonl", [one, two, three])
    write_tasks(tmp_path / "2_filter.jsonl", [one.reject("bad"), two.score(judge=3)])
    record = read_run(tmp_path)
    assert {life.task.id: life.stage for life in record.lives} == {"t0": "filter", "t1": "filter", "t2": "instructions"}
    assert record.kept.tasks == 1
    assert record.candidates == 3


def test_a_folder_without_a_run_is_an_error_of_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SproutError, match="there is no such folder"):
        write_report(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_without_bokeh_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bokeh_js.cache_clear()
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(SproutError, match=r"pip install 'sprout-instruct\[report\]'"):
        write_report(folder)
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_run_with_hardly_a_task_has_a_report(number: int, tmp_path: Path) -> None:
    pytest.importorskip("bokeh")
    tasks = [Task(id=f"t{n}", instruction=f"Name {n} rivers") for n in range(number)]
    path = write_report(write_tasks(tmp_path / "1_classify.jsonl", tasks))
    assert f'"id":{json.dumps([task.id for task in tasks], separators=(",", ":"))}' in json.dumps(
        unpacked(path.read_text(encoding="utf-8")), separators=(",", ":")
    )


def test_planted_text_stays_text(tmp_path: Path) -> None:
    pytest.importorskip("bokeh")
    tasks = [
        Task(
            id=f"t{n}{PLANTED if n < 3 else ''}", instruction=f"Name {n} {PLANTED}", is_classification=True,
            instances=(Instance(input=PLANTED, output=PLANTED),), parents=(PLANTED,), scores={PLANTED: 0.5},
            meta={"request": n, "nearest": PLANTED}, rejected=PLANTED if n % 7 == 0 else None,
        )
        for n in range(50)
    ]  # fmt: skip
    write_tasks(tmp_path / "1_instructions.jsonl", tasks)
    (tmp_path / f"2_{PLANTED.replace('/', '')}.jsonl").write_text("".join(to_line(t) for t in tasks if t.kept), "utf-8")
    (tmp_path / "evaluation.json").write_text(
        json.dumps(
            {
                PLANTED: {
                    "rouge_l": 1,
                    "exact_match": 2,
                    "instances": 3,
                    "category": {PLANTED: {"rouge_l": 1, "exact_match": 1}},
                }
            }
        )
    )
    page = write_report(tmp_path).read_text(encoding="utf-8")
    seen = Elements()
    seen.feed(page)
    assert f"Name 1 {PLANTED}" in unpacked(page)["text"]
    assert "window.hit" in page
    assert not [script for script in seen.scripts if "window.hit" in script]
    assert not {"img", "iframe", "object", "base"} & set(seen.tags)
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert "49" not in seen.text  # {{ 7*7 }}


class Elements(HTMLParser):
    """What a browser makes of a page: its elements, the names of their attributes, its scripts and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.scripts: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self.cdata_elem:
            self.scripts[-1] += data
        elif not self.cdata_elem:
            self.text += data


def test_the_page_asks_nothing_of_any_network(folder: Path) -> None:
    pytest.importorskip("bokeh")
    page = write_report(folder).read_text(encoding="utf-8")
    head = html.unescape(page.split("<script>")[0])
    assert "default-src 'none'" in head
    assert "unsafe-eval" not in head
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", head)


def test_a_large_run_is_sampled_and_its_figures_are_over_all(tmp_path: Path) -> None:
    tasks = [Task(id=f"t{n}", instruction=f"Name {n} rivers", meta={"request": n}) for n in range(3000)]
    write_tasks(tmp_path / "1_instructions.jsonl", tasks)
    record = read_run(tmp_path, max_tasks=500)
    assert record.kept.tasks == record.candidates == 3000
    assert 400 < len(record.lives) < 600
    assert [life.task.id for life in record.lives] == [life.task.id for life in read_run(tmp_path, max_tasks=500).lives]
    columns, packed = fitted(record, max_bytes=6000)
    assert len(packed) <= 6000
    assert 10 < len(columns["id"]) < 400


def test_demos_point_to_tasks_on_the_page_and_to_others(tmp_path: Path) -> None:
    tasks = [
        Task(id="a", instruction="Name a river", parents=("s1", "gone")),
        Task(id="b", instruction="Name a bay", parents=("a", "s1")),
    ]
    seeds = [Task(id="s1", instruction="List lakes")]
    record = read_run(write_tasks(tmp_path / "1_instructions.jsonl", tasks), seeds)
    columns = as_columns(record, record.lives)
    assert columns["demos"] == [[-1, -2], [0, -1]]
    assert columns["others"] == [["s1", "List lakes"], ["gone", None]]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("Write a short story about a dog.", ("write", "story")),
        ("Please sort the numbers from small to large", ("sort", "number")),
        ("Can you use a pronoun for the person?", ("use", "pronoun")),
        ("Given a list of cities, name the largest ones.", ("name", "")),
        ("Your task is to keep only the garment names.", ("keep", "name")),
        ("Which number is the least?", None),
        ("Explain photosynthesis clearly", ("explain", "photosynthesis")),
        ("", None),
        ("名前を書いてください", None),
        ("Describe the user's boxes and dishes", ("describe", "box")),
        ("I want you to TRANSLATE these two letters", ("translate", "letter")),
    ],
)  # fmt: skip
def test_the_heuristic_finds_verb_and_noun(instruction: str, expected: tuple[str, str] | None) -> None:
    assert guess(instruction) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("cities", "city"), ("glass", "glass"), ("boxes", "box"), ("names", "name"), ("bus", "bus"), ("", "")],
)
def test_a_plural_becomes_singular(word: str, expected: str) -> None:
    assert singular(word) == expected


def test_scores_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    tasks = [
        Task(id="a", instruction="Name a river", scores={"judge": float("nan"), "rouge_l": 0.25}, rejected="not_new")
    ]
    record = read_run(write_tasks(tmp_path / "1_instructions.jsonl", tasks))
    record.kept_rouge["b"] = Nearest(0.0, None)
    assert as_columns(record, record.lives)["scores"] == {"rouge_l": [0.25]}


def test_a_task_that_is_being_written_is_not_there_yet(tmp_path: Path) -> None:
    tasks = [Task(id=f"t{n}", instruction=f"Name {n} rivers", meta={"request": n}) for n in range(9)]
    write_tasks(tmp_path / "1_instructions.jsonl", tasks)
    with (tmp_path / "1_instructions.jsonl").open("a") as file:
        file.write('{"id":"t9","instruct')
    assert read_run(tmp_path).candidates == 9


def test_labels_say_in_plain_words_what_is_shown(folder: Path, seeds: Sequence[Task]) -> None:
    pytest.importorskip("bokeh")
    seen = Elements()
    seen.feed(write_report(folder, seeds).read_text(encoding="utf-8"))
    for label in (
        "Acceptance rate over time",
        "output tokens per kept task",
        "input tokens",
        "output tokens per second",
    ):
        assert label in seen.text, label


def test_the_glossary_explains_each_reason_of_the_run_and_the_words_of_the_page(folder: Path) -> None:
    pytest.importorskip("bokeh")
    record = read_run(folder)
    page = write_report(folder).read_text(encoding="utf-8")
    glossary = html.unescape(page.partition('<section id="glossary">')[2].partition("</section>")[0])
    for word in ("task", "instance", "demo", "candidate", "pool"):
        assert f"<dt>{word}</dt>" in glossary
    given = [(stage, reason) for stage, counts in record.funnel.items() for reason in counts if reason != "kept"]
    assert given
    for stage, reason in given:
        assert f"<dt>{reason}</dt>" in glossary
        if said := find(stage).reasons.get(reason):
            assert f"<dd>{said.meaning.replace('`', '')}" in glossary
            assert said.example in glossary


def test_a_stage_of_ones_own_has_its_reasons_in_the_glossary_without_being_imported(tmp_path: Path) -> None:
    pytest.importorskip("bokeh")
    write_tasks(tmp_path / "1_no_questions.jsonl", [Task(id="a", instruction="Why?", rejected="question")])
    page = write_report(tmp_path).read_text(encoding="utf-8")

    assert "<dt>question</dt>" in page
    assert "no_questions, 1 task<" in page


def test_a_stage_says_what_its_reasons_mean(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    pytest.importorskip("bokeh")
    monkeypatch.setattr(Instructions, "reasons", {"not_new": Reason("Too much <b>like</b> a text.", "Name a & b.")})
    page = write_report(folder).read_text(encoding="utf-8")

    assert "Too much &lt;b&gt;like&lt;/b&gt; a text." in page
    assert "Name a &amp; b." in page
