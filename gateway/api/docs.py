"""The OpenAPI description of the surfaces that are plain ASGI endpoints, in the words of their own field lists."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from gateway.api import audio
from gateway.api.exchange import Surface
from gateway.api.params import OURS
from gateway.api.surfaces import SURFACES

_SUMMARY = {
    "chat": "Chat completion, whole or as a stream",
    "completions": "Text completion, whole or as a stream",
    "responses": "A response, whole or as a stream; nothing is stored",
    "messages": "Anthropic's Messages, whole or as a stream, where the engine has them",
    "count_tokens": "How many tokens a message has, as the model will get it",
    "embeddings": "Embeddings of texts",
    "transcriptions": "What is said in a recording, in its language; whole or as a stream",
    "translations": "What is said in a recording, in English",
    "tokenize": "How many tokens a prompt or chat has, as the model will get it",
}
_AUDIO_TYPES: dict[str, dict[str, Any]] = {
    "model": {"type": "string", "description": "A speech model's name, an alias, or 'default'"},
    "language": {"type": "string", "description": "ISO 639-1, such as ja"},
    "prompt": {"type": "string", "description": "Words that are probably said: names, terms"},
    "response_format": {"type": "string", "enum": ["json", "text", "srt", "vtt", "verbose_json"], "default": "json"},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1},
    "timestamp_granularities": {"type": "array", "items": {"type": "string", "enum": ["word", "segment"]}},
    "stream": {"type": "boolean", "default": False},
}
_TYPES: dict[str, dict[str, Any]] = {
    "model": {"type": "string", "description": "A model's name, an alias, or 'default'"},
    "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
    "prompt": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "input": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "stream": {"type": "boolean", "default": False},
    "n": {"type": "integer", "minimum": 1, "maximum": 4},
    "max_tokens": {"type": "integer", "minimum": 1},
    "temperature": {"type": "number", "minimum": 0},
    "response_format": {"type": "object"},
    "tools": {"type": "array", "maxItems": 128, "items": {"type": "object"}},
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
MESSAGES_ERROR = {
    "type": "object",
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message", "code"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "code": {"type": ["string", "null"]},
            },
        },
    },
}


def describe(app: FastAPI) -> None:
    """Make ``app.openapi()`` include the model surfaces and the key."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            components = schema.setdefault("components", {})
            components.setdefault("schemas", {}).update(Error=ERROR, MessagesError=MESSAGES_ERROR)
            components["securitySchemes"] = {
                "key": {"type": "http", "scheme": "bearer", "bearerFormat": "kk_…"},
                "bare_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            }
            for operation in (o for methods in schema["paths"].values() for o in methods.values()):
                components["schemas"] |= _body_schema(operation).pop("$defs", {})
            for surface in SURFACES:
                schema["paths"][f"/v1{surface.path}"] = {"post": _operation(surface)}
            for surface in audio.SURFACES:
                schema["paths"][f"/v1{surface.path}"] = {"post": _audio_operation(surface)}
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend its document


def _body_schema(operation: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema: dict[str, Any] = content.get("schema", {})
    return schema


def _audio_operation(surface: Surface) -> dict[str, Any]:
    """A recording and its fields as a form; the answer in the form that was asked for."""
    fields = {name: _AUDIO_TYPES.get(name, {}) for name in surface.allowed}
    if "timestamp_granularities" in fields:
        fields["timestamp_granularities[]"] = fields.pop("timestamp_granularities")
    fields["file"] = {"type": "string", "format": "binary"}
    body = {"type": "object", "required": ["file", "model"], "properties": fields}
    told: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    told |= {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/vtt", "text/event-stream")}
    operation = _operation(surface)
    operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": body}}}
    operation["responses"]["200"]["content"] = told
    return operation


def _operation(surface: Surface) -> dict[str, Any]:
    fields = {name: _TYPES.get(name, {}) for name in surface.allowed}
    inputs = [name for name in ("messages", "prompt", "input") if name in surface.texts]
    required = ["model", *(inputs if len(inputs) == 1 else ())]
    body = {"type": "object", "required": required, "properties": fields}
    answer: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if surface.generates:
        answer["text/event-stream"] = {"schema": {"type": "string"}}
    error = "MessagesError" if surface.key_header else "Error"
    return {
        "summary": _SUMMARY[surface.name],
        "description": f"{'Anthropic' if surface.key_header else 'OpenAI'}'s request and answer. Fields that are left out are named in the answer's header "
        f"`x-kakehashi-ignored-params`; set by the gateway: {', '.join(sorted(OURS))}.",
        "operationId": surface.name,
        "tags": ["models"],
        "security": [{"key": []}, *([{"bare_key": []}] if surface.key_header else ())],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "The answer", "content": answer},
            "default": {
                "description": "An error",
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{error}"}}},
            },
        },
    }
