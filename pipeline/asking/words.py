"""Words that models put before a task and its number, in several languages, and numbers written as words."""

import re
import unicodedata

_TASK_WORDS = """
    Tasks? Instructions? Steps? Questions? Items? Prompts? Exercises? Problems? Assignments? Challenges? Requests?
    Query Command Activity Entry Q T
    Tarea Instrucción Pregunta Ejercicio Paso Tâche Consigne Exercice Étape Aufgabe Anweisung Frage Schritt Übung
    Compito Attività Esercizio Domanda Istruzione Tarefa Instrução Exercício Passo Taak Opdracht Vraag Oefening Stap
    Uppgift Opgave Oppgave Tehtävä Zadanie Pytanie Úkol Úloha Feladat Sarcina Görev Soru Tugas Nhiệm_vụ
    Задача Задание Вопрос Упражнение Шаг Инструкция Завдання Εργασία משימה مهمة المهمة سؤال السؤال وظیفه
    कार्य प्रश्न निर्देश งานที่ งาน คำสั่ง
    任务 任務 指令 问题 問題 题目 題目 タスク 課題 指示 質問 과제 작업 지시 질문 문제
"""
WORD = "|".join(word.replace("_", " ") for word in sorted(_TASK_WORDS.split(), key=len, reverse=True))

_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_LISTS = [
    f"{_ONES} eighteen nineteen twenty",
    _ORDINALS,
    _ORDINALS.replace(" ", "ly ") + "ly",
    "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo",
    "premièrement deuxièmement troisièmement quatrièmement cinquièmement sixièmement",
    "erstens zweitens drittens viertens fünftens sechstens siebtens achtens neuntens zehntens",
    "第一 第二 第三 第四 第五 第六 第七 第八 第九 第十",
    "一 二 三 四 五 六 七 八 九 十 十一 十二 十三 十四 十五 十六 十七 十八 十九 二十",
    "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX",
]
NUMERALS = _LISTS[-1].split()
VALUES = {word.casefold(): value for words in _LISTS for value, word in enumerate(words.split(), 1)}
_ALL = "|".join(sorted((re.escape(word) for words in _LISTS[:-1] for word in words.split()), key=len, reverse=True))
NUMBER_WORD = rf"(?:(?:{_ALL})|\d{{1,2}}(?:st|nd|rd|th))"

# As lists count in them: Russian, Greek, Hebrew, Arabic, Korean, Japanese twice, Chinese.
ALPHABETS = ("абвгдежзиклмн", "αβγδεζηθικλμ", "אבגדהוזחטיכל", "أبجدهوزحطيكل", "가나다라마바사아자차카타",
             "アイウエオカキクケコ", "あいうえおかきくけこ", "甲乙丙丁戊己庚辛壬癸")  # fmt: skip
LETTERS = "".join(sorted({letter for letters in ALPHABETS for one in letters for letter in (one, one.upper())}))

# 1 in a circle, in brackets, with a full stop, black, double; a digit or ten on a key.
KEYCAP = r"(?:\d\ufe0f?\u20e3){1,3}|\U0001f51f"
CIRCLED = r"[\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3251-\u325f\u32b1-\u32bf]"


def place_of(letter: str) -> int:
    """Which letter of its alphabet it is, from 1."""
    for letters in ALPHABETS:
        if letter.casefold() in letters:
            return letters.index(letter.casefold()) + 1
    return ord(unicodedata.normalize("NFKC", letter)[0].casefold()) - ord("a") + 1


def value_of(number: str) -> int:
    """The number that a mark says: in digits of any script, in a circle, on a key, as a word, or as a roman one."""
    if number.isdecimal():
        return int(number)
    if number == "\U0001f51f":
        return 10
    if known := VALUES.get(number.casefold()):
        return known
    digits = "".join(char for char in number if char.isdecimal())
    return int(digits) if digits else int(unicodedata.numeric(number[0], 0))
