"""How a surface speaks: what it asks upstream for beside the client's own, how its answers are read, guarded, told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.api.chat_stream import ChatRelay
from gateway.api.stream import Relay
from gateway.api.usage import NOTHING, Usage
from gateway.guardrails.types import RequestGuard


@dataclass(frozen=True, slots=True)
class Asked:
    """A request twice: as the client sent it, and as it was forwarded (masked)."""

    body: Mapping[str, Any]
    forward: Mapping[str, Any]


class Dialect(Protocol):
    """The differences between the surfaces; everything else is the pipeline's."""

    def demands(self, body: Mapping[str, Any], *, streams: bool) -> dict[str, Any]:
        """Fields that we set in the body for upstream, whatever the client said."""

    def relay(self, guard: RequestGuard, asked: Asked) -> Relay:
        """The guard of a streamed answer."""

    def guarded(self, guard: RequestGuard, answer: dict[str, Any], asked: Asked) -> dict[str, Any]:
        """A complete answer, checked and restored."""

    def usage(self, answer: dict[str, Any]) -> Usage | None:
        """The tokens to bill for a complete answer; None: it does not say."""

    def finish_reason(self, answer: dict[str, Any]) -> str:
        """Why a complete answer (as received) ended, for the audit record."""


class Billed:
    """A dialect whose answers tell their ``usage``."""

    def usage(self, answer: dict[str, Any]) -> Usage | None:
        return Usage.of(answer.get("usage"))


class ChatDialect(Billed):
    """Chat completions and completions: a list of choices."""

    def demands(self, body: Mapping[str, Any], *, streams: bool) -> dict[str, Any]:
        """Streams are always asked for their usage."""
        return {"stream_options": {**body.get("stream_options", {}), "include_usage": True}} if streams else {}

    def relay(self, guard: RequestGuard, asked: Asked) -> Relay:
        options = asked.body.get("stream_options", {})
        return ChatRelay(
            guard,
            wants_usage=bool(options.get("include_usage")),
            continuous=bool(options.get("continuous_usage_stats")),
        )

    def guarded(self, guard: RequestGuard, answer: dict[str, Any], asked: Asked) -> dict[str, Any]:
        texts = _texts(answer)
        answer = guard.check_response(answer)
        if _texts(answer) != texts:
            _drop_logprobs(answer)
        return answer

    def finish_reason(self, answer: dict[str, Any]) -> str:
        reasons = [choice.get("finish_reason") for choice in _choices(answer)]
        return ",".join(dict.fromkeys(str(reason) for reason in reasons if reason))


def _choices(answer: dict[str, Any]) -> list[dict[str, Any]]:
    listed = answer.get("choices")
    return [choice for choice in listed if isinstance(choice, dict)] if isinstance(listed, list) else []


def _texts(answer: dict[str, Any]) -> list[Any]:
    """The texts of every choice, to see whether the guard changed one."""
    return [choice.get("text") or _content(choice.get("message")) for choice in _choices(answer)]


def _content(message: Any) -> Any:
    return message.get("content") if isinstance(message, dict) else message


def _drop_logprobs(answer: dict[str, Any]) -> None:
    """They would spell out what the guard has changed."""
    for choice in _choices(answer):
        if choice.get("logprobs") is not None:
            choice["logprobs"] = None


class NumbersDialect(ChatDialect):
    """Embeddings: nothing to read in the answer."""

    def guarded(self, guard: RequestGuard, answer: dict[str, Any], asked: Asked) -> dict[str, Any]:
        return answer


class CountsDialect(NumbersDialect):
    """Counts of tokens, which cost none. ``shown``: the fields that are told, and no others."""

    def __init__(self, *shown: str) -> None:
        self._shown = shown

    def guarded(self, guard: RequestGuard, answer: dict[str, Any], asked: Asked) -> dict[str, Any]:
        return {name: answer[name] for name in self._shown if name in answer}

    def usage(self, answer: dict[str, Any]) -> Usage | None:
        return NOTHING


CHAT = ChatDialect()
NUMBERS = NumbersDialect()
