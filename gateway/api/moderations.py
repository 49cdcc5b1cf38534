"""``POST /v1/moderations``: OpenAI's question, answered by our guardrails in their own categories.

OpenAI's categories (hate, violence …) are not among them: nobody here looks for those, and ``false`` would say that
somebody had.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.content import MAX_INPUTS
from gateway.api.params import Sifted
from gateway.api.scanning import Scanning, described
from gateway.api.services import Caller, TheServices
from gateway.guardrails.types import Finding, Source, Verdict

router = APIRouter(prefix="/v1/moderations", tags=["guardrails"])

# The guardrails' type → category; every other type is a kind of personal data.
_CATEGORIES = {
    "SECRET": "secrets",
    "URL_TOKEN": "secrets",
    "INJECTION": "prompt_injection",
    "REGULATED_WORDING": "regulated_wording",
}
PERSONAL_DATA = "personal_data"
CATEGORIES = (PERSONAL_DATA, *dict.fromkeys(_CATEGORIES.values()))


class TextPart(BaseModel):
    """A part of one input; pictures are refused, since the guardrails read none."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]
    text: str


class ModerationRequest(BaseModel):
    """``input``: a text, texts (a result each), or parts (one result for all). ``model`` is not needed."""

    model_config = ConfigDict(extra="allow")
    input: str | Annotated[list[str] | list[TextPart], Field(min_length=1, max_length=MAX_INPUTS)]


class ModerationResult(BaseModel):
    """``flagged``: the policy would do something about it. Scores are the surest finding's confidence."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]


class ModerationResponse(BaseModel):
    """One result per input, in order. ``model`` names the policy that answered."""

    id: str
    model: str
    results: list[ModerationResult]


@router.post(
    "",
    response_model=ModerationResponse,
    openapi_extra=described(ModerationRequest),
)
async def moderate(request: Request, response: Response, caller: Caller, services: TheServices) -> ModerationResponse:
    """Which categories of the house policy each input falls into. Nothing is sent to a model."""
    scanning = Scanning(request, services, caller, "moderations")
    asked = await scanning.asked(ModerationRequest)
    verdicts = await scanning.verdicts(_texts(asked))
    response.headers.update({**scanning.headers, **Sifted({}, tuple(asked.model_extra or ())).header})
    return ModerationResponse(
        id="modr-" + scanning.client.request_id.removeprefix("req_"),
        model=services.guardrails.ref,
        results=[_result(verdict) for verdict in verdicts],
    )


def _texts(asked: ModerationRequest) -> list[tuple[str, Source]]:
    inputs = [asked.input] if isinstance(asked.input, str) else asked.input
    texts = [item for item in inputs if isinstance(item, str)]
    parts = [item.text for item in inputs if isinstance(item, TextPart)]
    return [(text, "user") for text in [*texts, *(["\n".join(parts)] if parts else [])]]


def _result(verdict: Verdict) -> ModerationResult:
    scores = dict.fromkeys(CATEGORIES, 0.0)
    for finding in verdict.findings:
        if _counts(finding):
            category = _CATEGORIES.get(finding.type, PERSONAL_DATA)
            scores[category] = max(scores[category], round(finding.confidence, 4))
    found: dict[str, Any] = {name: score > 0 for name, score in scores.items()}
    applied = {name: ["text"] if hit else [] for name, hit in found.items()}
    return ModerationResult(
        flagged=any(found.values()), categories=found, category_scores=scores, category_applied_input_types=applied
    )


def _counts(finding: Finding) -> bool:
    """A finding in shadow is only measured."""
    return finding.action != "allow" and not finding.shadow
