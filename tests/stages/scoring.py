"""Tasks to score, and a model that is asked for likelihoods and opinions."""

import hashlib

from pipeline import Instance, Task
from pipeline.engines.scripted import Scripted
from pipeline.runs.run import RunOptions
from pipeline.task import Answer
from tests.conftest import answer

ALL = ("likelihood", "length", "ifd")
JUDGED = {  # by everything that a model is asked for, in rounds, and by what follows from that
    "scorers": ("complexity=choices", "length", "rubric", "confidence", "margin", "entropy", "both=linear"),
    "options": {
        "complexity": {"template": "score_complexity"},
        "margin": {"minus": "base"},
        "both": {"weights": {"rubric": 1, "complexity": 0.5}, "constant": -1},
    },
}


def likely(request):
    """The same for the same text, with up to five tokens."""
    noise = hashlib.sha256(f"{request.prompt}|{request.continuation}".encode()).digest()
    return [-0.01 * one for one in noise[: 1 + noise[0] % 5]]


def rates(request):
    """An opinion, the same for the same prompt; now and then one that cannot be read."""
    noise = hashlib.sha256(str(request.prompt).encode()).digest()
    if noise[1] % 12 == 0:
        return " Who knows?"
    return request.choices[noise[0] % len(request.choices)] if request.choices else answer(request)


class Model(Scripted):
    """Counts what it is asked to score and to rate, and may be stopped."""

    def __init__(self, says=likely, window=8, most=None, rates=rates, **options):
        self.scored = []

        def likelihood(request):
            if most is not None and len(self.scored) >= most:
                raise KeyboardInterrupt
            self.scored.append(request.id)
            return says(request)

        def rate(request):
            if most is not None and len(self.scored) >= most:
                raise KeyboardInterrupt
            self.scored.append(request.id)
            return rates(request)

        super().__init__(rate, window=window, likelihood=likelihood, **options)


def others(window=8):
    return RunOptions(engines={"base": Model(lambda request: [-2.0], window=window, model="base")})


def tasks(number: int = 12) -> list[Task]:
    """Some have several instances, some none."""
    return [
        Task(
            id=f"t{n:02}",
            instruction=f"Say {n} in words",
            is_classification=False,
            instances=tuple(Instance(input=str(i), output=f"it is {n} {i}") for i in range(n % 4)),
        )
        for n in range(number)
    ]


def answered(number: int = 12) -> list[Task]:
    """The same with answers: none, one, or several to an instance, two of them alike."""
    given = []
    for n, task in enumerate(tasks(number)):
        texts = (f"eins {n}", f"zwei {n}", f"eins {n}", f"drei und vier {n}")
        instances = [
            one.model_copy(update={"answers": tuple(Answer(text=text, model="m") for text in texts[: (n + i) % 5])})
            for i, one in enumerate(task.instances)
        ]
        given.append(task.update(instances=tuple(instances)))
    return given
