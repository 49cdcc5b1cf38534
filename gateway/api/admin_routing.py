"""``/admin/routes`` and ``/admin/adapters``: where requests go, set at run time. Every change is on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from gateway.api.roles import Admin, Auditor, Run
from gateway.api.services import Services, TheServices
from gateway.errors import Conflict, NotFound
from gateway.routing.adapters import check_name
from gateway.routing.steering import InForce
from kakehashi.settings import RouteSettings

router = APIRouter(prefix="/admin", tags=["admin"])


# -- routes -------------------------------------------------------------------------------------------------------------


@router.get("/routes")
def list_routes(auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """Every alias in force: the configuration file's (``source`` file), and those set here (``source`` runtime)."""
    now = services.steering.now
    aliases = sorted({*now.plans, *now.stored.routes})
    return {"object": "list", "data": [_route(services, now, alias) for alias in aliases], "next": None}


@router.get("/routes/{alias:path}")
def get_route(alias: str, auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """One alias."""
    now = services.steering.now
    if alias not in now.plans and alias not in now.stored.routes:
        raise NotFound(f"There is no route '{alias[:200]}'.", code="route_not_found")
    return _route(services, now, alias)


@router.put("/routes/{alias:path}")
async def set_route(alias: str, asked: RouteSettings, admin: Admin, services: TheServices, run: Run) -> dict[str, Any]:
    """Set where an alias leads, in place of the configuration file's. It holds here at once, on every replica within a
    second; requests under way are not touched. ``unserved`` names models that no engine serves now."""
    steering, body = services.steering, asked.model_dump(mode="json")
    steering.check(alias, asked)
    who = admin.user.name or admin.id
    await run("route.set", alias, body, lambda: steering.store.put_route(alias, body, who))
    await steering.refresh()
    return _route(services, steering.now, alias)


@router.delete("/routes/{alias:path}")
async def reset_route(alias: str, services: TheServices, run: Run) -> dict[str, Any]:
    """Take back what was set here: the configuration file's route holds again, or none (``source`` none)."""
    steering = services.steering
    await run("route.reset", alias, {}, lambda: steering.store.delete_route(alias))
    await steering.refresh()
    return _route(services, steering.now, alias)


def _route(services: Services, now: InForce, alias: str) -> dict[str, Any]:
    steering = services.steering
    stored, plan = now.stored.routes.get(alias), now.plans.get(alias)
    told: dict[str, Any] = {"object": "route", "alias": alias, "source": "none", "route": None}
    if plan is not None:
        told |= {"source": "file", "route": plan.public(), "unserved": steering.unserved(plan.models())}
    if stored is not None:
        told |= {"changed_at": stored.changed_at.isoformat(timespec="milliseconds"), "changed_by": stored.changed_by}
        if problem := now.refused.get(alias):
            told["problem"] = problem
        else:
            told["source"] = "runtime"
    if alias in steering.table.plans:
        told["file"] = steering.table.plans[alias].public()
    return told


# -- adapters -----------------------------------------------------------------------------------------------------------


@router.get("/adapters")
def list_adapters(auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """Every adapter that is known or lies in the adapters folder, and how it stands on each engine."""
    steering = services.steering
    names = sorted({*steering.now.stored.adapters, *steering.folder.names()})
    return {"object": "list", "data": [_adapter(services, name) for name in names], "next": None}


@router.get("/adapters/{name}")
def get_adapter(name: str, auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """One adapter."""
    steering = services.steering
    if check_name(name) not in steering.now.stored.adapters and name not in steering.folder.names():
        raise NotFound(f"The adapter '{name}' is not known.", code="adapter_not_known")
    return _adapter(services, name)


@router.put("/adapters/{name}")
async def want_adapter(name: str, admin: Admin, services: TheServices, run: Run) -> dict[str, Any]:
    """Have an adapter of the adapters folder loaded on every engine, now and after each restart of one."""
    steering, who = services.steering, admin.user.name or admin.id
    check_name(name)
    details: dict[str, str] = {}

    def want() -> None:
        details["digest"] = digest = steering.folder.check(name)
        steering.store.want(name, digest, who)

    await run("adapter.want", name, details, want)
    await steering.refresh()
    return _adapter(services, name)


@router.delete("/adapters/{name}")
async def withdraw_adapter(name: str, admin: Admin, services: TheServices, run: Run) -> dict[str, Any]:
    """Withdraw an adapter: no request goes there from now on, and every engine unloads it once those under way are done.

    Refused while a route names it."""
    steering, who = services.steering, admin.user.name or admin.id
    check_name(name)

    def withdraw() -> None:
        if used := steering.used_by(name):
            raise Conflict(f"Routes lead to '{name}': {', '.join(used)}. Change them first.", code="adapter_in_use")
        steering.store.withdraw(name, who)

    await run("adapter.withdraw", name, {}, withdraw)
    await steering.refresh()
    return _adapter(services, name)


def _adapter(services: Services, name: str) -> dict[str, Any]:
    steering = services.steering
    row = steering.now.stored.adapters.get(name)
    told: Mapping[str, Any] = {"digest": None, "changed_at": None, "changed_by": None, "wanted": False}
    if row is not None:
        changed = row.changed_at.isoformat(timespec="milliseconds")
        told = {"digest": row.digest, "changed_at": changed, "changed_by": row.changed_by, "wanted": row.wanted}
    return {
        "object": "adapter",
        "name": name,
        **told,
        "on_disk": name in steering.folder.names(),
        "routes": steering.used_by(name),
        "replicas": steering.reconciler.standing(name),
    }
