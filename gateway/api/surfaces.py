"""The surfaces that reach a model: chat completions, completions, embeddings. Their life is in ``pipeline``."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from gateway.api import content, params
from gateway.api.exchange import Surface
from gateway.api.pipeline import Pipeline
from gateway.api.services import Services


def _check_chat(body: dict[str, Any]) -> None:
    content.check_messages(body.get("messages"))


def _check_completion(body: dict[str, Any]) -> None:
    content.check_prompt(body.get("prompt"))


def _check_embeddings(body: dict[str, Any]) -> None:
    content.check_input(body.get("input"))


SURFACES = (
    Surface("chat", "/chat/completions", params.CHAT, _check_chat, ("messages", "tools")),
    Surface("completions", "/completions", params.COMPLETIONS, _check_completion, ("prompt", "suffix")),
    Surface("embeddings", "/embeddings", params.EMBEDDINGS, _check_embeddings, ("input",), generates=False),
)


def routes(services: Services) -> list[Route]:
    """Plain ASGI endpoints: FastAPI's own request handling would cost more than everything we do here."""
    return [Route(f"/v1{s.path}", Pipeline(services, s), methods=["POST"], name=s.name) for s in SURFACES]
