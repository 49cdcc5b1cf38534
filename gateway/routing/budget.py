"""How many requests may be sent a second time: a share of those that succeed, so that a storm of errors is not
multiplied into a bigger one. Pure: a bucket of tokens, filled by successes, emptied by further attempts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RetryBudget:
    """``share``: further attempts per success; ``reserve``: as many are allowed without any, and at most saved up."""

    share: float = 0.1
    reserve: float = 10.0
    tokens: float = -1.0  # below 0: as many as the reserve
    refused: int = 0

    def __post_init__(self) -> None:
        if self.tokens < 0:
            self.tokens = self.reserve

    def earn(self) -> None:
        """A request has succeeded."""
        self.tokens = min(self.reserve, self.tokens + self.share)

    def take(self) -> bool:
        """Whether another attempt may be made; it is then paid for."""
        if self.tokens < 1.0:
            self.refused += 1
            return False
        self.tokens -= 1.0
        return True
