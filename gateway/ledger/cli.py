"""``kakehashi usage``: chargeback from the ledger, and its reconciliation with the engines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import orjson
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from gateway.ledger.reconcile import Reading, Readings, read
from gateway.ledger.report import COLUMNS, GROUPS, By, Line, as_csv
from gateway.ledger.report import usage as lines_of
from gateway.routing.table import routing_table
from gateway.storage.database import database_url, open_database
from gateway.storage.schema import prepare
from kakehashi.settings import Settings, load


@contextmanager
def _database(settings: Settings) -> Iterator[sa.Engine]:
    engine = open_database(database_url(settings))
    try:
        prepare(engine)
        yield engine
    finally:
        engine.dispose()


@click.group(invoke_without_command=True)
@click.option("--by", type=click.Choice(GROUPS), default="day", help="What to sum by.")
@click.option("--since", help="From this day (2026-04-01), in gateway.timezone.")
@click.option("--until", help="To before this day.")
@click.option("--csv", "as_table", is_flag=True, help="As CSV.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def usage(context: click.Context, by: By, since: str | None, until: str | None, as_table: bool, as_json: bool) -> None:
    """Requests, tokens and yen from the ledger; `kakehashi usage reconcile` compares it with the engines."""
    if context.invoked_subcommand:
        return
    with _database(load()) as engine:
        lines = lines_of(engine, by, since, until)
    if as_table:
        click.echo(as_csv(lines), nl=False)
    elif as_json:
        click.echo(orjson.dumps([line.public() for line in lines]).decode())
    else:
        _print(lines)


def _print(lines: list[Line]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, no_wrap=True, justify="left" if column in ("group", "name") else "right")
    for line in lines:
        row = line.public()
        table.add_row(*(f"{row[c]:,.2f}" if isinstance(row[c], float) else str(row[c]) for c in COLUMNS))
    Console(highlight=False, width=None if sys.stdout.isatty() else 240).print(table)


@usage.command()
@click.option("--keep/--look", default=True, help="Whether the next comparison counts from here.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def reconcile(keep: bool, as_json: bool) -> None:
    """The ledger against the engines' own token counters since the last reading."""
    settings = load()
    readings = asyncio.run(_read(settings))
    with _database(settings) as engine:
        kept = Readings(engine)
        rows = kept.compare(readings)
        if keep:
            kept.keep(readings)
    if as_json:
        click.echo(orjson.dumps(rows).decode())
        return
    for row in rows:
        click.echo(_told(row))


async def _read(settings: Settings) -> list[Reading]:
    upstreams = [spec.make() for spec in routing_table(settings).upstreams]
    for upstream in upstreams:
        upstream.open()
    try:
        return await read(upstreams)
    finally:
        for upstream in upstreams:
            await upstream.close()


def _told(row: dict[str, Any]) -> str:
    if row["since"] is None:
        return f"{row['upstream']}: {row['problem']}."
    engine, ledger, difference = row["engine"], row["ledger"], row["difference"]
    anew = "; the engine was started anew" if row["engine_started_anew"] else ""
    said = ", ".join(
        f"{name.replace('_', ' ')}: engine {engine[name]}, ledger {ledger[name]}, difference {difference[name]:+d}"
        for name in engine
    )
    return (
        f"{row['upstream']} since {row['since']}: {said}; {row['requests']} requests, of them inexact {row['inexact']}; "
        f"open {row['open']}, lost {row['lost']}{anew}."
    )
