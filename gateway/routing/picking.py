"""Which of several upstreams gets a request. Pure: it looks at their state and changes nothing.

Those with the same beginning of a prompt go to the same replica, whose prefix cache then pays off; but never to one that
has more to do than the least loaded one by more than a bound. Requests in flight are counted here, not scraped there:
scraped numbers come too late in a burst (llm-d-router#298).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.routing.hashing import ranked
from gateway.routing.upstream import Upstream

AFFINITY_SLACK = 4  # requests in flight (per unit of weight) by which the preferred one may exceed the least loaded


def pick(candidates: Sequence[Upstream], affinity: Callable[[], bytes]) -> Upstream:
    """One of the candidates, of which there is at least one."""
    if len(candidates) == 1:
        return candidates[0]
    least = min(map(load, candidates))
    near = {u.name: u for u in candidates if load(u) <= least + AFFINITY_SLACK}
    return near[ranked(((u.name, u.weight) for u in near.values()), affinity())[0]]


def load(upstream: Upstream) -> float:
    """Requests in flight per unit of weight."""
    return upstream.in_flight / upstream.weight
