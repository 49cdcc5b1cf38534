"""Keys and teams in the database. Synchronous; every statement has bound parameters (CVE-2026-42208)."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gateway.errors import Conflict, NotFound
from gateway.identity import keys
from gateway.identity.keys import KeySecret, KeySpec, mint
from gateway.identity.model import Team, VirtualKey
from gateway.storage.database import available
from gateway.storage.tables import TEAMS, VIRTUAL_KEYS
from kakehashi.errors import UsageError

_KEYS = sa.select(VIRTUAL_KEYS, TEAMS.c.name.label("team")).select_from(
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
        models=frozenset(row.models) if row.models is not None else None,
        profile=row.profile,
        rpm=row.rpm,
        tpm=row.tpm,
        admin=row.admin,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


class IdentityStore:
    """Create, find, change and end keys and teams. Database failures are 503 (see ``available``)."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        with available(), self._engine.connect() as connection:
            connection.execute(sa.select(TEAMS.c.id).limit(1)).all()

    def close(self) -> None:
        self._engine.dispose()

    # -- keys ---------------------------------------------------------------------------------------------------------

    def find_by_digest(self, digest: str) -> VirtualKey | None:
        return self._one(_KEYS.where(VIRTUAL_KEYS.c.digest == digest))

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
            "models": sorted(spec.models) if spec.models is not None else None,
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
        """Change name, models, profile, rpm, tpm or expiry. Raises NotFound, UsageError."""
        before = self.key(key_id)
        if unknown := sorted(set(changes) - {"name", "models", "profile", "rpm", "tpm", "expires_at"}):
            raise UsageError(f"A key's {', '.join(unknown)} cannot be changed.")
        spec = {"name": before.name, "rpm": before.rpm, "tpm": before.tpm} | changes
        KeySpec(**{name: spec[name] for name in spec if name in ("name", "models", "rpm", "tpm")})  # the same checks
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
            rpm=old.rpm,
            tpm=old.tpm,
            admin=old.admin,
            expires_at=old.expires_at,
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
        return Team(row.id, row.name, row.created_at)

    def teams(self) -> list[Team]:
        with available(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(TEAMS).order_by(TEAMS.c.name)).all()
        return [Team(row.id, row.name, row.created_at) for row in rows]

    def create_team(self, name: str) -> Team:
        """Raises Conflict for a taken name."""
        team = {"id": _id("team"), "name": _team_name(name), "created_at": datetime.now(UTC)}
        self._write_team(sa.insert(TEAMS).values(team), name)
        return self.team(str(team["id"]))

    def rename_team(self, name_or_id: str, name: str) -> Team:
        """Raises NotFound, Conflict."""
        team = self.team(name_or_id)
        self._write_team(sa.update(TEAMS).where(TEAMS.c.id == team.id).values(name=_team_name(name)), name)
        return self.team(team.id)

    def delete_team(self, name_or_id: str) -> Team:
        """Delete a team without keys. Raises Conflict when it has some, revoked ones too: they stay explainable."""
        team = self.team(name_or_id)
        try:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.delete(TEAMS).where(TEAMS.c.id == team.id))
        except sa.exc.IntegrityError:
            raise Conflict(f"Team '{team.name}' has keys; it cannot be deleted.", code="team_has_keys") from None
        return team

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _one(self, query: sa.Select[Any]) -> VirtualKey | None:
        with available(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return _key(row) if row is not None else None

    def _update(self, key_id: str, values: dict[str, Any]) -> None:
        stored = values | ({"models": sorted(values["models"])} if values.get("models") is not None else {})
        if stored:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.update(VIRTUAL_KEYS).where(VIRTUAL_KEYS.c.id == key_id).values(stored))

    def _write_team(self, statement: sa.Insert | sa.Update, name: str) -> None:
        try:
            with available(), self._engine.begin() as connection:
                connection.execute(statement)
        except sa.exc.IntegrityError:
            raise Conflict(f"There is already a team '{name}'.", code="team_exists") from None


def _team_name(name: str) -> str:
    if not name.strip() or len(name) > KeySpec.NAME_LIMIT:
        raise UsageError(f"A team's name has 1 to {KeySpec.NAME_LIMIT} characters.")
    return name
