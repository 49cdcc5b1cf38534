"""A log server that takes syslog (RFC 5424) over UDP (RFC 5426), TCP with octet counting (RFC 6587), TLS (RFC 5425) or a
local socket. It cannot be asked back: `kakehashi audit verify --anchor FILE` reads the server's file."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from gateway.audit.anchors.base import AnchorError, Checkpoint
from kakehashi.errors import ConfigError

_TIMEOUT_S = 5
_PRIORITY = 13 * 8 + 5  # facility 13: log audit; severity 5: notice
_PORTS = {"udp": 514, "tcp": 514, "tls": 6514}


class SyslogAnchor:
    """``syslog+udp://host:514``, ``syslog+tcp://…``, ``syslog+tls://…``, ``syslog+unix:///dev/log``"""

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        self._way = split.scheme.removeprefix("syslog+")
        local = self._way == "unix" and split.path and not split.netloc
        remote = self._way in _PORTS and split.hostname and not split.path.strip("/") and "@" not in split.netloc
        if not (local or remote):
            raise ConfigError(
                "A syslog anchor must look like syslog+tcp://host:514, syslog+udp://…, syslog+tls://… or "
                "syslog+unix:///dev/log.",
                hint="Correct gateway.audit_anchors.",
            )
        self._path, self._host = split.path, split.hostname or ""
        self._port = split.port or _PORTS.get(self._way, 0)
        self.name = f"syslog {self._way} {self._path if local else f'{self._host}:{self._port}'}"

    def put(self, checkpoint: Checkpoint) -> None:
        """Send it. Over TCP and TLS each goes on a connection of its own, so that one that cannot be made is noticed."""
        try:
            self._send(self.message(checkpoint))
        except OSError as error:
            raise AnchorError(f"The anchor {self.name} cannot be reached: {error.strerror or error}.") from error

    @staticmethod
    def message(checkpoint: Checkpoint) -> bytes:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        host = socket.gethostname() or "-"
        return f"<{_PRIORITY}>1 {now} {host} kakehashi {os.getpid()} audit-checkpoint - {checkpoint.line()}".encode()

    def _send(self, message: bytes) -> None:
        if self._way == "unix":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
                way.settimeout(_TIMEOUT_S)
                way.connect(self._path)
                way.send(message)
        elif self._way == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, protocol) as way:
                way.connect(address)
                way.send(message)
        else:
            with socket.create_connection((self._host, self._port), _TIMEOUT_S) as plain:
                if self._way == "tls":
                    with ssl.create_default_context().wrap_socket(plain, server_hostname=self._host) as safe:
                        _deliver(safe, message)
                else:
                    _deliver(plain, message)

    def read(self) -> Iterator[Checkpoint]:
        raise AnchorError(
            f"The anchor {self.name} cannot be read back.",
            hint="Give the log server's file: kakehashi audit verify --anchor /path/of/its/file.",
        )


def _deliver(way: socket.socket, message: bytes) -> None:
    """Send with octet counting, and wait until the other side has taken it all (it closes, or the time is over)."""
    way.sendall(f"{len(message)} ".encode() + message)
    if isinstance(way, ssl.SSLSocket):
        return
    way.shutdown(socket.SHUT_WR)
    way.settimeout(0.5)
    try:
        way.recv(1)  # a reset by the other side is an error; silence and an orderly end are not
    except TimeoutError:
        return
