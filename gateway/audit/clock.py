"""The time of entries. Within a chain it never goes back unsaid.

The wall clock is taken as it is, so that a time in the log can be compared with other logs. A step back of up to
``TOLERANCE_S`` (a correction by NTP) is waited out: entries keep the last time until the clock has caught up. A larger
step, back or forward, is written into the chain as an entry of its own (``clock``), and the new time is used from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

TOLERANCE_S = 2.0
_TOLERANCE = timedelta(seconds=TOLERANCE_S)


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and Z: as text it sorts by time."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class EntryClock:
    """Times of one chain. ``wall`` and ``steady`` are the machine's clocks: of the day, and one that is never set."""

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._last: datetime | None = None
        self._last_steady: float | None = None

    def start_after(self, last: str) -> None:
        """Go on after the last entry of a chain that was written before. An unreadable time is no time."""
        try:
            self._last = datetime.fromisoformat(last)
        except ValueError:
            self._last = None

    def now(self) -> tuple[str, tuple[str, str] | None]:
        """The time for the next entries, and where the clock jumped: from which time to which."""
        wall, steady = self._wall(), self._steady()
        last, expected = self._last, self._last
        if last is not None and self._last_steady is not None:
            expected = last + timedelta(seconds=steady - self._last_steady)
        self._last_steady = steady
        jump = None
        if last is not None and expected is not None:
            back, ahead = wall < last - _TOLERANCE, expected is not last and wall > expected + _TOLERANCE
            if back or ahead:
                jump = (stamp(expected), stamp(wall))
            elif wall < last:
                wall = last
        self._last = wall
        return stamp(wall), jump
