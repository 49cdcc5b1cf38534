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
from gateway.identity import scopes
from gateway.identity.administration import Act, Administration
from gateway.identity.keys import KeySecret, KeySpec, expiry, span
from gateway.identity.model import VirtualKey
from gateway.identity.store import IdentityStore
from gateway.limits.spec import NAMES, PRIORITIES
from gateway.storage.database import database_url, open_database
from gateway.storage.schema import prepare
from gateway.telemetry.metrics import Metrics
from kakehashi.contracts import KeyCreated
from kakehashi.errors import UsageError
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
def desk() -> Iterator[Desk]:
    """The configured database, migrated where that is safe. Raises ConfigError, NotReady."""
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


_LIMITS = {
    "rpm": "Requests per minute",
    "tpm": "Tokens per minute",
    "concurrency": "Requests at the same time",
    "tokens_per_day": "Tokens per day",
    "tokens_per_month": "Tokens per month",
    "yen_per_day": "Yen per day",
    "yen_per_month": "Yen per month",
}


def _limit_options(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """One option per limit; ``default``: what holds when it is not given."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for name, text in reversed(_LIMITS.items()):
            smallest = 0 if "0" in default else 1
            kind = click.IntRange(smallest)
            command = click.option(f"--{name.replace('_', '-')}", name, type=kind, help=f"{text} [{default}].")(command)
        return command

    return add


@click.group()
def key() -> None:
    """Virtual keys: create, list, change, revoke, rotate."""


@key.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--team", help="The team it belongs to (name or id); made with `kakehashi team create`.")
@click.option("--models", help="Comma-separated models it may use [all].")
@click.option("--expires", help="A span (30d, 12h) or an ISO date [never].")
@click.option("--profile", help="Guardrail profile [the policy's default].")
@_limit_options("no limit")
@click.option("--priority", type=click.Choice(PRIORITIES), default="normal", help="Its place in the engine's queue.")
@click.option("--admin", is_flag=True, help="May use the admin API.")
@click.option("--surfaces", help=f"Comma-separated surfaces it may use [all]: {', '.join(scopes.SURFACES)}.")
@click.option("--service", is_flag=True, help="An app's key: may name the person it acts for (x-kakehashi-user).")
@click.option("--json", "as_json", is_flag=True, help='Print {"id", "key"}.')
def create_key(
    name: str,
    team: str | None,
    models: str | None,
    expires: str | None,
    profile: str | None,
    priority: str,
    admin: bool,
    surfaces: str | None,
    service: bool,
    as_json: bool,
    **limits: int | None,
) -> None:
    """Make a key. It is shown this once and stored nowhere."""
    given: dict[str, Any] = {"team": team, "models": _names(models), "surfaces": scopes.surfaces(_names(surfaces))}
    given |= {"profile": profile, "priority": priority, "admin": admin, "service": service, **limits}
    spec = KeySpec(name, expires_at=expiry(expires, datetime.now(UTC)), **given)
    with desk() as d:
        _check_profile(d.settings, profile)
        made = d.act("key.create", name, given | {"expires": expires}, lambda: d.store.create_key(spec))
    _show_new(*made, as_json=as_json)


@key.command("list")
@click.option("--team", help="Only this team's.")
@click.option("--prefix", help="Only those that begin with these characters (kk_…).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_keys(team: str | None, prefix: str | None, as_json: bool) -> None:
    """All keys, newest first, with their scopes and state."""
    now = datetime.now(UTC)
    with desk() as d:
        keys = [k.public(now) for k in d.store.keys(team=team, prefix=prefix)]
    if as_json:
        click.echo(orjson.dumps(keys).decode())
        return
    columns = ("id", "name", "team", "prefix", "state", "models", "surfaces", "profile", "rpm", "tpm")
    show_table(keys, (*columns, *_set(keys, columns), "priority", "expires_at"))


@key.command("change")
@click.argument("key_id")
@click.option("--name", help="What the key is for.")
@click.option("--models", help="Comma-separated models it may use, or 'all'.")
@click.option("--surfaces", help="Comma-separated surfaces it may use, or 'all'.")
@click.option("--expires", help="A span (30d, 12h) or an ISO date, or 'never'.")
@click.option("--profile", help="Guardrail profile.")
@_limit_options("unchanged; 0 takes it away")
@click.option("--priority", type=click.Choice(PRIORITIES), help="Its place in the engine's queue [unchanged].")
def change_key(
    key_id: str,
    name: str | None,
    models: str | None,
    surfaces: str | None,
    expires: str | None,
    profile: str | None,
    priority: str | None,
    **limits: int | None,
) -> None:
    """Change a key, by its id. It holds within a second."""
    changes = _scope(models, surfaces, profile) | _given_limits(limits)
    changes |= {name: value for name, value in (("name", name), ("priority", priority)) if value is not None}
    if expires is not None:
        changes["expires_at"] = None if expires == "never" else expiry(expires, datetime.now(UTC))
    _require(changes)
    with desk() as d:
        _check_profile(d.settings, profile)
        changed = d.act("key.change", key_id, changes, lambda: d.store.change_key(key_id, changes))
    click.echo(f"{changed.id} ({changed.name}) is changed.")


@key.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """Revoke a key, by its id. It stops working within a second."""
    with desk() as d:
        revoked = d.act("key.revoke", key_id, {}, lambda: d.store.revoke_key(key_id))
    click.echo(f"{revoked.id} ({revoked.name}) is revoked.")


@key.command("rotate")
@click.argument("key_id")
@click.option("--overlap", help="How long the old key still works (1h, 7d) [not at all].")
@click.option("--json", "as_json", is_flag=True, help='Print {"id", "key"}.')
def rotate_key(key_id: str, overlap: str | None, as_json: bool) -> None:
    """Make a new key with the same scopes in place of an old one."""
    time_left = span(overlap)
    with desk() as d:
        made = d.act("key.rotate", key_id, {"overlap": overlap}, lambda: d.store.rotate_key(key_id, time_left))
    _show_new(*made, as_json=as_json)


@click.group()
def team() -> None:
    """Teams: create, change, list."""


def _scope_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a team's scopes."""
    for option in (
        click.option("--profile", help="Guardrail profile of those that have none of their own."),
        click.option("--surfaces", help="Comma-separated surfaces its keys and people may use, or 'all'."),
        click.option("--models", help="Comma-separated models its keys and people may use, or 'all'."),
    ):
        command = option(command)
    return command


@team.command("create")
@click.argument("name")
@_scope_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def create_team(name: str, models: str | None, surfaces: str | None, profile: str | None, as_json: bool) -> None:
    """Make a team."""
    scope = _scope(models, surfaces, profile)
    with desk() as d:
        _check_profile(d.settings, profile)
        made = d.act("team.create", name, scope, lambda: d.store.create_team(name, scope))
    click.echo(orjson.dumps(made.public()).decode() if as_json else f"Team '{made.name}' is made ({made.id}).")


@team.command("change")
@click.argument("name")
@click.option("--name", "new_name", help="A new name.")
@_scope_options
def change_team(name: str, new_name: str | None, models: str | None, surfaces: str | None, profile: str | None) -> None:
    """Rename a team, or change what its keys and people may use."""
    changes = _scope(models, surfaces, profile) | ({"name": new_name} if new_name else {})
    if not changes:
        raise UsageError("Nothing to change was given.", hint="Give --name, --models, --surfaces or --profile.")
    with desk() as d:
        _check_profile(d.settings, profile)
        changed = d.act("team.change", name, changes, lambda: d.store.change_team(name, changes))
    click.echo(f"Team '{changed.name}' is changed ({changed.id}).")


@team.command("limit")
@click.argument("name")
@_limit_options("unchanged; 0 takes it away")
def limit_team(name: str, **limits: int | None) -> None:
    """Set a team's limits; all its keys and people share them."""
    changes = _given_limits(limits)
    _require(changes)
    with desk() as d:
        changed = d.act("team.change", name, changes, lambda: d.store.change_team(name, changes))
    shown = {limit: value for limit in NAMES if (value := getattr(changed.limits, limit)) is not None}
    click.echo(f"Team '{changed.name}': " + (", ".join(f"{k} {v}" for k, v in shown.items()) or "no limits") + ".")


@team.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_teams(as_json: bool) -> None:
    """All teams."""
    with desk() as d:
        teams = [t.public() for t in d.store.teams()]
    if as_json:
        click.echo(orjson.dumps(teams).decode())
        return
    show_table(teams, ("id", "name", "models", "surfaces", "profile", *_set(teams), "created_at"))


def _given_limits(limits: dict[str, int | None]) -> dict[str, Any]:
    """The limits to change; 0 takes one away."""
    return {name: value or None for name, value in limits.items() if value is not None}


def _require(changes: dict[str, Any]) -> None:
    if not changes:
        raise UsageError("Nothing to change was given.", hint="See --help for what can be changed.")


def _set(rows: list[dict[str, Any]], shown: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The limits that any of the rows has: columns worth showing."""
    return tuple(name for name in NAMES if name not in shown and any(row[name] is not None for row in rows))


def _names(text: str | None) -> tuple[str, ...] | None:
    """Comma-separated names; None when the option is not given."""
    return tuple(filter(None, (name.strip() for name in text.split(",")))) if text is not None else None


def _scope(models: str | None, surfaces: str | None, profile: str | None) -> dict[str, Any]:
    """A team's scopes as far as they are given; 'all' takes a scope away."""
    given = {"models": _names(models), "surfaces": _names(surfaces), "profile": profile}
    return {name: None if value == ("all",) else value for name, value in given.items() if value is not None}


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


def show_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Rows as aligned columns, without frames: readable by people and by awk."""
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
