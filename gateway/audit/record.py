"""What the audit log holds: an intent before a request goes upstream, an outcome before its last byte leaves.

A record answers who, when, which model, which prompt, which policy, with which decisions, at what cost. The bodies are
given in clear and stored encrypted; the chain covers the ciphertext.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Intent:
    """Stored durably before the request goes upstream, or the act is done. ``body`` is the request as forwarded (masked).

    ``action`` and ``target`` are of acts of administration (``key.create`` on a key's name or id …), else empty.
    """

    request_id: str
    surface: str  # chat, embeddings, guard.scan, admin …
    key_id: str
    team: str
    user: str
    app: str
    job: str
    model: str  # as asked
    prompt: str  # id@version, "" when the client sent none
    policy: str  # name@version
    profile: str
    stream: bool = False
    action: str = ""
    target: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Stored durably before the last byte reaches the client. ``body`` is the answer as received (still masked).

    ``outcome``: ok, blocked, client_gone, upstream_error, upstream_timeout, refused.
    ``decisions``: guardrail decisions as dictionaries (``gateway.guardrails.types.Decision``), never the matched text.
    """

    request_id: str
    outcome: str
    status: int
    upstream: str = ""
    upstream_model: str = ""
    attempts: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    finish_reason: str = ""
    decisions: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    body: bytes = b""
