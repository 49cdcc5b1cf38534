"""The circuit breaker of one upstream, a pure state machine: the time is given, nothing is sent or waited for.

closed: requests pass; after ``failures`` failures in a row it opens. open: nothing passes for a while, longer after each
trial that failed. half_open: one request at a time is tried; its success closes, its failure opens again.

What comes back late counts only for the state it was sent in: a request from before the opening says nothing of now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NO_PERMIT = -1  # of a request whose result shall not count
State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """``failures``: so many in a row open it; ``open_s``: the first pause; doubled up to ``longest_s``."""

    failures: int = 10
    open_s: float = 5.0
    longest_s: float = 60.0


@dataclass(slots=True)
class Breaker:
    """Ask :meth:`allows`; then :meth:`begin`, and give what it returns back with the result."""

    policy: BreakerPolicy
    failures: int = 0  # in a row, while closed
    openings: int = 0  # in a row, without a success in between
    until: float = 0.0  # while open
    trial: bool = False  # while half open: one is on its way
    generation: int = 0  # changes with each change of state that outdates what is on its way
    _open: bool = False

    def state(self, now: float) -> State:
        if not self._open:
            return "closed"
        return "open" if now < self.until else "half_open"

    def allows(self, now: float) -> bool:
        """Whether a request may be sent now."""
        return not self._open or (now >= self.until and not self.trial)

    def begin(self) -> int:
        """A request is sent. Call only what :meth:`allows` allows."""
        if self._open:
            self.trial = True
        return self.generation

    def succeeded(self, permit: int) -> None:
        """It was answered by an engine that works."""
        if permit != self.generation:
            return
        self.failures = self.openings = 0
        if self._open:
            self._open, self.trial = False, False
            self.generation += 1

    def failed(self, permit: int, now: float) -> None:
        """It was not answered, or by an engine that does not work."""
        if permit != self.generation:
            return
        self.failures += 1
        if self._open or self.failures >= self.policy.failures:
            pause = min(self.policy.open_s * 2**self.openings, self.policy.longest_s)
            self._open, self.trial, self.until = True, False, now + pause
            self.openings = min(self.openings + 1, 30)
            self.failures = 0
            self.generation += 1

    def unknown(self, permit: int) -> None:
        """It says nothing of the engine's health: the client left, or the engine was busy. Another may be tried."""
        if permit == self.generation:
            self.trial = False
