"""The verb of an instruction and the noun it is about: by spaCy where it is installed, else by a stated heuristic."""

import re
import tomllib
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

Pair = tuple[str, str]
Finder = Callable[[str], Pair | None]

MAX_PARSED = 5_000  # tasks; spaCy takes some 3 ms for each

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[^\w\s]")
_COURTESY = re.compile(
    r"(?:please|kindly|tell me,?|help me(?: to)?|(?:can|could|would|will) you|i (?:want|would like|need) you to)\b ?",
    re.I,
)
_MOST = 400  # characters of an instruction that are looked at
_REACH = 12  # words between a verb and its noun

HEURISTIC = (
    "The verb is the first word that is on a list of instruction verbs and stands where a command can stand; the noun "
    "ends the first run of other words after it. Up to 5,000 tasks spaCy parses "
    "instead, where it and an English model are installed."
)
PARSED = "Parsed by spaCy: the verb closest to the root of the sentence, and its direct object."


def finder(num_tasks: int) -> tuple[Finder, str]:
    """How verbs and nouns are found in that many tasks, and the same in a sentence for the reader.

    What is found is in lower case and singular; the noun is "" where there is none. None: there is no verb.
    """
    parse = parser() if num_tasks <= MAX_PARSED else None
    return (parse, PARSED) if parse else (guess, HEURISTIC)


@cache
def parser() -> Finder | None:
    """spaCy with the first English model that is installed."""
    try:
        spacy = import_module("spacy")
    except ImportError:
        return None
    names = sorted(name for name in spacy.util.get_installed_models() if name.startswith("en_"))
    if not names:
        return None
    nlp = spacy.load(names[0], exclude=["ner"])
    return cache(lambda text: _parsed(nlp(text[:_MOST])))


def _parsed(doc: Any) -> Pair | None:
    """As in the paper (section 3.3): the verb closest to the root and its first direct noun object."""
    for sentence in doc.sents:
        level = [sentence.root]
        while level:
            for token in level:
                if token.pos_ == "VERB":
                    nouns = [child.lemma_.lower() for child in token.children if child.dep_ in ("dobj", "obj")]
                    return token.lemma_.lower(), nouns[0] if nouns else ""
            level = [child for token in level for child in token.children]
    return None


def guess(text: str) -> Pair | None:
    """The heuristic: it sees words and marks, no grammar."""
    verbs, no_command, no_nouns = word_lists()
    words = [word.lower().replace("’", "'") for word in _WORD.findall(_COURTESY.sub("", text[:_MOST]))]
    for place, word in enumerate(words):
        if word in verbs and (place == 0 or words[place - 1] not in no_command):
            return word, _noun(words[place + 1 : place + 1 + _REACH], verbs, no_nouns)
    return None


def _noun(words: list[str], verbs: frozenset[str], no_nouns: frozenset[str]) -> str:
    found = ""
    for word in words:
        stops = not word[0].isalpha() or word in no_nouns
        if found and (stops or word in verbs or word.endswith("ing")):
            return singular(found)
        if word in (".", ";", ":", "?", "!"):
            return ""
        if not stops and len(word) > 1 and not word.endswith("ly"):
            found = word
    return singular(found)


def singular(word: str) -> str:
    """By the ending alone."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is", "'s")):
        return word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "sses", "xes", "zes")) else word[:-1]


@cache
def word_lists() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    lists = tomllib.loads((Path(__file__).parent / "verbs.toml").read_text(encoding="utf-8"))
    return (
        frozenset(lists["verbs"].split()),
        frozenset(lists["not_before_verb"].split()),
        frozenset(lists["no_nouns"].split()),
    )
