"""Acts of callers that reach no model (files, batches): key (before) → limits → audit: intent → act → audit: outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from starlette.requests import Request

from gateway.api.client import Client
from gateway.api.ids import new_request_id
from gateway.api.records import Records
from gateway.api.services import Services
from gateway.audit.record import Intent, Outcome
from gateway.errors import ApiError
from gateway.identity.model import VirtualKey
from kakehashi.errors import KakehashiError

T = TypeVar("T")


class CallersAct:
    """One such act. ``surface``: its name in records."""

    def __init__(self, request: Request, services: Services, caller: VirtualKey, surface: str) -> None:
        self.client = Client(request.scope, request.receive, request._send)
        self._services, self._caller, self._surface = services, caller, surface
        self._started = time.perf_counter()
        self.headers: dict[str, str] = {}  # of the answer

    async def admit(self) -> None:
        """Count the request among the key's. Raises RateLimited, Unavailable."""
        meter = self._services.meter
        admission = await meter.admit(self._caller, lambda: 0, 0, lease=self.client.request_id)
        await meter.settle(admission, 0)
        self.headers |= meter.headers(admission.reservation)

    async def run(self, action: str, target: str, details: dict[str, Any], do: Callable[[], T]) -> T:
        """Record the act, do it (in a thread), record how it went. Raises what ``do`` raises, and Unavailable."""
        await self._services.records.intent(self._intent(action, target, details))
        failure: KakehashiError | None = None
        try:
            return await asyncio.to_thread(do)
        except KakehashiError as error:
            failure = error
            raise
        finally:
            await self._services.records.outcome(self._outcome(failure))

    def _intent(self, action: str, target: str, details: dict[str, Any]) -> Intent:
        person = self.client.person(self._caller)
        return Intent(
            request_id=self.client.request_id,
            surface=self._surface,
            key_id=self._caller.id,
            team=self._caller.team,
            user=person.name,
            user_source=person.source,
            app=self.client.label("x-kakehashi-app"),
            job=self.client.label("x-kakehashi-job"),
            model="",
            prompt="",
            policy=self._services.guardrails.ref,
            profile=self._caller.profile or "default",
            action=action,
            target=target[:200],
            body=orjson.dumps(details),
        )

    def _outcome(self, failure: KakehashiError | None) -> Outcome:
        status = 200
        if failure is not None:
            status = failure.status if isinstance(failure, ApiError) else 400
        return Outcome(
            request_id=self.client.request_id,
            outcome="refused" if failure else "ok",
            status=status,
            attempts=0,
            latency_ms=(time.perf_counter() - self._started) * 1000,
            error=failure.code if failure else "",
        )


class Swept:
    """Records what the gateway deletes by itself, because its time is over."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def record(self, file_ids: list[str]) -> None:
        """Raises Unavailable when it cannot be recorded; then nothing is deleted."""
        request_id = new_request_id()
        nobody: dict[str, Any] = dict.fromkeys(
            ("key_id", "team", "user", "job", "model", "prompt", "policy", "profile"), ""
        )
        body = orjson.dumps({"files": file_ids})
        nobody |= {"surface": "files", "app": "gateway", "action": "file.expire", "target": f"{len(file_ids)} files"}
        await self._records.intent(Intent(request_id=request_id, body=body, **nobody))
        await self._records.outcome(Outcome(request_id=request_id, outcome="ok", status=200, attempts=0))
