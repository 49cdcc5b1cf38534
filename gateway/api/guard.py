"""``POST /v1/guard/scan``: what the guardrails say of texts, without asking a model."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.api.client import Client
from gateway.api.exchange import as_record
from gateway.api.services import Caller, Services, TheServices
from gateway.audit.record import Intent, Outcome
from gateway.errors import BadRequest
from gateway.guardrails.types import Decision, Source, Verdict
from gateway.identity.model import VirtualKey
from kakehashi.contracts import ScanAnswer
from kakehashi.errors import ConfigError

router = APIRouter(prefix="/v1/guard", tags=["guardrails"])


class ScanInput(BaseModel):
    model_config = ConfigDict(extra="ignore")
    text: str
    source: Source = "user"


class ScanRequest(BaseModel):
    """``profile``: one of the policy's; by default the key's own."""

    model_config = ConfigDict(extra="forbid")
    inputs: list[ScanInput] = Field(max_length=1_000)
    profile: str | None = None


class ScanResponse(BaseModel):
    """One result per input, in order."""

    results: list[ScanAnswer]
    policy: str


@router.post(
    "/scan",
    response_model=ScanResponse,
    response_model_exclude_unset=True,
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": ScanRequest.model_json_schema()}}}},
)
async def scan(request: Request, caller: Caller, services: TheServices) -> ScanResponse:
    """Findings and masked text of each input. Nothing is sent to a model."""
    started = time.perf_counter()
    client = Client(request.scope, request.receive, request._send)
    try:
        asked = ScanRequest.model_validate(await client.json(services.settings.max_body_bytes))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(f"{where}: {first['msg']}", param=where) from None
    await services.meter.reserve(caller, lambda: 0, 0)
    verdicts = await asyncio.to_thread(_verdicts, services, asked, asked.profile or caller.profile)
    await _record(services, caller, client, asked, verdicts, started)
    return ScanResponse(
        results=[ScanAnswer.model_validate(verdict.answer()) for verdict in verdicts], policy=services.guardrails.ref
    )


def _verdicts(services: Services, asked: ScanRequest, profile: str | None) -> list[Verdict]:
    try:
        return [services.guardrails.scan(i.text, source=i.source, profile=profile) for i in asked.inputs]
    except ConfigError as error:
        raise BadRequest(error.message, code="unknown_profile", param="profile") from error


async def _record(
    services: Services, caller: VirtualKey, client: Client, asked: ScanRequest, verdicts: list[Verdict], started: float
) -> None:
    decisions = _decisions(verdicts)
    profile = asked.profile or caller.profile or "default"
    await services.records.intent(
        Intent(
            request_id=client.request_id,
            surface="guard.scan",
            key_id=caller.id,
            team=caller.team,
            user=client.label("x-kakehashi-user"),
            app=client.label("x-kakehashi-app"),
            job=client.label("x-kakehashi-job"),
            model="",
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
            latency_ms=(time.perf_counter() - started) * 1000,
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
