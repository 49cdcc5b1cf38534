"""Shadow traffic: after an answer, a copy of some requests goes to another model. Nobody sees what it says.

A copy has a request id, an audit record and a ledger row of its own; the row is nobody's (no key, no team, app
``shadow``), so no team is charged and no limit is touched. It goes as it went to the first model, masked, and whole
rather than streamed. Copies wait for nothing: where the engine is full, or enough of them are under way, they are dropped
and counted; and their failures say nothing of an upstream to the circuit breaker and to the retry budget.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from gateway.api.dialect import Asked
from gateway.api.exchange import Exchange, as_record
from gateway.api.ids import new_request_id
from gateway.api.records import Records
from gateway.api.upstream_answer import read_answer
from gateway.api.usage import NOTHING, Usage
from gateway.audit.record import Outcome
from gateway.errors import ApiError, Unavailable, UpstreamTimeout
from gateway.guardrails.types import Blocked, Guardrails, RequestGuard
from gateway.ledger.entry import Opening, Settlement
from gateway.ledger.prices import Price
from gateway.limits.meter import Meter
from gateway.routing.attempts import Call, Try
from gateway.routing.hashing import fraction
from gateway.routing.plan import Hop
from gateway.routing.router import Router
from kakehashi.errors import ConfigError

_LOG = logging.getLogger("gateway.shadow")
AT_ONCE = 4
_ONLY_OF_STREAMS = ("stream", "stream_options")


class Shadows:
    """``counts`` (of the pool) tells what became of the copies, by model: ok, failed, dropped."""

    def __init__(
        self,
        router: Router,
        guardrails: Guardrails,
        records: Records,
        meter: Meter,
        salt_key: bytes,
        at_once: int = AT_ONCE,
    ) -> None:
        self._router, self._guardrails, self._records = router, guardrails, records
        self._meter, self._salt_key, self._at_once = meter, salt_key, at_once
        self._running: set[asyncio.Task[None]] = set()

    def follow(self, x: Exchange) -> None:
        """After a request was answered: send its copy, if its route has one and its lot falls so."""
        shadow = x.route.shadow() if x.route else None
        if shadow is None or not x.surface.generates or fraction("shadow", x.client.request_id) >= shadow.share:
            return
        if shadow.model in self._router.withdrawn or (x.hop and x.hop.model == shadow.model):
            return
        copy = _Copy(x, Hop(shadow.model), self._meter, self._salt_key)
        if len(self._running) >= self._at_once or not self._has_room(copy):
            self._count(copy, "dropped")
            return
        task = asyncio.create_task(self._run(copy), name=f"shadow-{copy.request_id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Those under way end; each leaves its outcome."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _has_room(self, copy: _Copy) -> bool:
        try:
            return self._router.pool.choose(copy.call) is not None
        except Unavailable:
            return False

    def _count(self, copy: _Copy, result: str) -> None:
        self._router.pool.shadows[copy.hop.model, result] += 1

    async def _run(self, copy: _Copy) -> None:
        try:
            await self._records.intent(copy.intent())
        except Unavailable:
            self._count(copy, "dropped")  # told in the log already
            return
        outcome, status, code = "client_gone", 499, "shutdown"
        try:
            outcome, status, code = await self._ask(copy)
        finally:
            self._count(copy, "ok" if outcome == "ok" else "failed")
            await asyncio.shield(self._end(copy, copy.outcome(outcome, status, code)))

    async def _ask(self, copy: _Copy) -> tuple[str, int, str]:
        """How it ended."""
        try:
            async with self._router.pool.send(copy.call) as reply:
                answer, copy.received = await read_answer(reply)
            copy.read(answer)
            copy.guard = self._guardrails.request(copy.x.key.profile)
            await asyncio.to_thread(copy.x.surface.dialect.guarded, copy.guard, answer, copy.asked)
        except Blocked as blocked:
            return "blocked", 200, blocked.rule
        except ApiError as error:
            return (
                ("upstream_timeout" if isinstance(error, UpstreamTimeout) else "upstream_error"),
                error.status,
                error.code,
            )
        except ConfigError as error:
            return "refused", 500, error.code
        return "ok", 200, ""

    async def _end(self, copy: _Copy, outcome: Outcome) -> None:
        try:
            await self._records.outcome(outcome)
        except Unavailable:
            _LOG.error("%s: the outcome of a copy could not be recorded", copy.request_id)


class _Copy:
    """One copy: what is sent, what comes back, what is recorded of it."""

    def __init__(self, x: Exchange, hop: Hop, meter: Meter, salt_key: bytes) -> None:
        self.x, self.hop, self.request_id = x, hop, new_request_id()
        self.started, now = time.perf_counter(), time.time()
        self.day, self.started_ms = meter.calendar.date(now), int(now * 1000)
        self.price: Price = meter.prices.of(hop.model)
        self.guess = x.prompt_guess()
        self.forward = {name: value for name, value in x.forward.items() if name not in _ONLY_OF_STREAMS}
        self.forward |= x.surface.dialect.demands(self.forward, streams=False)
        self.tries: list[Try] = []
        self.received, self.model, self.finish_reason = b"", "", ""
        self.usage: Usage = NOTHING
        self.guard: RequestGuard | None = None
        self.call = Call(
            x.surface.upstream_path or x.surface.path,
            (hop,),
            self._encoder(salt_key),
            {"x-request-id": self.request_id},
            affinity=x.affinity,
            retry_on=frozenset(),
            timeouts=x.route.plan.timeouts if x.route and x.route.plan else None,
            tries=self.tries,
            counts=False,
        )

    @property
    def asked(self) -> Asked:
        return Asked(self.forward, self.forward)

    def _encoder(self, salt_key: bytes) -> Callable[..., bytes]:
        return self.x.encoder(salt_key, self.forward, priority=False)

    def read(self, answer: dict[str, Any]) -> None:
        dialect = self.x.surface.dialect
        self.usage = dialect.usage(answer) or Usage(self.guess, 0, exact=False)
        self.model, self.finish_reason = str(answer.get("model") or "")[:200], dialect.finish_reason(answer)

    def intent(self) -> Any:
        opening = Opening(
            request_id=self.request_id,
            attempt=1,
            day=self.day,
            started_ms=self.started_ms,
            key_id="",
            team_id="",
            team="",
            user="",
            app="shadow",
            job="",
            surface=self.x.surface.name,
            model=self.x.body["model"][:200],
            target=self.hop.model[:200],
            reserved_tokens=0,
            reserved_micro_yen=0,
            lost_tokens=self.guess,
            lost_micro_yen=self.price.cost(self.guess, 0),
            price_version=self.price.version,
        )
        told = self.x.about(orjson.dumps(self.forward), (opening,))
        first = self.x.client.request_id
        return replace(told, request_id=self.request_id, stream=False, action="shadow", target=first)

    def outcome(self, outcome: str, status: int, code: str) -> Outcome:
        upstream = self.tries[-1].upstream.name if self.tries else ""
        settled = Settlement(
            request_id=self.request_id,
            attempt=1,
            settled_ms=int(time.time() * 1000),
            upstream=upstream,
            served=self.model,
            outcome=outcome,
            status=status,
            prompt_tokens=self.usage.prompt,
            completion_tokens=self.usage.completion,
            audio_ms=0,
            micro_yen=self.price.cost(self.usage.prompt, self.usage.completion),
            exact=self.usage.exact,
        )
        return Outcome(
            request_id=self.request_id,
            outcome=outcome,
            status=status,
            upstream=upstream,
            upstream_model=self.model,
            attempts=len(self.tries),
            tries=[tried.record() for tried in self.tries],
            prompt_tokens=self.usage.prompt,
            completion_tokens=self.usage.completion,
            latency_ms=(time.perf_counter() - self.started) * 1000,
            finish_reason=self.finish_reason,
            decisions=[as_record(decision) for decision in self.guard.decisions] if self.guard else [],
            error=code,
            body=self.received,
            ledger=(settled,),
        )
