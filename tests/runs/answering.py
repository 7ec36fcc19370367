"""Toys that answer tasks, some of them badly, and judge answers; and the runs in which they do so."""

import re

from pipeline import Request, Stage
from pipeline.engines.base import Completion, Sampling
from pipeline.engines.scripted import Scripted
from pipeline.stages import Answer, Choose, Classify, Filter, Instances, Instructions, Score
from tests.conftest import NOUNS, answer
from tests.runs.rewriting import asked_for, noise
from tests.runs.toys import Toys


def answers(request: Request) -> str | Completion:
    """An answer, or a verdict: now and then cut off, empty, a refusal, or one that cannot be read."""
    prompt, (a, b, c, d, *more) = asked_for(request), noise(asked_for(request), request.sampling.seed)
    if prompt.endswith("\nBetter:"):
        return (" A", " B", " tie", " Well")[min(a // 4, 3)]
    if prompt.endswith("\nRatings:"):
        count = prompt.count("\nAnswer ")
        given = ", ".join(str(1 + x % 10) for x in more[:count])
        return " Both are good." if a == 0 else f'{{"ratings": [{given}]}}'
    bad = {0: Completion(id=request.id, text="It goes on and", finish_reason="length"), 1: "  ", 2: "I cannot do that."}
    text = f"{NOUNS[b % 3]} {NOUNS[c % 3]}"
    if prompt.endswith("Explanation:"):
        return bad.get(a, f" It is so.\nAnswer: {text}" if a > 3 else f" It is {text}.")
    if prompt.endswith("New answer:"):
        return f" said otherwise: {NOUNS[b % 14]} {d}"
    if prompt.startswith("Each task is followed by its right output"):
        return bad.get(a, f" {text}\nTask: and so on")
    if re.search(r"(^|\n)\d+\.$|Classification:$|Class label:$|\nExample 1$", prompt):
        return answer(request)
    return bad.get(a, text)


def ensemble(num_tasks: int = 14) -> list[Stage]:
    greedy = Sampling(temperature=0, max_tokens=256)
    return [
        Instructions(num_tasks=num_tasks, window=4), Classify(), Instances(),
        Answer(engines=("small", "chatty"), sampling=greedy), Choose(), Filter(),
    ]  # fmt: skip


def judged(num_tasks: int = 14) -> list[Stage]:
    return [
        Instructions(num_tasks=num_tasks, window=4), Answer(num_answers=4, prompt="explain"),
        Choose(by="judge", engine="small", min_confidence=0.6, unsure="reject"), Filter(),
    ]  # fmt: skip


def rated(num_tasks: int = 14) -> list[Stage]:
    return [
        Instructions(num_tasks=num_tasks, window=4), Classify(), Instances(),
        Answer(engines=("", "small"), prompt="with_demos", num_demos=3, given_output="left_out"),
        Choose(by="ratings", engine="chatty", min_gap=1), Filter(),
    ]  # fmt: skip


def several(num_tasks: int = 14) -> list[Stage]:
    paraphrase = Answer(label="again", prompt="paraphrase", engines=("chatty",), given_output="last")
    return [
        Instructions(num_tasks=num_tasks, window=4), Classify(), Instances(),
        Answer(given_output="left_out", engine="small", num_answers=2, keep_explanation=True, prompt="explain"),
        paraphrase, Score(scorers=("length",), of="answers"), Choose(by="score:length", order="lowest"), Filter(),
    ]  # fmt: skip


RUNS = {"ensemble": ensemble, "judged": judged, "rated": rated, "several": several}


def toys(window: int = 8, says=answers) -> Toys:
    small = Scripted(says, model="small-model", window=max(1, window // 2))
    chatty = Scripted(says, model="chatty-model", window=window + 3, chat=True)
    return Toys(Scripted(says, window=window), {"small": small, "chatty": chatty})
