"""Scores one task by one scorer and a model that answers as a test says."""

from pipeline import Instance, Task
from pipeline.dataset.encodings import zero_shot
from pipeline.engines.base import Completion, Likelihood
from pipeline.scorers.find import find_scorer
from pipeline.scorers.scored import ScoredTask
from pipeline.scorers.wording import Wording


def task(*outputs: str, input: str = "") -> Task:
    return Task(id="a", instruction="Say it", instances=tuple(Instance(input=input, output=one) for one in outputs))


def scored(task: Task, name: str, answer, wording: Wording | None = None, **settings) -> ScoredTask:
    """By a model whose answer to each request `answer` says: log-probabilities, a text, or a whole answer."""
    found = ScoredTask(task, {name: find_scorer(name, {name: settings})}, wording or Wording(zero_shot))
    asked = {}
    while new := list(found.new_requests()):
        for id, ask in new:
            asked[id] = ask
            given = answer(ask.request)
            if isinstance(given, str):
                given = Completion(id=id, text=given)
            found.take(id, given if isinstance(given, (Completion, Likelihood)) else Likelihood(id=id, per_token=given))
    assert found.complete
    found.finish()
    found.asked = asked
    return found
