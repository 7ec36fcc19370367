"""What a run may spend: tokens, money, time. At a limit it stops cleanly, and it can continue later."""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from pipeline.errors import BudgetReached, SproutError
from pipeline.runs.products import read_record, write_record
from pipeline.strict import Strict

logger = logging.getLogger(__name__)

MILLION = 1_000_000
PRICES = "prices.json"


class Prices(Strict):
    """What a million tokens cost, in a currency of your choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: float = Field(default=0.0, ge=0, description="what a million prompt tokens cost")
    completion: float = Field(default=0.0, ge=0, description="what a million completion tokens cost")

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / MILLION


def write_prices(folder: Path, prices: Prices) -> None:
    """Record the prices of tokens in the folder of a run, for the report."""
    if prices != Prices():
        write_record(folder / PRICES, prices.model_dump())


def read_prices(folder: Path) -> Prices:
    """The prices that `write_prices` recorded; all zero if there are none."""
    try:
        return Prices(**read_record(folder / PRICES))
    except ValidationError:
        return Prices()


@dataclass
class Work:
    """What is being asked at the moment."""

    stage: str
    answered: int = 0
    in_flight: int = 0


class Budget:
    """Counts tokens, cost and time, and compares them with the limits. By default there are none.

    Args:
        max_tokens: For the whole run: prompts and completions, including earlier sittings.
        max_cost: For the whole run, likewise, at `prices`.
        max_time: Seconds, for this sitting alone.

    Raises:
        SproutError: for a cost limit without prices.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        max_time: float | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.max_tokens, self.max_cost, self.max_time = max_tokens, max_cost, max_time
        self.prices = prices or Prices()
        if max_cost is not None and self.prices == Prices():
            raise SproutError(
                "--max-cost: no prices are set, so nothing has a cost; set prices.prompt and prices.completion, per "
                "million tokens"
            )
        self._told = False
        self.work: Work | None = None  # the last that began
        self.prompt_tokens = self.completion_tokens = 0
        self.begun = time.monotonic()
        self._lock = threading.Lock()

    @property
    def cost(self) -> float:
        """The cost of the whole run so far, at `prices`."""
        return self.prices.cost(self.prompt_tokens, self.completion_tokens)

    def spend(self, prompt_tokens: int, completion_tokens: int) -> None:
        with self._lock:
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens
            if not prompt_tokens and not self._told and (self.max_tokens is not None or self.max_cost is not None):
                self._told = True
                logger.warning(
                    "the server does not report how many tokens a request took, so --max-tokens and --max-cost have no "
                    "effect; use --max-time to stop the run"
                )

    def reached(self) -> str | None:
        """The limit that has been reached, as a clause; None if none has."""
        tokens = self.prompt_tokens + self.completion_tokens
        if self.max_tokens is not None and tokens >= self.max_tokens:
            return f"{tokens:,} tokens are spent of the {self.max_tokens:,} that --max-tokens allows"
        if self.max_cost is not None and self.cost >= self.max_cost:
            return f"{self.cost:,.2f} is spent of the {self.max_cost:,.2f} that --max-cost allows"
        return self.late()

    def late(self) -> str | None:
        """The time limit if it has been reached, as a clause; see `reached`."""
        seconds = time.monotonic() - self.begun
        if self.max_time is None or seconds < self.max_time:
            return None
        return f"{seconds:,.0f} s have passed of the {self.max_time:,.0f} that --max-time allows"


def stop(clause: str) -> BudgetReached:
    again = "the same command" if "--max-time" in clause else "the same command with a larger limit"
    return BudgetReached(f"stopped: {clause}; all that was paid for is kept, and {again} continues from here")
