"""``kakehashi key`` and ``kakehashi team``: straight on the database, so they work with the gateway running or not.

Every act is recorded in the audit log like one of the admin API, with the operating system's user.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

from gateway.api.ids import new_request_id
from gateway.api.records import Records
from gateway.audit.log import AuditLog
from gateway.identity.administration import Act, Administration
from gateway.identity.keys import KeySecret, KeySpec, expiry, span
from gateway.identity.model import VirtualKey
from gateway.identity.store import IdentityStore
from gateway.storage.database import database_url, open_database
from gateway.storage.schema import prepare
from gateway.telemetry.metrics import Metrics
from kakehashi.contracts import KeyCreated
from kakehashi.settings import Settings, load

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """The identity store, and acts upon it that are recorded."""

    settings: Settings
    store: IdentityStore

    def act(self, action: str, target: str, details: dict[str, Any], do: Callable[[], T]) -> T:
        """Do it and record it. Raises what ``do`` raises; Unavailable when it cannot be recorded."""
        return asyncio.run(self._act(Act(new_request_id(), action, target, details, user=_user(), app="cli"), do))

    async def _act(self, act: Act, do: Callable[[], T]) -> T:
        gateway = self.settings.gateway
        log = AuditLog(database_url(self.settings), self.settings.home, keep_bodies=gateway.audit_bodies, role="cli")
        await log.start()
        try:
            records = Records(log, Metrics(), fail_closed=gateway.audit_fail_closed)
            return await Administration(records).run(act, do)
        finally:
            await log.close()


@contextmanager
def _desk() -> Iterator[Desk]:
    settings = load()
    engine = open_database(database_url(settings))
    try:
        prepare(engine)
        yield Desk(settings, IdentityStore(engine))
    finally:
        engine.dispose()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this user id (containers)
        return "unknown"


@click.group()
def key() -> None:
    """Virtual keys: create, list, revoke, rotate."""


@key.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--team", help="The team it belongs to (name or id); made with `kakehashi team create`.")
@click.option("--models", help="Comma-separated models it may use [all].")
@click.option("--expires", help="A span (30d, 12h) or an ISO date [never].")
@click.option("--profile", help="Guardrail profile [the policy's default].")
@click.option("--rpm", type=click.IntRange(1), help="Requests per minute [no limit].")
@click.option("--tpm", type=click.IntRange(1), help="Tokens per minute [no limit].")
@click.option("--admin", is_flag=True, help="May use the admin API.")
@click.option("--json", "as_json", is_flag=True, help='Print {"id", "key"}.')
def create_key(
    name: str,
    team: str | None,
    models: str | None,
    expires: str | None,
    profile: str | None,
    rpm: int | None,
    tpm: int | None,
    admin: bool,
    as_json: bool,
) -> None:
    """Make a key. It is shown this once and stored nowhere."""
    listed = tuple(filter(None, (m.strip() for m in models.split(",")))) if models is not None else None
    spec = KeySpec(name, team, listed, profile, rpm, tpm, admin, expiry(expires, datetime.now(UTC)))
    with _desk() as desk:
        _check_profile(desk.settings, profile)
        details = {"team": team, "models": listed, "expires": expires, "profile": profile, "rpm": rpm, "tpm": tpm}
        made = desk.act("key.create", name, {**details, "admin": admin}, lambda: desk.store.create_key(spec))
    _show_new(*made, as_json=as_json)


@key.command("list")
@click.option("--team", help="Only this team's.")
@click.option("--prefix", help="Only those that begin with these characters (kk_…).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_keys(team: str | None, prefix: str | None, as_json: bool) -> None:
    """All keys, newest first, with their scopes and state."""
    now = datetime.now(UTC)
    with _desk() as desk:
        keys = [k.public(now) for k in desk.store.keys(team=team, prefix=prefix)]
    if as_json:
        click.echo(orjson.dumps(keys).decode())
        return
    _table(keys, ("id", "name", "team", "prefix", "state", "models", "profile", "rpm", "tpm", "expires_at"))


@key.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Revoke a key, by its id. It stops working within a second."""
    with _desk() as desk:
        revoked = desk.act("key.revoke", key_id, {}, lambda: desk.store.revoke_key(key_id))
    click.echo(f"{revoked.id} ({revoked.name}) is revoked.")


@key.command("rotate")
@click.argument("key_id")
@click.option("--overlap", help="How long the old key still works (1h, 7d) [not at all].")
@click.option("--json", "as_json", is_flag=True, help='Print {"id", "key"}.')
def rotate_key(key_id: str, overlap: str | None, as_json: bool) -> None:
    """Make a new key with the same scopes in place of an old one."""
    time_left = span(overlap)
    with _desk() as desk:
        made = desk.act("key.rotate", key_id, {"overlap": overlap}, lambda: desk.store.rotate_key(key_id, time_left))
    _show_new(*made, as_json=as_json)


@click.group()
def team() -> None:
    """Teams: create, list."""


@team.command("create")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def create_team(name: str, as_json: bool) -> None:
    """Make a team."""
    with _desk() as desk:
        made = desk.act("team.create", name, {}, lambda: desk.store.create_team(name))
    click.echo(orjson.dumps(made.public()).decode() if as_json else f"Team '{made.name}' is made ({made.id}).")


@team.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_teams(as_json: bool) -> None:
    """All teams."""
    with _desk() as desk:
        teams = [t.public() for t in desk.store.teams()]
    if as_json:
        click.echo(orjson.dumps(teams).decode())
        return
    _table(teams, ("id", "name", "created_at"))


def _check_profile(settings: Settings, profile: str | None) -> None:
    """Raises ConfigError for a profile the policy does not have. Loading the policy takes a moment, so only then."""
    if profile is not None:
        from gateway.guardrails.policy import load_policy

        load_policy(settings.gateway.policy).request(profile)


def _show_new(made: VirtualKey, secret: KeySecret, *, as_json: bool) -> None:
    if as_json:
        click.echo(KeyCreated(id=made.id, key=secret.key).model_dump_json())
        return
    click.echo(f"Key '{made.name}' ({made.id}), shown this once:", err=True)
    click.echo(secret.key)


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    Console(highlight=False, width=None if sys.stdout.isatty() else 240).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return ",".join(value) if isinstance(value, list) else str(value)
