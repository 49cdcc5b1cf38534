"""Local accounts in the database. Synchronous; a changed password or a disabled account ends the person's sessions."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gateway.errors import Conflict, NotFound
from gateway.identity import passwords, scopes
from gateway.identity.model import User
from gateway.identity.store import IdentityStore
from gateway.storage.database import available
from gateway.storage.tables import SESSIONS, TEAMS, USERS
from kakehashi.errors import UsageError

NAME_LIMIT, EMAIL_LIMIT = 100, 200
FIRST_ID = "user_first"
_CHANGEABLE = {"email", "roles", "team", "disabled"}
_ROWS = sa.select(USERS, TEAMS.c.name.label("team")).select_from(USERS.outerjoin(TEAMS, USERS.c.team_id == TEAMS.c.id))


def fold(name: str) -> str:
    """The name as it is compared: full and half width, capitals and small letters are one."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def login_name(name: str) -> str:
    """The name as it is stored. Raises UsageError for what cannot be one."""
    folded = fold(name)
    if not folded or len(folded) > NAME_LIMIT or not folded.isprintable():
        raise UsageError(f"A name has 1 to {NAME_LIMIT} printable characters.", code="user_name")
    return folded


@dataclass(frozen=True, slots=True)
class UserSpec:
    """A new account. ``password`` None: one that cannot sign in until it gets one. Raises UsageError."""

    name: str
    roles: tuple[str, ...] = ("user",)
    email: str | None = None
    team: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        name = login_name(self.name)
        scopes.roles(self.roles)
        _check_email(self.email)
        if self.password is not None:
            passwords.check_new(self.password, name)

    def __repr__(self) -> str:
        return f"UserSpec({self.name!r}, {self.roles!r})"


class UserStore:
    """Create, find, change and disable accounts. Database failures are 503 (see ``available``)."""

    def __init__(self, engine: sa.Engine, identity: IdentityStore) -> None:
        self._engine, self._identity = engine, identity

    def any(self) -> bool:
        """Whether there is an account at all, disabled ones included: sign-in was wanted once."""
        with available(), self._engine.connect() as connection:
            return connection.execute(sa.select(USERS.c.id).limit(1)).first() is not None

    def users(self) -> list[User]:
        """All accounts by name."""
        with available(), self._engine.connect() as connection:
            return [_user(row) for row in connection.execute(_ROWS.order_by(USERS.c.name))]

    def user(self, name_or_id: str) -> User:
        """Raises NotFound."""
        with available(), self._engine.connect() as connection:
            row = connection.execute(
                _ROWS.where(sa.or_(USERS.c.id == name_or_id, USERS.c.name == fold(name_or_id)))
            ).first()
        if row is None:
            raise NotFound(f"There is no user '{name_or_id[:NAME_LIMIT]}'.", code="user_not_found")
        return _user(row)

    def create(self, spec: UserSpec) -> User:
        """Raises Conflict for a taken name, NotFound for an unknown team."""
        return self._insert(spec, f"user_{secrets.token_hex(8)}")

    def create_first(self, spec: UserSpec) -> User:
        """The first account, by its one id: of two made at once the second is refused. Raises Conflict."""
        if self.any():
            raise Conflict("There are accounts already.", code="accounts_exist")
        return self._insert(spec, FIRST_ID)

    def change(self, name_or_id: str, changes: dict[str, Any]) -> User:
        """Change email, roles, team or disabled. Raises NotFound, UsageError."""
        user = self.user(name_or_id)
        if unknown := sorted(set(changes) - _CHANGEABLE):
            raise UsageError(f"A user's {', '.join(unknown)} cannot be changed.")
        values: dict[str, Any] = {}
        if "email" in changes:
            values["email"] = _check_email(changes["email"])
        if "roles" in changes:
            values["roles"] = list(scopes.roles(changes["roles"] or ()))
        if "team" in changes:
            values["team_id"] = self._team_id(changes["team"])
        if "disabled" in changes:
            values["disabled_at"] = (user.disabled_at or datetime.now(UTC)) if changes["disabled"] else None
        if values:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.update(USERS).where(USERS.c.id == user.id).values(values))
                if changes.get("disabled"):
                    connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id == user.id))
        return self.user(user.id)

    def set_password(self, name_or_id: str, password: str, *, keep: str = "") -> User:
        """A new password; sessions end, but the one whose token has the digest ``keep``. Raises NotFound, UsageError."""
        user = self.user(name_or_id)
        stored = passwords.hashed(passwords.check_new(password, user.name))
        with available(), self._engine.begin() as connection:
            connection.execute(sa.update(USERS).where(USERS.c.id == user.id).values(password=stored))
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id == user.id, SESSIONS.c.digest != keep))
        return user

    def check_password(self, name: str, password: str) -> User | None:
        """The account, if it is active and the password is right; as slow for unknown names as for known ones."""
        with available(), self._engine.connect() as connection:
            row = connection.execute(_ROWS.where(USERS.c.name == fold(name))).first()
        right = passwords.matches(row.password if row else None, password)
        return _user(row) if right and row is not None and row.disabled_at is None else None

    def _insert(self, spec: UserSpec, user_id: str) -> User:
        values = {
            "id": user_id,
            "name": login_name(spec.name),
            "email": spec.email,
            "roles": list(spec.roles),
            "team_id": self._team_id(spec.team),
            "password": passwords.hashed(spec.password) if spec.password is not None else None,
            "created_at": datetime.now(UTC),
            "disabled_at": None,
        }
        try:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.insert(USERS).values(values))
        except sa.exc.IntegrityError:
            raise Conflict(f"There is already a user '{values['name']}'.", code="user_exists") from None
        return self.user(user_id)

    def _team_id(self, team: str | None) -> str | None:
        return self._identity.team(team).id if team else None


def _check_email(email: str | None) -> str | None:
    if email is not None and (len(email) > EMAIL_LIMIT or "@" not in email or not email.isprintable()):
        raise UsageError("That is no e-mail address.", code="user_email")
    return email


def _user(row: Any) -> User:
    return User(
        id=row.id,
        name=row.name,
        email=row.email,
        roles=_known(row.roles),
        team_id=row.team_id or "",
        team=row.team or "",
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _known(roles: Iterable[str]) -> tuple[str, ...]:
    return tuple(role for role in scopes.ROLES if role in roles)
