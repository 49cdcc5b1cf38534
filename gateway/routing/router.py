"""From the model a client asks for to the models that may answer: aliases, ``default``, fallbacks, the key's scope."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import BadRequest, Forbidden, NotFound, Unavailable
from gateway.identity.model import VirtualKey
from gateway.routing.plan import Hop, Plan, Shadow, Sticky, Target
from gateway.routing.pool import Pool
from gateway.routing.upstream import Upstream

DEFAULT = "default"
_REFRESH_S = 1.0  # an unknown name makes us ask the upstream again at most once in this time
# vLLM's LoRA resolver can load a directory by a model's *name*: names are bounded even where no list bounds them.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Route:
    """The model as asked for, and the models that may answer, the first choice first. ``plan``: of a configured alias."""

    asked: str
    hops: tuple[Hop, ...]
    plan: Plan | None = None

    @property
    def model(self) -> str:
        """The first choice."""
        return self.hops[0].model

    def serves(self, upstream: Upstream) -> bool:
        return self.hops[0].serves(upstream)

    def shadow(self) -> Shadow | None:
        return self.plan.shadow if self.plan else None


def nobody(_: Sticky) -> str:
    """Who asks, where nobody is known: everybody on the same side."""
    return ""


class Router:
    """Resolves names against the aliases and the upstreams' own lists. ``wanted``: adapters that shall be loaded;
    ``withdrawn``: those that nobody may use any more."""

    def __init__(self, pool: Pool, plans: Mapping[str, Plan]) -> None:
        self.pool, self.plans = pool, plans
        self.wanted: frozenset[str] = frozenset()
        self.withdrawn: frozenset[str] = frozenset()
        self._refreshed = 0.0

    def steer(self, plans: Mapping[str, Plan], wanted: Iterable[str], withdrawn: Iterable[str]) -> None:
        """From the next request on, these hold."""
        self.plans, self.wanted, self.withdrawn = plans, frozenset(wanted), frozenset(withdrawn)

    async def resolve(self, asked: str, key: VirtualKey, who: Callable[[Sticky], str] = nobody) -> Route:
        """Raises NotFound for an unknown model, Forbidden outside the key's scope, Unavailable when all are down."""
        if not NAME.fullmatch(asked) or ".." in asked:
            raise BadRequest(f"'{asked[:80]}' cannot be the name of a model.", param="model")
        await self.pool.known()
        plan = self.plans.get(asked)
        hops = self._hops(asked, plan, key, who)
        if not hops and time.monotonic() - self._refreshed > _REFRESH_S:
            self._refreshed = time.monotonic()
            await self.pool.refresh()
            hops = self._hops(asked, plan, key, who)
        if not hops:
            self._require_upstream()
            self._require_loaded(asked, plan)
            raise NotFound(
                f"The model '{asked}' does not exist or you do not have access to it.",
                code="model_not_found",
                param="model",
            )
        if not key.may_use(asked):  # an alias in its scope is enough; else only models that are in it themselves
            hops = [hop for hop in hops if key.may_use(hop.model)]
        if not hops:
            raise Forbidden(f"This key may not use the model '{asked}'.", code="model_not_allowed", param="model")
        return Route(asked, tuple(hops), plan)

    def _hops(self, asked: str, plan: Plan | None, key: VirtualKey, who: Callable[[Sticky], str]) -> list[Hop]:
        """The models that may answer and that somebody serves."""
        if plan is None:
            model = self._default() if asked == DEFAULT else asked
            return self._known([Hop(model)]) if model is not None else []
        hops = plan.hops(who)
        for name in plan.fallbacks:
            hops += self._fallback(name, plan, key)
        return self._known(hops)

    def _fallback(self, name: str, plan: Plan, key: VirtualKey) -> list[Hop]:
        """The models of one fallback: a model, or another alias's targets, whose own fallbacks do not count."""
        other = self.plans.get(name)
        targets = other.targets if other else (Target(name),)
        allowed = plan.fallback_scope == "alias"
        return [
            Hop(target.model, target.upstreams, fallback="fallback")
            for target in targets
            if target.weight > 0 and (allowed or key.may_use(name, target.model))
        ]

    def _known(self, hops: Iterable[Hop]) -> list[Hop]:
        """Those that an upstream serves, each once. Lists of upstreams that are down for now still count."""
        upstreams = [u for u in self.pool.upstreams if u.health.state == "up" or u.catalog.models]
        known: dict[tuple[str, frozenset[str] | None], Hop] = {}
        for hop in hops:
            if hop.model not in self.withdrawn and any(hop.serves(upstream) for upstream in upstreams):
                known.setdefault((hop.model, hop.upstreams), hop)
        return list(known.values())

    def _default(self) -> str | None:
        """The first model of the first upstream that lists any; without lists the name itself passes."""
        catalogs = [u.catalog for u in self.pool.upstreams]
        for catalog in catalogs:
            if catalog.models:
                return next(iter(catalog.models))
        return DEFAULT if any(catalog.models is None for catalog in catalogs) else None

    def _require_upstream(self) -> None:
        if not any(u.health.state == "up" for u in self.pool.upstreams):
            raise Unavailable(f"The model server is not available: it {self.pool.upstreams[0].health.reason}.")

    def _require_loaded(self, asked: str, plan: Plan | None) -> None:
        """Raises Unavailable where it is only a matter of time until an adapter is loaded."""
        if not self.wanted.isdisjoint(plan.models() if plan else (asked,)):
            raise Unavailable(f"The adapter behind '{asked}' is not loaded yet.", code="adapter_not_loaded")

    async def models(self, key: VirtualKey) -> list[dict[str, Any]]:
        """The models a key may use, aliases included, as OpenAI model objects."""
        await self.pool.known()
        listed = {name: model for u in self.pool.upstreams for name, model in (u.catalog.models or {}).items()}
        if not listed and not self.plans:
            self._require_upstream()
        shown = (name for name in listed if name not in self.withdrawn and key.may_use(name))
        models = [_public(listed[name]) for name in shown]
        for alias in dict.fromkeys([*self.plans, DEFAULT]):
            hops = self._hops(alias, self.plans.get(alias), key, nobody)
            if hops and alias not in listed and key.may_use(alias, hops[0].model):
                root = {"root": hops[0].model}
                models.append({"id": alias, "object": "model", "created": 0, "owned_by": "kakehashi", **root})
        return models


def _public(model: dict[str, Any]) -> dict[str, Any]:
    """A model object without ``root`` and ``permission``: vLLM puts the path on its disk there."""
    shown: dict[str, Any] = {
        name: model[name] for name in ("id", "created", "owned_by", "max_model_len", "parent") if name in model
    }
    return {"object": "model", "created": 0, "owned_by": "", **shown}
