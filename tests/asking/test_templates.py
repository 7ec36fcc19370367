"""Templates: filled in without a stray blank, and unable to do anything else."""

from pathlib import Path

import pytest

from pipeline import SproutError, Task
from pipeline.asking.templates import filled_but_for, render

DEMO = Task.model_validate(
    {
        "id": "1",
        "instruction": "Add.",
        "is_classification": True,
        "instances": [{"input": "1 1", "output": "2"}, {"output": "0"}],
    }
)


def test_each_prompt_ends_where_the_model_goes_on():
    assert render("instructions", demos=["One.", "Two."]).splitlines()[1:] == ["1. One.", "2. Two.", "3."]
    assert render("classify", demos=[DEMO], instruction="Go.").endswith(
        "\nTask: Add.\nClassification: Yes\n\nTask: Go.\nClassification:"
    )
    assert render("instances_input_first", demos=[DEMO], instruction="Go.").endswith(
        "\n\nTask: Add.\nExample 1\nInput: 1 1\nOutput: 2\nExample 2\nOutput: 0\n\nTask: Go.\nExample 1"
    )
    assert render("instances_output_first", demos=[DEMO], instruction="Go.").endswith(
        "\n\nTask: Add.\nClass label: 2\nInput: 1 1\nClass label: 0\n\nTask: Go.\nClass label:"
    )


@pytest.mark.parametrize(
    "template",
    [
        "{% for demo in demos %}{{ demo.instruction }}\n{% endfor %}\nTask: {{ instruction }}\nExample 1",
        "{{ instruction }} {{ demos|length }} {{ instruction }}\n",
        "{{ instruction|upper }}",
        "{{ instruction ~ '!' }} {{ instruction }}",
        "{% if instruction|length > 9 %}Be brief. {% endif %}{{ instruction }}",
        "{% if demos %}{{ instruction }}{% endif %}",
        "{% set text = instruction %}{{ text }}",
        "{% filter upper %}{{ instruction }}{% endfilter %}",
        "{% macro quoted(instruction) %}'{{ instruction }}'{% endmacro %}{{ quoted('a') }} {{ instruction }}",
        "{% include 'other.jinja' %} {{ instruction }}",
        "{% raw %}{{ instruction }}{% endraw %}",
        "{% block asked %}{{ instruction }}{% endblock %}",
        "{% autoescape true %}{{ instruction }}{% endautoescape %}",
        "{% with text = 'a' %}{{ instruction }}{% endwith %}{{ instruction -}} \n b",
        "Nothing of it.",
    ],
)
def test_what_is_rendered_beforehand_is_what_would_be_rendered(tmp_path: Path, monkeypatch, template):
    (tmp_path / "own.jinja").write_text(template)
    (tmp_path / "other.jinja").write_text("{{ instruction|lower }}")
    monkeypatch.setenv("SPROUT_PROMPTS", str(tmp_path))
    prompt = filled_but_for("instruction", "own", demos=[DEMO])

    for text in ("Go.", "Go on and on, <b>please</b>.", "", "{{ demos }}", "Zoë\n\nwent 👍🏽"):
        assert prompt(text) == render("own", demos=[DEMO], instruction=text)


def test_what_is_drawn_is_drawn_for_each_text_and_nothing_is_rendered_before_the_first(tmp_path: Path, monkeypatch):
    (tmp_path / "own.jinja").write_text("{{ range(100000)|random }} {{ instruction }} {{ demos[0].instruction }}")
    monkeypatch.setenv("SPROUT_PROMPTS", str(tmp_path))
    prompt = filled_but_for("instruction", "own", demos=[DEMO])

    assert len({prompt("Go.") for _ in range(9)}) > 1
    with pytest.raises(SproutError, match="own"):
        filled_but_for("instruction", "own", demos=[])("Go.")


def test_what_a_model_wrote_is_not_a_template():
    assert "{{ 7 * 7 }}" in render("classify", demos=[], instruction="Say {{ 7 * 7 }}.")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ unknown }}", "'unknown' is undefined; it may use demos"),
        ("{{ demos", "unexpected end of template"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
    ],
)
def test_a_bad_template_is_named_in_one_sentence(tmp_path: Path, monkeypatch, template, said):
    (tmp_path / "instructions.jinja").write_text(template)
    monkeypatch.setenv("SPROUT_PROMPTS", str(tmp_path))

    with pytest.raises(SproutError) as error:
        render("instructions", demos=[])
    assert str(error.value).startswith(f"{tmp_path}/instructions.jinja:1: ")
    assert said in str(error.value)


def test_a_missing_template_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SPROUT_PROMPTS", str(tmp_path))

    with pytest.raises(SproutError, match=r"classify\.jinja: no such template"):
        render("classify", demos=[], instruction="")
