"""``kakehashi up | down | status | logs | serve | models``."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from kakehashi.errors import IntegrityError, KakehashiError, NotReady
from kakehashi.paths import home
from kakehashi.settings import Settings, load
from serving import access, components, prepare, process, runtime, source, supervisor
from serving import models as model_folders

QUIET_S = 10.0  # how often a log without a terminal hears what is being waited for
POLL_S = 0.5


class Screen:
    """Reports to the terminal: one line that changes while waiting; in a log, a line now and then."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._status = self.console.status("") if self.console.is_terminal else None
        self._told = 0.0

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)

    def waiting(self, text: str) -> None:
        if self._status is not None:
            self._status.update(f"Waiting for: {text}")
            self._status.start()
        elif time.monotonic() - self._told > QUIET_S:
            self._told = time.monotonic()
            self.say(f"Waiting for: {text}")

    def done(self) -> None:
        if self._status is not None:
            self._status.stop()


def show_addresses(settings: Settings) -> None:
    found = {component.name: component.url for component in components.components(settings)}
    click.echo("Kakehashi is running.")
    click.echo(f"  議事録 (minutes)     {found['minutes']}")
    click.echo(f"  提案書 (proposals)   {found['proposals']}")
    click.echo(f"  gateway (OpenAI API) {found['gateway']}   docs: {found['gateway'].removesuffix('/v1')}/docs")
    click.echo("  Stop: Ctrl-C or `make down`   State: `make status`   Logs: `make logs`")


def show_new_keys(keys: dict[str, str]) -> None:
    if not keys:
        return
    click.echo("New keys, shown this once (kept in KAKEHASHI_HOME/secrets, readable by you only):")
    for name, key in keys.items():
        click.echo(f"  {name:10} {key}")


def show_missing() -> None:
    """Repeat what the set-up could not install, with the one command that adds it."""
    file = home().run / "missing.json"
    if file.exists():
        body = orjson.loads(file.read_bytes())
        for item in body["missing"]:
            click.echo(f"Missing: {item['package']} ({item['for']})", err=True)
        click.echo(f"  → {body['command']}", err=True)


@click.command()
@click.option("--detach", is_flag=True, help="Run in the background; return when everything is healthy.")
def up(detach: bool) -> None:
    """Start engine, gateway and both apps; wait until each is healthy; keep them running until Ctrl-C."""
    settings = load()
    if process.read("supervisor") is not None:
        return _already(settings)
    with contextlib.suppress(FileNotFoundError):
        supervisor.rotate(home().logs / "supervisor.log")
    supervisor.check_ports(settings)
    if components.external_engine(settings) is None:
        prepare.engine_model(settings)
        runtime.python()
    if detach:
        return _detached(settings)
    try:
        with supervisor.sole():
            _foreground(settings)
    except supervisor.AlreadyRunning:
        _already(settings)


def _already(settings: Settings) -> None:
    states = {component.name: component.state for component in components.status(settings).components}
    if set(states.values()) <= {"running", "external"}:
        click.echo("Kakehashi is running already; nothing was changed.")
        show_addresses(settings)
    else:
        click.echo("Kakehashi is being started already; nothing was changed.")
        click.echo("  " + ", ".join(f"{name}: {state}" for name, state in states.items()))


def _foreground(settings: Settings) -> None:
    screen = Screen()
    show_new_keys(access.ensure())

    def ready() -> None:
        screen.done()
        show_addresses(settings)
        show_missing()
        (home().run / "ready").touch()

    (home().run / "ready").unlink(missing_ok=True)
    try:
        supervisor.Supervisor(settings, screen).run(ready)
    finally:
        screen.done()
        (home().run / "ready").unlink(missing_ok=True)
    click.echo("Everything is stopped.")


def _detached(settings: Settings) -> None:
    """Start a supervisor of its own session and follow it until it is ready. Keys are made here, not in its log."""
    home().make()
    show_new_keys(access.ensure())
    log, screen = home().logs / "supervisor.log", Screen()
    start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "kakehashi", "up"], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, env={**os.environ, "KAKEHASHI_HOME": str(home().root)},
        )  # fmt: skip
    began = time.monotonic()
    names = [component.name for component in components.components(settings) if not component.external]
    while child.poll() is None and not _is_ready(child.pid):
        waiting = [name for name in names if (r := process.read(name)) is None or not r.ready]
        screen.waiting(f"{', '.join(waiting)} ({time.monotonic() - began:.0f} s)")
        time.sleep(POLL_S)
    screen.done()
    if child.poll() is not None:
        said = log.read_bytes()[start:].decode(errors="replace").strip()
        raise NotReady(f"Kakehashi did not start.\n{said}", code="start_failed")
    show_addresses(settings)
    show_missing()


def _is_ready(pid: int) -> bool:
    record = process.read("supervisor")
    return record is not None and record.pid == pid and (home().run / "ready").exists()


@click.command()
def down() -> None:
    """Stop everything cleanly, also parts that were started singly."""
    settings = load()
    found = supervisor.stop_everything(settings, click.echo)
    click.echo("Everything is stopped." if found else "Nothing was running.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts; schema in docs/schemas/status.json.")
def status(as_json: bool) -> None:
    """What is running, where, in which state."""
    found = components.status(load())
    if as_json:
        click.echo(found.model_dump_json())
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("component", "state", "url", "pid", "version"):
        table.add_column(heading, no_wrap=True)
    for item in found.components:
        table.add_row(item.name, item.state, item.url, str(item.pid or "–"), item.version or "–")
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
    show_missing()


@click.command()
@click.argument("name", required=False, type=click.Choice([*components.NAMES, "supervisor"]))
@click.option("--follow", "-f", is_flag=True, help="Go on showing what comes.")
@click.option("--lines", "-n", default=50, show_default=True, help="How many lines of the past.")
def logs(name: str | None, follow: bool, lines: int) -> None:
    """Show or follow the logs: one part's, or all."""
    chosen = [name] if name else [*components.NAMES, "supervisor"]
    files = [file for part in chosen if (file := home().logs / f"{part}.log").exists()]
    if not files:
        click.echo("There are no logs yet.")
    elif follow:
        subprocess.run(["tail", "-n", str(lines), "-F", *files], check=False)
    else:
        for file in files:
            click.echo(f"==> {file.stem} <==" if len(files) > 1 else "", nl=len(files) > 1)
            click.echo(supervisor.tail(file.stem, lines))


@click.group()
def serve() -> None:
    """Start one part in the foreground."""


@serve.command("engine")
def serve_engine() -> None:
    """The language model server (vLLM)."""
    components.become("engine", load())


@serve.command("gateway")
@click.option("--upstream", help="Base URL (…/v1) of any OpenAI-compatible server.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--host", help="Address to listen on.")
@click.option(
    "--admin-port", type=click.IntRange(1, 65535), help="Port of the admin API [off with --upstream and --port]."
)
def serve_gateway(upstream: str | None, port: int | None, host: str | None, admin_port: int | None) -> None:
    """The gateway, alone or in front of any OpenAI-compatible server."""
    settings = load()
    changes: dict[str, object] = {"upstream": upstream, "port": port, "host": host, "admin_port": admin_port}
    given = {name: value for name, value in changes.items() if value is not None}
    if upstream and port and not admin_port:
        given["admin_port"] = None
    gateway = type(settings.gateway).model_validate(settings.gateway.model_dump() | given)
    components.become("gateway", settings.model_copy(update={"gateway": gateway}))


@serve.command("speech")
def serve_speech() -> None:
    """The speech worker (Whisper) behind the gateway's audio surfaces."""
    components.become("speech", load())


@serve.command("minutes")
def serve_minutes() -> None:
    """The minutes app."""
    components.become("minutes", load())


@serve.command("proposals")
def serve_proposals() -> None:
    """The proposals app."""
    components.become("proposals", load())


# -- models -----------------------------------------------------------------------------------------------------------


@click.group()
def models() -> None:
    """Fetch, verify and convert the models."""


class Bars:
    """A progress bar per model: bytes fetched, then parameters converted."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}

    def reporter(self, name: str) -> prepare.Report:
        def report(stage: str, done: int, total: int) -> None:
            label = f"{name} {stage}"
            if label not in self.tasks:
                self.tasks[label] = self.progress.add_task(label, total=total)
            self.progress.update(self.tasks[label], completed=done)

        return report


def _with_bars(work: Callable[[Bars], None]) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:24}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        work(Bars(progress))


def default_models(settings: Settings) -> list[str]:
    """What the settings need: speech and speaker models, and the language model where it is an embedded one."""
    speech = dict.fromkeys((settings.minutes.whisper, settings.speech.model))
    names = [model.removeprefix("embedded:") for model in speech if model.startswith("embedded:")]
    if components.external_engine(settings) is None:
        model = source.parse(settings.engine.model)
        names += [model.value] if model.kind == "embedded" else []
    return [*names, "speaker"]


@models.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--download-only", is_flag=True, help="Fetch and verify, but do not convert yet.")
def fetch_models(names: tuple[str, ...], download_only: bool) -> None:
    """Fetch and verify models and make them ready: by default those the settings need."""
    settings = load()
    chosen = list(names) or default_models(settings)
    for name in chosen:
        model_folders.embedded(name)

    def work(bars: Bars) -> None:
        for name in chosen:
            _one(settings, name, bars.reporter(name), download_only)
        if not names and not download_only and components.external_engine(settings) is None:
            prepare.prepare_engine(settings, bars.reporter(source.parse(settings.engine.model).name))

    _with_bars(work)


def _one(settings: Settings, name: str, report: prepare.Report, download_only: bool) -> None:
    precision = prepare.wanted_precision(settings, name)
    target = prepare.folder_of(name, precision)
    if prepare.is_ready(target):
        return
    began = time.monotonic()
    if download_only:
        prepare.fetch(name, report, precision)
        click.echo(f"{name}: fetched and verified in {time.monotonic() - began:.0f} s")
    else:
        prepare.prepare(name, report, precision)
        click.echo(f"{name}: ready in {time.monotonic() - began:.0f} s")


@models.command("list")
def list_models() -> None:
    """Which models there are, and which are ready."""
    for name, model in model_folders.registry().items():
        try:
            place = model_folders.path(name).relative_to(home().root).as_posix()
        except NotReady:
            place = "not fetched"
        click.echo(f"{name:14} {model.bytes / 1e6:6.0f} MB  {model.licence:11} {place:32} {model.title}")


@models.command("path")
@click.argument("name")
def model_path(name: str) -> None:
    """Where a model lies that is ready."""
    click.echo(model_folders.path(name))


@models.command("verify")
def verify_models() -> None:
    """Compare every file of every model with the hashes of its manifest."""
    found = sorted(home().models.glob(f"*/{model_folders.MANIFEST}"))
    if not found:
        raise NotReady("There are no models yet.", hint="Run: kakehashi models fetch")
    failed: list[str] = []
    for manifest in found:
        try:
            click.echo(f"{manifest.parent.name}: {model_folders.verify(manifest.parent)} files verified")
        except KakehashiError as error:
            failed.append(str(error))
    if failed:
        raise IntegrityError("\n".join(failed))
