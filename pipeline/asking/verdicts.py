"""Reads answers that are one word of a few: yes or no to a question, and which of two texts is better."""

import re
import unicodedata
from functools import lru_cache

from pydantic import JsonValue

from pipeline.asking.clean import clean_text
from pipeline.asking.values import read_values


@lru_cache(maxsize=256)  # few answers, over and over
def parse_yes_no(text: str) -> bool | None:
    """Whether the answer to "Is this a classification task?" is yes or no; None for neither, for both and for a guess.

    The answer is what the text begins with, or what it says the answer is, or what it says of the task. Where these
    contradict each other, there is none.
    """
    text = unicodedata.normalize("NFKC", clean_text(text))
    if (found := _from_values(text)) is not None:
        return found
    text = _LANGUAGE.sub("```", text) if "```" in text else text
    text = _MARKUP.sub(" ", text.replace("’", "'")).strip()
    text = ASKED.sub("", text)
    line = text[:MAX_CHARS].partition("\n")[0]
    if abroad := ABROAD.match(text):
        return abroad["no"] is None
    if FLATLY_NO.match(text):
        return False
    answers = {_is_yes(mark["answer"]) for mark in ANSWER_IS.finditer(text)}
    if first := YES_NO.match(text):
        answers.add(_is_yes(first["answer"]))
        line = line[first.end() :] if PAUSE.match(line, first.end()) else line
    elif _UNSURE.search(text[:MAX_CHARS]):
        return None
    if (said := _said(line)) is not None:
        answers.add(said)
    return answers.pop() if len(answers) == 1 else None


def parse_better(text: str) -> float | None:
    """1 if the answer shown first is better, 0 if the second is, 0.5 for a tie; None for what is no verdict."""
    text = clean_text(text)
    if found := read_values(text):
        word = _value_of(found[0], VERDICT_KEYS)
        text = word if isinstance(word, str) else text
    if framed := FRAMED.search(text):
        return _points(framed["answer"] or framed["boxed"])
    if compared := COMPARED.search(text):
        return {">": 1.0, "<": 0.0}.get((compared["sign"] or compared["bare"])[0], 0.5)
    text = _TAGS.sub(" ", text)
    claims = {_points(mark["answer"] or "tie") for mark in CLAIM.finditer(text)}
    said = BETTER.match(text)
    if said and not OF_BOTH.match(text) and not _is_open(said, text, claims):
        return _points(said["answer"] or said["tie"])
    if last := [*LAST.finditer(text)]:
        return _points(last[-1]["answer"] or last[-1]["alone"] or last[-1]["tie"])
    return claims.pop() if len(claims) == 1 else None


def _is_open(said: re.Match[str], text: str, claims: set[float]) -> bool:
    """Whether more follows that may say otherwise: a "but" or a verdict after a tie, or a claim for the other."""
    if said["tie"]:
        return (BUT.search(text, said.end()) or LAST.search(text, said.end())) is not None
    return len(claims) > 1 and CLAIM.match(text, said.start("answer")) is not None


def _points(word: str) -> float:
    return {"a": 1.0, "b": 0.0}.get(word.lower(), 0.5)


def _from_values(text: str) -> bool | None:
    if not (found := read_values(text)):
        return None
    value = _value_of(found[0], ANSWER_KEYS)
    if isinstance(value, bool):
        return value
    return parse_yes_no(value) if isinstance(value, str) and len(value) < len(text) else None


def _value_of(values: list[JsonValue], names: re.Pattern[str]) -> JsonValue:
    value = values[0]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return value if isinstance(value, str) else None
    return next((one for name, one in value.items() if names.fullmatch(name.strip())), None)


def _is_yes(word: str) -> bool:
    return word.casefold() in _YES


def _said(line: str) -> bool | None:
    """What a sentence says of the task: whether it is a classification."""
    line = OPPOSITE.sub("", line)
    if QUESTION.search(line) or line.rstrip().endswith(":"):
        return None
    if OPEN.search(line):
        return None if IS.search(line) and not NOT.search(line) else False
    about = IS.search(line) or BARE.fullmatch(line)
    if not about:
        return None
    negations = len(NOT.findall(line[: about.end()])) + len(NOT_AFTER.findall(line[about.end() :]))
    return None if negations > 1 else negations == 0


MAX_CHARS = 400
_SAYS_YES = """yes true y correct yep yeah yup si sí oui ja sim да так 是 是的 はい 예 네 نعم हाँ हां ใช่
    evet tak có kyllä 对 對 affirmative ใช่ครับ ใช่ค่ะ そうです はいそうです 맞습니다 그렇습니다 بلى أجل כן ναι"""
_SAYS_NO = """no false n nope nah incorrect non nein nee nej não нет ні 否 不是 不 いいえ 아니요 아니오 아니 لا नहीं ไม่ใช่
    nie nei hayır không tidak ei ไม่ใช่ครับ ไม่ใช่ค่ะ いえ 違います 아닙니다 كلا ليس לא όχι"""
_YES, _NO = set(_SAYS_YES.split()), set(_SAYS_NO.split())
_WORDS = "|".join(sorted(map(re.escape, _YES | _NO), key=lambda word: (-len(word), word)))
_END = r"(?![^\W_]|[-/]\w|'[a-z])"
_MARKUP = re.compile(
    r"\\(?:boxed|text|textbf|mathrm)\b|[*_`~>#|\"“”\[\]{}\\$]|^[^\S\n]*[-+•✅❌✔✗☑→][^\S\n]*"
    r"|</?\w{1,20}>",
    re.MULTILINE,
)
_LANGUAGE = re.compile(r"^[^\S\n]*+```[^\W\d_]{1,20}[^\S\n]*+$", re.MULTILINE)  # of a block of code
# Not "yes or no", "yes/no", "no-one", "no idea".
YES_NO = re.compile(
    r"[\W_]*+(?:\d+[.)]\s*)?"
    r"(?:(?:so|therefore|thus|hence|well|sure|okay|ok|hmm|definitely|absolutely|certainly|of course)\b[\W_]*)?"
    r"(?:(?!task\b)[^\W\d_]{1,20}(?: [^\W\d_]{1,20}){0,2}\s?:[\W_]*(?=\w+\W*(?:[.,\n]|$)))?"  # "Antwort:"
    r"(?:(?:(?:my|the|final|correct|right|short|best|final)\s){0,3}(?:a|answer|classification|output|label|result"
    r"|response|verdict|conclusion|is[ _]classification|ans)"
    r"(?:\s+(?:to|for|of)\s[\w\s]{1,40}?)?\s*(?:[:=]|->|→|\bis\b|\bwould be\b)[\W_]*+)?"
    r"(?:(?:i(?:'d| would)? (?:say|think|believe|answer)|it is|it's|that is|that's)(?:\s+that)?[\W_]+(?=(?:yes|no"
    r"|true|false)\b))?"
    rf"(?P<answer>{_WORDS}){_END}"
    rf"(?![\W_]*+(?:(?:or|and|nor)\b\W*+)?(?!(?P=answer))(?:yes|no|true|false)\b)"
    r"(?! (?:idea|clue|answer|information|opinion|comment|way|one|matter|doubt|need|problem)\b)",
    re.IGNORECASE,
)
ANSWER_IS = re.compile(
    r"(?:\b(?:answer|classification|verdict|conclusion|label|result)\b(?:[ \w]{0,30}?\b(?:is|would be"
    r"|should be)\b|\s*[:=])[\W_]*"
    r"|\b(?:so|therefore|thus|hence)\b[\s,:]{1,3})"
    rf"(?P<answer>yes|no|true|false){_END}(?![\W_]*+(?:(?:or|and)\b\W*+)?(?!(?P=answer))(?:yes|no|true|false)\b)",
    re.IGNORECASE,
)
_CLASS = (
    r"(?:(?:(?:binary|multi-?class|multi-?label|text|simple|single|sentiment|a|an|the|typical|kind of|type of|form of"
    r"|sort of|real|true|pure) )*(?:classification|categori[sz]ation|classifier)"
    r"(?:[ -](?:task|problem|question|one|type))?)"
)
IS = re.compile(
    rf"\b(?:is|isn't|it's|that's|was|be|as|involves|not|non|no|appears to be|seems to be|considered"
    rf"|considered as)\b[ -]?(?:\w+[ -]){{0,2}}?{_CLASS}\b"
    r"|\bit(?:'s| is| isn't)(?: not)?(?=\W*$|[.,;!] )",
    re.IGNORECASE,
)
BARE = re.compile(
    rf"\W*(?:not (?:a |an )?|non-?\s?|no )?(?:a |an )?{_CLASS}\W*(?:(?:,|because|since|as|with"
    rf"|[-–—]).*)?",
    re.IGNORECASE,
)
NOT = re.compile(
    r"\b(?:not|isn't|no|non|never|neither|cannot be|can't be|doesn't|wasn't|hardly|untrue|false"
    r"|wrong)\b|n't\b",
    re.IGNORECASE,
)
NOT_AFTER = re.compile(r"\b(?:is|are) (?:not true|untrue|false|wrong|incorrect)\b", re.IGNORECASE)
OPEN = re.compile(
    r"\b(?:is|it's|an?) (?:\w+[ -]){0,2}(?:open|open-ended|open ended|generative|generation|free-form|free form"
    r"|free-text|creative|writing)\b(?! or\b)(?: (?:task|question|one|answer))?"
    r"|^\W*(?:open-ended|open ended|generation|generative|free-form|open)(?: (?:task|question|answer|generation))?\W*$",
    re.IGNORECASE,
)
OPPOSITE = re.compile(
    r"\b(?:not|rather than|instead of|and not) (?:an? |being )?(?:\w+[ -])?(?:open|open-ended"
    r"|generation|generative|free-form|creative)\b",
    re.IGNORECASE,
)
FLATLY_NO = re.compile(
    r"\W*(?:(?:absolutely|definitely|certainly|of course|clearly) not|not (?:really|quite|exactly|at all))\b"
    r"(?=\W*(?:$|[.,;!\n]))",
    re.IGNORECASE,
)
ABROAD = re.compile(  # in Chinese, where nothing stands between the words
    r"\W*(?:(?:这|這|该|該|此|它|本)(?:个|個)?(?:任务|任務)?)?(?:(?P<no>(?:并|並)?(?:不是|不属于|不屬於|非))|是|属于|屬於)"
    r"(?:一个|一個|一种|一種)?[^。，,.\n]{0,6}(?:分类|分類)(?:任务|任務|问题|問題)?[。.！!]?(?=$|\n|[，,。])"
)
ASKED = re.compile(r"\A[^.?!\n]{1,100}\?[^\S\n]+(?=\w)")  # the question again
PAUSE = re.compile(r"[^\S\n]*(?:[,.;:!)(–—-]|$)")
QUESTION = re.compile(r"\?\s*$|^\W*(?:is|was|does|do|can|should|would) ", re.IGNORECASE)
_UNSURE = re.compile(
    r"\b(?:maybe|perhaps|possibly|probably|might|could|unsure|not sure|unclear|uncertain|depends|depending"
    r"|sometimes|partly|partially|not necessarily"
    r"|don't know|do not know|cannot (?:tell|say|answer|determine|assist|help)|can't (?:tell|say|answer|determine"
    r"|assist|help)|hard to (?:say|tell)|either|both|not clear|unknown|i'm sorry|as an ai)\b",
    re.IGNORECASE,
)
ANSWER_KEYS = re.compile(
    r"(?i:answer|is[ _]?classification(?:[ _]?task)?|classification|label|result|output|response|verdict|value"
    r"|final[ _]answer|prediction|class|category|isClassification)"
)

VERDICT_KEYS = re.compile(
    r"(?i:better(?:[ _](?:answer|response|one))?|best|winner|answer|verdict|choice|preferred|preference|result"
    r"|final[ _]verdict|output|judg(?:e)?ment|label|response)"
)
FRAMED = re.compile(r"\[\[\s*(?P<answer>A|B|C|tie)\s*\]\]|\\boxed\{(?:\\text\{)?\s*(?P<boxed>A|B|C|tie)", re.IGNORECASE)
COMPARED = re.compile(
    r"\[\[\s*A\s*(?P<sign>>+|<+|=+)\s*B\s*\]\]|\A\W*A\s*(?P<bare>>+|<+|=+)\s*B\W*\Z"
)  # as Arena-Hard asks
_TAGS = re.compile(r"</?\w{1,20}>")
_IS_BETTER = (
    r"(?:is(?! not)|was|does|performs|seems)"
    r"(?: (?:the|a|an|slightly|clearly|much|far|overall|somewhat|marginally))*"
    r" (?:better|best|superior|preferable|preferred|stronger|strongest|winner|closer|more \w+)|wins|should win"
)
_NAMES_BOTH = r"(?:answer|option|response|assistant|model|solution)"
BETTER = re.compile(  # "A", "**B**", "Answer A is better", "Better: A", "A tie"; not "A good answer would be"
    r"\W*(?:(?:it(?:'s| is)|so|thus|therefore|overall|in conclusion|i(?:'d| would) (?:go with|choose|pick|say)"
    r"|preference|i (?:think|believe)|in my opinion|my)\b\W+)*"
    r"(?:(?:the )?(?:(?:final|better|best|answer|one|option|response|verdict|choice|winner|assistant|model"
    r"|output|candidate|preferred|solution|judge?ment|i (?:prefer|choose|pick|would choose))\b\W*)+(?:is\b\W*)?"
    rf"(?:{_NAMES_BOTH} )?)?"
    r"(?:(?:it(?:'s| is) )?(?:a |the )?(?P<tie>tie|draw|neither|both|equal|equally|same)\b"
    r"|(?P<answer>a|b)(?=\W*$|[.:!)\]*\"'\n]|[,;](?! (?:but|however|though|while|although)\b)"
    rf"|\s+(?:because\b|[>≻]|{_IS_BETTER})(?!\w)))",
    re.IGNORECASE,
)
BUT = re.compile(
    r"\b(?:but|however|although|though|yet|except)\b|^[^\w\n]*+(?:better|verdict|winner|final \w+)\W*:",
    re.IGNORECASE | re.MULTILINE,
)
LAST = re.compile(  # a line of its own at the end of what is said, with a name or without
    r"^[^\w\n]*+(?:(?:the )?(?:better|best|final|verdict|winner|choice|preferred|judge?ment|conclusion)"
    r"(?: \w+)?\W*[:=]\W*"
    rf"(?:{_NAMES_BOTH} )?(?:(?P<answer>A|B)\b(?!\w)|(?i:a )?(?P<tie>(?i:tie|draw|neither|both|equal))\b)"
    r"(?![^\n]*\w\s+\w)"
    rf"|(?:{_NAMES_BOTH} )?(?P<alone>A|B)\W*\Z)",
    re.MULTILINE | re.IGNORECASE,
)
CLAIM = re.compile(
    rf"\b(?:{_NAMES_BOTH} )?(?-i:(?P<answer>A|B)) (?:{_IS_BETTER})\b"
    r"|\b(?:both|they|A and B|(?:the )?(?:two )?answers)(?: \w+){0,2}?"
    r" are (?:about |just )?(?:equal|equally|the same|tied)\b",
    re.IGNORECASE,
)
OF_BOTH = re.compile(rf"\W*(?i:{_NAMES_BOTH} )?A\W*:.*\bB\W*:", re.DOTALL)  # what is said of each is no verdict
