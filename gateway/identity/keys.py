"""Virtual keys as values: ``kk_`` and 256 random bits. Only the SHA-256 is kept; the key is shown once.

A plain SHA-256 is enough here (no salt, no slow hash): nobody can guess 256 random bits.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from gateway.identity import scopes
from gateway.limits import spec
from kakehashi.errors import UsageError

PREFIX = "kk_"
SESSION_PREFIX = "kks_"
_SHAPE = re.compile(r"kks?_[A-Za-z0-9_-]{43}", re.ASCII)
_JWT = re.compile(r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", re.ASCII)
_SHOWN = 10  # characters kept for search: "kk_" and 7 of 43, far too few to guess the rest
_SPAN = re.compile(r"(\d{1,4})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class KeySecret:
    """A new key: the text to show once, and what is stored of it. Never printed by accident."""

    key: str
    digest: str
    prefix: str

    def __repr__(self) -> str:
        return f"KeySecret({self.prefix}…)"


def mint(prefix: str = PREFIX) -> KeySecret:
    """A new key; with SESSION_PREFIX the token of a session, which is made and stored alike."""
    key = prefix + secrets.token_urlsafe(32)
    return KeySecret(key, digest(key), shown(key))


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def shown(key: str) -> str:
    """The part of a key that is stored in clear, to find it by."""
    return key[:_SHOWN]


def well_formed(key: str) -> bool:
    """Whether this can be a key or a session's token at all: anything else never reaches the database."""
    return _SHAPE.fullmatch(key) is not None


def is_jwt(token: str) -> bool:
    """Whether this can be an identity provider's token: three parts in base64url."""
    return _JWT.fullmatch(token) is not None


def redact(text: str) -> str:
    """The text with every key, session token and JSON web token in it made unreadable."""
    if PREFIX in text or SESSION_PREFIX in text:
        text = _SHAPE_ANYWHERE.sub("kk_[redacted]", text)
    return _JWT_ANYWHERE.sub("eyJ[redacted]", text) if "eyJ" in text else text


_SHAPE_ANYWHERE = re.compile(r"kks?_[A-Za-z0-9_-]{8,}", re.ASCII)
_JWT_ANYWHERE = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?", re.ASCII)


def span(text: str | None) -> timedelta:
    """A span such as ``30m``, ``12h``, ``30d``; nothing is none. Raises UsageError."""
    if not text:
        return timedelta(0)
    match = _SPAN.fullmatch(text)
    if match is None:
        raise UsageError(f"'{text}' is no span of time.", hint="Write 30m, 12h or 30d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def expiry(text: str | None, now: datetime) -> datetime | None:
    """The moment a key ends, from a span (``30d``, ``12h``) or an ISO date or time. Raises UsageError.

    A date without a time means the end of that day, UTC.
    """
    if not text:
        return None
    moment = now + span(text) if _SPAN.fullmatch(text) else _moment(text)
    if moment <= now:
        raise UsageError(f"The expiry {text} is not in the future.")
    return moment


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if "T" not in text and " " not in text:
            moment += timedelta(days=1)
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{text}' is no expiry.", hint="Write a span such as 30d or 12h, or an ISO date such as 2026-12-31."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What a key may do. ``models``, ``surfaces`` None: all; ``profile`` None: the policy's default; limits None: none
    (see ``gateway.limits.spec.Limits``); ``service``: may name the user it acts for; ``priority``: low, normal or high.

    Raises UsageError for what cannot be a key.
    """

    NAME_LIMIT: ClassVar[int] = 100

    name: str
    team: str | None = None  # a team's name or id
    models: tuple[str, ...] | None = None
    profile: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    admin: bool = False
    expires_at: datetime | None = None
    surfaces: tuple[str, ...] | None = None
    service: bool = False
    concurrency: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    yen_per_day: int | None = None
    yen_per_month: int | None = None
    priority: str = "normal"

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > self.NAME_LIMIT:
            raise UsageError(f"A key's name has 1 to {self.NAME_LIMIT} characters.")
        spec.check({name: getattr(self, name) for name in spec.NAMES})
        if self.priority not in spec.PRIORITIES:
            raise UsageError(f"A key's priority is {', '.join(spec.PRIORITIES)}; not '{str(self.priority)[:20]}'.")
        scopes.surfaces(self.surfaces)
        if self.models is not None and not self.models:
            raise UsageError("A key needs at least one model; leave models out for all.")
