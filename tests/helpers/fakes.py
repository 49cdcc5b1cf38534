"""Doubles of the gateway's neighbours: guardrails by simple words, an audit log in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.audit.log import AuditUnavailable
from gateway.audit.record import Attempt, Intent, Outcome
from gateway.guardrails.types import Blocked, Decision, Finding, Source, Verdict
from kakehashi.errors import ConfigError

NAME, PLACEHOLDER = "山田太郎", "[[PERSON_1]]"


class FakeStream:
    """Holds back what could become a placeholder; blocks on 禁句."""

    def __init__(self, guard: FakeGuard) -> None:
        self._guard, self._held = guard, ""

    def feed(self, text: str) -> str:
        self._held += text
        if "禁句" in self._held:
            self._guard.decide("output", "test.forbidden", "block")
            raise Blocked("output", "test.forbidden", "REGULATED_WORDING", "使えない表現です。")
        self._held = self._held.replace(PLACEHOLDER, NAME)
        for keep in range(min(len(PLACEHOLDER) - 1, len(self._held)), 0, -1):
            if PLACEHOLDER.startswith(self._held[-keep:]) or "禁句".startswith(self._held[-keep:]):
                out, self._held = self._held[:-keep], self._held[-keep:]
                return out
        out, self._held = self._held, ""
        return out

    def finish(self, *, cut: bool = False) -> str:
        out, self._held = self._held, ""
        return out


class FakeGuard:
    """Masks a name, blocks 攻撃 on the way in and 禁句 on the way out."""

    policy_ref = "fake@1"

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def decide(self, stage: Any, rule: str, action: Any) -> None:
        self.decisions.append(Decision(stage, rule, "PERSON", action, 1, 0.9))

    def check_request(self, body: dict[str, Any]) -> dict[str, Any]:
        checked: dict[str, Any] = self._map(body, NAME, PLACEHOLDER, "input")
        return checked

    def check_response(self, body: dict[str, Any]) -> dict[str, Any]:
        for choice in body.get("choices", []):
            if "禁句" in str(choice):
                self.decide("output", "test.forbidden", "block")
                choice |= {"text": ""} if "text" in choice else {"message": {"role": "assistant", "content": ""}}
                choice["finish_reason"] = "content_filter"
        checked: dict[str, Any] = self._map(body, PLACEHOLDER, NAME, "output")
        return checked

    def stream(self, key: tuple[object, ...]) -> FakeStream:
        return FakeStream(self)

    def _map(self, value: Any, old: str, new: str, stage: str) -> Any:
        if isinstance(value, str):
            if stage == "input" and "攻撃" in value:
                self.decide("input", "test.attack", "block")
                raise Blocked("input", "test.attack", "INJECTION", "この内容は送れません。")
            if old in value:
                self.decide(stage, "test.person", "mask")
            return value.replace(old, new)
        if isinstance(value, dict):
            return {name: self._map(item, old, new, stage) for name, item in value.items()}
        if isinstance(value, list):
            return [self._map(item, old, new, stage) for item in value]
        return value


class FakeGuardrails:
    ref = "fake@1"
    profiles = (None, "default", "strict")

    def request(self, profile: str | None = None, *, headers: Mapping[str, str] | None = None) -> FakeGuard:
        if profile not in self.profiles:
            raise ConfigError(f"The policy has no profile '{profile}'.")
        return FakeGuard()

    def scan(self, text: str, *, source: Source = "user", profile: str | None = None) -> Verdict:
        self.request(profile)
        at = text.find(NAME)
        if at < 0:
            return Verdict("allow", text)
        finding = Finding(at, at + len(NAME), "PERSON", "test.person", 0.9, "mask")
        return Verdict("mask", text.replace(NAME, PLACEHOLDER), (finding,))


class MemoryAudit:
    """Keeps the records; ``broken`` makes it refuse them."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.attempts: list[Attempt] = []
        self.outcomes: list[Outcome] = []
        self.broken = False

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def check(self) -> None:
        self._take()

    async def intent(self, record: Intent) -> None:
        self._take()
        self.intents.append(record)

    async def attempt(self, record: Attempt) -> None:
        self._take()
        self.attempts.append(record)

    async def outcome(self, record: Outcome) -> None:
        self._take()
        self.outcomes.append(record)

    def _take(self) -> None:
        if self.broken:
            raise AuditUnavailable("The disk is full.")

    def of(self, request_id: str) -> tuple[list[Intent], list[Outcome]]:
        return (
            [record for record in self.intents if record.request_id == request_id],
            [record for record in self.outcomes if record.request_id == request_id],
        )
