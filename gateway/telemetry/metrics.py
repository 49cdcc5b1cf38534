"""Prometheus metrics. Labels are bounded: surfaces, statuses, models that exist, rules of the policy; never a client's
own words, a key or a user.

``kakehashi_*`` are ours; ``gen_ai_*`` are OpenTelemetry's for generative AI under their Prometheus names, with the
buckets that the conventions ask for (semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md): ``gen_ai_client_*`` is
the gateway as the engine's client, ``gen_ai_server_*`` the gateway as its clients see it. The difference is ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from gateway.guardrails.types import Decision
    from gateway.routing.pool import Pool
    from gateway.routing.upstream import Upstream
    from gateway.telemetry.otlp import Counts

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_CALL_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKEN_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = tuple(4**power for power in range(14))
_WHAT = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class _Remembering:
    """Remembers its children by their labels, which are bounded: the library's way to one costs more than to count."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._children: dict[tuple[str, ...], Any] = {}
        super().__init__(*arguments, **named)

    def labels(self, *values: Any, **named: Any) -> Any:
        if named:
            return super().labels(*values, **named)  # type: ignore[misc]
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = super().labels(*values)  # type: ignore[misc]
        return child


class Counter(_Remembering, prometheus_client.Counter):
    pass


class Histogram(_Remembering, prometheus_client.Histogram):
    pass


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model that is over. ``model``: a name the upstream serves, or "unlisted". ``exact``: the tokens
    are upstream's own count. ``seconds``: the whole; ``engine_s``: of it the engine's part, None when it did nothing;
    ``ttft_s`` and ``ttft_engine_s``: to the first text of a stream, counted from either start."""

    operation: str
    provider: str
    model: str
    outcome: str
    prompt_tokens: int
    completion_tokens: int
    exact: bool
    seconds: float
    engine_s: float | None
    ttft_s: float | None
    ttft_engine_s: float | None


class _GenAi:
    """The conventions' histograms."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(name, text, [*_WHAT, *labels], buckets=buckets, registry=registry)

        self._engine = histogram(
            "gen_ai_client_operation_duration_seconds", "Time of the engine's part", _CALL_S, "error_type"
        )
        self._first_chunk = histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds", "Engine's time to the first text", _FIRST_S
        )
        self._tokens = histogram(
            "gen_ai_client_token_usage", "Tokens a request, by the engine's count", _TOKENS, "gen_ai_token_type"
        )
        self._whole = histogram(
            "gen_ai_server_request_duration_seconds", "Time of the whole request", _CALL_S, "error_type"
        )
        self._first = histogram(
            "gen_ai_server_time_to_first_token_seconds", "Time to the first text for the client", _FIRST_S
        )
        self._token = histogram("gen_ai_server_time_per_output_token_seconds", "Time a token after the first", _TOKEN_S)

    def observe(self, call: Call) -> None:
        what = (call.operation, call.provider, call.model)
        error = "" if call.outcome == "ok" else call.outcome
        self._whole.labels(*what, error).observe(call.seconds)
        if call.engine_s is not None:
            self._engine.labels(*what, error).observe(call.engine_s)
            if call.exact:
                self._tokens.labels(*what, "input").observe(call.prompt_tokens)
                self._tokens.labels(*what, "output").observe(call.completion_tokens)
        if call.ttft_s is not None and call.ttft_engine_s is not None:
            self._first.labels(*what).observe(call.ttft_s)
            self._first_chunk.labels(*what).observe(call.ttft_engine_s)
            if not error and call.exact and call.completion_tokens > 1:
                self._token.labels(*what).observe((call.seconds - call.ttft_s) / (call.completion_tokens - 1))


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
        self._anchored = Gauge(
            "kakehashi_audit_anchored_timestamp_seconds",
            "When an anchor last took a checkpoint",
            ["anchor"],
            registry=registry,
        )
        self._anchor_failures = Counter(
            "kakehashi_audit_anchor_failures", "Checkpoints an anchor did not take", ["anchor"], registry=registry
        )
        self._audit_failures = Counter("kakehashi_audit_failures", "Audit records not stored", registry=registry)
        self._up = Gauge("kakehashi_upstream_up", "1 when the upstream answers", ["upstream"], registry=registry)
        self._breaker = Gauge(
            "kakehashi_upstream_breaker", "1 for the state it is in", ["upstream", "state"], registry=registry
        )
        self._in_flight = Gauge(
            "kakehashi_upstream_in_flight", "Requests upstream now", ["upstream"], registry=registry
        )
        self._live = Gauge("kakehashi_requests_in_flight", "Requests to models under way", registry=registry)
        self._spans = Gauge("kakehashi_trace_spans", "Spans by what became of them", ["result"], registry=registry)
        self._gen_ai = _GenAi(registry)

    def answered(self, surface: str, status: int, seconds: float) -> None:
        self._requests.labels(surface, str(status)).inc()
        self._seconds.labels(surface).observe(seconds)

    def first_text(self, surface: str, seconds: float) -> None:
        self._ttft.labels(surface).observe(seconds)

    def ended(self, call: Call) -> None:
        """A request to a model is over."""
        self._outcomes.labels(call.model, call.outcome).inc()
        self._tokens.labels(call.model, "prompt").inc(call.prompt_tokens)
        self._tokens.labels(call.model, "completion").inc(call.completion_tokens)
        self._gen_ai.observe(call)

    def decided(self, decisions: Iterable[Decision]) -> None:
        for d in decisions:
            self._decisions.labels(d.stage, d.rule, d.action, str(d.shadow).lower()).inc(d.count)

    def anchored(self, anchor: str, ok: bool) -> None:
        """``anchor``: the name of one that is configured."""
        if ok:
            self._anchored.labels(anchor).set_to_current_time()
        else:
            self._anchor_failures.labels(anchor).inc()

    def audit_failed(self) -> None:
        self._audit_failures.inc()

    def watch_pool(self, pool: Pool) -> None:
        """Show what the pool counts itself, as of each time that somebody looks."""
        self.registry.register(PoolNumbers(pool))

    def render(self, upstreams: Iterable[Upstream], *, live: int = 0, spans: Counts | None = None) -> bytes:
        """The text format, with the state as of now: of the upstreams, the requests in flight, the traces (if on)."""
        self._live.set(live)
        for result in ("sent", "dropped", "failed") if spans else ():
            self._spans.labels(result).set(getattr(spans, result))
        now = time.monotonic()
        for gauge in (self._up, self._in_flight, self._breaker):
            gauge.clear()  # an upstream that was removed is not shown for ever
        for upstream in upstreams:
            self._up.labels(upstream.name).set(upstream.health.state == "up")
            self._in_flight.labels(upstream.name).set(upstream.in_flight)
            for state in ("closed", "open", "half_open"):
                self._breaker.labels(upstream.name, state).set(upstream.breaker.state(now) == state)
        return generate_latest(self.registry)


class PoolNumbers(Collector):
    """Retries and fallbacks. A fallback that answers all along must be seen (tscibilia/home-ops PR#3391)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Metric]:
        retries = CounterMetricFamily(
            "kakehashi_retries",
            "Further attempts, by upstream gone to and failure before",
            labels=["upstream", "after"],
        )
        for (upstream, after), count in self._pool.retries.items():
            retries.add_metric([upstream, after], count)
        fallbacks = CounterMetricFamily(
            "kakehashi_fallbacks", "Requests that went to another model than the first choice", labels=["model", "why"]
        )
        for (model, why), count in self._pool.fallbacks.items():
            fallbacks.add_metric([model, why], count)
        refused = CounterMetricFamily("kakehashi_retries_refused", "Attempts that the retry budget did not allow")
        refused.add_metric([], self._pool.budget.refused)
        shadows = CounterMetricFamily(
            "kakehashi_shadows", "Copies for shadow traffic by what became of them", labels=["model", "result"]
        )
        for (model, result), count in self._pool.shadows.items():
            shadows.add_metric([model, result], count)
        return retries, fallbacks, refused, shadows
