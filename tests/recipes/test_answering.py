"""Recipes in which models answer and an answer is chosen: each runs on the embedded model, and on many tasks with toys."""

import json
import re

import pytest

from pipeline import Completion, Instance, Request, RunOptions, Task, run
from pipeline.cli.main import main
from pipeline.engines.base import ScoreRequest
from pipeline.engines.scripted import Scripted
from pipeline.runs.products import read_record
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from pipeline.stage import Stage
from tests.recipes.few_seeds import write_few
from tests.runs.answering import answers, toys
from tests.runs.rewriting import Chatty, asked_for, noise, rewrites

META = {"use_case": "words", "skills": ["spelling"]}
RATED_OR_PLAIN = re.compile(r"\nRatings:$|\n\n$")  # how the prompts of answer and choose end
NANO = '{ name = "transformers", model = "nano" }'
DEMOS = (
    'answer.prompt="with_demos"',
    "answer.num_demos=4",
    "answer.sampling.max_tokens=24",
    'answer.sampling.stop=["\\n"]',
)
FEW = (
    "instructions.num_tasks=4", "instructions.sampling.max_tokens=120", "instances.num_input_first_demos=3",
    "instances.num_output_first_demos=3", "instances.sampling.max_tokens=60", *DEMOS,
)  # fmt: skip
TOY = {  # what makes each small enough for the embedded model
    "ensemble": (*FEW, f"engines.second={NANO}", f"engines.third={NANO}", "instructions.num_demos=8"),
    "grape": (*FEW, f"engines.second={NANO}", f"engines.third={NANO}", f"engines.target={NANO}"),
    "clear": (*DEMOS, "answer.num_answers=2"),
    "s3ft": (*DEMOS, "answer-paraphrase.sampling.max_tokens=24"),
    "codeclm_contrast": (
        *DEMOS,
        f"engines.target={NANO}",
        "compose.num_tasks=3",
        "encode.sampling.max_tokens=20",
        "compose.sampling.max_tokens=80",
        "evolve.rounds=1",
        "evolve.sampling.max_tokens=40",
        "choose={ by = 'ratings' }",
    ),
    "clear_correct": (*DEMOS, f"engines.tuned={NANO}", "choose.num_verdicts=1", "choose.unsure=keep"),
}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_few(tmp_path_factory.mktemp("seeds") / "few.jsonl", META)


@pytest.mark.parametrize("name", TOY)
def test_each_runs_from_the_command_line_on_the_embedded_model(name, few, tmp_path, capsys):
    seeds = "nano" if any(change.startswith("instructions.") for change in TOY[name]) else few
    command = ["run", name, "--engine", "transformers", "--model", "nano", "--seeds", seeds, "--out", str(tmp_path)]
    main([*command, "--quiet", *(part for change in TOY[name] for part in ("--set", change))])

    rows = [json.loads(line) for line in (tmp_path / "dataset" / "alpaca.jsonl").read_text("utf-8").splitlines()]
    assert rows
    assert "choose" in capsys.readouterr().out or name == "clear"


def says(request):
    """As the toys of `tests/runs`; of a few words one, so that a model is confident or not."""
    if request.choices and not str(request.prompt).endswith("Better:"):
        return request.choices[noise(request.prompt)[0] % len(request.choices)]
    return answers(request)


def likely(request: ScoreRequest) -> float:
    return -len(request.continuation) / 9


@pytest.mark.parametrize("name", [name for name in TOY if not name.startswith("codeclm")])
def test_each_goes_through_every_stage_with_more_tasks_than_an_engine_takes_at_once(name, seeds, tmp_path):
    changes = [change.replace("=4", "=120") for change in TOY[name] if change.startswith("instructions.num_tasks")]
    settings = read(name, [*changes, "engine.model=toy"])
    stages = [stage for stage in build_stages(settings) if isinstance(stage, Stage)]
    many = [
        seed.update(id=f"{n}-{seed.id}", instruction=f"{seed.instruction} {n}") for n in range(10) for seed in seeds
    ]
    given = seeds if stages[0].adds else many
    there = {
        engine: Scripted(says, model=engine, window=7, chat=engine != "second", likelihood=likely)
        for engine in settings.engines
    }
    kept = run(stages, given, toys(64, says).engine, tmp_path, RunOptions(engines=there))

    assert len(kept) > 3
    assert all(task.instances for task in kept)
    assert read_record(tmp_path / "settings.json").keys() == {stage.name for stage in stages}


def test_codeclm_keeps_what_the_strong_model_does_much_better_or_much_worse(seeds, tmp_path):
    settings = read("codeclm_contrast", ["compose.num_tasks=40", "evolve.rounds=2", "engine.model=toy"])
    stages = [stage for stage in build_stages(settings) if isinstance(stage, Stage)]

    def strong(request: Request) -> str | Completion:
        return answers(request) if RATED_OR_PLAIN.search(asked_for(request)) else rewrites(request)

    given = [seed.update(meta=META) for seed in seeds]
    weak = Scripted(answers, model="weak")
    kept = run(stages, given, Chatty(strong), tmp_path, RunOptions(engines={"target": weak}))

    instances = [one for task in kept for one in task.instances]
    assert instances
    for one in instances:
        worse, better = sorted(one.answers, key=lambda answer: answer.scores["rating"])
        assert {worse.model, better.model} == {"scripted", "weak"}
        assert better.scores["rating"] - worse.scores["rating"] > 3
        assert one.output == better.text


def test_s3ft_takes_the_own_answer_then_the_paraphrase_then_the_output(tmp_path):
    def model(request: Request) -> str | Completion:
        prompt = str(request.prompt)
        if prompt.endswith("New answer:"):
            return "It is a mule, of course." if "farm" in prompt else "Some animal."
        if "fish" in prompt:
            return Completion(id=request.id, text="The sea holds so", finish_reason="length")
        return "That is a zebra." if "stripes" in prompt else "Something else."

    rows = [("Name the animal with stripes.", "zebra"), ("Name the animal of a farm.", "mule"), ("Name a bird.", "emu")]
    rows.append(("Name a fish.", "eel"))  # what the model says itself is cut off
    seeds = [Task(id=text, instruction=text, instances=(Instance(output=output),)) for text, output in rows]
    stages = [one for one in build_stages(read("s3ft", ["engine.model=toy"])) if isinstance(one, Stage)]
    kept = run(stages, seeds, Scripted(model), tmp_path)

    assert [task.instances[0].output for task in kept] == ["That is a zebra.", "It is a mule, of course.", "emu", "eel"]
    assert [[answer.scores["check"] for answer in task.instances[0].answers] for task in kept] == [
        [1, 0, 1], [0, 1, 1], [0, 0, 1], [0, 1],
    ]  # fmt: skip
