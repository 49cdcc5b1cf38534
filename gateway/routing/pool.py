"""The pool of upstreams: probes them, picks one, sends a request there; tries again only what never arrived.

A request that was accepted is never sent twice: it might be billed twice (elixir-vibe/llm_proxy#4). One budget of
attempts for everything, so a fallback cannot start the circle again (litellm#19985).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import aiohttp

from gateway.errors import BadGateway, Unavailable, UpstreamTimeout
from gateway.routing.upstream import NotReached, Upstream

ATTEMPTS = 2
_PAUSE_S = 0.05
PROBE_UP_S = 10.0
PROBE_DOWN_S = 0.5
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of one plain answer; far above any completion, below what would hurt us


@dataclass
class Reply:
    """An upstream's answer whose head has arrived. Closing it before its end cancels the request upstream."""

    upstream: Upstream
    response: aiohttp.ClientResponse
    attempts: int
    idle_timeout_s: float

    @property
    def status(self) -> int:
        return self.response.status

    def header(self, name: str) -> str:
        return self.response.headers.get(name, "")

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamTimeout, BadGateway."""
        parts, size = [], 0
        async for part in self.parts():
            parts.append(part)
            size += len(part)
            if size > ANSWER_LIMIT:
                raise BadGateway("The model server's answer is too long.", code="upstream_answer_too_long")
        return b"".join(parts)

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises UpstreamTimeout on silence, BadGateway when it breaks off."""
        content = self.response.content
        while not content.at_eof():
            try:
                async with asyncio.timeout(self.idle_timeout_s):
                    part = await content.readany()
            except TimeoutError:
                raise UpstreamTimeout(
                    f"The model server fell silent for {self.idle_timeout_s:g} s inside its answer.",
                    code="upstream_idle_timeout",
                ) from None
            except aiohttp.ClientError as error:
                raise BadGateway("The model server broke off its answer.", code="upstream_disconnected") from error
            if part:
                yield part


class Pool:
    """Upstreams with their health. ``start`` probes in the background; nobody waits for an engine that is down."""

    def __init__(self, upstreams: Sequence[Upstream], *, first_byte_timeout_s: float, idle_timeout_s: float) -> None:
        self.upstreams = list(upstreams)
        self._first_byte_timeout_s, self._idle_timeout_s = first_byte_timeout_s, idle_timeout_s
        self._probes: list[asyncio.Task[None]] = []
        self._asked = asyncio.Event()

    async def start(self) -> None:
        for upstream in self.upstreams:
            upstream.open()
        self._probes = [asyncio.create_task(self._watch(u), name=f"probe-{u.name}") for u in self.upstreams]

    async def close(self) -> None:
        for task in self._probes:
            task.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        for upstream in self.upstreams:
            await upstream.close()

    async def _watch(self, upstream: Upstream) -> None:
        while True:
            await upstream.probe()
            self._asked.set()
            await asyncio.sleep(PROBE_UP_S if upstream.health.state == "up" else PROBE_DOWN_S)

    async def known(self) -> None:
        """Wait until an upstream has been asked once, so that the first request after the start is not refused."""
        if not self._asked.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._first_byte_timeout_s)

    async def refresh(self) -> None:
        """Ask again now: a model is asked for that nobody knew a moment ago."""
        await asyncio.gather(*(upstream.probe() for upstream in self.upstreams))

    @contextlib.asynccontextmanager
    async def send(
        self, path: str, serves: Callable[[Upstream], bool], body: Callable[[Upstream], bytes], request_id: str
    ) -> AsyncIterator[Reply]:
        """Send to one of the upstreams that serve the model. Raises Unavailable, UpstreamTimeout, BadGateway.

        ``body`` makes the bytes for the chosen upstream: vLLM understands more fields than others.
        """
        tried: list[Upstream] = []
        while True:
            upstream = self._pick(serves, tried)
            tried.append(upstream)
            upstream.in_flight += 1
            try:
                response = await self._post(upstream, path, body(upstream), request_id)
                with contextlib.closing(response):
                    yield Reply(upstream, response, len(tried), self._idle_timeout_s)
                return
            except NotReached:
                if len(tried) == ATTEMPTS:
                    raise self._unavailable(upstream) from None
            finally:
                upstream.in_flight -= 1
            await asyncio.sleep(_PAUSE_S)

    async def _post(self, upstream: Upstream, path: str, body: bytes, request_id: str) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout(self._first_byte_timeout_s):
                return await upstream.post(path, body, request_id)
        except TimeoutError:
            raise UpstreamTimeout(
                f"The model server did not begin to answer within {self._first_byte_timeout_s:g} s.",
                code="upstream_timeout",
            ) from None
        except aiohttp.ClientError as error:
            raise BadGateway(
                "The model server closed the connection before it answered.", code="upstream_disconnected"
            ) from error

    def _pick(self, serves: Callable[[Upstream], bool], tried: list[Upstream]) -> Upstream:
        """The upstream with the fewest requests in flight among those that are up; one not tried yet before others.

        An upstream that failed this very request may be tried once more when there is no other.
        """
        able = [u for u in self.upstreams if serves(u)]
        up = [u for u in able if u.health.state == "up" or u in tried]
        if not up:
            raise self._unavailable(able[0] if able else self.upstreams[0])
        return min(up, key=lambda u: (u in tried, u.in_flight))

    @staticmethod
    def _unavailable(upstream: Upstream) -> Unavailable:
        return Unavailable(f"The model server is not available: it {upstream.health.reason}.")
