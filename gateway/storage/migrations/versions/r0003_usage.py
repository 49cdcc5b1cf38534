"""Limits of keys and teams, and the ledger of usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LIMITS = (
    ("concurrency", sa.Integer),
    ("tokens_per_day", sa.BigInteger),
    ("tokens_per_month", sa.BigInteger),
    ("yen_per_day", sa.BigInteger),
    ("yen_per_month", sa.BigInteger),
)
_BY_THE_MINUTE = (("rpm", sa.Integer), ("tpm", sa.Integer))
_TEXTS = (
    ("writer", 64), ("state", 8), ("day", 10), ("key_id", 80), ("team_id", 40), ("team", 100), ("user", 200), ("app", 200),
    ("job", 200), ("surface", 40), ("model", 200), ("target", 200), ("upstream", 200), ("served", 200), ("outcome", 20),
    ("price_version", 16),
)  # fmt: skip
_NUMBERS = (
    "started_ms", "reserved_tokens", "reserved_micro_yen", "lost_tokens", "lost_micro_yen", "prompt_tokens",
    "completion_tokens", "audio_ms", "micro_yen",
)  # fmt: skip


def upgrade() -> None:
    for name, kind in _LIMITS:
        op.add_column("virtual_keys", sa.Column(name, kind, nullable=True))
    op.add_column("virtual_keys", sa.Column("priority", sa.String(8), nullable=False, server_default="normal"))
    for name, kind in (*_BY_THE_MINUTE, *_LIMITS):
        op.add_column("teams", sa.Column(name, kind, nullable=True))
    op.create_table(
        "usage_ledger",
        sa.Column("request_id", sa.String(80), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in _TEXTS),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _NUMBERS),
        sa.Column("settled_ms", sa.BigInteger, nullable=True),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("exact", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("request_id", "attempt", name="pk_usage_ledger"),
    )
    op.create_index("ix_usage_ledger_day", "usage_ledger", ["day"])
    op.create_index("ix_usage_ledger_key", "usage_ledger", ["key_id", "day"])
    op.create_index("ix_usage_ledger_team", "usage_ledger", ["team_id", "day"])
    still_open = sa.text("state = 'started'")
    op.create_index(
        "ix_usage_ledger_open", "usage_ledger", ["started_ms"], sqlite_where=still_open, postgresql_where=still_open
    )
    op.create_table(
        "usage_prices",
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prices", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_usage_prices"),
        comment="every price list there ever was, by the version that the ledger's rows name",
    )
    op.create_table(
        "usage_readings",
        sa.Column("upstream", sa.String(200), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("counters", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("upstream", "at_ms", name="pk_usage_readings"),
        comment="the engines' own token counters, as read at a moment",
    )


def downgrade() -> None:
    for table in ("usage_readings", "usage_prices", "usage_ledger"):
        op.drop_table(table)
    for name, _ in (*_BY_THE_MINUTE, *_LIMITS):
        op.drop_column("teams", name)
    op.drop_column("virtual_keys", "priority")
    for name, _ in _LIMITS:
        op.drop_column("virtual_keys", name)
