"""What models write where a list of tasks should go on, and what is kept of it; the prompt ended with "9."."""

import pytest

from pipeline import Completion, Task
from pipeline.filters.find import INSTRUCTION, applied, first_reason
from pipeline.stages.instructions import Instructions

A, B, C, D = (
    "Name a river that flows through two capitals.",
    "Add up the prices on the receipt.",
    "Which of these words rhyme with stone?",
    "Tell a story in which nobody speaks.",
)
HEADER = Instructions().header([Task(id="a", instruction="Name three rivers.")])


def read(text: str, finish_reason: str = "stop") -> tuple[list[str], list[str]]:
    """The instructions that parser and filters keep, and the reasons for the others."""
    completion = Completion.model_validate({"id": "1", "text": text, "finish_reason": finish_reason})
    tasks = [
        task if task.rejected else task.update(rejected=first_reason(task, applied(INSTRUCTION, {})))
        for task in Instructions().parse(completion, (), 0, header=HEADER)
    ]
    return [task.instruction for task in tasks if task.kept], [task.rejected or "" for task in tasks if not task.kept]


KEPT = {
    "as asked": (f" {A}\n10. {B}\n11. {C}", [A, B, C]),
    "the number again": (f"9. {A}\n10. {B}", [A, B]),
    "starts again at one": (f"1. {A}\n2. {B}\n3. {C}", [A, B, C]),
    "starts again after the first": (f" {A}\n1. {B}\n2. {C}", [A, B, C]),
    "skips numbers": (f" {A}\n12. {B}\n40. {C}", [A, B, C]),
    "one number for all": (f"9. {A}\n9. {B}\n9. {C}", [A, B, C]),
    "a bracket after": (f" {A}\n10) {B}\n11) {C}", [A, B, C]),
    "no blank after the number": (f" {A}\n10.{B}\n11.{C}", [A, B, C]),
    "no blank after the bracket": (f"9){A}\n10){B}", [A, B]),
    "no blank, and a list inside": (f" {A}\n10.Do it in steps:\n  1.Boil it.\n  2.Pour it.\n11.{B}", [A, "Do it in steps: 1.Boil it. 2.Pour it.", B]),
    "no blank, and a small letter": (f" {A}\n10.the rest of it\n11. {B}", [f"{A} 10.the rest of it", B]),
    "no blank, and no number": (f"9. {A}\n3.x is a version of it.\n10. {B}", [f"{A} 3.x is a version of it.", B]),
    "brackets around": (f"(9) {A}\n(10) {B}", [A, B]),
    "square brackets": (f"[9] {A}\n[10] {B}", [A, B]),
    "a colon after": (f"9: {A}\n10: {B}", [A, B]),
    "Task 9 with a colon": (f"Task 9: {A}\nTask 10: {B}", [A, B]),
    "Task 9 in bold": (f"**Task 9:** {A}\n**Task 10:** {B}", [A, B]),
    "Task without a number": (f"Task: {A}\nTask: {B}", [A, B]),
    "roman numbers": (f" {A}\nX. {B}\nXI. {C}", [A, B, C]),
    "small roman numbers": (f"i. {A}\nii. {B}\niii. {C}", [A, B, C]),
    "full-width digits": (f"９．{A}\n１０．{B}", [A, B]),
    "an ideographic comma": (f"9、{A}\n10、{B}", [A, B]),
    "no numbers at all": (f" {A}\n{B}\n{C}\n{D}", [A, B, C, D]),
    "paragraphs": (f" {A}\n\n{B}\n\n{C}\n\n{D}", [A, B, C, D]),
    "bullets": (f"- {A}\n- {B}\n- {C}", [A, B, C]),
    "round bullets": (f"• {A}\n• {B}", [A, B]),
    "bullets after the first": (f" {A}\n* {B}\n* {C}", [A, B, C]),
    "a bullet before each number": (f"- 9. {A}\n- 10. {B}", [A, B]),
    "bold numbers": (f"**9.** {A}\n**10**. {B}", [A, B]),
    "bold tasks": (f"9. **{A}**\n10. **{B}**", [A, B]),
    "bold titles": ("9. **Rivers:** Name three of them.\n10. **Prices.** Add them up now.", ["Rivers: Name three of them.", "Prices. Add them up now."]),
    "bold from before the number": ("**9. Rivers:** Name three of them.\n**10. Prices:** Add them up now.", ["Rivers: Name three of them.", "Prices: Add them up now."]),
    "headings": (f"### 9. {A}\n### 10. {B}", [A, B]),
    "a heading over the list": (f"## More tasks for an assistant\n9. {A}\n10. {B}", [A, B]),
    "indented": (f"    9. {A}\n    10. {B}\n    11. {C}", [A, B, C]),
    "a tab after the number": (f"9.\t{A}\n10.\t{B}", [A, B]),
    "blank lines between": (f" {A}\n\n10. {B}\n\n11. {C}", [A, B, C]),
    "carriage returns": (f" {A}\r\n10. {B}\r\n11. {C}\r\n", [A, B, C]),
    "old line ends": (f" {A}\r10. {B}", [A, B]),
    "line separators": (f" {A}\u202810. {B}\u2029\u202911. {C}", [A, B, C]),
    "a fence around the list": (f"```\n9. {A}\n10. {B}\n```", [A, B]),
    "a fence with a name": (f"```markdown\n9. {A}\n10. {B}\n```\n", [A, B]),
    "code in a task": ("9. What does this print?\n```python\nprint(1 + 1)\n```\n10. " + B, ["What does this print? print(1 + 1)", B]),
    "lines that were wrapped": (" Name a river that flows\n    through two capitals.\n10. " + B, [A, B]),
    "steps inside a task": (f"9. Plan a walk:\n   1. choose a place\n   2. pack a bag\n10. {B}", ["Plan a walk: 1. choose a place 2. pack a bag", B]),
    "steps with brackets": (f"9. Answer about the poem:\n1) who speaks\n2) to whom\n10. {B}", ["Answer about the poem: 1) who speaks 2) to whom", B]),
    "points inside a task": (f"9. Write a letter that has:\n- a greeting\n- a wish\n10. {B}", ["Write a letter that has: - a greeting - a wish", B]),
    "points inside the only task": (" Write a letter that has:\n- a greeting\n- a wish", ["Write a letter that has: - a greeting - a wish"]),
    "the input after a blank line": ("9. Correct the spelling:\n\nteh cat\n\n10. " + B, ["Correct the spelling: teh cat", B]),
    "an answer below the task": (f" {A}\nOutput: The Danube.\n10. {B}\nAnswer: 12.40", [A, B]),
    "an input and an output below": (f" {B}\nInput: 1.20, 3.40\nOutput: 4.60\n10. {A}", [B, A]),
    "a form that is to be kept to": ("9. Reply in this form:\nAnswer: one word\n10. " + B, ["Reply in this form: Answer: one word", B]),
    "the stop words in a sentence": (
        " Say what was new in 2016. Then name one thing from Example 6 of Task: light.\n10. " + B,
        ["Say what was new in 2016. Then name one thing from Example 6 of Task: light.", B],
    ),
    "numbers that are no marks": (" Round 3.14159\n2.71828 and 1.41 to one digit\n10. " + B, ["Round 3.14159 2.71828 and 1.41 to one digit", B]),
    "a power of two": ("9. What is 2**3 in Python?\n10. " + B, ["What is 2**3 in Python?", B]),
    "words said six times on purpose": ("9. Is 'Buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo' a sentence?", ["Is 'Buffalo buffalo Buffalo buffalo buffalo buffalo Buffalo buffalo' a sentence?"]),
    "Let me know that is a task": ("9. Let me know if this sentence is correct.\n10. Feel free, be brave: describe a leap.", ["Let me know if this sentence is correct.", "Feel free, be brave: describe a leap."]),
    "As an AI that is a task": ("9. As an AI assistant, explain what an index fund is.", ["As an AI assistant, explain what an index fund is."]),
    "I cannot that is a task": ("9. I can't find the list of guests; write to the hotel.\n10. I'm happy to hear it: reply so.", ["I can't find the list of guests; write to the hotel.", "I'm happy to hear it: reply so."]),
    "a question that is a task": ("9. Is there anything else that rhymes with stone?\n10. Do you want more sleep? Give advice.", ["Is there anything else that rhymes with stone?", "Do you want more sleep? Give advice."]),
    "Here is that is a task": ("9. Here is a list of tasks. Put the quickest first.", ["Here is a list of tasks. Put the quickest first."]),
    "NUL bytes and bells": (" Name a ri\x00ver that flows\x07 through two capitals.\n10. " + B, [A, B]),
    "colours of a terminal": (f"\x1b[1m9.\x1b[0m {A}\n\x1b[1m10.\x1b[0m {B}", [A, B]),
    "a byte order mark": (f"\ufeff9. {A}\n\u200b10. {B}", [A, B]),
    "joiners between letters": ("9. Name\u200d a river that flows through\u200c two capitals.", [A]),
    "a thought before": (f"<think>\nThe user wants tasks.\n1. rivers\n</think>\n\n9. {A}\n10. {B}", [A, B]),
    "a thought that the prompt opened": (f"Let me think. Rivers, prices.\n</think>\n9. {A}\n10. {B}", [A, B]),
    "a thought between": (f" {A}\n<thinking>another</thinking>\n10. {B}", [A, B]),
    "two thoughts": (f"<think>a</think>\n9. {A}\n<think>b</think>\n10. {B}", [A, B]),
    "channels": (f"<|channel|>analysis<|message|>Rivers.<|end|><|start|>assistant<|channel|>final<|message|>9. {A}\n10. {B}<|return|>", [A, B]),
    "the end of a turn": (f" {A}\n10. {B}<|im_end|>\n<|im_start|>user\nThanks!", [A, B]),
    "the end of a text": (f" {A}\n10. {B}</s>11. {C}", [A, B]),
    "another turn": (f" {A}\n10. {B} [INST] Now in French. [/INST] Bien.", [A]),
    "the role first": (f"<|start_header_id|>assistant<|end_header_id|>\n\n9. {A}\n10. {B}<|eot_id|>", [A, B]),
    "the prompt of another model": (f" {A}\n10. {B}\n### Response:\nThe Danube.", [A, B]),
    "two languages": (f" {A}\n10. Übersetze den Satz ins Englische: 'Der Fluss ist lang.'", [A]),
    "a preamble": (f"Sure! Here are seven more tasks:\n9. {A}\n10. {B}", [A, B]),
    "no preamble": ("9. Here are two sentences. Say which one is in the passive voice:", ["Here are two sentences. Say which one is in the passive voice:"]),
    "a preamble over bullets": (f"Here are some more tasks:\n- {A}\n- {B}", [A, B]),
    "a preamble over brackets": (f"Certainly, here are more tasks:\n1) {A}\n2) {B}", [A, B]),
    "a postamble": (f" {A}\n10. {B}\n\nLet me know if you need more tasks!", [A, B]),
    "a postamble on the next line": (f" {A}\n10. {B}\nI hope these help! Would you like more?", [A, B]),
    "a note after a blank line": (f" {A}\n10. {B}\n\nThese tasks differ in form and length.", [A, B]),
}  # fmt: skip

REASONS = {
    "nothing": ("", ["empty"]),
    "blank": (" \n\t \u3000\n", ["empty"]),
    "only zero-width characters": ("\u200b\ufeff\u200d", ["empty"]),
    "only a number": ("9.", ["empty"]),
    "only numbers": ("9.\n10.\n11.", ["empty"]),
    "numbers in a row": (" 9 10 11 12 13 14 15", ["no_words"]),
    "only emoji": ("9. 🎉 🎉 🎂 🎈 🎁", ["starts_non_ascii"]),
    "an ellipsis": ("9. ...\n10. …", ["too_short", "too_short"]),
    "placeholders": ("9. [insert a task here please]\n10. <task goes here now>", ["starts_with_punctuation"] * 2),
    "a word without end": (" Write" + " the" * 100, ["repetition"]),
    "a phrase without end": (" Describe" + " a day in the life of" * 12, ["repetition"]),
    "a line without end": (" Name a river.\n" * 60, ["too_long"]),
    "a table": ("| 9 | Name a river. |\n| 10 | Add the prices. |", ["too_short", "too_short"]),
    "JSON": ('["Name a river.", "Add the prices."]', ["too_short", "too_short"]),
    "JSON over lines": ('{"tasks": [\n  "Name a river.",\n  "Add the prices."\n]}', ["too_short", "too_short"]),
    "HTML": ("<ol>\n<li>Name a river.</li>\n<li>Add the prices.</li>\n</ol>", ["too_short", "too_short"]),
    "the prompt again": (f"{HEADER}", ["prompt_echo"]),
    "the prompt again, as an item": (f"9. {HEADER}\n10. {HEADER.split('. ')[0]}:", ["prompt_echo", "prompt_echo"]),
    "a thought that does not end": ("<think>\nThe user wants a list of tasks.\n9. Name a river", ["empty"]),
    "a thought and no more": ("<think>Rivers.</think>", ["empty"]),
    "a preamble and no more": ("Sure! Here are seven more tasks:", ["preamble"]),
    "a preamble that is a sentence": ("Of course. Here are some more tasks for the list.", ["preamble"]),
    "an offer": ("I'd be happy to continue the list of tasks.", ["preamble"]),
    "an offer after a yes": ("Sure, I can help you with that list!", ["preamble"]),
    "a refusal": ("I'm sorry, but as an AI language model I cannot continue this list.", ["refusal"]),
    "a refusal, curly": ("I’m sorry, but I can’t assist with that.", ["refusal"]),
    "a refusal, plain": ("I cannot fulfill this request.", ["refusal"]),
    "a refusal that is an apology": ("I apologize, but I am unable to complete this request.", ["refusal"]),
    "a sign-off as an item": ("15. Let me know if you would like more tasks.", ["sign_off"]),
    "a question as an item": ("15. Would you like me to continue the list?", ["sign_off"]),
    "half a surrogate pair": ("9. Draft a birthday card \ud83d for a colleague.", ["garbled"]),
    "bytes read as Latin-1": ("9. Say that itâ\x80\x99s raining, politely.", ["garbled"]),
    "a token in the middle": ("9. Name a river <|im_start|> that is long.", ["chat_token"]),
    "right to left": ("9. اكتب رسالة قصيرة إلى صديق", ["starts_non_ascii"]),
    "a hundred thousand letters": ("9. " + "a" * 100_000, ["too_short"]),
    "a hundred thousand words": ("9." + " word" * 20_000, ["too_long"]),
}

CUT = {
    "in an item": (f" {A}\n10. {B}\n11. Which of th", [A, B], ["cut_off"]),
    "after a number": (f" {A}\n10. {B}\n11.", [A, B], []),
    "after a number and a blank": (f" {A}\n10. {B}\n11. ", [A, B], []),
    "in a number": (f" {A}\n10. {B}\n1", [A], ["cut_off"]),
    "in the first item": (" Name a riv", [], ["cut_off"]),
    "in a thought": ("<think>The user wa", [], ["empty"]),
    "before anything": ("", [], ["empty"]),
    "in a preamble": ("Sure! Here are sev", [], ["cut_off"]),
}

OTHER_SCRIPTS = {
    "Chinese": ("９．把这句话翻译成英文。\n１０．写一首关于春天的诗。", ["把这句话翻译成英文。", "写一首关于春天的诗。"]),
    "Chinese without blanks": ("写一首关于雨的诗。\n10.列出三条欧洲的河流。\n11.说出四种鱼的名字。", ["写一首关于雨的诗。", "列出三条欧洲的河流。", "说出四种鱼的名字。"]),
    "Japanese": (" 次の文を短くまとめてください。\n10. 駅までの道を説明してください。", ["次の文を短くまとめてください。", "駅までの道を説明してください。"]),
    "Thai, which breaks lines at zero-width spaces": (" แปล\u200bประโยคนี้เป็นภาษาอังกฤษ\n10. เขียนเรื่องสั้น", ["แปล\u200bประโยคนี้เป็นภาษาอังกฤษ", "เขียนเรื่องสั้น"]),
    "Persian, which joins no letters": (" یک نامه می\u200cنویسم به دوستم", ["یک نامه می\u200cنویسم به دوستم"]),
    "Hindi": (" इस वाक्य का अनुवाद करें, राजा क्\u200dष के", ["इस वाक्य का अनुवाद करें, राजा क्\u200dष के"]),
    "Arabic": (" اكتب رسالة قصيرة إلى صديق\n10. لخص النص في جملة واحدة", ["اكتب رسالة قصيرة إلى صديق", "لخص النص في جملة واحدة"]),
    "a family of emoji": (" Explain what 👩\u200d👩\u200d👧 stands for.", ["Explain what 👩\u200d👩\u200d👧 stands for."]),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_good_tasks_are_found_in_any_dress(name):
    text, kept = KEPT[name]

    assert read(text)[0] == kept


@pytest.mark.parametrize("name", REASONS)
def test_what_is_no_task_is_rejected_for_its_own_reason(name):
    text, reasons = REASONS[name]

    assert read(text) == ([], reasons)


@pytest.mark.parametrize("name", CUT)
def test_what_the_length_limit_cut_off_is_not_kept_and_all_else_is(name):
    text, kept, reasons = CUT[name]

    assert read(text, "length") == (kept, reasons)


@pytest.mark.parametrize("name", OTHER_SCRIPTS)
def test_other_scripts_keep_what_they_need(name):
    text, items = OTHER_SCRIPTS[name]
    tasks = Instructions().parse(Completion(id="1", text=text), (), 0)

    assert [task.instruction for task in tasks] == items


def test_what_is_put_around_a_list_has_its_own_reason():
    assert read(f"Sure! Here are seven more tasks:\n9. {A}\n10. {B}") == ([A, B], ["preamble"])
    assert read(f"9. {A}\n10. {B}\n11. Let me know if you need more tasks!") == ([A, B], ["sign_off"])
    assert read(f"{HEADER}\n1. {A}\n2. {B}") == ([A, B], ["prompt_echo"])
