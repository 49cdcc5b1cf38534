"""The process: HTTP servers (public and admin) on one event loop, stopped together, letting streams finish."""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from gateway.wire import Wire
from kakehashi.errors import UsageError

KEEP_ALIVE_S = 30  # longer than clients keep idle connections, so that they are the ones who close them
BACKLOG = 2048


def _nothing() -> None:
    return


async def _no_reload() -> None:
    return


@dataclass(frozen=True)
class Orders:
    """What signals do. ``stopping``: called when SIGTERM or Ctrl-C comes, so that ``/readyz`` says so; ``reload``: run on
    SIGHUP; ``notice_s``: how long after SIGTERM new requests are still taken, until balancers have noticed; ``drain_s``:
    how long those under way may go on then."""

    stopping: Callable[[], None] = _nothing
    reload: Callable[[], Awaitable[None]] = _no_reload
    notice_s: float = 1.0
    drain_s: float = 30.0


class _Server(uvicorn.Server):
    """Leaves the signals to us: two servers would take them from each other."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(
    apps: Sequence[tuple[ASGIApp, socket.socket]], services: AbstractAsyncContextManager[None], orders: Orders
) -> None:
    """Serve each app on its socket, while ``services`` is entered, until a signal. Raises what opening it raises."""
    servers = [(make_server(app, orders.drain_s), listener) for app, listener in apps]
    with asyncio.Runner(loop_factory=servers[0][0].config.get_loop_factory()) as runner:
        runner.run(_run(servers, services, orders))


def make_server(app: ASGIApp, drain_s: float = Orders.drain_s) -> uvicorn.Server:
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
        timeout_graceful_shutdown=math.ceil(drain_s),
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return _Server(config)


class _Stop:
    """The end of the servers, as signals ask for it: SIGTERM after the notice, Ctrl-C and a second signal at once."""

    def __init__(self, servers: Sequence[uvicorn.Server], orders: Orders) -> None:
        self._servers, self._orders = servers, orders
        self._noticed: asyncio.TimerHandle | None = None

    def politely(self) -> None:
        if self._noticed is not None:
            self.now()
            return
        self._orders.stopping()
        self._noticed = asyncio.get_running_loop().call_later(self._orders.notice_s, self.now)

    def now(self) -> None:
        self._orders.stopping()
        for server in self._servers:
            server.force_exit = server.should_exit  # the next signal does not wait for streams
            server.should_exit = True


async def _run(
    servers: Sequence[tuple[uvicorn.Server, socket.socket]],
    services: AbstractAsyncContextManager[None],
    orders: Orders,
) -> None:
    loop, stop = asyncio.get_running_loop(), _Stop([server for server, _ in servers], orders)
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.ensure_future(orders.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    loop.add_signal_handler(signal.SIGTERM, stop.politely)
    loop.add_signal_handler(signal.SIGINT, stop.now)
    async with services:
        loop.add_signal_handler(signal.SIGHUP, reload)
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
