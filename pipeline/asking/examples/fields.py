"""The names and marks of fields of worked examples, as models write them."""

import re

OUTPUT_NAMES = (
    r"(?:the[ _])?(?:(?:sample|example|expected|correct|desired|model|final|possible|suggested|your)[ _])?"
    r"(?:outputs?|answers?|responses?|results?|solutions?)(?:[ _](?:text|sentence))?"
    r"|completions?|targets?|reply|ans|salida|respuesta|sortie|réponse|ausgabe|antwort|risposta|saída|resposta|uitvoer"
    r"|вывод|выход|ответ|вихід|wyjście|odpowiedź|çıktı|keluaran|jawaban|đầu ra|المخرج|الإخراج|الإجابة"
    r"|خروجی|פלט|आउटपुट|उत्तर|เอาต์พุต|输出|輸出|答案|回答|出力|출력|답"
)
INPUT_NAMES = (
    r"(?:the[ _])?(?:(?:sample|example|given|test|your)[ _])?inputs?(?:[ _](?:text|sentence))?"
    r"|entrada|entrée|eingabe|invoer|ввод|вход|вхід|wejście|girdi|masukan|đầu vào|المدخل"
    r"|الإدخال|ورودی|קלט|इनपुट|อินพุต|输入|輸入|入力|입력"
)
ASKED_NAMES = r"questions?|prompts?|query|problem|q|source|context|pregunta|frage|domanda|вопрос|问题|問題|質問|질문"
LABEL_NAMES = r"(?:class[ _])?labels?|class|category|classification|(?:predicted|correct|expected) (?:class|label)"
_NAMES = f"{INPUT_NAMES}|{OUTPUT_NAMES}|{ASKED_NAMES}|{LABEL_NAMES}"
_POINT = r"(?:[-*•+][^\S\n]+|(?:\d{1,2}|[a-zA-Z])[.)][^\S\n]+|\(\d{1,2}\)[^\S\n]+|#{1,6}[^\S\n]+)?"


def field(names: str) -> re.Pattern[str]:
    """A name and a colon where a line begins, with a number, emphasis, quotes or a point, in any case."""
    return re.compile(
        rf"^(?P<indent>[^\S\n]*+)(?P<point>{_POINT})(?P<mark>[*_`\"'\[(【]{{0,3}})(?i:{names})[^\S\n]*+#?(?P<number>\d{{0,3}})"
        r"(?:(?P=mark)|[\])】]+[*_]*)?(?:(?<=[\])】])(?=[^\S\n]+\S)|[^\S\n]*+(?:[:：]|=(?![=>])"
        r"|(?<=[^\S\n])[-–—](?=[^\S\n])))(?P<after>[*_`]{0,3})",
        re.MULTILINE,
    )


HEADED = re.compile(  # a line of its own, as a heading, in bold or in capitals
    rf"^(?P<name>[^\S\n]*+(?:#{{1,6}} |(?P<bold>\*\*|__)|(?=[A-Z ]+\d*[^\S\n]*$))(?i:{_NAMES})[^\S\n]?#?\d{{0,3}})"
    rf"(?(bold)(?P=bold))[^\S\n]*+$",
    re.MULTILINE,
)
OUTPUTS, INPUTS, ASKED, LABELS = map(field, (OUTPUT_NAMES, INPUT_NAMES, ASKED_NAMES, LABEL_NAMES))
SHORT = field("a")
FIELD = field("Input|Output|Class [Ll]abel")
EXACT_OUTPUT = re.compile(r"^[^\S\n]*+(?:#{2,6} )?(?:\*\*)?Output[^\S\n]*+\d{0,3}[^\S\n]*+(?:\*\*)?[:：]", re.MULTILINE)
EXACT_LABEL = re.compile(
    r"^[^\S\n]*+(?:#{2,6} )?(?:\*\*)?(?:Class [Ll]abel"
    r"|Label)[^\S\n]*+\d{0,3}[^\S\n]*+(?:\*\*)?[:：]",
    re.MULTILINE,
)
TAG = re.compile(r"<(?P<closes>/?)(?P<name>[A-Za-z]{1,20})[_-]?\d{0,3}(?:\s[^<>\n]{0,100})?>")
TAG_NAMES = {
    **dict.fromkeys(("input", "question"), "Input: "),
    **dict.fromkeys(("output", "answer", "response", "result"), "Output: "),
    **dict.fromkeys(("example", "instance", "item", "pair"), "Example"),
    **dict.fromkeys(("examples", "instances", "task"), ""),
    "label": "Class label: ", "explanation": "Explanation: ",
}  # fmt: skip
EXAMPLE_LINE = re.compile(
    r"^(?P<indent>[^\S\n]*+)(?P<name>(?:#{1,6} )?(?:\*\*)?(?i:example|instance|sample|pair|test case|case|ejemplo"
    r"|exemple|beispiel|esempio|exemplo|пример"
    r"|例子?|示例|예시?|사례)[^\S\n]*+#?(?P<number>\d{1,3})(?:\*\*)?)[.:：)]?(?:\*\*)?(?:[^\S\n]*+[-–—])?[^\S\n]*+(?=\S)"
    rf"(?=(?:\*\*)?(?i:{INPUT_NAMES}|{OUTPUT_NAMES}|{LABEL_NAMES}|q|question)[^\S\n]*+\d{{0,3}}(?:\*\*)?[:：])",
    re.MULTILINE,
)
_FIELD_FOLLOWS = rf"(?=\s+(?:[-*•#] |\*\*)?(?i:{_NAMES})[^\n:：]{{0,6}}[:：])"
OTHER_EXAMPLE = re.compile(
    r"^[^\S\n]*+(?:#{1,6} )?(?:\*\*)?(?:(?i:instance|sample|pair|test case|ejemplo|exemple|beispiel|esempio"
    r"|exemplo|пример|示例|例)|EXAMPLE|example)"
    rf"[^\S\n]*+#?(?P<number>\d{{1,3}})(?:\*\*)?[.:：]?(?:\*\*)?[^\S\n]*+${_FIELD_FOLLOWS}",
    re.MULTILINE,
)
HASHED = re.compile(r"^(?P<name>[^\S\n]*+(?:#{1,6} )?(?:\*\*)?Example )#(?=\d)", re.MULTILINE)
SAME_LINE = re.compile(
    r"(?<=\S)(?:[^\S\n]*(?:[-=]{1,3}>|→|[|;,/]))?[^\S\n]+(?:\*\*)?(?:Output|output|OUTPUT"
    r"|Answer|Response|Label)(?:\*\*)?[^\S\n]?[:：](?:\*\*)?"
)
ARROW = re.compile(
    r"^(?:[-*•][^\S\n]+|\d{1,2}[.)][^\S\n]+)?(?P<input>\S[^\n]*?)[^\S\n]+(?:-+>|→"
    r"|=+>)[^\S\n]+(?P<output>\S[^\n]*)$"
)
END_TOKEN = re.compile(r"(?:\|EoS\||<EOS>|\[EOS\])[^\S\n]*+$", re.MULTILINE)
ABOUT_ARROWS = re.compile(r"->|→|=>|(?i:arrow)")
ENDS = re.compile(
    r"^[^\S\n]*+(?:\|EoS\||<EOS>|\[EOS\])|^[^\S\n]*+(?:###[^\S\n]*+)?(?i:(?:new )?(?:instruction"
    r"|task))[^\S\n]*+\d{0,3}:",
    re.MULTILINE,
)
YAML_BEGINS = re.compile(r"\s*+(?:```ya?ml|(?:\w{1,20}:\s*\n\s*)?- \w{1,20}: ?[\"'])")
QUOTED = re.compile(
    r"(?P<name>(?:Input|Output"
    r"|Class label)(?: \d+)?:)[^\S\n]*+(?P<quote>[\"'])(?P<text>[^\n]*)(?P=quote)[^\S\n]*+$",
    re.MULTILINE,
)
FOLD = re.compile(r"(?P<name>(?:Input|Output)(?: \d+)?:)[^\S\n]*+[>|][-+]?[^\S\n]*+$", re.MULTILINE)
EXAMPLE_BEFORE = re.compile(r"Example[^\S\n]*+\d{0,3}\W*\Z")
