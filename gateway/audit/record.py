"""What the audit log holds: an intent before a request goes upstream, an outcome before its last byte leaves, and
between them, where there was more than one, an attempt for each time it went to an engine.

A record answers who, when, which model, which prompt, which policy, with which decisions, at what cost. The bodies are
given in clear and stored encrypted; the chain covers the ciphertext.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.ledger.entry import Entry


@dataclass(frozen=True, slots=True)
class Intent:
    """Stored durably before the request goes upstream, or the act is done. ``body`` is the request as forwarded (masked).

    ``user_source`` tells how the user's name is known (``gateway.identity.model.Source``): only session, oidc and
    service are vouched for; "claimed" (and records from before there was this field) is whatever the caller wrote.

    ``action`` and ``target`` are of acts of administration (``key.create`` on a key's name or id …), else empty.
    ``audio``: SHA-256, bytes and container of a recording, which itself is not kept.
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
    user_source: str = ""
    audio: dict[str, Any] | None = None
    body: bytes = b""
    ledger: tuple[Entry, ...] = ()  # stored in the same transaction, beside the chain


@dataclass(frozen=True, slots=True)
class Attempt:
    """Stored durably before a request goes upstream once more; the intent stands for the first time.

    ``after``: how the attempt before failed: unreachable, overloaded, error, disconnected, timeout.
    ``fallback``: why the model is not the first choice, "" when it is.
    """

    request_id: str
    number: int
    upstream: str
    model: str
    fallback: str
    after: str
    ledger: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Stored durably before the last byte reaches the client. ``body`` is the answer as received (still masked).

    ``outcome``: ok, blocked, client_gone, upstream_error, upstream_timeout, refused.
    ``tries``: one row per attempt: upstream, model, result (ok, a status, a kind of failure), ms, fallback.
    ``decisions``: guardrail decisions as dictionaries (``gateway.guardrails.types.Decision``), never the matched text.
    ``audio_seconds``: how long a recording was, by which it is billed.
    """

    request_id: str
    outcome: str
    status: int
    upstream: str = ""
    upstream_model: str = ""
    attempts: int = 1
    tries: list[dict[str, Any]] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    finish_reason: str = ""
    decisions: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    audio_seconds: float | None = None
    body: bytes = b""
    ledger: tuple[Entry, ...] = ()
