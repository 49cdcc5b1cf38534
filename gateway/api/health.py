"""Health and metrics. ``live``: the process answers; ``ready``: so do the engine, the database, the limits, the audit.

``/livez`` and ``/readyz`` are the same under the names that Kubernetes' own parts use.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, Response

from gateway.api.services import Services, TheServices
from gateway.errors import Unavailable, shape
from gateway.telemetry import metrics

router = APIRouter(tags=["health"])


@router.get("/livez")
@router.get("/health/live", operation_id="health_live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "A part is not ready; it is named"}}


@router.get("/readyz", responses=_NOT_READY)
@router.get("/health/ready", responses=_NOT_READY, operation_id="health_ready")
async def ready(services: TheServices) -> Response:
    """Whether requests can be served; if not, which part is not ready and why."""
    parts = {
        "upstream": _upstream(services),
        "database": await _asked(asyncio.to_thread(services.identity.ping)),
        "limits": await _asked(services.meter.store.ping()),
        "audit": await services.records.stands(),
        "serving": "draining" if services.draining.is_set() else "ok",
    }
    bad = {name: part for name, part in parts.items() if part != "ok"}
    answer: dict[str, Any] = {"status": "not_ready" if bad else "ok", "parts": parts}
    if services.keeping:  # an anchor that fails is told, but the gateway serves
        standing = services.keeping.anchoring.standing
        answer["anchors"] = {name: one.failure or "ok" for name, one in standing.items()}
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
    spans = services.tracer.counts if services.tracer else None
    body = services.metrics.render(services.pool.upstreams, live=len(services.live), spans=spans)
    return Response(body, media_type=metrics.CONTENT_TYPE)
