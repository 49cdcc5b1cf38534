"""Time limits on waits that cost next to nothing unless they strike.

``asyncio.timeout`` makes and cancels a timer of the event loop for every wait, about 10 µs: a stream has two waits a
chunk. Here all waits of a loop share one timer, which is set for the wait that is due first and looks again when it fires.

A timer that fires late tells of a stall of our own (garbage collection, a starved machine), in which nobody was listened
to; and an event loop looks at its timers before it reads what has arrived meanwhile. Such a wait gets its time once more.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
STALL_S = 0.05  # a timer that is later than this says that the loop itself stood still


class _Clock:
    """The one timer of an event loop and the limits that are running."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.time = loop.time
        self.running: set[Limit] = set()
        self.due = math.inf  # when the timer fires
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def set_for(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self.due = due
        self._timer = self._loop.call_at(due, self._fire)

    def _fire(self) -> None:
        now = self.time()
        stalled = now - self.due > STALL_S
        for limit in [limit for limit in self.running if limit.due <= now]:
            if stalled and limit.spare(now):
                continue
            self.running.discard(limit)
            limit.strike()
        self.due, self._timer = math.inf, None
        if self.running:
            self.set_for(min(limit.due for limit in self.running))


_clocks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clock] = WeakKeyDictionary()


def _clock() -> _Clock:
    loop = asyncio.get_running_loop()
    clock = _clocks.get(loop)
    if clock is None:
        clock = _clocks[loop] = _Clock(loop)
    return clock


class Limit:
    """Limits each wait to ``seconds``, one wait at a time. Made inside the task that it is used in."""

    __slots__ = ("_clock", "_seconds", "_spared", "_struck", "_task", "due")

    def __init__(self, seconds: float) -> None:
        self._seconds, self._clock = seconds, _clock()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - we are in a coroutine, so there is one
        self._task = task
        self._struck = self._spared = False
        self.due = math.inf

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """What ``awaitable`` gives. Raises TimeoutError after the time; the wait is then cancelled."""
        clock, task = self._clock, self._task
        self._struck = self._spared = False
        cancelling = task.cancelling()
        self.due = clock.time() + self._seconds
        clock.running.add(self)
        if self.due < clock.due:
            clock.set_for(self.due)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._struck and task.uncancel() <= cancelling:
                self._struck = False
                raise TimeoutError from None
            raise
        finally:
            clock.running.discard(self)

    def spare(self, now: float) -> bool:
        """Give the wait its time once more; False when it had that already."""
        if self._spared:
            return False
        self._spared, self.due = True, now + self._seconds
        return True

    def strike(self) -> None:
        """The time is over. Called by the clock."""
        self._struck = True
        self._task.cancel()


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """What ``awaitable`` gives within the time. Raises TimeoutError."""
    return await Limit(seconds).wait(awaitable)
