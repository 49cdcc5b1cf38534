"""Alembic's entry: runs the migrations on the connection that :mod:`gateway.storage.schema` holds (and locks)."""

from __future__ import annotations

from alembic import context

from gateway.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
    render_as_batch=True,
)
context.run_migrations()
