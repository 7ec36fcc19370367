"""What a user relies on: a run goes on where it stopped, refuses to mix settings, and accounts for every task."""

import math
import shutil
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from pipeline import Completion, Request, SproutError, Stage, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.conftest import answer
from tests.runs.toys import files


def stages(num_tasks: int = 20, **settings: object) -> list[Stage]:
    return [Instructions(num_tasks=num_tasks, window=4, **settings), Classify(), Instances(), Filter()]


def test_every_kept_task_is_complete(model, seeds, tmp_path):
    tasks = run(stages(), seeds, model, tmp_path)

    assert len(tasks) == 20
    assert all(task.instances and task.is_classification is not None for task in tasks)


class Counted(Task):
    """A task that counts how often it is written as JSON."""

    counts: ClassVar[Counter[str]] = Counter()

    def model_dump_json(self, **options: Any) -> str:
        self.counts[self.id] += 1
        return super().model_dump_json(**options)


def test_a_seed_is_written_as_json_once_in_a_run_of_many_stages(model, seeds, tmp_path):
    counted = [Counted.model_validate(seed.model_dump()) for seed in seeds]
    run(stages(), counted, model, tmp_path)

    assert Counted.counts == {seed.id: 1 for seed in seeds}  # for the digest in settings.json


def test_two_runs_give_the_same_bytes(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path / "a")
    run(stages(), seeds, Scripted(answer), tmp_path / "b")

    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_how_many_requests_are_in_flight_does_not_change_a_byte(seeds, tmp_path):
    for window in (1, 3, 4):
        run(stages(), seeds, Scripted(answer, window=window), tmp_path / str(window))

    assert files(tmp_path / "1") == files(tmp_path / "3") == files(tmp_path / "4")


def test_a_finished_run_asks_nothing_again(model, seeds, tmp_path):
    first = run(stages(), seeds, model, tmp_path)
    asked = len(model.requests)

    assert list(run(stages(), seeds, model, tmp_path)) == list(first)
    assert len(model.requests) == asked


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("number", range(4))
def test_a_run_killed_anywhere_ends_with_the_same_bytes(seeds, tmp_path, share, number):
    run(stages(), seeds, Scripted(answer), tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    written = sorted((tmp_path / "killed").glob("*.jsonl"))
    data = written[number].read_bytes()
    written[number].write_bytes(data[: int(len(data) * share)])
    for later in written[number + 1 :]:
        later.unlink()

    run(stages(), seeds, Scripted(answer), tmp_path / "killed")

    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_larger_target_adds_to_what_is_there(model, seeds, tmp_path):
    run(stages(10), seeds, model, tmp_path / "grown")
    small = files(tmp_path / "grown")
    run(stages(25), seeds, model, tmp_path / "grown")
    run(stages(25), seeds, model, tmp_path / "at_once")

    large = files(tmp_path / "grown")
    assert all(large[name].startswith(data) for name, data in small.items())
    assert large == files(tmp_path / "at_once")


def test_a_stage_is_redone_once_its_files_and_all_later_ones_are_gone(model, seeds, tmp_path):
    run(stages(), seeds, model, tmp_path)
    changed = [*stages()[:2], Instances(max_instances=1), Filter()]
    (tmp_path / "3_instances.jsonl").unlink()
    (tmp_path / "4_filter.jsonl").unlink()
    model.requests.clear()

    tasks = run(changed, seeds, model, tmp_path)

    assert all(len(task.instances) == 1 for task in tasks)
    assert not model.requests  # the journal has all completions


def test_a_failed_request_is_not_a_decision(seeds, tmp_path):
    def flaky(request: Request) -> str | Completion:
        prompt = str(request.prompt)
        if prompt.endswith("Classification:") and len(prompt) % 2:
            return Completion(id=request.id, text="too long", finish_reason="error")
        return answer(request)

    run(stages()[:1], seeds, Scripted(answer), tmp_path)
    half = run(stages()[:2], seeds, Scripted(flaky), tmp_path)
    whole = run(stages()[:2], seeds, Scripted(answer), tmp_path)

    assert 0 < len(half) < len(whole)
    assert not any(task.rejected for task in read_tasks(tmp_path / "2_classify.jsonl"))


def test_what_comes_in_is_kept_or_rejected_in_every_stage(model, seeds, tmp_path):
    run(stages(30, max_rouge=0.6), seeds, model, tmp_path)
    before: set[str] | None = None
    for path in sorted(tmp_path.glob("*.jsonl")):
        decided = list(read_tasks(path))
        assert max(Counter(task.id for task in decided).values()) == 1
        if before is not None:
            assert {task.id for task in decided} == before
        before = {task.id for task in decided if task.kept}
    items = Counter(task.meta["request"] for task in read_tasks(tmp_path / "1_instructions.jsonl"))
    assert sorted(items) == list(range(len(items)))


def test_a_run_that_keeps_nothing_is_an_error_that_says_why(seeds, tmp_path):
    def silent(request: Request) -> str:
        return "maybe" if str(request.prompt).endswith("Classification:") else answer(request)

    with pytest.raises(
        SproutError,
        match=r"classify kept none of 20 tasks, 20 rejected \(unclear_answer 20\); `sprout show .* --reason rejected`",
    ):
        run(stages(), seeds, Scripted(silent), tmp_path)


def test_a_model_with_nothing_new_to_say_is_an_error(seeds, tmp_path):
    dull = Scripted(lambda request: " Describe what a river and an engine have in common")

    with pytest.raises(SproutError, match=r"7 requests in a row.*stuck at 0 of 20 \(rejected: not_new 7\)"):
        run(stages(patience=7), seeds, dull, tmp_path)


def test_a_model_that_writes_nothing_but_thoughts_is_told_how_to_stop_that(seeds, tmp_path):
    thinking = Scripted(lambda request: "<think>The user wants tasks.", chat=True)

    with pytest.raises(SproutError, match=r"stuck at 0 of 20 \(rejected: empty 7\)\..*enable_thinking = false"):
        run(stages(patience=7), seeds, thinking, tmp_path)


def test_generated_tasks_can_seed_the_next_run(model, seeds, tmp_path):
    run(stages(), seeds, model, tmp_path / "first")
    again = [task for task in read_tasks(tmp_path / "first" / "4_filter.jsonl") if task.kept]

    assert len(run(stages(5), again, model, tmp_path / "second")) == 5


def test_a_stage_of_ones_own_takes_its_place_in_the_list(model, seeds, tmp_path):
    class Shout(Stage):
        def decide(self, todo, done, run) -> Iterator[Task]:
            for task in todo:
                yield task.update(instruction=task.instruction.upper())

    tasks = run([stages()[0], Shout(), *stages()[1:]], seeds, model, tmp_path)

    assert all(task.instruction.isupper() for task in tasks)
    assert (tmp_path / "2_shout.jsonl").exists()


def test_a_line_that_is_no_task_is_named_and_nothing_is_lost(model, seeds, tmp_path):
    run(stages(), seeds, model, tmp_path)
    path = tmp_path / "2_classify.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{oops\n", *lines[4:]]))

    with pytest.raises(SproutError, match=r"2_classify\.jsonl:4: not a task"):
        run(stages(), seeds, model, tmp_path)
    assert path.read_bytes().count(b"\n") == len(lines)


def test_an_unset_window_grows_with_the_run_up_to_what_the_engine_takes(seeds, tmp_path):
    stage = Instructions()
    numbers = (0, 64, 65, 66, 128, 511, 512, 100_000)
    assert [stage.window_at(number, 256) for number in numbers] == [32, 32, 32, 33, 64, 255, 256, 256]

    run([Instructions(num_tasks=700, max_rouge=0.95)], seeds, Scripted(answer, window=64), tmp_path / "whole")
    run([Instructions(num_tasks=580, max_rouge=0.95)], seeds, Scripted(answer, window=64), tmp_path / "part")
    run([Instructions(num_tasks=700, max_rouge=0.95)], seeds, Scripted(answer, window=64), tmp_path / "part")
    last = [task.meta["request"] for task in read_tasks(tmp_path / "whole" / "1_instructions.jsonl")][-1]
    assert last > 128
    assert files(tmp_path / "part") == files(tmp_path / "whole")


def test_a_window_larger_than_the_engine_takes_changes_nothing(seeds, tmp_path):
    for folder, settings in (("unset", {}), ("set", {"window": 3})):
        run([Instructions(num_tasks=20, **settings)], seeds, Scripted(answer, window=3), tmp_path / folder)

    assert files(tmp_path / "unset") == files(tmp_path / "set")
    with pytest.raises(SproutError, match="begun with different settings: window"):
        run([Instructions(num_tasks=20)], seeds, Scripted(answer, window=4), tmp_path / "unset")


@pytest.mark.parametrize("source", [False, True])
def test_an_id_that_is_there_twice_is_an_error_but_by_chance_in_a_stage_that_makes_ids(seeds, tmp_path, caplog, source):
    class Twice(Stage):
        def decide(self, todo, done, run) -> Iterator[Task]:
            yield from [*seeds[:2], seeds[0]]

    kind = type("Twice", (Twice,), {"adds": source})
    if not source:
        with pytest.raises(SproutError, match="task seed_0 is decided twice"):
            run([kind()], seeds, Scripted(answer), tmp_path)
        return

    assert len(run([kind()], seeds, Scripted(answer), tmp_path)) == 2
    assert caplog.messages == ["twice: seed_0 is the id of two tasks, the second is left out"]


def test_a_package_that_a_late_stage_needs_is_looked_for_before_anything_is_asked(seeds, tmp_path):
    class Late(Stage):
        def needs(self):
            return {"json": "usual", "no_such_package": "embed"}

        def decide(self, todo, done, run):
            yield from todo

    model = Scripted(answer)
    with pytest.raises(
        SproutError, match=r"stage late needs no_such_package, .*pip install 'sprout-instruct\[embed\]'"
    ):
        run([*stages(), Late()], seeds, model, tmp_path)

    assert not model.requests
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("num_tasks", [10, 60, 200])
def test_hardly_more_is_asked_than_it_takes(seeds, tmp_path, num_tasks):
    model = Scripted(answer, window=64)
    run([Instructions(num_tasks=num_tasks, max_rouge=0.95)], seeds, model, tmp_path)
    last = [task.meta["request"] for task in read_tasks(tmp_path / "1_instructions.jsonl")][-1]

    assert len(model.requests) - (last + 1) <= 1 + math.isqrt(last + 1)


def test_an_error_of_the_system_in_a_stage_of_ones_own_is_not_said_to_be_one_of_its_file(seeds, tmp_path):
    class Reads(Stage):
        def decide(self, todo, done, context):
            yield from todo[:3]
            (tmp_path / "is-not-there.txt").read_text()

    with pytest.raises(FileNotFoundError, match=r"is-not-there\.txt"):
        run([Reads()], seeds, Scripted(answer), tmp_path / "run")

    assert len(list(read_tasks(tmp_path / "run" / "1_reads.jsonl"))) == 3


def test_a_stage_that_fails_before_it_has_decided_a_task_leaves_no_file(seeds, tmp_path):
    class Fails(Stage):
        def decide(self, todo, done, context):
            raise SproutError("no encoder")
            yield

    with pytest.raises(SproutError, match="no encoder"):
        run([Fails()], seeds, Scripted(answer), tmp_path)

    assert not list(tmp_path.glob("*.jsonl"))
