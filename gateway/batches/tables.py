"""The tables of files and batches. Contents lie in them encrypted, under a data key of each file's or batch's own.

They are in the database, not on a disk, so that every replica of the gateway reaches them.
"""

from __future__ import annotations

import sqlalchemy as sa

from gateway.storage.tables import METADATA, Moment

FILES = sa.Table(
    "stored_files",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(80), nullable=False, index=True),
    sa.Column("key_id", sa.String(80), nullable=False),
    sa.Column("filename", sa.String(255), nullable=False),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)

CHUNKS = sa.Table(
    "stored_file_chunks",
    METADATA,
    sa.Column("file_id", sa.String(40), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("blob", sa.LargeBinary, nullable=False),
)

# Leases are seconds since the epoch by the database's clock (SQLite: by this machine's), so replicas need not agree.
BATCHES = sa.Table(
    "batches",
    METADATA,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(80), nullable=False, index=True),
    sa.Column("key_id", sa.String(80), nullable=False),
    sa.Column("acts_for", sa.String(200), nullable=False),
    sa.Column("app", sa.String(200), nullable=False),
    sa.Column("endpoint", sa.String(40), nullable=False),
    sa.Column("completion_window", sa.String(10), nullable=False),
    sa.Column("input_file_id", sa.String(40), nullable=False),
    sa.Column("output_file_id", sa.String(40), nullable=True),
    sa.Column("error_file_id", sa.String(40), nullable=True),
    sa.Column("output_expires_s", sa.Integer, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=True),
    sa.Column("errors", sa.JSON, nullable=True),
    sa.Column("state", sa.String(12), nullable=False, index=True),
    sa.Column("ending", sa.String(12), nullable=True),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("completed", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("in_progress_at", Moment, nullable=True),
    sa.Column("cancelling_at", Moment, nullable=True),
    sa.Column("finalizing_at", Moment, nullable=True),
    sa.Column("ended_at", Moment, nullable=True),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("paused_until", sa.Float, nullable=False),
    sa.Column("lessee", sa.String(40), nullable=True),
    sa.Column("lease_until", sa.Float, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)

LINES = sa.Table(
    "batch_lines",
    METADATA,
    sa.Column("batch_id", sa.String(40), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("lessee", sa.String(40), nullable=True),
    sa.Column("lease_until", sa.Float, nullable=False),
    sa.Column("result", sa.LargeBinary, nullable=True),
    sa.Index("ix_batch_lines_state", "state", "number"),
)
