"""Filters of instances in which the model says the same again: its own words, the input, or a field's name."""

import re
from collections import Counter
from itertools import pairwise

from pipeline.asking.phrases import ends_in_loop
from pipeline.filters.base import example
from pipeline.novelty.rouge import RougeIndex
from pipeline.novelty.tokens import count_words, tokens
from pipeline.task import Instance, Task
from pipeline.text import short

MIN_LOOPED = 200  # characters of what ends in a loop
MIN_WORDS = 8  # of an output whose repetitions are counted
MAX_TURN = 20  # labels; what comes round after more of them is no loop
MIN_DISTINCT = 0.8  # of four words in a row, how many occur once; 481 outputs that people wrote have more
MIN_COPIED = 5  # words of an input that counts as repeated
ROUNDING = 1e-9
MIN_ROUGE = 0.95  # ROUGE-L with the input, from which an output is a copy


@example("What could it be?", ("", "The answer is that the cat is a cat, and that the cat is a cat, and that is it."))
def repetition(instance: Instance, task: Task) -> str | None:
    """The same words over and over: a field ends in them, or they make up much of the output.

    Not where the instruction asks for it, nor for a list of labels.
    """
    looped = next((text for text in (instance.input, instance.output) if ends_in_loop(text, MIN_LOOPED)), None)
    if (looped is None and not _repeats(instance)) or _ASKS_TO_REPEAT.search(task.instruction):
        return None
    if looped is not None:
        return f"… {looped[-60:]}"
    ((most_frequent, _),) = _fours(instance.output).most_common(1)
    return " ".join(most_frequent)


@example(
    "What does the writer complain about?",
    ("The train was late again and nobody said why.", "The train was late again and nobody said why."),
    ("The train was late again.", "The train was late again. The writer complains."),
)
def repeats_input(instance: Instance, task: Task) -> str | None:
    """The output begins with the input, or is a copy of it but for a word or two.

    Not where the task is to change, mark, order or continue a text, which leaves most of it as it was.
    """
    if not instance.input:
        return None
    given, output = instance.input, instance.output
    begins = given.lstrip()[:1] == output.lstrip()[:1] and " ".join(output.split()).startswith(" ".join(given.split()))
    if not begins:
        one, other = tokens(given), tokens(output)
        least = (MIN_ROUGE - ROUNDING) * (len(one) + len(other)) / 2  # tokens that they must have in common
        if min(len(one), len(other)) < least or (Counter(one) & Counter(other)).total() < least:
            return None
    if count_words(given) < MIN_COPIED or _KEEPS_TEXT.search(task.instruction):
        return None
    if begins:
        return short(given, 60)
    return short(output, 60) if RougeIndex([given]).closest(output).score >= MIN_ROUGE else None


@example("Sum up the report.", ("Sales rose by a fifth.", "Output:\nOutput:\nOutput"))
def only_markers(instance: Instance, task: Task) -> str | None:
    """Nothing but the names of fields, such as "Output:", over and over."""
    return short(instance.output, 60) if _MARKERS.fullmatch(instance.output) else None


def _repeats(instance: Instance) -> bool:
    """Whether the same words make up much of the output, and not of the input."""
    return (
        _is_repetitive(instance.output)
        and not _is_repetitive(instance.input)
        and not _is_labels(instance.output)
    )  # fmt: skip


def _fours(text: str) -> Counter[tuple[str, ...]]:
    """All four words in a row, with how often they occur; none for a text too short to tell, or of numbers."""
    words = text.casefold().split()
    if len(words) < MIN_WORDS or 2 * sum(any(map(str.isalpha, word)) for word in words) < len(words):
        return Counter()
    return Counter(zip(words, words[1:], words[2:], words[3:], strict=False))


def _is_repetitive(text: str) -> bool:
    """Whether too few of the four words in a row are distinct; never of a text too short to tell, or of numbers."""
    words = text.casefold().split()
    least = MIN_DISTINCT * (len(words) - 3)
    if len(words) < MIN_WORDS or len({*pairwise(words)}) - 2 >= least:  # fours are no fewer
        return False
    fours = _fours(text)
    return bool(fours) and len(fours) < least


def _is_labels(text: str) -> bool:
    """Whether it lists labels, one or two words each, which do occur again, in no fixed turn."""
    items = [item.strip() for item in re.split(r"[\n,;|]+", text) if item.strip()]
    if len({*items}) < 2 or any(len(item.split()) > 2 for item in items):
        return False
    return not any(items[turn:] == items[:-turn] for turn in range(1, min(MAX_TURN, len(items) // 2) + 1))


_ASKS_TO_REPEAT = re.compile(
    r"\b(?:repeat\w*|times|copy|copies|again and again|over and over|the same|sing|songs?|lyrics?|chorus|refrains?"
    r"|chants?|rounds?|nursery|villanelle|mantra|rhymes?)\b",
    re.IGNORECASE,
)
_KEEPS_TEXT = re.compile(
    r"\b(?:correct\w*|fix\w*|proofread\w*|mend\w*|repair\w*|restor\w*|capital\w*|punctuat\w*|commas?|mark\w*|annotat\w*"
    r"|tag\w*|highlight\w*|underlin\w*|bold|italic\w*|format\w*|indent\w*|layout|translat\w*|transliterat\w*|sort\w*"
    r"|order\w*|arrang\w*|alphabet\w*|repeat\w*|cop(?:y|ies)|quot\w*|cit(?:e|ation)\w*|rewrit\w*|reword\w*|edit\w*"
    r"|chang\w*|replac\w*|swap\w*|substitut\w*|remov\w*|delet\w*|drop|leav\w*|insert\w*|add\w*|append\w*|put|turn\w*"
    r"|convert\w*|transform\w*|complet\w*|continu\w*|finish\w*|extend\w*|expand\w*|go on|fill\w*|blanks?|spell\w*"
    r"|normali[sz]\w*|clean\w*|tidy|redact\w*|anonymi[sz]\w*|censor\w*|split\w*|join\w*|merg\w*|combin\w*|tokeni[sz]\w*"
    r"|grammar\w*|grammatical\w*|errors?|mistakes?|typos?|improv\w*|polish\w*|unchanged|as it is|verbatim|extract\w*"
    r"|select\w*|pick|choose|identify|find|which|what is the (?:longest|shortest)|type|print|tense|voice|upper|lower"
    r"|case|hyphen\w*|align\w*|number)\b",
    re.IGNORECASE,
)
_NAMES = r"(?:output|input|answer|response|result|question|class label|label|task|example \d{1,3}|a|q)"
_MARKERS = re.compile(rf"\W*(?:{_NAMES}\s*:\W*)+(?:{_NAMES}\W*)?", re.IGNORECASE)
