"""Keys, teams and people as the rest of the gateway sees them: without any secret."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from gateway.errors import Forbidden
from gateway.identity.scopes import ALWAYS, Scope, both
from gateway.limits.spec import NAMES, NO_LIMITS, Limits

# How a person's name came to be known. ``session``: they signed in with us; ``oidc``: the identity provider's token;
# ``service``: a service key vouches for them; ``claimed``: somebody wrote a name, and nobody vouches; "": no name.
Source = Literal["session", "oidc", "service", "claimed", ""]


@dataclass(frozen=True, slots=True)
class Named:
    """The person a request is made for, and how we know."""

    name: str = ""
    source: Source = ""


@dataclass(frozen=True, slots=True)
class Team:
    """``models``, ``surfaces`` (None: all) bound what its keys and people may use; ``profile`` is for those that have
    none of their own."""

    id: str
    name: str
    created_at: datetime
    models: Scope = None
    surfaces: Scope = None
    profile: str | None = None
    limits: Limits = NO_LIMITS

    def public(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "models": _listed(self.models),
            "surfaces": _listed(self.surfaces),
            "profile": self.profile,
            **{name: getattr(self.limits, name) for name in NAMES},
            "created_at": self.created_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """Who calls, and what they may do: a stored key, or a person with a session or token in its place (``user``).

    ``team`` is the team's name, "" without one. ``service``: may name the user it acts for.
    """

    id: str
    name: str
    prefix: str
    team_id: str
    team: str
    models: Scope
    profile: str | None
    rpm: int | None
    tpm: int | None
    admin: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    surfaces: Scope = None
    service: bool = False
    user: Named = Named()
    roles: frozenset[str] = frozenset()  # of a person; an admin key has all rights
    concurrency: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    yen_per_day: int | None = None
    yen_per_month: int | None = None
    priority: str = "normal"  # low, normal, high
    team_limits: Limits = NO_LIMITS

    @property
    def limits(self) -> Limits:
        return Limits(**{name: getattr(self, name) for name in NAMES})

    def may_use(self, *names: str) -> bool:
        """Whether one of these names of a model (as asked, as resolved) is in the key's scope."""
        return self.models is None or any(name in self.models for name in names)

    def require_surface(self, surface: str) -> None:
        """Raises Forbidden when the surface is outside the scope."""
        if self.surfaces is not None and surface not in self.surfaces and surface not in ALWAYS:
            raise Forbidden(f"This key may not use '{surface}'.", code="surface_not_allowed")

    def has_role(self, *roles: str) -> bool:
        """Whether the caller has one of the roles; an admin has each."""
        return self.admin or "admin" in self.roles or not self.roles.isdisjoint(roles)

    def acts_for(self, named: str, claimed: str = "") -> Named:
        """The person a request is made for. ``named``, ``claimed``: as the request's headers tell.

        A person is who they are, whatever the headers say; a key that is no service key only claims.
        """
        if self.user.name:
            return self.user
        if named and self.service:
            return Named(named, "service")
        return Named(named or claimed, "claimed") if named or claimed else Named()

    def within(self, team: Team) -> VirtualKey:
        """The key with its scopes narrowed to those of its team."""
        return replace(
            self,
            models=both(self.models, team.models),
            surfaces=both(self.surfaces, team.surfaces),
            profile=self.profile or team.profile,
            team_limits=team.limits,
        )

    def state(self, now: datetime) -> str:
        """active, expired or revoked."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"

    def public(self, now: datetime) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "prefix": self.prefix,
            "team": self.team or None,
            "models": _listed(self.models),
            "surfaces": _listed(self.surfaces),
            "profile": self.profile,
            **{name: getattr(self, name) for name in NAMES},
            "priority": self.priority,
            "admin": self.admin,
            "service": self.service,
            "state": self.state(now),
            "created_at": _text(self.created_at),
            "expires_at": _text(self.expires_at),
            "revoked_at": _text(self.revoked_at),
        }


@dataclass(frozen=True, slots=True)
class User:
    """A local account. ``team`` is the team's name, "" without one."""

    id: str
    name: str
    email: str | None
    roles: tuple[str, ...]
    team_id: str
    team: str
    created_at: datetime
    disabled_at: datetime | None

    def public(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "roles": list(self.roles),
            "team": self.team or None,
            "state": "disabled" if self.disabled_at else "active",
            "created_at": _text(self.created_at),
            "disabled_at": _text(self.disabled_at),
        }


def _listed(scope: Scope) -> list[str] | None:
    return sorted(scope) if scope is not None else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
