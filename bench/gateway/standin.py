"""A stand-in engine as quick as Python allows: a fixed answer, plain ASGI. ``python -m bench.gateway.standin PORT``."""

from __future__ import annotations

import json
import sys
from typing import Any

import uvicorn

ANSWER_TEXT = "ご照会の件、来期の設備投資計画を踏まえ、資金使途と返済原資を確認のうえ、ご提案いたします。" * 8
MODELS = json.dumps(
    {"object": "list", "data": [{"id": "standin", "object": "model", "created": 1, "owned_by": "vllm"}]}
)
USAGE = {"prompt_tokens": 1300, "completion_tokens": 320, "total_tokens": 1620}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": "standin"}
WHOLE = json.dumps(
    {
        **HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER_TEXT}, "finish_reason": "stop"}],
        "usage": USAGE,
    },
    ensure_ascii=False,
).encode()


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    value = {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


CHUNKS = [
    _chunk({"role": "assistant", "content": ""}),
    *(_chunk({"content": ANSWER_TEXT[at : at + 2]}) for at in range(0, len(ANSWER_TEXT), 2)),
    _chunk({}, "stop"),
    b"data: "
    + json.dumps({**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}).encode()
    + b"\n\n",
    b"data: [DONE]\n\n",
]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers every POST alike; streams when the body says so."""
    if scope["method"] == "GET":
        return await _answer(send, MODELS.encode())
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if b'"stream":true' not in body and b'"stream": true' not in body:
        return await _answer(send, WHOLE)
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for chunk in CHUNKS:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, timeout_keep_alive=60)
