"""The sign-in pages of an app: plain HTML forms beside Streamlit's page, since only a route can set an HttpOnly cookie.

Every form carries a token that its page's cookie repeats, and a request that a browser says comes from another site is
refused; the session's cookie is HttpOnly and SameSite=Lax. Passwords are in bodies only.
"""

from __future__ import annotations

import hmac
import html
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.common.i18n import Language, Texts
from apps.common.login import SESSION_COOKIE, Door, SignInNeeded
from apps.common.ui import company
from apps.common.ui.words import explain
from kakehashi.errors import KakehashiError, UsageError

FORM_COOKIE = "kakehashi_form"
_CODE_FILE = "secrets/first-account.code"  # on the gateway's machine
_HERE = Path(__file__).parent
_CSS = (_HERE / "sign_in.css").read_text()
_NEXT = re.compile(r"/(\?[A-Za-z0-9_=&.-]*)?")
_MAX_BODY_BYTES = 16 * 1024
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
}
Do = Callable[[FormData], str | None]


@dataclass(frozen=True)
class Field:
    """One field of a form: its name, the browser's hint what it is, and whether it is typed unseen."""

    name: str
    autocomplete: str
    secret: bool = False


_NAME, _PASSWORD = Field("name", "username"), Field("password", "current-password", secret=True)
_NEW, _AGAIN = Field("new", "new-password", secret=True), Field("again", "new-password", secret=True)
FORMS = {
    "sign_in": ("signin", (_NAME, _PASSWORD)),
    "first": ("signin/first", (Field("code", "off"), _NAME, _NEW, _AGAIN)),
    "password": ("signin/password", (Field("old", "current-password", secret=True), _NEW, _AGAIN)),
    "sign_out": ("signout", ()),
}


class Gate:
    """Sends a visitor who has to sign in, and opens the page itself, to the sign-in page."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "") if scope["type"] == "http" else ""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == f"{root}/":
            request = Request(scope)
            try:
                await run_in_threadpool(self._door.person, request.headers, request.cookies)
            except SignInNeeded:
                query = scope["query_string"].decode("latin-1")
                after = quote(f"/?{query}" if query else "/", safe="")
                await RedirectResponse(f"{root}/signin?next={after}", 303)(scope, receive, send)
                return
            except KakehashiError:
                pass  # the page says it, in its own frame
        await self.app(scope, receive, send)


class SignIn:
    """The routes. ``title``: the app's; ``language``: where the browser asks for neither Japanese nor English."""

    def __init__(self, door: Door, title: str, language: Language) -> None:
        self._door, self._title, self._language = door, title, language

    def routes(self) -> list[BaseRoute]:
        pages = {"sign_in": self.sign_in, "first": self.first, "password": self.password, "sign_out": self.sign_out}
        found: list[BaseRoute] = [
            Route("/" + FORMS[name][0], page, methods=["GET", "POST"]) for name, page in pages.items()
        ]
        return [*found, Route("/signin/company", self.company, methods=["GET"])]

    async def sign_in(self, request: Request) -> Response:
        """Local accounts: name and password. Company accounts: the way to the provider."""
        mode = await run_in_threadpool(self._door.mode)
        if mode == "oidc":
            if company.id_token(request) is not None:  # just back from the provider
                return RedirectResponse(self._base(request) + "/signin/company", 303)
            return self._page(request, "company")
        if mode != "local":
            return RedirectResponse(self._base(request) + "/", 303)
        standing = await run_in_threadpool(self._door.accounts.standing)
        if standing.accounts is False:
            return RedirectResponse(self._base(request) + "/signin/first", 303)
        return await self._form(request, "sign_in", self._do_sign_in)

    def _do_sign_in(self, form: FormData) -> str:
        return self._door.accounts.sign_in(_text(form, "name"), _text(form, "password"))

    async def first(self, request: Request) -> Response:
        """The first account, for who can read the code on the gateway's machine."""
        if (await run_in_threadpool(self._door.accounts.standing)).accounts is not False:
            return RedirectResponse(self._base(request) + "/signin", 303)
        return await self._form(request, "first", self._do_first)

    def _do_first(self, form: FormData) -> str:
        return self._door.accounts.create_first(_text(form, "code"), _text(form, "name"), _new_password(form))

    async def password(self, request: Request) -> Response:
        """A new password, for who is signed in."""
        token = request.cookies.get(SESSION_COOKIE, "")

        def do(form: FormData) -> None:
            self._door.accounts.change_password(token, _text(form, "old"), _new_password(form))

        return await self._form(request, "password", do)

    async def sign_out(self, request: Request) -> Response:
        """End the session, at the gateway too."""
        token = request.cookies.get(SESSION_COOKIE, "")

        def do(_: FormData) -> str:
            if token:
                self._door.accounts.sign_out(token)
            return ""

        return await self._form(request, "sign_out", do)

    async def company(self, request: Request) -> Response:
        """Back from the identity provider: its token becomes a session of ours."""
        token = company.id_token(request)
        if token is None:
            return RedirectResponse(self._base(request) + "/signin", 303)
        try:
            session = await run_in_threadpool(self._door.accounts.sign_in_company, token)
        except KakehashiError as error:
            answer = self._page(request, "company", error)
            company.forget(request, answer)  # or the page would try the same again
            return answer
        return self._signed(request, session, "/")

    # -- forms --------------------------------------------------------------------------------------------------------

    async def _form(self, request: Request, name: str, do: Do) -> Response:
        """Show a form, or do what it asks: ``do`` gives the session's token, "" to end it, None to leave it."""
        if request.method == "GET":
            return self._page(request, name)
        try:
            form = await _sent(request)
            token = await run_in_threadpool(do, form)
        except KakehashiError as error:
            return self._page(request, name, error)
        return self._signed(request, token, _next(_text(form, "next")))

    def _signed(self, request: Request, token: str | None, after: str) -> Response:
        base = self._base(request)
        answer = RedirectResponse(f"{base}/signin" if token == "" else base + after, 303, {"cache-control": "no-store"})
        if token:
            answer.set_cookie(SESSION_COOKIE, token, httponly=True, samesite="lax", secure=_https(request))
        elif token == "":
            answer.delete_cookie(SESSION_COOKIE)
            company.forget(request, answer)
        return answer

    def _page(self, request: Request, name: str, error: KakehashiError | None = None) -> Response:
        t = Texts(self._chosen(request))
        mark = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(18)
        body = self._company(request, t) if name == "company" else self._fields(request, t, name, mark)
        problem = ""
        if error is not None:
            message, hint = explain(error, t.language)
            problem = f'<p class="bad" role="alert"><b>{html.escape(message)}</b><br>{html.escape(hint)}</p>'
        text = _PAGE.format(
            lang=t.language,
            css=_CSS,
            bridge=_BRIDGE,
            title=html.escape(self._title_of(t)),
            head=html.escape(t(f"sign_in.{name}_title")),
            lead=html.escape(t(f"sign_in.{name}_lead", file=_CODE_FILE)),
            problem=problem,
            body=body,
            other=self._other_language(request, t),
        )
        status = 200 if error is None else (400 if isinstance(error, UsageError) else 503)
        answer = HTMLResponse(text, status, dict(_HEADERS))
        if FORM_COOKIE not in request.cookies:
            answer.set_cookie(FORM_COOKIE, mark, httponly=True, samesite="strict", secure=_https(request))
        return answer

    def _fields(self, request: Request, t: Texts, name: str, mark: str) -> str:
        path, fields = FORMS[name]
        action = f"{self._base(request)}/{path}?lang={t.language}"
        rows = "".join(_input(field, t(f"sign_in.{field.name}")) for field in fields)
        after = html.escape(_next(request.query_params.get("next", "/")))
        back = "" if name in ("sign_in", "first") else f'<a href="{self._base(request)}/">{t("sign_in.back")}</a>'
        return (
            f'<form method="post" action="{html.escape(action)}">{rows}'
            f'<input type="hidden" name="form" value="{html.escape(mark)}">'
            f'<input type="hidden" name="next" value="{after}">'
            f'<button type="submit">{html.escape(t(f"sign_in.{name}_do"))}</button>{back}</form>'
        )

    def _company(self, request: Request, t: Texts) -> str:
        address = f"{self._base(request)}/auth/login?provider={quote(company.provider_token())}"
        return f'<a class="button" href="{html.escape(address)}">{html.escape(t("sign_in.company_do"))}</a>'

    def _title_of(self, t: Texts) -> str:
        return t(f"{self._title}.title")

    def _chosen(self, request: Request) -> Language:
        asked = request.query_params.get("lang") or request.headers.get("accept-language", "")[:2]
        if asked in ("ja", "en"):
            return "ja" if asked == "ja" else "en"
        return self._language

    def _other_language(self, request: Request, t: Texts) -> str:
        code, label = ("en", "English") if t.language == "ja" else ("ja", "日本語")
        after = quote(_next(request.query_params.get("next", "/")), safe="")
        return f'<a lang="{code}" href="?lang={code}&amp;next={after}">{label}</a>'

    @staticmethod
    def _base(request: Request) -> str:
        return str(request.scope.get("root_path", ""))


async def _sent(request: Request) -> FormData:
    """The form, if this site's own page sent it. Raises UsageError."""
    site, origin = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin")
    own = site in ("same-origin", "none") and (origin is None or urlsplit(origin).netloc == request.headers.get("host"))
    declared = request.headers.get("content-length", "")
    if not own or not declared.isdigit() or int(declared) > _MAX_BODY_BYTES:
        raise UsageError("The form was not sent from this page.", code="sign_in_form")
    form = await request.form(max_files=0, max_fields=10)
    mark = request.cookies.get(FORM_COOKIE, "")
    if not mark or not hmac.compare_digest(mark.encode(), _text(form, "form").encode()):
        raise UsageError("The form was not sent from this page.", code="sign_in_form")
    return form


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _new_password(form: FormData) -> str:
    """Raises UsageError when the two do not agree."""
    new = _text(form, "new")
    if new != _text(form, "again"):
        raise UsageError("The two passwords differ.", code="passwords_differ")
    return new


def _next(address: str) -> str:
    """Where to go after signing in: this app's page only."""
    return address if _NEXT.fullmatch(address) else "/"


def _https(request: Request) -> bool:
    return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"


def _input(field: Field, label: str) -> str:
    kind = "password" if field.secret else "text"
    return (
        f'<label>{html.escape(label)}<input name="{field.name}" type="{kind}" required maxlength="200" '
        f'autocomplete="{field.autocomplete}" autocapitalize="none" spellcheck="false"></label>'
    )


_BRIDGE = (
    '<svg viewBox="0 0 48 48" aria-hidden="true">'
    '<path d="M3 34h42M6 34c0-12 8-20 18-20s18 8 18 20M15 34V19.5M24 34V14M33 34V19.5"/></svg>'
)
_PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{head} – 架け橋 {title}</title><style>{css}</style></head>
<body><main><div class="brand">{bridge}<b>架け橋</b><span>{title}</span></div>
<h1>{head}</h1><p class="lead">{lead}</p>{problem}{body}</main><footer>{other}</footer></body></html>
"""
