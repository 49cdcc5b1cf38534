"""Bearer tokens of an identity provider (OpenID Connect): found, verified, and turned into a caller of ours.

The provider's keys are read through its discovery document, kept for minutes, and asked for again at most every few
seconds, however many tokens with unknown keys arrive. A provider that cannot be reached makes 503, never an open door.
Only asymmetric algorithms are accepted: with HS256 the provider's public key would be the secret.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
import orjson

from gateway.errors import Forbidden, NotFound, Unauthorized, Unavailable
from gateway.identity.model import Named, Team, VirtualKey
from gateway.identity.sessions import person_key
from kakehashi.errors import ConfigError
from kakehashi.settings import OidcSettings

_LOG = logging.getLogger("gateway.oidc")
_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}  # an algorithm's first letters → the type of its key
_TOKEN_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
_NAME_LIMIT = 100
_MAX_DOCUMENT_BYTES = 1 << 20
_MAX_KEYS = 100
_TIMEOUT_S = 5.0
Fetch = Callable[[str], Awaitable[dict[str, Any]]]


class FetchFailed(Exception):
    """A document of the provider could not be read; says why, without the address."""


async def fetch_json(url: str) -> dict[str, Any]:
    """A JSON object by HTTP; no redirects, at most 1 MiB, within five seconds. Raises FetchFailed."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)) as session,
            session.get(url, allow_redirects=False) as reply,
        ):
            if reply.status != 200:
                raise FetchFailed(f"it answered {reply.status}")
            raw = bytearray()
            async for part in reply.content.iter_any():
                raw += part
                if len(raw) > _MAX_DOCUMENT_BYTES:
                    raise FetchFailed("its answer is too long")
        document = orjson.loads(bytes(raw))
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        raise FetchFailed(type(error).__name__) from error
    if not isinstance(document, dict):
        raise FetchFailed("its answer is no JSON object")
    return document


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a token names, and for how long. ``groups`` are the provider's."""

    id: str
    name: str
    groups: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime


class SigningKeys:
    """The provider's public keys by their ids."""

    def __init__(
        self, settings: OidcSettings, fetch: Fetch = fetch_json, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._fetch, self._clock = settings, fetch, clock
        self._keys: dict[str, dict[str, Any]] = {}
        self._read_at = self._tried_at = -1e9
        self._lock = asyncio.Lock()

    async def find(self, key_id: str) -> dict[str, Any]:
        """Raises Unauthorized for a key the provider does not have, Unavailable when it cannot be asked."""
        age = self._clock() - self._read_at
        if age > self._settings.stale_s:
            await self._refresh(since=self._read_at)
        elif age > self._settings.cache_s or key_id not in self._keys:
            try:
                await self._refresh(since=self._read_at)
            except Unavailable:
                if key_id not in self._keys:
                    raise
        found = self._keys.get(key_id)
        if found is None:
            raise Unauthorized("The token is signed with a key the identity provider does not have.", code=INVALID)
        return found

    async def _refresh(self, since: float) -> None:
        """Read the keys anew, unless somebody has since, or the last try is too short ago."""
        async with self._lock:
            if self._read_at > since:
                return
            now = self._clock()
            if now - self._tried_at < self._settings.refetch_s:
                if now - self._read_at > self._settings.stale_s:
                    raise Unavailable("The identity provider cannot be reached.", code=UNAVAILABLE)
                return
            self._tried_at = now
            try:
                self._keys = await self._read()
            except FetchFailed as error:
                _LOG.error("The identity provider's keys cannot be read: %s", error)
                raise Unavailable("The identity provider cannot be reached.", code=UNAVAILABLE) from error
            self._read_at = now

    async def _read(self) -> dict[str, dict[str, Any]]:
        issuer = self._settings.issuer
        document = await self._fetch(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise FetchFailed("its discovery document names another issuer")
        address = document.get("jwks_uri")
        if not isinstance(address, str) or not safe_address(address):
            raise FetchFailed("its jwks_uri is no https address")
        listed = (await self._fetch(address)).get("keys")
        if not isinstance(listed, list):
            raise FetchFailed("its key set has no keys")
        usable = [key for key in listed[:_MAX_KEYS] if isinstance(key, dict) and key.get("use", "sig") == "sig"]
        return {str(key.get("kid", "")): key for key in usable if key.get("kty") in _TYPES.values()}


INVALID = "invalid_token"
UNAVAILABLE = "identity_provider_unavailable"


def safe_address(url: str) -> bool:
    """https, or http on this machine (tests, a provider beside us)."""
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


class Oidc:
    """Tokens → callers. ``team``: a team by its name, asked in a thread."""

    def __init__(self, settings: OidcSettings, team: Callable[[str], Team], keys: SigningKeys | None = None) -> None:
        if not safe_address(settings.issuer):
            raise ConfigError("gateway.oidc.issuer must be an https:// address.")
        if not settings.audience:
            raise ConfigError("gateway.oidc.audience must name at least one audience.")
        self._settings, self._team = settings, team
        self._keys = keys or SigningKeys(settings)

    async def caller(self, token: str) -> VirtualKey:
        """Raises Unauthorized, Forbidden (no team here), Unavailable."""
        person = await self.person(token)
        name = self._team_name(person.groups)
        return person_key(
            person.id,
            Named(person.name, "oidc"),
            roles=self._roles(person.groups),
            team=await asyncio.to_thread(self._known_team, name),
            created_at=person.issued_at,
            expires_at=person.expires_at,
        )

    async def person(self, token: str) -> Person:
        """Whom the token names, after every check. Raises Unauthorized, Unavailable."""
        try:
            header = jwt.get_unverified_header(token)
            algorithm = self._algorithm(header)
            key = await self._keys.find(str(header.get("kid", "")))
            claims = self._claims(token, key, algorithm)
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired.", code="expired_token") from None
        except jwt.PyJWTError as error:
            raise Unauthorized(f"The token is not valid ({type(error).__name__}).", code=INVALID) from None
        return self._described(claims)

    def _algorithm(self, header: dict[str, Any]) -> str:
        algorithm = header.get("alg")
        if algorithm not in self._settings.algorithms:
            raise Unauthorized("The token's algorithm is not accepted.", code=INVALID)
        if "crit" in header or str(header.get("typ", "JWT")).lower() not in _TOKEN_TYPES:
            raise Unauthorized("The token is of a kind that is not accepted.", code=INVALID)
        return str(algorithm)

    def _claims(self, token: str, key: dict[str, Any], algorithm: str) -> dict[str, Any]:
        if key.get("alg", algorithm) != algorithm or key.get("kty") != _TYPES[algorithm[:2]]:
            raise Unauthorized("The token's algorithm is not that of its key.", code=INVALID)
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(key, algorithm=algorithm),
            algorithms=[algorithm],
            audience=self._settings.audience,
            issuer=self._settings.issuer,
            leeway=self._settings.leeway_s,
            options={"require": ["exp", "iat", "sub", "iss", "aud"]},
        )
        return claims

    def _described(self, claims: dict[str, Any]) -> Person:
        settings, subject = self._settings, str(claims["sub"])
        name = str(claims.get(settings.name_claim) or claims.get("email") or subject)
        groups = claims
        for part in settings.groups_claim.split("."):
            groups = groups.get(part, {}) if isinstance(groups, dict) else {}
        listed = groups.split() if isinstance(groups, str) else groups
        known = tuple(str(group) for group in listed) if isinstance(listed, list) else ()
        return Person(
            id="oidc_" + sha256(f"{settings.issuer}\n{subject}".encode()).hexdigest()[:24],
            name="".join(c if c.isprintable() else " " for c in name)[:_NAME_LIMIT],
            groups=known,
            issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            expires_at=datetime.fromtimestamp(claims["exp"] + settings.leeway_s, UTC),
        )

    def _team_name(self, groups: Iterable[str]) -> str:
        """The team of the first configured group the person is in."""
        theirs = set(groups)
        name = next((team for group, team in self._settings.teams.items() if group in theirs), None)
        if name := name or self._settings.default_team:
            return name
        raise Forbidden("None of your groups has a team at this gateway.", code="no_team")

    def _known_team(self, name: str) -> Team:
        try:
            return self._team(name)
        except NotFound:
            _LOG.error("gateway.oidc names the team '%s', which does not exist: `kakehashi team create`", name)
            raise Forbidden("Your group's team does not exist at this gateway.", code="no_team") from None

    def _roles(self, groups: Iterable[str]) -> tuple[str, ...]:
        theirs = set(groups)
        return ("user", *(role for group, role in self._settings.roles.items() if group in theirs))
