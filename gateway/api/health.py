"""Health and metrics. ``live``: the process answers; ``ready``: so do the engine, the database and the limits."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, Response

from gateway.api.services import Services, TheServices
from gateway.errors import Unavailable, shape
from gateway.telemetry import metrics

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready", responses={503: {"description": "A part is not ready; it is named"}})
async def ready(services: TheServices) -> Response:
    """Whether requests can be served; if not, which part is not ready and why."""
    parts = {
        "upstream": _upstream(services),
        "database": await _asked(asyncio.to_thread(services.identity.ping)),
        "limits": await _asked(services.meter.store.ping()),
    }
    bad = {name: part for name, part in parts.items() if part != "ok"}
    answer: dict[str, Any] = {"status": "not_ready" if bad else "ok", "parts": parts}
    if bad:
        message = "; ".join(f"{name}: {part}" for name, part in bad.items())
        answer |= shape(f"Not ready: {message}", "server_error", "not_ready")
    return Response(orjson.dumps(answer), 503 if bad else 200, media_type="application/json")


def _upstream(services: Services) -> str:
    states = [upstream.health for upstream in services.pool.upstreams]
    return "ok" if any(health.state == "up" for health in states) else states[0].reason


async def _asked(question: Any) -> str:
    try:
        await question
    except Unavailable as error:
        return error.message
    return "ok"


@router.get("/metrics", response_class=Response)
async def prometheus(services: TheServices) -> Response:
    """Prometheus metrics."""
    return Response(services.metrics.render(services.pool.upstreams), media_type=metrics.CONTENT_TYPE)
