"""The pool of upstreams: probes them, and finds one for each request. Its members can be exchanged while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence

from gateway.errors import Unavailable
from gateway.routing import attempts
from gateway.routing.attempts import Call, Sending
from gateway.routing.budget import RetryBudget
from gateway.routing.plan import Failure, Hop, Timeouts
from gateway.routing.turns import LENGTH, WAIT_S, Turns
from gateway.routing.upstream import Upstream

ATTEMPTS = 3
PROBE_UP_S = 10.0
PROBE_DOWN_S = 0.5
_RETIRE_S = 0.2  # how often a removed upstream is looked at, whether its last request has ended


class Pool:
    """Upstreams with their health. ``start`` probes in the background; nobody waits for an engine that is down.

    ``attempts``: the most for one request, retries and fallbacks together.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        timeouts: Timeouts | None = None,
        *,
        attempts: int = ATTEMPTS,
        budget: RetryBudget | None = None,
        queue_length: int = LENGTH,
        queue_wait_s: float = WAIT_S,
    ) -> None:
        self.upstreams = list(upstreams)
        self.timeouts, self.attempts = timeouts or Timeouts(), attempts
        self.budget = budget or RetryBudget()
        self.turns = Turns(self._find, self._has_room, length=queue_length, wait_s=queue_wait_s)
        self.retries: Counter[tuple[str, str]] = Counter()  # by upstream gone to and kind of failure before
        self.fallbacks: Counter[tuple[str, str]] = Counter()  # by model fallen back to and why
        self.shadows: Counter[tuple[str, str]] = Counter()  # copies by model and what became of them
        self._asked = asyncio.Event()
        self._tasks: dict[Upstream, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        for upstream in self.upstreams:
            upstream.open()
            self._watch_over(upstream)

    def _watch_over(self, upstream: Upstream) -> None:
        upstream.left = self.turns.left if upstream.max_in_flight is not None else None
        self._tasks[upstream] = asyncio.create_task(self._watch(upstream), name=f"probe-{upstream.name}")

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *self._leaving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for upstream in self.upstreams:
            await upstream.close()

    async def exchange(self, upstreams: Sequence[Upstream]) -> None:
        """Use these, once each new one has been asked how it is. Those that stay are the same objects; one that goes
        ends when its last request does."""
        new = [upstream for upstream in upstreams if upstream not in self._tasks]
        for upstream in new:
            upstream.open()
        await asyncio.gather(*(upstream.probe() for upstream in new))
        for upstream in new:
            self._watch_over(upstream)
        gone = [upstream for upstream in self.upstreams if upstream not in upstreams]
        self.upstreams = list(upstreams)
        for upstream in gone:
            self._tasks.pop(upstream).cancel()
            task = asyncio.create_task(_retire(upstream), name=f"retire-{upstream.name}")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def configure(self, timeouts: Timeouts, attempts: int, retry_share: float) -> None:
        """From the next request on, these hold."""
        self.timeouts, self.attempts, self.budget.share = timeouts, attempts, retry_share
        self.turns.wake()

    async def _watch(self, upstream: Upstream) -> None:
        while True:
            await upstream.probe()
            self._asked.set()
            self.turns.wake()
            await asyncio.sleep(PROBE_UP_S if upstream.health.state == "up" else PROBE_DOWN_S)

    async def known(self) -> None:
        """Wait until an upstream has been asked once, so that the first request after the start is not refused."""
        if not self._asked.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self.timeouts.first_byte_s)

    async def refresh(self) -> None:
        """Ask again now: a model is asked for that nobody knew a moment ago."""
        await asyncio.gather(*(upstream.probe() for upstream in self.upstreams))

    def send(self, call: Call) -> Sending:
        """Send to one of the upstreams that serve the model; see :class:`Sending`."""
        return Sending(self, call)

    # -- for Sending --------------------------------------------------------------------------------------------------

    def choose(self, call: Call) -> tuple[Hop, Upstream] | None:
        """Where the first attempt goes; None when it has to wait. Raises Unavailable when no engine is there.

        Nobody overtakes: a place that somebody who waits could take is given away in the moment it becomes free.
        """
        found = self._find(call)
        if found is None:
            able = [u for hop in call.hops for u in self.upstreams if hop.serves(u)]
            if not any(u.full and u.health.state == "up" for u in able):
                raise self.unavailable(able or self.upstreams)
            return None
        self._note_fallback(found[0])
        return found

    async def turn(self, call: Call) -> tuple[Hop, Upstream]:
        """The same, waited for. Raises RateLimited, Unavailable."""
        found = await self.turns.wait(call)
        self._note_fallback(found[0])
        return found

    def _find(self, call: Call) -> tuple[Hop, Upstream] | None:
        return attempts.choose(self.upstreams, call, time.monotonic())

    def _has_room(self) -> bool:
        return any(not upstream.full for upstream in self.upstreams)

    def _note_fallback(self, hop: Hop) -> None:
        if hop.fallback:
            self.fallbacks[hop.model, hop.fallback] += 1

    def another(self, call: Call, kind: Failure) -> tuple[Hop, Upstream] | None:
        return attempts.another(self.upstreams, call, kind, time.monotonic())

    def note_retry(self, hop: Hop, upstream: Upstream, kind: Failure) -> None:
        self.retries[upstream.name, kind] += 1
        if hop.fallback:
            self.fallbacks[hop.model, hop.fallback] += 1

    @staticmethod
    def unavailable(upstreams: Sequence[Upstream]) -> Unavailable:
        return attempts.unavailable(upstreams, time.monotonic())


async def _retire(upstream: Upstream) -> None:
    """Close an upstream's connections once it has nothing in flight."""
    try:
        while upstream.in_flight:  # noqa: ASYNC110 - an event per request would cost every request
            await asyncio.sleep(_RETIRE_S)
    finally:
        await upstream.close()
