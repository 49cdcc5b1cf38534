"""Whose turn it is when an engine is full: deficit round robin over the teams, weighted by priority. Pure.

Each team (and class) has a queue of its own. In each round every queue earns tokens by its weight and may send while its
savings last, so a team that asks much waits behind itself, not before the others (Shreedhar and Varghese, 1995).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

QUANTUM = 1024  # tokens that a queue of weight 1 earns in a round
WEIGHTS = {"low": 1, "normal": 4, "high": 16}
Flow = tuple[str, str]  # a team and a class of priority


@dataclass(slots=True)
class _Queue(Generic[T]):
    weight: int
    waiting: deque[tuple[int, T]] = field(default_factory=deque)  # cost in tokens, item
    savings: int = 0


class FairQueue(Generic[T]):
    """Items wait by flow; :meth:`pop` says whose turn it is. ``length``: the most that may wait in one flow."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._queues: dict[Flow, _Queue[T]] = {}  # in the order of their turns; only those with somebody waiting

    def __len__(self) -> int:
        return sum(len(queue.waiting) for queue in self._queues.values())

    def waiting(self, team: str) -> int:
        return sum(len(queue.waiting) for (name, _), queue in self._queues.items() if name == team)

    def push(self, flow: Flow, cost: int, item: T) -> bool:
        """False when the flow's queue is full."""
        queue = self._queues.get(flow)
        if queue is None:
            queue = self._queues[flow] = _Queue(WEIGHTS[flow[1]])
        if len(queue.waiting) >= self.length:
            return False
        queue.waiting.append((max(1, cost), item))
        return True

    def pop(self, fits: Callable[[T], bool] = lambda _: True) -> T | None:
        """The next item among those that fit now (an engine that serves them has room); None when there is none.

        Within a flow nobody overtakes, except those who wait for another engine.
        """
        able = {flow: at for flow, queue in self._queues.items() if (at := _first(queue, fits)) is not None}
        while able:
            for flow in list(able):
                queue = self._queues[flow]
                cost, item = queue.waiting[able[flow]]
                if queue.savings >= cost:
                    queue.savings -= cost
                    self._taken(flow, able[flow])
                    return item
            self._round(able)
        return None

    def _round(self, able: dict[Flow, int]) -> None:
        """Everybody who could go earns; as many rounds at once as it takes until somebody can go."""
        rounds = min(
            -(
                -(self._queues[flow].waiting[at][0] - self._queues[flow].savings)
                // (QUANTUM * self._queues[flow].weight)
            )
            for flow, at in able.items()
        )
        for flow in able:
            queue = self._queues[flow]
            queue.savings += rounds * QUANTUM * queue.weight

    def remove(self, flow: Flow, item: T) -> None:
        """Somebody waits no longer. Nothing happens when the item's turn has come already."""
        queue = self._queues.get(flow)
        if queue is None:
            return
        for at, (_, waiting) in enumerate(queue.waiting):
            if waiting is item:
                self._taken(flow, at, served=False)
                return

    def _taken(self, flow: Flow, at: int, *, served: bool = True) -> None:
        queue = self._queues[flow]
        del queue.waiting[at]
        if not queue.waiting:
            del self._queues[flow]  # its savings go with it: nobody saves while they want nothing
        elif served:
            self._queues[flow] = self._queues.pop(flow)  # to the end of the turns

    def __iter__(self) -> Iterator[T]:
        for queue in self._queues.values():
            for _, item in queue.waiting:
                yield item


def _first(queue: _Queue[T], fits: Callable[[T], bool]) -> int | None:
    return next((at for at, (_, item) in enumerate(queue.waiting) if fits(item)), None)
