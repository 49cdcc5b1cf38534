"""``/admin/usage``, ``/admin/limits``, ``/admin/prices``, ``/admin/reconcile``: what was used, what may still be used."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from gateway.api.roles import Auditor, Run
from gateway.api.services import TheServices
from gateway.identity.model import Team, VirtualKey
from gateway.ledger.reconcile import Readings, read
from gateway.ledger.report import By, as_csv, usage
from gateway.limits.spec import MICRO
from gateway.limits.window import Claim, Level, Scope

router = APIRouter(prefix="/admin", tags=["admin"])
_PAGE = 100


@router.get("/usage")
def get_usage(
    auditor: Auditor, services: TheServices, by: By = "day", since: str | None = None, until: str | None = None
) -> dict[str, Any]:
    """Requests, tokens and yen, by day, team, key, user, model or app; from the day ``since`` to before ``until``."""
    lines = usage(services.ledger.engine, by, since, until)
    return {"object": "list", "by": by, "data": [line.public() for line in lines], "next": None}


@router.get("/usage.csv", response_class=Response)
def get_usage_csv(
    auditor: Auditor, services: TheServices, by: By = "day", since: str | None = None, until: str | None = None
) -> Response:
    """The same as a table for a spreadsheet (UTF-8 with a byte order mark, so that Excel reads Japanese names)."""
    table = "\ufeff" + as_csv(usage(services.ledger.engine, by, since, until))
    headers = {"content-disposition": f'attachment; filename="usage-by-{by}.csv"'}
    return Response(table, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/limits")
async def get_limits(
    auditor: Auditor, services: TheServices, team: str | None = None, after: int = 0
) -> dict[str, Any]:
    """How the limits of each team and active key stand now, and those by configuration; a hundred owners at a time."""
    owners = await asyncio.to_thread(_owners, services, team)
    page = owners[after : after + _PAGE]
    levels = [level for _, found in page for level in found]
    standing = iter(await services.meter.standing(levels))
    data = [{**owner, "limits": [_shown(*next(standing)) for _ in found]} for owner, found in page]
    more = after + _PAGE if after + _PAGE < len(owners) else None
    return {"object": "list", "data": data, "next": more}


def _owners(services: TheServices, team: str | None) -> list[tuple[dict[str, Any], list[Level]]]:
    """Everybody who has limits of their own, with them."""
    rules = services.meter.rules
    teams = [services.identity.team(team)] if team else services.identity.teams()
    found = [_of_team(t) for t in teams]
    found += [_of_key(k) for k in services.identity.keys(team=team) if k.revoked_at is None]
    if not team:
        found.append(
            ({"kind": "global", "id": "global", "name": "gateway"}, rules.everybody.levels(Scope(), "gateway"))
        )
        for model, limits in (rules.models or {}).items():
            found.append(({"kind": "model", "id": model, "name": model}, limits.levels(Scope(model=model), model)))
    return [(owner, levels) for owner, levels in found if levels]


def _of_team(team: Team) -> tuple[dict[str, Any], list[Level]]:
    return {"kind": "team", "id": team.id, "name": team.name}, team.limits.levels(Scope(team=team.id), team.name)


def _of_key(key: VirtualKey) -> tuple[dict[str, Any], list[Level]]:
    owner = {"kind": "key", "id": key.id, "name": key.name, "team": key.team or None}
    return owner, key.limits.levels(Scope(key=key.id), key.name)


def _shown(claim: Claim, used: int) -> dict[str, Any]:
    """One limit; yen in yen, and the seconds since the epoch at which its window ends (null: it has none)."""
    level = claim.level
    unit = MICRO if level.kind == "micro_yen" else 1
    return {
        "kind": "yen" if level.kind == "micro_yen" else level.kind,
        "window": level.window,
        "limit": level.limit / unit if unit > 1 else level.limit,
        "used": used / unit if unit > 1 else used,
        "left": max(0, level.limit - used) / unit if unit > 1 else max(0, level.limit - used),
        "resets_at": claim.span.end or None,
    }


@router.get("/prices")
def get_prices(auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """The price list in effect: yen per million tokens and per minute of audio."""
    return services.meter.prices.public()


@router.get("/reconcile")
async def get_reconcile(auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """The ledger against the engines' own counters since the last reading that was kept; keeps none."""
    readings = await read(services.pool.upstreams)
    rows = await asyncio.to_thread(Readings(services.ledger.engine).compare, readings)
    return {"object": "list", "data": rows, "next": None}


@router.post("/reconcile")
async def post_reconcile(services: TheServices, run: Run) -> dict[str, Any]:
    """The same, and the next comparison counts from here."""
    readings, kept = await read(services.pool.upstreams), Readings(services.ledger.engine)
    rows = await asyncio.to_thread(kept.compare, readings)
    await run("usage.reconcile", "engines", {"rows": rows}, lambda: kept.keep(readings))
    return {"object": "list", "data": rows, "next": None}
