"""What is said of seeds before a run: figures that hold, and advice that fits."""

import json
import random
import time

import pytest
from rouge_score.rouge_scorer import RougeScorer

from pipeline import Instance, SproutError, Task, read_seeds
from pipeline.report.seed_check import MAX_COMPARED, check, neighbours
from pipeline.report.seed_text import show
from pipeline.runs.store import to_line


def task(id: str, instruction: str, *outputs: str, kind: bool = False, input: str = "x") -> Task:
    instances = tuple(Instance(input=f"{input}{number}", output=output) for number, output in enumerate(outputs))
    return Task(id=id, instruction=instruction, is_classification=kind, instances=instances)


@pytest.fixture
def checked(tmp_path):
    def call(*tasks):
        path = tmp_path / f"{len(tasks)}.jsonl"
        path.write_text("".join(map(to_line, tasks)), "utf-8")
        found = check(path)
        assert json.loads(found.model_dump_json()) == json.loads(json.dumps(found.model_dump()))
        text = show(found)
        assert all(advice in text for advice in found.advice)
        return found

    return call


def test_the_general_seeds_lack_nothing():
    found = check("general")

    assert found.advice == []
    assert found.duplicates.nearest.max < 0.5
    assert "Nothing is missing." in show(found)


def test_the_figures_are_those_of_the_file():
    seeds, found = read_seeds("nano"), check("nano")

    assert (found.tasks, found.instances) == (len(seeds), sum(len(seed.instances) for seed in seeds))
    assert found.labels.tasks == sum(bool(seed.is_classification) for seed in seeds)
    assert found.coverage.with_input == sum(any(i.input for i in seed.instances) for seed in seeds)
    assert sum(found.coverage.instances.values()) == len(seeds)
    assert sum(found.duplicates.nearest.bins.values()) == len(seeds)
    assert found.inferred == []


def test_neighbours_are_those_of_rouge_score():
    rng = random.Random(0)
    words = ["name", "write", "a", "the", "river", "town", "of", "for", "two", "short", "poem", "list"]
    tasks = [task(str(n), " ".join(rng.choices(words, k=rng.randint(2, 8))), "y") for n in range(60)]
    scorer = RougeScorer(["rougeL"])
    scores = {
        (a.id, b.id): scorer.score(a.instruction, b.instruction)["rougeL"].fmeasure
        for a in tasks for b in tasks if a.id != b.id
    }  # fmt: skip
    nearest, close = neighbours(tasks)

    assert nearest == [max(score for (a, _), score in scores.items() if a == one.id) for one in tasks]
    assert close
    assert all(scores[ids] == score > 0.7 for ids, score in close)
    in_pairs = {id for ids, _ in close for id in ids}
    assert in_pairs == {one.id for one, score in zip(tasks, nearest, strict=True) if score > 0.7}


def test_of_many_seeds_a_sample_is_compared_and_every_twin_is_found():
    rng = random.Random(1)
    words = [f"w{n}" for n in range(4000)]
    tasks = [task(str(n), " ".join(rng.choices(words, k=10)), "y") for n in range(MAX_COMPARED + 500)]
    twins = {number: number - 3 for number in range(50, len(tasks), 50)}
    for number, other in twins.items():
        tasks[number] = tasks[number].update(instruction=f"{tasks[other].instruction} again")
    nearest, close = neighbours(tasks)
    exact, _ = neighbours(tasks[:MAX_COMPARED])

    assert {ids for ids, _ in close} == {(str(other), str(number)) for number, other in twins.items()}
    assert len(tasks) / 4 < len(nearest) <= MAX_COMPARED
    assert sum(nearest) / len(nearest) == pytest.approx(sum(exact) / len(exact), abs=0.02)


def labelled(num: int) -> list[Task]:
    """Classification tasks, as many of them alike as there are in a file made from a template."""
    rng = random.Random(num)
    words = [f"word{n}" for n in range(3000)]
    return [
        task(
            str(n),
            f"Is the customer of order {n} happy with it? Answer yes or no." if n % 2 else " ".join(rng.choices(words, k=12)),
            f"label {n} a", f"label {n} b", kind=True, input=f"case {n}",
        )
        for n in range(num)
    ]  # fmt: skip


def test_the_time_grows_with_the_number_of_seeds_and_not_with_its_square(checked):
    took = {}
    for num in (2500, 10_000):
        start = time.process_time()
        found = checked(*labelled(num))
        took[num] = time.process_time() - start
        assert found.labels.distinct == 2 * num
        assert len(found.duplicates.near) == num / 2 - 1

    assert took[10_000] < 8 * took[2500]  # 4 times as many; the square would be 16


def test_what_is_there_twice_is_found(checked):
    found = checked(
        task("a", "Name a river in France.", "Seine"),
        task("b", "name a  river in France.", "Loire", input="y"),
        task("c", "Name one river in France.", "Rhone", input="z"),
        task("d", "Translate it.", "Seine"),
        task("e", "Say nothing at all about it.", "ok", input=""),
    ).duplicates

    assert found.same_instruction == [["a", "b"]]
    assert found.same_instance == [["a", "d"]]
    assert [near.ids for near in found.near] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found.nearest.max == 1


PLAIN = [
    task(f"p{number}", f"{verb} what a {noun} is for.", f"for {noun}", input=noun)
    for number, (verb, noun) in enumerate(
        [("Explain", "spoon"), ("Describe", "ladder"), ("Say", "tent"), ("Tell", "bell"), ("Write", "kite")]
    )
]
SPAM = task("spam", "Is it spam? Answer yes or no.", "yes", "no", kind=True, input="mail")


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (PLAIN, "no task is a classification, so classify takes every new task as not one"),
        ([SPAM], "every task is a classification, so classify takes every new task as one"),
        ([*PLAIN, SPAM], "add seeds: there are 6, and the paper used 175. A prompt of instructions shows 6 to 8 seeds, so each is in 100% of the prompts"),
        ([*PLAIN, SPAM], "add classification tasks: a prompt of classify shows 12, and there is 1"),
        ([*PLAIN, SPAM], "add other tasks: a prompt of classify shows 19, and there are 5"),
        ([*PLAIN, SPAM], "add classification tasks with instances: a prompt of instances shows 16, and there is 1"),
        ([*PLAIN, SPAM], "add other tasks with instances: a prompt of instances shows 11, and there are 5"),
        ([SPAM.update(is_classification=False)], "marked as not classification, though the outputs look like labels: spam"),
        ([task("a", "Is it so?", "It is not, for all I know of it.", kind=True)], "marked as classification, though an output has over 5 words: a"),
        ([task("a", "Tell the story of this name.", "word " * 9000)], "a prompt of instances, input first takes about 11,"),
        ([task("a", "Describe " * 9000, "x")], "a prompt of instructions takes about 2"),
        ([task("a", "Write down one more of these.", *"abcdef")], "more than 5 instances, and each prompt that shows the task shows all of them: a"),
        ([task("a", "Go to it.", "x"), task("b", "Go to it.", "y")], "the same instruction is there twice: a and b; keep one of each"),
        ([PLAIN[0], PLAIN[0].update(id="b", instruction="List it.")], "the same instance is there twice: p0 and b; keep one of each"),
        ([PLAIN[0].update(instances=PLAIN[0].instances * 2)], "the same instance is there twice: p0 (2 times); keep one of each"),
        ([PLAIN[0], PLAIN[0].update(id="b", instruction="Tell what a spoon is for.")], "nearly alike, so that one would not count as new beside the other (ROUGE-L above 0.7): p0 and b"),
        ([task("a", "Is it so? Yes or no?", *["yes"] * 3, kind=True)], "all instances of a task have the same label: a"),
        ([task("a", "Is it so? Yes or no?", *["yes"] * 4, "no", kind=True)], "a label is more than three times as frequent as another: a"),
        ([task(f"a{n}", f"Is it {n}? Yes or no?", "Yes", kind=True) for n in range(4)], "4 outputs are yes and 0 no; even them out"),
        ([task("a", "Go.", "x").update(instances=(Instance(output="x"),))], "only 0 of 1 tasks have an input"),
        ([task(f"a{n}", f"Write a text about the number {n}.", str(n)) for n in range(10)], "10 of 10 instructions have the verb 'write'"),
        ([task("a", "Übersetze den Satz ins Englische.", "x")], "seeds that begin with a character outside ASCII: 1."),
        ([task("a", "Go.", "x")], "the filters would reject tasks like these, which prompts show as demos: a (too_short)"),
    ],
)  # fmt: skip
def test_advice_fits_what_is_wrong(checked, tasks, said):
    assert any(said in advice for advice in checked(*tasks).advice)


def test_advice_on_what_is_not_wrong_is_not_given(checked):
    advice = checked(*PLAIN, SPAM).advice

    assert len(advice) == 5


def test_other_scripts_are_counted(checked):
    found = checked(task("a", "Назови реку.", "x"), task("b", "说出一条河。", "x"), task("c", "Name a river.", "x"))

    assert found.coverage.scripts == {"Cyrillic": 1, "CJK": 1, "Latin": 1}
    assert "scripts" in show(found)


def test_what_is_inferred_is_listed_with_its_line(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        "instruction,output,comment\nName a river.,Rhine,\nName a river.,Elbe,\nIs 7 odd? Yes or no?,yes,x\n"
    )
    found = check(path)
    text = show(found)

    assert [(task.id, task.is_classification) for task in found.inferred] == [("line 2", False), ("line 4", True)]
    assert "\n  line 4  Is 7 odd? Yes or no?  [yes]\nand taken not to be: 1" in text
    assert "rows whose field 'comment' is left out: 3" in text


def test_long_lists_are_cut_in_the_text_and_whole_in_the_figures(checked):
    found = checked(*(task(f"a{n}", "Name it.", str(n)) for n in range(90)))

    assert len(found.duplicates.same_instruction[0]) == 90
    assert "a29, and 60 more" in show(found)
    assert len(show(found)) < 8000


def test_a_file_that_cannot_be_used_is_an_error(tmp_path):
    (tmp_path / "seeds").touch()

    with pytest.raises(SproutError, match="no seed tasks in it"):
        check(tmp_path / "seeds")
