"""Questions and answers are read as models write them, and each kind admits the answers it should."""

import pytest

from pipeline.stages import Documents
from pipeline.stages._passage_kinds import KINDS, Pair, parse_pair, refers_to_passage, turns_of


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_in_the_prompt_of_a_kind_is_one_that_the_kind_admits(kind):
    prompt = Documents(files="x", kinds=(kind,)).prompt(kind, "PASSAGE", False)
    passage, _, example = prompt.partition("Passage:\n")[2].partition("\n\n\nPassage:")[0].partition("\n\nQuestion: ")
    question, _, given = example.rpartition("\nAnswer: ")
    checked = KINDS[kind].check(Pair(question, given), KINDS[kind], passage)

    assert prompt.endswith("\n\nPassage:\nPASSAGE\n\nQuestion:")
    assert checked == Pair(question, given)
    assert not (KINDS[kind].closed_book and refers_to_passage(question))


@pytest.mark.parametrize("kind", KINDS)
def test_a_chat_model_is_shown_the_example_as_a_turn(kind):
    prompt = Documents(files="x").prompt(kind, "Passage:\nA mill.\n\nQuestion: Why?\nAnswer: No.", True)
    first, answered, last = turns_of(prompt)

    ask = first["content"].partition("\n\nPassage:\n")[0]
    assert prompt.startswith(ask)
    assert first["content"].endswith("stood still for nine days.")
    assert answered["content"].startswith("Question: ")
    assert parse_pair(answered["content"])
    assert last["content"] == f"{ask}\n\nPassage:\nPassage:\nA mill.\n\nQuestion: Why?\nAnswer: No."
    assert [one["role"] for one in (first, answered, last)] == ["user", "assistant", "user"]


def test_a_prompt_of_another_layout_is_one_message():
    assert turns_of("A mill.\n\nQuestion:") == ({"role": "user", "content": "A mill.\n\nQuestion:"},)


def test_bonito_has_sixteen_types_and_each_is_a_kind():
    assert len({kind.bonito for kind in KINDS.values()}) == 16


@pytest.mark.parametrize(
    ("completion", "pair"),
    [
        (" What is it?\nAnswer: A mill.", ("What is it?", "A mill.")),
        ("Question: What is it?\nAnswer: A mill.", ("What is it?", "A mill.")),
        ("**Question:** What is it?\n\n**Answer:** A mill.", ("What is it?", "A mill.")),
        (
            "Sure! Here it is:\n\nQuestion: What is it?\n\nAnswer: A mill.\n\nQuestion: And?\nAnswer: No.",
            ("What is it?", "A mill."),
        ),
        ("What is it? Answer: A mill.", ("What is it?", "A mill.")),
        ('{"question": "What is it?", "answer": "A mill."}', ("What is it?", "A mill.")),
        ("<question>What is it?</question><answer>A mill.</answer>", ("What is it?", "A mill.")),
        ("What is it?\nAnswer: A mill.\n\nLet me know if you need more!", ("What is it?", "A mill.")),
        ("<think>Hm.\nAnswer: no</think>What is it?\nAnswer: A mill.", ("What is it?", "A mill.")),
        ("Which?\nA. one\nB. two\nAnswer: B. two", ("Which?\nA. one\nB. two", "B. two")),
        ("What is it?\nAnswer: A mill.\nIt stands.", ("What is it?", "A mill.\nIt stands.")),
        ("Passage: The harbour.\nQuestion: What is it?\nAnswer: A mill.", ("What is it?", "A mill.")),
        ("Which?\nA: one\nB: two\nAnswer: B", ("Which?\nA: one\nB: two", "B")),
        ("質問：それは何？\n答え：水車小屋", ("それは何？", "水車小屋")),
        ("Câu hỏi: Nó là gì?\nTrả lời: một cối xay", ("Nó là gì?", "một cối xay")),
        ("Pertanyaan: Apa itu?\nJawaban: kincir", ("Apa itu?", "kincir")),
        ("سؤال: ما هو؟\nالإجابة: طاحونة", ("ما هو؟", "طاحونة")),
        ("Soru: O nedir?\nCevap: değirmen", ("O nedir?", "değirmen")),
        ("Pytanie: Co to jest?\nOdpowiedź: młyn", ("Co to jest?", "młyn")),
        ("What is it?", None),
        ("What is it?\nAnswer:", None),
        ("Answer: A mill.", None),
        ("", None),
    ],
)
def test_a_question_and_its_answer_are_read_as_models_write_them(completion, pair):
    assert parse_pair(completion) == (Pair(*pair) if pair else None)


PASSAGE = "Ada Fell, who is 41, grinds “rye”. She sells it."
MCQ = "Which?\nA. rye\nB. oats\nC) wheat"


@pytest.mark.parametrize(
    ("kind", "question", "given", "found"),
    [
        ("extractive", "Who?", "Ada Fell", "Ada Fell"),
        ("extractive", "Who?", "ada  fell.", "ada  fell"),
        ("extractive", "What?", '"rye"', "rye"),
        ("extractive", "What?", "She sells it.", "She sells it."),
        ("extractive", "Who?", "Ada", "Ada"),
        ("extractive", "Who?", "The miller", "not_in_passage"),
        ("extractive", "What?", "**", "not_in_passage"),
        ("coreference", "Who?", "Ada Fell", "Ada Fell"),
        ("coreference", "Who?", "Ada Fell sells", "not_in_passage"),
        ("yes_no", "Is it?", "yes.", "Yes"),
        ("yes_no", "Is it?", "No, she does not.", "No"),
        ("yes_no", "Is it?", "Perhaps", "not_yes_or_no"),
        ("yes_no", "What is it?", "No", "not_yes_or_no"),
        ("yes_no", "What a mill! Is it hers?", "No", "No"),
        ("yes_no", "Is it?", "Ada Fell", "not_yes_or_no"),
        ("entailment", "Is it?", "Yes", "Yes"),
        ("paraphrase_identification", "Are they?", "not the same", "not_yes_or_no"),
        ("sentiment", "How?", "Positive.", "positive"),
        ("sentiment", "How?", "happy", "unknown_label"),
        ("inference", "Is it?", "Unknown, for it is not told", "unknown"),
        ("inference", "Is it?", "maybe", "unknown_label"),
        ("topic", "What?", "food", "food"),
        ("topic", "What?", "It is about a mill and about what its miller does", "unknown_label"),
        ("multiple_choice", MCQ, "A. rye", "A. rye"),
        ("multiple_choice", MCQ, "C", "C. wheat"),
        ("multiple_choice", MCQ, "(b)", "B. oats"),
        ("multiple_choice", MCQ, "oats", "B. oats"),
        ("multiple_choice", MCQ, "B. rye", "not_an_option"),
        ("multiple_choice", MCQ, "D", "not_an_option"),
        ("multiple_choice", MCQ, "barley", "not_an_option"),
        ("multiple_choice", "Which?", "A", "no_options"),
        ("multiple_choice", "Which?\nA. rye\nB. rye", "A", "no_options"),
        ("question_generation", "Write one.", "Who grinds rye?", "Who grinds rye?"),
        ("question_generation", "Write one.", "Ada Fell", "not_a_question"),
        ("summary", "Sum up.", "A miller.", "A miller."),
    ],
)  # fmt: skip
def test_an_answer_is_as_its_kind_wants_it_or_there_is_a_reason(kind, question, given, found):
    checked = KINDS[kind].check(Pair(question, given), KINDS[kind], PASSAGE)

    assert (checked if isinstance(checked, str) else checked.answer) == found


@pytest.mark.parametrize(
    ("question", "refers"),
    [
        ("When was the mill of Fellbeck built?", False),
        ("According to the passage, when was it built?", True),
        ("What does the author say of rye?", True),
        ("What is the main idea of this text?", True),
        ("What is described above?", True),
        ("Who wrote a text on rye?", False),
        ("Which document must a miller sign?", False),
    ],
)
def test_a_question_that_needs_the_passage_is_known(question, refers):
    assert refers_to_passage(question) == refers


def test_a_first_question_is_whole_where_a_later_one_was_cut_off():
    assert parse_pair("What is it?\nAnswer: A mill.\n\nQuestion: Who is", cut=True) == Pair("What is it?", "A mill.")
    assert parse_pair("What is it?\nAnswer: A mi", cut=True) is None
