"""The windows of a single gateway process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.limits.window import BUDGETS, KEEP_S, MINUTE_S, Claim, Hold, Lease, Refusal, Reservation, Unseeded

_AT_ONCE = 100  # expired leases told at a time


@dataclass(slots=True)
class _Row:
    settled: int
    reserved: int
    end: int  # of its window; 0: it has none

    @property
    def used(self) -> int:
        return self.settled + self.reserved


class MemoryLimits:
    """Atomic because nothing is awaited between reading and writing."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._leases: dict[str, tuple[float, tuple[Hold, ...]]] = {}
        self._swept = 0.0

    async def reserve(
        self, lease: str, claims: Sequence[Claim], now: float, until: float
    ) -> Reservation | Refusal | Unseeded:
        self._sweep(now)
        rows = self._rows
        if missing := tuple(c for c in claims if c.level.window in BUDGETS and c.hold.row not in rows):
            return Unseeded(missing)
        used = tuple(row.used if (row := rows.get(claim.hold.row)) else 0 for claim in claims)
        for claim, count in zip(claims, used, strict=True):
            if count + claim.hold.amount > claim.level.limit:
                return Refusal(claim, tuple(claims), used)
        for claim in claims:
            row = rows.setdefault(claim.hold.row, _Row(0, 0, claim.span.end))
            row.reserved += claim.hold.amount
        self._leases[lease] = (until, tuple(claim.hold for claim in claims))
        with_this = tuple(count + claim.hold.amount for claim, count in zip(claims, used, strict=True))
        return Reservation(lease, tuple(claims), with_this)

    async def seed(self, used: Sequence[tuple[Claim, int]], now: float) -> None:
        for claim, amount in used:
            self._rows.setdefault(claim.hold.row, _Row(amount, 0, claim.span.end))

    async def settle(self, lease: str, charges: Sequence[tuple[Hold, int]]) -> None:
        live = self._leases.pop(lease, None) is not None
        for hold, actual in charges:
            self._charge(hold, actual, live=live)

    async def release(self, lease: Lease, charges: Sequence[int]) -> None:
        if self._leases.pop(lease.id, None) is not None:
            for hold, actual in zip(lease.holds, charges, strict=True):
                self._charge(hold, actual, live=True)

    def _charge(self, hold: Hold, actual: int, *, live: bool) -> None:
        row = self._rows.get(hold.row)
        if row is None:
            return
        if live:
            row.reserved -= hold.amount
        row.settled += actual if live else actual - hold.lost
        if not row.end and not row.used:
            del self._rows[hold.row]

    async def renew(self, leases: Sequence[str], until: float) -> None:
        for lease in leases:
            if lease in self._leases:
                self._leases[lease] = (until, self._leases[lease][1])

    async def expired(self, now: float) -> list[Lease]:
        over = [Lease(lease, holds) for lease, (until, holds) in self._leases.items() if until <= now]
        return over[:_AT_ONCE]

    async def used(self, claims: Sequence[Claim]) -> list[int | None]:
        rows = (self._rows.get(claim.hold.row) for claim in claims)
        return [row.used if row else None for row in rows]

    async def ping(self) -> None:
        return

    async def close(self) -> None:
        self._rows.clear()
        self._leases.clear()

    def _sweep(self, now: float) -> None:
        """Once a minute, drop the rows of windows long over (memory stays flat)."""
        if now - self._swept < MINUTE_S and now >= self._swept:
            return
        self._swept = now
        for name in [name for name, row in self._rows.items() if row.end and row.end + KEEP_S <= now]:
            del self._rows[name]
