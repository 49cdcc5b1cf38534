"""Who may use an address of the admin API, as dependencies: a route's signature says which role it needs.

An admin may do everything; an auditor reads, verifies and exports. ``tests/integration/test_gateway_roles.py`` finds
every route by itself and tries each role on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request

from gateway.api.services import Caller, Services, TheServices
from gateway.errors import Forbidden
from gateway.identity.administration import Act
from gateway.identity.model import VirtualKey

router = APIRouter(prefix="/admin", tags=["admin"])


async def _admin(caller: Caller) -> VirtualKey:
    if not caller.has_role("admin"):
        raise Forbidden("This needs an admin key, or the role admin.", code="admin_key_required")
    return caller


async def _auditor(caller: Caller) -> VirtualKey:
    if not caller.has_role("auditor"):
        raise Forbidden("This needs an admin key, or the role auditor or admin.", code="admin_key_required")
    return caller


Admin = Annotated[VirtualKey, Depends(_admin)]
Auditor = Annotated[VirtualKey, Depends(_auditor)]
Runner = Callable[[str, str, dict[str, Any], Callable[[], Any]], Awaitable[Any]]


def act_of(request: Request, caller: VirtualKey, action: str, target: str, details: dict[str, Any]) -> Act:
    """An act of the caller, as it is recorded."""
    return Act(
        request.scope["kakehashi.request_id"],
        action,
        target,
        details,
        key_id=caller.id,
        team=caller.team,
        user=caller.user.name,
        user_source=caller.user.source,
    )


def _recorder(request: Request, caller: VirtualKey, services: Services) -> Runner:
    def run(action: str, target: str, details: dict[str, Any], do: Callable[[], Any]) -> Awaitable[Any]:
        return services.administration.run(act_of(request, caller, action, target, details), do)

    return run


def _runner(request: Request, admin: Admin, services: TheServices) -> Runner:
    return _recorder(request, admin, services)


def _auditors_runner(request: Request, auditor: Auditor, services: TheServices) -> Runner:
    return _recorder(request, auditor, services)


# Runs an act in the name of the caller and records it: ``await run(action, target, details, do)``. ``do`` is called in
# a thread.
Run = Annotated[Runner, Depends(_runner)]
AuditorRun = Annotated[Runner, Depends(_auditors_runner)]


@router.get("/me")
def me(caller: Caller) -> dict[str, Any]:
    """Who the caller is, and which roles they have on the admin API."""
    roles = caller.roles | ({"admin"} if caller.admin else set())
    return {
        "id": caller.id,
        "kind": "user" if caller.user.name else "key",
        "name": caller.user.name or caller.name,
        "source": caller.user.source or None,
        "team": caller.team or None,
        "roles": sorted(roles),
    }
