"""One upstream: an OpenAI-compatible server, its pooled connections, its health and the models it serves.

Nothing of the client's headers goes there (CVE-2025-48956: huge headers), only ours; redirects are not followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import orjson
from yarl import URL

from gateway.routing.adapters import is_adapter
from gateway.routing.addresses import GuardedResolver, base_url
from gateway.routing.breaker import Breaker, BreakerPolicy

# vLLM (uvicorn) closes idle connections after 5 s. We let go earlier, so that a request is never written into a
# connection that the engine is just closing: nobody could say whether it had been accepted.
KEEP_ALIVE_S = 3.0
PROBE_TIMEOUT_S = 10.0
PROBE_LIMIT = 4 * 1024 * 1024  # bytes of a model list
_SLOW_PROBES = 3  # a busy engine may answer its model list late; only repeated silence counts as down
_DOWN = (502, 503, 504)  # a proxy in front of an engine that is not there; any other answer comes from a live server


class NotReached(Exception):
    """No connection: the request certainly did not reach the engine, so another attempt is safe."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models an upstream serves. ``models`` None: it has no list (then names pass as asked)."""

    models: dict[str, dict[str, Any]] | None = None
    vllm: bool = False

    def offers(self, model: str) -> bool:
        """Whether a request for this model may go there: an adapter only where it is known to be loaded."""
        return not is_adapter(model) if self.models is None else model in self.models

    @classmethod
    def of(cls, listed: Any) -> Catalog:
        """From the answer of ``GET /models``; an answer of another shape is no list."""
        data = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(data, list):
            return cls()
        models = {m["id"]: m for m in data if isinstance(m, dict) and isinstance(m.get("id"), str)}
        return cls(models, any(m.get("owned_by") == "vllm" for m in models.values()))


@dataclass(slots=True)
class Health:
    """unknown until the first probe; ``reason`` says why it is down."""

    state: Literal["unknown", "up", "down"] = "unknown"
    reason: str = "not asked yet"
    slow_probes: int = 0

    def up(self) -> None:
        self.state, self.reason, self.slow_probes = "up", "", 0

    def down(self, reason: str) -> None:
        self.state, self.reason = "down", reason


@dataclass(eq=False)
class Upstream:
    """Open it inside the running event loop, close it at the end."""

    name: str
    base_url: str
    api_key: str | None = None
    connect_timeout_s: float = 5.0
    weight: float = 1.0
    max_in_flight: int | None = None
    priorities: bool = False  # a vLLM that schedules by priority; others refuse the field
    adapters_dir: str | None = None  # where it sees the gateway's adapters; None: where the gateway does
    breaker: Breaker = field(default_factory=lambda: Breaker(BreakerPolicy()))
    health: Health = field(default_factory=Health)
    catalog: Catalog = field(default_factory=Catalog)
    in_flight: int = 0
    promised: int = 0  # places given to requests that are about to enter
    left: Callable[[], None] | None = None  # told when a request has ended
    using: dict[str, int] = field(default_factory=dict)  # requests in flight by model
    _session: aiohttp.ClientSession | None = None
    _urls: dict[str, URL] = field(default_factory=dict)  # by path: parsed once

    def __post_init__(self) -> None:
        self.base_url = base_url(self.base_url)

    def __repr__(self) -> str:
        return f"Upstream({self.name})"

    def open(self) -> None:
        headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "kakehashi"}
        if self.api_key:
            headers["authorization"] = f"Bearer {self.api_key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, resolver=GuardedResolver()),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.connect_timeout_s),
            headers=headers,
            skip_auto_headers=("Accept",),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def enter(self, model: str) -> None:
        """A request begins here; :meth:`leave` ends it."""
        self.in_flight += 1
        self.using[model] = self.using.get(model, 0) + 1

    def leave(self, model: str) -> None:
        self.in_flight -= 1
        left = self.using[model] - 1
        if left:
            self.using[model] = left
        else:
            del self.using[model]
        if self.left is not None:
            self.left()

    def available(self, now: float) -> bool:
        """Whether a request may be sent: it is up, its breaker lets it pass, and it is not full."""
        return self.health.state == "up" and not self.full and self.breaker.allows(now)

    @property
    def full(self) -> bool:
        return self.max_in_flight is not None and self.in_flight + self.promised >= self.max_in_flight

    def refusal(self, now: float) -> str:
        """Why it is not available, for people, without addresses."""
        if self.health.state != "up":
            return self.health.reason
        if not self.breaker.allows(now):
            return "has failed repeatedly and rests for a moment"
        return "is busy"

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("Upstream.open() comes first")
        return self._session

    def url(self, path: str) -> str:
        """The address of a path below the base URL, or with ``..`` beside it: vLLM has some of its own there."""
        if path.startswith("../"):
            return self.base_url.removesuffix("/v1") + path.removeprefix("..")
        return self.base_url + path

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self.url(path))
        return url

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Send a request; the answer's head. Raises NotReached, aiohttp.ClientError."""
        try:
            return await self.session.post(self._url(path), data=body, headers=headers, allow_redirects=False)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self.health.down(_why(error))
            raise NotReached(self.health.reason) from error

    async def probe(self) -> None:
        """Ask for the models; learn from the answer (or its absence) how the upstream is."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                async with self.session.get(f"{self.base_url}/models", allow_redirects=False) as answer:
                    self._learn(answer.status, await _bounded(answer.content, PROBE_LIMIT))
        except aiohttp.ConnectionTimeoutError as error:
            self.health.down(_why(error))
        except TimeoutError:
            self._silent()
        except aiohttp.ServerDisconnectedError:
            self.health.up()  # it listens, and has no such address: a small server without a model list
        except aiohttp.ClientError as error:
            self.health.down(_why(error))

    def _silent(self) -> None:
        """It takes connections but does not answer the probe: perhaps just busy with our own requests."""
        self.health.slow_probes += 1
        if self.in_flight == 0 and (self.health.state != "up" or self.health.slow_probes >= _SLOW_PROBES):
            self.health.down("does not answer")

    def _learn(self, status: int, body: bytes) -> None:
        if status in (401, 403):
            self.health.down("refuses the gateway's API key")
        elif status in _DOWN:
            self.health.down(f"answers {status}")
        else:
            self.catalog = Catalog.of(_json(body)) if status == 200 else Catalog()
            self.health.up()


async def _bounded(content: aiohttp.StreamReader, limit: int) -> bytes:
    """A body up to ``limit`` bytes; a longer one is cut, and then no JSON."""
    parts, size = [], 0
    while size <= limit and (part := await content.readany()):
        parts.append(part)
        size += len(part)
    return b"".join(parts)[:limit]


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _why(error: Exception) -> str:
    """A reason without addresses: it goes to clients."""
    if isinstance(error, TimeoutError):
        return "cannot be reached in time"
    os_error = getattr(error, "os_error", None)
    return "refuses connections" if isinstance(os_error, ConnectionRefusedError) else "cannot be reached"
