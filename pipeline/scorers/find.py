"""Scorers by name: a module of this folder, or `module:function` of the user's own; and their settings."""

import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from pipeline.engines.find import imported, named
from pipeline.errors import SproutError, explain, unknown
from pipeline.scorers.base import Scorer
from pipeline.strict import Strict

NAME = re.compile(r"[\w-]+")


def scorer_names() -> list[str]:
    """The scorers that ship: modules with a function of their own name; none is imported for this."""
    modules = Path(__file__).parent.glob("[a-z]*.py")
    return sorted(
        path.stem for path in modules if re.search(rf"^def {path.stem}\(", path.read_text("utf-8"), re.MULTILINE)
    )


def find_scorer(place: str, settings: Mapping[str, Mapping[str, Any]]) -> Scorer:
    """The scorer of that name.

    Args:
        place: A name of those that ship, or `module:function`, where the module is beside the settings, in the current
            folder or anywhere else on the path; with `name=` before it, that is what its score is called.
        settings: Those of several scorers, by the names of their scores.

    Raises:
        SproutError: if there is none, if what is there is no scorer, and for a setting that it does not take.
    """
    found = _bare(place)
    return replace(found, settings=_settings(found, settings.get(found.name, {})))


def places_of(setting: str, scorers: Iterable[str]) -> list[str]:
    """Where a setting of scorers stands, such as `knn.encoder`: of those of these that have it."""
    found = []
    for place in scorers:
        with suppress(SproutError):
            scorer = _bare(place)
            found += (
                [f"{scorer.name}.{setting}"] if setting in inspect.getfullargspec(scorer.function).kwonlyargs else []
            )
    return found


def _bare(place: str) -> Scorer:
    """The scorer without its settings."""
    called, _, place = place.rpartition("=")
    if called and not NAME.fullmatch(called):
        raise SproutError(f"{called}={place}: a score is called by letters, digits, - and _; rename it")
    if ":" in place:
        function = named(place, "scorer")
    elif place in scorer_names():
        function = getattr(imported(f"{__package__}.{place}", "scorer"), place)
    else:
        raise SproutError(unknown("scorer", place, scorer_names(), own="module:function"))
    if not inspect.isfunction(function):
        raise SproutError(f"{place}: is not a scorer; write a function that takes a task and returns a number")
    found = Scorer(function, called=called)
    _check(place, found)
    return found


def _check(place: str, scorer: Scorer) -> None:
    """Refuse a function that takes too much or too little."""
    parameters = inspect.signature(scorer.function).parameters.values()
    taken = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    given, kind = ["task"], "asks nothing"
    if scorer.of_all:
        given, kind = ["work"], "looks at all tasks"
    elif scorer.asks:
        given, kind = ["task", "wording"], "yields requests"
    if len(taken) != len(given):
        raise SproutError(
            f"{place}: a scorer that {kind} takes {' and '.join(given)}, but this one takes "
            f"{' and '.join(taken) or 'nothing'}; put its settings behind a *"
        )


class _Settings(Strict):
    model_config = ConfigDict(extra="forbid")


def _settings(scorer: Scorer, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are given and the defaults of the others, in the types that the function declares."""
    function = scorer.function
    own = [one for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
    if given and not own:
        raise SproutError(f"options.{scorer.name}: this scorer has no settings; delete the table")
    try:
        types = typing.get_type_hints(function, include_extras=True) if own else {}
    except NameError:  # of an import under TYPE_CHECKING
        types = {}
    fields: dict[str, Any] = {
        one.name: (types.get(one.name, Any), ... if one.default is one.empty else one.default) for one in own
    }
    kind = create_model(function.__name__, __base__=_Settings, **fields)
    try:
        return dict(kind.model_validate(dict(given)))
    except ValidationError as error:
        raise SproutError(f"options.{scorer.name}: {explain(error, kind, 'setting')}") from None
