"""Sound over HTTP in ranges: a file as it is, or bare 16-bit PCM with a WAV header put before it on the way out."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PIECE = 1 << 18
# WAV counts bytes in 32 bits; longer sound is cut there for playing (37 hours at 16 kHz mono).
_WAV_LIMIT = (1 << 32) - 64


def wav_header(data_bytes: int, rate: int) -> bytes:
    """The 44 bytes before 16-bit mono samples."""
    size = min(data_bytes, _WAV_LIMIT)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", size
    )


def wanted_range(header: str | None, total: int) -> tuple[int, int] | None:
    """First and last byte asked for; None when the header asks for nothing that exists."""
    if not header:
        return 0, total - 1
    match = _RANGE.fullmatch(header.strip())
    if not match or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        return max(0, total - int(last)), total - 1
    if int(first) >= total or (last and int(last) < int(first)):
        return None
    return int(first), min(int(last), total - 1) if last else total - 1


def _bytes(head: bytes, path: Path, first: int, last: int) -> Iterator[bytes]:
    if first < len(head):
        yield head[first : last + 1]
        first = len(head)
    with path.open("rb") as file:
        file.seek(first - len(head))
        left = last - first + 1
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece


def sound(request: Request, path: Path, media_type: str, *, pcm_rate: int | None = None) -> Response:
    """A whole file or the part asked for. ``pcm_rate``: the file is bare PCM of that rate."""
    head = wav_header(path.stat().st_size, pcm_rate) if pcm_rate else b""
    total = len(head) + path.stat().st_size
    span = wanted_range(request.headers.get("range"), total)
    if span is None:
        return Response(status_code=416, headers={"content-range": f"bytes */{total}"})
    first, last = span
    headers = {"accept-ranges": "bytes", "content-length": str(last - first + 1), "cache-control": "private, no-store"}
    if "range" in request.headers:
        headers["content-range"] = f"bytes {first}-{last}/{total}"
    body = iter(()) if request.method == "HEAD" else _bytes(head, path, first, last)
    status = 206 if "range" in request.headers else 200
    return StreamingResponse(body, status, headers, media_type=media_type)
