"""What is written in any style is read back as it was."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Instance
from pipeline.asking.examples import parse_input_first
from pipeline.asking.lists import parse_list
from tests.asking.test_list_marks import STYLES

word = st.text("abcdefghijklmnopqrstuvwxyzäéжш", min_size=2, max_size=8)
sentence = st.builds(
    lambda first, words, end: f"{first} {' '.join(words)}{end}",
    st.sampled_from(["Name", "Describe", "List", "Translate", "Explain", "Which", "Tell", "Compare", "Zähle"]),
    st.lists(word, min_size=3, max_size=12),
    st.sampled_from(".?!"),
)
sentences = st.lists(sentence, min_size=2, max_size=9)
plain = {name: style for name, style in STYLES.items() if name not in ("quoted all", "a word nobody knows")}


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(sorted(plain)), sentences, st.booleans(), st.sampled_from(["\n", "\n\n", "\r\n"]))
def test_a_list_in_any_style_is_read_back(name, items, numbered, between):
    start = 1 if "9." in plain[name] else 9
    marks = [plain[name].format(n=n) for n in range(start, start + len(items))]
    text = between.join(mark + item for mark, item in zip(marks, items, strict=True))

    assert parse_list(text if numbered else text.removeprefix(marks[0])) == items


WRITERS = {
    "JSON": json.dumps, "JSON over lines": lambda items: json.dumps(items, indent=2, ensure_ascii=False), "Python": repr, "objects": lambda items: json.dumps([{"instruction": item} for item in items]),
    "JSON lines": lambda items: "\n".join(json.dumps({"task": item}) for item in items), "a fence": lambda items: f"```json\n{json.dumps(items)}\n```", "an object": lambda items: json.dumps({"tasks": items}), "a table": lambda items: "| # | Task |\n|---|---|\n" + "\n".join(f"| {n} | {item} |" for n, item in enumerate(items, 9)),
    "HTML": lambda items: "<ol>" + "".join(f"<li>{item}</li>" for item in items) + "</ol>", "XML": lambda items: "\n".join(f"<task>{item}</task>" for item in items), "YAML": lambda items: "\n".join(f"- instruction: {item}" for item in items), "bullets": lambda items: "\n".join(f"- {item}" for item in items), "checkboxes": lambda items: "\n".join(f"- [ ] {item}" for item in items),
    "quotes": lambda items: "\n".join(f'"{item}"' for item in items), "letters": lambda items: "\n".join(f"{letter}) {item}" for letter, item in zip("abcdefghi", items, strict=False)), "one line": lambda items: " ".join(f"{n}. {item}" for n, item in enumerate(items, 9)), "one line in brackets": lambda items: " ".join(f"({n}) {item}" for n, item in enumerate(items, 1)),
    "roman": lambda items: "\n".join(f"{number}. {item}" for number, item in zip(["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"], items, strict=False)), "keys": lambda items: "\n".join(f"{n}\ufe0f\u20e3 {item}" for n, item in enumerate(items, 1)), "circles": lambda items: "\n".join(f"{chr(0x245f + n)} {item}" for n, item in enumerate(items, 1)),
}  # fmt: skip


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(sorted(WRITERS)), sentences)
def test_a_list_written_in_any_way_is_read_back(name, items):
    assert parse_list(WRITERS[name](items)) == items


fields = (
    st.lists(word, min_size=1, max_size=6)
    .map(" ".join)
    .filter(lambda text: text.split()[0] not in ("no", "none", "empty"))
)
pairs = st.lists(st.builds(Instance, input=fields, output=fields), min_size=1, max_size=5)


def _fields(first: str, second: str, between: str = "\n\nExample {n}\n"):
    def write(instances):
        return "".join(
            (between.format(n=n) if n > 1 else "") + f"{first.format(n=n)}{i.input}\n{second.format(n=n)}{i.output}"
            for n, i in enumerate(instances, 1)
        )

    return write


LAYOUTS = {
    "as asked": _fields("Input: ", "Output: "), "small": _fields("input: ", "output: "), "capitals": _fields("INPUT: ", "OUTPUT: "), "Answer": _fields("Input: ", "Answer: "), "Response": _fields("Input: ", "Response: "), "bold": _fields("**Input:** ", "**Answer:** "), "numbers": _fields("{n}. Input: ", "   Output: ", "\n"), "points": _fields("- input: ", "  output: ", "\n"),
    "numbers of fields": _fields("Input {n}: ", "Output {n}: ", "\n"), "Q and A": _fields("Q: ", "A: "), "Sample": _fields("Sample Input: ", "Sample Output: "), "JSON": lambda instances: json.dumps([i.model_dump() for i in instances]), "JSON lines": lambda instances: "\n".join(json.dumps({"question": i.input, "answer": i.output}) for i in instances),
    "a table": lambda instances: "| Input | Output |\n|---|---|\n" + "\n".join(f"| {i.input} | {i.output} |" for i in instances), "tags": lambda instances: "\n".join(f"<example><input>{i.input}</input><output>{i.output}</output></example>" for i in instances), "explained": lambda instances: _fields("Input: ", "Output: ")([Instance(input=i.input, output=i.output + "\nExplanation: It is so.\n(Note: or not.)") for i in instances]),
}  # fmt: skip


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(sorted(LAYOUTS)), pairs)
def test_examples_in_any_layout_are_read_back(name, instances):
    assert parse_input_first(LAYOUTS[name](instances), False, "Turn the given words round.") == instances
