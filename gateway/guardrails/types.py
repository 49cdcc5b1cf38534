"""The vocabulary of the guardrails: findings, verdicts and the guard of one request.

The rest of the gateway knows the guardrails through this file only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Source = Literal["user", "document", "tool"]
Action = Literal["allow", "flag", "mask", "block"]
Stage = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One span of a text that a rule speaks about.

    ``start`` and ``end`` are offsets in code points of the text as given (half open); ``confidence`` is 0 to 1.
    ``action`` is what the policy does about it; ``shadow`` says the policy only measures it.
    """

    start: int
    end: int
    type: str
    rule: str
    confidence: float
    action: Action = "flag"
    shadow: bool = False
    law: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says of one text: the strongest action, the text after masking, and every finding."""

    action: Action
    text: str
    findings: tuple[Finding, ...] = ()

    def answer(self) -> dict[str, Any]:
        """As ``guard scan`` and ``POST /v1/guard/scan`` give it (schema ``docs/schemas/guard-scan.json``)."""
        return {
            "action": self.action,
            "text": self.text,
            "findings": [
                {"start": f.start, "end": f.end, "type": f.type, "rule": f.rule, "confidence": f.confidence}
                | ({"law": f.law, "suggestion": f.suggestion} if f.law else {})
                for f in self.findings
            ],
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """One guardrail decision as it stands in the audit record: never the matched text itself."""

    stage: Stage
    rule: str
    type: str
    action: Action
    count: int
    confidence: float
    shadow: bool = False


class Blocked(Exception):
    """A policy forbids this request or answer. ``message`` is for the user, ``rule`` for the audit."""

    def __init__(self, stage: Stage, rule: str, type: str, message: str) -> None:
        super().__init__(message)
        self.stage, self.rule, self.type, self.message = stage, rule, type, message


class StreamGuard(Protocol):
    """The guard of one stream of text (one choice, one tool call argument): nothing leaves it unchecked."""

    def feed(self, text: str) -> str:
        """Take the next piece from the model; return what may be sent now. Raises Blocked."""

    def finish(self, *, cut: bool = False) -> str:
        """The stream ended (``cut``: by length, a broken placeholder then stays masked). Return the rest."""


class RequestGuard(Protocol):
    """The guard of one request and its answer. Holds the mask map in memory; never logged, gone with the request."""

    policy_ref: str
    decisions: list[Decision]

    def check_request(self, body: dict[str, Any]) -> dict[str, Any]:
        """Check every text of an OpenAI request body (chat, completions, embeddings); return the body to forward,
        masked where the policy says so. Origins: role ``user``/``system``/``developer`` → user, ``tool`` → tool, parts
        fenced as documents → document. Raises Blocked."""

    def check_response(self, body: dict[str, Any]) -> dict[str, Any]:
        """Check and restore every text of a complete answer (content, refusal, reasoning, tool-call arguments, every
        choice). A blocked choice becomes empty with ``finish_reason: content_filter``."""

    def stream(self, key: tuple[object, ...]) -> StreamGuard:
        """The guard of one text stream of the answer, by key (choice index, field, tool index …); made on first use."""


class Guardrails(Protocol):
    """A loaded policy. ``profile`` names one of its profiles; unknown profiles raise ConfigError."""

    @property
    def ref(self) -> str: ...

    def request(self, profile: str | None = None, *, headers: Mapping[str, str] | None = None) -> RequestGuard: ...

    def scan(self, text: str, *, source: Source = "user", profile: str | None = None) -> Verdict: ...


@dataclass
class ScanAnswer:
    """One line of ``kakehashi guard scan`` (schema ``docs/schemas/guard-scan.json``)."""

    action: Action
    text: str
    findings: list[dict[str, Any]] = field(default_factory=list)
