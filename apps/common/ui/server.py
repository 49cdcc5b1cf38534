"""The server of an app: Streamlit's page, our routes for uploads and audio beside it, and the job worker under it.

``streamlit run apps/<app>/ui/main.py`` finds the ``App`` in that file and serves it with uvicorn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.starlette import App

from apps.common.jobs.supervise import WorkerProcess
from apps.common.login import COOKIE, new_token
from apps.common.ui.company import auth_section
from apps.common.ui.context import AppContext
from apps.common.ui.frame import unexpected
from apps.common.ui.sign_in import Gate, SignIn
from apps.common.ui.transfer import Transfer
from apps.common.ui.words import Localise

_YEAR_S = 365 * 24 * 3600


class BrowserCookie:
    """Gives each browser a cookie of its own with its first page, by which it finds its jobs again."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_page(scope) or self._has_cookie(scope):
            await self.app(scope, receive, send)
            return

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", self._cookie(scope).encode())]
            await send(message)

        await self.app(scope, receive, with_cookie)

    @staticmethod
    def _is_page(scope: Scope) -> bool:
        """Only the document itself: the page's many files load together and would each get another cookie."""
        return bool(scope["method"] == "GET" and scope["path"] == f"{scope.get('root_path', '')}/")

    @staticmethod
    def _has_cookie(scope: Scope) -> bool:
        return any(k == b"cookie" and COOKIE in SimpleCookie(v.decode("latin-1")) for k, v in scope["headers"])

    @staticmethod
    def _cookie(scope: Scope) -> str:
        proto = dict(scope["headers"]).get(b"x-forwarded-proto", scope["scheme"].encode())
        secure = "; Secure" if proto == b"https" else ""
        return f"{COOKIE}={new_token()}; Path=/; Max-Age={_YEAR_S}; HttpOnly; SameSite=Lax{secure}"


class Headers:
    """On every answer: nobody else frames the page, no type is guessed, no address leaks to other sites."""

    HEADERS = (
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"SAMEORIGIN"),
        (b"referrer-policy", b"same-origin"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self.HEADERS]
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)


def lifespan(worker_module: str) -> Callable[[App], AbstractAsyncContextManager[dict[str, Any] | None]]:
    """Keep the job worker running as long as the server runs: interrupted jobs go on without anybody opening a page."""

    @asynccontextmanager
    async def run(_app: App) -> AsyncIterator[None]:
        worker = WorkerProcess(worker_module)
        worker.start()
        try:
            yield
        finally:
            worker.stop()

    return run


def parts(
    ctx: AppContext,
    worker_module: str,
    check: Callable[[Path, str, str], None],
    localise: Localise,
    extra: Sequence[BaseRoute] = (),
) -> dict[str, Any]:
    """The arguments of Streamlit's ``App`` for an app. ``check`` looks at a complete upload (see Transfer)."""
    transfer = Transfer(ctx.uploads, ctx.door, check, localise)
    sign_in = SignIn(ctx.door, ctx.name, ctx.settings.language)
    company = ctx.settings.company
    return {
        "secrets": {"auth": auth_section(company, ctx.own, ctx.port, ctx.settings.home.secrets)} if company else None,
        "lifespan": lifespan(worker_module),
        "on_script_error": unexpected,
        "routes": [*transfer.routes(), *sign_in.routes(), *extra],
        "middleware": [Middleware(Headers), Middleware(Gate, door=ctx.door), Middleware(BrowserCookie)],
    }
