"""What an instruction says about its examples: whether it needs an input, whether it asks for an explanation."""

import re
from functools import lru_cache


def needs_input(instruction: str) -> bool:
    """Whether the task is about something that must be given with it ("Translate the sentence.")."""
    if GIVEN.search(instruction):  # it holds what it is about
        return False
    return bool(NEEDS.search(instruction) or PRONOUN.match(instruction))


@lru_cache(maxsize=64)  # it is asked for each field
def asks_why(instruction: str) -> bool:
    return bool(ASKS_WHY.search(instruction))


_THINGS = (
    r"sentences?|texts?|paragraphs?|passages?|articles?|words?|phrases?|numbers?|lists?|inputs?|reviews?"
    r"|e-?mails?|tweets?|posts?"
    r"|comments?|questions?|statements?|poems?|stor(?:y|ies)|quotes?|lines?|code|functions?|programs?|snippets?"
    r"|tables?|data|dates?"
    r"|documents?|essays?|dialogues?|conversations?|descriptions?|messages?|letters?|strings?|arrays?|items?"
    r"|names?|topics?|titles?"
    r"|equations?|expressions?|problems?|examples?|headlines?|abstracts?|products?|facts?|events?|information"
    r"|context|scenarios?"
    r"|situations?|lyrics|recipes?|summar(?:y|ies)|options?|choices|input|clauses?|claims?|arguments?|requests?"
    r"|errors?|verbs?|nouns?|adjectives?"
)
_FOLLOWS = (
    r"and|or|into|to|from|by|as|is|are|was|were|has|have|so|using|contains?|correctly|grammatically|alphabetically"
    r"|backwards|below|above|given|provided|if|then|without"
)
NEEDS = re.compile(
    rf"\b(?:the )?(?:following|given|provided|above|below|attached|supplied)\b|\bgiven (?:an?|the|two|some|this"
    rf"|these)\b"
    rf"|\b(?:this|these|those|the|each|my) (?:\w+ ){{0,2}}(?:{_THINGS})\b(?=\W*$|[^\S\n]*[.,;?!)]| (?:{_FOLLOWS})\b)"
    r"|\b(?:you|i) (?:get|see|have|are given|will be given|'ll be given|give you)\b|\binput\b|\bgiven\b",
    re.IGNORECASE,
)
PRONOUN = re.compile(r"\W*(?:please )?\w+ (?:it|this|these|them|those)\b(?! (?:is|are|was|were)\b)", re.IGNORECASE)
GIVEN = re.compile(r"[:：]\s*\S+(?:\s+\S+)*\s*\S$|[\"“«‘「'](?!s\b)[^\"”»’」']{2,}[\"”»’」']|\n\s*\S|```", re.DOTALL)
ASKS_WHY = re.compile(
    r"\b(?:why|explain\w*|explanations?|reason\w*|justif\w+|rationale|notes?|comment\w*|analy\w+"
    r"|step[- ]by[- ]step|show (?:your|the|all) (?:work|steps)"
    r"|how you|argue\w*|remarks?|brackets|parenthes\w+|describe how|thoughts?)\b",
    re.IGNORECASE,
)
ASKS_FOR_DIALOGUE = re.compile(
    r"\b(?:repl(?:y|ies)|respond|e-?mails?|messages?|letters?|dialog(?:ue)?s?|conversations?|chats?|talks?|interviews?|scripts?"
    r"|requests?|prompts?|posts?|comments?|invit\w+|reviews?|assistants?|users?|chatbots?|customers?|roles?"
    r"|write (?:back )?to|ask)\b",
    re.IGNORECASE,
)
