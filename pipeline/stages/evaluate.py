"""Score models on held-out tasks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipeline.dataset.encodings import ZeroShot
from pipeline.engines.base import Sampling
from pipeline.errors import SproutError
from pipeline.evaluation.answers import GREEDY, Answering
from pipeline.evaluation.confidence import Unit
from pipeline.evaluation.demos import DEMOS, Shown
from pipeline.evaluation.evaluate import Evaluates, EvaluationOptions, evaluate
from pipeline.evaluation.heldout import HeldOut, read_sets
from pipeline.evaluation.lm_eval import Option
from pipeline.evaluation.metrics import open_tokenizer
from pipeline.evaluation.models import check_names, default_models, opener, remembering
from pipeline.evaluation.phrasings import reworded
from pipeline.evaluation.record import FILE, read_evaluation
from pipeline.evaluation.table import table
from pipeline.resources import located
from pipeline.runs.context import Context
from pipeline.stage import Flag
from pipeline.stages.verify import STOP, Verify, parse_answer
from pipeline.task import Instance, Task
from pipeline.training.adapter import merged


class Evaluate(Evaluates):
    """ROUGE-L, exact match and `match` of each model on held-out tasks, zero-shot; the answers are in predictions/.

    Exact match is as published, without any punctuation; for `match` signs and decimal points count. Every two models
    are compared, with paired 95 % intervals over instances, or over whole tasks.
    """

    path: ClassVar[str] = FILE
    of_tasks: ClassVar[bool] = False
    growable: ClassVar[frozenset[str]] = frozenset(
        {"models", "predictions", "num_demos", "max_instances", "phrasings", "resample", "lm_eval", "lm_eval_options"}
    )

    optional: ClassVar[bool] = True
    caption: ClassVar[str] = "the scores of all models"
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag("--heldout", "folder of Super-NaturalInstructions, file of tasks, or nano", metavar="SET", many=True),
        Flag("--models", "a folder, hub name, or my-model@http://host/v1", "NAME=MODEL", many=True, named=True),
        Flag("--predictions", "files of `id` and `prediction`", "NAME=FILE", many=True, named=True),
        Flag("--lm-eval", "tasks of lm-eval, if it is installed, such as mmlu,gsm8k", metavar="TASKS"),
    )

    models: dict[str, str] | None = Field(
        default=None, description="by name a folder, hub name or NAME@URL; unset: base, and all the run has tuned"
    )
    predictions: dict[str, str] = Field(
        default={}, description="by name a file of answers (`id`, `prediction`) made elsewhere"
    )
    max_instances: int = Field(default=100, ge=1, description="of each held-out task")
    phrasings: int = Field(
        default=1, ge=1, description="wordings in which each instance is asked: its own, and others the engine writes"
    )
    resample: Unit | None = Field(
        default=None, description="what the intervals draw again; unset: tasks where they have several instances"
    )
    sampling: Sampling = Field(default=GREEDY, description="how the models answer")
    encoding: ZeroShot = Field(
        default="plain", description="of a base model's prompts, as in export: plain, output or examples"
    )
    tokenizer: str = Field(
        default="gpt2",
        description="of ROUGE-L: unicode for all scripts; or of the xlingual track, a folder or a name on the hub",
    )
    lm_eval: str | tuple[str, ...] = Field(
        default=(), description="tasks of the lm-evaluation-harness, if it is installed"
    )
    lm_eval_options: dict[str, Option] = Field(
        default={}, description="of its command line, such as { num_fewshot = 5 }"
    )

    @classmethod
    def implied(cls, given: Mapping[str, Any], has_model: bool) -> Iterator[str]:
        """With predictions alone, no model is needed."""
        if "predictions" in given and "models" not in given and not has_model:
            yield "evaluate.models={}"

    def summary(self, folder: Path) -> str:
        return table(read_evaluation(folder, self.written))

    def make(self, tasks: Sequence[Task], context: Context) -> None:
        if lack := self.lack(context):
            raise SproutError(lack)
        heldout = self.instances()
        options = self.options(heldout, context)
        if heldout and self.phrasings > 1:
            options = replace(options, reworded=self.reworded(heldout, context))
        models = default_models(context) if self.models is None else self.models
        models = {name: located(model) for name, model in models.items()}
        check_names([*models, *self.predictions])
        open_engine = opener(context, models.values())
        models = {name: merged(model, context.folder / "merged" / name) for name, model in models.items()}
        if self.num_demos is not None:
            models = self.with_demos(models)
            shown = self.shown(context.seeds, self.num_demos)
            if self.num_demos and not shown.demos:
                raise SproutError("evaluate.num_demos: no seed task has an instance that could be shown; set it to 0")
            options = replace(options, answering=replace(options.answering, shown={DEMOS: shown}))
        evaluate(models, heldout, open_engine, context.folder, options)

    def with_demos(self, models: Mapping[str, str]) -> dict[str, str]:
        """The models, and behind the first the same one again, to be shown demos."""
        if not models or DEMOS in (*models, *self.predictions):
            found = f"{DEMOS} is the name of another" if models else "there is none"
            raise SproutError(f"evaluate.num_demos asks the first model again, as {DEMOS}, and {found}; change one")
        (name, model), *others = models.items()
        return {name: model, DEMOS: model, **dict(others)}

    def reworded(self, heldout: Sequence[HeldOut], context: Context) -> list[tuple[HeldOut, ...]]:
        """The instances in other wordings, which the engine of the run writes."""
        model = context.engine.model
        with remembering(self.kind, context.folder, opener(context, [model]), context.budget) as opened:
            return reworded(heldout, self.phrasings - 1, opened(model), context.folder)

    def lack(self, context: Context) -> str | None:
        if not self.heldout and not self.lm_eval:
            return f"there is nothing to evaluate on; give held-out tasks with --heldout, or in {self.name}.heldout"
        self.instances()  # or say what is wrong with them
        return None

    def instances(self) -> tuple[HeldOut, ...]:
        return self.held_out

    @cached_property
    def held_out(self) -> tuple[HeldOut, ...]:
        return read_sets(self.heldout, self.max_instances) if self.heldout else ()

    def options(self, heldout: Sequence[HeldOut], context: Context) -> EvaluationOptions:
        tokenizer = open_tokenizer(heldout, self.tokenizer)
        tasks = self.lm_eval.split(",") if isinstance(self.lm_eval, str) else self.lm_eval
        return EvaluationOptions(
            Answering(self.sampling, self.encoding, tokenizer, context.budget, self.kind, label=self.label),
            self.predictions,
            self.resample,
            [task for task in tasks if task],
            self.lm_eval_options,
            name=self.written,
        )

    def shown(self, seeds: Sequence[Task], num_demos: int, random_seed: int = 0) -> Shown:
        """Those of the stage `verify`, in its template."""
        layout = Verify(num_demos=num_demos, random_seed=random_seed)
        demos = layout.demos(seeds)

        def prompt(one: HeldOut) -> str:
            task = Task(id=one.id, instruction=one.instruction, instances=(Instance(input=one.input, output=""),))
            return layout.prompt(task, 0, demos)

        return Shown(demos, prompt, parse_answer, STOP)
