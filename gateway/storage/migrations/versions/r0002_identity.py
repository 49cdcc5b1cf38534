"""Identity: scopes by surface, service keys, scopes of teams; people, their sessions, their failed sign-ins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEYS = sa.table("virtual_keys", sa.column("name"), sa.column("profile"), sa.column("service"))
_APPS = ("minutes", "proposals")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("virtual_keys", sa.Column("surfaces", sa.JSON, nullable=True))
    op.add_column("virtual_keys", sa.Column("service", sa.Boolean, nullable=False, server_default=sa.false()))
    for column in (
        sa.Column("models", sa.JSON, nullable=True),
        sa.Column("surfaces", sa.JSON, nullable=True),
        sa.Column("profile", sa.String(64), nullable=True),
    ):
        op.add_column("teams", column)
    # The keys that `kakehashi up` has made for the apps named their users before service keys were told apart.
    op.execute(
        sa.update(_KEYS).where(_KEYS.c.name.in_(_APPS), _KEYS.c.profile == _KEYS.c.name).values(service=sa.true())
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(200), nullable=True),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("team_id", sa.String(40), nullable=True),
        sa.Column("password", sa.String(200), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("disabled_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_users_team_id"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("roles", sa.JSON, nullable=True),
        sa.Column("team_id", sa.String(40), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_sessions_team_id"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "sign_ins",
        sa.Column("name_digest", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("blocked_until", moment, nullable=False),
        sa.PrimaryKeyConstraint("name_digest", name="pk_sign_ins"),
    )


def downgrade() -> None:
    for table in ("sign_ins", "sessions", "users"):
        op.drop_table(table)
    for table, columns in (("teams", ("models", "surfaces", "profile")), ("virtual_keys", ("surfaces", "service"))):
        for column in columns:
            op.drop_column(table, column)
