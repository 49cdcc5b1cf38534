"""What a limit is, and the store's port.

A window is one minute of one level, a row of its own keyed by its start. A new minute is a new row: nothing is ever
reset, so no replica can erase another's counts (litellm#36940). All levels are reserved in one atomic step (#35567).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Level:
    """One thing that is limited: a key (later: a team, a model). ``name`` is its row's name, e.g. ``key:key_ab12``."""

    name: str
    rpm: int | None
    tpm: int | None


@dataclass(frozen=True, slots=True)
class Used:
    """What a level has used of its window, the reservation just made included."""

    level: Level
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """An admitted request: ``tokens`` counted in the window that began at ``start`` (seconds since the epoch)."""

    levels: tuple[Level, ...]
    start: int
    tokens: int
    used: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not admitted: which level, for want of what; nothing was counted."""

    level: Level
    kind: Literal["requests", "tokens"]
    start: int
    used: tuple[Used, ...]


class LimitStore(Protocol):
    """Where the windows lie. ``reserve`` is atomic over all levels."""

    async def reserve(self, levels: Sequence[Level], tokens: int, now: float) -> Reservation | Refusal: ...

    async def settle(self, reservation: Reservation, tokens: int) -> None:
        """Replace the reserved tokens by the real number, in the window in which they were reserved."""

    async def ping(self) -> None:
        """Raises Unavailable when the store does not answer."""

    async def close(self) -> None: ...


def window_start(now: float) -> int:
    return int(now) // WINDOW_S * WINDOW_S


def lacking(level: Level, requests: int, tokens: int, asked: int) -> Literal["requests", "tokens"] | None:
    """What a level lacks for one more request of so many tokens, given what its window has used."""
    if level.rpm is not None and requests + 1 > level.rpm:
        return "requests"
    if level.tpm is not None and tokens + asked > level.tpm:
        return "tokens"
    return None
