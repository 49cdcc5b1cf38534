"""What is known of one request so far, and what of it is told: in headers to the client, in records to the audit."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson

from gateway.api import bill
from gateway.api.client import Client
from gateway.api.dialect import CHAT, Asked, Dialect
from gateway.api.params import Check, Sifted
from gateway.api.spans import operation, provider
from gateway.api.stream import Relay
from gateway.api.usage import NOTHING, Usage
from gateway.audit.record import Attempt, Intent, Outcome
from gateway.guardrails.types import Decision, RequestGuard
from gateway.identity.model import VirtualKey
from gateway.ledger.entry import Entry, Opening
from gateway.limits.meter import Admission, estimate_tokens
from gateway.limits.spec import PRIORITY
from gateway.routing.attempts import Try
from gateway.routing.plan import Hop, Sticky
from gateway.routing.router import Route
from gateway.routing.upstream import Upstream
from gateway.telemetry.metrics import Call
from gateway.telemetry.trace import Trace

_PLAIN = re.compile(r"[\w.@/:+-]*", re.ASCII)
_AFFINITY_CHARS = 2_000  # of a prompt's beginning: enough to tell prompts apart, little to hash
_HEADS = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Surface:
    """One kind of request to a model.

    ``allowed``: the fields that may pass; ``check``: further checks of the body; ``texts``: the fields whose tokens
    count; ``generates``: it makes text (may stream, has a prefix cache upstream, its answer is guarded and kept);
    ``upstream_path``: where upstream has it, if elsewhere; ``dialect``: how it speaks; ``key_header``: a header that may
    hold the key bare, in place of Authorization; ``has_priority``: vLLM's field of that name is in its requests.
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
    has_priority: bool = False


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
    admission: Admission | None = None
    opened: Opening | None = None  # the ledger's row of the attempt under way
    limit_headers: Mapping[str, str] = field(default_factory=dict)
    upstream: Upstream | None = None
    hop: Hop | None = None  # the model that was asked last
    tries: list[Try] = field(default_factory=list)
    upstream_model: str = ""
    usage: Usage | None = NOTHING  # None: the engine did work, and nobody knows how much
    ttft_s: float | None = None
    finish_reason: str = ""
    received: bytes = b""
    forward: Mapping[str, Any] = field(default_factory=dict)  # the body as it goes upstream, once it was checked
    relay: Relay | None = None  # of a stream
    streaming: bool = False  # the head of a stream has been sent
    intent_stored: bool = False
    outcome_stored: bool = False
    trace: Trace | None = None  # None: traces are off
    state: str = "request"  # the step it is at, for those who watch
    sent: float = 0.0  # when it went to the engine; 0: not yet
    replied: float = 0.0  # when the engine's answer was whole or broke off
    ending: tuple[str, str] = ("", "")  # how it ended and why, once it has

    def enter(self, state: str) -> None:
        """The next step begins."""
        self.state = state
        if self.trace is not None:
            self.trace.enter(state)

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

    def who(self, sticky: Sticky) -> str:
        """Who asks, as far as a route's canary is concerned: always on the same side of it."""
        if sticky == "none":
            return self.client.request_id
        if sticky == "user" and (person := self.client.person(self.key).name):
            return person
        if sticky == "conversation":
            return self.client.label("x-kakehashi-conversation") or f"{self.key.id}\0{self._beginning(1)!r}"
        return self.key.id

    def affinity(self) -> bytes:
        """What requests have in common whose prompts begin alike: the tenant, and the prompt's first words."""
        return f"{self.key.team_id or self.key.id}\0{self._beginning(2)!r}"[:_AFFINITY_CHARS].encode("utf-8", "replace")

    def _beginning(self, messages: int) -> Any:
        """The system prompt and the first messages, which stay the same while a conversation goes on."""
        said = next((self.body[name] for name in self.surface.texts if name in self.body), None)
        if not isinstance(said, list):
            return said
        heads = sum(1 for item in said[:messages] if isinstance(item, dict) and item.get("role") in _HEADS)
        return [self.body.get("system"), self.body.get("instructions"), said[: messages + heads]]

    def encode(self, salt_key: bytes) -> Callable[[Upstream, Hop], bytes]:
        """The bytes for an upstream, once one is chosen.

        vLLM gets the team's ``cache_salt``: with a shared prefix cache, teams could measure by time what others asked.
        """
        demands = self.surface.dialect.demands(self.forward, streams=self.streams)
        encoded = self.encoder(salt_key, {**self.forward, **demands})

        def encode(upstream: Upstream, hop: Hop) -> bytes:
            self.upstream, self.hop = upstream, hop
            self.sent = self.sent or time.perf_counter()
            return encoded(upstream, hop)

        return encode

    def encoder(
        self, salt_key: bytes, body: Mapping[str, Any], *, priority: bool = True
    ) -> Callable[[Upstream, Hop], bytes]:
        """The same for any body of this key's."""
        salt = _cache_salt(salt_key, self.key.team_id)
        rank = PRIORITY[self.key.priority if priority else "low"] if self.surface.has_priority else 0

        def encode(upstream: Upstream, hop: Hop) -> bytes:
            salted = self.surface.generates and upstream.catalog.vllm
            own: dict[str, Any] = {"model": hop.model, "cache_salt": salt} if salted else {"model": hop.model}
            if rank and salted and upstream.priorities:
                own["priority"] = rank
            return orjson.dumps({**body, **own})

        return encode

    def upstream_headers(self) -> dict[str, str]:
        """What the engine is told beside the body: our request id and, when traced, whose call this is."""
        told = {"x-request-id": self.client.request_id}
        return told if self.trace is None else {**told, "traceparent": self.trace.traceparent}

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
            hop = self.hop or self.route.hops[0]
            headers["x-kakehashi-model"] = header_value(self.upstream_model or hop.model)
            headers["x-kakehashi-attempts"] = str(len(self.tries))
            if self.upstream:
                headers["x-kakehashi-upstream"] = self.upstream.name
            if self.route.plan:
                told = f"{self.route.asked}->{hop.model}; canary={'yes' if hop.canary else 'no'}"
                headers["x-kakehashi-route"] = header_value(told)
            if hop.fallback:
                headers["x-kakehashi-fallback"] = header_value(f"{self.route.model}->{hop.model}; {hop.fallback}")
        return headers

    def intent(self, forward: dict[str, Any] | None) -> Intent:
        """``forward``: the body as it goes upstream; None when it does not."""
        person = self.client.person(self.key)
        app, job = self.client.label("x-kakehashi-app"), self.client.label("x-kakehashi-job")
        body = orjson.dumps(forward) if forward is not None else b""
        return self.about(body, bill.opening(self, person.name, app, job))

    def about(self, body: bytes, ledger: tuple[Entry, ...]) -> Intent:
        """Who asks for what, with a body as it goes upstream, and its rows of the ledger."""
        person = self.client.person(self.key)
        app, job = self.client.label("x-kakehashi-app"), self.client.label("x-kakehashi-job")
        return Intent(
            request_id=self.client.request_id,
            surface=self.surface.name,
            key_id=self.key.id,
            team=self.key.team,
            user=person.name,
            app=app,
            job=job,
            model=self.body["model"][:200],
            prompt=self.prompt,
            policy=self.guard.policy_ref,
            profile=self.key.profile or "default",
            stream=self.streams,
            user_source=person.source,
            body=body,
            ledger=ledger,
        )

    @property
    def billed(self) -> Usage:
        """What the request is charged: as counted; the prompt, as estimated, where nobody could count."""
        guess = self.admission.prompt_tokens if self.admission else 0
        return self.usage or Usage(guess, 0, exact=False)

    @property
    def audio_ms(self) -> int:
        """Milliseconds of audio to bill."""
        return 0

    def call(self, record: Outcome) -> Call:
        """What the metrics count of it."""
        listed = self.upstream is not None and self.upstream.catalog.models
        return Call(
            operation=operation(self.surface.name),
            provider=provider(self.upstream),
            model=self.hop.model if self.hop and listed else "unlisted",
            outcome=record.outcome,
            prompt_tokens=record.prompt_tokens,
            completion_tokens=record.completion_tokens,
            exact=self.usage is not None and self.usage.exact,
            seconds=time.perf_counter() - self.started,
            engine_s=(self.replied or time.perf_counter()) - self.sent if self.sent else None,
            ttft_s=self.ttft_s,
            ttft_engine_s=self.started + self.ttft_s - self.sent if self.ttft_s is not None else None,
        )

    def attempt(self, tried: Try, after: str) -> Attempt:
        """A further attempt, about to be made ``after`` a failure."""
        return Attempt(
            request_id=self.client.request_id,
            number=tried.number,
            upstream=tried.upstream.name,
            model=tried.hop.model,
            fallback=tried.hop.fallback,
            after=after,
            ledger=bill.once_more(self, tried, after),
        )

    def outcome(self, outcome: str, status: int, error: str) -> Outcome:
        usage = self.billed
        return Outcome(
            request_id=self.client.request_id,
            outcome=outcome,
            status=status,
            upstream=self.upstream.name if self.upstream else "",
            upstream_model=self.upstream_model,
            attempts=len(self.tries),
            tries=[tried.record() for tried in self.tries],
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            latency_ms=(time.perf_counter() - self.started) * 1000,
            ttft_ms=self.ttft_s * 1000 if self.ttft_s is not None else None,
            finish_reason=self.finish_reason,
            decisions=[as_record(decision) for decision in self.guard.decisions],
            error=error,
            body=self.received,
            ledger=bill.settlement(self, outcome, status),
        )


@lru_cache(maxsize=4096)
def _cache_salt(salt_key: bytes, team_id: str) -> str:
    return hmac.new(salt_key, team_id.encode(), hashlib.sha256).hexdigest()


def as_record(decision: Decision) -> dict[str, Any]:
    """A decision as it stands in the audit record (``dataclasses.asdict`` copies deeply, ten times as slow)."""
    return {name: getattr(decision, name) for name in Decision.__slots__}


def header_value(text: str) -> str:
    """A header's value is ASCII: anything else is percent-encoded."""
    if _PLAIN.fullmatch(text):
        return text
    return quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
