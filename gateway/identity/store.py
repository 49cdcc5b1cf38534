"""Keys and teams in the database. Synchronous; every statement has bound parameters (CVE-2026-42208)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gateway.errors import Conflict, NotFound
from gateway.identity import keys
from gateway.identity.keys import KeySecret, KeySpec, mint
from gateway.identity.model import Team, VirtualKey
from gateway.identity.scopes import Scope, surfaces
from gateway.limits.spec import NAMES, NO_LIMITS, Limits, check
from gateway.storage.database import available
from gateway.storage.tables import TEAMS, VIRTUAL_KEYS
from kakehashi.errors import UsageError

_SCOPES = ("models", "surfaces")
_CHANGEABLE = {"name", "models", "profile", "expires_at", "surfaces", "priority", *NAMES}
_TEAM_LIMITS = tuple(TEAMS.c[name].label(f"team_{name}") for name in NAMES)
_KEYS = sa.select(VIRTUAL_KEYS, TEAMS.c.name.label("team"), *_TEAM_LIMITS).select_from(
    VIRTUAL_KEYS.outerjoin(TEAMS, VIRTUAL_KEYS.c.team_id == TEAMS.c.id)
)


def _id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(8)}"


def _key(row: Any) -> VirtualKey:
    return VirtualKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        team_id=row.team_id or "",
        team=row.team or "",
        models=_scope(row.models),
        profile=row.profile,
        **{name: getattr(row, name) for name in NAMES},
        priority=row.priority,
        team_limits=_limits(row, "team_"),
        admin=row.admin,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        surfaces=_scope(row.surfaces),
        service=row.service,
    )


def _limits(row: Any, prefix: str = "") -> Limits:
    limits = Limits(**{name: getattr(row, prefix + name) for name in NAMES})
    return NO_LIMITS if limits == NO_LIMITS else limits


def _scope(names: list[str] | None) -> Scope:
    return frozenset(names) if names is not None else None


def _team(row: Any) -> Team:
    scope = _scope(row.models), _scope(row.surfaces), row.profile
    return Team(row.id, row.name, row.created_at, *scope, _limits(row))


class IdentityStore:
    """Create, find, change and end keys and teams. Database failures are 503 (see ``available``)."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = self._engine = engine

    def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        with available(), self._engine.connect() as connection:
            connection.execute(sa.select(TEAMS.c.id).limit(1)).all()

    def close(self) -> None:
        self._engine.dispose()

    # -- keys ---------------------------------------------------------------------------------------------------------

    def find_by_digest(self, digest: str) -> VirtualKey | None:
        """The key as it may be used: within the scopes of its team."""
        key = self._one(_KEYS.where(VIRTUAL_KEYS.c.digest == digest))
        return self._within_team(key) if key else None

    def usable_key(self, key_id: str) -> VirtualKey:
        """The key as it may be used: within the scopes of its team. Raises NotFound."""
        return self._within_team(self.key(key_id))

    def _within_team(self, key: VirtualKey) -> VirtualKey:
        return key.within(self.team(key.team_id)) if key.team_id else key

    def key(self, key_id: str) -> VirtualKey:
        """Raises NotFound."""
        found = self._one(_KEYS.where(VIRTUAL_KEYS.c.id == key_id))
        if found is None:
            raise NotFound(f"There is no key '{key_id}'.", code="key_not_found")
        return found

    def keys(self, *, team: str | None = None, prefix: str | None = None) -> list[VirtualKey]:
        """All keys, newest first; of one team (name or id), or by the first characters of the key."""
        query = _KEYS.order_by(VIRTUAL_KEYS.c.created_at.desc(), VIRTUAL_KEYS.c.id)
        if team:
            query = query.where(VIRTUAL_KEYS.c.team_id == self.team(team).id)
        if prefix:
            query = query.where(VIRTUAL_KEYS.c.prefix.startswith(keys.shown(prefix), autoescape=True))
        with available(), self._engine.connect() as connection:
            return [_key(row) for row in connection.execute(query)]

    def create_key(self, spec: KeySpec, *, rotated_from: str | None = None) -> tuple[VirtualKey, KeySecret]:
        """A new key; its text is in the secret and nowhere else. Raises NotFound for an unknown team."""
        secret, key_id = mint(), _id("key")
        values = asdict(spec)
        team = values.pop("team")
        values |= {
            "id": key_id,
            "team_id": self.team(team).id if team else None,
            **{name: _sorted(values[name]) for name in _SCOPES},
            "digest": secret.digest,
            "prefix": secret.prefix,
            "created_at": datetime.now(UTC),
            "revoked_at": None,
            "rotated_from": rotated_from,
        }
        with available(), self._engine.begin() as connection:
            connection.execute(sa.insert(VIRTUAL_KEYS).values(values))
        return self.key(key_id), secret

    def change_key(self, key_id: str, changes: dict[str, Any]) -> VirtualKey:
        """Change name, scopes, profile, limits, priority or expiry. Raises NotFound, UsageError."""
        before = self.key(key_id)
        if unknown := sorted(set(changes) - _CHANGEABLE):
            raise UsageError(f"A key's {', '.join(unknown)} cannot be changed.")
        spec = {"name": before.name} | changes
        KeySpec(**{name: spec[name] for name in spec if name not in ("profile", "expires_at")})  # the same checks
        self._update(key_id, changes)
        return self.key(key_id)

    def revoke_key(self, key_id: str) -> VirtualKey:
        """End a key now. Revoking twice keeps the first moment."""
        if self.key(key_id).revoked_at is None:
            self._update(key_id, {"revoked_at": datetime.now(UTC)})
        return self.key(key_id)

    def rotate_key(self, key_id: str, overlap: timedelta = timedelta(0)) -> tuple[VirtualKey, KeySecret]:
        """A new key with the same scopes; the old one ends after the overlap. Raises UsageError if it has ended."""
        old, now = self.key(key_id), datetime.now(UTC)
        if old.state(now) != "active":
            raise UsageError(f"Key {key_id} is {old.state(now)}.", hint="Create a new key instead.")
        spec = KeySpec(
            name=old.name,
            team=old.team_id or None,
            models=tuple(sorted(old.models)) if old.models is not None else None,
            profile=old.profile,
            **{name: getattr(old, name) for name in NAMES},
            priority=old.priority,
            admin=old.admin,
            expires_at=old.expires_at,
            surfaces=tuple(sorted(old.surfaces)) if old.surfaces is not None else None,
            service=old.service,
        )
        created = self.create_key(spec, rotated_from=old.id)
        if overlap:
            self._update(key_id, {"expires_at": min(filter(None, (old.expires_at, now + overlap)))})
        else:
            self._update(key_id, {"revoked_at": now})
        return created

    # -- teams --------------------------------------------------------------------------------------------------------

    def team(self, name_or_id: str) -> Team:
        """Raises NotFound."""
        query = sa.select(TEAMS).where(sa.or_(TEAMS.c.id == name_or_id, TEAMS.c.name == name_or_id))
        with available(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"There is no team '{name_or_id}'.", code="team_not_found")
        return _team(row)

    def teams(self) -> list[Team]:
        with available(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(TEAMS).order_by(TEAMS.c.name)).all()
        return [_team(row) for row in rows]

    def create_team(self, name: str, scope: dict[str, Any] | None = None) -> Team:
        """``scope``: models, surfaces, profile, limits. Raises Conflict for a taken name, UsageError."""
        team = {"id": _id("team"), "name": name, "created_at": datetime.now(UTC), **(scope or {})}
        self._write_team(sa.insert(TEAMS).values(_team_values(team)), name)
        return self.team(str(team["id"]))

    def change_team(self, name_or_id: str, changes: dict[str, Any]) -> Team:
        """Change name, models, surfaces, profile or limits. Raises NotFound, Conflict, UsageError."""
        team = self.team(name_or_id)
        if values := _team_values(changes):
            statement = sa.update(TEAMS).where(TEAMS.c.id == team.id).values(values)
            self._write_team(statement, str(changes.get("name", "")))
        return self.team(team.id)

    def delete_team(self, name_or_id: str) -> Team:
        """Delete a team without keys or people. Raises Conflict when it has some, ended ones too: they stay explainable."""
        team = self.team(name_or_id)
        try:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.delete(TEAMS).where(TEAMS.c.id == team.id))
        except sa.exc.IntegrityError:
            raise Conflict(
                f"Team '{team.name}' has keys or people; it cannot be deleted.", code="team_has_keys"
            ) from None
        return team

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _one(self, query: sa.Select[Any]) -> VirtualKey | None:
        with available(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return _key(row) if row is not None else None

    def _update(self, key_id: str, values: dict[str, Any]) -> None:
        stored = values | {name: _sorted(values[name]) for name in _SCOPES if name in values}
        if stored:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.update(VIRTUAL_KEYS).where(VIRTUAL_KEYS.c.id == key_id).values(stored))

    def _write_team(self, statement: sa.Insert | sa.Update, name: str) -> None:
        try:
            with available(), self._engine.begin() as connection:
                connection.execute(statement)
        except sa.exc.IntegrityError:
            raise Conflict(f"There is already a team '{name}'.", code="team_exists") from None


def _sorted(names: Iterable[str] | None) -> list[str] | None:
    return sorted(names) if names is not None else None


def _team_values(values: dict[str, Any]) -> dict[str, Any]:
    """The columns of a team, checked."""
    if "name" in values and (not (values["name"] or "").strip() or len(values["name"]) > KeySpec.NAME_LIMIT):
        raise UsageError(f"A team's name has 1 to {KeySpec.NAME_LIMIT} characters.")
    if values.get("models") is not None and not values["models"]:
        raise UsageError("A team needs at least one model; leave models out for all.")
    surfaces(values.get("surfaces"))
    check({name: values[name] for name in NAMES if name in values})
    return values | {name: _sorted(values[name]) for name in _SCOPES if name in values}
