"""The requests in flight now, for those who watch: one entry in a dict while a request lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.api.exchange import Exchange

Live = dict[str, "Exchange"]  # request id → exchange


def shown(x: Exchange) -> dict[str, Any]:
    """One request for an administrator: who, what, how far; never its content."""
    relay = x.relay
    return {
        "id": x.client.request_id,
        "key_id": x.key.id,
        "key_name": x.key.name,
        "team": x.key.team,
        "user": x.client.label("x-kakehashi-user"),
        "app": x.client.label("x-kakehashi-app"),
        "model": x.body["model"][:200],
        "surface": x.surface.name,
        "stream": x.streams,
        "upstream": x.upstream.name if x.upstream else None,
        "state": x.state,
        "seconds": round(time.perf_counter() - x.started, 3),
        "ttft_seconds": round(x.ttft_s, 3) if x.ttft_s is not None else None,
        "tokens": relay.texts if relay is not None else 0,
    }
