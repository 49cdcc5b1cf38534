"""HTTP/1.1 on the socket: uvicorn's protocol, stricter where two servers could read the same bytes differently.

- Fields after a chunked body (trailers) are no headers: uvicorn adds them to the request's, where a key would count.
- A header that decides something comes once: a proxy in front may have checked the other one.
- The head of a request is bounded in bytes and in time: a single header without end would fill the memory, and one that
  comes a byte a minute would keep its connection for ever.
- A body that goes on after its answer (413, 401) is drained for a moment, so that the answer is read, and no longer.
- What cannot be read is answered in the shape of every other error, and never into an answer that is under way.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.api.ids import new_request_id
from gateway.errors import ApiError, BadRequest, BodyTimeout, HeadersTooLarge

_LOG = logging.getLogger("gateway.request")
HEAD_TIMEOUT_S = 20.0
UNREAD_TIMEOUT_S = 90  # a peer that takes no byte for so long, or is not there any more, is given up by the kernel
LINGER_S = 10.0  # how long the rest of a body is thrown away after an early answer
MAX_HEAD_BYTES = 128 * 1024  # of the bytes read so far; the edge refuses much less, once the head is whole
_ONCE = frozenset(
    {
        b"authorization", b"x-api-key", b"host", b"content-type", b"content-encoding", b"content-length",
        b"transfer-encoding", b"x-kakehashi-user", b"x-kakehashi-prompt",
    }
)  # fmt: skip


class Wire(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _give_up_dead_peers(transport)
        self._in_head = True
        self._head_bytes = 0
        self._overdue: TimerHandle | None = None
        self._linger: TimerHandle | None = None
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        self._stop_lingering()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(HeadersTooLarge("The request headers are too large."))
            elif self._overdue is None:
                self._expect_head()

    # -- the parser's callbacks ---------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_is_here()
        names = [name for name, _ in self.headers]
        if len(set(names)) != len(names) and (twice := next((n for n in _ONCE if names.count(n) > 1), None)):
            raise ValueError(f"the header {twice.decode()} comes twice")  # the parser makes it a 400
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_lingering()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and not self.transport.is_closing():
            self._linger = self.loop.call_later(LINGER_S, self.transport.abort)

    # -- the head ------------------------------------------------------------------------------------------------------

    def _expect_head(self) -> None:
        self._overdue = self.loop.call_later(HEAD_TIMEOUT_S, self._too_slow)

    def _head_is_here(self) -> None:
        self._in_head = False
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _too_slow(self) -> None:
        self._overdue = None
        if self._in_head:
            self._refuse(BodyTimeout(f"The request's headers did not arrive within {HEAD_TIMEOUT_S:g} s."))

    def _stop_lingering(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    # -- refusals ------------------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        self._refuse(BadRequest("This is not valid HTTP/1.1, or can be read in two ways.", code="invalid_http"))

    def _refuse(self, error: ApiError) -> None:
        """Answer and close; or only close, where the client would take it for a part of an earlier answer."""
        request_id = new_request_id()
        _LOG.info("%s unreadable %d %s", request_id, error.status, error.code)
        cycle = self.cycle
        idle = cycle is None or cycle.response_complete
        if idle or (cycle.more_body and not cycle.response_started and not self.pipeline):
            body = error.body()
            lines = (
                STATUS_LINE[error.status].rstrip(),
                b"content-type: application/json",
                b"content-length: %d" % len(body),
                b"x-request-id: " + request_id.encode(),
                b"connection: close",
                b"",
                body,
            )
            self.transport.write(b"\r\n".join(lines))
        self.transport.close()


def _give_up_dead_peers(transport: asyncio.Transport) -> None:
    """A peer that vanished without a word, and one that reads nothing, would keep a closed connection's buffer for ever."""
    peer = transport.get_extra_info("socket")
    if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_TIMEOUT_S * 1000)
