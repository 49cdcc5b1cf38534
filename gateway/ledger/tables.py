"""The ledger's tables. Rows are opened once and settled once; nothing else ever changes them."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.storage.tables import METADATA, Moment

_NUMBER = sa.BigInteger

LEDGER = sa.Table(
    "usage_ledger",
    METADATA,
    sa.Column("request_id", sa.String(80), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("writer", sa.String(64), nullable=False),
    sa.Column("state", sa.String(8), nullable=False),  # started, settled, lost
    sa.Column("day", sa.String(10), nullable=False, index=True),
    sa.Column("started_ms", _NUMBER, nullable=False),
    sa.Column("settled_ms", _NUMBER, nullable=True),
    sa.Column("key_id", sa.String(80), nullable=False),
    sa.Column("team_id", sa.String(40), nullable=False),
    sa.Column("team", sa.String(100), nullable=False),
    sa.Column("user", sa.String(200), nullable=False),
    sa.Column("app", sa.String(200), nullable=False),
    sa.Column("job", sa.String(200), nullable=False),
    sa.Column("surface", sa.String(40), nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("target", sa.String(200), nullable=False),
    sa.Column("upstream", sa.String(200), nullable=False),
    sa.Column("served", sa.String(200), nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("reserved_tokens", _NUMBER, nullable=False),
    sa.Column("reserved_micro_yen", _NUMBER, nullable=False),
    sa.Column("lost_tokens", _NUMBER, nullable=False),
    sa.Column("lost_micro_yen", _NUMBER, nullable=False),
    sa.Column("prompt_tokens", _NUMBER, nullable=False),
    sa.Column("completion_tokens", _NUMBER, nullable=False),
    sa.Column("audio_ms", _NUMBER, nullable=False),
    sa.Column("micro_yen", _NUMBER, nullable=False),
    sa.Column("exact", sa.Boolean, nullable=False),
    sa.Column("price_version", sa.String(16), nullable=False),
    sa.Index("ix_usage_ledger_key", "key_id", "day"),
    sa.Index("ix_usage_ledger_team", "team_id", "day"),
    sa.Index(
        "ix_usage_ledger_open",
        "started_ms",
        sqlite_where=sa.text("state = 'started'"),
        postgresql_where=sa.text("state = 'started'"),
    ),
)

PRICES = sa.Table(
    "usage_prices",
    METADATA,
    sa.Column("version", sa.String(16), primary_key=True),
    sa.Column("since", Moment, nullable=False),
    sa.Column("prices", sa.JSON, nullable=False),
    comment="every price list there ever was, by the version that the ledger's rows name",
)

READINGS = sa.Table(
    "usage_readings",
    METADATA,
    sa.Column("upstream", sa.String(200), primary_key=True),
    sa.Column("at_ms", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("counters", sa.JSON, nullable=False),
    comment="the engines' own token counters, as read at a moment",
)
