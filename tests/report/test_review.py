"""The server of a review: what is said is on disk when it answers, whoever says it, and nobody else gets in."""

import http.client
import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse

import pytest

from pipeline import SproutError, run
from pipeline.cli.main import main
from pipeline.dataset.quality import read_quality, text_of
from pipeline.engines.scripted import Scripted
from pipeline.report.review.queue import Choice, tasks_of
from pipeline.report.show import Marks, find
from pipeline.runs.reviews import FILE, Reviews
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.conftest import answer
from tests.report.reviewing import GOOD, WRONG, Visitor, folder, lines, served, written

__all__ = ["folder"]


def test_a_verdict_is_on_disk_when_the_server_answers(folder):
    with served(tasks_of(folder, Choice())) as url:
        anna = Visitor(url)
        start = anna.get("start")
        assert (start["total"], start["place"], start["done"]) == (22, 0, 0)
        found = anna.do(0, "judge", verdict=WRONG)

        (line,) = lines(folder)
        assert (line["reviewer"], line["did"], line["verdict"], line["sampled"]) == ("anna", "judge", WRONG, True)
        assert (found["item"]["verdict"], found["item"]["done"], found["done"]) == (WRONG, True, 1)
        assert anna.get("start")["place"] == 1


def test_a_killed_server_loses_nothing_and_the_next_one_goes_on(folder):
    command = [sys.executable, "-m", "pipeline", "review", str(folder), "--reviewer", "anna"]
    for round in (1, 2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            url = re.search(r"http://127\.0\.0\.1:\d+/\S+/", "".join(server.stdout.readline() for _ in range(2)))
            assert url
            anna = Visitor(url[0])
            assert anna.get("start")["place"] == 2 * (round - 1)
            for place in range(2 * round - 2, 2 * round):
                anna.do(place, "judge", verdict=GOOD)
            server.send_signal(signal.SIGKILL)
    assert len(lines(folder)) == 4
    assert read_quality(folder).shares["all"].yes == 4


def test_two_reviewers_judge_the_same_tasks_without_seeing_each_others_verdicts(folder):
    with served(tasks_of(folder, Choice())) as url:
        anna, bo = Visitor(url, "anna"), Visitor(url, "bo")
        for place in range(10):
            anna.do(place, "judge", verdict=GOOD if place < 6 else WRONG)
            item = bo.get("items", first=place, count=1)["items"][0]
            assert item["verdict"] is None
            bo.do(place, "judge", verdict=GOOD if place < 5 else WRONG)
        assert "anna" not in json.dumps(bo.get("items", first=0, count=20))
    found = read_quality(folder)

    assert found is not None
    assert (found.reviewers, found.tasks, found.drawn) == (("anna", "bo"), 10, True)
    assert (found.shares["output"].yes, found.shares["output"].judged) == (5, 10)  # a tie is a no
    assert found.agreement["output"].kappa == pytest.approx(0.8)
    assert "the output is right" in text_of(found)


def test_what_somebody_else_has_changed_is_shown_before_it_is_judged(folder):
    with served(tasks_of(folder, Choice())) as url:
        anna, bo = Visitor(url, "anna"), Visitor(url, "bo")
        item = anna.get("items", first=0, count=1)["items"][0]
        after = {"instruction": item["instruction"], "instances": [{"input": "", "output": "12 euros."}]}
        changed = bo.do(0, "edit", after=after)["item"]
        refused = anna.post("do", id=item["id"], seen=item["seen"], did="judge", verdict=GOOD)

        assert refused["changed"]
        assert "somebody has changed this task" in refused["error"]
        assert changed["before"]["instances"] == item["instances"]
        assert anna.do(0, "judge", verdict=GOOD)["item"]["verdict"] == GOOD
    assert read_quality(folder).shares["all"].yes == 0  # as the run had made it, somebody had to change it


def test_undo_takes_back_the_last_thing_of_the_same_reviewer(folder):
    with served(tasks_of(folder, Choice())) as url:
        anna, bo = Visitor(url, "anna"), Visitor(url, "bo")
        anna.do(3, "drop")
        bo.do(4, "judge", verdict=GOOD)
        anna.do(5, "tag", tags=["wheels", " wheels ", ""])
        main(["drop", str(folder), "--search", "saddle", "--reviewer", "anna"])  # the command line takes back its own

        assert anna.get("items", first=5, count=1)["items"][0]["tags"] == ["wheels"]
        assert anna.post("undo")["item"]["tags"] == []
        undone = anna.post("undo")
        assert (undone["place"], undone["item"]["dropped"]) == (3, "")
        assert anna.post("undo") == {"place": None}
        assert bo.get("items", first=4, count=1)["items"][0]["verdict"] == GOOD


def test_a_drop_on_the_command_line_shows_on_the_page_at_once(folder):
    with served(tasks_of(folder, Choice())) as url:
        anna = Visitor(url)
        id = anna.get("items", first=0, count=1)["items"][0]["id"]
        main(["drop", str(folder), id, "--reviewer", "bo"])

        item = anna.get("items", first=0, count=1)["items"][0]
        assert (item["dropped"], item["dropped_by"], item["done"]) == ("dropped_by_review", "bo", True)


def test_a_verdict_that_cannot_be_written_is_not_given(folder):
    (folder / FILE).symlink_to("/dev/full")
    with served(tasks_of(folder, Choice())) as url:
        anna = Visitor(url)
        assert "review.jsonl: cannot be written (No space left on device)" in anna.do(0, "judge", verdict=GOOD)["error"]
        assert anna.get("items", first=0, count=1)["items"][0]["verdict"] is None
        assert anna.get("start")["place"] == 0


def test_nobody_gets_in_without_the_token_and_the_page_may_fetch_from_nowhere_else(folder):
    with served(tasks_of(folder, Choice())) as url:
        port = urllib.parse.urlsplit(url).port
        answers = {}
        for path in ("/", "/nope/", "/nope/start", "/token/", "/token/../server.py", "/token/secret.js"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path)
            response = connection.getresponse()
            answers[path] = response.status
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["Referrer-Policy"] == "no-referrer"
            connection.close()
        assert [path for path, status in answers.items() if status == 200] == ["/token/"]


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"did": "judge", "id": "task_nope"}, "is not in this review"),
        ({"did": "burn", "id": "ID"}, "this is no verdict: did"),
        ({"did": "judge"}, "id is missing"),
        ({"did": "judge", "id": "ID", "reviewer": " \n"}, "say who you are"),
        (
            {"did": "edit", "id": "ID", "seen": "SEEN", "after": {"instruction": " ", "instances": []}},
            "cannot be empty",
        ),
        ({"did": "rate", "id": "ID", "rating": "A"}, ""),
    ],
)
def test_what_cannot_be_said_is_refused_in_a_sentence(sent, problem, folder):
    with served(tasks_of(folder, Choice())) as url:
        anna = Visitor(url)
        item = anna.get("items", first=0, count=1)["items"][0]
        words = {"ID": item["id"], "SEEN": item["seen"]}
        found = anna.post(
            "do", **{key: words.get(value, value) if isinstance(value, str) else value for key, value in sent.items()}
        )

        assert problem in found.get("error", "")
    assert not (folder / FILE).exists()


def test_the_sample_is_the_same_each_time_and_a_margin_sets_its_size(tmp_path):
    written(tmp_path / "run", 400)
    first, again = (tasks_of(tmp_path / "run", Choice(sample=50)) for _ in range(2))
    larger = tasks_of(tmp_path / "run", Choice(margin=10))

    assert first.ids == again.ids
    assert larger.ids[:50] == first.ids
    assert len(larger.ids) == 93
    assert "93 of 360 tasks, drawn at random (± 10 points at 95 %)" in larger.title
    assert first.ids != sorted(first.ids)
    whole = tasks_of(tmp_path / "run", Choice(sample=0))
    assert whole.ids == sorted(whole.ids)
    assert not whole.drawn


def test_tasks_are_looked_for_as_show_does(folder):
    assert all("saddle" in one.instruction for one in tasks_of(folder, Choice(search="SADDLE")).tasks)
    assert len(tasks_of(folder, Choice(reason="too_short")).ids) == 2
    with pytest.raises(SproutError, match="no task matches"):
        tasks_of(folder, Choice(search="submarine"))
    with served(tasks_of(folder, Choice(search="saddle"))) as url:
        Visitor(url).do(0, "judge", verdict=WRONG)
    assert len([*find(folder, marks=Marks(judged="bad"))]) == 1
    assert len([*find(folder, marks=Marks(judged="unjudged"))]) == 21
    assert "were looked for" in text_of(read_quality(folder))


def test_a_drawn_task_that_was_dropped_without_a_verdict_is_not_good(folder):
    with served(tasks_of(folder, Choice())) as url:
        anna = Visitor(url)
        anna.do(0, "judge", verdict=GOOD)
        anna.do(1, "drop")
        anna.do(2, "skip")
    found = read_quality(folder)

    assert (found.shares["all"].yes, found.shares["all"].judged) == (1, 2)
    assert (found.shares["output"].judged, found.dropped) == (1, 1)


def test_prompts_and_the_nearest_tasks_are_shown_on_demand(seeds, tmp_path):
    run([Instructions(num_tasks=12), Classify(), Instances(), Filter()], seeds, Scripted(answer), tmp_path)
    with served(tasks_of(tmp_path, Choice())) as url:
        anna = Visitor(url)
        item = anna.get("items", first=0, count=1)["items"][0]
        found = anna.get("detail", id=item["id"])

    assert [one["stage"] for one in found["asked"]] == ["instructions", "classify", "instances"]
    assert "Continue this numbered list" in found["asked"][0]["prompt"]
    assert found["near"] == sorted(found["near"], key=lambda one: -one["score"])
    assert item["instruction"] not in [one["text"] for one in found["near"]]


def test_the_command_prints_figures_and_an_address_that_is_in_use_is_told(folder, capsys):
    main(["review", str(folder), "--figures"])
    assert "nobody has reviewed it yet" in capsys.readouterr().out
    with served(tasks_of(folder, Choice())) as url:
        Visitor(url).do(0, "judge", verdict=GOOD)
        with pytest.raises(SystemExit):
            main(["review", str(folder), "--port", str(urllib.parse.urlsplit(url).port)])
        assert "cannot listen" in capsys.readouterr().err
    main(["review", str(folder), "--figures"])
    assert "100 % (21 to 100)" in capsys.readouterr().out


def test_ten_thousand_tasks_are_there_in_under_a_second(tmp_path):
    written(tmp_path, 10_000)
    start = time.process_time()
    desk = tasks_of(tmp_path, Choice(sample=0))
    with served(desk) as url:
        anna = Visitor(url)
        assert anna.get("start")["total"] == 9_000
        assert len(anna.get("items", first=8_990, count=20)["items"]) == 10
    assert time.process_time() - start < 1
    assert len(Reviews(tmp_path).lines) == 0
