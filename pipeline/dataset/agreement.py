"""How far people agree beyond chance: Cohen's kappa for two of them, Fleiss' for more."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict


class Agreement(BaseModel):
    """What people say who have rated the same things."""

    model_config = ConfigDict(frozen=True)

    raters: int
    items: int  # that at least two of them have rated
    share: float  # of pairs of ratings of one thing that are the same, in percent
    kappa: float | None  # None where chance alone would have them agree on everything

    def __str__(self) -> str:
        return f"{self.share:.0f} % of {self.items:,}, κ {'–' if self.kappa is None else f'{self.kappa:.2f}'}"

    @property
    def meaning(self) -> str:
        """What the figures are, in a clause."""
        name = "Cohen's" if self.raters == 2 else "Fleiss'"
        undefined = "" if self.kappa is not None else "; – where all say the same"
        return f"{self.raters} reviewers: pairs of verdicts that are the same, and {name} κ{undefined}"


def agreement(ratings: Sequence[Mapping[str, Hashable]]) -> Agreement | None:
    """The agreement on some things, given what each rater says of each; None if no two have rated the same.

    Things that one alone has rated do not count.
    """
    shared = [one for one in ratings if len(one) > 1]
    raters = sorted({rater for one in shared for rater in one})
    if not shared:
        return None
    counts = [Counter(one.values()) for one in shared]
    share = sum(map(_same, counts)) / len(counts)
    kappa = cohen([(one[raters[0]], one[raters[1]]) for one in shared]) if len(raters) == 2 else fleiss(counts)
    rounded = None if kappa is None else round(kappa, 4)
    return Agreement(raters=len(raters), items=len(shared), share=round(100 * share, 2), kappa=rounded)


def cohen(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen 1960, Educational and Psychological Measurement 20: 37-46."""
    first, second = (Counter(side) for side in zip(*pairs, strict=True))
    seen = sum(one == other for one, other in pairs) / len(pairs)
    return _beyond(seen, sum(first[value] * second[value] for value in first) / len(pairs) ** 2)


def fleiss(counts: Sequence[Counter[Hashable]]) -> float | None:
    """Fleiss 1971, Psychological Bulletin 76: 378-382; with as many raters of a thing as it has, two at least."""
    total: Counter[Hashable] = sum(counts, Counter())
    seen = sum(map(_same, counts)) / len(counts)
    return _beyond(seen, sum((count / total.total()) ** 2 for count in total.values()))


def _same(counts: Counter[Hashable]) -> float:
    """The share of pairs of ratings of one thing that are the same."""
    number = counts.total()
    return sum(count * (count - 1) for count in counts.values()) / (number * (number - 1))


def _beyond(seen: float, by_chance: float) -> float | None:
    return None if by_chance > 1 - 1e-12 else (seen - by_chance) / (1 - by_chance)
