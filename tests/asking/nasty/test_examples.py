"""What models write where worked examples should stand, and what is left of it to train on."""

import pytest

from pipeline import Task
from pipeline.stages.instances import Instances
from tests.asking.nasty.conftest import filtered

INSTRUCTION = "Turn the sentence into a question."


def read(text: str, instruction: str = INSTRUCTION, finish_reason: str = "stop") -> list[tuple[str, str]] | str | None:
    """The instances that parser and filters keep, or the reason why there are none."""
    task = filtered(text, instruction, False, finish_reason)
    return task.rejected or [(i.input, i.output) for i in task.instances]


PAIR = [("It rains.", "Does it rain?")]
PAIRS = [*PAIR, ("He left.", "Did he leave?")]

LAYOUTS = {
    "as asked": ("\nInput: It rains.\nOutput: Does it rain?\nExample 2\nInput: He left.\nOutput: Did he leave?\n", PAIRS),
    "without input": ("\nOutput: Does it rain?", [("", "Does it rain?")]),
    "Example 1 again": ("\nExample 1\nInput: It rains.\nOutput: Does it rain?\nExample 2\nInput: He left.\nOutput: Did he leave?", PAIRS),
    "one number for all": ("\nInput: It rains.\nOutput: Does it rain?\nExample 1\nInput: He left.\nOutput: Did he leave?", PAIRS),
    "no numbers": ("\nInput: It rains.\nOutput: Does it rain?\nExample\nInput: He left.\nOutput: Did he leave?", PAIRS),
    "numbers everywhere": ("\nInput 1: It rains.\nOutput 1: Does it rain?\nExample 2:\nInput 2: He left.\nOutput 2: Did he leave?", PAIRS),
    "bold": ("\n**Input:** It rains.\n**Output:** Does it rain?\n\n**Example 2:**\n**Input**: He left.\n**Output**: Did he leave?", PAIRS),
    "headings": ("\n### Input: It rains.\n### Output: Does it rain?\n### Example 2\n## Input: He left.\n## Output: Did he leave?", PAIRS),
    "points": ("\n- **Input:** It rains.\n- **Output:** Does it rain?\n\nExample 2\n- **Input:** He left.\n- **Output:** Did he leave?", PAIRS),
    "titles": ("\nInput: It rains.\nOutput: Does it rain?\n\nExample 2: Leaving\nInput: He left.\nOutput: Did he leave?", PAIRS),
    "titles of headings": (" – Rain\n**Input:** It rains.\n**Output:** Does it rain?\n\n### Example 2: Leaving\n**Input:** He left.\n**Output:** Did he leave?", PAIRS),
    "rules between": ("\nInput: It rains.\nOutput: Does it rain?\n\n---\n\n**Example 2**\nInput: He left.\nOutput: Did he leave?\n\n***", PAIRS),
    "a remark below a rule": ("\nInput: It rains.\nOutput: Does it rain?\n\n---\n\nThese examples show two tenses.", PAIR),
    "full-width colons": ("\nInput：It rains.\nOutput：Does it rain?", PAIR),
    "fields on lines of their own": ("\nInput:\nIt rains.\nOutput:\nDoes it rain?\n\nExample 2\n\nInput:\nHe left.\n\nOutput:\nDid he leave?", PAIRS),
    "another name for the input": ("\nSentence: It rains.\nOutput: Does it rain?\nExample 2\nSentence: He left.\nOutput: Did he leave?",
                                   [("Sentence: It rains.", "Does it rain?"), ("Sentence: He left.", "Did he leave?")]),
    "two inputs": ("\nInput 1: It rains.\nInput 2: a tag\nOutput: It rains, doesn't it?", [("It rains.\nInput 2: a tag", "It rains, doesn't it?")]),
    "carriage returns": ("\r\nInput: It rains.\r\nOutput: Does it rain?\r\nExample 2\r\nInput: He left.\r\nOutput: Did he leave?\r\n", PAIRS),
    "tabs": ("\n\tInput:\tIt rains.\n\tOutput:\tDoes it rain?", PAIR),
    "a preamble": ("Sure! Here is an example:\n\nInput: It rains.\nOutput: Does it rain?", PAIR),
    "a preamble where no input is": ("Here is an example:\nOutput: Does it rain?", [("", "Does it rain?")]),
    "a postamble": ("\nInput: It rains.\nOutput: Does it rain?\n\nLet me know if you need more examples!", PAIR),
    "the task again": (f"Task: {INSTRUCTION}\nExample 1\nInput: It rains.\nOutput: Does it rain?", PAIR),
    "the whole prompt again": (Instances().prompts(dict.fromkeys((True, False), ()))(Task(id="1", instruction=INSTRUCTION)) + "\nInput: It rains.\nOutput: Does it rain?", PAIR),
    "another task": ("\nInput: It rains.\nOutput: Does it rain?\n\nTask: Name a river.\nExample 1\nOutput: The Danube.", PAIR),
    "only another task": ("\nTask: Name a river.\nExample 1\nOutput: The Danube.", "no_instances"),
    "a fence around all": ("```\nInput: It rains.\nOutput: Does it rain?\n```", PAIR),
    "a fence around each": ("\n```\nInput: It rains.\nOutput: Does it rain?\n```\nExample 2\n```\nInput: He left.\nOutput: Did he leave?\n```\nBye.", PAIRS),
    "fences in the fields": ("\nInput:\n```\nIt rains.\n```\nOutput:\n```text\nDoes it rain?\n```", PAIR),
    "a fence on one line": ("\nInput: ```It rains.```\nOutput: ```Does it rain?```", PAIR),
    "several outputs": ("\nInput: It rains.\nOutput: Does it rain?\nOutput: Is it raining?", PAIR),
    "the word Output twice": ("\nInput: It rains.\nOutput: Output: Does it rain?", PAIR),
    "an output on the second try": ("\nInput: It rains.\nOutput:\nOutput: Does it rain?", PAIR),
    "an input on the second try": ("\nInput:\nInput: It rains.\nOutput: Does it rain?", PAIR),
    "a new input without an example": ("\nInput: It rains.\nOutput: Does it rain?\nInput: He left.\nOutput: Did he leave?", PAIR),
    "one example said again": ("\nInput: It rains.\nOutput: Does it rain?" + "".join(f"\nExample {n}\nInput: It rains.\nOutput: Does it rain?" for n in range(2, 40)), PAIR),
    "a thought before": ("<think>Input: a\nOutput: b</think>\nInput: It rains.\nOutput: Does it rain?", PAIR),
    "a thought in a field": ("\nInput: It rains.\nOutput: <think>a tag?</think>\nDoes it rain?", PAIR),
    "a thought that the prompt opened": ("Input: a\nOutput: b\n</think>\nInput: It rains.\nOutput: Does it rain?", PAIR),
    "a thought that does not end": ("\nInput: It rains.\nOutput: <think>Does it", "empty_output"),
    "a thought and no more": ("<think>Input: It rains.\nOutput: Does it rain?", "no_instances"),
    "JSON": ('[{"input": "It rains.", "output": "Does it rain?"}]', PAIR),
    "a table": ("| Input | Output |\n| It rains. | Does it rain? |", PAIR),
    "the end of a turn": ("\nInput: It rains.\nOutput: Does it rain?<|im_end|>\n<|im_start|>user\nMore!", PAIR),
    "the end of a text": ("\nInput: It rains.\nOutput: Does it rain?</s> Input: x", PAIR),
    "a turn for the user": ("\nInput: It rains.\nOutput: Does it rain?\n[INST] More! [/INST]", PAIR),
    "a token in the middle": ("\nInput: It rains.\nOutput: Does <|endoftext|> it rain?", "chat_token"),
    "NUL bytes": ("\nInput: It rai\x00ns.\nOutput: Does\x08 it rain?\x00", PAIR),
    "zero-width characters before markers": ("\n\ufeffInput: It rains.\n\u200bOutput: Does it rain?", PAIR),
    "half a surrogate pair": ("\nInput: It rains.\nOutput: Does it rain\ud83d?", "garbled"),
    "both halves of one": ("\nInput: It rains.\nOutput: Does it rain? \ud83c\udf27", [("It rains.", "Does it rain? 🌧")]),
    "bytes read as Latin-1": ("\nInput: It rains.\nOutput: Doesnâ\x80\x99t it rain?", "garbled"),
}  # fmt: skip

NO_ANSWERS = {
    "nothing": ("", "no_instances"),
    "blank": ("\n \u3000\n", "no_instances"),
    "only numbers": ("1\n2\n3\n4\n5", "no_instances"),
    "a refusal": ("I'm sorry, but as an AI language model I can't do that.", "no_instances"),
    "no output": ("\nInput: It rains.\nExample 2\nInput: He left.", "no_instances"),
    "an empty output": ("\nInput: It rains.\nOutput:", "empty_output"),
    "an output that is the input": ("\nInput: It rains.\nOutput: It rains.", "input_is_output"),
    "an output that is announced": ("\nInput: It rains.\nOutput: The question is:", "ends_with_colon"),
    "only an announcement": ("\nInput: It rains.\nOutput: Here are some more examples.", "preamble"),
    "an invisible output": ("\nInput: It rains.\nOutput: \u200e\u200f", "placeholder"),
    "the instruction": (f"\nOutput: {INSTRUCTION}", "prompt_echo"),
    **{
        f"the placeholder {text}": (f"\nInput: It rains.\nOutput: {text}", "placeholder")
        for text in (
            "...", "…", "N/A", "n/a.", "None", "none.", "TODO", "TODO:?", "TBD", "[placeholder]", "<noinput>", "<nooutput>",
            "[Your answer]", "[insert question here]", "<your output here>", "{output}", "{{ answer }}", "(question goes here)",
            "[Output]", "____", "????", "Not applicable", "No output", "No answer given.", "[none]", "<placeholder>",
        )
    },
    "a placeholder for an input": ("\nInput: [insert a sentence here]\nOutput: Does it rain?", "placeholder"),
    "an ellipsis for an input": ("\nInput: ...\nOutput: Does it rain?", "placeholder"),
    **{
        f"the refusal {text}": (f"\nInput: It rains.\nOutput: {text}", "refusal")
        for text in (
            "I'm sorry, but as an AI language model, I cannot do that.", "I’m sorry, but I can’t assist with that request.",
            "As an AI language model, I don't have personal opinions on rain.", "Sorry, I can't help with that.",
            "Unfortunately, I am unable to fulfill your request.", "I'm afraid I cannot complete this request.",
            "I apologize, but I'm not able to open links.", "I am an AI and cannot feel rain.", "I cannot browse the internet.",
            "I don't have access to the internet.", "I do not have personal experiences.", "I'm just an AI, I can't feel rain.",
            "As a large language model, I am unable to see.", "作为一个人工智能语言模型，我不能回答。", "Als KI kann ich das nicht.",
        )
    },
    "a question back": ("\nOutput: Please provide the sentence you would like me to turn into a question.", "asks_back"),
    "a question back, politely": ("\nOutput: Sure! Could you please share the text so I can help?", "asks_back"),
    "a word without end": ("\nInput: It rains.\nOutput: Does it" + " rain" * 80, "repetition"),
    "a line without end": ("\nInput: It rains.\nOutput:" + "\nDoes it rain today or not?" * 30, "repetition"),
    "a letter without end": ("\nInput: It rains.\nOutput: N" + "o" * 1000, "repetition"),
    "an input without end": ("\nInput: " + "It rains. " * 50 + "\nOutput: Does it rain?", "repetition"),
    "a phrase without end or blanks": ("\nInput: 下雨了。\nOutput: " + "下雨了吗？" * 60, "repetition"),
    "a hundred thousand letters": ("\nOutput: " + "x" * 100_000, "repetition"),
    "code that is cut off": ("\nOutput: Use this:\n```python\nprint(1)", "unclosed_fence"),
    "two outputs of one input": ("\nInput: It rains.\nOutput: Does it rain?\nExample 2\nInput: It rains.\nOutput: No.", "contradiction"),
}  # fmt: skip

GOOD = {
    "a number": ("What is 6 times 7?", "\nOutput: 42", [("", "42")]),
    "a punctuation mark": ("Which mark ends a question?", "\nOutput: ?", [("", "?")]),
    "a full stop": ("Which mark ends a sentence?", "\nOutput: .", [("", ".")]),
    "None that is asked for": ("List the verbs, or say none.", "\nInput: red\nOutput: None", [("red", "None")]),
    "None where there may be none": ("List any spelling mistakes.", "\nInput: red\nOutput: None.", [("red", "None.")]),
    "N/A that is asked for": ("Give the year, or N/A.", "\nInput: once\nOutput: N/A", [("once", "N/A")]),
    "an HTML tag": ("Which HTML element is a text field?", "\nOutput: <input>", [("", "<input>")]),
    "a Spanish word": ("Translate it into Spanish.", "\nInput: all\nOutput: todo", [("all", "todo")]),
    "what cannot be opened": ("Write to the help desk.", "\nOutput: I can't open the website of my bank.", [("", "I can't open the website of my bank.")]),
    "a letter in brackets": ("Choose a, b or c.", "\nInput: x\nOutput: (b)", [("x", "(b)")]),
    "a list in brackets": ("Sort it.", "\nInput: [2, 1]\nOutput: [1, 2]", [("[2, 1]", "[1, 2]")]),
    "only emoji": ("Say it in emoji.", "\nInput: a family dinner\nOutput: 👨\u200d👩\u200d👧🍽️", [("a family dinner", "👨\u200d👩\u200d👧🍽️")]),
    "no input, said in words": ("Say hello.", "\nInput: None\nOutput: Hello.", [("", "Hello.")]),
    "no input, with a mark": ("Say hello.", "\nInput: <noinput>\nOutput: Hello.", [("", "Hello.")]),
    "no input, N/A": ("Say hello.", "\nInput: N/A\nOutput: Hello.", [("", "Hello.")]),
    "Input: in the middle of a line": ("Explain.", "\nOutput: Write Input: and then a word.", [("", "Write Input: and then a word.")]),
    "Output: in the middle of an input": ("Explain.", "\nInput: What is Output: for?\nOutput: a result", [("What is Output: for?", "a result")]),
    "Task: in the middle of a line": ("Explain.", "\nOutput: The word Task: begins it.", [("", "The word Task: begins it.")]),
    "Example 6 in a sentence": ("Explain.", "\nOutput: See Example 6 and 16. It helps.", [("", "See Example 6 and 16. It helps.")]),
    "an example in an output": ("Define it.", "\nOutput: A noun names.\nExample:\ncat", [("", "A noun names.\nExample:\ncat")]),
    "numbered examples in an output": ("Define it.", "\nOutput: A noun names.\nExample 1:\ncat\nExample 2:\ndog", [("", "A noun names.\nExample 1:\ncat\nExample 2:\ndog")]),
    "a list with Input in it": ("Describe it.", "\nOutput: The function\n- Input: a list\n- Output: a sum", [("", "The function\n- Input: a list\n- Output: a sum")]),
    "code with blank lines": ("Write it in Python.", "\nOutput: def f():\n    return 1\n\n\nprint(f())", [("", "def f():\n    return 1\n\n\nprint(f())")]),
    "code in a fence with a name": ("Write it in Python.", "\nOutput: ```python\nx = 1\n\ny = 2\n```", [("", "```python\nx = 1\n\ny = 2\n```")]),
    "text around a fence": ("Write it in Python.", "\nOutput: So:\n```\nx = 1\n```\nThat is all.", [("", "So:\n```\nx = 1\n```\nThat is all.")]),
    "markers in a comment": ("Write it in Python.", "\nOutput: def f(x):\n    # Input: a list\n    return x\n\nprint(f([]))\n# Output: []\nprint(1)",
                             [("", "def f(x):\n    # Input: a list\n    return x\n\nprint(f([]))\n# Output: []\nprint(1)")]),
    "markers in a block of code": ("Explain it.", '\nInput:\n```python\ndef f(x):\n    """\n    Input: a list\n    Output: a sum\n    """\n```\nOutput:\n```\nInput: 1\nOutput: 2\n```\nSo it adds.',
                                   [('```python\ndef f(x):\n    """\n    Input: a list\n    Output: a sum\n    """\n```', "```\nInput: 1\nOutput: 2\n```\nSo it adds.")]),
    "a rule inside": ("Write two parts.", "\nOutput: One.\n\n---\n\nTwo.", [("", "One.\n\n---\n\nTwo.")]),
    "None where nothing is found": ("Find the typo.", "\nInput: red\nOutput: None", [("red", "None")]),
    "a message that asks": ("Write a message to a colleague.", "\nOutput: Could you please send me the latest sales report so I can finish the slides?",
                            [("", "Could you please send me the latest sales report so I can finish the slides?")]),
    "a request that is turned down": ("Reply to the guest.", "\nInput: May I come at 9?\nOutput: Unfortunately, I cannot accommodate your request for an early check-in, but we keep your bags.",
                                      [("May I come at 9?", "Unfortunately, I cannot accommodate your request for an early check-in, but we keep your bags.")]),
    "struck HTML": ("Correct it in HTML.", "\nInput: teh\nOutput: <s>teh</s> the", [("teh", "<s>teh</s> the")]),
    "a token that is asked about": ("What does <|endoftext|> mark?", "\nOutput: The token <|endoftext|> marks an end.", [("", "The token <|endoftext|> marks an end.")]),
    "U+FFFD that is in the input": ("Which sign is it?", "\nInput: caf\ufffd\nOutput: \ufffd, for a byte that is no text", [("caf\ufffd", "\ufffd, for a byte that is no text")]),
    "an apology": ("Reply to the customer.", "\nInput: It broke.\nOutput: I'm sorry to hear that. We will send another.", [("It broke.", "I'm sorry to hear that. We will send another.")]),
    "sorry, but": ("Answer the invitation.", "\nInput: Party on Friday?\nOutput: I'm sorry, but I can't come on Friday.", [("Party on Friday?", "I'm sorry, but I can't come on Friday.")]),
    "a refusal that is asked for": ("Decline the request politely.", "\nInput: Lend me 10.\nOutput: I'm sorry, but I can't help with that.", [("Lend me 10.", "I'm sorry, but I can't help with that.")]),
    "a sentence about AI": ("What is an AI?", "\nOutput: As an AI, I am a program; I cannot feel.", [("", "As an AI, I am a program; I cannot feel.")]),
    "Sure as an answer": ("Accept it.", "\nInput: Tea?\nOutput: Sure, I'd love some!", [("Tea?", "Sure, I'd love some!")]),
    "a letter that ends as letters do": ("Write to Ann.", "\nOutput: Dear Ann,\n\nCome.\n\nLet me know if you have questions.", [("", "Dear Ann,\n\nCome.\n\nLet me know if you have questions.")]),
    "a polite request": ("Ask for it.", "\nInput: invoice 7\nOutput: Please provide the invoice you would like me to pay.", [("invoice 7", "Please provide the invoice you would like me to pay.")]),
    "a name to fill in": ("Write to Ann.", "\nOutput: Dear Ann, come. [Your Name]", [("", "Dear Ann, come. [Your Name]")]),
    "a song that repeats": ("Sing it.", "\nOutput: " + "la " * 20 + "the end", [("", "la " * 20 + "the end")]),
    "what is to be repeated": ("Write the word yes 60 times.", "\nOutput: " + "yes " * 59 + "yes", [("", "yes " * 59 + "yes")]),
    "a table": ("Make a table.", "\nOutput: | a | b |\n|---|---|\n| 1 | 2 |", [("", "| a | b |\n|---|---|\n| 1 | 2 |")]),
    "JSON": ("Give it as JSON.", '\nInput: a is 1\nOutput: {"a": 1}', [("a is 1", '{"a": 1}')]),
    "a list with steps": ("How is tea made?", "\nOutput: 1. Boil water.\n   a. in a kettle\n2. Pour it.", [("", "1. Boil water.\n   a. in a kettle\n2. Pour it.")]),
    "Chinese": ("翻译成英文。", "\nInput: 你好\nOutput: Hello", [("你好", "Hello")]),
    "Arabic": ("ترجم الجملة.", "\nInput: مرحبا\u200f!\nOutput: Hello!", [("مرحبا\u200f!", "Hello!")]),
    "Persian": ("ترجمه کن.", "\nInput: می\u200cروم\nOutput: I go", [("می\u200cروم", "I go")]),
    "Thai": ("แปล", "\nInput: สวัสดี\u200bครับ\nOutput: Hello", [("สวัสดี\u200bครับ", "Hello")]),
    "a good one beside a bad one": ("Say hello.", "\nOutput: Hello.\nExample 2\nOutput: N/A", [("", "Hello.")]),
}  # fmt: skip

CUT = {
    "in the second output": (
        "\nInput: It rains.\nOutput: Does it rain?\nExample 2\nInput: He left.\nOutput: Did h",
        PAIR,
    ),
    "in the second input": ("\nInput: It rains.\nOutput: Does it rain?\nExample 2\nInput: He le", PAIR),
    "after the second marker": ("\nInput: It rains.\nOutput: Does it rain?\nExample 2\n", PAIR),
    "before the second output": (
        "\nInput: It rains.\nOutput: Does it rain?\nExample 2\nInput: He left.\nOutput:",
        PAIR,
    ),
    "in the second marker": ("\nInput: It rains.\nOutput: Does it rain?\nExam", "no_instances"),
    "in the first output": ("\nInput: It rains.\nOutput: Does it", "no_instances"),
    "in the first input": ("\nInput: It ra", "no_instances"),
    "in a thought": ("<think>It ra", "no_instances"),
    "before anything": ("", "no_instances"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_instances_are_found_in_any_dress(name):
    text, expected = LAYOUTS[name]

    assert read(text) == expected


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_never_becomes_an_output(name):
    text, reason = NO_ANSWERS[name]

    assert read(text) == reason


@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_like_nonsense_is_kept(name):
    instruction, text, expected = GOOD[name]

    assert read(text, instruction) == expected


@pytest.mark.parametrize("name", CUT)
def test_what_the_length_limit_cut_off_is_left_out_and_nothing_else(name):
    text, expected = CUT[name]

    assert read(text, finish_reason="length") == expected
