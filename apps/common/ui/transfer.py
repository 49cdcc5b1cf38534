"""Uploads over HTTP: begin, pieces, finish. The browser's side is ``drop.js``; ``apps.common.uploads`` keeps the files.

Every call names its own header, so that no other site's form can make one in the user's name.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from apps.common.login import Door, SignInNeeded
from apps.common.ui.words import Localise, explain
from apps.common.uploads import Incoming, OffsetMismatch, Uploads
from kakehashi.errors import BadInput, KakehashiError, UsageError

GUARD = "x-kakehashi-page"
_PIECE_BYTES = 1 << 20
Handler = Callable[[Request, str], Awaitable[Response]]


async def owner_of(request: Request, door: Door) -> str:
    """Raises UsageError when the request says no who, NotReady when the gateway cannot tell."""
    person = await run_in_threadpool(door.person, request.headers, request.cookies)
    if person is None:
        raise UsageError("The browser sent no cookie.", hint="Allow cookies, then reload.", code="not_signed_in")
    return person.owner


@dataclass(frozen=True)
class Transfer:
    """``check(path, purpose, language)`` raises BadInput for a complete file that the app cannot use."""

    uploads: Uploads
    door: Door
    check: Callable[[Path, str, str], None]
    localise: Localise | None = None

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/uploads", self._guarded(self.begin), methods=["POST"]),
            Route("/api/uploads/{id}", self._guarded(self.append), methods=["PATCH"]),
            Route("/api/uploads/{id}", self._guarded(self.finish), methods=["POST"]),
            Route("/api/uploads/{id}", self._guarded(self.discard), methods=["DELETE"]),
        ]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            language = request.headers.get(GUARD)
            if not language:
                return Response(status_code=403)
            try:
                return await handler(request, await owner_of(request, self.door))
            except OffsetMismatch as mismatch:
                return JSONResponse({"offset": mismatch.offset}, 409)
            except KakehashiError as error:
                return self._problem(error, language, 401 if error.code in ("not_signed_in", SignInNeeded.default_code) else 400)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return self._problem(BadInput("The disk is full.", code="upload_disk_full"), language, 507)

        return answer

    def _problem(self, error: KakehashiError, language: str, status: int) -> JSONResponse:
        message, hint = explain(error, "en" if language == "en" else "ja", self.localise)
        return JSONResponse({"code": error.code, "message": message, "hint": hint}, status)

    async def begin(self, request: Request, owner: str) -> Response:
        asked = await request.json()
        size = asked.get("size")
        incoming = await run_in_threadpool(
            self.uploads.begin,
            owner,
            str(asked["name"]),
            purpose=str(asked["purpose"]),
            size=None if size is None else int(size),
            fingerprint=str(asked.get("fingerprint", "")),
        )
        return JSONResponse({"id": incoming.id, "offset": self.uploads.offset(incoming)})

    async def append(self, request: Request, owner: str) -> Response:
        """Write the body as it comes; what arrived before a break is kept."""
        incoming = self.uploads.get(request.path_params["id"], owner)
        offset = int(request.query_params["offset"])
        buffer = bytearray()
        async for piece in request.stream():
            buffer += piece
            if len(buffer) >= _PIECE_BYTES:
                offset = await run_in_threadpool(self.uploads.append, incoming, offset, bytes(buffer))
                buffer.clear()
        offset = await run_in_threadpool(self.uploads.append, incoming, offset, bytes(buffer))
        return JSONResponse({"offset": offset})

    async def finish(self, request: Request, owner: str) -> Response:
        incoming = self.uploads.get(request.path_params["id"], owner)
        done = await run_in_threadpool(self._finish, incoming, request.headers[GUARD])
        return JSONResponse({"id": done.id, "name": done.name, "size": done.size, "sha256": done.sha256})

    def _finish(self, incoming: Incoming, language: str) -> Incoming:
        return self.uploads.finish(incoming, lambda path: self.check(path, incoming.purpose, language))

    async def discard(self, request: Request, owner: str) -> Response:
        self.uploads.discard(self.uploads.get(request.path_params["id"], owner))
        return Response(status_code=204)
