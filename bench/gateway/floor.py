"""The floor: what one Python process needs to pass a request on and its answer back, and nothing else.

Raw ASGI under uvicorn (uvloop, httptools) and aiohttp as the client. ``python -m bench.gateway.floor PORT UPSTREAM``.
"""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
import uvicorn

_session: aiohttp.ClientSession | None = None


async def app(scope: Any, receive: Any, send: Any) -> None:
    global _session
    if _session is None:
        _session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    url = sys.argv[2] + scope["path"].removeprefix("/v1")
    async with _session.request(
        scope["method"], url, data=body, headers={"content-type": "application/json"}
    ) as answer:
        content_type = answer.headers.get("content-type", "").encode()
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": [(b"content-type", content_type)]}
        )
        async for part in answer.content.iter_any():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off", log_level="error", access_log=False
    )
