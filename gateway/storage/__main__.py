"""``python -m gateway.storage upgrade``: bring the configured database to this version's schema."""

from __future__ import annotations

import click

from gateway.storage.database import database_url, open_database
from gateway.storage.schema import prepare
from kakehashi.settings import load


@click.group()
def storage() -> None:
    """The gateway's database."""


@storage.command()
def upgrade() -> None:
    """Migrate to the newest schema. Take a backup first."""
    engine = open_database(database_url(load()))
    try:
        prepare(engine, upgrade=True)
    finally:
        engine.dispose()
    click.echo("The schema is up to date.")


if __name__ == "__main__":
    storage()
