"""A stand-in engine that is never the bottleneck: canned bytes from a bare asyncio protocol on uvloop.

``python -m bench.gateway.standin PORT [--chunks N] [--pace MS]``. It takes the two answers that matter: whole, or a stream
of N chunks, all at once or one each MS milliseconds. Every answer has some characters of its own, so that nobody's cache
of examined texts makes the guardrails look free. Requests under 2 kB get a short answer, longer ones a long one.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import Any

import click
import uvloop

SHORT = "はい、来期の設備投資計画の資料は本日中にお送りします。ご確認のうえ、ご意見をお聞かせください。"
LONG = "ご照会の件、来期の設備投資計画を踏まえ、資金使途と返済原資を確認のうえ、ご提案いたします。" * 8
_LONG_FROM = 2_000
_KANA = "あいうえおかきくけこ"
_MARK = "まるまるまる"  # six characters, replaced in each answer
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_STREAMS = re.compile(rb'"stream": ?true')
_HEAD = {"id": "chatcmpl-1", "created": 1, "model": "standin"}


def marker(number: int) -> bytes:
    """Six kana that stand for a number."""
    return "".join(_KANA[int(digit)] for digit in f"{number % 1_000_000:06}").encode()


def _http(body: bytes, content_type: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (content_type, len(body), body)


def _whole(text: str) -> bytes:
    usage = {"prompt_tokens": 1300, "completion_tokens": len(text), "total_tokens": 1300 + len(text)}
    message = {"role": "assistant", "content": _MARK + text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    value = {**_HEAD, "object": "chat.completion", "choices": choices, "usage": usage}
    return _http(json.dumps(value, ensure_ascii=False).encode())


def _event(value: dict[str, Any]) -> bytes:
    return (
        b"data: "
        + json.dumps({**_HEAD, "object": "chat.completion.chunk", **value}, ensure_ascii=False).encode()
        + b"\n\n"
    )


def _delta(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _framed(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


class Canned:
    """The bytes of all answers. ``chunks``: pieces of text in a stream."""

    def __init__(self, chunks: int) -> None:
        listed = {"object": "list", "data": [{"id": "standin", "object": "model", "created": 1, "owned_by": "vllm"}]}
        self.models = _http(json.dumps(listed).encode())
        self.whole = {long: _whole(text) for long, text in ((False, SHORT), (True, LONG))}
        texts = [_MARK, *(LONG[at % len(LONG) :][:2] for at in range(0, 2 * (chunks - 1), 2))]
        usage = {"prompt_tokens": 1300, "completion_tokens": chunks, "total_tokens": 1300 + chunks}
        events = [
            _delta({"role": "assistant", "content": ""}),
            *(_delta({"content": text}) for text in texts),
            _delta({}, "stop"),
            _event({"choices": [], "usage": usage}),
        ]
        self.head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self.events = [_framed(event) for event in events]
        self.last = _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Engine(asyncio.Protocol):
    """One connection."""

    _numbers = itertools.count()

    def __init__(self, canned: Canned, pace_s: float) -> None:
        self._canned, self._pace_s = canned, pace_s
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end)
        total = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= total:
            request = bytes(self._received[:total])
            del self._received[:total]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        assert self._transport is not None
        number = marker(next(self._numbers))
        if request.startswith(b"GET"):
            self._transport.write(self._canned.models)
        elif not _STREAMS.search(request):
            self._transport.write(self._canned.whole[len(request) >= _LONG_FROM].replace(_MARK.encode(), number))
        elif self._pace_s:
            self._transport.write(self._canned.head)
            self._pour(iter(self._canned.events), number, asyncio.get_running_loop().time())
        else:
            events = b"".join(self._canned.events).replace(_MARK.encode(), number)
            self._transport.write(self._canned.head + events + self._canned.last)

    def _pour(self, events: Any, number: bytes, due: float) -> None:
        assert self._transport is not None
        event = next(events, None)
        self._transport.write(self._canned.last if event is None else event.replace(_MARK.encode(), number))
        if event is not None:
            due += self._pace_s
            self._timer = asyncio.get_running_loop().call_at(due, self._pour, events, number, due)


@click.command()
@click.argument("port", type=int)
@click.option("--chunks", default=120)
@click.option("--pace", default=0.0, help="Milliseconds between the chunks of a stream.")
def main(port: int, chunks: int, pace: float) -> None:
    canned = Canned(chunks)

    async def serve() -> None:
        factory = asyncio.get_running_loop().create_server(
            lambda: Engine(canned, pace / 1000), "127.0.0.1", port, backlog=4096
        )
        async with await factory as server:
            await server.serve_forever()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
