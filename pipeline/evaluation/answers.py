"""Ask models for answers to held-out tasks, or read them from the journal, and score them."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.asking.ask import is_answer, lack_of, put, said_of
from pipeline.asking.clean import without_thoughts
from pipeline.asking.converse import question
from pipeline.dataset.encodings import AFTER, ZeroShot, zero_shot
from pipeline.engines.base import Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.evaluation.demos import Shown
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.metrics import Aggregate, Score, Tokenizer, aggregate, score
from pipeline.evaluation.models import asked_as_chat, remembering
from pipeline.evaluation.phrasings import Spread, spread
from pipeline.evaluation.predictions import answers_in, write_predictions
from pipeline.evaluation.record import Evaluated
from pipeline.resources import shown
from pipeline.runs.budget import Budget
from pipeline.seeds.values import printable
from pipeline.text import counted

logger = logging.getLogger(__name__)

GREEDY = Sampling(temperature=0, max_tokens=1024)  # Self-Instruct, section 4.3 and its code


@dataclass(frozen=True)
class Answering:
    """How to ask models, what that may cost, and how to score their answers."""

    sampling: Sampling = GREEDY
    encoding: ZeroShot = "plain"  # of a base model's prompts
    tokenizer: Tokenizer | None = None  # for the xlingual track, or `metrics.Words` for all; see `metrics.rouge_l`
    budget: Budget | None = None
    stage: str = "evaluation"  # whose completions they are, in the journal
    shown: Mapping[str, Shown] = field(default_factory=dict)  # by the name of a model: the demos it is shown
    label: str = ""  # tells two evaluations in a folder apart

    @property
    def predictions(self) -> str:
        """The name of the folder of the answers."""
        return f"predictions-{self.label}" if self.label else "predictions"


@dataclass(frozen=True)
class Answered:
    """A model's answers to held-out instances."""

    about: Evaluated
    scores: list[Score]  # of each instance, in their order
    means: Aggregate
    missing: int  # answers, each counted as empty

    def first(self, heldout: Sequence[HeldOut]) -> "Answered":
        """The answers to these instances, which must be the first ones."""
        scores = self.scores[: len(heldout)]
        return replace(self, scores=scores, means=aggregate(zip(heldout, scores, strict=True)))

    def spread(self, num: int) -> dict[str, Spread]:
        """The scores over several wordings of `num` instances."""
        first, *others = (self.scores[start : start + num] for start in range(0, len(self.scores), num))
        return spread(first, others)


def answer(
    models: Mapping[str, str],
    heldout: Sequence[HeldOut],
    open_engine: Callable[[str], Engine],
    folder: Path,
    how: Answering,
) -> dict[str, Answered]:
    """Ask each model in turn and write its answers to `folder`/predictions.

    Args:
        models: By name, a model for `open_engine`, or NAME@URL for one on a server.

    Raises:
        SproutError: for an instance without an instruction, and for whatever stops an engine.
    """
    if models and (bare := next((one for one in heldout if not one.instruction.strip()), None)):
        raise SproutError(f"{bare.id} has no instruction, so no model can be asked; set models = {{}}, and predictions")
    answered: dict[str, Answered] = {}
    with remembering(how.stage, folder, open_engine, how.budget) as opened:
        for name, model in models.items():
            engine = opened(model)
            chat = asked_as_chat(model, engine)
            logger.info("evaluate: %s, %s, answers %d instances", name, shown(model), len(heldout))
            shown_to = how.shown.get(name)
            answers = ask_all(engine, heldout, chat, how, shown_to)
            found = write_predictions(folder / how.predictions / f"{name}.jsonl", answers, how.tokenizer)
            engine.close()
            num_demos = len(shown_to.demos) if shown_to else None
            if shown_to and not found:
                raise SproutError(
                    f"with {counted(num_demos or 0, 'demo')}, {shown(model)} answered none of {len(heldout)} held-out "
                    f"tasks; set evaluate.num_demos to fewer"
                )
            about = Evaluated(model=shown(model), chat=chat, num_demos=num_demos)
            answered[name] = _answered(about, heldout, found, name)
            known = f", {engine.num_known} of them answered before" if engine.num_known else ""
            rouge_l = answered[name].means.rouge_l
            logger.info("evaluate: %s has ROUGE-L %.1f on %d instances%s", name, rouge_l, len(heldout), known)
    return answered


def ask_all(
    engine: Engine, heldout: Sequence[HeldOut], chat: bool, how: Answering, shown_to: Shown | None = None
) -> Iterator[tuple[HeldOut, str]]:
    """Yield each instance with its answer, in order; a reasoning model's thoughts are removed.

    An instance whose request failed or returned no text is left out.

    Args:
        shown_to: The demos in the model's prompt.
    """
    by_id = {one.id: one for one in heldout}
    stop = () if chat else AFTER[how.encoding]
    sampling = how.sampling.model_copy(update={"stop": (*how.sampling.stop, *stop)})

    def requests() -> Iterator[Request]:
        for one in heldout:
            if shown_to:
                yield shown_to.request(one, how.sampling, engine, chat)
                continue
            text = question(one.instruction, one.input) if chat else zero_shot(one.instruction, one.input, how.encoding)
            yield put(Request(id=one.id, prompt=text, sampling=sampling), engine, chat)

    lacks = Counter[str]()
    for completion in engine.generate(requests()):
        lacks[lack_of(completion)] += 1
        if is_answer(completion):
            text = without_thoughts(completion.text).strip()
            yield by_id[completion.id], shown_to.answer(text, chat) if shown_to else text
    if lacking := said_of(lacks):
        logger.warning("evaluate: of %d answers of %s %s", lacks.total(), shown(engine.model), lacking)


def score_file(
    heldout: Sequence[HeldOut], path: Path | str, scored: Path, tokenizer: Tokenizer | None = None
) -> Answered:
    """Score a JSONL file of `id` and `prediction` that was made elsewhere; write each score to `scored`.

    A missing prediction counts as empty. Ids that belong to no instance are ignored, with a warning.
    """
    answers, strange = answers_in(Path(path), heldout)
    if strange:
        logger.warning("evaluate: %s: %d ids are of no held-out instance, such as %s", path, len(strange),
                       printable(strange[0]))  # fmt: skip
    given = ((one, answers[one.id]) for one in heldout if one.id in answers)
    found = write_predictions(scored, given, tokenizer)
    return _answered(Evaluated(predictions=str(path)), heldout, found, str(path))


def _answered(about: Evaluated, heldout: Sequence[HeldOut], found: Mapping[str, Score], name: str) -> Answered:
    missing = sum(instance.id not in found for instance in heldout)
    if missing:
        logger.warning("evaluate: %s: %d of %d answers are missing, counted as empty", name, missing, len(heldout))
    scores = [found.get(instance.id) or score(instance, "") for instance in heldout]
    return Answered(about, scores, aggregate(zip(heldout, scores, strict=True)), missing)
