"""The parts of the running system: where each listens, how its health is asked, and how it is started."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Literal

from kakehashi import __version__, contracts
from kakehashi.errors import ConfigError
from kakehashi.paths import CHECKOUT
from kakehashi.settings import MinutesSettings, ProposalsSettings, Settings
from serving import engine, process, source

Name = Literal["engine", "gateway", "speech", "minutes", "proposals"]
NAMES: tuple[Name, ...] = ("engine", "gateway", "speech", "minutes", "proposals")
PROBE_S = 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 -- compared, not bound


@dataclass(frozen=True)
class Component:
    """``ports``: setting → port. ``grace_s``: how long it may take to end in order."""

    name: Name
    host: str
    ports: dict[str, int]
    path: str
    health: str
    start_timeout_s: float
    grace_s: float
    external: str | None = None

    @property
    def port(self) -> int:
        return next(iter(self.ports.values()))

    def address(self, port: int | None = None) -> str:
        host = _EVERYWHERE.get(self.host, self.host)
        return f"http://{host}:{port or self.port}"

    @property
    def url(self) -> str:
        return self.external or self.address() + self.path


def external_engine(settings: Settings) -> str | None:
    """The URL of a model server elsewhere, if the settings name one; then no engine is started here."""
    if settings.gateway.upstream:
        return settings.gateway.upstream
    model = source.parse(settings.engine.model)
    return model.value if model.kind == "url" else None


def components(settings: Settings) -> tuple[Component, ...]:
    """All parts in the order in which they start. Raises ConfigError if two want the same port."""
    gateway, apps = settings.gateway, (settings.minutes, settings.proposals)
    ports = {"gateway.port": gateway.port} | ({"gateway.admin_port": gateway.admin_port} if gateway.admin_port else {})
    timeout = settings.engine.start_timeout_s
    found: tuple[Component, ...] = (
        Component(
            "engine", settings.engine.host, {"engine.port": settings.engine.port}, "/v1", "/health", timeout, 30.0,
            external_engine(settings),
        ),
        Component("gateway", gateway.host, ports, "/v1", "/health/live", 90.0, gateway.drain_notice_s + gateway.drain_s + 10),
        *_speech(settings),
        Component("minutes", apps[0].host, {"minutes.port": apps[0].port}, "", "/_stcore/health", 120.0, 10.0),
        Component("proposals", apps[1].host, {"proposals.port": apps[1].port}, "", "/_stcore/health", 120.0, 10.0),
    )  # fmt: skip
    _check_distinct(found)
    return found


def _speech(settings: Settings) -> tuple[Component, ...]:
    """The speech worker, or the engine elsewhere that hears in its place."""
    speech, elsewhere = settings.speech, settings.gateway.speech
    if not speech.enabled and elsewhere is None:
        return ()
    return (Component("speech", speech.host, {"speech.port": speech.port}, "/v1", "/health", 60.0, 10.0, elsewhere),)


def _check_distinct(found: tuple[Component, ...]) -> None:
    used: dict[int, str] = {}
    for component in found:
        for setting, port in component.ports.items() if not component.external else ():
            if port in used:
                raise ConfigError(f"{setting} and {used[port]} are both {port}.", hint="Give each part its own port.")
            used[port] = setting


def get(url: str, timeout_s: float = PROBE_S, key: str | None = None) -> tuple[int, bytes]:
    """(status, body) of an HTTP GET; status 0 when nobody answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # parts of this machine need no proxy
    try:
        with direct.open(request, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""
    except OSError:
        return 0, b""


def healthy(component: Component, port: int | None = None) -> bool:
    return get(component.address(port) + component.health)[0] == 200


def _engine_version(component: Component, port: int | None) -> str | None:
    status, body = get(f"{component.address(port)}/version")
    _, listed = get(f"{component.address(port)}/v1/models")
    if status != 200 or not listed:
        return None
    return f"vLLM {json.loads(body)['version']}, {json.loads(listed)['data'][0]['id']}"


def look(component: Component) -> contracts.Component:
    """One component as it is now: asked, not remembered."""
    record = process.read(component.name)
    version = None if component.name == "engine" else __version__
    if record is None:
        state: Literal["external", "stopped"] = "external" if component.external else "stopped"
        return contracts.Component(name=component.name, url=component.url, pid=None, state=state, version=version)
    now: Literal["running", "starting", "unhealthy"] = "running"
    if not healthy(component, record.port):
        young = time.time() - record.since < component.start_timeout_s
        now = "starting" if young and not record.ready else "unhealthy"
    elif component.name == "engine":
        version = _engine_version(component, record.port)
    url = component.address(record.port) + component.path
    return contracts.Component(name=component.name, url=url, pid=record.pid, state=now, version=version)


def status(settings: Settings) -> contracts.Status:
    return contracts.Status(components=[look(component) for component in components(settings)])


# -- running one part in this process ---------------------------------------------------------------------------------


def become(name: Name, settings: Settings) -> None:
    """Turn this process into the part; it returns only when the gateway ends, the others are replaced or raise."""
    component = next((c for c in components(settings) if c.name == name), None)
    if component is None:
        raise ConfigError(f"The {name} is switched off.", hint=f"Set {name}.enabled (KAKEHASHI_{name.upper()}__ENABLED).")
    if os.environ.get("KAKEHASHI_SUPERVISED"):
        process.die_with_parent()
    if component.external:
        raise ConfigError(f"The {name} is external ({component.external}): there is nothing to start here.")
    settings.home.make()
    for port in component.ports.values():
        if not process.port_is_free(component.host, port):
            raise taken(component, port)
    claimed = process.read(name) is None
    if claimed:
        process.write(name, os.getpid(), component.port)
    try:
        _serve(name, settings)
    finally:
        if claimed:
            process.forget(name)


def taken(component: Component, port: int) -> ConfigError:
    """The error for a port in use: which, by whom, and the setting to change."""
    setting = next(name for name, number in component.ports.items() if number == port)
    variable = "KAKEHASHI_" + setting.upper().replace(".", "__")
    ours = next((n for n in NAMES if (r := process.read(n)) and r.port == port), None)
    who = f"Kakehashi's own {ours}, started singly" if ours else process.port_owner(port)
    hint = "Stop it with: kakehashi down" if ours else f"Stop that program, or choose another port: {variable}=…"
    return ConfigError(f"Port {port} for the {component.name} is taken by {who}.", hint=hint, code="port_taken")


def _serve(name: Name, settings: Settings) -> None:
    if name == "engine":
        engine.run(settings)
    elif name == "gateway":
        from gateway import app  # the other parts must not pay for this import

        app.serve(settings)
    elif name == "speech":
        from serving.speech import app as worker

        worker.serve(settings.speech, settings.home)
    else:
        app_settings = settings.minutes if name == "minutes" else settings.proposals
        command = streamlit_command(name, app_settings)
        os.chdir(CHECKOUT)
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 -- a fixed argument list, no shell


def streamlit_command(name: str, app: MinutesSettings | ProposalsSettings) -> list[str]:
    """Streamlit on one page file: no telemetry, no file watcher, cross-site protection on."""
    upload = app.max_upload_mib if isinstance(app, MinutesSettings) else app.max_attachment_mib
    options = {
        "server.address": app.host,
        "server.port": app.port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "server.maxUploadSize": upload,
        "server.enableXsrfProtection": "true",
        "server.enableCORS": "true",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "minimal",
    }
    page = CHECKOUT / "apps" / name / "ui" / "main.py"
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(page),
        *(f"--{key}={value}" for key, value in options.items()),
    ]
