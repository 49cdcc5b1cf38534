"""What the surfaces work with, built once by :mod:`gateway.app` and handed to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from gateway.api.records import Records
from gateway.guardrails.types import Guardrails
from gateway.identity.administration import Administration
from gateway.identity.keyring import KeyRing
from gateway.identity.model import VirtualKey
from gateway.identity.store import IdentityStore
from gateway.limits.meter import Meter
from gateway.routing.pool import Pool
from gateway.routing.router import Router
from gateway.telemetry.metrics import Metrics
from kakehashi.settings import GatewaySettings


@dataclass(frozen=True)
class Services:
    """Everything a request needs. ``salt_key``: makes the teams' cache salts."""

    settings: GatewaySettings
    identity: IdentityStore
    administration: Administration
    keys: KeyRing
    meter: Meter
    pool: Pool
    router: Router
    guardrails: Guardrails
    records: Records
    metrics: Metrics
    salt_key: bytes


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


TheServices = Annotated[Services, Depends(_services)]


async def _caller(request: Request, services: TheServices) -> VirtualKey:
    return await services.keys.verify(request.headers.get("authorization"))


Caller = Annotated[VirtualKey, Depends(_caller)]
