"""Wiring: settings → stores → services → the public app and the admin app. Nothing else happens here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import NoReturn

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api import (
    admin,
    admin_audit,
    admin_batches,
    admin_live,
    admin_reload,
    admin_routing,
    admin_usage,
    admin_users,
    audio,
    batches,
    docs,
    docs_page,
    files,
    guard,
    health,
    models,
    moderations,
    prompts,
    roles,
    session,
    surfaces,
)
from gateway.api.acts import Swept
from gateway.api.edge import Edge
from gateway.api.ids import new_request_id
from gateway.api.messages import error_shape
from gateway.api.records import Audit, Records
from gateway.api.services import Services, Speech
from gateway.api.shadowing import Shadows
from gateway.audit.crypto import Vault
from gateway.audit.keeping import Keeping
from gateway.audit.log import AuditLog
from gateway.batches.files import FileStore
from gateway.batches.runner import BatchRunner, Pace
from gateway.batches.store import BatchStore
from gateway.guardrails.current import CurrentPolicy
from gateway.guardrails.policy import load_policy
from gateway.guardrails.types import Guardrails
from gateway.identity.administration import Act, Administration
from gateway.identity.keyring import KeyRing
from gateway.identity.oidc import Oidc
from gateway.identity.people import People
from gateway.identity.sessions import Sessions
from gateway.identity.store import IdentityStore
from gateway.identity.users import UserStore
from gateway.ledger.prices import Prices, price_table
from gateway.ledger.recovery import recover
from gateway.ledger.store import Ledger
from gateway.limits.memory import MemoryLimits
from gateway.limits.meter import Meter
from gateway.limits.spec import Limits, Rules
from gateway.limits.window import Calendar, LimitStore
from gateway.reloading import Parts, Reloader, again
from gateway.routing.adapters import AdapterFolder
from gateway.routing.budget import RetryBudget
from gateway.routing.pool import Pool
from gateway.routing.router import Router
from gateway.routing.steering import Steering
from gateway.routing.store import RoutingStore
from gateway.routing.table import Members, routing_table, speech_table
from gateway.server import Orders, bind, run
from gateway.storage.database import database_url, open_database
from gateway.storage.schema import prepare
from gateway.storage.secrets import read_secret, secret_file
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.otlp import Tracer
from kakehashi import __version__
from kakehashi.errors import ConfigError, KakehashiError
from kakehashi.settings import GatewaySettings, Settings, load

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
_SURFACES = {
    **{f"/v1{surface.path}": surface.name for surface in surfaces.SURFACES},
    **{f"/v1{surface.path}": surface.name for surface in audio.SURFACES},
    "/v1/models": "models",
    "/v1/guard/scan": "guard.scan",
    "/v1/moderations": "moderations",
    "/v1/prompts": "prompts",
    "/v1/files": "files",
    "/v1/batches": "batches",
    "/livez": "health",
    "/readyz": "health",
    "/health/live": "health",
    "/health/ready": "health",
    "/metrics": "metrics",
    "/v1/session": "session",
    "/admin": "admin",
}
_ERROR_SHAPES = {
    f"/v1{surface.path}": error_shape for surface in surfaces.SURFACES if surface.path.startswith("/messages")
}


def create_app(
    settings: Settings,
    *,
    guardrails: Guardrails | None = None,
    audit: Audit | None = None,
    read: Callable[[], Settings] | None = None,
) -> FastAPI:
    """The public app, ready to be served. Its lifespan opens and closes everything.

    ``guardrails`` and ``audit``: by default the configured policy and the audit log of the configured database;
    ``read``: the settings anew, for a reload (default: they never change).
    Raises ConfigError for settings that cannot work, NotReady when the database cannot be opened.
    """
    services = _services(settings, guardrails, audit, read or (lambda: settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with opened(services):
            yield

    app = _app(services, "Kakehashi gateway", lifespan=lifespan)
    for part in (models, prompts, guard, moderations, files, batches, session, health):
        app.include_router(part.router)
    for route in (*surfaces.routes(services), *audio.routes(services)):
        app.serve_first(route)
    services.batches.serve_with(app)
    docs.describe(app)

    @app.get("/docs", include_in_schema=False)
    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_page.page(app.openapi(), str(request.base_url).rstrip("/")))

    return app


def serve(settings: Settings) -> None:
    """Run the public and the admin app until SIGTERM or Ctrl-C. Raises ConfigError, NotReady, UsageError (port)."""
    gateway = settings.gateway
    logs.set_up(gateway.log_format)
    listeners = [bind(gateway.host, gateway.port, "gateway.port")]
    if gateway.admin_port is not None:
        listeners.append(bind(gateway.host, gateway.admin_port, "gateway.admin_port"))
    public = create_app(settings, read=again(settings, load))
    services: Services = public.state.services
    run(
        list(zip((public, create_admin_app(services)), listeners, strict=False)),
        opened(services),
        Orders(services.draining.set, partial(_reload, services), gateway.drain_notice_s, gateway.drain_s),
    )


async def _reload(services: Services) -> None:
    """On SIGHUP. What is wrong is logged, and everything stays as it was."""
    try:
        await admin_reload.reload(services, Act(new_request_id(), "config.reload", "", {}, app="signal"))
    except KakehashiError as error:
        logging.getLogger("gateway.reload").error("Nothing was reloaded: %s", error)


def create_admin_app(services: Services) -> FastAPI:
    """The admin app on the services of a public app, which opens and closes them."""
    app = _app(services, "Kakehashi gateway: administration")
    parts = (
        roles,
        admin,
        admin_users,
        admin_audit,
        admin_live,
        admin_batches,
        admin_usage,
        admin_routing,
        admin_reload,
    )
    for part in (*parts, health):
        app.include_router(part.router)
    return app


class GatewayApp(FastAPI):
    """FastAPI; but requests to models go straight to their endpoints, inside an :class:`Edge` of their own.

    FastAPI's and Starlette's layers before an endpoint cost more CPU than a short chat's whole way through the pipeline,
    and everything they do is done there.
    """

    straight: dict[str, ASGIApp]

    def serve_first(self, route: Route) -> None:
        """Serve a POST route straight. It stays in the router for its other methods, which are errors."""
        self.straight[route.path] = _edge(self.state.services, route.endpoint)
        self.router.routes.insert(0, route)  # first: routes are tried in order

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and (found := self.straight.get(scope["path"])):
            await found(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _edge(services: Services, app: ASGIApp) -> Edge:
    return Edge(app, metrics=services.metrics, surfaces=_SURFACES, shapes=_ERROR_SHAPES, tracer=services.tracer)


def _app(services: Services, title: str, lifespan: Lifespan | None = None) -> GatewayApp:
    app = GatewayApp(
        title=title,
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False},
        exception_handlers={HTTPException: _to_the_edge, RequestValidationError: _to_the_edge},
    )
    app.state.services = services
    app.straight = {}
    app.add_middleware(Edge, metrics=services.metrics, surfaces=_SURFACES, shapes=_ERROR_SHAPES, tracer=services.tracer)
    return app


async def _to_the_edge(_: Request, error: Exception) -> NoReturn:
    """FastAPI's own errors are answered where all others are, in the shape of their surface."""
    raise error


def _services(
    settings: Settings, guardrails: Guardrails | None, audit: Audit | None, read: Callable[[], Settings]
) -> Services:
    gateway = settings.gateway
    engine = open_database(url := database_url(settings))
    prepare(engine)
    metrics = Metrics()
    log = audit or AuditLog(url, settings.home, keep_bodies=gateway.audit_bodies)
    records = Records(log, metrics, fail_closed=gateway.audit_fail_closed)
    identity = IdentityStore(engine)
    calendar, prices = Calendar(gateway.timezone), Prices(price_table(gateway.prices))
    ledger = Ledger(engine, calendar)
    limits = {name: Limits(**section.model_dump()) for name, section in gateway.limits.items()}
    people = _people(settings, engine, identity)
    oidc = people.oidc.caller if people.oidc else None
    keys = KeyRing(identity.find_by_digest, session=people.sessions.find, oidc=oidc)
    table = routing_table(settings)
    members = Members(table)
    pool = Pool(
        members.first,
        table.timeouts,
        attempts=table.attempts,
        budget=RetryBudget(table.retry_share),
        queue_length=gateway.queue_length,
        queue_wait_s=gateway.queue_wait_s,
    )
    metrics.watch_pool(pool)
    router = Router(pool, table.plans)
    steering = Steering(table, members, router, RoutingStore(engine), AdapterFolder(settings.home.adapters))
    meter = Meter(_limits(gateway.redis_url), books=ledger, prices=prices, calendar=calendar, rules=Rules.of(limits))
    speech = _speech(settings)

    def policy_of(gateway: GatewaySettings) -> Guardrails:
        return guardrails or load_policy(gateway.policy)

    policy = CurrentPolicy(policy_of(gateway))
    salt_key = secret_file(settings.home.make().secrets / "cache-salt.key")
    parts = Parts(identity, keys, meter, ledger, policy, steering, speech)
    return Services(
        settings=gateway,
        identity=identity,
        administration=Administration(records, changed=keys.forget),
        keys=keys,
        people=people,
        meter=meter,
        ledger=ledger,
        pool=pool,
        router=router,
        steering=steering,
        guardrails=policy,
        records=records,
        metrics=metrics,
        salt_key=salt_key,
        shadows=Shadows(router, policy, records, meter, salt_key),
        tracer=_tracer(gateway),
        keeping=Keeping(log, gateway, metrics.anchored) if isinstance(log, AuditLog) else None,
        batches=_batches(settings, engine, identity, records),
        speech=speech,
        reloader=Reloader(settings, parts, read, policy_of),
        scratch=settings.home.run,
    )


def _people(settings: Settings, engine: sa.Engine, identity: IdentityStore) -> People:
    users, configured = UserStore(engine, identity), settings.gateway.oidc
    return People(
        users=users,
        sessions=Sessions(engine, identity, users, hours=settings.gateway.session_hours),
        oidc=Oidc(configured, identity.team) if configured else None,
        secrets=settings.home.make().secrets,
    )


def _tracer(gateway: GatewaySettings) -> Tracer | None:
    if gateway.otlp_endpoint is None:
        return None
    headers = _headers(gateway.otlp_headers_file) if gateway.otlp_headers_file else {}
    return Tracer(
        gateway.otlp_endpoint, headers=headers, ratio=gateway.trace_sample_ratio, content=gateway.trace_content
    )


def _headers(file: Path) -> dict[str, str]:
    """``name: value`` lines; the values are secrets and stay out of every message."""
    setting = "gateway.otlp_headers_file"
    headers: dict[str, str] = {}
    for number, line in enumerate(read_secret(file, setting).splitlines(), 1):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not (
            colon and name.isascii() and value.isascii() and name.replace("-", "").isalnum() and value.isprintable()
        ):
            raise ConfigError(f"{setting}: line {number} is not of the form 'name: value'.")
        headers[name] = value
    return headers


def _speech(settings: Settings) -> Speech:
    table = speech_table(settings)
    members = Members(table)
    pool = Pool(members.first, table.timeouts, attempts=table.attempts)
    return Speech(Router(pool, table.plans), pool, members)


def _batches(settings: Settings, engine: sa.Engine, identity: IdentityStore, records: Records) -> BatchRunner:
    gateway, vault = settings.gateway, Vault.open(settings.home.make().secrets)
    store = BatchStore(engine, f"runner-{token_hex(8)}", gateway.batch_lease_s)
    pace = Pace(gateway.batch_parallel, gateway.batch_lease_s, gateway.max_body_bytes)
    files = FileStore(engine, vault)
    return BatchRunner(store, files, vault, identity.usable_key, pace, Swept(records).record)


def _limits(redis_url: str | None) -> LimitStore:
    if redis_url is None:
        return MemoryLimits()
    if not redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError("gateway.redis_url must be a redis://… or rediss://… URL.")
    from gateway.limits.shared import RedisLimits  # Redis' client is long to load, and few need it

    return RedisLimits(redis_url)


@asynccontextmanager
async def opened(services: Services) -> AsyncIterator[None]:
    """Start the audit log and the probes; at the end stop them in the opposite order."""
    async with AsyncExitStack() as stack:
        stack.callback(services.identity.close)
        stack.push_async_callback(services.meter.close)
        if services.tracer is not None:
            await services.tracer.start()
            stack.push_async_callback(services.tracer.close)
        if services.keeping:
            stack.push_async_callback(services.keeping.finish)
        await services.records.audit.start()
        stack.push_async_callback(services.records.audit.close)
        await asyncio.to_thread(recover, services.ledger, services.meter.prices, services.records.audit)
        await services.meter.start()
        if services.keeping:
            services.keeping.start()
            stack.push_async_callback(services.keeping.stop)
        await services.pool.start()
        stack.push_async_callback(services.pool.close)
        stack.push_async_callback(services.shadows.close)
        await services.steering.start()
        stack.push_async_callback(services.steering.close)
        await services.speech.pool.start()
        stack.push_async_callback(services.speech.pool.close)
        await services.batches.start()
        stack.push_async_callback(services.batches.close)
        yield
