"""``kakehashi audit``: verify, search, list, show, export; purge, erase, seal, hold; key."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.audit import export as exporting
from gateway.audit import retention, search
from gateway.audit.anchors import Anchor, Checkpoint, open_anchor
from gateway.audit.crypto import Signer, Vault, Verifier
from gateway.audit.reindex import reindex as fill_columns
from gateway.audit.search import Query
from gateway.audit.shown import flat, read_body
from gateway.audit.shown import request as shown_request
from gateway.audit.store import AuditStore, open_engine
from gateway.audit.times import day, moment
from gateway.audit.verify import Options, Report, Trust
from gateway.audit.verify import verify as verify_chains
from gateway.audit.writer import Draft, Heads, Writer
from gateway.storage.database import database_url
from kakehashi.errors import BadInput, IntegrityError, UsageError
from kakehashi.settings import Settings, load

__all__ = ["audit", "open_store", "read_body"]


@contextmanager
def open_store(settings: Settings) -> Iterator[AuditStore]:
    """The audit store of the configured database."""
    engine = open_engine(database_url(settings))
    try:
        store = AuditStore(engine)
        store.create()
        yield store
    finally:
        engine.dispose()


@contextmanager
def _recorder(settings: Settings, store: AuditStore) -> Iterator[retention.Record]:
    """Writes what is done here into a chain of the command line's own."""
    writer = Writer(store, settings.home, "cli")
    try:
        yield lambda kind, data: writer.append([Draft(kind, "", "", data)])
    finally:
        writer.close()


@click.group()
def audit() -> None:
    """The audit log: who asked which model with which prompt under which policy."""


# -- checking ---------------------------------------------------------------------------------------------------------


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable report.")
@click.option("--since", default="", help="Only entries from this time on: ISO time, or a span such as 2h or 7d.")
@click.option("--writer", default="", help="Only this chain.")
@click.option("--anchor", "anchors", multiple=True, help="Also compare with this anchor, or a log server's file.")
@click.option("--public-key", "keys", multiple=True, help="Trust these signing keys instead of this machine's own.")
@click.option("--jobs", default=0, type=click.IntRange(0), help="Processes at most [as many as cores, up to 4].")
def verify(as_json: bool, since: str, writer: str, anchors: tuple[str, ...], keys: tuple[str, ...], jobs: int) -> None:
    """Check every chain. Exit code 4 if any record was changed, removed, reordered, cut off or rolled back."""
    settings = load()
    with open_store(settings) as store:
        signer = Signer.open(settings.home.secrets)
        trust: Trust = Verifier(keys) if keys else signer
        heads = Heads(settings.home.root / "audit", signer).read()
        with _progress(store, hidden=as_json) as progress:
            options = Options(moment(since), writer, jobs, progress)
            report = verify_chains(store, heads, trust, _anchored(settings, anchors), options)
    _tell(report, as_json=as_json)
    if not report.ok:
        raise IntegrityError(
            f"The audit log does not verify: {len(report.problems)} problem(s).",
            hint="Keep the database as it is, and compare it with a backup.",
        )


def _anchored(settings: Settings, named: Sequence[str]) -> Iterator[Checkpoint]:
    """Checkpoints of the anchors named here, else of those configured that can be read back."""
    for name in named or settings.gateway.audit_anchors:
        if not named and name.startswith("syslog+"):
            continue
        place: Anchor = open_anchor(name if "://" in name else str(Path(name).absolute()))
        yield from place.read()


@contextmanager
def _progress(store: AuditStore, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where somebody looks at it."""
    if hidden or not sys.stderr.isatty():
        with nullcontext():
            yield lambda _: None
        return
    with click.progressbar(length=store.count(), label="Verifying", file=sys.stderr) as bar:
        yield bar.update


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(report.public()).decode())
        return
    for problem in report.problems:
        click.echo(f"✗ {problem.writer} entry {problem.seq}: {problem.what}")
    for writer, seq in report.sealed.items():
        click.echo(f"{writer}: entries up to {seq} were removed by retention, under a signed seal")
    click.echo(
        f"{report.entries} records in {len(report.writers)} chain(s), {len(report.open_requests)} unfinished, "
        f"{report.references} signed references compared"
    )
    if report.ok:
        click.echo("✓ all chains verify")


@audit.command()
def key() -> None:
    """The public key that signs heads, checkpoints and anchors; give it to whoever verifies elsewhere."""
    click.echo(Signer.open(load().home.make().secrets).public_hex)


@audit.command()
def reindex() -> None:
    """Fill the searched columns of entries that were written by an earlier version. Entries stay as they are."""
    settings = load()
    with open_store(settings) as store, _recorder(settings, store) as record:
        count = fill_columns(store, record)
    click.echo(f"Filled the columns of {count} record(s).")


# -- finding ----------------------------------------------------------------------------------------------------------


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which records are found, gathered into a ``Query``."""
    texts = {
        "since": "ISO time, or a span such as 2h or 7d.",
        "until": "ISO time (not included).",
        "user": "Who asked.",
        "team": "Name of the team.",
        "key": "Id of the virtual key.",
        "app": "Name of the app.",
        "model": "As asked, or as it answered.",
        "prompt": "id, or id@version.",
        "policy": "name, or name@version.",
        "surface": "chat, embeddings, admin …",
        "rule": "Guardrail rule that decided something; pii. for all that begin so.",
        "outcome": "ok, blocked, client_gone, upstream_error, upstream_timeout, refused.",
        "action": "Acts of administration that begin so: key., team.delete, audit. …",
        "target": "What an act was about: the id or name.",
        "text-id": "Id of a document's text (the app's job).",
    }
    for name in reversed(texts):
        command = click.option(f"--{name}", default="", help=texts[name])(command)
    return command


def _query(given: dict[str, str]) -> Query:
    return Query(**{**given, "since": moment(given["since"]), "until": moment(given["until"])})


@audit.command("search")
@_filters
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Newest results.")
@click.option("--after", default="", help="Go on after this cursor (the next of the page before).")
@click.option("--json", "as_json", is_flag=True, help="Whole results, and the cursor of the next page.")
def search_(limit: int, after: str, as_json: bool, **given: str) -> None:
    """Find requests and acts; newest first."""
    with open_store(load()) as store:
        found = search.find(store, _query(given), limit=limit, after=after)
    shown = [shown_request(rows) for rows in found.results]
    if as_json:
        click.echo(orjson.dumps({"object": "list", "data": shown, "next": found.next or None}).decode())
        return
    for one in shown:
        click.echo(_line(one))
    if found.next:
        click.echo(f"… more: --after {found.next}", err=True)


@audit.command("list")
@click.option("--since", default="", help="ISO time, or a span such as 2h or 7d.")
@click.option("--action", default="", help="Only acts of administration that begin so: key., team.delete …")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Newest requests and acts.")
def list_(since: str, action: str, limit: int) -> None:
    """The newest records, one line each, oldest first."""
    with open_store(load()) as store:
        found = search.find(store, Query(since=moment(since), action=action), limit=limit)
        for rows in reversed(found.results):
            for row in rows:
                click.echo(_line(flat(row)))


def _line(record: dict[str, Any]) -> str:
    who = "/".join(filter(None, (record.get("team"), record.get("user"), record.get("app"))))
    act = f"{record.get('action', '')} {record.get('target', '')}".strip()
    what = record.get("outcome") or act or record.get("surface") or record.get("state") or ""
    rules = ",".join(record.get("rules", []))
    model = record.get("model", "")
    return f"{record['time']}  {record['kind']:8} {record['request_id']}  {what}  {model} {who}  {rules}".rstrip()


@audit.command()
@click.argument("request_id")
@click.option("--body", is_flag=True, help="Also decrypt and print the stored bodies.")
def show(request_id: str, body: bool) -> None:
    """Everything recorded about one request, as JSON. Reading bodies is itself recorded."""
    settings = load()
    with open_store(settings) as store:
        rows = search.one(store, request_id)
        if not rows:
            raise BadInput(f"No record of request {request_id}.", hint="`kakehashi audit list` shows recent ones.")
        if body:
            with _recorder(settings, store) as record:
                record("read", {"action": "audit.read", "target": request_id, "user": _user(), "app": "cli"})
        vault = Vault.open(settings.home.secrets)
        for row in rows:
            shown = flat(row)
            if body:
                text = read_body(store, vault, row)
                shown["body"] = text.decode(errors="replace") if text is not None else None
            click.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


@audit.command()
@_filters
@click.option("--format", "form", type=click.Choice(exporting.FORMATS), default="jsonl", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file [standard output].")
def export(form: str, output: Path | None, **given: str) -> None:
    """Records without bodies, oldest first, each with its canonical entry and hash, so that they can be checked."""
    with open_store(load()) as store:
        target: Any = output.open("wb") if output else sys.stdout.buffer
        try:
            for chunk in exporting.export(store, _query(given), form):
                target.write(chunk)
        finally:
            if output:
                target.close()
            else:
                target.flush()


# -- deleting ---------------------------------------------------------------------------------------------------------


@audit.command()
@click.option("--before", required=True, help="ISO date: bodies of earlier days become unreadable for good.")
@click.option("--tenant", default="", help="Only this team's bodies.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def purge(before: str, tenant: str, yes: bool) -> None:
    """Erase stored prompts and answers by deleting their keys. The chain still verifies; the act is recorded."""
    limit = _past(before)
    settings = load()
    with open_store(settings) as store:
        keys = retention.keys_before(store, limit, tenant)
        if not keys:
            click.echo("Nothing to erase.")
            return
        if not yes:
            click.confirm(f"Erase the bodies of {len(keys)} team-day(s) for good?", abort=True)
        with _recorder(settings, store) as record:
            keys = retention.purge(store, record, limit, tenant)
    click.echo(f"Erased {len(keys)} team-day(s).")


@audit.command()
@click.option("--user", default="", help="All requests of this person.")
@click.option("--request-id", default="", help="This request.")
@click.option("--reason", required=True, help="Why; it is recorded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(user: str, request_id: str, reason: str, yes: bool) -> None:
    """Remove the stored bodies of one person or one request. Their records stay; backups keep what they have."""
    if bool(user) == bool(request_id):
        raise UsageError("Give --user or --request-id.")
    if not yes:
        click.confirm(f"Remove the bodies of {user or request_id} for good?", abort=True)
    settings = load()
    with open_store(settings) as store, _recorder(settings, store) as record:
        done = retention.erase(store, record, Query(user=user, request_id=request_id), reason)
    click.echo(f"Removed {done.bodies} bodies; {done.held} stay because of a legal hold.")


@audit.command()
@click.option("--before", required=True, help="ISO date: whole records of earlier days are removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def seal(before: str, yes: bool) -> None:
    """Remove whole records from the beginning of each chain, under a signed seal. The rest still verifies."""
    limit = _past(before)
    if not yes:
        click.confirm(f"Remove all records of days before {limit} for good?", abort=True)
    settings = load()
    with open_store(settings) as store, _recorder(settings, store) as record:
        removed = retention.seal_before(store, record, Signer.open(settings.home.secrets), limit)
    click.echo(f"Removed {sum(removed.values())} record(s) from {len(removed)} chain(s).")


@audit.group()
def hold() -> None:
    """Legal holds: what retention, purge and erase may not touch."""


@hold.command("add")
@click.option("--tenant", default="", help="Only this team's [all].")
@click.option("--from", "first", required=True, help="First day (ISO date).")
@click.option("--to", "last", default="9999-12-31", show_default=True, help="Last day (ISO date).")
@click.option("--reason", required=True, help="Why; it is recorded.")
def add_hold(tenant: str, first: str, last: str, reason: str) -> None:
    """Keep bodies and records of these days until the hold is released."""
    settings = load()
    with open_store(settings) as store, _recorder(settings, store) as record:
        made = retention.add_hold(
            store, record, tenant=tenant, first_day=day(first), last_day=day(last), reason=reason, by=_user()
        )
    click.echo(made.id)


@hold.command("list")
@click.option("--all", "released", is_flag=True, help="Also those that were released.")
def list_holds(released: bool) -> None:
    """Holds, one line each."""
    with open_store(load()) as store:
        for one in retention.holds(store, released=released):
            state = f"released {one.released_at}" if one.released_at else "in force"
            click.echo(f"{one.id}  {one.first_day}…{one.last_day}  {one.tenant or 'all'}  {state}  {one.reason}")


@hold.command("release")
@click.argument("hold_id")
def release_hold(hold_id: str) -> None:
    """End a hold: retention may delete again what it covered."""
    settings = load()
    with open_store(settings) as store, _recorder(settings, store) as record:
        retention.release_hold(store, record, hold_id, _user())
    click.echo(f"{hold_id} is released.")


def _past(text: str) -> str:
    """A day that is not after today. Raises UsageError."""
    limit = day(text)
    if limit > day(moment("0m")[:10]):
        raise UsageError("--before lies in the future.", hint="What is of today cannot be deleted.")
    return limit


def _user() -> str:
    from gateway.cli import _user as operating_user  # imported late: it imports half of the gateway

    return operating_user()
