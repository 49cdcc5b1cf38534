"""Changes of keys and teams, each recorded before and after: the one way for the admin API and the command line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import orjson

from gateway.audit.record import Intent, Outcome
from gateway.errors import ApiError
from gateway.identity.keys import redact
from kakehashi.errors import KakehashiError

T = TypeVar("T")


class RecordStore(Protocol):
    """Where the records go (``gateway.api.records.Records``)."""

    def intent(self, record: Intent) -> Awaitable[None]: ...

    def outcome(self, record: Outcome) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Act:
    """Who changes what. ``action``: key.create, key.change, key.revoke, key.rotate, team.create, team.rename,
    team.change, team.delete, user.create …; ``target``: the id or name it is about; ``details``: what is asked, without any secret;
    ``user_source``: how the user is known (``gateway.identity.model.Source``)."""

    request_id: str
    action: str
    target: str
    details: dict[str, Any]
    key_id: str = ""
    team: str = ""
    user: str = ""
    app: str = "admin"
    user_source: str = ""
    surface: str = "admin"


class Administration:
    """Runs acts. ``changed`` is called after each: this process then forgets what it remembered of keys."""

    def __init__(self, records: RecordStore, changed: Callable[[], None] = lambda: None) -> None:
        self._records, self._changed = records, changed

    async def run(self, act: Act, do: Callable[[], T]) -> T:
        """Record the act, do it (in a thread), record how it went. Raises what ``do`` raises, and Unavailable."""
        return await self.carry_out(act, partial(asyncio.to_thread, do))

    async def carry_out(self, act: Act, do: Callable[[], Awaitable[T]]) -> T:
        """The same with what is done on the event loop."""
        started = time.perf_counter()
        await self._records.intent(
            Intent(
                request_id=act.request_id,
                surface=act.surface,
                key_id=act.key_id,
                team=act.team,
                user=act.user,
                app=act.app,
                job="",
                model="",
                prompt="",
                policy="",
                profile="",
                user_source=act.user_source,
                action=act.action,
                target=redact(act.target)[:200],  # a key may be given where its id belongs
                body=orjson.dumps(act.details, default=str),
            )
        )
        failure: KakehashiError | None = None
        try:
            return await do()
        except KakehashiError as error:
            failure = error
            raise
        finally:
            self._changed()
            await self._records.outcome(self._outcome(act, failure, started))

    @staticmethod
    def _outcome(act: Act, failure: KakehashiError | None, started: float) -> Outcome:
        status = 200
        if failure is not None:
            status = failure.status if isinstance(failure, ApiError) else 400
        return Outcome(
            request_id=act.request_id,
            outcome="refused" if failure else "ok",
            status=status,
            attempts=0,
            latency_ms=(time.perf_counter() - started) * 1000,
            error=failure.code if failure else "",
        )
