"""What a limit is, and the store's port.

A window is a minute, a day or a month of one scope, a row of its own keyed by its start. A new window is a new row: nothing
is ever reset, so no replica can erase another's counts (litellm#36940). All levels of a request are reserved in one atomic
step (#35567), under a lease: what a dead process held comes back (#36926).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

Kind = Literal["requests", "tokens", "micro_yen", "concurrency"]
Window = Literal["minute", "day", "month", "now"]

MINUTE_S = 60
# Kept after its end, for settlements that come late; later ones no longer matter to anybody.
KEEP_S = 120
BUDGETS: tuple[Window, ...] = ("day", "month")  # their rows are rebuilt from the ledger when the store has lost them


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose use is counted: a key's, a team's, a model's, a key's on a model …; everybody's when all are empty."""

    key: str = ""
    team: str = ""
    model: str = ""

    def __str__(self) -> str:
        parts = (("key", self.key), ("team", self.team), ("model", self.model))
        return "+".join(f"{kind}:{name}" for kind, name in parts if name) or "global"


@dataclass(frozen=True, slots=True)
class Level:
    """One limit: so much of a kind in each window of a scope. ``title``: the scope as people call it, for messages."""

    scope: Scope
    kind: Kind
    window: Window
    limit: int
    title: str = ""
    counter: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counter", f"{self.scope}:{self.kind}:{self.window}")


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` to before ``end``, in seconds since the epoch."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What a lease holds of one row: the amount reserved, and what is charged if the request ends unseen."""

    row: str
    kind: Kind
    amount: int
    lost: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request asks of one level, in the level's present window."""

    level: Level
    span: Span
    hold: Hold

    @classmethod
    def of(cls, level: Level, span: Span, amount: int, lost: int) -> Claim:
        return cls(level, span, Hold(f"{level.counter}:{span.start}", level.kind, amount, lost))


@dataclass(frozen=True, slots=True)
class Reservation:
    """An admitted request. ``used``: of each claim's row, this request included."""

    lease: str
    claims: tuple[Claim, ...]
    used: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not admitted: which claim goes beyond its limit; nothing was counted."""

    claim: Claim
    claims: tuple[Claim, ...]
    used: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unseeded:
    """Rows of budgets the store does not know: to be seeded from the ledger. Nothing was counted."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """What a request holds that was neither settled nor renewed in time: its process is gone, or stands still."""

    id: str
    holds: tuple[Hold, ...]


class LimitStore(Protocol):
    """Where the rows lie. A row has an amount settled and an amount reserved; its use is the sum.

    Every step is atomic over all the rows it names.
    """

    async def reserve(
        self, lease: str, claims: Sequence[Claim], now: float, until: float
    ) -> Reservation | Refusal | Unseeded:
        """Reserve all claims or none, under a lease that expires at ``until`` unless renewed."""

    async def seed(self, used: Sequence[tuple[Claim, int]], now: float) -> None:
        """Give rows the amount settled so far; rows that exist already stay as they are."""

    async def settle(self, lease: str, charges: Sequence[tuple[Hold, int]]) -> None:
        """Replace what the lease holds by what was really used, once.

        When the lease is gone (expired and charged as lost, or the store was emptied and seeded again), the difference
        to what was charged as lost is made good. Rows that are gone stay gone.
        """

    async def release(self, lease: Lease, charges: Sequence[int]) -> None:
        """Settle an expired lease in place of its owner; only the first of several does."""

    async def renew(self, leases: Sequence[str], until: float) -> None:
        """Keep leases alive; one that is gone stays gone."""

    async def expired(self, now: float) -> list[Lease]:
        """Leases past their time, at most a hundred."""

    async def used(self, claims: Sequence[Claim]) -> list[int | None]:
        """What is settled and reserved of each claim's row; None: no row."""

    async def ping(self) -> None:
        """Raises Unavailable when the store does not answer."""

    async def close(self) -> None: ...


class Calendar:
    """The windows of a moment, days and months in the time zone in which the house keeps its books."""

    def __init__(self, timezone: str = "Asia/Tokyo") -> None:
        self.zone = ZoneInfo(timezone)
        self._day, self._month, self._date = Span(0, 0), Span(0, 0), ""

    def span(self, window: Window, now: float) -> Span:
        if window == "minute":
            start = int(now) // MINUTE_S * MINUTE_S
            return Span(start, start + MINUTE_S)
        if window == "now":
            return Span(0, 0)
        self._turn(now)
        return self._day if window == "day" else self._month

    def date(self, now: float) -> str:
        """The local date, ``2026-04-01``."""
        self._turn(now)
        return self._date

    def day_of(self, moment: float) -> str:
        return datetime.fromtimestamp(moment, self.zone).date().isoformat()

    def _turn(self, now: float) -> None:
        """Work out day and month anew when ``now`` is not in the day known: once a day, or when the clock jumps."""
        if self._day.start <= now < self._day.end:
            return
        today = datetime.fromtimestamp(now, self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
        self._date = today.date().isoformat()
        self._day = Span(int(today.timestamp()), int((today + timedelta(days=1)).timestamp()))
        self._month = Span(int(first.timestamp()), int(following.timestamp()))
