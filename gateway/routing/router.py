"""From the model a client asks for to the model upstream: aliases, ``default``, and the key's scope."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from gateway.errors import BadRequest, Forbidden, NotFound, Unavailable
from gateway.identity.model import VirtualKey
from gateway.routing.pool import Pool
from gateway.routing.upstream import Upstream

DEFAULT = "default"
_REFRESH_S = 1.0  # an unknown name makes us ask the upstream again at most once in this time
# vLLM's LoRA resolver can load a directory by a model's *name*: names are bounded even where no list bounds them.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Route:
    """The model as asked for, and the model to ask upstream."""

    asked: str
    model: str

    def serves(self, upstream: Upstream) -> bool:
        models = upstream.catalog.models
        return models is None or self.model in models


class Router:
    """Resolves names against the aliases and the upstreams' own lists."""

    def __init__(self, pool: Pool, aliases: dict[str, str]) -> None:
        self.pool, self.aliases = pool, aliases
        self._refreshed = 0.0

    async def resolve(self, asked: str, key: VirtualKey) -> Route:
        """Raises NotFound for an unknown model, Forbidden outside the key's scope, Unavailable when all are down."""
        if not _NAME.fullmatch(asked) or ".." in asked:
            raise BadRequest(f"'{asked[:80]}' cannot be the name of a model.", param="model")
        await self.pool.known()
        target = self._target(asked)
        if target is None and time.monotonic() - self._refreshed > _REFRESH_S:
            self._refreshed = time.monotonic()
            await self.pool.refresh()
            target = self._target(asked)
        if target is None:
            self._require_upstream()
            raise NotFound(
                f"The model '{asked}' does not exist or you do not have access to it.",
                code="model_not_found",
                param="model",
            )
        if not key.may_use(asked, target):
            raise Forbidden(f"This key may not use the model '{asked}'.", code="model_not_allowed", param="model")
        return Route(asked, target)

    def _target(self, asked: str) -> str | None:
        """The name upstream, None if nobody serves it. Lists of upstreams that are down for now still count."""
        catalogs = [u.catalog for u in self.pool.upstreams if u.health.state == "up" or u.catalog.models]
        target = self.aliases.get(asked) or (self._default() if asked == DEFAULT else asked)
        if target is not None and any(c.models is None or target in c.models for c in catalogs):
            return target
        return None

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

    async def models(self, key: VirtualKey) -> list[dict[str, Any]]:
        """The models a key may use, aliases included, as OpenAI model objects."""
        await self.pool.known()
        listed = {name: model for u in self.pool.upstreams for name, model in (u.catalog.models or {}).items()}
        if not listed and not self.aliases:
            self._require_upstream()
        models = [_public(model) for name, model in listed.items() if key.may_use(name)]
        for alias in dict.fromkeys([*self.aliases, DEFAULT]):
            target = self._target(alias)
            if target is not None and alias not in listed and key.may_use(alias, target):
                models.append({"id": alias, "object": "model", "created": 0, "owned_by": "kakehashi", "root": target})
        return models


def _public(model: dict[str, Any]) -> dict[str, Any]:
    """A model object without ``root`` and ``permission``: vLLM puts the path on its disk there."""
    shown: dict[str, Any] = {
        name: model[name] for name in ("id", "created", "owned_by", "max_model_len", "parent") if name in model
    }
    return {"object": "model", "created": 0, "owned_by": "", **shown}
