"""The uses of seed tasks that need no dataset: shown in the prompt, or tuned on and stopped in time."""

import json
from pathlib import Path

import pytest

from pipeline.dataset.read import read_dataset
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.gain.baselines import can_be_split, shown_seeds, stopped_in_time
from pipeline.gain.dataset import gain
from pipeline.gain.products import products_of
from pipeline.runs.context import Context
from pipeline.runs.products import read_record
from pipeline.stages import Evaluate, Export, Train
from pipeline.task import Instance, Task
from tests.stages.conftest import save_model

WORDS = ["yes", "no", "Lima", "Peru", "country", "capital", "Name", "Task"]
SEEDS = [
    Task(id=f"seed_{n}", instruction=f"Say {word}.", is_classification=n % 2 == 0, instances=(Instance(output=word),))
    for n, word in enumerate(WORDS)
]
TASKS = [Task(id=f"task_{n}", instruction=f"Count to {n}.", instances=(Instance(output="1"),)) for n in range(8)]
EXPORT = Export(encoding="plain", validation_share=0.25)


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model with room for some demos."""
    folder = tmp_path_factory.mktemp("model")
    model = save_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 300}))
    return model


@pytest.fixture
def heldout(tmp_path: Path) -> str:
    rows = [{"id": str(n), "instruction": f"Is {n} good?", "output": "good" * (n + 1)} for n in range(6)]
    path = tmp_path / "heldout.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def context(folder: Path, model: str, seeds: list[Task] = SEEDS, chat: bool = False) -> Context:
    engine = Scripted(lambda request: "good", model=model, chat=chat)
    return Context(seeds, engine, folder, open_engine=lambda name: Scripted(lambda request: "good", model=name))


def shown(folder: Path, model: str, heldout: str, chat: bool = False, num_demos: int | None = None) -> int:
    products = products_of([EXPORT, Train(), Evaluate(heldout=heldout, num_demos=num_demos)])
    found = shown_seeds(products, products.evaluate.instances(), context(folder, model, chat=chat), [0, 1])
    assert {*map(len, (one.demos for one in found.values()))} <= {len(found[0].demos) if found else 0}
    return len(found[0].demos) if found else 0


def test_as_many_seeds_are_shown_as_fit_or_as_the_settings_say(roomy, base_model, heldout, tmp_path, caplog):
    fits = shown(tmp_path, roomy, heldout)

    assert 1 < fits < len(SEEDS)
    assert shown(tmp_path, roomy, heldout, num_demos=len(SEEDS)) == len(SEEDS)
    assert not caplog.messages
    assert shown(tmp_path, base_model, heldout) == 0
    assert "no seed task fits into the context of the base model" in caplog.text


def test_a_limit_of_the_engine_counts_before_that_of_the_model(roomy, heldout, tmp_path):
    class Short(Scripted):
        context_limit = 200

    products = products_of([EXPORT, Train(), Evaluate(heldout=heldout)])
    run = Context(SEEDS, Short(lambda request: "", model=roomy), tmp_path)
    found = shown_seeds(products, products.evaluate.instances(), run, [0])

    assert 0 < len(found[0].demos) < shown(tmp_path, roomy, heldout)


def test_the_prompt_with_all_demos_that_fit_fits_and_one_with_more_does_not(roomy, heldout, tmp_path):
    from pipeline.engines.model_folder import load_tokenizer
    from pipeline.engines.transformers import Transformers

    evaluate = Evaluate(heldout=heldout)
    fits, longest = shown(tmp_path, roomy, heldout), evaluate.instances()[-1]
    engine, tokenizer = Transformers(roomy), load_tokenizer(roomy)

    def size(num: int) -> int:
        asked = evaluate.shown(SEEDS, num).request(longest, evaluate.sampling, engine, chat=False)
        return len(tokenizer(asked.prompt).input_ids)

    room = 300 - len(tokenizer(longest.outputs[0]).input_ids)
    assert size(fits) <= room < size(fits + 1)


def test_a_chat_model_is_shown_turns_and_one_whose_template_refuses_them_is_named(make_model, heldout, tmp_path):
    each = "{% for message in messages %}{{ message.content }}{% endfor %}"

    assert shown(tmp_path, make_model(chat_template=each), heldout, chat=True) == len(SEEDS)  # short without a layout
    with pytest.raises(SproutError, match=r"refuses these messages: no turns; set evaluate\.num_demos=0"):
        shown(tmp_path, make_model(chat_template="{{ raise_exception('no turns') }}"), heldout, chat=True)


def steps(folder: Path, model: str, seeds: list[Task], **settings: object) -> int | None:
    train = Train.model_validate({"max_steps": 40, "batch_size": 2, "learning_rate": 0.02} | settings)
    products, run = products_of([EXPORT, train, Evaluate(heldout="nano")]), context(folder, model, seeds)
    EXPORT.seeds_alone().write((), seeds, folder / "dataset")
    training = stopped_in_time(products, train.training(folder / "dataset", run), run, folder / "choice")
    assert (len(training.rows), training.last_step) == (len(seeds), None)
    return training.settings.max_steps


def test_seeds_are_tuned_on_for_as_many_passes_as_are_best_for_a_quarter_of_them(base_model, tmp_path):
    found = steps(tmp_path, base_model, SEEDS)
    record = read_record(tmp_path / "choice" / "model" / "train.json")
    losses = dict(record["validation_loss"])

    assert (record["rows"], record["validation_rows"]) == (6, 2)
    assert [*losses][:3] == [3, 6, 9]  # a pass each
    best = min(losses, key=losses.__getitem__)
    assert record["steps"] == best < max(losses) < 40  # over-fitted: it has stopped
    assert found == round(best * 8 / 6) < 40


def test_only_seeds_are_looked_at_and_each_random_seed_holds_others_back(base_model, tmp_path):
    held = []
    for random_seed in (0, 1):
        steps(tmp_path / str(random_seed), base_model, SEEDS, random_seed=random_seed, max_steps=2)
        parts = [read_dataset(tmp_path / str(random_seed) / "choice" / name, False) for name in ("train", "validation")]
        texts = [{row.completion for row in part.train} for part in parts]
        assert texts[0] | texts[1] == {*WORDS}
        assert not texts[0] & texts[1]
        assert not parts[0].validation
        held.append(texts[1])

    assert held[0] != held[1]


def test_the_table_has_both_baselines_with_what_they_took(roomy, heldout, tmp_path):
    train = Train(max_steps=30, batch_size=2, learning_rate=0.02)
    run = context(tmp_path / "run", roomy)
    EXPORT.make(TASKS, run)
    found = gain([EXPORT, train, Evaluate(heldout=heldout)], TASKS, run, controls=("seeds_stopped",))
    rows = {row.name: row for row in found.rows}

    assert list(rows) == ["base", "demos", "seeds_stopped", "dataset"]
    assert 1 < rows["demos"].num_demos[0] < len(SEEDS)
    assert (
        rows["demos"].tuned_on
        == f"nothing (the base model in the layout of verify, seed tasks shown: {rows['demos'].num_demos[0]})"
    )
    choice = read_record(run.folder / "gain" / "0" / "seeds_stopped" / "choice" / "model" / "train.json")
    assert rows["seeds_stopped"].steps == (round(choice["steps"] * 8 / 6),) != rows["dataset"].steps == (30,)
    assert (rows["seeds_stopped"].rows, choice["rows"], choice["max_steps"]) == ((8,), 6, 30)


def test_a_single_seed_cannot_be_split_so_there_is_no_such_row(base_model, heldout, tmp_path):
    stages = [EXPORT, Train(max_steps=1), Evaluate(heldout=heldout)]
    run = context(tmp_path / "run", base_model, SEEDS[:1])
    EXPORT.make(TASKS, run)

    assert not can_be_split([*SEEDS[:1], SEEDS[1].update(instances=())])
    found = gain(stages, TASKS, run, controls=("seeds", "seeds_stopped"))
    assert [row.name for row in found.rows] == ["base", "seeds", "dataset"]
