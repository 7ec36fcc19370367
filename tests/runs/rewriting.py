"""A toy that rewrites, encodes and composes tasks, and the runs in which it does so."""

import hashlib

from pipeline import Request, Stage
from pipeline.engines.base import Completion
from pipeline.engines.scripted import Scripted
from pipeline.stages import Classify, Compose, Encode, Evolve, Filter, Instances, Instructions, Order, Score, Select
from tests.conftest import NOUNS, VERBS, answer

TURN = "<|user|>"
LEVELS = ("remember", "understand", "apply")


class Chatty(Scripted):
    """A toy whose chat template is known, so that it can be given an empty user turn."""

    def pre_query(self, system: str | None = None) -> str | None:
        return TURN if system is None else f"<|system|>{system}{TURN}"


def noise(*parts: object) -> list[int]:
    return [int(c, 16) for c in hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()]


def asked_for(request: Request) -> str:
    return request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]


def rewrites(request: Request) -> str | Completion:
    """A version of the task, often one that is eliminated; metadata, some of it unreadable; lists of tasks."""
    prompt, (a, b, c, d, *more) = asked_for(request), noise(asked_for(request), request.sampling.seed)
    last = prompt.rsplit("\n", 1)[-1]
    task = prompt.rpartition("\nTask: ")[2].partition("\n")[0]
    if last.startswith(("New task:", "Translation into")):
        versions = {
            0: " I'm sorry, but I cannot help with that request.", 1: f" {task.upper()}", 2: " Be brief.",
            3: " Give the new task alone, and do not solve it, then sing.",
        }  # fmt: skip
        if a == 4:
            return Completion(id=request.id, text=f" {task} and", finish_reason="length")
        if "with one example: its input" in prompt:
            return f" Sort the {NOUNS[b % 14]} by the {NOUNS[c % 14]}.\nInput: {d}\nOutput: {a}"
        extra = f"{VERBS[b % 12].lower()} the {NOUNS[c % 14]} for {16 * d + b} guests"
        return versions.get(a, f" {task.rstrip('.')}, then {extra}.")
    if last == "The same:":
        return " Yes" if a < 4 else " No"
    if last in ("Use case:", "Subject:"):
        second = "Skills: counting, naming things" if last == "Use case:" else "Concepts: flow; heat; noise"
        return " I do not know" if a == 0 else f" {NOUNS[b % 14]} studies\n{second} {NOUNS[c % 14]}"
    if last in ("Person:", "Tags:", "Level:", "Difficulty:"):
        return {"Person:": f" someone who keeps a {NOUNS[a % 14]}", "Tags:": " water, tools", "Level:": " Apply.",
                "Difficulty:": " hard to say" if a < 4 else " 3"}[last]  # fmt: skip
    if last in ("Rating:", "A, B or C:"):
        return " I cannot say" if a == 0 else request.choices[a % len(request.choices)]
    if prompt.endswith(TURN):
        if a == 0:
            return Completion(id=request.id, text="What is a river and how", finish_reason="length")
        nouns = " ".join(NOUNS[x % 14] for x in more[:5])
        return f"{VERBS[a % 12]} {nouns} {16 * c + d} {256 * b + d}?"
    if prompt.endswith("Actions:\n1."):
        return " Add a number.\n2. Ask for two answers.\n3. Name a reader.\n4. Set a limit."
    if prompt.endswith("\n\n1."):
        drawn = [noise(prompt, request.sampling.seed, number) for number in range(4)]
        items = [
            f"{VERBS[x[0] % 12]} {' '.join(NOUNS[y % 14] for y in x[1:6])} {x[6]} {16 * x[7] + x[8]}" for x in drawn
        ]
        return " " + "\n".join(f"{number}. {item}" if number > 1 else item for number, item in enumerate(items, 1))
    return answer(request)


def evolving(num_tasks: int = 12) -> list[Stage]:
    return [
        Instructions(num_tasks=num_tasks, window=4), Evolve(rounds=3, check_gain=True, max_rouge=0.9, label="deep"),
        Evolve(rounds=2, keep="all", operations=("widen", "rubric"), label="wide"), Classify(), Instances(), Filter(),
    ]  # fmt: skip


def encoding(num_tasks: int = 12) -> list[Stage]:
    kinds = ("use_case", "concepts", "persona", "tags", "difficulty", "level")
    return [Instructions(num_tasks=num_tasks, window=4), Encode(kinds=kinds), Instances(), Filter()]


def mixing(num_tasks: int = 12) -> list[Stage]:
    compose = Compose(template="metadata", meta=("use_case", "skills"), mix=True, keep_given=False, num_tasks=num_tasks,
                      num_each=3)  # fmt: skip
    return [Encode(), compose, Instances(), Filter()]


def teaching(num_tasks: int = 12) -> list[Stage]:
    compose = Compose(template="concept", meta=("subject", "concepts"), values={"level": LEVELS}, num_tasks=num_tasks)
    return [Encode(kinds=("concepts",)), compose, Instances(), Filter()]


def turning(num_tasks: int = 12) -> list[Stage]:
    return [Compose(num_tasks=num_tasks), Instances(num_input_first_demos=2), Filter()]


def phrasing(num_tasks: int = 12) -> list[Stage]:
    again = Evolve(operations=("rephrase",), rounds=2, start="given", keep="all", instances="kept")
    return [*turning(num_tasks), again]


def rewriting(num_tasks: int = 12) -> list[Stage]:
    return [Evolve(rounds=2, operations=("expand", "refine")), Instances(), Filter()]


def selecting(num_tasks: int = 12) -> list[Stage]:
    some = Select(by="request", order="lowest", top=0.8, groups="request", max_per_group=3)
    return [Instructions(num_tasks=num_tasks, window=4), some, Order(groups="request"), Instances(), Filter()]


def scoring(num_tasks: int = 12) -> list[Stage]:
    asks = Score(
        scorers=("likelihood", "hard=choices", "rubric", "mtld", "sum=linear"),
        options={"hard": {"template": "score_complexity"}, "sum": {"weights": {"rubric": 1, "hard": -0.5}}},
    )
    return [Instructions(num_tasks=num_tasks, window=4), Instances(), asks, Filter()]


RUNS = {
    "evolve": evolving,
    "seeds": rewriting,
    "encode": encoding,
    "mix": mixing,
    "teach": teaching,
    "turn": turning,
    "phrase": phrasing,
    "select": selecting,
    "score": scoring,
}


def toy(window: int = 8) -> Chatty:
    return Chatty(
        rewrites, window=window, likelihood=lambda request: -noise(request.prompt, request.continuation)[0] / 9
    )
