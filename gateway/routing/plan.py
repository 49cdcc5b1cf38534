"""What an alias stands for: targets with weights, fallbacks, shadow, timeouts. Plain values, checked when they are made.

A person stays on one side of a canary: the side is drawn by a stable hash of who asks, and a growing weight only moves
people towards it (see ``hashing``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from gateway.routing.hashing import ranked
from gateway.routing.upstream import Upstream

Sticky = Literal["user", "key", "conversation", "none"]
# "unloaded": the engine has lost an adapter by a restart. Another attempt always may follow: nothing was worked on.
Failure = Literal["unreachable", "overloaded", "error", "disconnected", "timeout", "unloaded"]
# Certain not to have been worked on: a second attempt cannot be billed twice (elixir-vibe/llm_proxy#4).
SAFE: frozenset[Failure] = frozenset({"unreachable", "overloaded"})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``first_byte_s``: from sending to the first part of the answer's body; ``idle_s``: of silence inside it;
    ``total_s``: to its end, None without a limit."""

    first_byte_s: float = 300.0
    idle_s: float = 120.0
    total_s: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A model upstream and its share of an alias; ``upstreams``: only these (None: all that serve it)."""

    model: str
    weight: float = 1.0
    upstreams: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One model that may answer a request. ``fallback``: why it is not the first choice, "" when it is."""

    model: str
    upstreams: frozenset[str] | None = None
    fallback: str = ""
    canary: bool = False

    def serves(self, upstream: Upstream) -> bool:
        if self.upstreams is not None and upstream.name not in self.upstreams:
            return False
        return upstream.catalog.offers(self.model)


@dataclass(frozen=True, slots=True)
class Shadow:
    """A copy of a ``share`` of the requests goes to ``model`` too, after the answer; nobody sees its answer."""

    model: str
    share: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One alias. The first target is the stable one, the others are canaries.

    ``fallback_scope``: "key": only to models that the key may use by their own name; "alias": the alias is enough.
    """

    alias: str
    targets: tuple[Target, ...]
    sticky: Sticky = "user"
    fallbacks: tuple[str, ...] = ()
    fallback_scope: Literal["key", "alias"] = "key"
    shadow: Shadow | None = None
    retry_on: frozenset[Failure] = SAFE
    timeouts: Timeouts | None = None

    def hops(self, who: Callable[[Sticky], str]) -> list[Hop]:
        """The target of whoever asks, then the stable one; fallbacks are the router's to add."""
        if len(self.targets) == 1:
            target = self.targets[0]
            return [Hop(target.model, target.upstreams)]
        named = {str(number): target for number, target in enumerate(self.targets)}
        # Numbered by place: an adapter that replaces the canary's takes over the people of the one before.
        first = ranked(((place, target.weight) for place, target in named.items()), f"{self.alias}\0{who(self.sticky)}")
        chosen, stable = named[first[0]], self.targets[0]
        if chosen is stable:
            return [Hop(stable.model, stable.upstreams)]
        return [
            Hop(chosen.model, chosen.upstreams, canary=True),
            Hop(stable.model, stable.upstreams, fallback="canary unavailable"),
        ]

    def models(self) -> set[str]:
        """Everything it can lead to by name: targets, fallbacks, shadow."""
        shadow = {self.shadow.model} if self.shadow else set()
        return {target.model for target in self.targets} | set(self.fallbacks) | shadow

    def public(self) -> dict[str, Any]:
        """As ``gateway.routes`` writes it; times that are the gateway's own are null."""
        times = self.timeouts
        return {
            "targets": [
                {
                    "model": t.model,
                    "weight": t.weight,
                    "upstreams": sorted(t.upstreams) if t.upstreams is not None else None,
                }
                for t in self.targets
            ],
            "sticky": self.sticky,
            "fallbacks": list(self.fallbacks),
            "fallback_scope": self.fallback_scope,
            "shadow": {"model": self.shadow.model, "share": self.shadow.share} if self.shadow else None,
            "retry_on": sorted(self.retry_on),
            "first_byte_timeout_s": times.first_byte_s if times else None,
            "idle_timeout_s": times.idle_s if times else None,
            "total_timeout_s": times.total_s if times else None,
        }
