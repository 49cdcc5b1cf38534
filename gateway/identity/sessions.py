"""Sessions of people who signed in to the apps: opaque tokens, stored as their SHA-256 and looked up like keys.

Opaque and not signed, so that signing out, a new password or a disabled account ends them everywhere within a second.
Guessing is slowed down by name: from the third failure on each costs a wait that doubles. The wait is taken before
the password is looked at, so that many guesses sent at once do not pass together; unknown names wait alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.errors import RateLimited, Unauthorized
from gateway.identity import keys
from gateway.identity.keys import KeySecret
from gateway.identity.model import Named, Source, Team, User, VirtualKey
from gateway.identity.store import IdentityStore
from gateway.identity.users import UserStore, fold
from gateway.limits.spec import NO_LIMITS
from gateway.storage.database import available
from gateway.storage.tables import SESSIONS, SIGN_INS, USERS

FREE_FAILURES = 2  # typing errors; then 1 s, 2 s, 4 s …
LONGEST_WAIT_S = 300.0  # a bound, or anybody could lock anybody out for good
_FORGIVEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A new session: its token, shown once, and whose it is until when."""

    secret: KeySecret
    user_id: str
    name: str
    roles: tuple[str, ...]
    team: str
    expires_at: datetime


class Sessions:
    """Signing in and out. ``hours``: how long a session lasts."""

    def __init__(
        self,
        engine: sa.Engine,
        identity: IdentityStore,
        users: UserStore,
        *,
        hours: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine, self._identity, self._users, self._clock = engine, identity, users, clock
        self._lasts = timedelta(hours=hours)

    def sign_in(self, name: str, password: str) -> Session:
        """Raises Unauthorized (wrong, unknown or disabled: never told apart), RateLimited (too many failures)."""
        mark = hashlib.sha256(fold(name).encode()).hexdigest()
        self._count(mark)
        user = self._users.check_password(name, password)
        if user is None:
            raise Unauthorized("The name or the password is wrong.", code="invalid_credentials")
        self._forgive(mark)
        return self.open(user)

    def change_password(self, name: str, old: str, new: str, token: str) -> None:
        """A new password for who knows the old one; the session with the token goes on. Raises as ``sign_in`` does."""
        mark = hashlib.sha256(fold(name).encode()).hexdigest()
        self._count(mark)
        if self._users.check_password(name, old) is None:
            raise Unauthorized("The old password is wrong.", code="invalid_credentials")
        self._forgive(mark)
        self._users.set_password(name, new, keep=keys.digest(token))

    def open(self, user: User) -> Session:
        """A session of a local account."""
        return self._insert(user.id, user.name, "session", user.roles, user.team, None, None)

    def open_verified(self, person: VirtualKey) -> Session:
        """A session of somebody whose identity provider's token was verified; their roles and team stay as it said."""
        roles = tuple(sorted(person.roles))
        return self._insert(person.id, person.user.name, "oidc", roles, person.team, list(roles), person.team_id)

    def find(self, digest: str) -> VirtualKey | None:
        """The person with this session, in a key's place; None: there is no such session."""
        query = (
            sa.select(SESSIONS, USERS.c.roles.label("user_roles"), USERS.c.team_id.label("user_team"))
            .add_columns(USERS.c.id.label("local"), USERS.c.disabled_at)
            .select_from(SESSIONS.outerjoin(USERS, SESSIONS.c.user_id == USERS.c.id))
            .where(SESSIONS.c.digest == digest)
        )
        with available(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None or (row.source == "session" and row.local is None):
            return None
        team_id = row.user_team if row.local else row.team_id
        return person_key(
            row.user_id,
            Named(row.name, row.source),
            roles=row.user_roles if row.local else row.roles or (),
            team=self._identity.team(team_id) if team_id else None,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.disabled_at,
        )

    def end(self, token: str) -> None:
        """Sign out. A session that has ended already is nothing to complain about."""
        with available(), self._engine.begin() as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.digest == keys.digest(token)))

    def _insert(
        self,
        user_id: str,
        name: str,
        source: Source,
        roles: tuple[str, ...],
        team: str,
        own_roles: list[str] | None,
        team_id: str | None,
    ) -> Session:
        secret, now = keys.mint(keys.SESSION_PREFIX), self._clock()
        expires_at = now + self._lasts
        values = {
            "digest": secret.digest,
            "user_id": user_id,
            "name": name,
            "source": source,
            "roles": own_roles,
            "team_id": team_id or None,
            "created_at": now,
            "expires_at": expires_at,
        }
        with available(), self._engine.begin() as connection:
            connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.expires_at < now))
            connection.execute(sa.insert(SESSIONS).values(values))
        return Session(secret, user_id, name, roles, team, expires_at)

    def _forgive(self, mark: str) -> None:
        with available(), self._engine.begin() as connection:
            connection.execute(sa.delete(SIGN_INS).where(SIGN_INS.c.name_digest == mark))

    def _count(self, mark: str) -> None:
        """Count an attempt as failed until it succeeds. Raises RateLimited while its name has to wait."""
        now, of_name = self._clock(), SIGN_INS.c.name_digest == mark
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        begun = insert(SIGN_INS).values(name_digest=mark, failures=0, blocked_until=now)
        with available(), self._engine.begin() as connection:  # a write first: SQLite then lets nobody between
            connection.execute(sa.delete(SIGN_INS).where(SIGN_INS.c.blocked_until < now - _FORGIVEN_AFTER))
            connection.execute(begun.on_conflict_do_nothing())
            row = connection.execute(sa.select(SIGN_INS).where(of_name).with_for_update()).one()
            waits = (row.blocked_until - now).total_seconds()
            if waits <= 0:
                until = now + timedelta(seconds=wait_s(row.failures + 1))
                counted = sa.update(SIGN_INS).where(of_name)
                connection.execute(counted.values(failures=row.failures + 1, blocked_until=until))
        if waits > 0:
            raise RateLimited(
                "Too many failed sign-ins; wait a little.",
                code="sign_in_delayed",
                headers={"retry-after": str(int(waits) + 1)},
            )


def wait_s(failures: int) -> float:
    """How long the next attempt has to wait after this many failures."""
    return min(2.0 ** (failures - FREE_FAILURES - 1), LONGEST_WAIT_S) if failures > FREE_FAILURES else 0.0


def person_key(
    person_id: str,
    user: Named,
    *,
    roles: list[str] | tuple[str, ...],
    team: Team | None,
    created_at: datetime,
    expires_at: datetime,
    revoked_at: datetime | None = None,
) -> VirtualKey:
    """A person as a caller like any key: with the scopes and limits of their team."""
    return VirtualKey(
        id=person_id,
        name=user.name,
        prefix="",
        team_id=team.id if team else "",
        team=team.name if team else "",
        models=team.models if team else None,
        profile=team.profile if team else None,
        rpm=None,
        tpm=None,
        admin=False,
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        surfaces=team.surfaces if team else None,
        user=user,
        roles=frozenset(roles),
        team_limits=team.limits if team else NO_LIMITS,
    )
