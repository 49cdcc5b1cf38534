"""The admin API: keys and teams. It listens on a port of its own, needs an admin key, and records every act."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from gateway.api.roles import Auditor, Run
from gateway.api.services import TheServices
from gateway.guardrails.types import Guardrails
from gateway.identity import scopes
from gateway.identity.keys import KeySecret, KeySpec, expiry, span
from gateway.identity.model import Team, VirtualKey
from kakehashi.errors import ConfigError, UsageError

Priority = Literal["low", "normal", "high"]
router = APIRouter(prefix="/admin", tags=["admin"])


class Scoped(BaseModel):
    """What keys and teams have in common. ``models``, ``surfaces`` null: all; limits null: none."""

    model_config = ConfigDict(extra="forbid")
    models: list[str] | None = None
    surfaces: list[str] | None = None
    profile: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    yen_per_day: int | None = None
    yen_per_month: int | None = None


class KeyCreate(Scoped):
    """``expires``: a span (30d) or an ISO date; ``service``: may name the user it acts for."""

    name: str
    team: str | None = None
    expires: str | None = None
    admin: bool = False
    service: bool = False
    priority: Priority = "normal"


class KeyChange(Scoped):
    """Only the fields given are changed; null takes a limit, a scope or the expiry away."""

    name: str = ""  # never null: a key has a name, and a priority
    expires: str | None = None
    priority: Priority = "normal"


class Rotation(BaseModel):
    """``overlap``: how long the old key still works (a span such as 1h); by default not at all."""

    model_config = ConfigDict(extra="forbid")
    overlap: str | None = None


class TeamCreate(Scoped):
    """The scopes bound what the team's keys and people may use."""

    name: str


class TeamChange(Scoped):
    """Only the fields given are changed; null takes a limit or scope away."""

    name: str = ""  # never null


def check_profile(guardrails: Guardrails, profile: str | None) -> None:
    """Raises UsageError for a profile that the policy does not have."""
    try:
        guardrails.request(profile)
    except ConfigError as error:
        raise UsageError(error.message, hint=error.hint, code="unknown_profile") from error


def _shown(key: VirtualKey, secret: KeySecret | None = None) -> dict[str, Any]:
    """A key for the caller; the key itself only right after it was made."""
    shown = key.public(datetime.now(UTC))
    return {**shown, "key": secret.key} if secret else shown


@router.post("/keys", status_code=201)
async def create_key(asked: KeyCreate, services: TheServices, run: Run) -> dict[str, Any]:
    """A new key. The answer is the only place where it is ever shown."""
    details = asked.model_dump(exclude={"expires", "models", "surfaces"})
    details |= {"models": _tuple(asked.models), "surfaces": scopes.surfaces(asked.surfaces)}
    spec = KeySpec(**details, expires_at=expiry(asked.expires, datetime.now(UTC)))
    check_profile(services.guardrails, spec.profile)
    key, secret = await run("key.create", asked.name, asked.model_dump(), lambda: services.identity.create_key(spec))
    return _shown(key, secret)


@router.get("/keys")
def list_keys(
    auditor: Auditor, services: TheServices, team: str | None = None, prefix: str | None = None
) -> dict[str, Any]:
    """All keys, newest first; of one team, or those that begin with a prefix."""
    return {"object": "list", "data": [_shown(key) for key in services.identity.keys(team=team, prefix=prefix)]}


@router.get("/keys/{key_id}")
def get_key(key_id: str, auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """One key."""
    return _shown(services.identity.key(key_id))


@router.patch("/keys/{key_id}")
async def change_key(key_id: str, asked: KeyChange, services: TheServices, run: Run) -> dict[str, Any]:
    """Change a key's name, scopes, limits or expiry."""
    given = asked.model_dump(exclude_unset=True)
    changes = dict(given)
    if "expires" in changes:
        changes["expires_at"] = expiry(changes.pop("expires"), datetime.now(UTC))
    if "models" in changes:
        changes["models"] = _tuple(changes["models"])
    check_profile(services.guardrails, changes.get("profile"))
    return _shown(await run("key.change", key_id, given, lambda: services.identity.change_key(key_id, changes)))


@router.delete("/keys/{key_id}")
async def revoke_key(key_id: str, services: TheServices, run: Run) -> dict[str, Any]:
    """Revoke a key; it stops working everywhere within a second. Its record stays."""
    return _shown(await run("key.revoke", key_id, {}, lambda: services.identity.revoke_key(key_id)))


@router.post("/keys/{key_id}/rotate", status_code=201)
async def rotate_key(key_id: str, asked: Rotation, services: TheServices, run: Run) -> dict[str, Any]:
    """A new key with the same scopes, in place of an old one."""
    overlap = span(asked.overlap)
    details = asked.model_dump()
    return _shown(*await run("key.rotate", key_id, details, lambda: services.identity.rotate_key(key_id, overlap)))


@router.post("/teams", status_code=201)
async def create_team(asked: TeamCreate, services: TheServices, run: Run) -> dict[str, Any]:
    """A new team."""
    check_profile(services.guardrails, asked.profile)
    scope = asked.model_dump(exclude={"name"})
    team: Team = await run("team.create", asked.name, scope, lambda: services.identity.create_team(asked.name, scope))
    return team.public()


@router.get("/teams")
def list_teams(auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """All teams by name."""
    return {"object": "list", "data": [team.public() for team in services.identity.teams()]}


@router.get("/teams/{team}")
def get_team(team: str, auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """One team, by id or name."""
    return services.identity.team(team).public()


@router.patch("/teams/{team}")
async def change_team(team: str, asked: TeamChange, services: TheServices, run: Run) -> dict[str, Any]:
    """Rename a team, or change its scopes; its keys and people have them within a second."""
    given = asked.model_dump(exclude_unset=True)
    check_profile(services.guardrails, given.get("profile"))
    action = "team.rename" if set(given) == {"name"} else "team.change"
    changed: Team = await run(action, team, given, lambda: services.identity.change_team(team, given))
    return changed.public()


@router.delete("/teams/{team}")
async def delete_team(team: str, services: TheServices, run: Run) -> dict[str, Any]:
    """Delete a team that has no keys."""
    deleted: Team = await run("team.delete", team, {}, lambda: services.identity.delete_team(team))
    return deleted.public()


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return tuple(names) if names is not None else None
