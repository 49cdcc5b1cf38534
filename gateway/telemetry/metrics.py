"""Prometheus metrics. Labels are bounded: surfaces, statuses, models that exist, rules of the policy; never a client's
own words, a key or a user."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from gateway.guardrails.types import Decision
    from gateway.routing.upstream import Upstream

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """All metrics of one gateway, in a registry of its own (several gateways may live in one process: tests)."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter("kakehashi_requests", "Answers by status", ["surface", "status"], registry=registry)
        self._seconds = Histogram(
            "kakehashi_request_seconds",
            "Time to the end of the answer",
            ["surface"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._ttft = Histogram(
            "kakehashi_ttft_seconds",
            "Time to the first text of a stream",
            ["surface"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._outcomes = Counter(
            "kakehashi_outcomes", "How requests to models ended", ["model", "outcome"], registry=registry
        )
        self._tokens = Counter("kakehashi_tokens", "Tokens", ["model", "kind"], registry=registry)
        self._decisions = Counter(
            "kakehashi_guardrail_decisions", "Findings", ["stage", "rule", "action", "shadow"], registry=registry
        )
        self._audit_failures = Counter("kakehashi_audit_failures", "Audit records not stored", registry=registry)
        self._up = Gauge("kakehashi_upstream_up", "1 when the upstream answers", ["upstream"], registry=registry)
        self._in_flight = Gauge(
            "kakehashi_upstream_in_flight", "Requests upstream now", ["upstream"], registry=registry
        )

    def answered(self, surface: str, status: int, seconds: float) -> None:
        self._requests.labels(surface, str(status)).inc()
        self._seconds.labels(surface).observe(seconds)

    def first_text(self, surface: str, seconds: float) -> None:
        self._ttft.labels(surface).observe(seconds)

    def ended(self, model: str, outcome: str, prompt_tokens: int, completion_tokens: int) -> None:
        """``model``: a name the upstream serves, or "unknown"."""
        self._outcomes.labels(model, outcome).inc()
        self._tokens.labels(model, "prompt").inc(prompt_tokens)
        self._tokens.labels(model, "completion").inc(completion_tokens)

    def decided(self, decisions: Iterable[Decision]) -> None:
        for d in decisions:
            self._decisions.labels(d.stage, d.rule, d.action, str(d.shadow).lower()).inc(d.count)

    def audit_failed(self) -> None:
        self._audit_failures.inc()

    def render(self, upstreams: Iterable[Upstream]) -> bytes:
        """The text format, with the upstreams' state as of now."""
        for upstream in upstreams:
            self._up.labels(upstream.name).set(upstream.health.state == "up")
            self._in_flight.labels(upstream.name).set(upstream.in_flight)
        return generate_latest(self.registry)
