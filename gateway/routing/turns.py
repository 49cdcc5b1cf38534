"""Waiting for a full engine: a bounded queue for each team, served in fair turns; nothing happens while there is room.

A request that cannot wait any longer, or whose team has too many waiting already, is refused with a true retry-after
rather than piled up.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import RateLimited, Unavailable
from gateway.limits.fair import FairQueue
from gateway.routing.plan import Hop
from gateway.routing.upstream import Upstream

if TYPE_CHECKING:
    from gateway.routing.attempts import Call

LENGTH = 100
WAIT_S = 30.0
_LONGEST_RETRY_S = 60
_SMOOTHING = 0.1  # of the time between two requests that end
Place = tuple[Hop, Upstream]


@dataclass(eq=False, slots=True)
class _Waiter:
    call: Call
    turn: asyncio.Future[Place] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """The queue in front of a pool. ``find``: a place with room for a call now, None when there is none; ``room``:
    whether any engine has room at all."""

    def __init__(
        self,
        find: Callable[[Call], Place | None],
        room: Callable[[], bool],
        *,
        length: int = LENGTH,
        wait_s: float = WAIT_S,
    ) -> None:
        self._find, self._room, self._wait_s = find, room, wait_s
        self.queue: FairQueue[_Waiter] = FairQueue(length)
        self._gap_s, self._last = 0.0, 0.0

    async def wait(self, call: Call) -> Place:
        """A place, once it is this call's turn. Raises RateLimited (its team's queue is full), Unavailable (too long)."""
        waiter = _Waiter(call)
        if not self.queue.push(call.flow, call.cost, waiter):
            raise RateLimited(
                f"The engine is full, and {self.queue.length} requests of this team are waiting for it already. "
                "Send fewer at the same time.",
                code="queue_full",
                headers={"retry-after": str(self._retry_after())},
            )
        try:
            async with asyncio.timeout(self._wait_s):
                place = await waiter.turn
        except TimeoutError:
            self._gave_up(waiter)
            raise Unavailable(
                f"The engine is full: there was no turn within {self._wait_s:g} s.",
                code="upstream_overloaded",
                retry_after_s=self._retry_after(),
            ) from None
        except asyncio.CancelledError:
            self._gave_up(waiter)
            raise
        place[1].promised -= 1  # the caller enters it before anything else can happen
        return place

    def left(self) -> None:
        """A request has ended somewhere: its place goes to whose turn it is."""
        now = time.monotonic()
        if self._last:
            self._gap_s += _SMOOTHING * (now - self._last - self._gap_s)
        self._last = now
        self.wake()

    def wake(self) -> None:
        """Give away the places that are free."""
        queue = self.queue
        while queue and self._room() and (waiter := queue.pop(lambda one: self._find(one.call) is not None)):
            place = self._find(waiter.call)
            if place is None or waiter.turn.done():
                continue
            place[1].promised += 1
            waiter.turn.set_result(place)

    def _gave_up(self, waiter: _Waiter) -> None:
        """Whoever leaves in the moment of their turn passes it on."""
        self.queue.remove(waiter.call.flow, waiter)
        if waiter.turn.done() and not waiter.turn.cancelled():
            waiter.turn.result()[1].promised -= 1
            self.wake()

    def _retry_after(self) -> int:
        return min(_LONGEST_RETRY_S, max(1, math.ceil(len(self.queue) * self._gap_s)))
