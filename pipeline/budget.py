"""What a run may spend: tokens, money, time. It stops in good order when that is reached, and can go on later."""

import threading
import time

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import BudgetReached

MILLION = 1_000_000


class Prices(BaseModel):
    """What a million tokens cost, in a currency of your choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: float = Field(default=0.0, ge=0)
    completion: float = Field(default=0.0, ge=0)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / MILLION


class Budget:
    """Counts what is spent against what may be; no limit unless given.

    Args:
        max_tokens: Of the whole run, prompts and completions, what earlier sittings spent included.
        max_cost: Of the whole run, likewise, at `prices`.
        max_time: Seconds, of this sitting.
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
        self.prompt_tokens = self.completion_tokens = 0
        self.begun = time.monotonic()
        self._lock = threading.Lock()

    def spend(self, prompt_tokens: int, completion_tokens: int) -> None:
        with self._lock:
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens

    def reached(self) -> str | None:
        """Which limit is reached, as a clause; None if there is none yet."""
        tokens = self.prompt_tokens + self.completion_tokens
        cost = self.prices.cost(self.prompt_tokens, self.completion_tokens)
        if self.max_tokens is not None and tokens >= self.max_tokens:
            return f"{tokens:,} tokens are spent of the {self.max_tokens:,} that --max-tokens allows"
        if self.max_cost is not None and cost >= self.max_cost:
            return f"{cost:,.2f} is spent of the {self.max_cost:,.2f} that --max-cost allows"
        return self.late()

    def late(self) -> str | None:
        """Whether time is up, as `reached`."""
        seconds = time.monotonic() - self.begun
        if self.max_time is None or seconds < self.max_time:
            return None
        return f"{seconds:,.0f} s have passed of the {self.max_time:,.0f} that --max-time allows"


def stop(clause: str) -> BudgetReached:
    return BudgetReached(f"stopped: {clause}; all that was paid for is kept, and the same command goes on from here")
