"""The surfaces that reach a model. Their life is in ``pipeline``, what differs between them in their dialects."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from gateway.api import content, items, params
from gateway.api.dialect import NUMBERS, CountsDialect
from gateway.api.exchange import Surface
from gateway.api.messages import MessagesDialect, check_messages, check_request
from gateway.api.pipeline import Pipeline
from gateway.api.responses import ResponsesDialect
from gateway.api.services import Services
from gateway.errors import BadRequest


def _check_chat(body: dict[str, Any]) -> None:
    content.check_messages(body.get("messages"))


def _check_completion(body: dict[str, Any]) -> None:
    content.check_prompt(body.get("prompt"))


def _check_embeddings(body: dict[str, Any]) -> None:
    content.check_input(body.get("input"))


def _check_responses(body: dict[str, Any]) -> None:
    items.check_items(body.get("input"))


def _check_tokenize(body: dict[str, Any]) -> None:
    if "messages" in body:
        content.check_messages(body["messages"])
    if ("messages" in body) == isinstance(body.get("prompt"), str):
        raise BadRequest("Give either 'prompt' (a text) or 'messages'.", param="prompt")


SURFACES = (
    Surface("chat", "/chat/completions", params.CHAT, _check_chat, ("messages", "tools"), has_priority=True),
    Surface(
        "completions", "/completions", params.COMPLETIONS, _check_completion, ("prompt", "suffix"), has_priority=True
    ),
    Surface(
        "responses",
        "/responses",
        params.RESPONSES,
        _check_responses,
        ("input", "instructions", "tools"),
        dialect=ResponsesDialect(),
        has_priority=True,
    ),
    Surface(
        "messages",
        "/messages",
        params.MESSAGES,
        check_request,
        ("messages", "system", "tools"),
        dialect=MessagesDialect(),
        key_header="x-api-key",
    ),
    Surface(
        "count_tokens",
        "/messages/count_tokens",
        params.COUNT_TOKENS,
        check_messages,
        ("messages", "system", "tools"),
        generates=False,
        dialect=CountsDialect("input_tokens"),
        key_header="x-api-key",
    ),
    Surface(
        "embeddings", "/embeddings", params.EMBEDDINGS, _check_embeddings, ("input",), generates=False, dialect=NUMBERS
    ),
    Surface(
        "tokenize",
        "/tokenize",
        params.TOKENIZE,
        _check_tokenize,
        ("prompt", "messages", "tools"),
        generates=False,
        dialect=CountsDialect("count", "max_model_len"),
        upstream_path="../tokenize",  # vLLM has it beside /v1
    ),
)


def routes(services: Services) -> list[Route]:
    """Plain ASGI endpoints: FastAPI's own request handling would cost more than everything we do here."""
    return [Route(f"/v1{s.path}", Pipeline(services, s), methods=["POST"], name=s.name) for s in SURFACES]
