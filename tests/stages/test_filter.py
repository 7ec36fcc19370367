"""The instance filters, in their order, each with its own reason."""

import pytest

from pipeline import Instance, Task
from pipeline.stages.filter import Filter


def judge(*pairs: tuple[str, str]) -> Task:
    return Filter().judge(
        Task(id="1", instruction="Do it", instances=tuple(Instance(input=i, output=o) for i, o in pairs))
    )


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([], "no_instances"),
        ([("same", "same")], "input_is_output"),
        ([("", "")], "input_is_output"),
        ([("a", "")], "empty_output"),
        ([("a", " \n")], "empty_output"),
        ([("a:", "b")], "ends_with_colon"),
        ([("a", "b:")], "ends_with_colon"),
        ([("a", "b"), ("a", "c")], "contradiction"),
        ([("a", "b"), ("a", "b")], None),
        ([("", "b"), ("", "c")], None),
        ([("a", "b"), ("b", "b")], None),
    ],
)
def test_each_filter_has_its_own_reason(pairs, reason):
    assert judge(*pairs).rejected == reason


def test_a_bad_instance_leaves_the_good_ones_and_is_counted():
    task = judge(("a", "b"), ("same", "same"), ("c", "d"), ("c", "d"))

    assert [(i.input, i.output) for i in task.instances] == [("a", "b"), ("c", "d")]
    assert task.meta["left_out"] == {"input_is_output": 1, "repeated": 1}


def test_what_earlier_stages_have_left_out_stays_counted():
    instances = tuple(Instance(input=i, output=o) for i, o in (("a", "b"), ("same", "same")))
    before = {"left_out": {"none_passes": 2, "input_is_output": 1}}
    task = Filter().judge(Task(id="1", instruction="Do it", instances=instances, meta=before))

    assert task.meta["left_out"] == {"none_passes": 2, "input_is_output": 2}
