"""Texts before the guardrails alone, no model asked: the life of such a request, for scans and moderations alike.

key (before) → body → limits → guardrails → audit: intent and outcome → answer
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from gateway.api.client import Client
from gateway.api.exchange import as_record, header_value
from gateway.api.services import Services
from gateway.audit.record import Intent, Outcome
from gateway.errors import BadRequest
from gateway.guardrails.types import Decision, Source, Verdict
from gateway.identity.model import VirtualKey
from kakehashi.errors import ConfigError

Asked = TypeVar("Asked", bound=BaseModel)


def described(shape: type[BaseModel]) -> dict[str, Any]:
    """A body for the OpenAPI document (FastAPI does not see it: it is read under our own limit); ``docs`` moves its
    ``$defs`` to where its references look for them."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


class Scanning:
    """One such request. ``surface``: its name in records."""

    def __init__(self, request: Request, services: Services, caller: VirtualKey, surface: str) -> None:
        self.client = Client(request.scope, request.receive, request._send)
        self._services, self._caller, self._surface = services, caller, surface
        self._started = time.perf_counter()
        self.headers = {"x-kakehashi-policy": header_value(services.guardrails.ref)}  # of the answer

    async def asked(self, shape: type[Asked]) -> Asked:
        """The body. Raises BadRequest, TooLarge."""
        try:
            return shape.model_validate(await self.client.json(self._services.settings.max_body_bytes))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BadRequest(f"{where}: {first['msg']}", param=where) from None

    async def verdicts(
        self, texts: Sequence[tuple[str, Source]], *, profile: str | None = None, model: str = ""
    ) -> list[Verdict]:
        """What the policy says of each text, and that on record. Raises RateLimited, BadRequest, Unavailable."""
        meter = self._services.meter
        admission = await meter.admit(self._caller, lambda: 0, 0, lease=self.client.request_id)
        self.headers |= meter.headers(admission.reservation)
        try:
            profile = profile or self._caller.profile
            verdicts = await asyncio.to_thread(self._scan, texts, profile)
            await self._record(verdicts, profile or "default", model)
            return verdicts
        finally:
            await meter.settle(admission, 0)

    def _scan(self, texts: Sequence[tuple[str, Source]], profile: str | None) -> list[Verdict]:
        scan = self._services.guardrails.scan
        try:
            return [scan(text, source=source, profile=profile) for text, source in texts]
        except ConfigError as error:
            raise BadRequest(error.message, code="unknown_profile", param="profile") from error

    async def _record(self, verdicts: list[Verdict], profile: str, model: str) -> None:
        services, client = self._services, self.client
        decisions, person = _decisions(verdicts), client.person(self._caller)
        await services.records.intent(
            Intent(
                request_id=client.request_id,
                surface=self._surface,
                key_id=self._caller.id,
                team=self._caller.team,
                user=person.name,
                user_source=person.source,
                app=client.label("x-kakehashi-app"),
                job=client.label("x-kakehashi-job"),
                model=model,
                prompt=client.prompt(),
                policy=services.guardrails.ref,
                profile=profile,
                body=orjson.dumps([verdict.text for verdict in verdicts]),
            )
        )
        await services.records.outcome(
            Outcome(
                request_id=client.request_id,
                outcome="ok",
                status=200,
                attempts=0,
                latency_ms=(time.perf_counter() - self._started) * 1000,
                decisions=[as_record(decision) for decision in decisions],
            )
        )
        services.metrics.decided(decisions)


def _decisions(verdicts: list[Verdict]) -> list[Decision]:
    """The findings of all texts, counted by rule and action."""
    counts: Counter[tuple[Any, ...]] = Counter()
    confidence: dict[tuple[Any, ...], float] = {}
    for verdict in verdicts:
        for f in verdict.findings:
            kind = (f.rule, f.type, f.action, f.shadow)
            counts[kind] += 1
            confidence[kind] = max(confidence.get(kind, 0.0), f.confidence)
    return [
        Decision("input", rule, type_, action, count, confidence[rule, type_, action, shadow], shadow)
        for (rule, type_, action, shadow), count in counts.items()
    ]
