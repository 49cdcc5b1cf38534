"""``python -m gateway.storage upgrade | downgrade STEP``: bring the configured database to this version's schema, or back."""

from __future__ import annotations

import click

from gateway.storage.database import database_url, open_database
from gateway.storage.schema import downgrade as take_back
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


@storage.command()
@click.argument("step")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(step: str, yes: bool) -> None:
    """Take the schema back to STEP (0003 …), before starting an earlier version. Take a backup first."""
    if not yes:
        click.confirm("What only the newer tables and columns hold is lost. Go on?", abort=True)
    engine = open_database(database_url(load()))
    try:
        take_back(engine, step)
    finally:
        engine.dispose()
    click.echo(f"The schema is at {step}.")


if __name__ == "__main__":
    storage()
