"""``config check --connect``: whether what the settings name can be reached from here. Short, read-only questions."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from kakehashi.config.problems import Problem
from kakehashi.config.sources import Sources
from kakehashi.errors import KakehashiError
from kakehashi.settings import Settings

TIMEOUT_S = 3.0


def unreachable(sources: Sources, settings: Settings) -> Iterator[Problem]:
    """A problem for each address that does not answer as it should."""
    for key, (what, question) in _questions(settings).items():
        problem = question()
        if problem:
            yield sources.problem("error", tuple(key.split(".")), f"{what} {problem}.", _fix(what))


def _fix(what: str) -> str:
    return f"Start {what.lower()}, open the way to it (firewall, DNS), or correct the address."


def _questions(settings: Settings) -> dict[str, tuple[str, Callable[[], str]]]:
    gateway, asked = settings.gateway, dict[str, tuple[str, Callable[[], str]]]()
    engine = settings.engine.model
    if gateway.upstream:
        asked["gateway.upstream"] = "The model server", lambda: _http(f"{str(gateway.upstream).rstrip('/')}/models")
    elif engine.startswith(("http://", "https://")):
        asked["engine.model"] = "The model server", lambda: _http(f"{engine.rstrip('/')}/models")
    if gateway.otlp_endpoint:
        asked["gateway.otlp_endpoint"] = "The trace collector", lambda: _http(str(gateway.otlp_endpoint))
    if gateway.database_url:
        asked["gateway.database_url"] = "The database", lambda: _database(settings)
    if gateway.redis_url:
        asked["gateway.redis_url"] = "Redis", lambda: _redis(str(gateway.redis_url))
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if getattr(section, "gateway_url", None):
            url = str(section.gateway_url).rstrip("/")
            asked[f"{name}.gateway_url"] = "The gateway", lambda url=url: _http(f"{url}/models")  # type: ignore[misc]
    return asked


def _http(url: str) -> str:
    """Empty when a server answers, whatever it says of the address or the missing key."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url), timeout=TIMEOUT_S):  # noqa: S310 - judged to be http(s) before
            return ""
    except urllib.error.HTTPError as error:
        return f"answers {error.code}" if error.code in (502, 503, 504) else ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"at {urlsplit(url).netloc} cannot be reached ({getattr(reason, 'strerror', None) or reason})"


def _database(settings: Settings) -> str:
    import sqlalchemy as sa

    from gateway.storage.database import database_url, open_database

    try:
        engine = open_database(database_url(settings))
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, KakehashiError) as error:
        return f"cannot be used ({type(error).__name__})"
    return ""


def _redis(url: str) -> str:
    import redis

    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S)
        try:
            client.ping()
        finally:
            client.close()
    except (redis.RedisError, ValueError) as error:
        return f"cannot be used ({type(error).__name__})"
    return ""
