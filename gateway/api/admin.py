"""The admin API: keys and teams. It listens on a port of its own, needs an admin key, and records every act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from gateway.api.services import Caller, TheServices
from gateway.errors import Forbidden
from gateway.guardrails.types import Guardrails
from gateway.identity.administration import Act
from gateway.identity.keys import KeySecret, KeySpec, expiry, span
from gateway.identity.model import Team, VirtualKey
from kakehashi.errors import ConfigError, UsageError

router = APIRouter(prefix="/admin", tags=["admin"])
T = TypeVar("T")


class KeyCreate(BaseModel):
    """``expires``: a span (30d) or an ISO date; ``models`` null: all; limits null: none."""

    model_config = ConfigDict(extra="forbid")
    name: str
    team: str | None = None
    models: list[str] | None = None
    expires: str | None = None
    profile: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    admin: bool = False


class KeyChange(BaseModel):
    """Only the fields given are changed; null takes a limit or scope away."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    models: list[str] | None = None
    expires: str | None = None
    profile: str | None = None
    rpm: int | None = None
    tpm: int | None = None


class Rotation(BaseModel):
    """``overlap``: how long the old key still works (a span such as 1h); by default not at all."""

    model_config = ConfigDict(extra="forbid")
    overlap: str | None = None


class TeamName(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


async def _admin(caller: Caller) -> VirtualKey:
    if not caller.admin:
        raise Forbidden("This needs an admin key.", code="admin_key_required")
    return caller


Admin = Annotated[VirtualKey, Depends(_admin)]
Runner = Callable[[str, str, dict[str, Any], Callable[[], T]], Awaitable[T]]


def _runner(request: Request, admin: Admin, services: TheServices) -> Runner[Any]:
    """Runs an act in the name of the caller: ``await act(action, target, details, do)``."""

    def run(action: str, target: str, details: dict[str, Any], do: Callable[[], Any]) -> Awaitable[Any]:
        request_id = request.scope["kakehashi.request_id"]
        act = Act(request_id, action, target, details, key_id=admin.id, team=admin.team)
        return services.administration.run(act, do)

    return run


Run = Annotated[Runner[Any], Depends(_runner)]


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
    details = asked.model_dump(exclude={"expires", "models"})
    spec = KeySpec(**details, models=_models(asked.models), expires_at=expiry(asked.expires, datetime.now(UTC)))
    check_profile(services.guardrails, spec.profile)
    key, secret = await run("key.create", asked.name, asked.model_dump(), lambda: services.identity.create_key(spec))
    return _shown(key, secret)


@router.get("/keys")
def list_keys(
    admin: Admin, services: TheServices, team: str | None = None, prefix: str | None = None
) -> dict[str, Any]:
    """All keys, newest first; of one team, or those that begin with a prefix."""
    return {"object": "list", "data": [_shown(key) for key in services.identity.keys(team=team, prefix=prefix)]}


@router.get("/keys/{key_id}")
def get_key(key_id: str, admin: Admin, services: TheServices) -> dict[str, Any]:
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
        changes["models"] = _models(changes["models"])
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
async def create_team(asked: TeamName, services: TheServices, run: Run) -> dict[str, Any]:
    """A new team."""
    team: Team = await run("team.create", asked.name, {}, lambda: services.identity.create_team(asked.name))
    return team.public()


@router.get("/teams")
def list_teams(admin: Admin, services: TheServices) -> dict[str, Any]:
    """All teams by name."""
    return {"object": "list", "data": [team.public() for team in services.identity.teams()]}


@router.get("/teams/{team}")
def get_team(team: str, admin: Admin, services: TheServices) -> dict[str, Any]:
    """One team, by id or name."""
    return services.identity.team(team).public()


@router.patch("/teams/{team}")
async def rename_team(team: str, asked: TeamName, services: TheServices, run: Run) -> dict[str, Any]:
    """Rename a team."""
    details = {"name": asked.name}
    renamed: Team = await run("team.rename", team, details, lambda: services.identity.rename_team(team, asked.name))
    return renamed.public()


@router.delete("/teams/{team}")
async def delete_team(team: str, services: TheServices, run: Run) -> dict[str, Any]:
    """Delete a team that has no keys."""
    deleted: Team = await run("team.delete", team, {}, lambda: services.identity.delete_team(team))
    return deleted.public()


def _models(names: list[str] | None) -> tuple[str, ...] | None:
    return tuple(names) if names is not None else None
