"""Ids of our own."""

from __future__ import annotations

import secrets
import time


def new_request_id() -> str:
    """``req_`` and a UUIDv7-like number: sorted by time, ours alone, whatever the client or upstream sends."""
    return f"req_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
