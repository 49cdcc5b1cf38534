"""``kakehashi config``: check the settings, show those in force, explain one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
import orjson
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from kakehashi.config import reach
from kakehashi.config.check import check, hidden, usable, value_of, variable_of
from kakehashi.config.document import Key
from kakehashi.config.problems import Problem
from kakehashi.config.sources import Sources, every_setting
from kakehashi.errors import ConfigError, UsageError
from kakehashi.paths import home
from kakehashi.settings import Settings

_file_option = click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Another file than $KAKEHASHI_HOME/config.yaml.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group()
def config() -> None:
    """Check the settings, show those in force, explain one."""


@config.command("check")
@_file_option
@click.option("--connect", is_flag=True, help="Also ask the servers that the settings name.")
@_json_option
def check_command(file: Path | None, connect: bool, as_json: bool) -> None:
    """Every error in the settings at once: where, what, and how to fix it. Exit code 2 when there is one."""
    sources, problems = _checked(file)
    if connect:
        problems = [*problems, *reach.unreachable(sources, usable(sources))]
    errors = [problem for problem in problems if problem.severity == "error"]
    if as_json:
        answer = {"ok": not errors, "problems": [problem.public() for problem in problems]}
        click.echo(orjson.dumps(answer).decode())
    else:
        _tell(sources, problems, len(errors))
    if errors:
        sys.exit(ConfigError.exit_code)


def _checked(file: Path | None) -> tuple[Sources, list[Problem]]:
    where = file or home().config
    try:
        return check(where, os.environ, home())
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}.") from error


def _tell(sources: Sources, problems: list[Problem], errors: int) -> None:
    for problem in problems:
        click.echo(problem.line())
    read = [sources.document.file.name] if sources.document.file.exists() else []
    read += [f"{len(sources.variables)} environment variable{'s'[: len(sources.variables) != 1]}"]
    warnings = len(problems) - errors
    result = (
        f"{errors} error{'s'[: errors != 1]}, {warnings} warning{'s'[: warnings != 1]}" if problems else "no problem"
    )
    click.echo(f"Checked {' and '.join(read)}: {result}.")


@config.command("show")
@click.option("--changed", is_flag=True, help="Only what differs from the default.")
@_file_option
@_json_option
def show(changed: bool, file: Path | None, as_json: bool) -> None:
    """The settings in force and where each comes from; passwords are hidden."""
    sources, problems = _checked(file)
    settings = usable(sources)
    rows = [row for row in _rows(sources, settings) if not changed or row["origin"] != "default"]
    if as_json:
        click.echo(
            orjson.dumps({row["key"]: {"value": row["value"], "origin": row["origin"]} for row in rows}).decode()
        )
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("setting", "value", "from"):
            table.add_column(heading, no_wrap=True)
        for row in rows:
            table.add_row(row["key"], _text(row["value"]), row["origin"])
        Console(highlight=False, markup=False, width=200).print(table)
    if any(problem.severity == "error" for problem in problems):
        click.echo("Some settings are wrong and shown with their defaults: kakehashi config check", err=True)


def _rows(sources: Sources, settings: Settings) -> Iterator[dict[str, Any]]:
    for key, _ in every_setting():
        given = _is_given(sources, key)
        origin = str(sources.origin(key)) if given else "default"
        yield {"key": ".".join(map(str, key)), "value": _plain(value_of(settings, key)), "origin": origin}


def _is_given(sources: Sources, key: Key) -> bool:
    value: Any = sources.merged()
    for part in key:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, Path):
        return str(value)
    return value


def _text(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


@config.command("explain")
@click.argument("key")
def explain(key: str) -> None:
    """What a setting means, its type, default, environment variable, value in force; or all of a section."""
    settings = {".".join(map(str, name)): (name, field) for name, field in every_setting()}
    chosen = [name for name in settings if name == key or name.startswith(f"{key}.")]
    if not chosen:
        close = get_close_matches(key, settings, 3, 0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else "kakehashi config show lists them all."
        raise UsageError(f"There is no setting '{key}'.", hint=hint, code="unknown_setting")
    sources, _ = _checked(None)
    in_force = usable(sources)
    for name in chosen:
        parts, field = settings[name]
        click.echo("\n".join(_explained(sources, in_force, parts, field)))


def _explained(sources: Sources, settings: Settings, key: Key, field: FieldInfo) -> Iterator[str]:
    kind = field.annotation.__name__ if isinstance(field.annotation, type) else str(field.annotation)
    yield ".".join(map(str, key)) + (f": {field.description}" if field.description else "")
    yield f"  type     {kind.replace('typing.', '').replace('pathlib.', '')}"
    yield f"  default  {_text(_plain(field.get_default(call_default_factory=True, validated_data={})))}"
    yield f"  variable {variable_of(key)}"
    origin = sources.origin(key) if _is_given(sources, key) else "default"
    yield f"  now      {_text(_plain(value_of(settings, key)))} (from {origin})"
