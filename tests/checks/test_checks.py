"""What passes each check, as tables of awkward answers."""

import time

import pytest

from pipeline import Instance, SproutError, Task
from pipeline.checks.base import Case
from pipeline.checks.contains import contains
from pipeline.checks.fences import unwrapped
from pipeline.checks.number import last_number, number
from pipeline.checks.python import program_of
from pipeline.checks.schema import schema
from pipeline.checks.tool import tool

TOOLS = [
    {"name": "weather", "parameters": {"type": "object", "properties": {"city": {}, "day": {}, "unit": {}}}},
    {"type": "function", "function": {"name": "time", "parameters": {"properties": {"zone": {}}}}},
]
CALL = {"name": "weather", "arguments": {"city": "Oslo", "day": 2}}


def case(text, expected=None, **meta):
    return Case(text, Instance(input="", output=""), Task(id="t", instruction="do", meta=meta), expected)


@pytest.mark.parametrize(
    ("text", "expected", "passes"),
    [
        ("It is Paris, of course.", "Paris", True),
        ("it is PARIS", "Paris", True),
        ("New\n  York", "new york", True),
        ("Lyon", "Paris", False),
        ("", "Paris", False),
        ("the Netherlands", ["Holland", "Netherlands"], True),
        ("Belgium", ["Holland", "Netherlands"], False),
        ("in 1702", 1702, True),
        ("Straße", "STRASSE", True),
    ],
)
def test_contains(text, expected, passes):
    assert contains(case(text, expected)).passed == passes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("So the answer is 42.", 42),
        ("#### 1,234.5", 1234.5),
        ("1,234,567 people", 1234567),
        ("first 3, then 4", 4),
        ("3,4", 4),
        ("-7", -7),
        ("−7", -7),
        ("it fell to –7 degrees", -7),
        ("pages 3-7", 7),
        ("x=-7", -7),
        ("1e5", 1e5),
        ("2.5E-3", 0.0025),
        ("$18", 18),
        ("-$18.50", -18.5),
        ("50%", 50),
        ("3/4", 0.75),
        ("3 / 4", 0.75),
        (r"\frac{3}{4}", 0.75),
        (r"\boxed{-\dfrac{1}{2}}", -0.5),
        (r"\boxed{12}", 12),
        (".5", 0.5),
        ("007", 7),
        ("1/0", float("inf")),
        ("no number", None),
        ("", None),
        ("9" * 400, float("inf")),
    ],
)
def test_the_last_number_of_a_text(text, value):
    assert last_number(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "expected", "tolerance", "passes"),
    [
        ("The sum is 12.", "#### 12", 0, True),
        ("The sum is 12.0", 12, 0, True),
        ("12 of 13", "12", 0, False),
        ("3.14", 3.14159, 0, False),
        ("3.14", 3.14159, 0.001, True),
        ("1001", 1000, 0.001, True),
        ("1002", 1000, 0.001, False),
        ("0.0005", 0, 0.001, True),
        ("none", 3, 1, False),
        ("4", [3, "four is 4"], 0, True),
        ("4", "four", 0, False),
        ("1e999", 5, 0.1, False),
        ("0.30000000000000004", "0.3", 1e-6, True),
    ],
)
def test_number(text, expected, tolerance, passes):
    assert number(case(text, expected), tolerance).passed == passes


ADDRESS = {
    "type": "object",
    "properties": {"zip": {"type": "string"}},
    "required": ["zip"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"zip": "0150"}', ""),
        ('```json\n{"zip": "0150"}\n```', ""),
        ('Here it is:\n```\n{"zip": "0150"}\n```\nAnything else?', ""),
        ('{"zip": 150}', "at $.zip: 150 is not of type 'string'"),
        ("{}", "'zip' is a required property"),
        ('{"zip": "1", "city": 2}', "Additional properties"),
        ("zip: 0150", "it is not JSON"),
        ("", "it is not JSON"),
        ('{"zip": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deep|not JSON"),
        ("[" * 900 + "]" * 900, "at \\$|nested"),
    ],
)
def test_schema(text, said):
    verdict = schema(case(text, ADDRESS))

    assert verdict.passed == (not said)
    import re

    assert re.search(said if "|" in said else re.escape(said), verdict.message)


@pytest.mark.parametrize("wrong", [{"type": "strange"}, "a string", 3, {"$ref": "http://127.0.0.1:9/schema.json"}])
def test_what_is_no_schema_is_an_error_that_names_the_task(wrong):
    with pytest.raises(SproutError, match="task t: its schema"):
        schema(case("{}", wrong))


def called(name="weather", /, **arguments):
    import json

    return json.dumps({"name": name, "arguments": arguments})


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("I do not know", -2),
        ("", -2),
        ('{"name": "weather", "arguments": "day two"}', -2),
        ('["weather"]', -2),
        (called("forecast", city="Oslo", day=2), -2),
        (called("time", zone="CET"), -1.5),
        (called(unit="C", planet="Mars"), -1.8),
        (called(city="Oslo", day=2, unit="C", planet="Mars"), -1.3),
        (called(city="Oslo", planet="Mars"), -1.3),
        (called(city="Oslo", unit="C"), -1.0),
        (called(city="Oslo", day=2, planet="Mars"), -0.8),
        (called(city="Oslo", day=2, unit="C"), -0.5),
        (called(city="Oslo"), -0.5),
        (called(city="Oslo", day=3), -0.25),
        (called(city="Oslo", day=True), -0.25),
        (called(city="Oslo", day=2), 1),
        (called(day=2.0, city="Oslo"), 1),
        ("<tool_call>\n" + called(city="Oslo", day=2) + "\n</tool_call>", 1),
        ("```json\n" + called(city="Oslo", day=2) + "\n```", 1),
        ('[{"type": "function", "function": {"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\", \\"day\\": 2}"}}]', 1),
    ],
)  # fmt: skip
def test_the_rewards_of_a_call(text, reward):
    verdict = tool(case(text, CALL, tools=TOOLS))

    assert verdict.grade == reward
    assert verdict.passed == (reward == 1)


@pytest.mark.parametrize(
    ("call", "tools", "said"),
    [("weather", TOOLS, "its right call"), (CALL, [], "no tools"), (CALL, [{"parameters": {}}], "has no name")],
)
def test_a_call_that_nothing_can_be_held_against_is_an_error(call, tools, said):
    with pytest.raises(SproutError, match=f"task t: .*{said}"):
        tool(case("{}", call, tools=tools))


DOCSTRING = 'def f():\n    """\n    ```\n    f()\n    ```\n    """\n    return 1\n'


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("    return x + 1\n", "    return x + 1\n"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Sure!\n\n```py\nx = 1\n```\nThis sets x.", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```bash\npip install x\n```\nthen\n```python\nimport x\n```", "import x\n"),
        ("```python\nx = 1\n```\n```python\ny = 1\n```", "x = 1\n"),
        ("```python\nx = 1", "x = 1"),
        ("```python", ""),
        ("~~~python\nx = 1\n~~~", "x = 1\n"),
        ("````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''\n"),
        ("1. First:\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y\n"),
        (DOCSTRING, DOCSTRING),
        (f"```python\n{DOCSTRING}```", DOCSTRING),
        ("``` python\nx = 1\n```", "x = 1\n"),
        ("```Python title='a'\nx = 1\n```", "x = 1\n"),
        ("use `x = 1` here", "use `x = 1` here"),
        ("```x = 1```", "```x = 1```"),
        ("", ""),
    ],
)
def test_code_is_taken_out_of_its_fences(text, code):
    assert unwrapped(text, ("python", "py", "python3")) == code


BODY = "    y = 2 * x\n    return y\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{BODY}```\n", BODY),  # the prompt had opened the block
        (f"\n{BODY}```\nThis doubles x.\n\n```python\nprint(double(2))\n```", f"\n{BODY}"),
        (f"\treturn 2 * x\n```\n{BODY}", "\treturn 2 * x\n"),
        (f"import math\n\ndef double(x):\n{BODY}```", f"import math\n\ndef double(x):\n{BODY}"),
        (f"# Twice\nclass Double:\n{BODY}~~~\nDone.", f"# Twice\nclass Double:\n{BODY}"),
        ("# Solution\n\n```python\nx = 1\n```", "x = 1\n"),
        ("import the module first:\n```python\nx = 1\n```", "x = 1\n"),
        ("  Sure:\n    ```python\n    x = 1\n    ```", "x = 1\n"),
        ("    ```python\n    x = 1\n    ```", "x = 1\n"),
        (f"def double(x):\n{BODY}", f"def double(x):\n{BODY}"),
    ],
)
def test_code_that_a_text_begins_with_ends_at_the_first_fence(text, code):
    found = program_of(case(text), "{answer}")

    assert found is not None
    assert found["answer.py"] == code


def test_a_fence_may_be_the_end_of_a_line():
    for text in ("Here it is: ```python\nx = 1\n```", "```python\nx = 1```", "Here:```\nx = 1```\nDone."):
        assert unwrapped(text, ("python",)) == "x = 1\n", text


@pytest.mark.parametrize("unit", ["```\n", "```python\nx = 1\n```\n", '"""\n```\n', "```a\n"])
def test_a_model_that_repeats_fences_holds_nobody_up(unit):
    start = time.monotonic()
    unwrapped(unit * 3000, ("python",))

    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("template", "meta", "parts"),
    [
        ("{answer}\n{tests}", {"tests": ["assert f() == 1", "assert f()"]}, ("A", "\nassert f() == 1\nassert f()")),
        ("{answer}\n{tests}", {"tests": "assert f() == {1}"}, ("A", "\nassert f() == {1}")),
        ("{head}{answer}\n{test}\ncheck({name})", {"head": "def f():\n", "test": "T", "name": "f"}, ("def f():\nA", "\nT\ncheck(f)")),
        ("{answer}\nx = {}", {}, ("A", "\nx = {}")),
        ("{answer}\n{tests}", {"tests": "{answer}"}, ("A", "\n{answer}")),
        ("{answer}\n{tests}", {}, None),
        ("{answer}\n{tests}", {"tests": []}, None),
        ("{answer}\n{tests}", {"tests": 3}, None),
    ],
)  # fmt: skip
def test_the_program_that_tests_an_answer(template, meta, parts):
    found = program_of(case("A", **meta), template)

    assert (found and tuple(found.values())) == parts
