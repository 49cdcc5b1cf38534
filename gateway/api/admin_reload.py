"""``POST /admin/reload``: the settings and the policy are read again, without a restart and without a dropped request."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from gateway.api.roles import Admin, act_of
from gateway.api.services import Services, TheServices
from gateway.identity.administration import Act
from gateway.reloading import Reloaded

router = APIRouter(prefix="/admin", tags=["admin"])


@router.post("/reload")
async def reload_settings(request: Request, admin: Admin, services: TheServices) -> dict[str, Any]:
    """Read config.yaml, the policy file and the upstreams' key files again. An error (400) says what is wrong and where,
    and leaves everything as it is. ``restart_needed`` names changed settings that only a restart lets hold."""
    return (await reload(services, act_of(request, admin, "config.reload", "", {}))).public()


async def reload(services: Services, act: Act) -> Reloaded:
    """Do it, on record. Raises ConfigError, NotReady, Unavailable."""
    return await services.administration.carry_out(act, services.reloader.reload)
