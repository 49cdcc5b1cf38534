"""The policy in force, which can be exchanged while requests run: each keeps the one it began with."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.guardrails.types import Guardrails, RequestGuard, Source, Verdict


class CurrentPolicy:
    """Guardrails that are asked of whichever policy is in force now."""

    def __init__(self, policy: Guardrails) -> None:
        self.policy = policy

    @property
    def ref(self) -> str:
        return self.policy.ref

    def request(self, profile: str | None = None, *, headers: Mapping[str, str] | None = None) -> RequestGuard:
        """Raises ConfigError for an unknown profile."""
        return self.policy.request(profile, headers=headers)

    def scan(self, text: str, *, source: Source = "user", profile: str | None = None) -> Verdict:
        """Raises ConfigError for an unknown profile."""
        return self.policy.scan(text, source=source, profile=profile)
