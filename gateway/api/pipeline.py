"""The life of a request to a model, in the order in which it happens:

    key → body → model → limits → guardrails → audit: intent → engine → guardrails → audit: outcome → last byte → settle

One pipeline for every surface, so no way through skips a step (litellm#35257, #35958, bifrost#2873).
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from typing import Any, NoReturn

import orjson
from starlette.types import Receive, Scope, Send

from gateway.api import bill
from gateway.api.client import Client
from gateway.api.exchange import Exchange, Surface
from gateway.api.params import sift
from gateway.api.services import Services
from gateway.api.spans import describe
from gateway.api.stream import Relay
from gateway.api.upstream_answer import raise_for_status, read_answer
from gateway.api.usage import NOTHING, Usage
from gateway.errors import (
    ApiError,
    BadGateway,
    ClientGone,
    ContentBlocked,
    Forbidden,
    Unavailable,
    UpstreamRefused,
    UpstreamTimeout,
)
from gateway.guardrails.types import Blocked, RequestGuard
from gateway.ledger.entry import Opening
from gateway.routing.attempts import Call, Try
from gateway.routing.plan import SAFE
from gateway.routing.reply import Answer
from kakehashi.errors import ConfigError

_LOG = logging.getLogger("gateway.pipeline")
_IN_THREAD_BYTES = 64 * 1024  # longer texts are checked in a thread, so that other requests go on meanwhile
_CLIENT_CLOSED = 499


class Pipeline:
    """The ASGI endpoint of one surface."""

    def __init__(self, services: Services, surface: Surface) -> None:
        self.services, self.surface = services, surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ApiError for an answer that is an error, ClientGone when nobody waits for one."""
        exchange = await self._begin(Client(scope, receive, send))
        self.services.live[exchange.client.request_id] = exchange
        try:
            exchange.enter("limits")
            await self._admit(exchange)
            exchange.enter("guardrails")
            exchange.forward = forward = await self._check_request(exchange)
            exchange.enter("audit")
            await self._store_intent(exchange, forward)
            exchange.enter("upstream")
            if exchange.streams:
                await self._answer_stream(exchange)
            else:
                await self._answer_whole(exchange)
            self.services.shadows.follow(exchange)
        except (ApiError, Blocked, ClientGone, asyncio.CancelledError) as error:
            await self._end_badly(exchange, error)
        finally:
            await self._settle(exchange)

    # -- before the engine --------------------------------------------------------------------------------------------

    async def _begin(self, client: Client) -> Exchange:
        """Who asks, and for what. Raises Unauthorized, BadRequest, TooLarge."""
        started = time.perf_counter()
        key = client.acting or await self.services.keys.verify(
            client.authorization(self.surface.key_header), client.headers.get("x-kakehashi-session")
        )
        key.require_surface(self.surface.name)
        sifted = sift(await client.json(self.services.settings.max_body_bytes), self.surface.allowed)
        self.surface.check(sifted.body)
        guard = self._guard(key.profile, client)
        return Exchange(self.surface, client, key, sifted, client.prompt(), guard, started, trace=client.trace)

    def _guard(self, profile: str | None, client: Client) -> RequestGuard:
        try:
            return self.services.guardrails.request(profile, headers=client.headers)
        except ConfigError as error:
            message = f"This key's guardrail profile cannot be used: {error.message}"
            raise ApiError(message, code="policy_misconfigured") from error

    async def _admit(self, x: Exchange) -> None:
        """The model, and the limits. Raises NotFound, Forbidden, RateLimited, Unavailable."""
        x.route = await self.services.router.resolve(x.body["model"], x.key, x.who)
        meter, names = self.services.meter, (x.body["model"], x.route.model)
        x.admission = await meter.admit(
            x.key, x.prompt_guess, x.answer_limit(), lease=x.client.request_id, models=names
        )
        x.limit_headers = meter.headers(x.admission.reservation)

    async def _check_request(self, x: Exchange) -> dict[str, Any]:
        """The body to forward: checked, and masked where the policy says so. Raises Blocked."""
        if x.client.received > _IN_THREAD_BYTES:
            return await asyncio.to_thread(x.guard.check_request, x.body)
        return x.guard.check_request(x.body)

    async def _store_intent(self, x: Exchange, forward: dict[str, Any] | None) -> None:
        await self.services.records.intent(x.intent(forward))
        x.intent_stored = True

    # -- the engine ---------------------------------------------------------------------------------------------------

    def _sent(self, x: Exchange) -> AbstractAsyncContextManager[Answer]:
        route, services = x.route, self.services
        assert route is not None  # noqa: S101 - admitted before
        call = Call(
            self.surface.upstream_path or self.surface.path,
            route.hops,
            x.encode(services.salt_key),
            x.upstream_headers(),
            affinity=x.affinity,
            retry_on=route.plan.retry_on if route.plan else SAFE,
            timeouts=route.plan.timeouts if route.plan else None,
            again=partial(self._once_more, x),
            tries=x.tries,
            flow=(x.key.team_id or x.key.id, x.key.priority),
            cost=x.admission.prompt_tokens + x.admission.answer_tokens if x.admission else 1,
        )
        return services.pool.send(call)

    async def _once_more(self, x: Exchange, tried: Try, after: str) -> None:
        record = x.attempt(tried, after)
        await self.services.records.attempt(record)
        x.opened = next((entry for entry in record.ledger if isinstance(entry, Opening)), None)

    async def _answer_whole(self, x: Exchange) -> None:
        x.usage = None
        async with x.client.watched(), self._sent(x) as reply:
            answer, x.received = await read_answer(reply)
        x.replied = time.perf_counter()
        x.enter("guardrails")
        x.usage = self.surface.dialect.usage(answer) or Usage(x.prompt_guess(), 0, exact=False)
        x.upstream_model = str(answer.get("model") or "")[:200]
        x.finish_reason = self.surface.dialect.finish_reason(answer)
        body = await self._check_response(x, answer)
        x.enter("audit")
        await self._store_outcome(x, "ok", 200)
        await x.client.answer(200, body, x.headers())

    async def _check_response(self, x: Exchange, answer: dict[str, Any]) -> bytes:
        raw = x.received
        if not self.surface.generates:  # numbers, nothing worth keeping
            x.received = b""
        guarded = self.surface.dialect.guarded
        if len(raw) > _IN_THREAD_BYTES:
            told = await asyncio.to_thread(guarded, x.guard, answer, x.asked)
        else:
            told = guarded(x.guard, answer, x.asked)
        return raw if told is answer and not self.surface.generates else orjson.dumps(told)

    async def _answer_stream(self, x: Exchange) -> None:
        x.relay = relay = self.surface.dialect.relay(x.guard, x.asked)
        x.usage = None
        try:
            async with x.client.watched(), self._sent(x) as reply:
                await raise_for_status(reply)
                await self._relay(x, reply, relay)
        finally:
            x.replied = time.perf_counter()
            _note_stream(x, relay)
        x.enter("audit")
        await self._store_outcome(x, "ok", 200)
        await self._send(x, b"")
        await x.client.write(relay.ending(), last=True)

    async def _relay(self, x: Exchange, reply: Answer, relay: Relay) -> None:
        async with aclosing(reply.parts()) as parts:
            async for part in parts:
                out = relay.feed(part)
                if x.ttft_s is None and relay.texts:
                    x.ttft_s = time.perf_counter() - x.started
                    self.services.metrics.first_text(self.surface.name, x.ttft_s)
                if out:
                    await self._send(x, out)
                if relay.failure or relay.done or relay.blocked:
                    break
        relay.check_complete()

    async def _send(self, x: Exchange, data: bytes) -> None:
        """The head goes with the first bytes: an engine that fails before them gets a true status code."""
        if not x.streaming:
            x.streaming = True
            await x.client.start_stream(x.headers())
        if data:
            await x.client.write(data)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _store_outcome(self, x: Exchange, outcome: str, status: int, error: str = "") -> None:
        x.outcome_stored, x.ending = True, (outcome, error)
        record = x.outcome(outcome, status, error)
        self.services.metrics.ended(x.call(record))
        self.services.metrics.decided(x.guard.decisions)
        await self.services.records.outcome(record)

    async def _end_badly(self, x: Exchange, error: BaseException) -> NoReturn:
        """Record how it ended, tell the client (in the stream, if that has begun), and pass the error on."""
        outcome, answer = _judge(error)
        x.ending = (outcome, answer.code)
        if isinstance(answer, UpstreamRefused) or answer.code == "upstream_unavailable":
            x.usage = NOTHING  # the engine did nothing
        try:
            if not x.intent_stored and isinstance(error, Blocked | Forbidden):
                await self._store_intent(x, None)
            if x.intent_stored and not x.outcome_stored:
                await self._store_outcome(x, outcome, answer.status, answer.code)
        except Unavailable as unavailable:
            answer = unavailable
        if isinstance(error, ClientGone | asyncio.CancelledError):
            raise error
        answer.headers = {**x.headers(), **answer.headers}
        if x.streaming and x.relay:
            await x.client.write(x.relay.broken(answer), last=True)
        raise answer from (error if error is not answer else None)

    async def _settle(self, x: Exchange) -> None:
        """Charge what was used; and leave no intent without an outcome, not even after a failure of our own."""
        if x.intent_stored and not x.outcome_stored:
            await self._store_outcome(x, "refused", 500, "internal_error")
        if x.trace is not None and self.services.tracer is not None:
            describe(x, content=self.services.tracer.content)
        try:
            if x.admission and x.admission.reservation:
                known = x.usage is not None
                await self.services.meter.settle(x.admission, x.billed.total, bill.cost(x), known=known)
        except Unavailable as error:
            _LOG.error("%s: the limits could not be settled: %s", x.client.request_id, error.message)
        finally:
            self.services.live.pop(x.client.request_id, None)


def _judge(error: BaseException) -> tuple[str, ApiError]:
    """How the audit log calls this ending, and what the client is told."""
    if isinstance(error, Blocked):
        return "blocked", ContentBlocked(f"{error.message} [{error.rule}]")
    if isinstance(error, UpstreamTimeout):
        return "upstream_timeout", error
    if isinstance(error, ApiError):
        upstream = isinstance(error, BadGateway | UpstreamRefused) or error.code.startswith("upstream_")
        return ("upstream_error" if upstream else "refused"), error
    gone = ApiError("The connection was closed.", code="client_gone" if isinstance(error, ClientGone) else "shutdown")
    gone.status = _CLIENT_CLOSED
    return "client_gone", gone


def _note_stream(x: Exchange, relay: Relay) -> None:
    if relay.begun:
        x.usage = relay.usage(x.prompt_guess())
        x.received = relay.received()
    x.upstream_model = relay.model[:200]
    x.finish_reason = relay.finish_reason
