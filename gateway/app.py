"""Wiring: settings → stores → services → the public app and the admin app. Nothing else happens here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import NoReturn

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from gateway.api import admin, docs, docs_page, guard, health, models, moderations, prompts, surfaces
from gateway.api.edge import Edge
from gateway.api.messages import error_shape
from gateway.api.records import Audit, Records
from gateway.api.services import Services
from gateway.audit.log import AuditLog
from gateway.guardrails.policy import load_policy
from gateway.guardrails.types import Guardrails
from gateway.identity.administration import Administration
from gateway.identity.keyring import KeyRing
from gateway.identity.store import IdentityStore
from gateway.limits.memory import MemoryLimits
from gateway.limits.meter import Meter
from gateway.limits.shared import RedisLimits
from gateway.limits.window import LimitStore
from gateway.routing.pool import Pool
from gateway.routing.router import Router
from gateway.routing.upstream import Upstream
from gateway.server import bind, run
from gateway.storage.database import database_url, open_database
from gateway.storage.schema import prepare
from gateway.storage.secrets import secret_file
from gateway.telemetry import logs
from gateway.telemetry.metrics import Metrics
from kakehashi import __version__
from kakehashi.errors import ConfigError
from kakehashi.settings import Settings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
_SURFACES = {
    **{f"/v1{surface.path}": surface.name for surface in surfaces.SURFACES},
    "/v1/models": "models",
    "/v1/guard/scan": "guard.scan",
    "/v1/moderations": "moderations",
    "/v1/prompts": "prompts",
    "/health/live": "health",
    "/health/ready": "health",
    "/metrics": "metrics",
    "/admin/keys": "admin",
    "/admin/teams": "admin",
}
_ERROR_SHAPES = {
    f"/v1{surface.path}": error_shape for surface in surfaces.SURFACES if surface.path.startswith("/messages")
}


def create_app(settings: Settings, *, guardrails: Guardrails | None = None, audit: Audit | None = None) -> FastAPI:
    """The public app, ready to be served. Its lifespan opens and closes everything.

    ``guardrails`` and ``audit``: by default the configured policy and the audit log of the configured database.
    Raises ConfigError for settings that cannot work, NotReady when the database cannot be opened.
    """
    services = _services(settings, guardrails, audit)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with opened(services):
            yield

    app = _app(services, "Kakehashi gateway", lifespan=lifespan)
    for router in (models.router, prompts.router, guard.router, moderations.router, health.router):
        app.include_router(router)
    app.router.routes[:0] = surfaces.routes(services)  # first: routes are tried in order
    docs.describe(app)

    @app.get("/docs", include_in_schema=False)
    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_page.page(app.openapi(), str(request.base_url).rstrip("/")))

    return app


def serve(settings: Settings) -> None:
    """Run the public and the admin app until SIGTERM or Ctrl-C. Raises ConfigError, NotReady, UsageError (port)."""
    logs.set_up()
    gateway = settings.gateway
    listeners = [bind(gateway.host, gateway.port, "gateway.port")]
    if gateway.admin_port is not None:
        listeners.append(bind(gateway.host, gateway.admin_port, "gateway.admin_port"))
    public = create_app(settings)
    services: Services = public.state.services
    run(list(zip((public, create_admin_app(services)), listeners, strict=False)), opened(services))


def create_admin_app(services: Services) -> FastAPI:
    """The admin app on the services of a public app, which opens and closes them."""
    app = _app(services, "Kakehashi gateway: administration")
    app.include_router(admin.router)
    app.include_router(health.router)
    return app


def _app(services: Services, title: str, lifespan: Lifespan | None = None) -> FastAPI:
    app = FastAPI(
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
    app.add_middleware(Edge, metrics=services.metrics, surfaces=_SURFACES, shapes=_ERROR_SHAPES)
    return app


async def _to_the_edge(_: Request, error: Exception) -> NoReturn:
    """FastAPI's own errors are answered where all others are, in the shape of their surface."""
    raise error


def _services(settings: Settings, guardrails: Guardrails | None, audit: Audit | None) -> Services:
    gateway = settings.gateway
    engine = open_database(url := database_url(settings))
    prepare(engine)
    metrics = Metrics()
    log = audit or AuditLog(url, settings.home, keep_bodies=gateway.audit_bodies)
    records = Records(log, metrics, fail_closed=gateway.audit_fail_closed)
    identity = IdentityStore(engine)
    keys = KeyRing(identity.find_by_digest)
    pool = Pool(
        [_upstream(settings)],
        first_byte_timeout_s=gateway.first_byte_timeout_s,
        idle_timeout_s=gateway.idle_timeout_s,
    )
    return Services(
        settings=gateway,
        identity=identity,
        administration=Administration(records, changed=keys.forget),
        keys=keys,
        meter=Meter(_limits(gateway.redis_url)),
        pool=pool,
        router=Router(pool, gateway.models),
        guardrails=guardrails or load_policy(gateway.policy),
        records=records,
        metrics=metrics,
        salt_key=secret_file(settings.home.make().secrets / "cache-salt.key"),
    )


def _limits(redis_url: str | None) -> LimitStore:
    if redis_url is None:
        return MemoryLimits()
    if not redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError("gateway.redis_url must be a redis://… or rediss://… URL.")
    return RedisLimits(redis_url)


def _upstream(settings: Settings) -> Upstream:
    gateway, engine = settings.gateway, settings.engine
    url = gateway.upstream
    if url is None:
        external = engine.model.startswith(("http://", "https://"))
        url = engine.model if external else f"http://{engine.host}:{engine.port}/v1"
    return Upstream("engine", url, _api_key(settings), connect_timeout_s=gateway.connect_timeout_s)


def _api_key(settings: Settings) -> str | None:
    file = settings.gateway.upstream_api_key_file
    if file is None:
        return None
    try:
        key = file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"gateway.upstream_api_key_file cannot be read: {error.strerror}.") from error
    if not key.isascii() or not key.isprintable() or not key:
        raise ConfigError("gateway.upstream_api_key_file holds no key.")
    return key


@asynccontextmanager
async def opened(services: Services) -> AsyncIterator[None]:
    """Start the audit log and the probes; at the end stop them in the opposite order."""
    async with AsyncExitStack() as stack:
        stack.callback(services.identity.close)
        stack.push_async_callback(services.meter.store.close)
        await services.records.audit.start()
        stack.push_async_callback(services.records.audit.close)
        await services.pool.start()
        stack.push_async_callback(services.pool.close)
        yield
