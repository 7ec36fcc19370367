"""A folder of one's own templates: what is wrong with it is said before a model is loaded."""

import shutil
from pathlib import Path

import pytest

from pipeline import SproutError
from pipeline.asking.templates import digest, prompt_folder, render
from tests.bad_input.conftest import NANO_HERE, Sprout

RUN = ("run", "--seeds", "nano", *NANO_HERE, "--out", "run")
PICKLE = (
    """{{ demos[0].parse_raw("cos\\nsystem\\n(S'touch ran'\\ntR.".encode(), proto="pickle", allow_pickle=True) }}"""
)


@pytest.fixture
def mine(sprout: Sprout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the templates that ship, in use."""
    folder = shutil.copytree(prompt_folder(), "mine")
    monkeypatch.setenv("SPROUT_PROMPTS", "mine")
    return Path(folder)


@pytest.mark.parametrize(
    ("name", "template", "said"),
    [
        ("classify", None, "mine/classify.jinja: no such template; copy "),
        ("instances_output_first", "Task:\n\n{{ instrution }}", "mine/instances_output_first.jinja:3: there is no variable 'instrution'; did you mean instruction?"),
        ("instances_input_first", "{{ prompt }}", "mine/instances_input_first.jinja:1: there is no variable 'prompt'; there are demos, instruction"),
        ("instructions", "{{ instruction }}", "mine/instructions.jinja:1: there is no variable 'instruction'; there are demos"),
        ("instances_input_first", "Task\n{% for %}", "mine/instances_input_first.jinja:2: Expected an expression, got 'end of statement block'"),
        ("instances_input_first", "Task\n\n{{ demos", "mine/instances_input_first.jinja:3: unexpected end of template, expected 'end of print statement'"),
        ("instances_input_first", "{{ demos | shout }}", "mine/instances_input_first.jinja:1: No filter named 'shout'"),
        ("classify", "Task\ncaf\xe9", "mine/classify.jinja:2: byte 0xe9 at column 4 is not UTF-8; save the file as UTF-8"),
        ("instructions", "{% include '../good.jsonl' %}", "mine/instructions.jinja: ../good.jsonl is included, and not there"),
        ("instructions", "{% include '/etc/passwd' %}", "mine/instructions.jinja: /etc/passwd is included, and not there"),
        ("instructions", "Go on\n{{ demos.__class__.__mro__ }}", "mine/instructions.jinja:2: access to attribute '__class__' of 'list' object is unsafe"),
        ("instructions", "{{ demos.clear() }}", "mine/instructions.jinja:1: "),
        ("instructions", "{{ cycler.__init__.__globals__ }}", "mine/instructions.jinja:1: access to attribute '__init__' of 'type' object is unsafe"),
        ("instructions", "\n{% for i in range(10**9) %}{% endfor %}", "mine/instructions.jinja:2: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)"),
        ("instructions", "{{ 1 / 0 }}", "mine/instructions.jinja:1: division by zero"),
        ("instructions", "{{ demos + 1 }}", "mine/instructions.jinja:1: can only concatenate list"),
        ("instructions", "{{ demos[0].text }}", "mine/instructions.jinja:1: 'str object' has no attribute 'text'; it may use demos"),
        ("instructions", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "mine/instructions.jinja:1: maximum recursion depth exceeded"),
    ],
)  # fmt: skip
def test_a_bad_template_gets_one_sentence(sprout: Sprout, mine: Path, name, template, said):
    path = mine / f"{name}.jinja"
    path.unlink()
    if template is not None:
        path.write_bytes(template.encode("latin-1"))
    code, error = sprout(*RUN)

    assert code == 1
    assert said in error


@pytest.mark.parametrize("folder", ["nowhere", "good.jsonl"])
def test_a_folder_that_is_none_gets_one_sentence(sprout: Sprout, monkeypatch, folder):
    monkeypatch.setenv("SPROUT_PROMPTS", folder)

    assert sprout(*RUN) == (1, f"{folder}: is not a folder of templates; change SPROUT_PROMPTS, or unset it")


def test_a_template_that_is_a_folder_is_no_template(sprout: Sprout, mine: Path):
    (mine / "classify.jinja").unlink()
    (mine / "classify.jinja").mkdir()

    assert sprout(*RUN)[1].startswith("mine/classify.jinja: no such template")


@pytest.mark.parametrize(
    "template",
    [
        PICKLE,
        '{{ demos[0].parse_file("good.jsonl") }}',
        '{{ demos[0]["parse_file"]("good.jsonl") }}',
        '{{ (demos[0] | attr("parse_file"))("good.jsonl") }}',
        '{{ (demos | map(attribute="parse_file") | first)("good.jsonl") }}',
        "{{ demos[0].model_copy() }}",
        "{{ demos[0].__class__ }}",
    ],
)
def test_of_a_demo_a_template_sees_the_fields_alone(mine: Path, seeds, template):
    (mine / "classify.jinja").write_text(template)

    with pytest.raises(SproutError, match=r"mine/classify\.jinja:1: .*(unsafe|no attribute)"):
        render("classify", demos=seeds, instruction="Go.")
    assert not Path("ran").exists()


def test_a_byte_order_mark_is_no_part_of_a_prompt(mine: Path):
    (mine / "classify.jinja").write_bytes(b"\xef\xbb\xbfTask: {{ instruction }}")

    assert render("classify", demos=[], instruction="Go.") == "Task: Go."


def test_a_template_of_a_stage_of_ones_own_may_use_what_it_is_given(mine: Path):
    (mine / "translate.jinja").write_text("{{ rubric }}: {{ task }}")

    assert len(digest("translate")) == 12
    assert render("translate", rubric="Be strict", task="Go.") == "Be strict: Go."
