"""One request on its way to an answer: attempt after attempt, until one stands or none may follow.

Only before the first byte, only for failures the route allows, only within one number of attempts over retries and
fallbacks together (litellm#19985), and only while the retry budget lasts. By default nothing that an engine may have
worked on is sent again: it might be billed twice (elixir-vibe/llm_proxy#4).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

import aiohttp

from gateway.deadline import within
from gateway.errors import ApiError, BadGateway, Unavailable, UpstreamTimeout
from gateway.limits.fair import Flow
from gateway.routing.adapters import is_adapter
from gateway.routing.breaker import NO_PERMIT
from gateway.routing.picking import pick
from gateway.routing.plan import SAFE, Failure, Hop, Timeouts
from gateway.routing.reply import Reply
from gateway.routing.upstream import NotReached, Upstream

if TYPE_CHECKING:
    from gateway.routing.pool import Pool

_PAUSE_S = 0.05  # before the same upstream is tried again
_OVERLOADED = (429, 503)


@dataclass(slots=True)
class Try:
    """One attempt. ``result``: ok, an HTTP status of the upstream, or the kind of failure; "" while it runs."""

    number: int
    hop: Hop
    upstream: Upstream
    started: float = field(default_factory=time.perf_counter)
    result: str = ""
    ms: float = 0.0

    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def ended(self, result: str) -> None:
        self.result, self.ms = result, self.seconds() * 1000

    def record(self) -> dict[str, str | float | int]:
        """As it stands in the audit record."""
        return {
            "upstream": self.upstream.name,
            "model": self.hop.model,
            "result": self.result,
            "ms": round(self.ms, 3),
            "fallback": self.hop.fallback,
            "canary": self.hop.canary,
        }


@dataclass(slots=True)
class Call:
    """What is to be sent. ``hops``: the models that may answer, in order; ``body``: its bytes for the chosen upstream;
    ``headers``: ours, never the client's; ``affinity``: what similar requests have in common; ``again``: told before each attempt but the first;
    ``flow``, ``cost``: whose queue it waits in when the engines are full, and its tokens; ``counts``: what becomes of it
    tells the circuit breaker and the retry budget how an upstream is."""

    path: str
    hops: Sequence[Hop]
    body: Callable[[Upstream, Hop], bytes]
    headers: Mapping[str, str]
    affinity: Callable[[], bytes] = bytes
    retry_on: frozenset[Failure] = SAFE
    timeouts: Timeouts | None = None
    again: Callable[[Try, str], Awaitable[None]] | None = None
    tries: list[Try] = field(default_factory=list)
    flow: Flow = ("", "normal")
    cost: int = 1
    counts: bool = True


class Sending:
    """``async with`` it: a Reply, or ApiError; leaving it ends the request upstream."""

    def __init__(self, pool: Pool, call: Call) -> None:
        self._pool, self._call = pool, call
        self._reply: Reply | None = None
        self._upstream: Upstream | None = None
        self._permit = 0
        self._times = call.timeouts or pool.timeouts
        self._deadline: float | None = None

    async def __aenter__(self) -> Reply:
        """Raises Unavailable, UpstreamTimeout, BadGateway, and what ``again`` raises."""
        call = self._call
        hop, upstream = self._pool.choose(call) or await self._pool.turn(call)
        if self._times.total_s is not None:
            self._deadline = asyncio.get_running_loop().time() + self._times.total_s
        while True:
            tried = Try(len(call.tries) + 1, hop, upstream)
            call.tries.append(tried)
            kind, error = await self._attempt(tried)
            if kind is None:
                return self._standing()
            following = self._following(kind)
            if following is None:
                if error is None:
                    return self._standing()  # its answer tells what is wrong
                self._close()
                raise error
            self._close()
            if following == (hop, upstream):
                await asyncio.sleep(_PAUSE_S)
            hop, upstream = following
            self._pool.note_retry(hop, upstream, kind)
            if call.again:
                await call.again(Try(len(call.tries) + 1, hop, upstream), kind)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reply, upstream = self._reply, self._upstream
        if reply and upstream and reply.broken:
            upstream.breaker.failed(self._permit, time.monotonic())
            self._call.tries[-1].result = "broke off"
        self._close()

    def _standing(self) -> Reply:
        assert self._reply is not None  # noqa: S101 - the attempt has just set it
        return self._reply

    async def _attempt(self, tried: Try) -> tuple[Failure | None, ApiError | None]:
        """Send it once: how it failed (None: it did not), and the error to raise where there is no answer to show."""
        upstream, call = tried.upstream, self._call
        upstream.enter(tried.hop.model)
        self._upstream, self._permit = upstream, upstream.breaker.begin() if call.counts else NO_PERMIT
        result = "cancelled"
        kind: Failure | None = None
        error: ApiError | None = None
        try:
            self._reply = await self._post(upstream, call.body(upstream, tried.hop))
            result = "ok" if self._reply.status == 200 else str(self._reply.status)
            kind = self._judge(self._reply.status)
            if self._reply.status == 404 and await _lost(upstream, tried.hop):
                result = kind = "unloaded"
                error = Unavailable(f"The adapter '{tried.hop.model}' is being loaded.", code="adapter_not_loaded")
        except NotReached:
            result = kind = "unreachable"
            error = self._pool.unavailable([upstream])
        except TimeoutError:
            result = kind = "timeout"
            waited = f"{tried.seconds():.3g}"
            error = UpstreamTimeout(f"The model server did not begin to answer within {waited} s.")
        except aiohttp.ClientError as broken:
            result = kind = "disconnected"
            error = BadGateway(
                "The model server closed the connection before it answered.", code="upstream_disconnected"
            )
            error.__cause__ = broken
        finally:
            tried.ended(result)
            if result == "cancelled":
                upstream.breaker.unknown(self._permit)
                self._close()
        if kind in ("unreachable", "timeout", "disconnected"):
            upstream.breaker.failed(self._permit, time.monotonic())
        return kind, error

    async def _post(self, upstream: Upstream, body: bytes) -> Reply:
        wait, times = self._times.first_byte_s, self._times
        if self._deadline is not None:
            wait = min(wait, self._deadline - asyncio.get_running_loop().time())
        response, first = await within(wait, self._begun(upstream, body))
        return Reply(response, first, times.idle_s, self._deadline)

    async def _begun(self, upstream: Upstream, body: bytes) -> tuple[aiohttp.ClientResponse, bytes]:
        """The answer's head, and its first part: an engine may fail between the two."""
        response = await upstream.post(self._call.path, body, self._call.headers)
        try:
            return response, await response.content.readany()
        except BaseException:
            response.close()
            raise

    def _judge(self, status: int) -> Failure | None:
        """What the upstream's status says of it. One that is busy is alive, and so is one that refuses a request."""
        assert self._upstream is not None  # noqa: S101 - set by the attempt
        breaker = self._upstream.breaker
        if status in _OVERLOADED:
            breaker.unknown(self._permit)
            return "overloaded"
        if status >= 500:
            breaker.failed(self._permit, time.monotonic())
            return "error"
        breaker.succeeded(self._permit)
        if self._call.counts:
            self._pool.budget.earn()
        return None

    def _following(self, kind: Failure) -> tuple[Hop, Upstream] | None:
        """Where the next attempt goes, paid from the budget; None when there is none."""
        call = self._call
        if kind not in call.retry_on | {"unloaded"} or len(call.tries) >= self._pool.attempts:
            return None
        following = self._pool.another(call, kind)
        return following if following and self._pool.budget.take() else None

    def _close(self) -> None:
        if self._reply:
            self._reply.response.close()
            self._reply = None
        if self._upstream:
            self._upstream.leave(self._call.tries[-1].hop.model)
            self._upstream = None


async def _lost(upstream: Upstream, hop: Hop) -> bool:
    """After a 404: whether the engine has lost the adapter, by a restart since we last looked."""
    if not is_adapter(hop.model):
        return False
    await upstream.probe()
    return not hop.serves(upstream)


def choose(upstreams: Sequence[Upstream], call: Call, now: float) -> tuple[Hop, Upstream] | None:
    """The first model that one of the upstreams serves now, and the upstream for it."""
    for hop in call.hops:
        able = [u for u in upstreams if u.available(now) and hop.serves(u)]
        if able:
            return hop, pick(able, call.affinity)
    return None


def another(upstreams: Sequence[Upstream], call: Call, kind: Failure, now: float) -> tuple[Hop, Upstream] | None:
    """After a failure: another upstream for the model, then the next models, and at last, if it was never reached, the
    same upstream once more."""
    last = call.tries[-1]
    at = call.hops.index(last.hop)
    for hop in call.hops[at:]:
        used = {t.upstream.name for t in call.tries if t.hop is hop}
        able = [u for u in upstreams if u.name not in used and u.available(now) and hop.serves(u)]
        if able:
            return hop, pick(able, call.affinity)
    again = kind == "unreachable" and sum(t.upstream is last.upstream for t in call.tries) < 2
    return (last.hop, last.upstream) if again and last.upstream.breaker.allows(now) else None


def unavailable(upstreams: Sequence[Upstream], now: float) -> Unavailable:
    """Why nothing can be sent, by the first of those that serve the model."""
    reason = upstreams[0].refusal(now)
    busy = all(u.health.state == "up" and u.breaker.allows(now) for u in upstreams)
    code = "upstream_overloaded" if busy else "upstream_unavailable"
    return Unavailable(f"The model server is not available: it {reason}.", code=code)
