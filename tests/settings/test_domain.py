"""What all tasks are about, and templates that replace single ones: in the prompts, in the record, and what is wrong."""

import ast
import json
import tomllib
from pathlib import Path

import pytest

from pipeline import Instance, Request, Task, read_seeds, run
from pipeline.asking.templates import render
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.resources import PACKAGE
from pipeline.stages import Classify, Instances, Instructions, Verify
from tests.conftest import answer

SHOP = "support for a bicycle shop"
TOY = ["--engine", "scripted", "--set", "engine.answer=tests.conftest:answer", "--set", "instructions.num_tasks=8"]
DEMOS = [Task(id="a", instruction="Add.", is_classification=False, instances=(Instance(input="1 1", output="2"),))]
BEFORE = {  # the first lines of the prompts of a run without a domain, as they were before there was one
    "instructions": "Continue this numbered list of tasks for an assistant. The tasks differ in subject, form and length, and no two are alike.\n1. Add.\n2.",
    "instances_input_first": "Each task is followed by examples of its solution: the input, where the task needs one, and the right output.\n\nTask: Add.\nExample 1\nInput: 1 1\nOutput: 2\n\nTask: Go.\nExample 1",
    "instances_output_first": "Each classification task is followed by its labels, and after each label an input for which it is the right answer.\n\nTask: Add.\nClass label: 2\nInput: 1 1\n\nTask: Go.\nClass label:",
    "instructions_chat": "Write a numbered list of tasks that somebody could give to an assistant. The tasks differ in subject, form and length, and no two are alike.",
    "instances_input": "Task: Go.\n\nWrite one input for this task: the text, list or data that it is to be done with. Write the input alone, and do not do the task.",
    "instances_labels": "Task: Go.\n\nThe answer is always one of a few labels. Write each label, and below it an input for which it is the right answer.",
    "verify": "Each task is followed by examples of its solution: the input, where the task needs one, and the right output.\n\nTask: Add.\nExample 1\nInput: 1 1\nOutput: 2\n\nTask: Go.\nExample 1\nOutput:",
}


def fails(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(args)
    assert end.value.code == 1
    return capsys.readouterr().err.strip().splitlines()[-1]


def settings_file(folder: Path, text: str, seed_file: Path) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "my.toml").write_text(
        f'seeds = "{seed_file}"\nout = "{folder}/run"\n{text}\n[engine]\nname = "scripted"\n'
        'answer = "tests.conftest:answer"\n[instructions]\nnum_tasks = 8\n'
    )
    return str(folder / "my.toml")


@pytest.mark.parametrize("name", BEFORE)
def test_without_a_domain_the_prompts_are_those_of_before(name: str):
    demos = ["Add."] if name == "instructions" else DEMOS

    assert render(name, demos=demos, instruction="Go.", input="") == BEFORE[name]


@pytest.mark.parametrize("name", BEFORE)
def test_each_of_these_templates_says_the_domain_once(name: str):
    demos = ["Add."] if name == "instructions" else DEMOS

    assert render(name, Instances(domain=SHOP), demos=demos, instruction="Go.", input="").count(SHOP) == 1


class Heard:
    """A scripted model that remembers what it was asked."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def __call__(self, request: Request) -> str:
        self.prompts.append(str(request.prompt))
        return " eins" if self.prompts[-1].endswith("Output:") else answer(request)


def test_every_prompt_that_asks_for_text_says_the_domain(seeds, tmp_path):
    heard = Heard()
    stages = [
        Instructions(num_tasks=8, domain=f"  {SHOP}.\n"), Classify(domain=SHOP), Instances(domain=SHOP), Verify(domain=SHOP),
    ]  # fmt: skip
    run(stages, seeds, Scripted(heard), tmp_path)

    said = [prompt for prompt in heard.prompts if not prompt.endswith("Classification:")]
    assert len(said) > 16
    assert all(prompt.count(SHOP) == 1 for prompt in said)
    assert heard.prompts[0].startswith(
        "Continue this numbered list of tasks for an assistant. Its domain is support for a bicycle shop, and every task belongs to it. The tasks"
    )


def test_the_domain_is_an_option_and_a_setting_and_a_run_refuses_another(seed_file, tmp_path, capsys):
    path = settings_file(tmp_path, f'domain = "{SHOP}"', seed_file)
    main(["run", path])
    recorded = json.loads((tmp_path / "run" / "settings.json").read_text())

    assert {stage: one.get("domain") for stage, one in recorded.items()} == {
        "instructions": SHOP, "classify": None, "instances": SHOP, "filter": None, "export": None,
    }  # fmt: skip
    main(["run", path, "--domain", SHOP])
    assert "was begun with different settings: domain in instructions" in fails(capsys, "run", path, "--domain", "tea")
    assert "was begun with different settings: domain in instructions" in fails(
        capsys, "run", path, "--set", "domain=''"
    )


def test_a_domain_that_no_template_names_is_told_of(seed_file, tmp_path, capsys):
    stages = 'stages = ["filter", "export"]'
    (tmp_path / "my.toml").write_text(
        f'seeds = "{seed_file}"\nout = "{tmp_path}/run"\ndomain = "tea"\n{stages}\n[engine]\nname = "scripted"\nanswer = "tests.conftest:answer"\n'
    )
    main(["run", str(tmp_path / "my.toml")])

    assert "domain: no template of this run uses it, so it changes nothing; see [prompts]" in capsys.readouterr().err


def test_a_template_of_ones_own_replaces_one_and_counts_from_the_settings_file(seed_file, tmp_path, capsys):
    folder = tmp_path / "there"
    path = settings_file(folder, f'domain = "{SHOP}"\nprompts.instructions = "mine.jinja"', seed_file)
    template = folder / "mine.jinja"
    template.write_text(
        "Questions about {{ domain }}:\n{% for demo in demos %}\n{{ loop.index }}. {{ demo }}\n{% endfor %}\n{{ demos|length + 1 }}."
    )
    main(["run", path])
    main(["run", path])
    capsys.readouterr()
    main(
        [
            "why",
            json.loads((folder / "run" / "1_instructions.jsonl").read_text().splitlines()[0])["id"],
            str(folder / "run"),
            "--full",
        ]
    )

    assert f"Questions about {SHOP}:" in capsys.readouterr().out
    card = (folder / "run" / "dataset" / "README.md").read_text()
    made = card.partition("```toml\n")[2].partition("```")[0]
    assert "# The maker's own templates took the place of instructions.\n" in made
    assert tomllib.loads(made)["domain"] == SHOP
    template.write_text(f"{template.read_text()} ")
    assert "was begun with different settings: instructions.jinja in instructions" in fails(capsys, "run", path)


@pytest.mark.parametrize(
    ("table", "template", "said"),
    [
        ('[prompts]\ninstructions = "mine.jinja"', None, "my.toml:4: [prompts] instructions: {folder}/mine.jinja is not there; give a Jinja template, such as a changed copy of prompts/instructions.jinja"),
        ('[prompts]\n# instructions = "x"\n\n"instructions"="mine.jinja"', None, "my.toml:6: [prompts] instructions: {folder}/mine.jinja is not there"),
        ('prompts = { classify = "classify.jinja", instructions = "mine.jinja" }', None, "my.toml:3: [prompts] classify: {folder}/classify.jinja is not there"),
        ('prompts.instructions = "run"', None, "my.toml:3: [prompts] instructions: {folder}/run is not there"),
        ('[prompts]\ninstructions = "."', None, "my.toml:4: [prompts] instructions: {folder} is a folder"),
        ('[prompts]\ninstructions = ""', None, "my.toml:4: [prompts] instructions: {folder} is a folder"),
        ('[prompts]\ninstruction = "mine.jinja"', "", "my.toml:4: [prompts] there is no template 'instruction'; did you mean instructions?"),
        ('[prompts]\nfilter = "mine.jinja"', "", "my.toml:4: [prompts] there is no template 'filter'; there are "),
        ('[prompts]\ninstructions = 3', "", "my.toml: prompts.instructions: input should be a valid string (found 3)"),
        ('prompts = "mine.jinja"', "", "my.toml: prompts is a table, not 'mine.jinja'"),
        ('[prompts]\ninstructions = "mine.jinja"', "One\n{% for %}", "mine.jinja:2: Expected an expression, got 'end of statement block'"),
        ('[prompts]\ninstructions = "mine.jinja"', "One\n\n{{ instruction }}", "mine.jinja:3: there is no variable 'instruction'; there are demos, domain"),
        ('[prompts]\ninstructions = "mine.jinja"', "One\n{{ domian }}", "mine.jinja:2: there is no variable 'domian'; did you mean domain?"),
        ('[prompts]\ninstructions = "mine.jinja"', "{% include 'more.jinja' %}", "mine.jinja: more.jinja is included, and not there"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_template_is_said_where_it_stands(table, template, said, seed_file, tmp_path, capsys):
    path = settings_file(tmp_path, table, seed_file)
    if template is not None:
        (tmp_path / "mine.jinja").write_text(template)

    assert said.format(folder=tmp_path) in fails(capsys, "run", path)
    assert not (tmp_path / "run" / "1_instructions.jsonl").exists()


def test_a_template_named_on_the_command_line_counts_from_the_folder_one_is_in(
    seed_file, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    said = fails(capsys, "run", "--seeds", str(seed_file), *TOY, "--set", "prompts.classify=mine.jinja")

    assert "--set: [prompts] classify: mine.jinja is not there" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [('domain = "tea"', "[instructions] domain: it goes above all tables, for all stages"),
     ('template_files = { instructions = "a" }', "[instructions] template_files: it goes into [prompts], for all stages")],
)  # fmt: skip
def test_a_stage_has_no_domain_of_its_own(line, said, seed_file, tmp_path, capsys):
    path = settings_file(tmp_path, "", seed_file)
    Path(path).write_text(Path(path).read_text() + line)

    assert said in fails(capsys, "run", path)


def test_what_is_printed_of_the_settings_has_both(seed_file, tmp_path, capsys):
    path = settings_file(tmp_path / "there", f'domain = "{SHOP}"\nprompts.classify = "mine.jinja"', seed_file)
    (tmp_path / "there" / "mine.jinja").write_text("{{ instruction }}")
    main(["settings", path])
    (tmp_path / "all.toml").write_text(capsys.readouterr().out)
    main(["settings", str(tmp_path / "all.toml")])

    assert (printed := capsys.readouterr().out) == (tmp_path / "all.toml").read_text()
    assert f'\ndomain = "{SHOP}"' in printed
    assert f'\nclassify = "{tmp_path}/there/mine.jinja"' in printed


@pytest.mark.parametrize("path", sorted((PACKAGE / "stages").glob("*.py")), ids=lambda path: path.stem)
def test_every_stage_fills_in_templates_as_its_settings_say(path: Path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("render", "filled_but_for"):
            number = 1 if ast.unparse(node.func) == "render" else 2
            assert len(node.args) > number, f"{path.name}:{node.lineno}: give the stage, so that its domain counts"


def test_a_stage_of_ones_own_is_told_the_domain(tmp_path, monkeypatch, seed_file):
    (tmp_path / "my_domain_stages.py").write_text(
        "from pipeline import Stage\nclass Stamp(Stage):\n    def decide(self, todo, done, context):\n"
        "        for task in todo:\n            yield task.update(name=self.domain)\n"
    )
    (tmp_path / "my.toml").write_text(
        f'seeds = "{seed_file}"\nout = "{tmp_path}/run"\ndomain = "tea"\nstages = ["my_domain_stages:Stamp"]\n'
        '[engine]\nname = "scripted"\nanswer = "tests.conftest:answer"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    main(["run", str(tmp_path / "my.toml")])

    assert {task.name for task in read_seeds(tmp_path / "run" / "1_stamp.jsonl")} == {"tea"}
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["stamp"]["domain"] == "tea"


def test_the_domain_counts_in_templates_that_the_settings_of_a_stage_name(seed_file, tmp_path, capsys):
    """Those of operations, kinds, `compose.template` and `answer.prompt`, which no table [prompts] replaces."""
    own = tmp_path / "mine.jinja"
    own.write_text("About {{ domain }}: {{ instruction }}")
    path = tmp_path / "my.toml"
    path.write_text(
        f'seeds = "{seed_file}"\nout = "{tmp_path}/run"\ndomain = "tea"\nstages = ["evolve", "encode"]\n'
        '[engine]\nname = "scripted"\nanswer = "tests.conftest:answer"\n'
        f"[evolve]\noperations = ['{own}']\nrounds = 1\n[encode]\nkinds = ['use_case', '{own}']\n"
    )
    main(["run", str(path)])

    assert "no template of this run uses it" not in capsys.readouterr().err
    recorded = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert recorded["evolve"]["domain"] == recorded["encode"]["domain"] == "tea"
    assert recorded["evolve"].keys() >= {"mine.jinja"}
    assert recorded["encode"].keys() >= {"mine.jinja", "encode_use_case.jinja"}
    assert "was begun with different settings: domain in evolve" in fails(capsys, "run", str(path), "--domain", "rice")
