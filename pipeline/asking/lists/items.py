"""Takes the instruction out of a piece of a list: one line, without marks around it."""

import re
from itertools import takewhile

from pipeline.asking.lists.marks import LABEL, TASK
from pipeline.asking.phrases import MIN_WORDS, SIGNS_OFF
from pipeline.asking.words import WORD
from pipeline.novelty.tokens import count_words


def item_of(piece: str) -> str:
    """A piece on one line, without the marks of Markdown and the quotes around it."""
    text = _field(_body(piece.strip()))
    text = " ".join((_task_alone(text) if "\n" in text else text).split())
    before = None
    while text != before:
        before = text
        if "**" in text:
            text = BOLD.sub(r"\1", text)
            if text.count("**") % 2:  # bold that began before the number
                text = HALF_BOLD.sub("", text, count=1)
            text = " ".join(text.split())
        text = text[found.end() :] if (found := LEAD.match(text)) else text
        text = _unquoted(text)
        if text[:1] in ("(", "[") and (tag := TAG.match(text)) and ASKS.match(text, tag.end()):
            text = text[tag.end() :]
    return text


def own_part(text: str) -> str:
    """Up to an answer, or what is said about the task."""
    answer = ANSWERED.search(text)
    if answer and text[: answer.start()].strip() and not text[: answer.start()].rstrip().endswith((":", "：")):
        return text[: answer.start()]
    return text


def _unquoted(text: str) -> str:
    """Without quotes around all of it; one that stands inside too belongs to the text."""
    bare = TAIL.sub("", text)
    if bare.endswith((">", ")", "]", "*", "_")) or " Output: " in bare:
        bare = SAID.sub("", bare)
    opens, closes = bare[:1], bare[-1:]
    if len(bare) > 1 and QUOTES.get(opens) == closes and not {opens, closes} & set(bare[1:-1]):
        return bare[1:-1].strip()
    if closes in ('"', "”") and bare[:-1].endswith((".", "?", "!")) and not {'"', "“", "”"} & set(bare[:-1]):
        return bare[:-1]  # the other one stood before the number
    return bare


def _body(text: str) -> str:
    """Without a heading or a bold line that is a title, where a task follows; one that says what to do is kept."""
    title, newline, rest = text.partition("\n")
    title = title.strip()
    bare = title.strip("*_#").strip()
    headed = title.startswith(("#", "**", "__")) or title.endswith(("**", "__"))
    whole = bare.endswith((".", "?", "!", ":", ",")) or count_words(bare) >= MIN_WORDS
    if not newline or not bare or not headed or whole or count_words(rest) < MIN_WORDS:
        return text
    return f"{bare}: {rest.lstrip()}" if ASKS.match(bare) else rest.lstrip()


def _field(text: str) -> str:
    """The instruction of a piece that is a record, a line for each field."""
    if "\n" not in text or not KEYED.match(text) or LABEL.match(text):
        return text
    label = LABEL.search(text) or DESCRIBED.search(text)
    return text[label.end() :].lstrip(" >|-+\n") if label else text


def _task_alone(text: str) -> str:
    """The first paragraph, and the next after a colon, up to an input, an answer or a word to the user.

    A paragraph that is indented, as Markdown has it in an item, and says what to do belongs to it too.
    """
    first, *more = PARAGRAPH.split(text)
    shown = takewhile(lambda pair: _goes_on(*pair), zip([first, *more], more, strict=False))
    text = own_part("\n".join([first, *(following for _, following in shown)]))
    line, *lines = text.split("\n")
    return "\n".join([line, *takewhile(lambda line: not SIGNS_OFF.match(line.strip()), lines)])


def _goes_on(before: str, paragraph: str) -> bool:
    if before.rstrip().endswith((":", "：")):
        return True
    asks = ASKS.match(paragraph.lstrip()) if paragraph[:2].isspace() else None
    return asks is not None and not paragraph.lstrip()[asks.end() :].startswith((" is ", " are ", " was "))


ANSWERED = re.compile(  # an answer, or what is said about the task
    r"^[^\S\n]*+(?:[-*] )?[*_(\[]{0,3}[\"']?(?:(?i:(?:(?:sample|example|expected|possible) )?(?:input|output|answer"
    r"|solution|response|result)"
    r"|explanation|difficulty|category|type|expected|is[_ ]classification|classification|reasoning|rationale"
    r"|skills?(?: (?:tested|needed|required))?)[\"']?(?: \d+)?(?:\*\*|__)?:"
    r"|A:(?!(?s:.*)^[^\S\n]*+B[:.)])"
    r"|(?i:this (?:task|instruction|prompt|question)? ?(?:tests|assesses|evaluates|requires|measures|checks|challenges"
    r"|is (?:designed|meant|intended))\b))",
    re.MULTILINE,
)
TAG = re.compile(  # what kind of task it is, and no condition
    r"[(\[](?!(?i:in|for|with|without|as|using|from|at|on|to|if|by|optional)\b)[^\W\d_][\w /&-]{0,30}[)\]][:：]? +"
    r"(?=[A-Z])"
)
PARAGRAPH = re.compile(r"\n(?:[^\S\n]*+\n)++")
BOLD = re.compile(r"(?<![\w*])\*{2,}+([^*]+)\*{2,}+(?!\w)")
HALF_BOLD = re.compile(r"(?<=[^\s*])\*\*(?=\s|$)")
LEAD = re.compile(
    rf"(?:(?:User|Human): +|(?:[-*•>]|#{{1,6}}|\\?\[[ xX]?\\?\]|[☐☑☒✅]\ufe0f?) +|&nbsp;|[\"']?(?:{TASK}"
    rf"|Description|Objective|Goal|(?:{WORD}))[\"']?[:：] *(?:[>|][-+]? )?)++"
)
TAIL = re.compile(r"(?<=[.?!\"”'])[,;]$|(?<=[.?!])[^\S\n]?\\$")
SAID = re.compile(  # what is said about the task behind it
    r"[^\S\n]+<no_?input>$|(?<=[.?!])[^\S\n]+Input: .*\bOutput: .*$"
    r"|(?<=[.?!])[^\S\n]+[*_]?[(\[](?i:(?:difficulty|category|type|level|skill): [^()\[\]\n]{1,40}|open-ended"
    r"|(?:very )?(?:easy|simple|medium|moderate|hard|difficult|beginner|intermediate|advanced)"
    r"|(?:not )?classification)[)\]][*_]?$"
)
KEYED = re.compile(r"(?:[-*•] )?(?:\*\*)?[\"']?\w{1,20}[\"']?[^\S\n]?:(?:\*\*)?[^\S\n]")
DESCRIBED = re.compile(r"^[^\S\n]*+(?:[-*•] )?(?:\*\*)?(?:Description|Objective|Goal)(?:\*\*)?:(?:\*\*)?", re.MULTILINE)
ASKS = re.compile(  # what a task begins with
    r"(?:add|analy[sz]e|answer|arrange|ask|brainstorm|build|calculate|categori[sz]e|change|check|choose|classify|combine|compare|complete"
    r"|compose|compute|construct|convert"
    r"|correct|count|create|debug|define|derive|describe|design|determine|develop|discuss|draft|edit|estimate|evaluate|explain|extract|fill|find|fix"
    r"|generate|give|guess|identify|imagine|implement|list|make|match|name|order|outline|paraphrase|pick|plan|predict|prepare|propose|prove|provide"
    r"|put|rank"
    r"|read|recommend|remove|rephrase|replace|reply|respond|rewrite|say|select|shorten|simplify|solve|sort|spell|split"
    r"|suggest|summari[sz]e|tell|think|translate|turn|use|write)\b",
    re.IGNORECASE,
)
QUOTES = {
    '"': '"',
    "'": "'",
    "“": "”",
    "„": "“",
    "«": "»",
    "「": "」",
    "『": "』",
    "`": "`",
    "‘": "’",
    "‚": "‘",
    "‹": "›",
    "*": "*",
    "_": "_",
}
