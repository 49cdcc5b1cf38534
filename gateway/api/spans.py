"""What a request tells in its trace: attributes by the OpenTelemetry conventions for generative AI, no content unless
the operators switched it on.

Names: github.com/open-telemetry/semantic-conventions-genai (docs/gen-ai/gen-ai-spans.md). What they have no name for is
ours (``kakehashi.*``). Persons are not named here; the audit log knows them by the same request id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from gateway.telemetry.trace import Span, Trace, Value

if TYPE_CHECKING:
    from gateway.api.exchange import Exchange
    from gateway.routing.upstream import Upstream

CONTENT_LIMIT = 16 * 1024  # characters of one content attribute; collectors refuse spans that are too large
OPERATIONS = {
    "chat": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}
_NUMBERS = {
    "temperature": float,
    "top_p": float,
    "top_k": float,
    "frequency_penalty": float,
    "presence_penalty": float,
    "seed": int,
}
_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


def operation(surface: str) -> str:
    """``gen_ai.operation.name`` of a surface; those the conventions do not know keep their own name."""
    return OPERATIONS.get(surface, surface)


def provider(upstream: Upstream | None) -> str:
    """``gen_ai.provider.name``: vLLM where the upstream says so, else the protocol that it speaks."""
    return "vllm" if upstream and upstream.catalog.vllm else "openai"


def describe(x: Exchange, *, content: bool) -> None:
    """Write into the exchange's trace what is known at its end: into the whole, and into the call of the engine."""
    trace = x.trace
    if trace is None or not trace.sampled:
        return
    outcome, error = x.ending
    failed = "" if outcome == "ok" else error or outcome
    _describe_whole(x, trace)
    call = trace.span("upstream")
    if call is not None:
        model = x.hop.model if x.hop else ""
        call.name = f"{operation(x.surface.name)} {model}".strip()
        call.error = failed
        call.attributes |= _call(x, model)
        if content:
            call.attributes |= _content(x)


def _describe_whole(x: Exchange, trace: Trace) -> None:
    attributes: dict[str, Value] = {
        "kakehashi.surface": x.surface.name,
        "kakehashi.key.id": x.key.id,
        "kakehashi.team": x.key.team,
        "kakehashi.policy": x.guard.policy_ref,
        "kakehashi.outcome": x.ending[0],
        "kakehashi.attempts": len(x.tries),
    }
    rules = sorted({f"{d.stage}:{d.rule}:{d.action}" for d in x.guard.decisions})
    if rules:
        attributes["kakehashi.guardrail.decisions"] = rules
    if x.prompt:
        attributes["gen_ai.prompt.name"] = x.prompt
    trace.root.attributes |= attributes


def _call(x: Exchange, model: str) -> dict[str, Value]:
    told: dict[str, Value] = {
        "gen_ai.operation.name": operation(x.surface.name),
        "gen_ai.provider.name": provider(x.upstream),
        "gen_ai.request.model": model,
        "gen_ai.request.stream": x.streams,
    }
    told |= _parameters(x.body)
    if x.upstream_model:
        told["gen_ai.response.model"] = x.upstream_model
    if x.finish_reason:
        told["gen_ai.response.finish_reasons"] = x.finish_reason.split(",")
    if x.usage is not None:
        told["gen_ai.usage.input_tokens"] = x.usage.prompt
        told["gen_ai.usage.output_tokens"] = x.usage.completion
    if x.ttft_s is not None:
        told["gen_ai.response.time_to_first_chunk"] = x.ttft_s
    if x.upstream is not None:
        told |= _address(x.upstream.base_url) | {"kakehashi.upstream": x.upstream.name}
    return told


def _address(url: str) -> dict[str, Value]:
    parts = urlsplit(url)
    return {
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }


def _parameters(body: Mapping[str, Any]) -> dict[str, Value]:
    """How the answer was asked for: numbers and kinds only, never texts (stop sequences are texts)."""
    told: dict[str, Value] = {}
    for name, kind in _NUMBERS.items():
        if isinstance(body.get(name), int | float):
            told[f"gen_ai.request.{name}"] = kind(body[name])
    limit = next((body[name] for name in _LIMITS if isinstance(body.get(name), int)), None)
    if limit is not None:
        told["gen_ai.request.max_tokens"] = limit
    if isinstance(body.get("n"), int) and body["n"] != 1:
        told["gen_ai.request.choice.count"] = body["n"]
    wanted = body.get("response_format")
    if isinstance(wanted, dict):
        told["gen_ai.output.type"] = "json" if str(wanted.get("type", "")).startswith("json") else "text"
    return told


def _content(x: Exchange) -> dict[str, Value]:
    """Prompt and answer as the engine saw and gave them: masked, not restored."""
    told: dict[str, Value] = {}
    for field in x.surface.texts:
        if field in x.forward:
            name = {"tools": "gen_ai.tool.definitions", "system": "gen_ai.system_instructions"}.get(
                field, "gen_ai.input.messages"
            )
            told[name] = _text(x.forward[field])
    if x.received:
        told["gen_ai.output.messages"] = x.received.decode(errors="replace")[:CONTENT_LIMIT]
    return told


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else orjson.dumps(value).decode())[:CONTENT_LIMIT]


def describe_answer(root: Span, surface: str, method: str, status: int, request_id: str) -> None:
    """What the edge knows of any request, also of one that got no further."""
    root.name = f"{method} {surface}"
    root.attributes |= {
        "http.request.method": method,
        "http.response.status_code": status,
        "kakehashi.request.id": request_id,
    }
    if status >= 500 or not status:
        root.error = str(status or "no_answer")
