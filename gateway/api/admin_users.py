"""``/admin/users``: local accounts. A generated password is shown once; no password is ever recorded."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from gateway.api.roles import Auditor, Run
from gateway.api.services import TheServices
from gateway.identity import passwords
from gateway.identity.model import User
from gateway.identity.users import UserSpec

router = APIRouter(prefix="/admin/users", tags=["admin"])


class UserCreate(BaseModel):
    """``roles``: user, reviewer, auditor, admin; without ``password`` the account cannot sign in until it gets one."""

    model_config = ConfigDict(extra="forbid")
    name: str
    email: str | None = None
    password: str | None = None
    roles: list[str] = ["user"]
    team: str | None = None


class UserChange(BaseModel):
    """Only the fields given are changed; ``disabled`` ends the person's sessions."""

    model_config = ConfigDict(extra="forbid")
    email: str | None = None
    roles: list[str] | None = None
    team: str | None = None
    disabled: bool | None = None


class Password(BaseModel):
    """Without ``password`` one is made and shown in the answer."""

    model_config = ConfigDict(extra="forbid")
    password: str | None = None


@router.get("")
def list_users(auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """All accounts by name, disabled ones too."""
    return {"object": "list", "data": [user.public() for user in services.people.users.users()], "next": None}


@router.post("", status_code=201)
async def create_user(asked: UserCreate, services: TheServices, run: Run) -> dict[str, Any]:
    """A new account."""
    users, spec = services.people.users, UserSpec(**asked.model_dump() | {"roles": tuple(asked.roles)})
    details = asked.model_dump(exclude={"password"})
    made: User = await run("user.create", asked.name, details, lambda: users.create(spec))
    return made.public()


@router.get("/{user_id}")
def get_user(user_id: str, auditor: Auditor, services: TheServices) -> dict[str, Any]:
    """One account, by id or name."""
    return services.people.users.user(user_id).public()


@router.patch("/{user_id}")
async def change_user(user_id: str, asked: UserChange, services: TheServices, run: Run) -> dict[str, Any]:
    """Change e-mail, roles or team, disable or enable; it takes effect within a second."""
    given, users = asked.model_dump(exclude_unset=True), services.people.users
    changed: User = await run("user.change", user_id, given, lambda: users.change(user_id, given))
    return changed.public()


@router.post("/{user_id}/password")
async def set_password(user_id: str, asked: Password, services: TheServices, run: Run) -> dict[str, Any]:
    """A new password; the person's sessions end. One that was made here is shown this once."""
    users, password = services.people.users, asked.password or passwords.generated()
    user: User = await run("user.password", user_id, {}, lambda: users.set_password(user_id, password))
    return user.public() | ({} if asked.password else {"password": password})


@router.delete("/{user_id}")
async def disable_user(user_id: str, services: TheServices, run: Run) -> dict[str, Any]:
    """Disable an account: its sessions end within a second, its record stays."""
    users = services.people.users
    disabled: User = await run("user.disable", user_id, {}, lambda: users.change(user_id, {"disabled": True}))
    return disabled.public()
