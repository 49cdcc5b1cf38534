"""Teams and virtual keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("name", name="uq_teams_name"),
    )
    op.create_table(
        "virtual_keys",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("team_id", sa.String(40), nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("models", sa.JSON, nullable=True),
        sa.Column("profile", sa.String(64), nullable=True),
        sa.Column("rpm", sa.Integer, nullable=True),
        sa.Column("tpm", sa.Integer, nullable=True),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rotated_from", sa.String(40), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_virtual_keys"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_virtual_keys_team_id"),
        sa.UniqueConstraint("digest", name="uq_virtual_keys_digest"),
    )
    op.create_index("ix_virtual_keys_team_id", "virtual_keys", ["team_id"])
    op.create_index("ix_virtual_keys_prefix", "virtual_keys", ["prefix"])


def downgrade() -> None:
    op.drop_table("virtual_keys")
    op.drop_table("teams")
