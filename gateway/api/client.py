"""The client's side of one request: its headers, its body under a limit, the watch for its leaving, its answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.types import Receive, Scope, Send

from gateway.deadline import Limit, within
from gateway.errors import BadRequest, BodyTimeout, ClientGone, TooLarge
from gateway.identity.model import Named, VirtualKey
from gateway.telemetry.trace import Trace

BODY_TIMEOUT_S = 60.0
UPLOAD_TIMEOUT_S = 3600.0  # of a whole upload; each of its parts has BODY_TIMEOUT_S
WRITE_TIMEOUT_S = 60.0
WATCH_AFTER_S = 0.05  # an answer that comes sooner needs no task that watches for the client's leaving
JSON = "application/json"
_REQUEST_ID = "kakehashi.request_id"
TRACE = "kakehashi.trace"  # in the ASGI scope, where the edge puts it
SURFACE = "kakehashi.surface"  # likewise: the name of the surface the address belongs to
ACTING = "kakehashi.key"  # in the scope of a request made inside this process: its key; no client can put one there
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PROMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}@[A-Za-z0-9._-]{1,32}", re.ASCII)


class Client:
    """Who sits at the other end. ``gone`` turns true when the connection is closed under :meth:`watched`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Of a header that came twice, the first counts.
        pairs = reversed(scope["headers"])
        self.headers: dict[str, str] = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
        self.request_id: str = scope[_REQUEST_ID]
        self.trace: Trace | None = scope.get(TRACE)
        self.acting: VirtualKey | None = scope.get(ACTING)
        self.gone = False
        self.received = 0  # bytes of the body
        self._receive, self._send = receive, send
        self._writing = Limit(WRITE_TIMEOUT_S)

    # -- what it sends ------------------------------------------------------------------------------------------------

    async def json(self, limit: int) -> dict[str, Any]:
        """The body as a JSON object, read once. Raises BadRequest, TooLarge, BodyTimeout, ClientGone."""
        encoding = self.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise BadRequest(f"Compressed bodies ({encoding[:20]}) are not accepted.", code="unsupported_encoding")
        return parse(await self.body(limit))

    async def body(self, limit: int) -> bytes:
        """The body, refused as soon as it is known to be over ``limit`` bytes, declared or chunked."""
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise TooLarge(limit)
        try:
            return await within(BODY_TIMEOUT_S, self._read(limit))
        except TimeoutError:
            raise BodyTimeout(f"The body did not arrive within {BODY_TIMEOUT_S:g} s.") from None

    async def _read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            self.received += len(parts[-1])
            if self.received > limit:
                raise TooLarge(limit)
            if not message.get("more_body"):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def parts(self, limit: int, told: int) -> AsyncIterator[bytes]:
        """The body as it comes; over ``limit`` bytes, TooLarge(``told``). Raises BodyTimeout, ClientGone."""
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise TooLarge(told)
        end, more = asyncio.get_running_loop().time() + UPLOAD_TIMEOUT_S, True
        while more:
            try:
                async with asyncio.timeout_at(min(end, asyncio.get_running_loop().time() + BODY_TIMEOUT_S)):
                    message = await self._receive()
            except TimeoutError:
                raise BodyTimeout("The upload stood still, or took longer than an hour.") from None
            if message["type"] == "http.disconnect":
                raise ClientGone
            part, more = message.get("body", b""), message.get("more_body", False)
            self.received += len(part)
            if self.received > limit:
                raise TooLarge(told)
            yield part

    def authorization(self, bare: str = "") -> str | None:
        """The Authorization header; or the one of the header named ``bare`` that holds a key alone."""
        key = self.headers.get(bare) if bare else None
        return self.headers.get("authorization") or (f"Bearer {key}" if key else None)

    def label(self, name: str) -> str:
        """A percent-encoded header for the audit record: decoded, one line, at most 200 characters."""
        given = self.headers.get(name)
        return _CONTROL.sub(" ", unquote(given[:1000]))[:200] if given else ""

    def person(self, caller: VirtualKey) -> Named:
        """Whom the request is made for, and how we know (see ``VirtualKey.acts_for``)."""
        return caller.acts_for(self.label("x-kakehashi-user"), self.label("x-kakehashi-claimed-user"))

    def prompt(self) -> str:
        """The prompt version the client names (``id@version``), "" when it names none. Raises BadRequest."""
        ref = self.headers.get("x-kakehashi-prompt", "")
        if ref and not _PROMPT.fullmatch(ref):
            raise BadRequest("x-kakehashi-prompt must look like 'minutes.points@1'.", param="x-kakehashi-prompt")
        return ref

    # -- whether it is still there ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Cancel the body of the ``async with`` as soon as the client leaves; it ends in ClientGone.

        Only one may wait for ASGI messages at a time, so the request's body must have been read.
        """
        owner = asyncio.current_task()
        assert owner is not None  # noqa: S101 - we are in a coroutine, so there is one
        watches: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        later = loop.call_later(WATCH_AFTER_S, lambda: watches.append(loop.create_task(self._until_gone(owner))))
        try:
            yield
        except asyncio.CancelledError:
            if self.gone and owner.uncancel() == 0:
                raise ClientGone from None
            raise
        finally:
            later.cancel()
            for watch in watches:
                watch.cancel()

    async def _until_gone(self, owner: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        owner.cancel()

    # -- what it gets -------------------------------------------------------------------------------------------------

    async def answer(self, status: int, body: bytes, headers: Mapping[str, str], content_type: str = JSON) -> None:
        """A complete answer."""
        await self._start(status, [*headers.items(), ("content-length", str(len(body)))], content_type)
        await self._send({"type": "http.response.body", "body": body})

    async def start_stream(self, headers: Mapping[str, str]) -> None:
        """The head of a stream of server-sent events; proxies are asked not to hold it back."""
        extra = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
        await self._start(200, [*headers.items(), *extra], "text/event-stream; charset=utf-8")

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """A part of a stream. A client that takes nothing for a minute has left (ClientGone)."""
        try:
            message = {"type": "http.response.body", "body": data, "more_body": not last}
            await self._writing.wait(self._send(message))
        except TimeoutError:
            raise ClientGone from None

    async def _start(self, status: int, headers: Iterable[tuple[str, str]], content_type: str) -> None:
        pairs = [(b"content-type", content_type.encode())]
        pairs += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})


def parse(raw: bytes) -> dict[str, Any]:
    """A JSON object from bytes. Raises BadRequest that says what is wrong and where."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        try:
            raw.decode()
        except UnicodeDecodeError as wrong:
            raise BadRequest(f"The body is not valid UTF-8 (byte {wrong.start}).", code="invalid_json") from None
        what = "is empty" if not raw.strip() else f"is not valid JSON: {error}"
        raise BadRequest(f"The body {what}.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.", code="invalid_json")
    return value
