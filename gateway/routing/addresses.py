"""Where an upstream may be: http(s) URLs without secrets, and never an address that hands out a machine's credentials.

A configured URL is trusted more than a client's, yet a name in it can come to resolve to anything: so addresses are
checked when the settings are read and again each time a connection is made.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from kakehashi.errors import ConfigError

# Metadata services of clouds that do not live on a link-local address.
_METADATA = frozenset(
    ipaddress.ip_address(address) for address in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16")
)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "metadata.azure.internal"})
_HINT = "Name the model server itself, such as http://127.0.0.1:8000/v1."


def forbidden(address: str) -> bool:
    """Whether an IP address is link-local, multicast, unspecified, or a cloud's metadata service."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA


def base_url(url: str) -> str:
    """An upstream's base URL in its one form: http(s), no user, no query; ``/v1`` is added when there is no path.

    Raises ConfigError.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigError(
            "gateway.upstream must be an http(s) URL such as http://127.0.0.1:8000/v1, without user, query or fragment."
        )
    if parts.hostname.rstrip(".").lower() in _METADATA_NAMES or _is_forbidden_literal(parts.hostname):
        raise ConfigError("gateway.upstream names an address that serves no models (link-local, metadata).", hint=_HINT)
    path = parts.path.rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _is_forbidden_literal(host: str) -> bool:
    try:
        return forbidden(host)
    except ValueError:
        return False  # a name: looked at when it is resolved


class GuardedResolver(AbstractResolver):
    """Resolves names as usual and drops every address that is forbidden; none left is a failure to connect."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [address for address in found if not forbidden(address["host"])]
        if not allowed:
            raise OSError(None, "the name resolves to an address that is not allowed")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()
