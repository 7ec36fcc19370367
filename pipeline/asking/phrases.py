"""What chat models say around an answer: announcements, sign-offs, refusals, and the same words over and over."""

import re
from functools import lru_cache

from pipeline.novelty.tokens import count_words
from pipeline.text import words

MIN_WORDS = 4  # of a task; Self-Instruct (its published code)


def ends_in_loop(text: str, min_chars: int) -> bool:
    """Whether the text ends in something said eight times or more, over `min_chars` characters or more."""
    if len(text) < min_chars or text.count(text.rstrip()[-2:].lstrip()) < 4:  # its last letters come round
        return False
    text = " ".join(text.split())[-8 * MAX_PERIOD :]
    if len(text) < min_chars:
        return False
    end, last = text[-4:], len(text) - 4
    first = last - min(MAX_PERIOD, len(text) // 8)
    place = text.rfind(end, first, last + 3)
    while place >= 0:  # wherever it ends in the same way, one period before
        period = last - place
        size = max(min_chars, 8 * period)
        if text[period - size :] == text[-size:-period]:
            return True
        place = text.rfind(end, first, place + 3)
    return False


def is_preamble(text: str) -> bool:
    text = _BEFORE.sub("", text, count=1)
    ends = text.endswith((":", "："))
    introduces = ends and (_INTRODUCES.match(text) or _MORE_TASKS.match(text))
    abroad = (ends or text.endswith("。")) and _INTRODUCES_ABROAD.match(text)
    return bool(introduces or abroad or ANNOUNCES.fullmatch(text) or _AGREED.match(text) or _OFFERS.match(text))


def is_echo(text: str, header: str) -> bool:
    """Whether the text is what the prompt begins with, or a part of it, whatever its capitals and punctuation."""
    if count_words(text) < MIN_WORDS or count_words(header) < MIN_WORDS:
        return False
    asked, small = _bare_header(header), text.casefold()
    first = _WORD.search(small)
    if first and f" {first[0]} " not in asked and asked[1:].partition(" ")[0] not in small:
        return False  # the first word of what is within the other one is there too
    said = _bare(text)
    return said in asked or asked in said


def _bare(text: str) -> str:
    return f" {' '.join(words(text))} "


_WORD = re.compile(r"\w+")
_bare_header = lru_cache(maxsize=16)(_bare)  # that of a stage is compared with all it writes


def names_input(instruction: str) -> bool:
    """Whether an instruction speaks of something that is given with it ("this letter", "the list below").

    Not where the instruction holds it, after a colon or in quotes. In English only: of the paper's 252 user-oriented
    tasks it finds 181 of the 208 with an input and 3 of the 44 without; of the seed tasks that ship, 71 of 143 and 4 of
    47. A task that it misses is put without an input, and a model that then asks for one is given one.
    """
    return bool(_NAMES_INPUT.search(instruction)) and not _HOLDS_INPUT.search(instruction)


def _phrase(pattern: str) -> re.Pattern[str]:
    """In any case, and with either apostrophe."""
    return re.compile(pattern.replace("'", "['’]"), re.IGNORECASE)


_GIVEN = (
    r"(?:text|sentences?|paragraph|passage|email|letter|messages?|reviews?|list|code|table|note|story|article|comment|question"
    r"|recipe|poem|dialogue|headline|conversation|numbers?|words?|ingredients|symptoms|data|function|script|log|title|names?"
    r"|descriptions?|described|statement|clause|item|report|record|entr(?:y|ies)|figures|dates|lines?|quotation|announcement"
    r"|paper|product|abstract|essay|tweet|post|plot|keywords?|topics?|movies?|books?|phrases?|equations?|formula|query|program"
    r"|schedule|job|menu|lyrics|contract|transcript|summary|argument|claim|premise|url|feedback|complaint|request)\b"
)
_NAMES_INPUT = _phrase(
    rf"\b(?:this|these|those|following|given|below|above|provided)\b[^.?!]{{0,40}}\b{_GIVEN}"
    rf"|\b(?:below|following|given|provided)\b|\bthe (?:\S+ ){{0,2}}{_GIVEN}"
)
_HOLDS_INPUT = _phrase(r":\s+\S+(?:\s+\S+){2,}\s*$|[\"“].{8,}[\"”]")
SIGNS_OFF = _phrase(
    r"(?:please |just )?let me know (?:if|whether) (?:you(?:'d like| would like| need| want| have any)|there)\b"
    r"|feel free to (?:ask|reach|contact|let me|request)\b|(?:i )?hope (?:this|that|these|those|it) (?:help|meet|suit)"
    r"|i hope (?:this|these|those|the) (?:tasks|instructions|list|examples|prompts) (?:is|are|will|help|meet|suit)\b"
    r"|espero que est[aeo]s? |j'espère que ce|ich hoffe, d(?:as|iese) |надеюсь, (?:эт|чт)|希望(?:这些|這些|这|以上)"
    r"|如果您?(?:需要|还需要|想要)[^。\n]{0,30}请告诉我|si necesitas (?:más|otr)|lassen sie (?:es )?mich wissen"
    r"|enjoy(?: (?:these|the) \w+)?!|end of (?:the )?list\b|\[(?:end|done)\]|(?:\.{3,}|…)\s*$"
    r"|these (?:are )?(?:\w+ ){0,2}(?:tasks|instructions|prompts)\b"
    r"|(?:would you like|do you want) (?:me to|more (?:tasks|examples)|another)\b|is there anything else (?:i|you)\b"
)
_AGREES = r"(?:sure|certainly|of course|ok(?:ay)?|absolutely|great|no problem)\b[^.!:\n]{0,40}[.!,:]\s*"
_INTRODUCES = _phrase(
    r"(?s)(?:(?:sure|certainly|of course|okay|ok|got it|alright|understood)\b.*|here(?:'s| is| are)\b[^.!?]*"
    r"|(?:continuing|i(?:'ve| have) (?:come up with|written|created|prepared)|below (?:you(?:'ll| will) find|is|are))"
    r"\b[^.!?\n]*\b(?:tasks|instructions|prompts|examples|list)\b[^.!?\n]*):$"
)
_BEFORE = re.compile(r"\A(?:[^\w\s*_#>(\[\"“'-]+\s+(?=\w)|[Aa]ssistant:\s+)")  # an emoji, a turn
_INTRODUCES_ABROAD = _phrase(  # in the languages that most models speak, maybe after "of course", up to a colon
    r"(?:[^.!?。！\n:：]{1,30}[.!。！,，]\s*)?"
    r"(?:hier (?:sind|ist|zijn|volgen)|voici|aqu[ií] (?:tienes|hay|est[aáã]o?n?|van|tem|vai)"
    r"|a continuaci[oó]n|segue|ecco|вот|ось|ниже|oto|dưới đây|berikut|işte|ακολουθούν|فيما يلي|إليك|यहाँ"
    r"|以下|下面|这里|這裡|好的|当然|继续|다음은|여기)[^.!?。\n]{0,80}[:：]$"
    r"|(?:[^。！、\n]{1,15}[。！、]\s*)?以下[^。\n]{0,30}(?:タスク|課題|任务|任務)[^。\n]{0,20}。$"
)
_MORE_TASKS = _phrase(  # no task begins so and ends in a colon
    r"(?:the |some |a )?(?:next|additional|more|remaining|new|further|other|extra|continu\w+|extended|numbered)\b"
    r"[^.!?:\n]{0,60}\b(?:tasks|instructions|prompts|list)\b[^.!?:\n]{0,40}:$"
)
ANNOUNCES = _phrase(
    rf"(?:{_AGREES})?(?:here(?:'s| is| are)|below (?:is|are|you(?:'ll| will) find)|these are|the following are)\b"
    r"[^.!?:\n]{0,80}\b(?:tasks|instructions|examples?|the (?:rest|list|continuation))\b[^.!?:\n]{0,60}[.!:]?"
)
_AGREED = _phrase(  # and a sentence about them
    rf"{_AGREES}here are (?:\w+ ){{0,4}}(?:tasks|instructions)\b[^.!?\n]{{0,60}}[.!]\s"
)
_OFFERS = _phrase(
    rf"(?:{_AGREES})?i(?:'m|'d be| would be) (?:happy|glad) to (?:help|assist|continue|provide|write|create|generate)\b"
    rf"|{_AGREES}(?:i(?:'ll| will| can)|let(?:'s| me))\b[^.!?\n]{{0,60}}\b(?:help|continue|list|tasks?|more)\b"
)
_SORRY = (
    r"(?:(?:i(?:'m| am)(?: \w+)? (?:sorry|afraid)|sorry|i apologi[sz]e|(?:my )?apologies|unfortunately)\b\W*(?:but )?)?"
)
_AI = r"an? (?:\w+ )?(?:ai|artificial intelligence|(?:large )?language model)\b[^.!?\n]{0,60}"
_CANNOT = r"i(?:'m| am)? (?:can(?:not|'t| not)|could(?: not|n't)|won't|will not|unable to|not able to)(?: be able to)? "
_HELP_ABROAD = (  # sorry, cannot, and what: help, answer, go on, provide
    (r"lo siento|lo lamento|disculp\w*|perdón", r"no puedo", "ayud|respond|continu|cumpl|proporcion|asist|complet"),
    (r"desculp\w*|sinto muito|lamento", r"não (?:posso|consigo)", "ajud|respond|continu|cumpr|fornec|atend|complet"),
    (r"(?:je suis )?désolée?|malheureusement", r"je ne (?:peux|suis)", "aid|répond|continu|fourni|trait|assist|satisf"),
    (r"(?:es )?tut mir leid|entschuldigung|leider", r"kann", "helf|beantwort|fortsetz|bereitstell|erfüll|unterstütz"),
    (r"mi dispiace|spiacente|purtroppo", r"non (?:posso|sono in grado)", "aiut|rispond|continu|forni|assist|soddisf"),
    (r"het spijt me|helaas", r"kan", "help|beantwoord|voortzet|verstrek|doorgaan"),
    (r"przykro mi|przepraszam|niestety", r"nie mogę", "pomóc|odpowiedzieć|kontynuować|spełnić"),
    (r"извините|простите|к сожалению|прошу прощения", r"не могу", "помочь|ответить|продолжить|предоставить|выполнить"),
    (r"вибачте|на жаль", r"не можу", "допомогти|відповісти|продовжити|надати|виконати"),
    (r"üzgünüm|maalesef", "", r"yardımcı olama|yanıtlayama|devam edeme|sağlayama"),
    (r"xin lỗi|rất tiếc", r"không thể", "giúp|trả lời|tiếp tục|cung cấp|hỗ trợ|thực hiện"),
    (r"maaf", r"tidak (?:bisa|dapat)", "membantu|menjawab|melanjutkan|memberikan|memenuhi"),
    (
        r"(?:很|非常)?抱歉|对不起|對不起",
        r"(?:无法|不能|無法)",
        "回答|提供|协助|帮助|继续|完成|满足|處理|处理|执行|協助|幫助|這|这",
    ),
    (
        r"申し訳(?:ありません|ございません)|すみません",
        "",
        "(?:お手伝い|お答え|お応え|対応|提供|続け)(?:する)?(?:こと)?(?:は|が)?でき",
    ),
    (r"죄송\w*|미안\w*", "", r"(?:도와|도움|답변|제공|계속)[\w ]{0,8} 수 없"),
    (r"عذر\w*|آسف\w*|أعتذر|للأسف", r"لا (?:أستطيع|يمكنني)", "مساعد|الإجابة|تقديم|المتابعة|تلبية|إكمال"),
    (r"क्षमा करें|माफ़ कीजिए|मुझे खेद है", "", "मदद नहीं कर|उत्तर नहीं दे|जारी नहीं रख|सहायता नहीं कर"),
)
_SORRY_ABROAD = "|".join(
    rf"(?:{sorry})[^.!?。！？؟।\n]{{0,60}}?[.。]?[^.!?。！？؟।\n]{{0,20}}?(?:{cannot})[^.!?。！？؟।\n]{{0,60}}?(?:{what})"
    for sorry, cannot, what in _HELP_ABROAD
)
REFUSES = _phrase(
    rf"\W*(?:{_SORRY_ABROAD})|\W*{_SORRY}"
    rf"(?:as {_AI}\bi(?:'m| am| do| have| was)?(?: \w+)?(?:n't| can't| cannot| not| no| unable| lack)\b"
    rf"|i(?:'m| am) (?:just |only )?{_AI}(?:n't|\b(?:not|cannot|unable))\b"
    rf"|{_CANNOT}(?:assist|help)(?: you)?(?: with)?(?: th(?:at|is)| (?:your|the|such) request)?(?:[.!,]|$)"
    rf"|{_CANNOT}(?:fulfil+|complete|comply with|process|continue|answer|assist with|help with|accommodate)"
    r" (?:(?:this|that|the|such an?) (?:request|prompt|list)\b|your (?:request|prompt|list)\b(?! (?:for|because)))"
    rf"|{_CANNOT}(?:browse|access) (?:the (?:internet|web)\b|external|real-time)"
    rf"|{_CANNOT}(?:open|view|see|watch) (?:links|urls|websites|images|videos|files|attachments)\b"
    r"|i (?:do not|don't) have (?:personal (?:opinion|experience|preference|feeling)|access to (?:the internet|real))"
    rf"|{_CANNOT}(?:do|provide|write|generate|create) (?:that|this)[.!]?$|i must (?:\w+ )?decline\b)"
    r"|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|als ki\b|como (?:una )?ia\b|en tant qu'ia\b"
)
_IM = "I(?:'m| am)"
SPEAKS_AS_ASSISTANT = _phrase(
    r"(?:(?:hello|hi|hey|sure|great|absolutely|of course|certainly|(?:thank you|thanks)[^.!?\n]{0,60})[,.!]+ )?"
    rf"(?:(?:{_IM}|(?:my|I) apolog\w+)[^.!?\n]{{0,80}}?[,.;!] (?:and |but |so )?)?"
    rf"(?:{_IM}(?: always| just| only)? (?:here|ready|happy|glad|available|designed|trained|programmed)"
    r" to (?:help|assist)(?: \w+)? (?:you|with your)\b"
    rf"|{_IM} sorry for (?:any|the) (?:confusion|inconvenience)\b"
    r"|I(?:'ll| will) (?:do my best|be happy|be glad) to (?:help|assist)\b"
    rf"|{_IM} an? (?:\w+ )?(?:AI|virtual|digital)(?:[- ]powered)?"
    r" (?:assistant|language model|chatbot|designed|trained)\b"
    r"|how (?:can|may) I (?:help|assist) you(?: today)?(?:[?!.,]|$))"
)

MAX_PERIOD = 200  # characters of what is said over and over
