"""``kakehashi user``: local accounts, straight on the database, recorded like every act of administration."""

from __future__ import annotations

import click
import orjson

from gateway.cli import Desk, desk, show_table
from gateway.identity import passwords
from gateway.identity.people import FIRST_CODE
from gateway.identity.scopes import ROLES
from gateway.identity.users import UserSpec, UserStore
from kakehashi.errors import UsageError


@click.group()
def user() -> None:
    """Local accounts of people: create, list, roles, password, disable, enable."""


_roles = click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="May be given more than once.")
_generate = click.option("--generate", is_flag=True, help="Make a password and print it this once.")


@user.command("create")
@click.argument("name")
@_roles
@click.option("--email", help="E-mail address.")
@click.option("--team", help="The team whose limits and scopes count (name or id).")
@_generate
def create(name: str, roles: tuple[str, ...], email: str | None, team: str | None, generate: bool) -> None:
    """Make an account; its password is asked for, twice. Without --role it has the role user."""
    password = _password(generate)
    spec = UserSpec(name, roles or ("user",), email, team, password)
    with desk() as d:
        details = {"roles": spec.roles, "email": email, "team": team}
        made = d.act("user.create", name, details, lambda: _users(d).create(spec))
        (d.settings.home.secrets / FIRST_CODE).unlink(missing_ok=True)
    click.echo(f"User '{made.name}' is made ({made.id}): {', '.join(made.roles)}.", err=True)
    _show(password, generate)


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_users(as_json: bool) -> None:
    """All accounts."""
    with desk() as d:
        rows = [u.public() for u in _users(d).users()]
    if as_json:
        click.echo(orjson.dumps(rows).decode())
        return
    show_table(rows, ("id", "name", "roles", "team", "state", "email", "created_at"))


@user.command("roles")
@click.argument("name")
@_roles
def roles(name: str, roles: tuple[str, ...]) -> None:
    """Give an account these roles, in place of the ones it has."""
    if not roles:
        raise UsageError("No role was given.", hint=f"Give --role, one of {', '.join(ROLES)}.")
    with desk() as d:
        changed = d.act("user.change", name, {"roles": roles}, lambda: _users(d).change(name, {"roles": roles}))
    click.echo(f"User '{changed.name}' has the roles {', '.join(changed.roles)}.")


@user.command("password")
@click.argument("name")
@_generate
def password(name: str, generate: bool) -> None:
    """Give an account a new password; its sessions end."""
    with desk() as d:
        found = _users(d).user(name)
        new = _password(generate)
        d.act("user.password", name, {}, lambda: _users(d).set_password(found.id, new))
    click.echo(f"User '{found.name}' has a new password.", err=True)
    _show(new, generate)


@user.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Disable an account; its sessions end within a second."""
    with desk() as d:
        changed = d.act("user.disable", name, {}, lambda: _users(d).change(name, {"disabled": True}))
    click.echo(f"User '{changed.name}' is disabled.")


@user.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Enable a disabled account again."""
    with desk() as d:
        changed = d.act("user.enable", name, {}, lambda: _users(d).change(name, {"disabled": False}))
    click.echo(f"User '{changed.name}' is enabled.")


def _users(d: Desk) -> UserStore:
    return UserStore(d.store.engine, d.store)


def _password(generate: bool) -> str:
    if generate:
        return passwords.generated()
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _show(password: str, generate: bool) -> None:
    """A generated password, alone on standard output."""
    if generate:
        click.echo(password)
