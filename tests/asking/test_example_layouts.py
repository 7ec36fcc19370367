"""Every layout in which models write worked examples, and what they add to them."""

import pytest

from pipeline import Completion, Task
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.stages.instances import Instances

ONE = [("the sky", "blue")]
TWO = [*ONE, ("grass", "green")]


def read(
    text: str,
    instruction: str = "Name the colour of the given thing.",
    is_classification: bool = False,
    ended: str = "stop",
) -> list[tuple[str, str]]:
    task = Task(id="1", instruction=instruction, is_classification=is_classification)
    found = Instances().parse(task, Completion.model_validate({"id": "1", "text": text, "finish_reason": ended}))
    return [(instance.input, instance.output) for instance in found]


LAYOUTS = {
    "small letters": ("input: the sky\noutput: blue\n\nexample 2\ninput: grass\noutput: green", TWO),
    "capitals": ("INPUT: the sky\nOUTPUT: blue\n\nEXAMPLE 2\nINPUT: grass\nOUTPUT: green", TWO),
    "small, no example": ("input: the sky\noutput: blue", ONE),
    "Answer": ("Input: the sky\nAnswer: blue\n\nExample 2\nInput: grass\nAnswer: green", TWO),
    "Response": ("Input: the sky\nResponse: blue\n\nExample 2\nInput: grass\nResponse: green", TWO),
    "Result": ("Input: the sky\nResult: blue\nExample 2\nInput: grass\nResult: green", TWO),
    "Solution": ("Input: the sky\nSolution: blue", ONE), "Completion": ("Input: the sky\nCompletion: blue", ONE), "Target": ("Source: the sky\nTarget: blue", ONE),
    "Sample Input": ("Sample Input: the sky\nSample Output: blue\n\nExample 2\nSample Input: grass\nSample Output: green", TWO),
    "Expected output": ("Input: the sky\nExpected output: blue", ONE), "Expected Answer": ("Input: the sky\nExpected Answer: blue", ONE), "Example input": ("Example Input: the sky\nExample Output: blue", ONE),
    "Input text": ("Input text: the sky\nOutput text: blue", ONE), "The output": ("Input: the sky\nThe output: blue", ONE), "Correct answer": ("Input: the sky\nCorrect answer: blue", ONE), "Model output": ("Input: the sky\nModel output: blue", ONE),
    "Question and Answer": ("Question: the sky\nAnswer: blue\n\nExample 2\nQuestion: grass\nAnswer: green", TWO), "Q and A": ("Q: the sky\nA: blue\n\nExample 2\nQ: grass\nA: green", TWO), "Prompt and Response": ("Prompt: the sky\nResponse: blue", ONE),
    "bold": ("**input:** the sky\n**output:** blue", ONE), "bold Answer": ("**Input:** the sky\n**Answer:** blue\n\n**Example 2:**\n**Input:** grass\n**Answer:** green", TWO), "bold, colon outside": ("**Input**: the sky\n**Answer**: blue", ONE), "headings": ("### Input: the sky\n### Answer: blue", ONE),
    "italics": ("*Input:* the sky\n*Output:* blue", ONE), "underlined": ("__Input:__ the sky\n__Output:__ blue", ONE), "code": ("`Input:` the sky\n`Output:` blue", ONE), "headings on lines of their own": ("#### Input:\nthe sky\n\n#### Output:\nblue", ONE),
    "numbers": ("1. Input: the sky\n   Output: blue\n2. Input: grass\n   Output: green", TWO), "numbers with brackets": ("1) Input: the sky\nOutput: blue\n2) Input: grass\nOutput: green", TWO), "numbers in brackets": ("(1) Input: the sky\nOutput: blue\n(2) Input: grass\nOutput: green", TWO),
    "numbers, small": ("1. input: the sky\n   output: blue\n2. input: grass\n   output: green", TWO), "numbers, Answer": ("1. Question: the sky\n   Answer: blue\n2. Question: grass\n   Answer: green", TWO), "numbers, bold": ("1. **Input:** the sky\n   **Output:** blue\n\n2. **Input:** grass\n   **Output:** green", TWO),
    "letters": ("a) Input: the sky\n   Output: blue\nb) Input: grass\n   Output: green", TWO), "points": ("- Input: the sky\n  Output: blue\n- Input: grass\n  Output: green", TWO), "a point each": ("- input: the sky\n- output: blue", ONE), "stars": ("* Input: the sky\n* Output: blue", ONE),
    "numbers of the fields": ("Input 1: the sky\nOutput 1: blue\nInput 2: grass\nOutput 2: green", TWO), "numbers of small fields": ("input 1: the sky\noutput 1: blue\ninput 2: grass\noutput 2: green", TWO), "hashes": ("Input #1: the sky\nOutput #1: blue\nInput #2: grass\nOutput #2: green", TWO), "Q1": ("Q1: the sky\nA1: blue\nQ2: grass\nA2: green", TWO),
    "a heading for each": ("### Example 1\nInput: the sky\nAnswer: blue\n\n### Example 2\nInput: grass\nAnswer: green", TWO), "Example #2": ("Input: the sky\nOutput: blue\n\nExample #2\nInput: grass\nOutput: green", TWO), "Example 2 on the line": ("Input: the sky\nOutput: blue\nExample 2: Input: grass\nOutput: green", TWO),
    "Example 2, a dash": ("Input: the sky\nOutput: blue\nExample 2 - Input: grass\nOutput: green", TWO), "Instance": ("Instance 1\nInput: the sky\nOutput: blue\nInstance 2\nInput: grass\nOutput: green", TWO), "Test case": ("Test case 1:\nInput: the sky\nOutput: blue\nTest case 2:\nInput: grass\nOutput: green", TWO), "Sample": ("Sample 1:\nInput: the sky\nOutput: blue\n\nSample 2:\nInput: grass\nOutput: green", TWO),
    "one line": ("Input: the sky Output: blue", ONE), "one line with a bar": ("Input: the sky | Output: blue", ONE), "one line with an arrow": ("Input: the sky -> Output: blue", ONE), "one line with a comma": ("Input: the sky, Output: blue", ONE), "one line each": ("Input: the sky Output: blue\nExample 2\nInput: grass Output: green", TWO), "one line each, numbers": ("1. Input: the sky Output: blue\n2. Input: grass Output: green", TWO),
    "arrows": ("the sky -> blue\ngrass -> green", TWO), "one arrow": ("the sky → blue", ONE), "fat arrows": ("the sky => blue\ngrass => green", TWO), "arrows with numbers": ("1. the sky -> blue\n2. grass -> green", TWO), "arrows with points": ("- the sky → blue\n- grass → green", TWO),
    "JSON": ('{"input": "the sky", "output": "blue"}', ONE), "JSON in a fence": ('```json\n{"input": "the sky", "output": "blue"}\n```', ONE), "an array": ('[{"input": "the sky", "output": "blue"}, {"input": "grass", "output": "green"}]', TWO), "an array over lines": ('[\n  {\n    "input": "the sky",\n    "output": "blue"\n  },\n  {\n    "input": "grass",\n    "output": "green"\n  }\n]', TWO),
    "an object around": ('{"examples": [{"input": "the sky", "output": "blue"}, {"input": "grass", "output": "green"}]}', TWO), "JSON lines": ('{"input": "the sky", "output": "blue"}\n{"input": "grass", "output": "green"}', TWO), "capital names": ('{"Input": "the sky", "Output": "blue"}', ONE), "question and answer": ('{"question": "the sky", "answer": "blue"}', ONE), "prompt and completion": ('{"prompt": "the sky", "completion": "blue"}', ONE),
    "names with numbers": ('{"Example 1": {"Input": "the sky", "Output": "blue"}, "Example 2": {"Input": "grass", "Output": "green"}}', TWO), "JSON below Example": ('Example 1\n{"input": "the sky", "output": "blue"}\nExample 2\n{"input": "grass", "output": "green"}', TWO), "an explanation in it": ('{"input": "the sky", "output": "blue", "explanation": "It scatters."}', ONE), "the instruction in it": ('{"instruction": "Name the colour.", "input": "the sky", "output": "blue"}', ONE),
    "single quotes": ("{'input': 'the sky', 'output': 'blue'}", ONE), "no quotes": ("{input: 'the sky', output: 'blue'}", ONE), "expected_output": ('{"input_text": "the sky", "expected_output": "blue"}', ONE), "no input": ('{"output": "blue"}', [("", "blue")]), "null": ('{"input": null, "output": "blue"}', [("", "blue")]), "an empty input": ('{"input": "", "output": "blue"}', [("", "blue")]), "a remark below": ('{"input": "the sky", "output": "blue"}\n\nThe sky scatters light.', ONE),
    "numbers in it": ('{"input": 2, "output": 4.5}', [("2", "4.5")]), "true": ('{"input": "x", "output": true}', [("x", "true")]), "an array for an output": ('{"input": "b a", "output": ["a", "b"]}', [("b a", '["a", "b"]')]), "an object for an input": ('{"input": {"a": 1}, "output": "one"}', [('{"a": 1}', "one")]), "announced": ('Here is an example:\n\n```json\n{"input": "the sky", "output": "blue"}\n```', ONE), "lines in a text": ('{"input": "the\\nsky", "output": "blue"}', [("the\nsky", "blue")]),
    "YAML": ("- input: the sky\n  output: blue\n- input: grass\n  output: green", TWO), "YAML quoted": ('- input: "the sky"\n  output: "blue"\n- input: "grass"\n  output: "green"', TWO), "YAML in a fence": ("```yaml\n- input: the sky\n  output: blue\n- input: grass\n  output: green\n```", TWO), "YAML under a name": ("examples:\n  - input: the sky\n    output: blue\n  - input: grass\n    output: green", TWO), "YAML over lines": ("input: |\n  the sky\noutput: |\n  blue", ONE),
    "a table": ("| Input | Output |\n|---|---|\n| the sky | blue |\n| grass | green |", TWO), "a table with numbers": ("| # | Input | Output |\n|---|---|---|\n| 1 | the sky | blue |\n| 2 | grass | green |", TWO), "a table with more": ("| Example | Question | Answer | Explanation |\n|---|---|---|---|\n| 1 | the sky | blue | light |\n| 2 | grass | green | leaves |", TWO), "a table, announced": ("Here are some examples:\n\n| Input | Output |\n|:--|--:|\n| the sky | blue |", ONE), "a bold table": ("| **Input** | **Output** |\n|---|---|\n| the sky | blue |", ONE),
    "tags": ("<input>the sky</input>\n<output>blue</output>", ONE), "tags over lines": ("<example>\n<input>\nthe sky\n</input>\n<output>\nblue\n</output>\n</example>\n<example>\n<input>\ngrass\n</input>\n<output>\ngreen\n</output>\n</example>", TWO), "capital tags": ("<Input>the sky</Input><Output>blue</Output>", ONE), "answer tags": ("<question>the sky</question>\n<answer>blue</answer>", ONE), "tags with numbers": ('<example id="1"><input>the sky</input><output>blue</output></example><example id="2"><input>grass</input><output>green</output></example>', TWO), "numbered tags": ("<input1>the sky</input1><output1>blue</output1>", ONE),
    "headings without a colon": ("### Input\nthe sky\n\n### Output\nblue\n\n## Example 2\n### Input\ngrass\n\n### Output\ngreen", TWO), "bold lines": ("**Input**\nthe sky\n\n**Output**\nblue", ONE), "capitals on a line": ("INPUT\nthe sky\nOUTPUT\nblue", ONE), "bold Answer on a line": ("**Question**\nthe sky\n**Answer**\nblue", ONE), "an equals sign": ("Input = the sky\nOutput = blue", ONE), "dashes": ("Input - the sky\nOutput - blue", ONE), "brackets": ("[Input] the sky\n[Output] blue", ONE), "brackets and colons": ("[Input]: the sky\n[Output]: blue", ONE), "round brackets": ("(Input): the sky\n(Answer): blue", ONE),
    "Spanish": ("Entrada: the sky\nSalida: blue\n\nEjemplo 2\nEntrada: grass\nSalida: green", TWO), "German": ("Eingabe: the sky\nAusgabe: blue\n\nBeispiel 2\nEingabe: grass\nAusgabe: green", TWO), "French": ("Entrée : the sky\nSortie : blue\n\nExemple 2\nEntrée : grass\nSortie : green", TWO), "Chinese": ("输入：the sky\n输出：blue\n\n示例 2\n输入：grass\n输出：green", TWO), "Japanese": ("入力：the sky\n出力：blue", ONE),
    **{
        f"{names[0]} and {names[1]}": (f"{names[0]}: the sky\n{names[1]}: blue\n\nExample 2\n{names[0]}: grass\n{names[1]}: green", TWO)
        for names in (
            ("المدخل", "المخرج"), ("इनपुट", "आउटपुट"), ("Đầu vào", "Đầu ra"), ("Masukan", "Keluaran"), ("Girdi", "Çıktı"),
            ("Wejście", "Wyjście"), ("Вход", "Выход"), ("Вхід", "Вихід"), ("อินพุต", "เอาต์พุต"), ("ورودی", "خروجی"), ("קלט", "פלט"),
        )
    },
    "a tag around": ("<answer>\nInput: the sky\nOutput: blue\nExample 2\nInput: grass\nOutput: green\n</answer>", TWO), "a tag around, not closed": ("<response>\nInput: the sky\nOutput: blue", ONE), "thoughts of another model before": ("<seed:think>\nInput: a\nOutput: b\n</seed:think>Input: the sky\nOutput: blue", ONE),
    "two kinds": ("Input: the sky\nOutput: blue\n\nExample 2\nInput: grass\nAnswer: green", TWO), "small and exact": ("Input: the sky\noutput: blue", ONE), "another name for the input": ("Thing: the sky\nAnswer: blue", [("Thing: the sky", "blue")]), "a fence around": ("```\ninput: the sky\noutput: blue\n```", ONE), "another task": ("input: the sky\noutput: blue\n\ninstruction: Name a river.\ninput: x\noutput: y", ONE), "an end": ("input: the sky\noutput: blue |EoS|\n", ONE), "ends": ("input: the sky |EoS|\noutput: blue\n|EoS|\nmore", ONE),
}  # fmt: skip

REMARKS = {
    "Explanation": "blue\nExplanation: The sky scatters light.", "a blank line before": "blue\n\nExplanation: The sky scatters light.", "bold": "blue\n\n**Explanation:** The sky scatters light.", "in brackets": "blue\n(Explanation: The sky scatters light.)", "small": "blue\nexplanation: it scatters", "capitals": "blue\nEXPLANATION: It scatters.", "over paragraphs": "blue\n\nExplanation:\nThe sky scatters.\n\nLight is blue.",
    "Reasoning": "blue\nReasoning: The sky scatters light.", "Rationale": "blue\nRationale: It scatters.", "Justification": "blue\nJustification: It scatters.", "Reason": "blue\nReason: It scatters.", "a heading": "blue\n\n### Explanation:\nIt scatters.", "a note": "blue\n\n(Note: this answer is short because the task asks for one word.)", "a bare note": "blue\nNote: this is the colour by day.", "a bold note": "blue\n\n**Note:** This answer is short.",
    "a note in italics": "blue\n\n*Note: The answer may differ.*", "square brackets": "blue\n[Note: It depends.]", "on the same line": "blue (Note: by day)", "an explanation on the line": "blue (Explanation: it scatters light)", "Please note": "blue\n\nPlease note that the output may differ.", "Note that": "blue\n\nNote that the answer depends on the hour.", "both": "blue\nExplanation: It scatters.\n(Note: by day.)", "a note and an explanation": "blue\n(Note: by day.)\nExplanation: It scatters.", "two notes": "blue\n(Note: by day.)\n(Note: not at night.)", "German": "blue\nErklärung: Das Licht.", "Chinese": "blue\n解释：光。",
    "a point": "blue\n- Explanation: It scatters.",
}  # fmt: skip

KEPT = {  # outputs that only look as if something were to be left out
    "an explanation that is asked for": ("Name the colour and explain why.", "blue\nExplanation: It scatters."), "a reason that is asked for": ("Which is it? Give a reason.", "blue\nReason: It scatters."), "a note that is asked for": ("Add a note to the text.", "The text.\nNote: see below."), "nothing else": ("Name the colour.", "Explanation: It scatters."),
    "a recipe with a note": ("Write a recipe for it.", "Mix two eggs with milk, flour, salt and sugar, and fry them on both sides in butter.\n\nNote: use unsalted butter."), "the word inside": ("Write about it.", "The explanation: it scatters light."), "the word at the end of a line": ("Write about it.", "I wrote a note:\nbuy milk"), "brackets": ("Name it.", "blue (by day)"), "steps": ("How is it done?", "1. Boil it.\n2. Pour it."), "notes of music": ("Name it.", "Notes are signs."),
    "a fence": ("Write code.", "```python\n# Explanation: adds\nx = 1\n# Note: ends\n```"), "a fence with a docstring": ("Write code.", '```python\ndef f():\n    """\n    Explanation: adds\n    """\n```'), "an answer inside": ("Write a riddle.", "What is blue?\nAnswer: the sky"), "a dialogue": ("Write a talk.", "Q: Who?\nA: Me."),
}  # fmt: skip

WHOLE = {  # by instruction, what is the whole output
    "a question": ("What are the best exercises you can do with a kettlebell?", "Swings, squats and presses."), "a poem": ("Write a poem that rhymes and includes the words apple and pencil.", "An apple\nand a pencil."), "a list": ("List three uses of a brick.", "1. walls\n2. paths\n3. a step"), "what it holds": ('Translate "good day" into French.', "Bonjour."), "after a colon": ("Correct this sentence: He go home.", "He goes home."), "an essay": ("Write a short story about a man who takes a nap.", "He slept."),
    "code": ("Write a function that adds two numbers.", "```python\ndef add(a, b):\n    return a + b\n```"), "a number": ("How many days does a year have?", "365"), "of a thing": ("Explain the difference between the Moon and the Sun.", "One shines."), "your favourite": ("What is your favourite colour?", "Blue."), "come up with": ("Come up with a quick morning routine that you can do in ten minutes.", "Stretch."), "JSON": ("Give an example of a JSON object with two names.", '{"a": 1, "b": 2}'), "a table": ("Make a table of two rivers and their lengths.", "| River | Length |\n|---|---|\n| Nile | 6650 |"),
    "a riddle": ("Write a riddle and its answer.", "What is blue?\nAnswer: the sky"),
}  # fmt: skip

UNKNOWN = {  # what may be an input, an output or neither
    "the sentence": "Translate the sentence into French.", "the following": "Summarize the following article.", "given": "Given a list of numbers, find the largest one.", "this": "Is this sentence right?", "it": "Shorten it.", "below": "Answer the question below.", "provided": "Use the provided words in a story.", "input": "Sort the input by length.", "you get": "You get a noun; write its plural.", "the text": "Find the verbs in the text.",
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_examples_are_read_in_each_layout(name):
    text, expected = LAYOUTS[name]

    assert read(text) == expected
    assert read("\n" + text + "\n") == expected


@pytest.mark.parametrize("name", REMARKS)
def test_what_is_said_about_an_output_is_no_part_of_it(name):
    assert read(f"Input: the sky\nOutput: {REMARKS[name]}") == ONE
    assert read(f"Input: the sky\nOutput: {REMARKS[name]}\n\nExample 2\nInput: grass\nOutput: green") == TWO
    assert read(f"input: the sky\nanswer: {REMARKS[name]}\n\nexample 2\ninput: grass\nanswer: green") == TWO


@pytest.mark.parametrize("name", KEPT)
def test_an_output_keeps_what_belongs_to_it(name):
    instruction, output = KEPT[name]

    assert read(f"Output: {output}", instruction) == [("", output)]


def test_reasoning_before_an_output_is_no_part_of_the_input():
    assert read("Input: the sky\nReasoning: It scatters light.\nOutput: blue") == ONE
    assert read("Input: the sky\nExplanation: Light.\nAnswer: blue") == ONE


@pytest.mark.parametrize("name", WHOLE)
def test_a_text_without_fields_is_the_output_of_a_task_without_input_and_that_is_said(name, seeds, tmp_path):
    instruction, text = WHOLE[name]
    tasks = [Task(id="1", instruction=instruction, is_classification=False)]
    (task,) = Instances().decide(tasks, (), Context(seeds, Scripted(lambda request: f"\n{text}\n"), tmp_path))

    assert [(i.input, i.output) for i in task.instances] == [("", text)]
    assert task.meta["no_fields"] == "the whole output"


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_text_without_fields_is_nothing_to_a_task_that_needs_an_input(name, seeds, tmp_path):
    tasks = [Task(id="1", instruction=UNKNOWN[name], is_classification=False)]
    (task,) = Instances().decide(tasks, (), Context(seeds, Scripted(lambda request: "\nThe sky is blue."), tmp_path))

    assert (task.rejected, task.instances, task.meta) == ("no_instances", (), {})


@pytest.mark.parametrize(
    "text",
    ["input: 1. Boil it.\n2. Pour it.", "instruction: Name a lake.", "|EoS|\n\ninstruction: Name a lake.\n|EoS|"],
)
def test_another_task_or_an_input_is_no_whole_output(text, seeds, tmp_path):
    tasks = [Task(id="1", instruction="Name a river.", is_classification=False)]
    (task,) = Instances().decide(tasks, (), Context(seeds, Scripted(lambda request: text), tmp_path))

    assert task.rejected == "no_instances"


@pytest.mark.parametrize("text", ["The sky is bl", "One.\nExample 2\nTwo, or"])
def test_a_text_without_fields_that_is_cut_off_is_left_out(text, seeds, tmp_path):
    cut = Scripted(lambda request: Completion(id=request.id, text=text, finish_reason="length"))
    tasks = [Task(id="1", instruction="Name a river.", is_classification=False)]
    (task,) = Instances().decide(tasks, (), Context(seeds, cut, tmp_path))

    assert [i.output for i in task.instances] == ["One."] * ("One" in text)


@pytest.mark.parametrize(
    "text",
    [
        '[{"input": "the sky", "output": "blue"}, {"input": "grass", "output": "gre', '{"input": "the sky", "output": "blue"}\n{"input": "gr', "input: the sky\noutput: blue\nexample 2\ninput: grass\noutput: gr",
        "1. Input: the sky\n   Output: blue\n2. Input: grass\n   Output: gr", "| Input | Output |\n|---|---|\n| the sky | blue |\n| grass | gr", "the sky -> blue\ngrass -> gr", "<input>the sky</input><output>blue</output><example><input>grass</input><output>gr",
    ],
)  # fmt: skip
def test_what_the_length_limit_cut_off_is_left_out_in_each_layout(text):
    assert read(text, ended="length") == ONE


LABELS = {
    "JSON": '{"label": "good", "input": "It works."}', "an array": '[{"class": "good", "text": "It works."}]', "output": '{"input": "It works.", "output": "good"}', "small": "class label: good\ninput: It works.", "capitals": "CLASS LABEL: good\nINPUT: It works.", "Category": "Category: good\nInput: It works.", "Class": "Class: good\nInput: It works.", "numbers": "1. Class label: good\n   Input: It works.",
    "a table": "| Label | Input |\n|---|---|\n| good | It works. |", "tags": "<label>good</label>\n<input>It works.</input>", "points": "- Class label: good\n- Input: It works.", "YAML": "- label: good\n  input: It works.", "the other layout": "input: It works.\noutput: good", "the other, Answer": "Input: It works.\nAnswer: good", "the other, Label": "Input: It works.\nLabel: good", "Predicted label": "Predicted label: good\nInput: It works.", "bold": "**Label:** good\n**Input:** It works.", "Classification": "Classification: good\nInput: It works.", "headings": "### Class label\ngood\n\n### Input\nIt works.", "bold on lines": "**Label**\ngood\n**Input**\nIt works.",
}  # fmt: skip


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_read_in_each_layout(name):
    assert read(LABELS[name], "Is the review good or bad?", True) == [("It works.", "good")]


def test_several_labels_are_read_in_each_layout():
    two = [("It works.", "good"), ("It broke.", "bad")]
    for name in ("small", "Category", "numbers", "points", "YAML", "bold", "Class"):
        text = LABELS[name]
        more = text.replace("good", "bad").replace("works", "broke").replace("1.", "2.")
        assert read(f"{text}\n{more}", "Is the review good or bad?", True) == two, name
