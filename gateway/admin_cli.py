"""``kakehashi gateway``: adapters, routes and reload of a running gateway, over its admin API."""

from __future__ import annotations

import http.client
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
import orjson

from gateway.cli import show_table
from kakehashi.errors import KakehashiError, NotReady, UpstreamError, UsageError
from kakehashi.settings import load

TIMEOUT_S = 30.0
KEY_VARIABLE = "KAKEHASHI_ADMIN_KEY"


class AdminApi:
    """The admin API of one gateway. ``url``: its base, without path."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = urlsplit(url), key

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer. Raises UsageError (what was asked for cannot be done), NotReady, UpstreamError."""
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._url.netloc, timeout=TIMEOUT_S)
        try:
            connection.request(method, f"/admin/{path}", orjson.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            status, told = answer.status, _decoded(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise NotReady(
                f"The gateway's admin API at {self._url.netloc} does not answer ({type(error).__name__}).",
                hint="Start the gateway (kakehashi status), or name another with --url.",
            ) from error
        finally:
            connection.close()
        if status >= 400:
            raise _error(status, told)
        return told


def _decoded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _error(status: int, told: Any) -> KakehashiError:
    described = told.get("error") if isinstance(told, dict) else None
    message = str(described.get("message")) if isinstance(described, dict) else f"The admin API answered {status}."
    code = str(described.get("code") or "") if isinstance(described, dict) else ""
    if status in (401, 403):
        return UsageError(message, hint=f"Give an admin key: --key-file, or {KEY_VARIABLE}.", code=code)
    return UsageError(message, code=code) if status < 500 else UpstreamError(message, code=code)


def _api(url: str | None, key_file: Path | None) -> AdminApi:
    settings = load()
    if url is None:
        if settings.gateway.admin_port is None:
            raise UsageError("gateway.admin_port is switched off.", hint="Name the admin API with --url.")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.gateway.host, settings.gateway.host)  # noqa: S104
        url = f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway.admin_port}"
    return AdminApi(url, _key(key_file or settings.home.secrets / "admin.key", given=key_file is not None))


def _key(file: Path, *, given: bool) -> str:
    if not given and (key := os.environ.get(KEY_VARIABLE)):
        return key
    try:
        return file.read_text().strip()
    except OSError as error:
        raise UsageError(
            f"There is no admin key: {file.name} cannot be read ({error.strerror}).",
            hint=f"Give one with --key-file or {KEY_VARIABLE}; `kakehashi key create --name admin --admin` makes one.",
        ) from error


@click.group("gateway")
@click.option("--url", help="The admin API [http://gateway.host:gateway.admin_port].")
@click.option("--key-file", type=click.Path(path_type=Path), help="File with an admin key [secrets/admin.key].")
@click.pass_context
def gateway(context: click.Context, url: str | None, key_file: Path | None) -> None:
    """A running gateway: its adapters, its routes, its settings."""
    context.obj = lambda: _api(url, key_file)


def _ask(method: str, path: str, body: Any = None) -> Any:
    return click.get_current_context().obj().ask(method, path, body)


def _tell(told: Any) -> None:
    click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


@gateway.command("reload")
def reload_settings() -> None:
    """Read config.yaml and the policy again; errors leave everything as it is."""
    _tell(_ask("POST", "reload"))


_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@gateway.group()
def adapters() -> None:
    """LoRA adapters in $KAKEHASHI_HOME/adapters: which shall be loaded, which are."""


@adapters.command("list")
@_json
def list_adapters(as_json: bool) -> None:
    """All of them, and how each stands on every engine."""
    rows = _ask("GET", "adapters")["data"]
    if as_json:
        _tell(rows)
        return
    for row in rows:
        row["engines"] = [
            f"{r['upstream']}: {r['state']}{' – ' + r['reason'] if r['reason'] else ''}" for r in row["replicas"]
        ]
    show_table(rows, ("name", "wanted", "on_disk", "routes", "engines", "changed_at", "changed_by"))


@adapters.command("load")
@click.argument("name")
def load_adapter(name: str) -> None:
    """Have NAME@SHA12 loaded on every engine, now and after each restart."""
    _tell(_ask("PUT", f"adapters/{quote(name, safe='@')}"))


@adapters.command("withdraw")
@click.argument("name")
def withdraw_adapter(name: str) -> None:
    """Take NAME@SHA12 out of use; no route may lead to it any more."""
    _tell(_ask("DELETE", f"adapters/{quote(name, safe='@')}"))


@gateway.group()
def routes() -> None:
    """Where aliases lead, as of now."""


@routes.command("list")
@_json
def list_routes(as_json: bool) -> None:
    """Every alias in force, from the file or set at run time."""
    rows = _ask("GET", "routes")["data"]
    if as_json:
        _tell(rows)
        return
    for row in rows:
        route = row["route"] or {"targets": [], "fallbacks": [], "sticky": "", "shadow": None}
        row["targets"] = [f"{t['model']}={t['weight']:g}" for t in route["targets"]]
        row |= {"fallbacks": route["fallbacks"], "sticky": route["sticky"], "changed_by": row.get("changed_by")}
        row["shadow"] = f"{route['shadow']['model']}={route['shadow']['share']:g}" if route["shadow"] else None
        row["problem"] = row.get("problem")
    show_table(rows, ("alias", "source", "targets", "sticky", "fallbacks", "shadow", "changed_by", "problem"))


@routes.command("set")
@click.argument("alias")
@click.argument("targets", nargs=-1)
@click.option("--file", type=click.File("rb"), help="The whole route as JSON or YAML ('-': standard input).")
@click.option("--sticky", type=click.Choice(["user", "key", "conversation", "none"]), help="Who stays on one side.")
@click.option("--fallback", "fallbacks", multiple=True, help="Alias or model to ask when no target can answer.")
@click.option("--shadow", help="MODEL=SHARE: a copy of so many requests (0 to 1) goes there too.")
def set_route(
    alias: str, targets: tuple[str, ...], file: Any, sticky: str | None, fallbacks: tuple[str, ...], shadow: str | None
) -> None:
    """Set a route: TARGETS are MODEL=WEIGHT, the first is the stable one. What is not given has its default."""
    if bool(targets) == bool(file):
        raise UsageError("Give either targets (MODEL=WEIGHT …) or --file.")
    body = _from_file(file) if file else {"targets": [_weighted(target, "weight") for target in targets]}
    given = {
        "sticky": sticky,
        "fallbacks": list(fallbacks) or None,
        "shadow": _weighted(shadow, "share") if shadow else None,
    }
    _tell(_ask("PUT", f"routes/{quote(alias)}", body | {name: value for name, value in given.items() if value}))


@routes.command("reset")
@click.argument("alias")
def reset_route(alias: str) -> None:
    """Back to the configuration file's route."""
    _tell(_ask("DELETE", f"routes/{quote(alias)}"))


def _weighted(text: str, what: str) -> dict[str, Any]:
    """``MODEL=NUMBER`` as the API has it. Raises UsageError."""
    model, _, number = text.rpartition("=")
    try:
        return {"model": model or text, what: float(number) if model else 1.0}
    except ValueError:
        raise UsageError(f"'{text}' is not of the form MODEL=NUMBER.") from None


def _from_file(file: Any) -> dict[str, Any]:
    import yaml

    try:
        told = yaml.safe_load(file.read())
    except yaml.YAMLError as error:
        raise UsageError(f"The route cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise UsageError("The file must hold one route: {targets: [{model: …, weight: …}]}.")
    return told
