"""Metadata are read as models write them: with other labels, as lists of any kind, as JSON."""

import pytest

from pipeline.asking.metadata import KINDS, fields_of, parse_metadata


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("use_case", " writing letters\nSkills: tact, brevity", ("writing letters", ["tact", "brevity"])),
        ("use_case", "Use case: writing letters\nSkills: tact; brevity", ("writing letters", ["tact", "brevity"])),
        ("use_case", "Task: writing letters\nSkills: tact", ("writing letters", ["tact"])),
        ("use_case", "**Use Case:** letters\n**Skills:** tact, brevity", ("letters", ["tact", "brevity"])),
        ("use_case", " letters\n\nSkills:\n- tact\n- a brief style\n- spelling\n- more", ("letters", ["tact", "a brief style", "spelling"])),
        ("use_case", " letters\nSkills:\n1. tact\n2. brevity", ("letters", ["tact", "brevity"])),
        ("use_case", " letters\nSkills: tact, brevity, and spelling", ("letters", ["tact", "brevity", "spelling"])),
        ("use_case", '{"use_case": "letters", "skills": ["tact", "brevity"]}', ("letters", ["tact", "brevity"])),
        ("use_case", '```json\n{"Use case": "letters", "Skills": "tact, brevity"}\n```', ("letters", ["tact", "brevity"])),
        ("use_case", "Here it is:\nUse case: letters\nSkills: tact", ("letters", ["tact"])),
        ("use_case", " letters\nSkills: tact, tact", ("letters", ["tact"])),
        ("use_case", "1. Use case: letters\n2. Skills: tact", ("letters", ["tact"])),
        ("use_case", "### Use case\nletters\n### Skills\ntact, brevity", ("letters", ["tact", "brevity"])),
        ("use_case", "Use case: letters\nSkills required: tact", ("letters", ["tact"])),
        ("persona", "Sure! Here is a persona:\n\na baker", ("a baker",)),
        ("persona", "- a baker", ("a baker",)),
        ("persona", "I'm sorry, I can't help with that.", None),
        ("persona", "N/A", None),
        ("tags", "Here are the tags:\nwater, tools", (["water", "tools"],)),
        ("tags", "#water #tools", (["water", "tools"],)),
        ("tags", "water | C# | tools", (["water", "C#", "tools"],)),
        ("tags", "[water, tools]", (["water", "tools"],)),
        ("difficulty", "Difficulty (1-5): 3", ("3",)),
        ("difficulty", "On a scale of 1 to 5, this is a 3.", ("3",)),
        ("use_case", " letters", None),
        ("use_case", " letters\nSkills:", None),
        ("use_case", " letters\nSkills: one has to be able to say in a very few words what it is that one wants", None),
        ("use_case", "I cannot help with that.", None),
        ("use_case", "", None),
        ("concepts", " physics\nConcepts: density; states of matter", ("physics", ["density", "states of matter"])),
        ("persona", ' "a baker who gets up at three"', ("a baker who gets up at three",)),
        ("persona", "Person: a baker\nRequest: What else?", ("a baker",)),
        ("tags", " water, tools.", (["water", "tools"],)),
        ("tags", '["water", "tools"]', (["water", "tools"],)),
        ("difficulty", " 3", ("3",)),
        ("difficulty", " **4**", ("4",)),
        ("difficulty", "Difficulty: three.", ("3",)),
        ("difficulty", " 2 (easy)", ("2",)),
        ("difficulty", "3 out of 5", ("3",)),
        ("difficulty", " between 1 and 5", None),
        ("difficulty", " 3.5", None),
        ("difficulty", " 7", None),
        ("difficulty", " hard to say", None),
        ("level", " Apply", ("apply",)),
        ("level", " The level is *Analysis*.", ("analyze",)),
        ("level", " understand or apply", ("understand",)),
        ("level", " It could be to understand or to apply", None),
        ("mood", " gloomy\n", ("gloomy",)),
        ("mood", "Mood: gloomy", ("gloomy",)),
    ],
)  # fmt: skip
def test_a_kind_is_read(kind, text, found):
    fields = fields_of(kind)
    wanted = dict(zip([field.name for field in fields], found, strict=True)) if found else None

    assert parse_metadata(text, fields) == wanted


@pytest.mark.parametrize(
    ("kind", "text", "is_read"),
    [
        ("persona", " a baker who gets up at", False),
        ("persona", " a baker\nPerson: an", True),
        ("use_case", " letters\nSkills: tact, bre", False),
        ("tags", " water, to", False),
    ],
)
def test_what_is_cut_off_does_not_count(kind, text, is_read):
    assert (parse_metadata(text, KINDS[kind], cut=True) is not None) == is_read
