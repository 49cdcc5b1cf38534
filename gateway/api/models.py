"""``GET /v1/models``: what a key may use, aliases included."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from gateway.api.services import Caller, Services, TheServices
from gateway.errors import NotFound
from gateway.identity.model import VirtualKey

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_models(caller: Caller, services: TheServices) -> dict[str, Any]:
    """The models this key may use."""
    return {"object": "list", "data": await _models(caller, services)}


@router.get("/{model_id:path}")
async def get_model(model_id: str, caller: Caller, services: TheServices) -> dict[str, Any]:
    """One model."""
    for model in await _models(caller, services):
        if model["id"] == model_id:
            return model
    raise NotFound(
        f"The model '{model_id[:200]}' does not exist or you do not have access to it.",
        code="model_not_found",
        param="model",
    )


async def _models(caller: VirtualKey, services: Services) -> list[dict[str, Any]]:
    return await services.router.models(caller) + await services.speech.models(caller)
