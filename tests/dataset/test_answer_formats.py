"""Formats that write several answers of an instance: pairs, rankings, certainty, feedback."""

import json
import math

import pytest
from pydantic import ValidationError

from pipeline import Context, Instance, SproutError, Task
from pipeline.dataset.content import PreferenceRow
from pipeline.dataset.read import read_dataset
from pipeline.engines.scripted import Scripted
from pipeline.stages.export import Export
from pipeline.stages.train import Train
from pipeline.task import Answer


def answer(text, **scores):
    return Answer(text=text, scores=scores)


ANSWERS = (
    answer("Oslo", good=3),
    answer("Bergen", good=1),
    answer("Rome", good=2),
    answer("Oslo", good=0),
    answer("?"),
)
CAPITAL = Task(
    id="capital", instruction="Name the capital.", meta={"check": [["passed", "wrong", "wrong", "passed", "none"]]},
    instances=(Instance(input="Norway", output="Oslo", answers=ANSWERS),), scores={"known": 0.4},
)  # fmt: skip
BARE = Task(id="bare", instruction="Say yes.", instances=(Instance(output="yes"),))


def export(folder, *formats, tasks=(CAPITAL, BARE), chat=False, **settings):
    """The rows of each format, by the name of its file."""
    made = Export(formats=formats, encoding="plain", validation_share=0, **settings)
    made.make(list(tasks), Context(seeds=[], engine=Scripted(str, chat=chat), folder=folder))
    files = (folder / "dataset").glob("*.jsonl")
    return {path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in files}


PROMPT = "Name the capital.\n\nNorway\n\n"


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ({}, [("Oslo", "?")]),
        ({"pairs": "best"}, [("Oslo", "Bergen"), ("Oslo", "Rome"), ("Oslo", "?")]),
        ({"score": "good"}, [("Oslo", "Bergen")]),
        ({"score": "good", "pairs": "best"}, [("Oslo", "Rome"), ("Oslo", "Bergen")]),
        ({"score": "good", "pairs": "all"}, [("Oslo", "Rome"), ("Oslo", "Bergen"), ("Rome", "Bergen")]),
        ({"score": "good", "pairs": "all", "min_gap": 1}, [("Oslo", "Bergen")]),
        ({"score": "good", "order": "lowest"}, [("Oslo", "Rome")]),
    ],
)
def test_answers_become_pairs_of_a_better_and_a_worse_one(options, pairs, tmp_path):
    rows = export(tmp_path, "preference", tasks=[CAPITAL], options={"preference": options})["preference"]

    assert [(row["chosen"], row["rejected"]) for row in rows] == pairs
    assert {row["prompt"] for row in rows} == {PROMPT}
    assert [row["id"] for row in rows] == [f"capital:0:{place}" for place in range(len(pairs))]


def test_a_prompt_that_ends_in_a_colon_has_a_blank_before_both_answers(tmp_path):
    tasks = [CAPITAL.update(id=f"t{n}", instruction=f"Name {n}.") for n in range(30)]
    made = Export(formats=("preference",), validation_share=0)
    made.make(tasks, Context(seeds=[], engine=Scripted(str), folder=tmp_path))
    rows = [json.loads(line) for line in (tmp_path / "dataset" / "preference.jsonl").read_text().splitlines()]

    for row in rows:
        blank = " " if row["prompt"].endswith("Output:") else ""
        assert (row["chosen"], row["rejected"]) == (f"{blank}Oslo", f"{blank}?")


def test_what_lacks_a_better_and_a_worse_answer_is_left_out_and_counted(tmp_path, caplog):
    rows = export(tmp_path, "preference", "alpaca")

    assert (len(rows["preference"]), len(rows["alpaca"])) == (1, 2)
    assert "the format preference leaves out 1 of 2 rows, which lack two answers of which one is better" in caplog.text


def test_a_dataset_that_would_have_no_row_at_all_is_an_error(tmp_path):
    with pytest.raises(SproutError, match="the format preference has no row: none of 1 has two answers"):
        export(tmp_path, "preference", tasks=[BARE])


def test_messages_for_a_chat_model(tmp_path):
    [row] = export(tmp_path, "chat_preference")["chat_preference"]

    assert row["prompt"] == [{"role": "user", "content": "Name the capital.\n\nNorway"}]
    assert (row["chosen"], row["rejected"]) == (
        [{"role": "assistant", "content": "Oslo"}],
        [{"role": "assistant", "content": "?"}],
    )


def test_all_answers_by_rank(tmp_path):
    [row] = export(tmp_path, "ranked", options={"ranked": {"score": "good"}})["ranked"]

    assert (row["answers"], row["scores"]) == (["Oslo", "Rome", "Bergen"], [3, 2, 1])


def test_infinite_scores_have_their_rank_and_what_is_no_number_has_none(tmp_path):
    scores = {"a": math.nan, "b": 1.0, "c": -math.inf, "d": math.inf}
    answers = tuple(answer(text, good=score) for text, score in scores.items())
    task = CAPITAL.update(instances=(Instance(output="a", answers=answers),))
    export(tmp_path, "ranked", tasks=[task], options={"ranked": {"score": "good"}})
    text = (tmp_path / "dataset" / "ranked.jsonl").read_text("utf-8")
    row = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    assert row["answers"] == ["d", "b", "c"]
    assert row["scores"] == sorted(row["scores"], reverse=True)


def test_an_answer_that_differs_from_the_output_by_blanks_is_no_other_one(tmp_path):
    answers = (Answer(text="Oslo \n"), Answer(text="Rome"))
    task = CAPITAL.update(instances=(Instance(output="Oslo", answers=answers),))
    rows = export(tmp_path, "preference", tasks=[task], options={"preference": {"pairs": "all"}})["preference"]

    assert [(row["chosen"], row["rejected"]) for row in rows] == [("Oslo", "Rome")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"score": "known", "threshold": 0.4}, "Oslo\nDo you know this for certain? Yes, I am certain."),
        ({"score": "known", "threshold": 0.5}, "Oslo\nDo you know this for certain? No, I am not certain."),
        ({"score": "known", "threshold": 0.4, "order": "lowest"}, "Oslo\nDo you know this for certain? Yes, I am certain."),
        ({"score": "good", "threshold": 1.5}, "Oslo\nDo you know this for certain? Yes, I am certain."),
        ({"score": "good", "threshold": 1.6, "unsure": "No."}, "Oslo\nDo you know this for certain? No."),
        ({"score": "known", "unknown": "refuse", "refusals": ["I do not know."]}, "I do not know."),
        ({"score": "known", "unknown": "refuse", "threshold": 0.4}, "Oslo"),
    ],
)  # fmt: skip
def test_answers_say_whether_they_are_certain(options, said, tmp_path):
    [row] = export(tmp_path, "certainty", options={"certainty": options})["certainty"]

    assert (row["prompt"], row["completion"]) == (PROMPT, said)


def test_a_chat_model_says_so_when_it_is_asked(tmp_path):
    options = {"score": "known"}
    [row] = export(tmp_path, "chat_certainty", options={"chat_certainty": options})["chat_certainty"]

    assert [message["content"] for message in row["messages"]] == [
        "Name the capital.\n\nNorway", "Oslo", "Do you know this for certain?", "No, I am not certain.",
    ]  # fmt: skip
    assert read_dataset(tmp_path, chat=True).train[0].answers == (1, 3)


def test_each_answer_stands_behind_the_verdict_on_it(tmp_path):
    checked = tuple(one.model_copy(update={"scores": {"check": float(one.text == "Oslo")}}) for one in ANSWERS[:3])
    task = CAPITAL.update(
        instances=(Instance(input="Norway", output="Oslo", answers=checked),),
        meta={"check": [["passed", "not it", "Rome?\nNo"]]},
    )
    options = {"praise": ["Yes."]}
    found = export(
        tmp_path, "feedback", "chat_feedback", tasks=[task], options={"feedback": options, "chat_feedback": options}
    )

    assert [(row["prompt"], row["completion"]) for row in found["feedback"]] == [
        (f"[right]\nWhat the check says of the answer: Yes.\n\n{PROMPT}", "Oslo"),
        (f"[wrong]\nWhat the check says of the answer: not it\n\n{PROMPT}", "Bergen"),
        (f"[wrong]\nWhat the check says of the answer: Rome?\nNo\n\n{PROMPT}", "Rome"),
    ]
    assert [row["id"] for row in found["feedback"]] == ["capital:0:0", "capital:0:1", "capital:0:2"]
    assert (
        found["chat_feedback"][1]["prompt"][0]["content"]
        == "[wrong]\nWhat the check says of the answer: not it\n\n" + PROMPT.strip()
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"formats": ["alpaca"], "options": {"preference": {}}}, "preference is not among the formats alpaca"),
        ({"formats": ["preference"], "options": {"preference": {"scores": "x"}}}, "did you mean score"),
        ({"formats": ["preference"], "options": {"preference": {"min_gap": -1}}}, "options.preference: min_gap"),
        ({"formats": ["alpaca"], "options": {"alpaca": {"any": 1}}}, "options.alpaca"),
    ],
)
def test_settings_of_formats_are_checked(settings, said):
    with pytest.raises(ValidationError, match=said):
        Export(**settings)


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("format", ["preference", "chat_preference"])
def test_pairs_are_read_back_for_either_kind_of_model(chat, format, tmp_path):
    export(tmp_path, format, "alpaca")
    [row] = read_dataset(tmp_path, chat, preference=True).train

    assert (row.chosen, row.rejected, row.chat) == ("Oslo", "?", chat)
    assert isinstance(read_dataset(tmp_path, chat).train[0], PreferenceRow) is False


CHAT = [{"role": "user", "content": "Hi"}]
SAID = [[*CHAT, {"role": "assistant", "content": text}] for text in ("Hello", "Go away")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"},
        {"prompt": CHAT, "chosen": SAID[0][1:], "rejected": SAID[1][1:]},
        {"chosen": SAID[0], "rejected": SAID[1]},
        {"prompt": "Hi", "chosen": SAID[0], "rejected": SAID[1], "score_chosen": 1},
        {"prompt": "Hi", "chosen": SAID[0][1:], "rejected": SAID[1][1:]},
        {"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Hello"}, "rejected": {"from": "gpt", "value": "Go away"}},
        {"messages": CHAT, "chosen": SAID[0][1], "rejected": SAID[1][1]},
    ],
)  # fmt: skip
def test_pairs_of_other_data_sets_are_read(row, tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(row)}\n" * 2)
    found, _ = read_dataset(path, chat=True, preference=True).train

    assert found == PreferenceRow(prompt=tuple(CHAT), chosen="Hello", rejected="Go away")


@pytest.mark.parametrize(
    ("row", "preference", "said"),
    [
        ({"prompt": "a", "completion": "b"}, True, 'needs; export the format preference'),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, False, 'set train.objective = "dpo"'),
        ({"messages": SAID[0], "chosen": SAID[0][1], "rejected": SAID[1][1]}, True, "messages ends with an answer; remove"),
        ({"chosen": SAID[0], "rejected": CHAT}, True, "should both end with a message of the assistant"),
        ({"chosen": SAID[0][1:], "rejected": SAID[1][1:]}, True, "chosen and rejected answer nothing; add a prompt"),
    ],
)  # fmt: skip
def test_rows_of_the_other_objective_are_refused(row, preference, said, tmp_path):
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(row)}\n" * 2)

    with pytest.raises(SproutError, match=said):
        read_dataset(tmp_path / "rows.jsonl", chat=False, preference=preference)


@pytest.mark.parametrize("chat", [False, True])
def test_for_trl_a_training_by_preference_gets_its_pairs_and_their_command(chat, tmp_path):
    stages = [
        Export(formats=("alpaca",), encoding="plain", validation_share=0, trainers=("trl",)),
        Train(objective="dpo", beta=0.2),
    ]
    made = stages[0].resolve(stages)
    made.make([CAPITAL, BARE], Context(seeds=[], engine=Scripted(str, chat=chat), folder=tmp_path))
    config = (tmp_path / "dataset" / "trl.yaml").read_text()

    assert config.startswith("# trl dpo --config trl.yaml, in this folder\n")
    assert "\nbeta: 0.2  # train.beta\n" in config
    assert f'\ndataset_config: "{"chat_preference" if chat else "preference"}"' in config
    assert "trl dpo --config trl.yaml" in made.summary(tmp_path)


def test_a_trainer_without_a_config_for_it_is_refused():
    stages = [Export(trainers=("axolotl",)), Train(objective="dpo")]

    with pytest.raises(SproutError, match="there is no config of axolotl for train"):
        stages[0].resolve(stages)
