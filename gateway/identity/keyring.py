"""Authentication on the hot path: a key's record is remembered for less than a second, so that revoking works fast.

An entry is asked for again in the background when half its time is over; only a key not seen lately waits for the
database. When the database is gone, requests are refused (503) once the entry is too old: never an open door.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.errors import ApiError, Unauthorized
from gateway.identity import keys
from gateway.identity.model import VirtualKey

FRESH_S = 0.35  # younger: answered from memory
USABLE_S = 0.8  # older: the caller waits for the database. A revoked key thus works for less than a second.
_CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class _Entry:
    key: VirtualKey | None
    read_at: float  # before the question was sent, so that the age is never understated


class KeyRing:
    """Verifies the Authorization header. ``find`` is the store's look-up by digest, called in a thread."""

    def __init__(self, find: Callable[[str], VirtualKey | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._find, self._clock = find, clock
        self._entries: dict[str, _Entry] = {}
        self._loading: dict[str, asyncio.Task[_Entry]] = {}

    async def verify(self, authorization: str | None) -> VirtualKey:
        """The key's record. Raises Unauthorized (missing, invalid, expired, revoked), Unavailable."""
        key = await self._lookup(_bearer(authorization))
        if key is None:
            raise Unauthorized("The API key is not known here.", code="invalid_api_key")
        state = key.state(datetime.now(UTC))
        if state != "active":
            raise Unauthorized(f"The API key {key.id} is {state}.", code=f"{state}_api_key")
        return key

    def forget(self) -> None:
        """Forget everything remembered: this process has just changed a key."""
        self._entries.clear()

    async def _lookup(self, key: str) -> VirtualKey | None:
        digest = keys.digest(key)
        entry = self._entries.get(digest)
        age = self._clock() - entry.read_at if entry else USABLE_S
        if entry is None or age >= USABLE_S:
            entry = await asyncio.shield(self._load(digest))
        elif age >= FRESH_S:
            self._load(digest)
        return entry.key

    def _load(self, digest: str) -> asyncio.Task[_Entry]:
        """One question to the database per key at a time, however many requests wait for it."""
        task = self._loading.get(digest)
        if task is None:
            task = self._loading[digest] = asyncio.create_task(self._read(digest))
            task.add_done_callback(lambda done: self._loaded(digest, done))
        return task

    async def _read(self, digest: str) -> _Entry:
        read_at = self._clock()
        return _Entry(await asyncio.to_thread(self._find, digest), read_at)

    def _loaded(self, digest: str, task: asyncio.Task[_Entry]) -> None:
        del self._loading[digest]
        if task.cancelled() or isinstance(task.exception(), ApiError):
            return  # whoever waits for it sees the error; a background refresh tries again with the next request
        self._entries.pop(digest, None)
        self._entries[digest] = task.result()
        while len(self._entries) > _CAPACITY:
            del self._entries[next(iter(self._entries))]


def _bearer(authorization: str | None) -> str:
    """The key in an Authorization header. Raises Unauthorized; the header's content is never repeated."""
    if not authorization:
        raise Unauthorized("No API key was given. Send it as 'Authorization: Bearer kk_…'.", code="missing_api_key")
    scheme, _, key = authorization.partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise Unauthorized("The Authorization header must be 'Bearer kk_…'.", code="missing_api_key")
    if not keys.well_formed(key):
        raise Unauthorized("The API key is not known here.", code="invalid_api_key")
    return key
