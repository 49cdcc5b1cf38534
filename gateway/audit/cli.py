"""``kakehashi audit``: verify, list, show, export, purge."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import orjson

from gateway.audit.crypto import Signer, Vault
from gateway.audit.store import AuditStore, Row, open_engine
from gateway.audit.verify import Report
from gateway.audit.verify import verify as verify_chains
from gateway.audit.writer import Draft, Heads, Writer
from kakehashi.errors import BadInput, IntegrityError, UsageError
from kakehashi.settings import Settings, load


@contextmanager
def open_store(settings: Settings) -> Iterator[AuditStore]:
    """The audit store of the configured database."""
    url = settings.gateway.database_url or f"sqlite:///{settings.home.make().gateway_db}"
    engine = open_engine(url)
    try:
        store = AuditStore(engine)
        store.create()
        yield store
    finally:
        engine.dispose()


def read_body(store: AuditStore, vault: Vault, row: Row) -> bytes | None:
    """The decrypted body of a row; None when it has none or its key was erased."""
    described = orjson.loads(row.entry)["body"]
    if described is None or row.body is None:
        return None
    _, wrapped = store.data_key(described["key"])
    if wrapped is None:
        return None
    return vault.decrypt(vault.cipher(described["key"], wrapped), row.body, f"{row.writer}:{row.seq}")


def flat(row: Row) -> dict[str, Any]:
    """One record as a flat dictionary, for export and for people."""
    entry = orjson.loads(row.entry)
    head = {"time": row.time, "kind": row.kind, "request_id": row.request_id}
    return {**head, **entry["data"], "writer": row.writer, "seq": row.seq, "hash": row.hash}


@click.group()
def audit() -> None:
    """The audit log: who asked which model with which prompt under which policy."""


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable report.")
def verify(as_json: bool) -> None:
    """Check every chain. Exit code 4 if any record was changed, removed, reordered or cut off."""
    settings = load()
    with open_store(settings) as store:
        signer = Signer.open(settings.home.secrets)
        report = verify_chains(store, Heads(settings.home.root / "audit", signer).read(), signer)
    if as_json:
        click.echo(orjson.dumps(report_dict(report)).decode())
    else:
        for problem in report.problems:
            click.echo(f"✗ {problem.writer} entry {problem.seq}: {problem.what}")
        click.echo(
            f"{report.entries} records in {len(report.writers)} chain(s), {len(report.open_requests)} unfinished"
        )
    if not report.ok:
        raise IntegrityError(
            f"The audit log does not verify: {len(report.problems)} problem(s).",
            hint="Keep the database as it is, and compare it with a backup.",
        )
    if not as_json:
        click.echo("✓ all chains verify")


def report_dict(report: Report) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "entries": report.entries,
        "writers": report.writers,
        "open_requests": report.open_requests,
        "problems": [{"writer": p.writer, "seq": p.seq, "what": p.what} for p in report.problems],
    }


@audit.command("list")
@click.option("--since", default="", help="ISO time, or a span such as 2h or 7d.")
@click.option("--action", default="", help="Only acts of administration that begin so: key., team.delete …")
@click.option("--limit", default=20, show_default=True, help="Newest records.")
def list_(since: str, action: str, limit: int) -> None:
    """The newest records, one line each."""
    with open_store(load()) as store:
        for row in store.find(since=_since(since), action=action, limit=limit):
            record = flat(row)
            who = "/".join(filter(None, (record.get("team"), record.get("user"), record.get("app"))))
            act = f"{record.get('action', '')} {record.get('target', '')}".strip()
            what = record.get("outcome") or act or record.get("surface") or ""
            click.echo(f"{row.time}  {row.kind:8} {row.request_id}  {what}  {record.get('model', '')} {who}".rstrip())


@audit.command()
@click.argument("request_id")
@click.option("--body", is_flag=True, help="Also decrypt and print the stored bodies.")
def show(request_id: str, body: bool) -> None:
    """Everything recorded about one request, as JSON."""
    settings = load()
    with open_store(settings) as store:
        rows = store.find(request_ids=[request_id])
        if not rows:
            raise BadInput(f"No record of request {request_id}.", hint="`kakehashi audit list` shows recent ones.")
        vault = Vault.open(settings.home.secrets)
        for row in rows:
            record = flat(row)
            if body:
                text = read_body(store, vault, row)
                record["body"] = text.decode(errors="replace") if text is not None else None
            click.echo(orjson.dumps(record, option=orjson.OPT_INDENT_2).decode())


@audit.command()
@click.option("--since", default="", help="ISO time, or a span such as 2h or 7d.")
@click.option("--until", default="", help="ISO time (not included).")
@click.option("--action", default="", help="Only acts of administration that begin so: key., team.delete …")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
def export(since: str, until: str, action: str, form: str) -> None:
    """Records without bodies on standard output, oldest first."""
    with open_store(load()) as store:
        records = [flat(row) for row in store.find(since=_since(since), until=until, action=action)]
    if form == "jsonl":
        for record in records:
            click.echo(orjson.dumps(record).decode())
        return
    names = sorted({name for record in records for name in record})
    table = csv.DictWriter(sys.stdout, names)
    table.writeheader()
    for record in records:
        table.writerow({k: orjson.dumps(v).decode() if isinstance(v, list | dict) else v for k, v in record.items()})


@audit.command()
@click.option("--before", required=True, help="ISO date: bodies of earlier days become unreadable for good.")
@click.option("--tenant", default="", help="Only this team's bodies.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(before: str, tenant: str, yes: bool) -> None:
    """Erase stored prompts and answers by deleting their keys. The chain still verifies; the act is recorded."""
    try:
        day = datetime.strptime(before, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        raise UsageError(f"--before '{before}' is not a date.", hint="Write it as 2026-11-30.") from None
    if day > datetime.now(UTC).date().isoformat():
        raise UsageError("--before lies in the future.", hint="Bodies of today cannot be purged.")
    settings = load()
    with open_store(settings) as store:
        keys = store.keys_before(day, tenant)
        if not keys:
            click.echo("Nothing to erase.")
            return
        if not yes:
            click.confirm(f"Erase the bodies of {len(keys)} team-day(s) for good?", abort=True)
        writer = Writer(store, settings.home, "cli")
        writer.append([Draft("purge", "", "", {"keys": keys})])
        store.erase_keys(keys)
        writer.close()
    click.echo(f"Erased {len(keys)} team-day(s).")


def _since(text: str) -> str:
    """An ISO time from an ISO time or a span (30m, 2h, 7d)."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[-1:] in units and text[:-1].isdigit():
        return (datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})).isoformat()
    return text
