"""The windows of a single gateway process."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.limits.window import WINDOW_S, Level, Refusal, Reservation, Used, lacking, window_start


class MemoryLimits:
    """Atomic because nothing is awaited between reading and writing."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], list[int]] = {}
        self._swept = 0

    async def reserve(self, levels: Sequence[Level], tokens: int, now: float) -> Reservation | Refusal:
        start = window_start(now)
        self._sweep(start)
        rows = [self._rows.setdefault((level.name, start), [0, 0]) for level in levels]
        for level, row in zip(levels, rows, strict=True):
            if kind := lacking(level, row[0], row[1], tokens):
                return Refusal(level, kind, start, self._used(levels, rows))
        for row in rows:
            row[0] += 1
            row[1] += tokens
        return Reservation(tuple(levels), start, tokens, self._used(levels, rows))

    async def settle(self, reservation: Reservation, tokens: int) -> None:
        for level in reservation.levels:
            row = self._rows.get((level.name, reservation.start))
            if row is not None:
                row[1] += tokens - reservation.tokens

    async def ping(self) -> None:
        return

    async def close(self) -> None:
        self._rows.clear()

    @staticmethod
    def _used(levels: Sequence[Level], rows: Sequence[list[int]]) -> tuple[Used, ...]:
        return tuple(Used(level, row[0], row[1]) for level, row in zip(levels, rows, strict=True))

    def _sweep(self, start: int) -> None:
        """Once a window, drop the rows of windows long over (memory stays flat)."""
        if start == self._swept:
            return
        self._swept = start
        for key in [key for key in self._rows if key[1] < start - WINDOW_S]:
            del self._rows[key]
