"""The audit records of the surfaces, and what happens when the audit log cannot take them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Protocol

from gateway.audit.log import AuditUnavailable
from gateway.audit.record import Attempt, Intent, Outcome
from gateway.errors import Unavailable
from gateway.telemetry.metrics import Metrics

_LOG = logging.getLogger("gateway.audit")


class Audit(Protocol):
    """The audit log's port (``gateway.audit.log.AuditLog``). Intent and outcome return only when durable."""

    async def start(self) -> None: ...

    async def intent(self, record: Intent) -> None: ...

    async def attempt(self, record: Attempt) -> None: ...

    async def outcome(self, record: Outcome) -> None: ...

    async def check(self) -> None: ...

    async def close(self) -> None: ...


class Records:
    """Fail closed: without a record, no answer. Only ``gateway.audit_fail_closed: false`` changes that, loudly."""

    def __init__(self, audit: Audit, metrics: Metrics, *, fail_closed: bool) -> None:
        self.audit, self._metrics, self._fail_closed = audit, metrics, fail_closed
        self.standing = "ok"  # or why the last record could not be stored

    async def intent(self, record: Intent) -> None:
        """Raises Unavailable when it cannot be stored."""
        await self._store(self.audit.intent(record), record.request_id)

    async def attempt(self, record: Attempt) -> None:
        """Raises Unavailable when it cannot be stored."""
        await self._store(self.audit.attempt(record), record.request_id)

    async def outcome(self, record: Outcome) -> None:
        """Raises Unavailable when it cannot be stored."""
        await self._store(self.audit.outcome(record), record.request_id)

    async def stands(self) -> str:
        """ "ok", or why records cannot be stored; asked again when the last one could not be: where nobody sends requests
        to a gateway that is not ready, no request would find out."""
        if self.standing != "ok":
            try:
                await self.audit.check()
                self.standing = "ok"
            except AuditUnavailable as error:
                self.standing = error.message
        return self.standing

    async def _store(self, storing: Awaitable[None], request_id: str) -> None:
        try:
            await storing
            self.standing = "ok"
        except AuditUnavailable as error:
            self._metrics.audit_failed()
            self.standing = error.message
            _LOG.error("%s: the audit record cannot be stored: %s", request_id, error.message)
            if self._fail_closed:
                raise Unavailable("The audit log cannot be written.", code="audit_unavailable") from error
