"""The JSON Schema of a settings file says what `read` and the stages say."""

import json
import tomllib

import pytest
from jsonschema import Draft202012Validator

from pipeline.errors import SproutError
from pipeline.resources import PACKAGE
from pipeline.settings.build import build_stages, engine_options
from pipeline.settings.read import read
from pipeline.settings.resolved import as_toml
from pipeline.settings.schema import schema

PRESETS = sorted(path.stem for path in (PACKAGE / "recipes").glob("*.toml"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def build(path: str) -> None:
    settings = read(path)
    build_stages(settings)
    engine_options(settings.engine)


@pytest.mark.parametrize("name", [*PRESETS, None])
def test_recipes_and_what_is_printed_of_them_are_valid(validator, name):
    if name:
        validator.validate(tomllib.loads((PACKAGE / "recipes" / f"{name}.toml").read_text(encoding="utf-8")))
    validator.validate(tomllib.loads(as_toml(read(name))))


@pytest.mark.parametrize(
    "text",
    [
        "seed = 'mine.jsonl'",
        "seeds = ''",
        "[instruction]",
        "[instructions]\nnum_task = 5",
        "[instructions]\nnum_tasks = 0",
        "[instructions]\nnum_tasks = 'many'",
        "[instructions]\nmax_rouge = 1.5",
        "[instructions]\nsampling = { temperature = -1 }",
        "[instances.sampling]\nstop = 'x'",
        "[classify.sampling]\ntemp = 1",
        "[filter]\nstrict = true",
        "[dedup]\nmethod = 'random'",
        "[export]\nformats = []",
        "[export]\nonly = 'tasks'",
        "[evaluate]\nheldout = 3",
        "[prices]\nprompt = -1",
        "[engine]\nname = 'vlm'",
        "[engine]\nname = 'server'\nwindow = 0",
        "[engine]\nname = 'server'\ntensor_parallel_size = 2",
        "[engine]\nname = 'transformers'\nurl = 'http://127.0.0.1'",
        "[engine]\nwindow = 'wide'",
    ],
)
def test_what_the_settings_refuse_the_schema_refuses(validator, tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)

    assert not validator.is_valid(tomllib.loads(text))
    with pytest.raises(SproutError):
        build(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[engine]\ntensor_parallel_size = 2",
        "[engine]\nname = 'server'\nmodel = 'x'\nwindow = 8\nchat = true",
        "[evaluate]\nheldout = ['nano', 'nano']\n[decontaminate]\nmax_overlap = 0.2",
        "[train]\nlearning_rate = 1e-4\nmax_steps = 5",
        "[dedup]\nmax_cosine = 1",
    ],
)
def test_what_the_settings_take_the_schema_takes(validator, tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)

    validator.validate(tomllib.loads(text))
    build(str(path))


def test_every_key_is_described():
    found = schema()
    kinds = {name: kind for name, kind in found["$defs"].items()} | {"settings": found}
    keys = {f"{name}.{key}": one for name, kind in kinds.items() for key, one in kind.get("properties", {}).items()}

    assert len(keys) > 80
    assert [key for key, one in keys.items() if not one.get("description") and "$ref" not in one] == []


def test_there_is_no_null_in_it():
    text = json.dumps(schema())

    assert ": null" not in text
    assert '"null"' not in text
