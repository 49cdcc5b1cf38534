"""Combinations of settings that cannot work, or that work otherwise than they read. Pure: no file, no network.

What cannot work is refused at the start of every process too, so that nothing is switched off in silence
(litellm#19163: a buffer that did nothing because a second setting was missing).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from kakehashi.config.problems import Severity
from kakehashi.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Finding:
    """``key`` is the setting that has to change."""

    severity: Severity
    key: str
    message: str
    fix: str


def combinations(settings: Settings) -> Iterator[Finding]:
    """Everything that two or more settings say against each other."""
    yield from _ports(settings)
    yield from _numbers(settings)
    yield from _traces(settings)
    yield from _upstream(settings)
    yield from _reach(settings)


def ports(settings: Settings) -> dict[str, tuple[str, int]]:
    """Setting → host and port of everything that listens on this machine."""
    gateway, engine = settings.gateway, settings.engine
    external = gateway.upstream or engine.model.startswith(("http://", "https://"))
    used = {} if external else {"engine.port": (engine.host, engine.port)}
    used["gateway.port"] = (gateway.host, gateway.port)
    if gateway.admin_port is not None:
        used["gateway.admin_port"] = (gateway.host, gateway.admin_port)
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if f"{name}.port" not in used and name != "engine" and hasattr(section, "port"):
            used[f"{name}.port"] = (section.host, section.port)
    return used


def _ports(settings: Settings) -> Iterator[Finding]:
    taken: dict[int, str] = {}
    for key, (_, port) in ports(settings).items():
        if not 1 <= port <= 65535:
            yield Finding("error", key, f"{port} is no port.", "Choose a number from 1 to 65535.")
        elif port in taken:
            yield Finding("error", key, f"{taken[port]} is {port} too.", f"Choose another port, such as {port + 10}.")
        taken.setdefault(port, key)


def _numbers(settings: Settings) -> Iterator[Finding]:
    """Times, sizes and counts that would refuse everything."""
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        for key, field in getattr(type(section), "model_fields", {}).items():
            value = getattr(section, key)
            if key.endswith(("_s", "_bytes", "_mib", "_gib", "_hours", "_len", "parallel")):
                if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
                    fix = f"Choose a number above 0; the default is {field.default}."
                    yield Finding("error", f"{name}.{key}", f"{value} would let nothing through.", fix)


def _traces(settings: Settings) -> Iterator[Finding]:
    gateway = settings.gateway
    if gateway.otlp_endpoint is None:
        for key, given in (("trace_content", gateway.trace_content), ("otlp_headers_file", gateway.otlp_headers_file)):
            if given:
                fix = "Set gateway.otlp_endpoint (http://collector:4318), or leave this out."
                yield Finding("error", f"gateway.{key}", "There are no traces without gateway.otlp_endpoint.", fix)


def _upstream(settings: Settings) -> Iterator[Finding]:
    gateway, engine = settings.gateway, settings.engine
    external = engine.model.startswith(("http://", "https://"))
    if gateway.upstream and external and gateway.upstream.rstrip("/") != engine.model.rstrip("/"):
        message = "gateway.upstream names another server, and it is the one that counts."
        yield Finding("warning", "engine.model", message, "Keep one of the two.")
    if gateway.upstream_api_key_file and not (gateway.upstream or external):
        message = "The engine of this machine needs no key."
        yield Finding("warning", "gateway.upstream_api_key_file", message, "Leave it out, or set gateway.upstream.")


def _reach(settings: Settings) -> Iterator[Finding]:
    """Who can reach what."""
    gateway = settings.gateway
    if gateway.admin_port is not None and gateway.host not in _LOOPBACK:
        message = f"The admin API listens on {gateway.host} as well as the public one."
        yield Finding(
            "warning", "gateway.host", message, f"Let a firewall keep port {gateway.admin_port} to operators."
        )
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if getattr(section, "user_header", None) and section.host not in _LOOPBACK:
            message = f"Whoever reaches {section.host}:{section.port} directly can name any user in this header."
            yield Finding("warning", f"{name}.user_header", message, f"Set {name}.host to 127.0.0.1 behind the proxy.")
    database = gateway.database_url or "sqlite:"
    if gateway.redis_url and urlsplit(database).scheme.startswith("sqlite"):
        message = "Limits are shared by several gateways, but keys and audit are in this machine's SQLite."
        yield Finding("warning", "gateway.redis_url", message, "Set gateway.database_url to PostgreSQL too.")
