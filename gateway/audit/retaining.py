"""The daily deletion of what need not be kept any longer. Several gateways on one database may all run it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.audit import retention
from gateway.audit.log import AuditLog, AuditUnavailable
from kakehashi.errors import ConfigError

_LOG = logging.getLogger("gateway.audit")
_FIRST_AFTER_S = 60.0
_EVERY_S = 24 * 3600.0


class Retaining:
    """``body_days``: how long prompts and answers stay readable; ``entry_days``: how long records stay at all."""

    def __init__(self, log: AuditLog, body_days: int | None, entry_days: int | None) -> None:
        """Raises ConfigError when records would be removed before their bodies."""
        if entry_days is not None and (body_days is None or body_days > entry_days):
            raise ConfigError(
                "gateway.audit_metadata_retention_days must not be shorter than gateway.audit_retention_days.",
                hint="Set both; bodies go first, records later.",
            )
        self._log, self._body_days, self._entry_days = log, body_days, entry_days
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._body_days is not None:
            self._task = asyncio.create_task(self._run(), name="audit-retention")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(_FIRST_AFTER_S)
        while True:
            try:
                await self.once(datetime.now(UTC))
            except AuditUnavailable as error:
                _LOG.error("Retention: %s It is tried again tomorrow.", error.message)
            await asyncio.sleep(_EVERY_S)

    async def once(self, now: datetime) -> tuple[int, int]:
        """Delete what is due. Returns how many team-days of bodies, and how many records. Raises AuditUnavailable."""
        loop = asyncio.get_running_loop()

        def record(kind: str, data: dict[str, Any]) -> None:
            asyncio.run_coroutine_threadsafe(self._log.event(kind, "", data), loop).result()

        return await asyncio.to_thread(self._delete, record, now)

    def _delete(self, record: retention.Record, now: datetime) -> tuple[int, int]:
        chain, keys, removed = self._log.chain, 0, 0
        if self._body_days is not None:
            keys = len(retention.purge(chain.store, record, _day(now, self._body_days)))
        if self._entry_days is not None:
            day = _day(now, self._entry_days)
            removed = sum(retention.seal_before(chain.store, record, chain.signer, day).values())
        if keys or removed:
            _LOG.info("Retention: erased the bodies of %d team-days, removed %d records.", keys, removed)
        return keys, removed


def _day(now: datetime, days: int) -> str:
    return (now - timedelta(days=days)).date().isoformat()
