"""Authentication on the hot path: a key's record is remembered for less than a second, so that revoking works fast.

An entry is asked for again in the background when half its time is over; only a key not seen lately waits for the
database. When the database is gone, requests are refused (503) once the entry is too old: never an open door.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.errors import ApiError, Unauthorized, Unavailable
from gateway.identity import keys
from gateway.identity.model import VirtualKey

FRESH_S = 0.35  # younger: answered from memory
USABLE_S = 0.8  # older: the caller waits for the database. A revoked key thus works for less than a second.
_CAPACITY = 10_000
_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Entry:
    key: VirtualKey | None
    read_at: float  # before the question was sent, so that the age is never understated


def _no_session(_: str) -> None:
    return None


class KeyRing:
    """Verifies the Authorization header: a virtual key, a person's session or their identity provider's token.

    ``find`` and ``session`` are the stores' look-ups by digest, called in a thread; ``oidc`` turns a token into its
    person, None where no identity provider is configured.
    """

    def __init__(
        self,
        find: Callable[[str], VirtualKey | None],
        clock: Callable[[], float] = time.monotonic,
        *,
        session: Callable[[str], VirtualKey | None] = _no_session,
        oidc: Callable[[str], Awaitable[VirtualKey]] | None = None,
    ) -> None:
        self._find, self._session, self._oidc, self._clock = find, session, oidc, clock
        self._entries: dict[str, _Entry] = {}
        self._loading: dict[str, asyncio.Task[_Entry]] = {}

    async def verify(self, authorization: str | None, session: str | None = None) -> VirtualKey:
        """The caller's record. Raises Unauthorized (missing, invalid, expired, revoked), Forbidden, Unavailable.

        ``session``: the token of the person for whom a key asks; the record then names them.
        """
        key = await self._lookup(_bearer(authorization, jwt=self._oidc is not None))
        if key is None:
            raise Unauthorized("The API key is not known here.", code="invalid_api_key")
        state = key.state(datetime.now(UTC))
        if state != "active":
            raise Unauthorized(f"The API key {key.id} is {state}.", code=f"{state}_api_key")
        return key if session is None else replace(key, user=(await self.signed_in(session)).user)

    async def signed_in(self, token: str) -> VirtualKey:
        """The person with this session. Raises Unauthorized when it has ended, Unavailable."""
        person = await self._lookup(token) if token.startswith(keys.SESSION_PREFIX) else None
        if person is None or person.state(datetime.now(UTC)) != "active":
            raise Unauthorized("The session has ended; sign in again.", code="session_ended")
        return person

    def forget(self) -> None:
        """Forget everything remembered, answers under way too: this process has just changed a key."""
        self._entries.clear()
        self._loading.clear()

    async def _lookup(self, key: str) -> VirtualKey | None:
        digest = keys.digest(key)
        entry = self._entries.get(digest)
        age = self._clock() - entry.read_at if entry else USABLE_S
        if entry is None or age >= USABLE_S:
            entry = await self._asked(key, digest)
        elif age >= FRESH_S:
            self._load(key, digest)
        return entry.key

    async def _asked(self, key: str, digest: str) -> _Entry:
        """What the database says, and not too long ago: an answer that took long may be from before a revocation.

        Raises Unavailable when it is too slow to know.
        """
        for _ in range(_TRIES):
            entry = await asyncio.shield(self._load(key, digest))
            if self._clock() - entry.read_at < USABLE_S:
                return entry
        raise Unavailable("The gateway's database is too slow to check the key.", code="database_unavailable")

    def _load(self, key: str, digest: str) -> asyncio.Task[_Entry]:
        """One question to the database per key at a time, however many requests wait for it."""
        task = self._loading.get(digest)
        if task is None:
            task = self._loading[digest] = asyncio.create_task(self._read(key, digest))
            task.add_done_callback(lambda done: self._loaded(digest, done))
        return task

    async def _read(self, key: str, digest: str) -> _Entry:
        read_at = self._clock()
        if keys.well_formed(key):
            find = self._session if key.startswith(keys.SESSION_PREFIX) else self._find
            return _Entry(await asyncio.to_thread(find, digest), read_at)
        return _Entry(await self._oidc(key) if self._oidc else None, read_at)

    def _loaded(self, digest: str, task: asyncio.Task[_Entry]) -> None:
        known = self._loading.get(digest) is task  # else a key was changed meanwhile: the answer may be outdated
        if known:
            del self._loading[digest]
        if task.cancelled() or isinstance(task.exception(), ApiError):
            return  # whoever waits for it sees the error; a background refresh tries again with the next request
        entry = task.result()
        if not known:
            return
        self._entries.pop(digest, None)
        self._entries[digest] = entry
        while len(self._entries) > _CAPACITY:
            del self._entries[next(iter(self._entries))]


def _bearer(authorization: str | None, *, jwt: bool) -> str:
    """The key in an Authorization header. Raises Unauthorized; the header's content is never repeated."""
    if not authorization:
        raise Unauthorized("No API key was given. Send it as 'Authorization: Bearer kk_…'.", code="missing_api_key")
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise Unauthorized("The Authorization header must be 'Bearer kk_…'.", code="missing_api_key")
    if not keys.well_formed(key) and not (jwt and keys.is_jwt(key)):
        raise Unauthorized("The API key is not known here.", code="invalid_api_key")
    return key
