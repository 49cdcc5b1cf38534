"""What the surfaces work with, built once by :mod:`gateway.app` and handed to them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends
from starlette.requests import Request

from gateway.api.client import ACTING, SURFACE
from gateway.api.live import Live
from gateway.api.records import Records
from gateway.audit.keeping import Keeping
from gateway.batches.runner import BatchRunner
from gateway.guardrails.types import Guardrails
from gateway.identity.administration import Administration
from gateway.identity.keyring import KeyRing
from gateway.identity.model import VirtualKey
from gateway.identity.people import People
from gateway.identity.store import IdentityStore
from gateway.ledger.store import Ledger
from gateway.limits.meter import Meter
from gateway.reloading import Reloader
from gateway.routing.pool import Pool
from gateway.routing.router import DEFAULT, Router
from gateway.routing.steering import Steering
from gateway.routing.table import Members, RoutingTable
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.otlp import Tracer
from kakehashi.settings import GatewaySettings

if TYPE_CHECKING:
    from gateway.api.exchange import Exchange


@dataclass(frozen=True)
class Speech:
    """The speech engines: a router and a pool of their own, so that no chat is ever routed to one or waits for one."""

    router: Router
    pool: Pool
    members: Members

    async def configure(self, table: RoutingTable) -> None:
        """From the next request on, another configuration holds."""
        await self.members.move(self.pool, table)
        self.router.steer(table.plans, (), ())

    async def models(self, key: VirtualKey) -> list[dict[str, Any]]:
        """The speech models a key may use; none while no engine is up."""
        if not any(upstream.health.state == "up" for upstream in self.pool.upstreams):
            return []
        return [model for model in await self.router.models(key) if model["id"] != DEFAULT]


class Follower(Protocol):
    """What comes after an answer (``gateway.api.shadowing.Shadows``)."""

    def follow(self, x: Exchange) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Services:
    """Everything a request needs. ``salt_key``: makes the teams' cache salts; ``tracer``: None when traces are off;
    ``live``: the requests to models in flight; ``draining``: set when no new ones are wanted."""

    settings: GatewaySettings
    identity: IdentityStore
    administration: Administration
    keys: KeyRing
    people: People
    meter: Meter
    ledger: Ledger
    pool: Pool
    router: Router
    steering: Steering
    guardrails: Guardrails
    records: Records
    metrics: Metrics
    salt_key: bytes
    batches: BatchRunner
    speech: Speech
    reloader: Reloader
    shadows: Follower
    scratch: Path  # where uploads lie while they are read
    tracer: Tracer | None = None
    keeping: Keeping | None = None  # anchors and retention of the real audit log
    live: Live = field(default_factory=dict)
    draining: threading.Event = field(default_factory=threading.Event)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


TheServices = Annotated[Services, Depends(_services)]


async def _caller(request: Request, services: TheServices) -> VirtualKey:
    """Who asks, and may use this surface (as the edge has named it)."""
    acting: VirtualKey | None = request.scope.get(ACTING)
    caller = acting or await services.keys.verify(
        request.headers.get("authorization"), request.headers.get("x-kakehashi-session")
    )
    caller.require_surface(request.scope[SURFACE])
    return caller


Caller = Annotated[VirtualKey, Depends(_caller)]
