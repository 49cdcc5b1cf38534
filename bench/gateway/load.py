"""Closed-loop load: so many clients, each sending its next request when the last answer is complete.

Whole answers: wrk (Debian package ``wrk``), whose C does not slow down what it measures. Streams: bare asyncio protocols.
No two requests have the same text: every body carries six kana of its own, else a cache of texts would be measured.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from bench.gateway.standin import marker

MARK = "@@@@@@"  # in a body: where its own characters go
_SCRIPT = """
local kana = {"あ","い","う","え","お","か","き","く","け","こ"}
local parts, n = PARTS, OFFSET
function request()
  n = n + 1
  local own = string.format("%06d", n % 1000000):gsub("%d", function(d) return kana[tonumber(d) + 1] end)
  return wrk.format("POST", nil, nil, table.concat(parts, own))
end
wrk.headers = HEADERS
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"p50":%f,"p95":%f,"p99":%f,"errors":%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Target:
    """Where requests go, with which headers; ``pid``: the process whose CPU time and memory count."""

    name: str
    url: str
    pid: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """Milliseconds; requests per second; CPU microseconds of the target per request; failures."""

    p50: float
    p95: float
    p99: float
    rate: float
    cpu_us: float
    errors: int


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over several rounds."""
    medians = (statistics.median(getattr(r, name) for r in rounds) for name in ("p50", "p95", "p99", "rate", "cpu_us"))
    return Figures(*medians, errors=sum(r.errors for r in rounds))


def cpu_s(pid: int) -> float:
    """CPU time of all threads of a process so far (the scheduler's own count, in nanoseconds there)."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def rss_mib(pid: int) -> float:
    """Memory of a process now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


_sent = 0


def measure(target: Target, body: str, clients: int, seconds: float) -> Figures:
    """One round of whole answers."""
    global _sent
    _sent += 100_003  # another beginning each time, so that no text comes twice
    script = _SCRIPT.replace("PARTS", "{" + ",".join(_lua(part) for part in body.split(MARK)) + "}")
    script = script.replace("OFFSET", str(_sent))
    headers = {"content-type": "application/json", **target.headers}
    script = script.replace("HEADERS", "{" + ",".join(f"[{_lua(k)}]={_lua(v)}" for k, v in headers.items()) + "}")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout", "30s"]
        before = cpu_s(target.pid)
        done = subprocess.run(
            [*command, "-s", file.name, target.url + "/chat/completions"], check=True, capture_output=True, text=True
        )
        cpu = cpu_s(target.pid) - before
    told = json.loads(done.stdout.splitlines()[-1])
    count = max(1, told["requests"])
    rate = count / (told["us"] / 1e6)
    return Figures(told["p50"] / 1e3, told["p95"] / 1e3, told["p99"] / 1e3, rate, cpu / count * 1e6, told["errors"])


def _lua(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\\/", "/")


@dataclass(frozen=True)
class Streams:
    """Of one round of streams: milliseconds to the first text; CPU microseconds per chunk that upstream sent; chunks a
    second; streams that ended without ``[DONE]``."""

    ttft_p50: float
    ttft_p99: float
    cpu_us: float
    rate: float
    broken: int


class _Reader(asyncio.Protocol):
    """One connection that asks for one stream after the other."""

    def __init__(self, request: bytes, total: int, done: asyncio.Future[None]) -> None:
        self._request, self._left, self._done = request, total, done
        self.firsts: list[float] = []
        self.broken = 0
        self._tail = b""
        self._began = 0.0
        self._texted = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._next()

    def _next(self) -> None:
        global _sent
        assert self._transport is not None
        if self._left == 0:
            self._transport.close()
            return
        self._left -= 1
        _sent += 1
        self._tail, self._texted, self._began = b"", False, time.perf_counter()
        self._transport.write(self._request.replace(MARK.encode(), marker(_sent)))

    def data_received(self, data: bytes) -> None:
        if not self._texted and b'"content":"' in (seen := self._tail + data.replace(b'": "', b'":"')):
            if seen.count(b'"content":"') > seen.count(b'"content":""'):
                self._texted = True
                self.firsts.append(time.perf_counter() - self._began)
        self._tail = (self._tail + data)[-400:]
        if self._tail.endswith(b"0\r\n\r\n"):
            self.broken += b"[DONE]" not in self._tail
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self.broken += self._left + (0 if self._tail.endswith(b"0\r\n\r\n") else 1)
        self._done.set_result(None)


def measure_streams(target: Target, body: str, clients: int, each: int, chunks: int) -> Streams:
    """``clients`` at once, each reading ``each`` streams of ``chunks`` chunks."""
    parts = urlsplit(target.url)
    length = len(body.replace(MARK, marker(0).decode()).encode())
    headers = {"content-type": "application/json", **target.headers, "content-length": str(length)}
    head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\n"
    request = (head + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n" + body).encode()

    async def run() -> list[_Reader]:
        loop = asyncio.get_running_loop()
        readers, ends = [], []
        for _ in range(clients):
            ends.append(loop.create_future())
            _, reader = await loop.create_connection(
                lambda: _Reader(request, each, ends[-1]), parts.hostname, parts.port
            )
            readers.append(reader)
        await asyncio.gather(*ends)
        return readers

    before, began = cpu_s(target.pid), time.perf_counter()
    readers = uvloop.run(run())
    took, cpu = time.perf_counter() - began, cpu_s(target.pid) - before
    firsts = sorted(first * 1e3 for reader in readers for first in reader.firsts) or [float("nan")]
    total = clients * each * chunks
    p99 = firsts[min(len(firsts) - 1, int(len(firsts) * 0.99))]
    return Streams(firsts[len(firsts) // 2], p99, cpu / total * 1e6, total / took, sum(r.broken for r in readers))
