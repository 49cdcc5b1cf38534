"""What is known of one request so far, and what of it is told: in headers to the client, in records to the audit."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from gateway.api.client import Client
from gateway.api.dialect import CHAT, Asked, Dialect
from gateway.api.params import Check, Sifted
from gateway.api.stream import Relay
from gateway.api.usage import NOTHING, Usage
from gateway.audit.record import Intent, Outcome
from gateway.guardrails.types import Decision, RequestGuard
from gateway.identity.model import VirtualKey
from gateway.limits.meter import estimate_tokens
from gateway.limits.window import Reservation
from gateway.routing.router import Route
from gateway.routing.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Surface:
    """One kind of request to a model.

    ``allowed``: the fields that may pass; ``check``: further checks of the body; ``texts``: the fields whose tokens
    count; ``generates``: it makes text (may stream, has a prefix cache upstream, its answer is guarded and kept);
    ``upstream_path``: where upstream has it, if elsewhere; ``dialect``: how it speaks; ``key_header``: a header that may
    hold the key bare, in place of Authorization.
    """

    name: str
    path: str
    allowed: Mapping[str, Check]
    check: Callable[[dict[str, Any]], None]
    texts: tuple[str, ...]
    generates: bool = True
    dialect: Dialect = CHAT
    upstream_path: str = ""
    key_header: str = ""


@dataclass(slots=True)
class Exchange:
    """One request from an authenticated client, with a body that may pass."""

    surface: Surface
    client: Client
    key: VirtualKey
    sifted: Sifted
    prompt: str
    guard: RequestGuard
    started: float
    route: Route | None = None
    reservation: Reservation | None = None
    limit_headers: Mapping[str, str] = field(default_factory=dict)
    upstream: Upstream | None = None
    upstream_model: str = ""
    attempts: int = 0
    usage: Usage | None = NOTHING  # None: the engine did work, and nobody knows how much
    ttft_s: float | None = None
    finish_reason: str = ""
    received: bytes = b""
    forward: Mapping[str, Any] = field(default_factory=dict)  # the body as it goes upstream, once it was checked
    relay: Relay | None = None  # of a stream
    streaming: bool = False  # the head of a stream has been sent
    intent_stored: bool = False
    outcome_stored: bool = False

    @property
    def body(self) -> dict[str, Any]:
        return self.sifted.body

    @property
    def streams(self) -> bool:
        return self.surface.generates and bool(self.body.get("stream"))

    @property
    def asked(self) -> Asked:
        return Asked(self.body, self.forward)

    def prompt_guess(self) -> int:
        return sum(estimate_tokens(self.body.get(name)) for name in self.surface.texts)

    def answer_limit(self) -> int | None:
        """The most tokens the request allows its answer; None: it does not say."""
        if not self.surface.generates:
            return 0
        named = (self.body.get(name) for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"))
        asked = next((limit for limit in named if limit), None)
        return asked * self.body.get("n", 1) if asked else None

    def encode(self, salt_key: bytes) -> Callable[[Upstream], bytes]:
        """The bytes for an upstream, once one is chosen.

        vLLM gets the team's ``cache_salt``: with a shared prefix cache, teams could measure by time what others asked.
        """
        demands = self.surface.dialect.demands(self.forward, streams=self.streams)
        body = {**self.forward, **demands, "model": self.route.model if self.route else ""}
        salt = hmac.new(salt_key, self.key.team_id.encode(), hashlib.sha256).hexdigest()

        def encode(upstream: Upstream) -> bytes:
            self.upstream = upstream
            self.attempts += 1
            salted = self.surface.generates and upstream.catalog.vllm
            return orjson.dumps({**body, "cache_salt": salt} if salted else body)

        return encode

    def headers(self) -> dict[str, str]:
        """What every answer tells about itself, as far as the request has come."""
        headers = {
            "x-kakehashi-policy": header_value(self.guard.policy_ref),
            **self.limit_headers,
            **self.sifted.header,
        }
        if self.prompt:
            headers["x-kakehashi-prompt"] = self.prompt
        if self.route:
            headers["x-kakehashi-model"] = header_value(self.upstream_model or self.route.model)
        return headers

    def intent(self, forward: dict[str, Any] | None) -> Intent:
        """``forward``: the body as it goes upstream; None when it does not."""
        return Intent(
            request_id=self.client.request_id,
            surface=self.surface.name,
            key_id=self.key.id,
            team=self.key.team,
            user=self.client.label("x-kakehashi-user"),
            app=self.client.label("x-kakehashi-app"),
            job=self.client.label("x-kakehashi-job"),
            model=self.body["model"][:200],
            prompt=self.prompt,
            policy=self.guard.policy_ref,
            profile=self.key.profile or "default",
            stream=self.streams,
            body=orjson.dumps(forward) if forward is not None else b"",
        )

    def outcome(self, outcome: str, status: int, error: str) -> Outcome:
        usage = self.usage or Usage(self.prompt_guess(), 0, exact=False)
        return Outcome(
            request_id=self.client.request_id,
            outcome=outcome,
            status=status,
            upstream=self.upstream.name if self.upstream else "",
            upstream_model=self.upstream_model,
            attempts=self.attempts,
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            latency_ms=(time.perf_counter() - self.started) * 1000,
            ttft_ms=self.ttft_s * 1000 if self.ttft_s is not None else None,
            finish_reason=self.finish_reason,
            decisions=[as_record(decision) for decision in self.guard.decisions],
            error=error,
            body=self.received,
        )


def as_record(decision: Decision) -> dict[str, Any]:
    """A decision as it stands in the audit record (``dataclasses.asdict`` copies deeply, ten times as slow)."""
    return {name: getattr(decision, name) for name in Decision.__slots__}


def header_value(text: str) -> str:
    """A header's value is ASCII: anything else is percent-encoded."""
    return quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
