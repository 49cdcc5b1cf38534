"""An upstream's answer while it comes, under the limits of time and size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from gateway.deadline import Limit
from gateway.errors import BadGateway, UpstreamTimeout

ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of one answer; far above any completion, below what would hurt us


class Answer(Protocol):
    """What the surfaces read: an upstream's answer, or one that was kept."""

    @property
    def status(self) -> int: ...

    def header(self, name: str) -> str: ...

    async def read(self) -> bytes: ...

    def parts(self) -> AsyncGenerator[bytes, None]: ...


@dataclass(slots=True)
class Reply:
    """An upstream's answer whose first part has arrived. Closing the response before its end cancels the request.

    ``deadline``: when the whole answer must be there, by the loop's clock; None: no limit.
    """

    response: aiohttp.ClientResponse
    first: bytes
    idle_timeout_s: float
    deadline: float | None = None
    broken: bool = False  # it broke off, or fell silent: the upstream's failure

    @property
    def status(self) -> int:
        return self.response.status

    def header(self, name: str) -> str:
        return self.response.headers.get(name, "")

    async def read(self) -> bytes:
        """The whole body. Raises UpstreamTimeout, BadGateway."""
        return b"".join([part async for part in self.parts()])

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises UpstreamTimeout on silence, BadGateway when it breaks off."""
        size = len(self.first)
        if self.first:
            yield self.first
        content, idle = self.response.content, Limit(self.idle_timeout_s)
        while not content.at_eof():
            part = await self._next(content, idle)
            size += len(part)
            if size > ANSWER_LIMIT:
                raise BadGateway("The model server's answer is too long.", code="upstream_answer_too_long")
            if part:
                yield part

    async def _next(self, content: aiohttp.StreamReader, idle: Limit) -> bytes:
        late = self._silent
        if self.deadline is not None and (left := self.deadline - asyncio.get_running_loop().time()) < self.idle_timeout_s:
            idle, late = Limit(left), _took_too_long
            if left <= 0:  # a limit would not see it while the next part is already there
                self.broken = True
                raise late()
        try:
            return await idle.wait(content.readany())
        except TimeoutError:
            self.broken = True
            raise late() from None
        except aiohttp.ClientError as error:
            self.broken = True
            raise BadGateway("The model server broke off its answer.", code="upstream_disconnected") from error

    def _silent(self) -> UpstreamTimeout:
        return UpstreamTimeout(
            f"The model server fell silent for {self.idle_timeout_s:g} s inside its answer.",
            code="upstream_idle_timeout",
        )


def _took_too_long() -> UpstreamTimeout:
    return UpstreamTimeout("The answer took longer than this route allows.", code="upstream_total_timeout")
