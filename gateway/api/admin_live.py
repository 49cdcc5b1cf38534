"""``/admin/live``: the requests in flight now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter

from gateway.api.live import shown
from gateway.api.roles import Admin
from gateway.api.services import TheServices

router = APIRouter(prefix="/admin", tags=["admin"])


@router.get("/live")
async def live(admin: Admin, services: TheServices) -> dict[str, Any]:
    """Requests to models under way in this process, longest first: who asked, which model, how far; no content.

    ``tokens`` counts the pieces of text sent so far (about one token each); ``state`` is the step of the pipeline.
    """
    now = datetime.now(UTC)
    rows = [shown(x) for x in list(services.live.values())]
    for row in rows:
        row["since"] = (now - timedelta(seconds=row["seconds"])).isoformat(timespec="milliseconds")
    return {"object": "list", "data": sorted(rows, key=lambda row: -row["seconds"]), "next": None}
