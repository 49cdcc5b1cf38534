"""Keys and teams as the rest of the gateway sees them: without any secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Team:
    id: str
    name: str
    created_at: datetime

    def public(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "created_at": self.created_at.isoformat()}


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A stored key and what it may do. ``team`` is the team's name, "" without one."""

    id: str
    name: str
    prefix: str
    team_id: str
    team: str
    models: frozenset[str] | None
    profile: str | None
    rpm: int | None
    tpm: int | None
    admin: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def may_use(self, *names: str) -> bool:
        """Whether one of these names of a model (as asked, as resolved) is in the key's scope."""
        return self.models is None or any(name in self.models for name in names)

    def state(self, now: datetime) -> str:
        """active, expired or revoked."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"

    def public(self, now: datetime) -> dict[str, Any]:
        def text(moment: datetime | None) -> str | None:
            return moment.isoformat(timespec="seconds") if moment else None

        return {
            "id": self.id,
            "name": self.name,
            "prefix": self.prefix,
            "team": self.team or None,
            "models": sorted(self.models) if self.models is not None else None,
            "profile": self.profile,
            "rpm": self.rpm,
            "tpm": self.tpm,
            "admin": self.admin,
            "state": self.state(now),
            "created_at": text(self.created_at),
            "expires_at": text(self.expires_at),
            "revoked_at": text(self.revoked_at),
        }
