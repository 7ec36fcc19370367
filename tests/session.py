"""Which tests run first and which together, and what collecting garbage need not look at."""

import gc
import os
import sys
from collections.abc import Generator
from typing import Any

import pytest

ENGINES = [f"tests/engines/test_{name}.py" for name in ("ray_vllm", "engines", "score", "shape", "ray", "tuned")]
SLOW = [  # first, or one process would be at work on them while the other has nothing left; from the slowest on
    "tests/nano/", "tests/gain/", "tests/engines/test_ray_", "tests/engines/test_vllm_process.py", "tests/test_install.py", "tests/stages/test_train",
    "tests/training/", "tests/report/test_review", "tests/report/test_tasks_in_browser.py",
    "tests/report/test_report_in_browser.py", "tests/test_new_user.py", "tests/test_benchmarks.py",
    "tests/runs/test_kills.py", "tests/asking/nasty/test_fuzz.py", "tests/test_additions.py",
    "tests/cli/test_stage_lists.py", "tests/runs/test_promises.py", "tests/stages/test_check.py",
    "tests/engines/test_deviations_", "tests/cli/", "tests/novelty/", "tests/recipes/",
]  # fmt: skip


def pytest_configure() -> None:
    """Keep bytecode, whatever the environment says: hundreds of processes import the same modules."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()  # all that is made here stays
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = [*ENGINES, *SLOW]
    items.sort(
        key=lambda item: next((n for n, place in enumerate(places) if item.nodeid.startswith(place)), len(places))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The tests of a file run in one process, and so do those of the files that share vLLM and Ray."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return "engines" if file in ENGINES else file

    config.option.loadscopereorder = False
    return Together(config, log)


modules = 0


def pytest_runtest_teardown() -> None:
    """What was imported stays to the end. A training collects garbage twice, for half a second each with all of it."""
    global modules
    if len(sys.modules) > modules + 50:
        gc.collect()
        gc.freeze()
        modules = len(sys.modules)


def pytest_unconfigure() -> None:
    gc.unfreeze()
