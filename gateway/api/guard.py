"""``POST /v1/guard/scan``: what the guardrails say of texts, without asking a model."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.scanning import Scanning, described
from gateway.api.services import Caller, TheServices
from gateway.guardrails.types import Source
from kakehashi.contracts import ScanAnswer

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
    openapi_extra=described(ScanRequest),
)
async def scan(request: Request, response: Response, caller: Caller, services: TheServices) -> ScanResponse:
    """Findings and masked text of each input. Nothing is sent to a model."""
    scanning = Scanning(request, services, caller, "guard.scan")
    asked = await scanning.asked(ScanRequest)
    verdicts = await scanning.verdicts([(i.text, i.source) for i in asked.inputs], profile=asked.profile)
    response.headers.update(scanning.headers)
    return ScanResponse(
        results=[ScanAnswer.model_validate(verdict.answer()) for verdict in verdicts], policy=services.guardrails.ref
    )
