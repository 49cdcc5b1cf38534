"""The process: HTTP servers (public and admin) on one event loop, stopped together, letting streams finish."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from gateway.wire import Wire
from kakehashi.errors import UsageError

DRAIN_S = 30  # how long streams under way may go on after SIGTERM
KEEP_ALIVE_S = 30  # longer than clients keep idle connections, so that they are the ones who close them
BACKLOG = 2048


class _Server(uvicorn.Server):
    """Leaves the signals to us: two servers would take them from each other."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(
    apps: Sequence[tuple[ASGIApp, socket.socket]],
    services: AbstractAsyncContextManager[None],
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve each app on its socket, while ``services`` is entered, until a signal. Raises what opening it raises.

    ``stopping`` is called when the signal comes, before streams under way have ended.
    """
    servers = [(make_server(app), listener) for app, listener in apps]
    with asyncio.Runner(loop_factory=servers[0][0].config.get_loop_factory()) as runner:
        runner.run(_run(servers, services, stopping))


def make_server(app: ASGIApp) -> uvicorn.Server:
    """A uvicorn server without lifespan, access log and signal handlers of its own."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Wire,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return _Server(config)


async def _run(
    servers: Sequence[tuple[uvicorn.Server, socket.socket]],
    services: AbstractAsyncContextManager[None],
    stopping: Callable[[], None],
) -> None:
    def stop() -> None:
        stopping()
        for server, _ in servers:
            server.force_exit = server.should_exit  # the second signal does not wait
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    async with services:
        _spare_the_collector()
        await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))


def _spare_the_collector() -> None:
    """What was loaded stays: the garbage collector need not look at it, nor come after every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def bind(host: str, port: int, setting: str) -> socket.socket:
    """A bound socket. Raises UsageError that names the port and the setting when it is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        variable = "KAKEHASHI_" + setting.upper().replace(".", "__")
        raise UsageError(
            f"Port {port} on {host} cannot be used: {error.strerror}.",
            hint=f"Stop what uses it, or set {setting} ({variable}) to another port.",
            code="port_taken",
        ) from error
    return listener
