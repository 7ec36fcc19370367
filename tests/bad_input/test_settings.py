"""Settings files, --set, and words on the command line that do not exist."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import SproutError
from pipeline.settings.build import build_stage, build_stages, open_engine
from pipeline.settings.read import read
from tests.bad_input.conftest import Sprout

NO_FILE = "cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("seeds = [\n", "my.toml: not TOML: invalid value"),
        ('seeds = "nano"\n\n[engine]\nname = = "vllm"\n', "my.toml:4: not TOML: invalid value"),
        ("[engine]\n[engine]\n", "my.toml:2: not TOML: cannot declare ('engine',) twice"),
        ("seeds = " + "[" * 5000, "my.toml: cannot be read as TOML: it is nested too deeply"),
        ('[engine]\nname = "vllm"\nmodel = "nano"\nout = "x"\n', "[engine] there is no setting 'out'; it goes above all tables"),
        ("# caf\xe9\n", "my.toml:1: byte 0xe9 at column 6 is not UTF-8; save the file as UTF-8"),
        ('seeds = "nano"\n'.encode("utf-16"), "my.toml:1: byte 0xff at column 1 is not UTF-8"),
        ("[instruction]\nnum_tasks = 5\n", "my.toml: there is no table or key 'instruction'; did you mean instructions?"),
        ("[stages.classify]\n", "my.toml: stages is a list of names; give the settings of a stage below [its name]"),
        ('seed = "nano"\n', "my.toml: there is no table or key 'seed'; did you mean seeds?"),
        ("seeds = 3\n", "my.toml: seeds: input should be a valid string (found 3)"),
        ('out = ""\n', "my.toml: out: string should have at least 1 character (found '')"),
        ('engine = "vllm"\n', "my.toml: engine is a table, not 'vllm'; give its keys below [engine]"),
        ("[[instructions]]\nnum_tasks = 3\n", "my.toml: instructions is a table, not [{'num_tasks': 3}]; give its keys below"),
        ("[prices]\nprompt = -1\n", "my.toml: prices.prompt: input should be greater than or equal to 0 (found -1)"),
        ("[prices]\nprompts = 1\n", "my.toml: prices: there is no setting 'prompts'; did you mean prompt?"),
        ('[engine]\nname = "vlm"\nmodel = "nano"\n', "[engine] name: there is no engine 'vlm'; did you mean vllm?"),
        ('[engine]\nname = "llama"\nmodel = "nano"\n', "[engine] name: there is no engine 'llama'; there are batch, ray, scripted, server, transformers, vllm"),
        ("[instructions]\nsampling = { seed = 7 }\n", "[instructions] sampling.seed is 7, but each request gets its own; set random_seed instead"),
        ("[engine]\nname = [1]\n", "[engine] name: there is no engine '[1]'; there are batch, ray, scripted, server, transformers, vllm"),
        ('[engine]\nname = "transformers"\n', "[engine] model: no model is named; give settings that name one, or --model with a folder, a name on the hub, or nano"),
        ('[engine]\nname = "transformers"\nmodel = 5\n', "[engine] model: input should be a valid string (found 5)"),
    ],
)  # fmt: skip
def test_a_bad_settings_file_gets_one_sentence(sprout: Sprout, content, said):
    Path("my.toml").write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))
    code, error = sprout("run", "my.toml")

    assert code == 1
    assert said in error


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.toml", f"nowhere.toml: {NO_FILE}; give a TOML file, the folder of a run, or one of `sprout recipes`"),
        ("defualt", f"defualt: {NO_FILE}; did you mean default?"),
        ("mine.tml", f"mine.tml: {NO_FILE}; did you mean mine.toml?"),
        ("/", "/: is a folder without run.toml, which `sprout run` writes; give a settings file"),
    ],
)
def test_a_path_that_is_no_settings_file_is_named(sprout: Sprout, name, said):
    Path("mine.toml").touch()
    assert sprout("run", name) == (1, said)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("seeds.csv", b"instruction,output\n"),
        ("seeds.jsonl", b'{"instruction": "Go."}\n'),
        ("seeds.parquet", b"PAR1\xff"),
    ],
)
def test_seeds_in_the_place_of_settings_are_told_where_they_go(sprout: Sprout, name, content):
    Path(name).write_bytes(content)
    code, error = sprout("run", name)
    assert (code, error.endswith("; if these are your seeds, give the file with --seeds")) == (1, True)


def test_a_byte_order_mark_and_windows_line_ends_are_read(sprout: Sprout):
    Path("my.toml").write_bytes(b'\xef\xbb\xbfseeds = "nano"\r\n[classify]\r\nrandom_seed = 3\r\n')

    assert read("my.toml").tables == {"classify": {"random_seed": 3}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("num_tasks", "--set num_tasks: not of the form stage.key=value, such as instructions.num_tasks=500"),
        ("=3", "--set =3: not of the form stage.key=value"),
        ("instructions.=3", "--set instructions.=3: not of the form stage.key=value"),
        ("a.b.c.d.e=3", "--set a.b.c.d.e=3: not of the form stage.key=value"),
        ("seeds.general=1", "--set seeds.general: seeds is 'nano', so it holds no general"),
        ("instructions=5", "--set: instructions is a table, not 5; give its keys below [instructions]"),
        ("instruction.num_tasks=5", "--set: there is no table or key 'instruction'; did you mean instructions?"),
        ("instructions.num_task=5", "[instructions] there is no setting 'num_task'; did you mean num_tasks?"),
        ("instructions.speed=5", "[instructions] there is no setting 'speed'; there are num_tasks, num_demos"),
        ("instructions.num_tasks=many", "[instructions] num_tasks: input should be a valid integer, unable to parse string as an integer (found 'many')"),
        ("instructions.num_tasks=0", "[instructions] num_tasks: input should be greater than or equal to 1 (found 0)"),
        ("instructions.num_tasks=10.5", "[instructions] num_tasks: input should be a valid integer, got a number with a fractional part (found 10.5)"),
        ("instructions.max_rouge=1.5", "[instructions] max_rouge: input should be less than 1 (found 1.5)"),
        ("instructions.max_rouge=nan", "[instructions] max_rouge: input should be "),
        ("instructions.window=0", "[instructions] window: input should be greater than or equal to 1 (found 0)"),
        ("instructions.num_generated_demos=9", "[instructions] num_generated_demos 9 is more than num_demos 8"),
        ("instructions.sampling=3", "[instructions] sampling: input should be a table (found 3)"),
        ("instructions.sampling.temprature=1", "[instructions] sampling: there is no setting 'temprature'; did you mean temperature?"),
        ("export.formats=alpaca", "[export] formats: input should be a list, such as [\"…\"] (found 'alpaca')"),
        ("evaluate.heldout=3", "[evaluate] heldout: input should be a valid string (found 3)"),
        ("classify.seeds=a.csv", "[classify] there is no setting 'seeds'; it goes above all tables"),
        ("stages=[\"instuctions\"]", "there is no stage 'instuctions'; did you mean instructions?"),
        ("classify.sampling.top_p=2", "[classify] sampling.top_p: input should be less than or equal to 1 (found 2)"),
        ("export.formats=[\"csv\"]", "[export] formats.0: there is no format 'csv'; there are alpaca, certainty, chat_certainty,"),
        ("export.formats=[]", "[export] formats: list should have at least 1 item"),
        ("dedup.encoder=nowhere", "[dedup]: this run has no stage dedup; add it to stages = […], or delete the table"),
        ("train.method=qlora", "[train] method: input should be 'full', 'lora' or 'half' (found 'qlora')"),
        ("train.gradient_accumulation=3", "[train] a batch of 16 cannot be cut into 3 parts"),
        ("engine.speed=3", "[engine] there is no setting 'speed'; there are model, chat, chat_template_kwargs, dtype, window, device, trust_remote_code"),
        ("engine.window=0", "[engine] window: input should be greater than or equal to 1 (found 0)"),
        ("engine.window=many", "[engine] window: input should be a valid integer, unable to parse string as an integer (found 'many')"),
        ("engine.chat=perhaps", "[engine] chat: input should be a valid boolean, unable to interpret input (found 'perhaps')"),
        ("engine.dtype=float31", "dtype 'float31' is not known; take one of float64, float32, bfloat16, float16"),
        ("engine.api_key=planted-key-123", "[engine] there is no setting 'api_key'; there are model"),
        ("api_key=planted-key-123", "--set: there is no table or key 'api_key'; the nearest are prices, "),
        ('seeds="a\\u0000b"', "cannot be read (embedded null byte)"),
    ],
)  # fmt: skip
def test_a_bad_change_gets_one_sentence(sprout: Sprout, change, said):
    code, error = sprout("run", "quickstart", "--out", "run", "--set", change)

    assert code == 1
    assert said in error
    assert "planted-key-123" not in error
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("recipe", "change", "said"),
    [
        (
            "tulu_mix",
            'mix.datasets={Dataset={pth="x"}}',
            "datasets.Dataset: there is no setting 'pth'; did you mean path?",
        ),
        (
            "tulu_mix",
            'mix.datasets={a={path="x",share=-1}}',
            "datasets.a.share: input should be greater than 0 (found -1)",
        ),
        ("tulu_mix", "mix.datasets={str={share=1}}", "datasets.str.path is missing"),
        ("tulu_mix", "mix.datasets={a=3}", "datasets.a: input should be a valid string (found 3)"),
        ("kmq", 'select.weights={a="x"}', "weights.a: input should be a valid number"),
        ("kmq", "select.weights=3", "weights: input should be a table (found 3)"),
        ("kmq", 'select.top="many"', "top: input should be a valid integer"),
        ("ensemble", "answer.filters=true", "filters: input should be a table (found True)"),
        ("ensemble", "answer.filters={refusal=3}", "filters.refusal: input should be a valid boolean"),
        ("ensemble", 'answer.engines="second"', "engines: input should be a list, such as [\"…\"] (found 'second')"),
    ],
)
def test_what_is_wrong_with_a_setting_of_several_types_is_said_where_it_is(recipe, change, said):
    with pytest.raises(SproutError) as caught:
        build_stages(read(recipe, ["engine.model=x", change]))
    assert f"] {said}" in str(caught.value)


@pytest.mark.parametrize("word", ["false", "False", "no", "0"])
def test_a_word_for_no_is_not_taken_for_a_text_that_counts_as_yes(word):
    engine = open_engine(read(None, ["engine.name=transformers", "engine.model=nano", f"engine.chat={word}"]))

    assert engine.chat is False


def test_a_folder_may_have_a_date_or_a_number_for_a_name():
    settings = read(None, ["seeds=1e5", "out=2026-01-31", "domain=2.50"])

    assert (settings.seeds, settings.out, settings.domain) == ("1e5", "2026-01-31", "2.50")


def test_a_path_may_begin_with_the_home_folder():
    settings = read(None, ["seeds=~/s.csv", "out=~/run", 'evaluate.heldout=["~/a.jsonl", "b~/c"]'])

    assert (settings.seeds, settings.out) == (f"{Path.home()}/s.csv", f"{Path.home()}/run")
    assert settings.tables["evaluate"]["heldout"] == [f"{Path.home()}/a.jsonl", "b~/c"]


@pytest.mark.parametrize("table", ["", "[classify]\nsampling = { stop = ['x'] }\n"])
def test_to_change_one_key_of_sampling_keeps_the_others(tmp_path, table):
    file = tmp_path / "my.toml"
    file.write_text(table)
    default = build_stage("classify", read(None)).sampling
    given = {"stop": ("x",)} if table else {}

    changed = build_stage("classify", read(str(file), ["classify.sampling.max_tokens=4"])).sampling

    assert changed == default.model_copy(update=given | {"max_tokens": 4})


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "missing: COMMAND; see `sprout --help`"),
        (("grow",), "there is no command 'grow'; see `sprout --help`"),
        (("rnu",), "there is no command 'rnu'; did you mean run? See `sprout --help`"),
        (("redecide",), "there is no command 'redecide', but an option, as in `sprout run --redecide`"),
        (("--quiet", "run"), "the command comes before --quiet, as in `sprout run --quiet …`"),
        (("run", "my.toml", "other.toml"), "run: unrecognized argument: other.toml; see `sprout run --help`"),
        (("run", "--fast"), "unrecognized argument: --fast; see `sprout run --help`"),
        (("run", "--max_cost", "3"), "unrecognized argument: --max_cost; did you mean --max-cost?"),
        (
            ("run", "--num-tasks", "3"),
            "unrecognized argument: --num-tasks; did you mean --set instructions.num_tasks=…?",
        ),
        (("run", "--max-time", "8hours"), "argument --max-time: '8hours' is not a time, such as 90m, 8h or 1h30m"),
        (("seeds", "my_seeds.csv"), "say what to do, as in `sprout seeds check my_seeds.csv`"),
        (("show", "a", "--judged", "ok"), "--judged: 'ok' is not one of good, bad, unjudged"),
        (("run", "--max-tokens", "many"), "argument --max-tokens: 'many' is not a number above 0"),
        (("stats",), "missing: folder; see `sprout stats --help`"),
    ],
)
def test_what_is_no_command_is_a_usage_error(sprout: Sprout, args, said):
    code, error = sprout(*args)

    assert code == 2
    assert said in error


def test_a_process_of_its_own_ends_the_same_way():
    done = subprocess.run([sys.executable, "-m", "pipeline", "grow"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "sprout: there is no command 'grow'" in done.stderr
    assert "Traceback" not in done.stderr


STAGES = 'stages=["instructions","score","select-second","export"]'


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (['score.scorers=["knn","length"]', "score.encoder=x"], "[score] there is no setting 'encoder'; did you mean score.options.knn.encoder?"),
        (['score.scorers=["near=knn"]', "score.neighbours=3"], "did you mean score.options.near.neighbours?"),
        (['score.scorers=["length"]', "score.encoder=x"], "[score] there is no setting 'encoder'; did you mean select-second.encoder?"),
        (['score.scorers=["length"]', "score.max_overlap=1"], "'max_overlap'; there is decontaminate.max_overlap, but this run has no such stage"),
        (['export.formats=["alpaca","preference"]', "export.min_gap=1"], "[export] there is no setting 'min_gap'; did you mean export.options.preference.min_gap?"),
        (["instructions.temperature=1"], "[instructions] there is no setting 'temperature'; did you mean instructions.sampling.temperature?"),
        (["num_neighbours=3"], "--set: there is no table or key 'num_neighbours'; did you mean select-second.num_neighbours?"),
        (["mine.max_words=3"], "--set: there is no table or key 'mine'; the nearest are engine, domain, mix, engines, "),
        (["mine.max_words=3"], "; `sprout settings` shows all 33, and a stage of your own has a table once stages = […] lists it"),
        (['stages=["my_kind"]'], "there is no stage 'my_kind'; the nearest are mix, "),
        (['stages=["my_kind"]'], ", or module:Class for one of your own; `sprout settings` shows all 22"),
    ],
)  # fmt: skip
def test_what_is_meant_is_looked_for_in_the_stages_of_the_run(changes: list[str], said: str) -> None:
    given = [STAGES, 'score.scorers=["length"]', "select-second.top=3"]
    with pytest.raises(SproutError) as caught:
        build_stages(read(None, [*given, *changes]))
    assert said in str(caught.value)
