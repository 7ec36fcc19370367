"""In a notebook: a run shows how far it is, and returns a lazy sequence that is a table to look at and to compute with."""

import subprocess
import sys
from html.parser import HTMLParser
from types import ModuleType

import pytest

from pipeline import Instance, RunOptions, SproutError, Task, run
from pipeline.runs.notebook import Cell
from pipeline.runs.run import Progress
from pipeline.runs.view import Tasks
from pipeline.stages import Classify, Export, Filter, Instances, Instructions

STAGES = [Instructions(num_tasks=30), Classify(), Instances(), Filter()]
PLANTED = '</td><script>window.hit = 1</script><img src=x onerror="hit()">&amp; \ud800'


class Shell:
    """What a kernel has for what is shown: a list of it."""

    def __init__(self, kernel: object = True) -> None:
        self.kernel, self.shown, self.display_pub = kernel, [], self

    def publish(self, data, metadata=None, *, transient=None, update=False, **_) -> None:
        self.shown.append((data, transient["display_id"], update))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    shell = Shell()
    ipython = ModuleType("IPython")
    vars(ipython)["get_ipython"] = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return shell


def test_a_run_in_a_notebook_shows_how_far_it_is_in_one_place_without_control_characters(shell, seeds, model, tmp_path):
    run(STAGES, seeds, model, tmp_path)

    assert len(shell.shown) >= len(STAGES)
    assert [update for _, _, update in shell.shown] == [False, *[True] * (len(shell.shown) - 1)]
    assert len({place for _, place, _ in shell.shown}) == 1
    assert all([*data] == ["text/plain"] for data, _, _ in shell.shown)
    assert all(char.isprintable() or char == "\n" for data, _, _ in shell.shown for char in data["text/plain"])
    last = shell.shown[-1][0]["text/plain"].splitlines()
    assert [line.split()[0] for line in last] == ["instructions", "classify", "instances", "filter"]
    assert last[0].split() == ["instructions", "30", "of", "30", last[0].split()[4], "of", last[0].split()[6], "kept"]


def test_progress_of_ones_own_comes_in_its_place(shell, seeds, model, tmp_path):
    seen: list[Progress] = []
    run(STAGES, seeds, model, tmp_path, RunOptions(progress=seen.append))

    assert seen
    assert not shell.shown


@pytest.mark.parametrize("at", ["a terminal", "a script"])
def test_elsewhere_a_run_shows_nothing_of_itself(at, shell, seeds, model, tmp_path, capsys, monkeypatch):
    shell.kernel = None
    if at == "a script":
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    run(STAGES, seeds, model, tmp_path)

    assert not shell.shown
    assert capsys.readouterr() == ("", "")


def test_it_looks_once_a_second_and_at_the_end_of_each_stage():
    shell, now = Shell(), 0.0
    cell = Cell(shell, lambda: now)
    for number in range(1, 100):
        now = number / 10
        cell(Progress("classify", number, number, number, 100))
    assert len(shell.shown) in (10, 11)
    cell(Progress("classify", 100, 90, 100, 100))

    assert "100 of 100   90% of 100 kept" in shell.shown[-1][0]["text/plain"]


def test_what_it_returns_is_lazy(seeds, model, tmp_path):
    tasks = run(STAGES, seeds, model, tmp_path)

    assert len(tasks) == len(list(tasks)) == 30
    assert tasks[0] == next(iter(tasks))
    assert isinstance(tasks[:3], Tasks)
    assert [task.id for task in tasks[-2:]] == [task.id for task in list(tasks)[-2:]]
    assert repr(tasks) == "<30 tasks>"
    assert not any(isinstance(value, list) for value in vars(tasks).values())


def test_a_run_of_products_alone_returns_its_seeds_in_the_same_way(seeds, model, tmp_path):
    tasks = run([Export()], seeds, model, tmp_path)

    assert isinstance(tasks, Tasks)
    assert list(tasks) == seeds


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)

    def handle_data(self, data) -> None:
        self.text.append(data)


def test_the_table_escapes_what_a_model_wrote():
    task = Task(
        id="a", instruction=PLANTED, is_classification=True, instances=(Instance(input=PLANTED, output=PLANTED),) * 3
    )
    seen = Seen()
    seen.feed(Tasks([task, Task(id="b", instruction="No instances")])._repr_html_())

    assert {*seen.tags} == {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert seen.tags.count("tr") == 3
    shown = "".join(seen.text)
    assert shown.count("<script>window.hit = 1</script>") == 3
    assert "(and 2 more)" in shown
    assert shown.startswith("2 tasks")
    shown.encode()


def test_of_many_tasks_the_table_shows_the_first_and_reads_no_others():
    class Many(list):
        read = 0

        def __iter__(self):
            raise AssertionError("all are read")

    html = Tasks(Many(Task(id=f"t{n}", instruction=f"Do {n}.") for n in range(1000)))._repr_html_()

    assert html.startswith("<p>1,000 tasks, of which the first 20 are shown</p>")
    assert html.count("<tr>") == 21
    assert "<p>0 tasks</p>" in Tasks([])._repr_html_()


def test_to_pandas_has_a_row_for_each_instance(seeds, model, tmp_path):
    pandas = pytest.importorskip("pandas")
    tasks = [
        Task(id="a", instruction="Add.", is_classification=False, instances=(Instance(input="1 1", output="2"), Instance(output="0"))),
        Task(id="b", instruction="Rest."),
    ]  # fmt: skip
    frame = Tasks(tasks).to_pandas()

    assert isinstance(frame, pandas.DataFrame)
    assert [*frame.columns] == ["id", "number", "instruction", "classification", "input", "output"]
    assert frame.values.tolist()[:2] == [["a", 0, "Add.", False, "1 1", "2"], ["a", 1, "Add.", False, "", "0"]]
    assert frame.values.tolist()[2][:3] == ["b", 0, "Rest."]
    assert len(run(STAGES, seeds, model, tmp_path).to_pandas()) == 60


def test_without_pandas_to_pandas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(SproutError, match=r"^to_pandas needs pandas \(.*\): pip install pandas$"):
        Tasks([]).to_pandas()


def test_a_run_imports_neither_ipython_nor_pandas():
    code = "import sys, pipeline; pipeline.run; print('IPython' in sys.modules, 'pandas' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False False\n"
    )
