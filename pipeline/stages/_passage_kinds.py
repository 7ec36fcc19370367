"""The kinds of tasks that are made from a passage, and what their answers must be like."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.asking.clean import clean_text
from pipeline.asking.examples import parse_input_first
from pipeline.asking.phrases import SIGNS_OFF
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.base import Message
from pipeline.filters.find import INSTRUCTION, reasons_of
from pipeline.stage import Reason
from pipeline.text import folded

HALF = "half"
REASONS = reasons_of(INSTRUCTION) | {
    "cut_off": Reason("The completion reached `max_tokens`.", "Which river runs through the"),
    "empty": Reason("The model wrote no second half of the text.", "an empty completion"),
    "no_question_and_answer": Reason(
        "The completion holds no question with an answer.", "The passage is about rivers."
    ),
    "not_in_passage": Reason("The answer is not in the passage, word for word.", "Which river? → The Amazon"),
    "not_yes_or_no": Reason("The answer is neither yes nor no.", "Is it long? → It depends."),
    "unknown_label": Reason("The answer is none of the labels of its kind.", "Which tone has it? → It rained."),
    "no_options": Reason("A question with options has none.", "Which is the longest?"),
    "not_an_option": Reason("The answer is none of the options.", "A. the Nile, B. the Po → C"),
    "not_a_question": Reason("A question was asked for, and there is none.", "The Nile is long."),
    "prompt_echo": Reason("The question is part of the prompt.", "Write one question about the passage."),
    "copies_prompt": Reason(
        "The question or its answer is that of the example in the prompt.", "When does the museum open?"
    ),
    "question_is_answer": Reason("Question and answer are the same.", "A river. → A river."),
    "refers_to_passage": Reason("It speaks of the passage, which is not shown (`closed_book`).", "What does it say?"),
    "repeated": Reason("The same task is there already.", "Which river is the longest?"),
    "one_sentence": Reason("The text is too short to be cut in two.", "It rained."),
    "not_new": Reason("Its ROUGE-L with a text of the pool is above `max_rouge`.", "Name three rivers of Asia."),
}


@dataclass(frozen=True)
class Pair:
    """What a completion holds: a question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Kind:
    """A kind of task.

    Attributes:
        bonito: Its name in Bonito (arXiv 2402.18334), whose 16 types these are.
        closed_book: It can be answered by someone who does not have the passage.
        labels: The answers there are; none: open.
        check: The pair with its answer in one spelling, or the reason to reject it.
    """

    bonito: str = ""
    closed_book: bool = False
    labels: tuple[str, ...] = ()
    is_classification: bool = False
    check: Callable[[Pair, "Kind", str], Pair | str] = lambda pair, kind, passage: pair


def parse_pair(text: str, cut: bool = False) -> Pair | None:
    """The first question of a completion with its answer; None without both.

    Args:
        cut: The completion was cut off, and so its last answer is.
    """
    text = _ONE_LINE.sub(r"\1\nAnswer: ", clean_text(text).strip(), count=1)
    if (first := _ANSWER.search(text)) and (another := _ANOTHER.search(text, first.end())):
        text, cut = text[: another.start()], False  # the first one is whole
    found = parse_input_first(text, cut)
    if not found or not found[0].input.strip() or not found[0].output.strip():
        return None
    before, blank, last = found[0].output.strip().rpartition("\n\n")
    answer = before if blank and SIGNS_OFF.match(last.strip()) else found[0].output
    return Pair(found[0].input.strip(), answer.strip())


def turns_of(prompt: str) -> tuple[Message, ...]:
    """The messages of a prompt for a chat model: the example in it is a question of the user that was answered.

    A prompt of another layout is one message.
    """
    found = _SHOT.match(prompt)
    if not found:
        return ({"role": "user", "content": prompt},)
    said = {"user": f"{found['ask']}\n\n{found['passage']}", "assistant": found["pair"]}
    last = f"{found['ask']}\n\n{prompt[found.end() :].removesuffix('Question:').rstrip()}"
    return (*({"role": role, "content": text} for role, text in said.items()), {"role": "user", "content": last})


def in_passage(pair: Pair, kind: Kind, passage: str) -> Pair | str:
    """The answer is copied from the passage; case, white space and marks around it aside."""
    for answer in (pair.answer, pair.answer.strip(_AROUND), pair.answer.strip(_AROUND).rstrip(".")):
        if answer and folded(answer) in folded(passage):
            return Pair(pair.question, answer)
    return "not_in_passage"


def yes_or_no(pair: Pair, kind: Kind, passage: str) -> Pair | str:
    """The answer is yes or no, and the question is none that begins with what, who or how."""
    found = None if _OPEN.match(pair.question) else parse_yes_no(pair.answer)
    return "not_yes_or_no" if found is None else Pair(pair.question, "Yes" if found else "No")


def one_label(pair: Pair, kind: Kind, passage: str) -> Pair | str:
    """The answer is one of the labels, and what is said behind it is left out."""
    found = re.match(rf"\W*({'|'.join(kind.labels)})\b", pair.answer, re.IGNORECASE)
    return Pair(pair.question, found[1].lower()) if found else "unknown_label"


def short_label(pair: Pair, kind: Kind, passage: str) -> Pair | str:
    return pair if len(pair.answer.split()) <= MAX_LABEL_WORDS else "unknown_label"


def an_option(pair: Pair, kind: Kind, passage: str) -> Pair | str:
    """The question has options, and the answer is one of them."""
    options = {found["letter"].upper(): found["text"].strip() for found in _OPTION.finditer(pair.question)}
    if len(options) < 2 or len({folded(text) for text in options.values()}) < len(options):
        return "no_options"
    chosen = _LETTER.match(pair.answer)
    letter = chosen["letter"].upper() if chosen else ""
    said = folded(chosen["text"] if chosen else pair.answer).strip(_AROUND + ".")
    named = [one for one, text in options.items() if folded(text).strip(_AROUND + ".") == said]
    if letter in options and (not said or letter in named):
        return Pair(pair.question, f"{letter}. {options[letter]}")
    return Pair(pair.question, f"{named[0]}. {options[named[0]]}") if named and not letter else "not_an_option"


def a_question(pair: Pair, kind: Kind, passage: str) -> Pair | str:
    return pair if pair.answer.rstrip(_AROUND).endswith(("?", "？", "؟")) else "not_a_question"


def refers_to_passage(question: str) -> bool:
    """Whether someone who has only the question would ask which text is meant."""
    return bool(_REFERS.search(question))


MAX_LABEL_WORDS = 8
KINDS: dict[str, Kind] = {
    "question": Kind("question answering without choices", closed_book=True),
    "extractive": Kind("extractive question answering", closed_book=True, check=in_passage),
    "multiple_choice": Kind("multiple-choice question answering", closed_book=True, check=an_option),
    "yes_no": Kind("yes-no question answering", closed_book=True, is_classification=True, check=yes_or_no),
    "question_generation": Kind("question generation", check=a_question),
    "coreference": Kind("coreference resolution", check=in_passage),
    "paraphrase": Kind("paraphrase generation"),
    "paraphrase_identification": Kind("paraphrase identification", is_classification=True, check=yes_or_no),
    "sentence_completion": Kind("sentence completion"),
    "sentiment": Kind(
        "sentiment", labels=("positive", "negative", "neutral", "mixed"), is_classification=True, check=one_label
    ),
    "summary": Kind("summarization"),
    "writing": Kind("text generation"),
    "topic": Kind("topic classification", is_classification=True, check=short_label),
    "word_sense": Kind("word sense disambiguation"),
    "entailment": Kind("textual entailment", is_classification=True, check=yes_or_no),
    "inference": Kind(
        "natural language inference", labels=("true", "false", "unknown"), is_classification=True, check=one_label
    ),
}

_AROUND = "\"'“”‘’«»*_` \n"
_ONE_LINE = re.compile(r"\A([^\n]*\S)[^\S\n]+(?:\*\*)?Answer(?:\*\*)?:(?:\*\*)?[^\S\n]*(?=\S)")
_ANSWER = re.compile(r"^\W*Answer\W{0,3}:", re.MULTILINE)
_ANOTHER = re.compile(r"^\W*(?:Question|Passage)\b[^\n:]{0,5}:", re.MULTILINE)
_SHOT = re.compile(
    r"(?P<ask>(?:(?!^Passage:$).)+?)\n\n(?P<passage>Passage:\n.+?)\n\n(?P<pair>Question: .+?\nAnswer: .+?)"
    r"\n\n\n(?=Passage:\n)",
    re.DOTALL | re.MULTILINE,
)
_OPEN = re.compile(r"\W*(?:what|which|who|whom|whose|when|where|why|how)\b[^.!]*\?\s*\Z", re.IGNORECASE)
_OPTION = re.compile(r"^[^\S\n]*[(\[]?(?P<letter>[A-Ha-h])[.):\]][^\S\n]*(?P<text>\S[^\n]*)", re.MULTILINE)
_LETTER = re.compile(r"\W*(?:option |answer )?(?P<letter>[A-H])(?:[.):\]*]+\s*|\s*\Z)(?P<text>[^\n]*)", re.IGNORECASE)
_REFERS = re.compile(
    r"\b(?:the|this|that|above|given|following|provided) (?:\w+ )?"
    r"(?:passage|text|article|document|excerpt|paragraph|section|extract|author|narrator|snippet|context)\b"
    r"|\bpassage\b|\baccording to (?:it|this)\b|\b(?:mentioned|described|stated|listed|shown) (?:above|here)\b",
    re.IGNORECASE,
)
