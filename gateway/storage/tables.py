"""The tables of identity. Keys and session tokens are never stored, only their SHA-256; a key's prefix is there to find
one by eye. A null list of models or surfaces means all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(sa.types.TypeDecorator[datetime]):
    """A point in time, stored as UTC and read back with its time zone (SQLite forgets it)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC)


TEAMS = sa.Table(
    "teams",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("models", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("surfaces", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("profile", sa.String(64), nullable=True),
    sa.Column("rpm", sa.Integer, nullable=True),
    sa.Column("tpm", sa.Integer, nullable=True),
    sa.Column("concurrency", sa.Integer, nullable=True),
    sa.Column("tokens_per_day", sa.BigInteger, nullable=True),
    sa.Column("tokens_per_month", sa.BigInteger, nullable=True),
    sa.Column("yen_per_day", sa.BigInteger, nullable=True),
    sa.Column("yen_per_month", sa.BigInteger, nullable=True),
)

VIRTUAL_KEYS = sa.Table(
    "virtual_keys",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("team_id", sa.String(40), sa.ForeignKey("teams.id"), nullable=True, index=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("prefix", sa.String(16), nullable=False, index=True),
    sa.Column("models", sa.JSON, nullable=True),
    sa.Column("profile", sa.String(64), nullable=True),
    sa.Column("rpm", sa.Integer, nullable=True),
    sa.Column("tpm", sa.Integer, nullable=True),
    sa.Column("admin", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=True),
    sa.Column("revoked_at", Moment, nullable=True),
    sa.Column("rotated_from", sa.String(40), nullable=True),
    sa.Column("surfaces", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("service", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("concurrency", sa.Integer, nullable=True),
    sa.Column("tokens_per_day", sa.BigInteger, nullable=True),
    sa.Column("tokens_per_month", sa.BigInteger, nullable=True),
    sa.Column("yen_per_day", sa.BigInteger, nullable=True),
    sa.Column("yen_per_month", sa.BigInteger, nullable=True),
    sa.Column("priority", sa.String(8), nullable=False, server_default="normal"),
)

USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    sa.Column("email", sa.String(200), nullable=True),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("team_id", sa.String(40), sa.ForeignKey("teams.id"), nullable=True),
    sa.Column("password", sa.String(200), nullable=True),  # argon2id, with its parameters and salt
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("disabled_at", Moment, nullable=True),
)

# A local account's roles and team are those of its row in ``users`` (``roles`` and ``team_id`` here are null then);
# somebody the identity provider vouched for has the ones its token gave.
SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("user_id", sa.String(64), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("roles", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("team_id", sa.String(40), sa.ForeignKey("teams.id"), nullable=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
)

# Names are hashed: a password typed into the name's field is then not kept in clear.
SIGN_INS = sa.Table(
    "sign_ins",
    METADATA,
    sa.Column("name_digest", sa.String(64), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("blocked_until", Moment, nullable=False),
)
