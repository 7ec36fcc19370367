"""Engines are found by name, ours and those of the user, and each says what its settings are."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.engines.base import Likelihood, Request, Sampling, ScoreRequest
from pipeline.engines.find import engine_class, engine_names
from pipeline.errors import SproutError
from pipeline.settings.build import build_stage, open_engine
from pipeline.settings.read import read

MINE = '''"""An engine of one's own."""
from pydantic import BaseModel, Field
from pipeline.engines.base import Completion, Engine, at_hand


class Options(BaseModel):
    volume: int = Field(default=1, ge=1, le=3, description="how loud")


class Parrot(Engine):
    """Repeats the prompt."""

    options = Options
    model = "parrot"

    def __init__(self, volume=1):
        self.volume = volume

    def generate(self, requests, arrived=None):
        for request in at_hand(iter(requests)):
            completion = Completion(id=request.id, text=request.prompt + "!" * self.volume)
            if arrived:
                arrived(request, completion)
            yield completion


def answer(request):
    return " one" if request.prompt else ""
'''


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_parrots.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_parrots", raising=False)
    return tmp_path


def test_the_modules_of_the_folder_are_the_engines() -> None:
    assert engine_names() == ["batch", "ray", "scripted", "server", "transformers", "vllm"]


@pytest.mark.parametrize("name", engine_names())
def test_the_options_of_an_engine_are_the_arguments_of_its_constructor_with_the_same_defaults(name: str) -> None:
    kind = engine_class(name)
    arguments = {
        one.name: one for one in inspect.signature(kind).parameters.values() if one.kind is not one.VAR_KEYWORD
    }
    fields = kind.options.model_fields

    assert fields.keys() == arguments.keys()
    for key, field in fields.items():
        needed = arguments[key].default is inspect.Parameter.empty
        assert field.is_required() == needed, key
        assert needed or field.default == arguments[key].default, key
        assert field.description, key


def test_an_engine_of_the_users_own_is_opened_with_its_options(mine: Path) -> None:
    engine = open_engine(read(None, ["engine.name=my_parrots:Parrot", "engine.volume=2"]))
    (completion,) = engine.generate([Request(id="a", prompt="Hello", sampling=Sampling())])

    assert completion.text == "Hello!!"
    assert (engine.chat, engine.window, engine.chat_template_kwargs, engine.revision) == (False, 1, {}, "")
    assert (engine.can_prefill, engine.pre_query()) == (False, None)
    engine.close()


def test_what_an_engine_cannot_do_is_said_in_one_sentence(mine: Path) -> None:
    engine = open_engine(read(None, ["engine.name=my_parrots:Parrot"]))
    with pytest.raises(SproutError, match="the engine Parrot cannot tell how likely a text is; take vllm"):
        engine.score([ScoreRequest(id="a", prompt="", continuation="b")])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["engine.name=my_parrots:Parrot", "engine.volume=4"], r"\[engine\] volume: .* less than or equal to 3"),
        (
            ["engine.name=my_parrots:Parrot", "engine.volum=1"],
            r"\[engine\] there is no setting 'volum'; did you mean volume?",
        ),
        (["engine.name=my_parrots:Parot"], "my_parrots.py has no 'Parot'; give module:name"),
        (
            ["engine.name=my_parrots:answer"],
            "my_parrots:answer: is not an engine; derive the class from pipeline.Engine",
        ),
        (["engine.name=not_there:Parrot"], "there is no module not_there in the current folder"),
        (["engine.name=parrot"], r"\[engine\] name: there is no engine 'parrot'; there are batch, ray, scripted"),
        (["engine.name=scripted"], r"\[engine\] answer is missing"),
        (["engine.name=scripted", "engine.answer=my_parrots:question"], "my_parrots.py has no 'question'"),
    ],
)
def test_what_is_wrong_with_the_name_or_the_options_is_said(mine: Path, changes: list[str], message: str) -> None:
    with pytest.raises(SproutError, match=message):
        open_engine(read(None, changes))


def test_a_module_that_fails_says_why(mine: Path) -> None:
    (mine / "my_parrots.py").write_text("1 / 0")
    with pytest.raises(SproutError, match=r"cannot be imported .ZeroDivisionError: division by zero.; correct it"):
        engine_class("my_parrots:Parrot")


def test_settings_and_schema_show_the_options_of_an_engine_of_the_users_own(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["settings", "--set", "engine.name=my_parrots:Parrot", "--set", "engine.volume=2"])
    text = capsys.readouterr().out

    assert "\n[engine]  # Repeats the prompt\n" in text
    assert "\nvolume = 2  # how loud\n" in text


def test_functions_are_asked_from_the_command_line(mine: Path) -> None:
    """The installed command does not look for modules in the current folder by itself."""
    code = "import sys; sys.path.remove(''); from pipeline.cli.main import main; main(sys.argv[1:])"
    words = ["run", "--engine", "scripted", "--set", "engine.answer=my_parrots:answer", "--out", "run"]
    ended = subprocess.run(
        [sys.executable, "-c", code, *words, "--set", "instructions.patience=3"], cwd=mine, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert ended.returncode == 1
    assert "stuck at 0 of 1000 (rejected: too_short 3)" in ended.stderr


def test_min_tokens_above_max_tokens_are_refused() -> None:
    with pytest.raises(SproutError, match=r"min_tokens is 50, more than max_tokens, 20"):
        build_stage("classify", read(None, ["classify.sampling.min_tokens=50", "classify.sampling.max_tokens=20"]))


def test_a_likelihood_sums_up_its_tokens() -> None:
    likelihood = Likelihood(id="a", per_token=(-0.25, -0.5, -1.5))

    assert (likelihood.sum, likelihood.num_tokens, likelihood.mean) == (-2.25, 3, -0.75)


def test_only_what_bears_on_a_text_tells_samplings_apart() -> None:
    neutral: dict[str, Any] = {"top_p": 1.0, "top_k": 0, "presence_penalty": 0.0, "min_tokens": 0, "stop": ()}
    assert Sampling(temperature=0.7, **neutral).bearing() == {"temperature": 0.7}
    assert Sampling(max_tokens=3).bearing() == Sampling(max_tokens=4).bearing()
    several = Sampling(top_k=5, min_tokens=2, stop=("x",), seed=0).bearing()
    assert several == {"temperature": 0.7, "top_k": 5, "min_tokens": 2, "stop": ("x",), "seed": 0}
