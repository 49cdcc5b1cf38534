"""A real gateway on real sockets, in a thread of the test process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.api.services import Services
from gateway.app import create_admin_app, create_app, opened
from gateway.identity.keys import KeySpec
from gateway.server import make_server
from kakehashi.settings import Settings
from tests.helpers.fakes import FakeGuardrails, MemoryAudit


@dataclass
class RunningGateway:
    """``url`` ends in /v1; ``audit`` is the log in memory unless the real one was asked for."""

    url: str
    admin_url: str
    services: Services
    audit: MemoryAudit
    keys: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    def key(self, **spec: Any) -> str:
        """A new virtual key."""
        _, secret = self.services.identity.create_key(KeySpec(**{"name": "test", **spec}))
        self.keys.append(secret.key)
        return secret.key


@contextmanager
def running_gateway(
    home: Path, monkeypatch: pytest.MonkeyPatch, upstream: str | None, *, real_audit: bool = False, **options: Any
) -> Iterator[RunningGateway]:
    """Start a gateway in front of ``upstream``; ``options`` are gateway settings; ``guardrails`` real ones, None: those
    of ``policy``; ``read``: the gateway's settings anew, for a reload."""
    monkeypatch.setenv("KAKEHASHI_HOME", str(home))
    guardrails, read = options.pop("guardrails", FakeGuardrails()), options.pop("read", None)
    options.setdefault("speech", "http://127.0.0.1:9/v1")  # nobody, and never a worker that happens to run here
    settings = Settings.model_validate({"gateway": {"upstream": upstream, **options}})
    audit = MemoryAudit()
    again = (
        (lambda: Settings.model_validate({"gateway": {"upstream": upstream, **options, **read()}})) if read else None
    )
    app = create_app(settings, guardrails=guardrails, audit=None if real_audit else audit, read=again)
    sockets = [_listen(), _listen()]
    urls = [f"http://127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    servers = [make_server(app), make_server(create_admin_app(app.state.services))]
    started = threading.Event()

    async def serve() -> None:
        async with opened(app.state.services):
            tasks = [asyncio.create_task(s.serve(sockets=[x])) for s, x in zip(servers, sockets, strict=True)]
            while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)
            started.set()
            await asyncio.gather(*tasks)

    def run() -> None:
        with asyncio.Runner(loop_factory=servers[0].config.get_loop_factory()) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(20), "the gateway did not start"
    try:
        yield RunningGateway(urls[0] + "/v1", urls[1], app.state.services, audit)
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(15)


def _listen() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener
