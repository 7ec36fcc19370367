"""The names and marks of fields of worked examples, as models write them."""

import re

OUTPUT_NAMES = (
    r"(?:the[ _])?(?:(?:sample|example|expected|correct|desired|model|final|possible|suggested|your)[ _])?"
    r"(?:outputs?|answers?|responses?|results?|solutions?)(?:[ _](?:text|sentence))?"
    r"|completions?|targets?|reply|ans|salida|respuesta|sortie|réponse|ausgabe|antwort|risposta|saída|resposta|uitvoer"
    r"|выходные данные|вихідні дані|έξοδος|výstup|kimenet|ieșire|utdata|tuloste|আউটপুট|வெளியீடு|آؤٹ پٹ|جواب"
    r"|antwoord|svar|vastaus|odpověď|válasz|răspuns|cevap|yanıt|trả lời|jibu|відповідь|απάντηση|الجواب|إجابة|پاسخ|תשובה"
    r"|উত্তর|คำตอบ|答え|답변"
    r"|вывод|выход|ответ|вихід|wyjście|odpowiedź|çıktı|keluaran|jawaban|đầu ra|المخرج|الإخراج|الإجابة"
    r"|خروجی|פלט|आउटपुट|उत्तर|เอาต์พุต|输出|輸出|答案|回答|出力|출력|답"
)
INPUT_NAMES = (
    r"(?:the[ _])?(?:(?:sample|example|given|test|your)[ _])?inputs?(?:[ _](?:text|sentence))?"
    r"|входные данные|вхідні дані|είσοδος|vstup|bemenet|intrare|indata|inndata|syöte|ইনপুট|உள்ளீடு|ان پٹ"
    r"|entrada|entrée|eingabe|invoer|ввод|вход|вхід|wejście|girdi|masukan|đầu vào|المدخل"
    r"|الإدخال|ورودی|קלט|इनपुट|อินพุต|输入|輸入|入力|입력"
)
ASKED_NAMES = (
    "questions?|prompts?|query|problem|q|source|context|pregunta|frage|domanda|pergunta|vraag|fråga|spørgsmål|kysymys"
    "|pytanie|otázka|kérdés|întrebare|soru|pertanyaan|câu hỏi|swali|вопрос|питання|ερώτηση|سؤال|السؤال|پرسش|שאלה|प्रश्न"
    "|প্রশ্ন|คำถาม|问题|問題|質問|질문"
)
LABEL_NAMES = (
    r"(?:class[ _])?labels?|class|category|classification|(?:predicted|correct|expected) (?:class|label)"
    r"|etiqueta(?: de clase)?|categoría|étiquette(?: de classe)?|catégorie|klassenlabel|klassenbezeichnung|kategorie"
    r"|etichetta|rótulo|etykieta|etiket|метка(?: класса)?|класс|категория|мітка"
    r"|(?:类别|分类|類別|分類|类)?(?:标签|標籤)|类别|類別|分类|(?:クラス)?ラベル|カテゴリ"
    r"|(?:클래스 ?)?(?:라벨|레이블)|분류|التصنيف|الفئة|लेबल"
)
_NAMES = f"{INPUT_NAMES}|{OUTPUT_NAMES}|{ASKED_NAMES}|{LABEL_NAMES}"
_POINT = r"(?:[-*•+][^\S\n]+|(?:\d{1,2}|[a-zA-Z])[.)][^\S\n]+|\((?:\d{1,2}|[a-z])\)[^\S\n]+|#{1,6}[^\S\n]+)?"


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
_ABROAD = (
    "ejemplo|exemple|beispiel|esempio|exemplo|voorbeeld|exempel|eksempel|esimerkki|przykład|příklad|példa|exemplu|örnek"
    "|contoh|ví dụ|mfano|пример|приклад|παράδειγμα|مثال|نمونه|דוגמה|उदाहरण|ตัวอย่าง|উদাহরণ|示例|例子?|예시?|예제|사례"
)
_NUMBER_SOON = r"(?=[^\n\d]{1,32}+\d)"  # looked for first, which is quick
EXAMPLE_LINE = re.compile(
    rf"^(?P<indent>[^\S\n]*+){_NUMBER_SOON}(?P<name>(?:#{{1,6}} )?(?:\*\*)?"
    rf"(?i:example|instance|sample|pair|test case|case|{_ABROAD})[^\S\n]*+#?(?P<number>\d{{1,3}})(?:\*\*)?)"
    r"[.:：)]?(?:\*\*)?(?:[^\S\n]*+[-–—])?[^\S\n]*+(?=\S)"
    rf"(?=(?:\*\*)?(?i:{INPUT_NAMES}|{OUTPUT_NAMES}|{LABEL_NAMES}|q|question)[^\S\n]*+\d{{0,3}}(?:\*\*)?[:：])",
    re.MULTILINE,
)
_FIELD_FOLLOWS = rf"(?=\s+(?:[-*•#] |\*\*)?(?i:{_NAMES})[^\n:：]{{0,6}}[:：])"
OTHER_EXAMPLE = re.compile(
    rf"^[^\S\n]*+{_NUMBER_SOON}(?:#{{1,6}} )?(?:\*\*)?(?:(?i:instance|sample|pair|test case|{_ABROAD})|EXAMPLE|example)"
    rf"[^\S\n]*+#?(?P<number>\d{{1,3}})(?:\*\*)?[.:：]?(?:\*\*)?[^\S\n]*+${_FIELD_FOLLOWS}",
    re.MULTILINE,
)
HASHED = re.compile(r"^(?P<name>[^\S\n]*+(?:#{1,6} )?(?:\*\*)?Example )#(?=\d)", re.MULTILINE)
SAME_LINE = re.compile(
    r"(?<=\S)(?:[^\S\n]*(?:[-=]{1,3}>|→|[|;,/]))?[^\S\n]+(?:\*\*)?(?:Output|output|OUTPUT"
    r"|Answer|Response|Label)(?:\*\*)?[^\S\n]?[:：](?:\*\*)?"
)
INPUT_BEHIND = re.compile(r"(?<=\S)[^\S\n]*[|;,]?[^\S\n]+(?:\*\*)?Input(?:\*\*)?:(?:\*\*)?")
ARROW = re.compile(
    r"^(?:[-*•][^\S\n]+|\d{1,2}[.)][^\S\n]+)?(?:Example \d{1,2}[:.)] )?(?P<input>\S[^\n]*?)[^\S\n]+(?:-+>|→"
    r"|=+>)[^\S\n]+(?P<output>\S[^\n]*)$"
)
END_TOKEN = re.compile(r"(?:\|EoS\||<EOS>|\[EOS\])[^\S\n]*+$", re.MULTILINE)
ABOUT_QUESTIONS = re.compile(r"\b(?:questions?|quiz|faq|interview|trivia|riddles?|flash ?cards?)\b", re.IGNORECASE)
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
_NEEDED = r"(?: (?:is |was )?(?:needed|required|given|provided|necessary))"
_NONE = (
    rf"none{_NEEDED}?|n/?a|not (?:applicable|needed|required|necessary)|no ?-?input{_NEEDED}?"
    rf"|no (?:additional|further|specific|extra|other) input{_NEEDED}?|无|無|なし|없음|ninguna?|aucune?|keine?|нет"
)
NO_INPUT = re.compile(rf"(?:{_NONE})[.。]?|[\[(<（](?:{_NONE}|empty|blank)[\])>）]|[\"'“”]{{2}}|[-–—]", re.IGNORECASE)
