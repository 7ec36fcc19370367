"""Every way in which models mark the items of a list; the prompt ended with "9."."""

import pytest

from pipeline import Completion
from pipeline.asking.lists import parse_list
from pipeline.asking.phrases import is_preamble
from pipeline.stages.instructions import Instructions

A = "Describe a river in two sentences."
B = "List three uses of a brick."
C = "Translate the line into French."
ALL = [A, B, C]

STYLES = {  # how each item is written, given its number
    "a full stop": "{n}. ", "a bracket": "{n}) ", "both": "{n}.) ", "escaped": "{n}\\. ", "an escaped bracket": "{n}\\) ", "a dash": "{n} - ",
    "a dash without a blank": "{n}- ", "a stop and a dash": "{n}.- ", "a long dash": "{n} — ", "a colon": "{n}: ", "a blank and a colon": "{n} : ",
    "no mark but a blank": "{n} ", "a tab": "{n}\t", "nothing": "{n}", "a zero first": "{n:02d}. ", "zeros and a blank": "{n:03d} ",
    "brackets": "({n}) ", "square brackets": "[{n}] ", "brackets and a stop": "({n}). ", "square ones and a colon": "[{n}]: ", "braces": "{{{n}}} ",
    "angle brackets": "<{n}> ", "black brackets": "【{n}】", "full-width brackets": "（{n}）", "a hash": "#{n} ", "a hash and a colon": "#{n}: ",
    "a hash and a stop": "#{n}. ", "No.": "No. {n}: ", "№": "№{n}. ", "№ and a blank": "№ {n} ", "a bar": "{n} | ", "a slash": "{n}/ ",
    "an arrow": "{n} → ", "another arrow": "{n} => ", "a comma": "{n}, ", "a degree": "{n}º ", "bold": "**{n}.** ", "bold before the stop": "**{n}**. ",
    "bold alone": "**{n}** ", "italics": "*{n}.* ", "underlined": "__{n}.__ ", "code": "`{n}.` ", "very bold": "***{n}.*** ", "a heading": "### {n}. ",
    "a heading without a blank": "###{n}. ", "a quotation": "> {n}. ", "a bullet": "- {n}. ", "a round bullet": "• {n}) ", "a checkbox": "- [ ] {n}. ",
    "indented": "    {n}. ", "Task": "Task {n}: ", "task": "task {n}: ", "TASK": "TASK {n}: ", "Task with a dash": "Task {n} - ",
    "Task with a long dash": "Task {n} – ", "Task with a stop": "Task {n}. ", "Task with a bracket": "Task {n}) ", "Task and a blank": "Task {n} ", "Task #": "Task #{n}: ",
    "Task No.": "Task No. {n}: ", "Task number": "Task number {n}: ", "Task in brackets": "[Task {n}] ", "Task and its number in brackets": "Task ({n}): ",
    "bold Task": "**Task {n}:** ", "bold Task, colon outside": "**Task {n}**: ", "bold Task, no colon": "**Task {n}** ", "Task as a heading": "### Task {n}: ",
    "Step": "Step {n}: ", "Q": "Q{n}: ", "Q and a stop": "Q{n}. ", "Q with a blank": "Q {n}: ", "T": "T{n}: ", "Question": "Question {n}: ", "Instruction": "Instruction {n}: ",
    "Instruction #": "Instruction #{n}. ", "Prompt": "Prompt {n}: ", "Item": "Item {n}: ", "Exercise": "Exercise {n}: ", "Problem": "Problem {n}. ",
    "Assignment": "Assignment {n}: ", "Challenge": "Challenge {n}: ", "The task": "The task {n}: ", "Task on a line of its own": "Task {n}\n", "with a colon": "Task {n}:\n",
    "a heading of its own": "### Task {n}\n", "one with a colon": "### Task {n}:\n", "and a blank line": "## Task {n}\n\n", "bold on a line of its own": "**Task {n}**\n",
    "bold with a colon": "**Task {n}:**\n", "a number on a line of its own": "{n}.\n", "a bare one": "{n}\n", "a heading that is a number": "## {n}\n", "Instruction as a heading": "#### Instruction {n}\n",
    "two parts": "9.{n}. ", "two parts without a stop": "9.{n} ", "two parts and a bracket": "9.{n}) ", "three parts": "1.9.{n} ", "bold parts": "**9.{n}.** ", "Task with parts": "Task 9.{n}: ",
    "Spanish": "Tarea {n}: ", "Spanish instruction": "Instrucción {n}: ", "French": "Tâche {n} : ", "German": "Aufgabe {n}: ", "Italian": "Compito {n}: ", "Portuguese": "Tarefa {n}: ",
    "Dutch": "Taak {n}: ", "Swedish": "Uppgift {n}: ", "Polish": "Zadanie {n}. ", "Russian": "Задача {n}. ", "Russian, another": "Задание {n}: ", "Ukrainian": "Завдання {n}: ",
    "Chinese": "任务{n}：", "Chinese with a blank": "任务 {n}: ", "a Chinese question": "问题{n}：", "Chinese ordinals": "第{n}题：", "Japanese": "タスク{n}：", "Japanese, another": "課題 {n}: ",
    "Korean": "과제 {n}: ", "Arabic": "المهمة {n}: ", "Hindi": "कार्य {n}: ", "Turkish": "Görev {n}: ", "Vietnamese": "Nhiệm vụ {n}: ", "Indonesian": "Tugas {n}: ", "Greek": "Εργασία {n}: ",
    "an ideographic comma": "{n}、", "an ideographic stop": "{n}。", "a full-width stop": "{n}．", "a full-width colon": "{n}：", "a word nobody knows": "Foo {n}: ",
    "Example": "Example {n}: ", "Idea": "Idea {n} - ", "Ejemplo": "Ejemplo {n}: ", "quoted all": '"{n}. ', "a dash before": "- Task {n}: ", "a bullet and bold": "* **Task {n}:** ",
    "a bold number in brackets": "**({n})** ", "code around Task": "`Task {n}:` ", "a colon and a dash": "{n}:- ", "a semicolon": "{n}; ", "a greater-than": "{n} > ", "an angle": "{n}> ",
}  # fmt: skip

WRITTEN = {
    "on keys": f"1️⃣ {A}\n2️⃣ {B}\n3️⃣ {C}", "on keys without a blank": f"1️⃣{A}\n2️⃣{B}\n3️⃣{C}", "on keys of two digits": f"9️⃣ {A}\n🔟 {B}\n1️⃣1️⃣ {C}",
    "on keys with a stop": f"1️⃣. {A}\n2️⃣. {B}\n3️⃣. {C}", "on keys that lost a mark": f"1⃣ {A}\n2⃣ {B}\n3⃣ {C}", "in circles": f"① {A}\n② {B}\n③ {C}", "in circles, no blank": f"①{A}\n②{B}\n③{C}", "in black circles": f"❶ {A}\n❷ {B}\n❸ {C}",
    "in other circles": f"➀ {A}\n➁ {B}\n➂ {C}", "in small brackets": f"⑴ {A}\n⑵ {B}\n⑶ {C}", "with small stops": f"⒈ {A}\n⒉ {B}\n⒊ {C}", "from nine in circles": f"⑨ {A}\n⑩ {B}\n⑪ {C}",
    "first in a circle is missing": f" {A}\n⑩ {B}\n⑪ {C}", "letters": f"a) {A}\nb) {B}\nc) {C}", "capitals": f"A. {A}\nB. {B}\nC. {C}", "letters in brackets": f"(a) {A}\n(b) {B}\n(c) {C}",
    "letters and a colon": f"A: {A}\nB: {B}\nC: {C}", "letters and a dash": f"A - {A}\nB - {B}\nC - {C}", "bold letters": f"**a.** {A}\n**b.** {B}\n**c.** {C}", "escaped letters": f"a\\. {A}\nb\\. {B}\nc\\. {C}",
    "letters in square brackets": f"[A] {A}\n[B] {B}\n[C] {C}", "letters from the second": f"{A}\nb) {B}\nc) {C}", "Task with letters": f"Task A: {A}\nTask B: {B}\nTask C: {C}",
    "roman": f"IX. {A}\nX. {B}\nXI. {C}", "roman with brackets": f"(i) {A}\n(ii) {B}\n(iii) {C}", "roman and a bracket": f"i) {A}\nii) {B}\niii) {C}", "roman and a dash": f"I - {A}\nII - {B}\nIII - {C}",
    "roman and a colon": f"I: {A}\nII: {B}\nIII: {C}", "Task roman": f"Task IX: {A}\nTask X: {B}\nTask XI: {C}", "roman of one character": f"Ⅰ. {A}\nⅡ. {B}\nⅢ. {C}", "roman in bold": f"**I.** {A}\n**II.** {B}\n**III.** {C}",
    "ordinals": f"First, {A}\nSecond, {B}\nThird, {C}", "adverbs": f"Firstly, {A}\nSecondly, {B}\nThirdly, {C}", "ordinals and a colon": f"First: {A}\nSecond: {B}\nThird: {C}", "ordinals from nine": f"Ninth: {A}\nTenth: {B}\nEleventh: {C}",
    "ordinals in digits": f"1st: {A}\n2nd: {B}\n3rd: {C}", "ordinals in digits, 9": f"9th. {A}\n10th. {B}\n11th. {C}", "ordinals and task": f"First task: {A}\nSecond task: {B}\nThird task: {C}", "The first task": f"The first task: {A}\nThe second task: {B}\nThe third task: {C}",
    "words": f"One. {A}\nTwo. {B}\nThree. {C}", "words and a colon": f"Nine: {A}\nTen: {B}\nEleven: {C}", "Task nine": f"Task nine: {A}\nTask ten: {B}\nTask eleven: {C}", "TASK ONE": f"TASK ONE: {A}\nTASK TWO: {B}\nTASK THREE: {C}",
    "Number nine": f"Number nine: {A}\nNumber ten: {B}\nNumber eleven: {C}", "Task One as a heading": f"## Task One\n{A}\n\n## Task Two\n{B}\n\n## Task Three\n{C}", "German ordinals": f"Erstens: {A}\nZweitens: {B}\nDrittens: {C}",
    "Chinese numerals": f"九、{A}\n十、{B}\n十一、{C}", "Chinese ordinals": f"第一，{A}\n第二，{B}\n第三，{C}", "Chinese task": f"任务九：{A}\n任务十：{B}\n任务十一：{C}", "Arabic digits": f"٩. {A}\n١٠. {B}\n١١. {C}", "Hindi digits": f"९. {A}\n१०. {B}\n११. {C}", "Thai digits": f"๙. {A}\n๑๐. {B}\n๑๑. {C}",
    "full-width digits": f"９ {A}\n１０ {B}\n１１ {C}",
    "bullets": f"- {A}\n- {B}\n- {C}", "plus": f"+ {A}\n+ {B}\n+ {C}", "triangles": f"▸ {A}\n▸ {B}\n▸ {C}", "arrows": f"→ {A}\n→ {B}\n→ {C}", "ticks": f"✅ {A}\n✅ {B}\n✅ {C}", "stars": f"★ {A}\n★ {B}\n★ {C}", "emoji": f"🌊 {A}\n🧱 {B}\n🥖 {C}",
    "checkboxes": f"- [ ] {A}\n- [ ] {B}\n- [ ] {C}", "checked": f"- [x] {A}\n- [X] {B}\n- [ ] {C}", "bare checkboxes": f"[ ] {A}\n[ ] {B}\n[x] {C}", "box characters": f"☐ {A}\n☐ {B}\n☑ {C}", "checkboxes with stars": f"* [ ] {A}\n* [ ] {B}\n* [ ] {C}",
    "quotations": f"> {A}\n> {B}\n> {C}", "escaped bullets": f"\\- {A}\n\\- {B}\n\\- {C}", "LaTeX": f"\\begin{{enumerate}}\n\\item {A}\n\\item {B}\n\\item {C}\n\\end{{enumerate}}", "reStructuredText": f"#. {A}\n#. {B}\n#. {C}",
    "bullets after the first": f" {A}\n- {B}\n- {C}", "one bullet after the first": f" {A}\n- {B}", "bold lines": f"**{A}**\n**{B}**\n**{C}**", "italic lines": f"*{A}*\n*{B}*\n*{C}*", "headings": f"# {A}\n# {B}\n# {C}", "lines": f"{A}\n{B}\n{C}", "two lines": f" {A}\n{B}",
    "paragraphs": f"{A}\n\n{B}\n\n{C}", "rules between": f"{A}\n---\n{B}\n---\n{C}", "rules and blank lines": f"{A}\n\n---\n\n{B}\n\n***\n\n{C}", "lines that end in a backslash": f"9. {A}\\\n10. {B}\\\n11. {C}",
    "labels": f"Task: {A}\nTask: {B}\nTask: {C}", "small labels": f"task: {A}\ntask: {B}\ntask: {C}", "bold labels": f"**Task:** {A}\n**Task:** {B}\n**Task:** {C}", "Instruction": f"Instruction: {A}\n\nInstruction: {B}\n\nInstruction: {C}",
    "Prompt": f"Prompt: {A}\nPrompt: {B}\nPrompt: {C}", "labels from the second": f" {A}\nTask: {B}\nTask: {C}",
    "quotes": f'"{A}"\n"{B}"\n"{C}"', "quotes and numbers": f'9. "{A}"\n10. "{B}"\n11. "{C}"', "many kinds of quotes": f'"{A}"\n10. “{B}”\n11. «{C}»', "single quotes": f"9. '{A}'\n10. '{B}'\n11. ‘{C}’", "code": f"9. `{A}`\n10. `{B}`\n11. `{C}`", "quotes and commas": f'"{A}",\n"{B}",\n"{C}"',
    "quotes on one line": f'"{A}", "{B}", "{C}"', "quotes around the number": f'"9. {A}"\n"10. {B}"\n"11. {C}"', "bullets and quotes": f'- "{A}"\n- "{B}"\n- "{C}"', "quotes in bold": f'9. **"{A}"**\n10. **"{B}"**\n11. **"{C}"**',
    "one line": f"{A} 10. {B} 11. {C}", "one line, all numbered": f"9. {A} 10. {B} 11. {C}", "one line from 1": f"1. {A} 2. {B} 3. {C}", "one line with brackets": f"(1) {A} (2) {B} (3) {C}", "one line, a bracket after": f"9) {A} 10) {B} 11) {C}",
    "one line with Task": f"Task 9: {A} Task 10: {B} Task 11: {C}", "one line, bold": f"**9.** {A} **10.** {B} **11.** {C}", "one line, escaped": f"9\\. {A} 10\\. {B} 11\\. {C}", "one line, keys": f"1️⃣ {A} 2️⃣ {B} 3️⃣ {C}", "one line, circles": f"①{A}②{B}③{C}",
    "one line, bullets": f"• {A} • {B} • {C}", "one line, dashes": f"- {A} - {B} - {C}", "one line, semicolons": f"9. {A}; 10. {B}; 11. {C}", "one line, Step": f"Step 9: {A} Step 10: {B} Step 11: {C}", "one line, bars": f"{A} | {B} | {C}", "one line, letters": f"a) {A} b) {B} c) {C}", "one line, two spaces": f"9. {A}  10. {B}  11. {C}",
    "one line, a dash": f"9 - {A} 10 - {B} 11 - {C}", "one line, roman": f"I. {A} II. {B} III. {C}", "one line, no stop": f"9 {A} 10 {B} 11 {C}", "one line, HTML": f"9. {A}<br>10. {B}<br/>11. {C}",
    "two on a line": f"9. {A} 10. {B}\n11. {C}",
    "JSON": f'["{A}", "{B}", "{C}"]', "JSON over lines": f'[\n  "{A}",\n  "{B}",\n  "{C}"\n]', "a comma too many": f'[\n  "{A}",\n  "{B}",\n  "{C}",\n]', "JSON in a fence": f'```json\n["{A}", "{B}", "{C}"]\n```', "Python": f"['{A}', '{B}', '{C}']", "an assignment": f'tasks = ["{A}", "{B}", "{C}"]',
    "JSON after an announcement": f'Here are the tasks:\n["{A}", "{B}", "{C}"]', "JSON and a remark": f'["{A}", "{B}", "{C}"]\n\nLet me know if you need more!', "objects": f'[{{"instruction": "{A}"}}, {{"instruction": "{B}"}}, {{"instruction": "{C}"}}]', "objects with a task": f'[{{"id": 9, "task": "{A}"}}, {{"id": 10, "task": "{B}"}}, {{"id": 11, "task": "{C}"}}]',
    "objects with all": f'[{{"instruction": "{A}", "input": "x", "output": "y"}}, {{"instruction": "{B}", "input": "", "output": "z"}}, {{"instruction": "{C}"}}]', "an object around": f'{{"tasks": ["{A}", "{B}", "{C}"]}}', "objects in an object": f'{{"instructions": [{{"text": "{A}"}}, {{"text": "{B}"}}, {{"text": "{C}"}}]}}',
    "numbers for names": f'{{"9": "{A}", "10": "{B}", "11": "{C}"}}', "task_9": f'{{"task_9": "{A}", "task_10": "{B}", "task_11": "{C}"}}', "JSON lines": f'{{"instruction": "{A}"}}\n{{"instruction": "{B}"}}\n{{"instruction": "{C}"}}', "titles": f'[{{"title": "{A}"}}, {{"title": "{B}"}}, {{"title": "{C}"}}]', "prompts": f'[{{"Prompt": "{A}"}}, {{"Prompt": "{B}"}}, {{"Prompt": "{C}"}}]',
    "numbers in the texts": f'["9. {A}", "10. {B}", "11. {C}"]', "JSON after the number": f'9. ["{A}", "{B}", "{C}"]', "an object each": f'9. {{"instruction": "{A}"}}\n10. {{"instruction": "{B}"}}\n11. {{"instruction": "{C}"}}', "a title and a description": f'[{{"title": "Rivers", "description": "{A}"}}, {{"title": "Bricks", "description": "{B}"}}, {{"title": "French", "description": "{C}"}}]',
    "YAML": f"- instruction: {A}\n- instruction: {B}\n- instruction: {C}", "YAML under a name": f"tasks:\n  - {A}\n  - {B}\n  - {C}", "YAML with all": f"- instruction: {A}\n  input: x\n  output: y\n- instruction: {B}\n  input: z\n- instruction: {C}", "YAML with ids": f"- id: 9\n  instruction: {A}\n- id: 10\n  instruction: {B}\n- id: 11\n  instruction: {C}",
    "YAML quoted": f'- "{A}"\n- "{B}"\n- "{C}"', "YAML task quoted": f'- task: "{A}"\n- task: "{B}"\n- task: "{C}"', "YAML folded": f"- instruction: >\n    {A}\n- instruction: |\n    {B}\n- instruction: >-\n    {C}", "YAML numbers": f"9: {A}\n10: {B}\n11: {C}", "YAML in a fence": f"```yaml\n- instruction: {A}\n- instruction: {B}\n- instruction: {C}\n```", "YAML task_9": f"task_9: {A}\ntask_10: {B}\ntask_11: {C}",
    "TOML": f'[[tasks]]\ninstruction = "{A}"\n\n[[tasks]]\ninstruction = "{B}"\n\n[[tasks]]\ninstruction = "{C}"',
    "a table": f"| # | Task |\n|---|---|\n| 9 | {A} |\n| 10 | {B} |\n| 11 | {C} |", "a table without a header": f"| 9 | {A} |\n| 10 | {B} |\n| 11 | {C} |", "more columns": f"| No. | Category | Instruction |\n|:--|:-:|--:|\n| 9 | writing about the world and all | {A} |\n| 10 | ideas | {B} |\n| 11 | language | {C} |", "no outer bars": f"# | Task\n---|---\n9 | {A}\n10 | {B}\n11 | {C}",
    "a table of one column": f"| Task |\n|---|\n| {A} |\n| {B} |\n| {C} |", "a table announced": f"Here are the tasks:\n\n| Task | Type |\n|---|---|\n| {A} | open |\n| {B} | open |\n| {C} | closed |", "a table in a fence": f"```\n| # | Task |\n|---|---|\n| 9 | {A} |\n| 10 | {B} |\n| 11 | {C} |\n```", "a table in bold": f"| **#** | **Task** |\n|---|---|\n| **9** | **{A}** |\n| **10** | **{B}** |\n| **11** | **{C}** |",
    "CSV": f'number,task\n9,"{A}"\n10,"{B}"\n11,"{C}"', "TSV": f"9\t{A}\n10\t{B}\n11\t{C}", "an ASCII table": f"+----+------+\n| #  | Task |\n+----+------+\n| 9  | {A} |\n| 10 | {B} |\n| 11 | {C} |\n+----+------+",
    "HTML": f"<ol>\n<li>{A}</li>\n<li>{B}</li>\n<li>{C}</li>\n</ol>", "HTML on one line": f"<ol><li>{A}</li><li>{B}</li><li>{C}</li></ol>", "HTML with a start": f'<ol start="9">\n  <li>{A}</li>\n  <li>{B}</li>\n  <li>{C}</li>\n</ol>', "ul": f"<ul><li>{A}</li><li>{B}</li><li>{C}</li></ul>", "li alone": f"<li>{A}\n<li>{B}\n<li>{C}", "HTML in a fence": f"```html\n<ol>\n<li>{A}</li>\n<li>{B}</li>\n<li>{C}</li>\n</ol>\n```",
    "HTML, bold": f"<ol><li><b>{A}</b></li><li><strong>{B}</strong></li><li><p>{C}</p></li></ol>", "paragraphs of HTML": f"<p>9. {A}</p>\n<p>10. {B}</p>\n<p>11. {C}</p>", "bare paragraphs of HTML": f"<p>{A}</p><p>{B}</p><p>{C}</p>", "a table of HTML": f"<table><tr><th>#</th><th>Task</th></tr><tr><td>9</td><td>{A}</td></tr><tr><td>10</td><td>{B}</td></tr><tr><td>11</td><td>{C}</td></tr></table>",
    "headings of HTML": f"<h3>Task 9</h3><p>{A}</p><h3>Task 10</h3><p>{B}</p><h3>Task 11</h3><p>{C}</p>", "XML": f"<task>{A}</task>\n<task>{B}</task>\n<task>{C}</task>", "XML with ids": f'<tasks><task id="9">{A}</task><task id="10">{B}</task><task id="11">{C}</task></tasks>', "XML instructions": f"<instruction>{A}</instruction>\n<instruction>{B}</instruction>\n<instruction>{C}</instruction>",
    "XML with fields": f"<task><instruction>{A}</instruction><input>x</input></task>\n<task><instruction>{B}</instruction></task>\n<task><instruction>{C}</instruction></task>", "numbered tags": f"<task9>{A}</task9>\n<task10>{B}</task10>\n<task11>{C}</task11>", "HTML announced": f"Sure, here are the tasks:\n<ol>\n<li>{A}</li>\n<li>{B}</li>\n<li>{C}</li>\n</ol>",
    "fences around each": f"9.\n```\n{A}\n```\n10.\n```\n{B}\n```\n11.\n```\n{C}\n```", "waves": f"~~~\n9. {A}\n10. {B}\n11. {C}\n~~~", "a mixture": f"9. {A}\nTask 10: {B}\n11) {C}", "another mixture": f" {A}\n10 - {B}\n**11.** {C}", "a third": f"9\\. {A}\n(10) {B}\n#11: {C}", "mixed with a key": f"9. {A}\n🔟 {B}\n11. {C}", "roles": f"9. {A}\n\n10. {B}\n\n**Task 11**\n{C}",
    "a number not written": f"9. {A}\n10 . {B}\n11. {C}", "a stop before": f"9. {A}\n10.. {B}\n11. {C}", "titles above": f"### Task 9: Rivers\n{A}\n\n### Task 10: Bricks\n{B}\n\n### Task 11: Lines\n{C}", "bold titles above": f"**9. Rivers**\n{A}\n\n**10. Bricks**\n{B}\n\n**11. Lines**\n{C}",
    "fields": f"9. Title: Rivers\n   Instruction: {A}\n10. Title: Bricks\n   Instruction: {B}\n11. Title: Lines\n   Instruction: {C}", "Task again after the number": f"9. Task: {A}\n10. Task: {B}\n11. Task: {C}", "a kind below": f"9. {A}\n   Category: writing\n10. {B}\n   Difficulty: easy\n11. {C}\n   Type: open", "answers below": f"9. {A}\nAnswer: It flows.\n10. {B}\nresponse: walls\n11. {C}\n**Expected output:** la ligne",
    "announced on the line": f"Here are three more tasks: 1. {A} 2. {B} 3. {C}", "announced, all on one line": f"Sure! Here are the tasks: (1) {A} (2) {B} (3) {C}", "a kind in brackets": f"Task 9 (writing): {A}\nTask 10 (ideas): {B}\nTask 11 (language): {C}", "Next task": f"New task: {A}\nNew task: {B}\nNew task: {C}", "a yes first": f"9. {A}\n\n\n10. {B}\n\n\n11. {C}",
    "curly JSON": f"{{“instruction”: “{A}”}}\n{{“instruction”: “{B}”}}\n{{“instruction”: “{C}”}}", "objects by number": f'{{"1": {{"task": "{A}"}}, "2": {{"task": "{B}"}}, "3": {{"task": "{C}"}}}}', "arrays in an array": f'[["{A}"], ["{B}"], ["{C}"]]', "instruction1": f'{{"instruction1": "{A}", "instruction2": "{B}", "instruction3": "{C}"}}', "bold all": f"**9. {A}**\n**10. {B}**\n**11. {C}**", "bold labels after the number": f"9. **Task:** {A}\n10. **Task:** {B}\n11. **Task:** {C}", "ninth task": f"9th task: {A}\n10th task: {B}\n11th task: {C}",
    "parts under titles": f"9. Geography\n9.1. {A}\n9.2. {B}\n10. Language\n10.1. {C}", "parts after the first": f"1. {A}\n9.2. {B}\n9.3. {C}", "parts from the second": f" {A}\n9.2 {B}\n9.3 {C}",
}  # fmt: skip

WHOLE = {  # one task, whatever is in it
    "answers to choose from": "Which of these is a mammal?\nA) Dog\nB) Trout\nC) Crow", "answers on one line": "Which of these is a mammal? A) Dog B) Trout C) Crow D) Ant", "answers in brackets": "Which of these is a mammal: (a) a dog, (b) a trout or (c) a crow?",
    "a number first": "3 apples cost 5 dollars. How much is one of them?", "a year first": "1984 is a novel by George Orwell. Say what it is about.", "a title that begins with a number": "10 Ways to Save Water: write the first paragraph.", "a decimal number": "3.5 hours is how many minutes? Explain.",
    "steps on one line": "Sort these steps: 1. Pour the tea. 2. Boil the water. 3. Wait five minutes.", "a range": "Give a number from 9 - 11 and say why.", "numbers after words": "Explain why No. 10 Downing Street is famous.", "a sum": "What is 9 - 3 + 10. Explain it in one sentence.",
    "a letter": "A) is a strange way to begin. Say why that is so.", "an article": "A dog ate my homework: is this a good excuse?", "a pronoun": "I am late for work. Write a short excuse.", "Task in a sentence": "Task 3 of the exam was hard; explain how to solve it.", "a quotation": 'Who said "I think, therefore I am"?', "two quotations": '"Stone" rhymes with which of these: "bone" or "moon"',
    "JSON in a task": 'Turn this JSON into YAML: {"a": 1, "b": [2, 3]}', "JSON first": '{"a": 1} is given. What is the value of a?', "an array in a task": 'Sort this list: ["pear", "fig", "apple"]', "an array first": "[3, 1, 2] is a list. Sort it, smallest first.", "HTML in a task": "What does <ul><li>one</li><li>two</li></ul> look like in a browser?", "a tag first": "<br> is an element of HTML. What does it do?",
    "a table in a task": "What is the sum of the row | 1 | 2 | 3 | in this table?", "a bar": "What does the | sign do in a shell?", "ordinals": "First, translate the text into French. Second, count its words.", "a step in words": "Step 1 of a recipe says to boil water. What may step 2 be?", "a bullet inside": "What does a • mean at the beginning of a line?", "a hyphen": "Explain the word well-being - and use it in a sentence.", "a circled number": "What does the sign ② stand for in a list?",
    "a key": "What does the emoji 1️⃣ stand for in a message?", "escaped marks": "What does 9\\. mean in Markdown, and why is it written so?", "a date": "On 12. May 1990 it rained. Turn it into a question.", "a time": "It is 9:30. How long is it until noon?", "a verse": "Explain John 3:16 in your own words.", "a version": "2.0 of the program is out. Write the announcement.", "a score": "The game ended 10 - 9. Write a headline for it.", "checkboxes": "What does [ ] mean in a list of things to do?",
    "a short first line": "Name a river\nthat flows through two capitals.", "an input below": "Complete the sentence\nThe dog is barking at the.", "a list after a colon": "Write a letter with these parts:\n- a greeting\n- a thank you\n- a farewell", "numbers after a colon": "Put these in order:\n1. the present\n2. the future\n3. the past", "bare numbers after a colon": "Add up the prices:\n10 Apples\n11 Pears\n12 Figs", "letters after a colon": "Answer these about the poem:\na) Who speaks in the poem?\nb) To whom do they speak?", "a second sentence": "Read the text about bees.\nThen say what it is about in one line.", "a constraint": "Write a story about a dog.\nIt must not be longer than one page.",
    "an abbreviation": "Say when he came: on Jan. 5. Was it Monday?", "a wrapped line": "Name a river that flows\nthrough two capitals.", "a roman number": "Who was Louis XIV. and why is he known?", "an initial": "J. R. R. Tolkien wrote which books? Name three.", "a Chinese list": "把下面的步骤排好顺序：1. 倒茶。2. 烧水。3. 等五分钟。", "an equals sign": "x = [1, 2, 3] is written in which languages?", "a name in brackets": "[Your name] stands for what in a letter?",
    "small inner numbers": "Describe the order of events (1) before, (2) during and (3) after the war.",
}  # fmt: skip


@pytest.mark.parametrize("first", [True, False], ids=["numbered", "first without"])
@pytest.mark.parametrize("style", STYLES)
def test_a_list_is_read_in_each_style(style, first):
    marks = [STYLES[style].format(n=n) for n in ((9, 10, 11) if "9." not in STYLES[style] else (1, 2, 3))]
    blank = "\n\n" if "Task" in STYLES[style] and STYLES[style].endswith("\n") else "\n"
    tail = '"' if style == "quoted all" else ""
    text = blank.join(mark + item + tail for mark, item in zip(marks, ALL, strict=True))

    assert parse_list(text if first else text.removeprefix(marks[0])) == ALL


@pytest.mark.parametrize("style", STYLES)
def test_numbers_that_begin_with_one_are_read_in_each_style(style):
    tail = '"' if style == "quoted all" else ""
    text = "\n".join(STYLES[style].format(n=n) + item + tail for n, item in enumerate(ALL, 1))

    assert parse_list(text) == ALL


@pytest.mark.parametrize("name", WRITTEN)
def test_a_list_is_read_however_it_is_written(name):
    found = [item for item in parse_list(WRITTEN[name]) if not is_preamble(item)]

    assert found == [item for item in ALL if item in WRITTEN[name]]


@pytest.mark.parametrize("name", WHOLE)
def test_one_task_is_not_cut_or_split(name):
    text = " ".join(WHOLE[name].split())

    assert parse_list(f" {WHOLE[name]}") == [text]
    assert parse_list(f" {WHOLE[name]}\n10. {B}") == [text, B]
    assert parse_list(f"9. {WHOLE[name]}\n10. {B}\n11. {C}") == [text, B, C]


SEVERAL = {
    "bullets below a task": f"9. {A}\n- {B}\n- {C}", "letters below a task": f"9. {A}\na) {B}\nb) {C}\n10. {A}", "numbers in it": f"9. {A}\n   1. {B}\n   2. {C}\n10. {A}", "letters after the first": f" {A}\na) {B}\nb) {C}",
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_what_may_be_one_task_or_several_is_rejected(name):
    tasks = list(Instructions().parse(Completion(id="1", text=SEVERAL[name]), (), 0))

    assert tasks[0].rejected == "several_tasks"


@pytest.mark.parametrize("name", WHOLE)
def test_a_task_with_parts_is_not_taken_for_several(name):
    tasks = list(Instructions().parse(Completion(id="1", text=f"9. {WHOLE[name]}\n10. {B}"), (), 0))

    assert [task.rejected for task in tasks] == [None, None]


def test_a_heading_that_says_what_to_do_is_kept_with_what_it_is_about():
    text = f"### Task 9: Complete it\nThe dog is barking at the.\n\n### Task 10: Rivers\n{A}"

    assert parse_list(text) == ["Complete it: The dog is barking at the.", A]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (f"1. 1. {A}\n2. 2. {B}\n3. 3. {C}", ALL),
        (f" {A}\n10. 1. {B}\n11. 2. {C}", ALL),
        (f"1. a) {A}\n2. b) {B}", [A, B]),
        (f"1. {A}\n2. 7. Symphony by Mahler: who wrote it?", [A, "7. Symphony by Mahler: who wrote it?"]),
        (f"1. 1) Name it, 2) sing it.\n2. {B}", ["1) Name it, 2) sing it.", B]),
    ],
)
def test_a_second_number_goes_where_each_item_has_one(text, items):
    assert parse_list(text) == items
