"""An engine that speaks in bytes: after its list of models, it does on the socket whatever the test says."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.helpers.fake_upstream import VLLM_MODEL

Act = Callable[[socket.socket], None]
_MODELS = json.dumps({"object": "list", "data": [VLLM_MODEL]}).encode()
_LIST = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_MODELS), _MODELS)


class RawUpstream:
    """``act`` answers each request that is not for the models; ``asked`` counts those, ``closed`` how many were left."""

    def __init__(self) -> None:
        self.act: Act = hang
        self.asked = self.closed = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._open: list[socket.socket] = []

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while request := _request(connection):
                if request.startswith(b"GET "):
                    connection.sendall(_LIST)
                    continue
                self.asked += 1
                self.act(connection)
                self.closed += 1
                return

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.close()


def _request(connection: socket.socket) -> bytes:
    """One request: its head, and as much body as it says."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side leaves."""
    connection.settimeout(30)
    connection.recv(1)


def says(*parts: bytes, then: Act | None = None) -> Act:
    def act(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
        if then:
            then(connection)

    return act


def reset(connection: socket.socket) -> None:
    """A RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def running_raw() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    threading.Thread(target=upstream.run, daemon=True).start()
    try:
        yield upstream
    finally:
        upstream.close()
