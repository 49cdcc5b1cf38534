"""The tables of routes and adapters set at run time. They stand over the configuration file's, on every replica."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.storage.tables import METADATA, Moment

ROUTES = sa.Table(
    "routes",
    METADATA,
    sa.Column("alias", sa.String(200), primary_key=True),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("changed_by", sa.String(200), nullable=False),
)

# A row stays when an adapter is withdrawn: its name may never stand for other weights.
ADAPTERS = sa.Table(
    "adapters",
    METADATA,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("wanted", sa.Boolean, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("changed_by", sa.String(200), nullable=False),
)
