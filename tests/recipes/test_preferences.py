"""Recipes whose rows say more than one output: each runs on the embedded model, and with toys."""

import json
from pathlib import Path

import pytest

from pipeline import Completion, Instance, RunOptions, Task, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.resources import folder
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from tests.runs.answering import answers, toys

DEMOS = (
    'answer.prompt="with_demos"', "answer.num_demos=4", "answer.sampling.max_tokens=24", 'answer.sampling.stop=["\\n"]',
)  # fmt: skip
RANKED = '{ preference = { score = "rating" }, ranked = { score = "rating" } }'
TOY = {  # what makes each small enough for the embedded model, which takes no messages
    "tuna": (
        *DEMOS, 'engines.judge={ name = "transformers", model = "nano" }', "answer.num_answers=2",
        'export.formats=["preference", "ranked"]', f"export.options={RANKED}", "instructions.num_tasks=4",
        "instructions.sampling.max_tokens=120", "instances.num_input_first_demos=3",
        "instances.num_output_first_demos=3", "instances.sampling.max_tokens=60",
    ),
    "r_tuning": DEMOS,
}  # fmt: skip


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", TOY)
def test_each_runs_from_the_command_line_on_the_embedded_model(name, tmp_path):
    few = tmp_path / "few.jsonl"
    rows = (folder("seed_tasks") / "nano.jsonl").read_text("utf-8").splitlines()[:8]
    few.write_text("".join(f"{row}\n" for row in rows), "utf-8")
    seeds, out = "nano" if name == "tuna" else str(few), tmp_path / "run"
    command = ["run", name, "--engine", "transformers", "--model", "nano", "--seeds", seeds, "--out", str(out)]
    main([*command, "--quiet", *(part for change in TOY[name] for part in ("--set", change))])

    assert [row for path in (out / "dataset").glob("*.jsonl") for row in lines(path)]


def test_tuna_exports_the_answers_in_the_order_of_their_ratings(seeds, tmp_path):
    stages = build_stages(read("tuna", ["instructions.num_tasks=30", "engine.model=toy"]))
    run(stages, seeds, toys(16).engine, tmp_path, RunOptions(engines={"judge": Scripted(answers, model="judge")}))
    ranked = lines(tmp_path / "dataset" / "ranked.jsonl")
    pairs = lines(tmp_path / "dataset" / "chat_preference.jsonl")

    assert ranked
    assert pairs
    assert all(row["scores"] == sorted(row["scores"], reverse=True) for row in ranked)
    assert all(pair["chosen"] != pair["rejected"] for pair in pairs)


def test_r_tuning_says_which_answers_the_model_knew_and_loses_no_row_to_a_strange_one(tmp_path):
    said = {  # a right answer, and then wrong ones that others would leave out
        "the animal with stripes": Completion(id="", text="A zebra"),
        "a bird that cannot fly": Completion(id="", text="A duck"),
        "a fish that is long": Completion(id="", text="I see the sea and the sea and", finish_reason="length"),
        "a beast of burden": Completion(id="", text="[your answer]"),
        "the king of beasts": Completion(id="", text="Welcome <|im_end|> to our lion house"),
        "an animal with a hump": Completion(id="", text="I'm sorry, but as an AI I cannot do that."),
        "an animal that builds dams": Completion(id="", text="", completion_tokens=1),
    }
    outputs = ("zebra", "emu", "eel", "mule", "lion", "camel", "beaver")
    seeds = [
        Task(id=text, instruction=f"Name {text}.", instances=(Instance(output=output),))
        for text, output in zip(said, outputs, strict=True)
    ]
    model = Scripted(lambda request: said[str(request.prompt).partition("Name ")[2].partition(".")[0]])
    stages = build_stages(read("r_tuning", ["engine.model=toy", "export.validation_share=0"]))
    run(stages, seeds, model, tmp_path)
    found = dict(str(row["completion"]).strip().split("\n") for row in lines(tmp_path / "dataset" / "certainty.jsonl"))

    sure = {output for output, verdict in found.items() if verdict.endswith("? Yes, I am certain.")}
    unsure = {output for output, verdict in found.items() if verdict.endswith("? No, I am not certain.")}
    assert (sure, unsure) == ({"zebra", "lion"}, {"emu", "eel", "mule", "camel", "beaver"})
