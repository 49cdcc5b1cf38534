"""The apps' sign-in pages on a real gateway: who gets in, what the cookies are, what another site cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from apps.common.accounts import Accounts
from apps.common.login import SESSION_COOKIE, Door, SignInNeeded
from apps.common.ui.sign_in import FORM_COOKIE, Gate, SignIn
from apps.common.ui.transfer import owner_of
from gateway.identity.people import FIRST_CODE
from gateway.identity.users import UserSpec
from kakehashi.errors import KakehashiError, NotReady
from kakehashi.settings import AppSettings
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway

PASSWORD, OTHER = "花が咲く丘の上の白い家にて", "correct horse battery"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, engine: FakeUpstream) -> Iterator[RunningGateway]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, running_gateway(home, patch, engine.url) as server:
        yield server


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Site:
    """An app without Streamlit: the gate, the sign-in pages, and a page that says who one is."""

    def __init__(self, gateway: RunningGateway, folder: Path, **own: Any) -> None:
        key_file = folder / "app.key"
        if not key_file.exists():
            key_file.write_text(gateway.key(service=True))
        self.clock = Clock()
        self.accounts = Accounts(gateway.url, key_file, "minutes", self.clock)
        self.door = Door(AppSettings(**own), self.accounts)
        routes = [*SignIn(self.door, "minutes", "ja").routes(), Route("/", self.page), Route("/api/who", self.page)]
        app = Starlette(routes=routes, middleware=[Middleware(Gate, door=self.door)])
        headers = {"accept-language": "ja"}
        self.browser = TestClient(app, base_url="http://app.example", headers=headers, follow_redirects=False)

    async def page(self, request: Request) -> Response:
        try:
            return JSONResponse({"owner": await owner_of(request, self.door)})
        except KakehashiError as error:
            return JSONResponse({"code": error.code}, 401)

    def send(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Any:
        """Fill in a page's form and send it."""
        page = self.browser.get(path).text
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.browser.post(path, data={**hidden, **fields}, headers=headers)

    def sign_in(self, name: str, password: str) -> Any:
        return self.send("/signin", {"name": name, "password": password})

    def later(self) -> None:
        self.clock.now += 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_without_accounts_an_app_on_this_machine_asks_nobody(gateway: RunningGateway, folder: Path) -> None:
    site = Site(gateway, folder)
    assert site.door.mode() == "none"
    assert site.browser.get("/").json() == {"code": "not_signed_in"}  # no cookie here: the real app gives one
    site.browser.cookies.set("kakehashi_browser", "abc")
    assert site.browser.get("/").json()["owner"].startswith("browser:")


def test_an_app_that_others_reach_needs_a_first_account_made_with_the_code(
    gateway: RunningGateway, folder: Path
) -> None:
    site = Site(gateway, folder, host="0.0.0.0")  # noqa: S104
    assert site.browser.get("/?job=1").headers["location"] == "/signin?next=%2F%3Fjob%3D1"
    assert site.browser.get("/signin").headers["location"] == "/signin/first"
    code = (gateway.services.people.secrets / FIRST_CODE).read_text().strip()
    fields = {"code": code, "name": "chief", "new": OTHER, "again": OTHER}
    wrong = site.send("/signin/first", fields | {"code": "guess"})
    assert wrong.status_code == 400 and "確認コードが違います" in wrong.text
    assert "一致しません" in site.send("/signin/first", fields | {"again": "x"}).text
    assert site.send("/signin/first", fields).headers["location"] == "/"
    assert site.browser.get("/").json()["owner"] == "user:user_first"
    assert site.browser.get("/signin/first").headers["location"] == "/signin"


def test_with_an_account_every_app_asks_and_the_cookie_is_safe(gateway: RunningGateway, folder: Path) -> None:
    made = gateway.services.people.users.create(UserSpec("佐藤", password=PASSWORD))
    site = Site(gateway, folder)
    assert site.door.mode() == "local"
    assert site.browser.get("/api/who").json() == {"code": SignInNeeded.default_code}
    assert site.browser.get("/").status_code == 303
    wrong = site.sign_in("佐藤", OTHER)
    assert wrong.status_code == 400 and "お名前かパスワードが違います" in wrong.text and OTHER not in wrong.text
    right = site.send("/signin?next=%2F%3Fjob%3D7", {"name": "佐藤", "password": PASSWORD})
    assert right.status_code == 303 and right.headers["location"] == "/?job=7"
    cookie = right.headers["set-cookie"]
    assert SESSION_COOKIE in cookie and "HttpOnly" in cookie and "samesite=lax" in cookie.lower()
    assert site.browser.get("/").json() == {"owner": f"user:{made.id}"}
    out = site.send("/signout", {})
    assert out.headers["location"] == "/signin" and 'kakehashi_session=""' in out.headers["set-cookie"]
    assert site.browser.get("/").status_code == 303


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(gateway: RunningGateway, folder: Path) -> None:
    gateway.services.people.users.create(UserSpec("stolen", password=PASSWORD))
    site = Site(gateway, folder)
    site.sign_in("stolen", PASSWORD)
    token = site.browser.cookies[SESSION_COOKIE]
    site.send("/signout", {})
    site.browser.cookies.set(SESSION_COOKIE, token)
    assert site.browser.get("/api/who").json() == {"code": SignInNeeded.default_code}


def test_a_disabled_person_is_out_of_the_app_within_seconds(gateway: RunningGateway, folder: Path) -> None:
    users = gateway.services.people.users
    users.create(UserSpec("left", password=PASSWORD))
    site = Site(gateway, folder)
    site.sign_in("left", PASSWORD)
    assert site.browser.get("/").status_code == 200
    users.change("left", {"disabled": True})
    gateway.services.keys.forget()  # another process did it: at most 0.8 s
    site.later()
    assert site.browser.get("/").status_code == 303


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"sec-fetch-site": "cross-site"}, {}),
        ({"sec-fetch-site": "same-site"}, {}),
        ({"origin": "https://evil.example"}, {}),
        ({}, {"form": "guess"}),
        ({}, {"form": ""}),
    ],
)
def test_another_site_cannot_send_the_form(
    gateway: RunningGateway, folder: Path, headers: dict[str, str], fields: dict[str, str]
) -> None:
    site = Site(gateway, folder, sign_in="local")
    answer = site.send("/signin", {"name": "chief", "password": OTHER, **fields}, headers)
    assert answer.status_code == 400 and SESSION_COOKIE not in site.browser.cookies


def test_a_form_without_the_pages_cookie_is_refused(gateway: RunningGateway, folder: Path) -> None:
    site = Site(gateway, folder, sign_in="local")
    site.browser.get("/signin")
    del site.browser.cookies[FORM_COOKIE]
    answer = site.browser.post("/signin", data={"name": "chief", "password": OTHER, "form": "x"})
    assert answer.status_code == 400 and SESSION_COOKIE not in site.browser.cookies


@pytest.mark.parametrize(
    "address", ["https://evil.example", "//evil.example", "/\\evil.example", "/signout", "javascript:x", "/?a=<b>"]
)
def test_nobody_is_sent_to_another_place_after_signing_in(gateway: RunningGateway, folder: Path, address: str) -> None:
    site = Site(gateway, folder, sign_in="local")
    answer = site.send("/signin", {"name": "chief", "password": OTHER, "next": address})
    assert answer.status_code == 303 and answer.headers["location"] == "/"


def test_the_pages_are_not_kept_framed_or_scripted_and_escape_what_is_sent(
    gateway: RunningGateway, folder: Path
) -> None:
    site = Site(gateway, folder, sign_in="local")
    page = site.browser.get("/signin?next=%22%3E%3Cscript%3E")
    assert "<script" not in page.text and page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert 'lang="en"' in site.browser.get("/signin?lang=en").text


def test_a_password_is_changed_on_the_page(gateway: RunningGateway, folder: Path) -> None:
    gateway.services.people.users.create(UserSpec("page", password=PASSWORD))
    site = Site(gateway, folder)
    site.sign_in("page", PASSWORD)
    weak = site.send("/signin/password", {"old": PASSWORD, "new": "short", "again": "short"})
    assert weak.status_code == 400 and "12文字以上" in weak.text
    assert site.send("/signin/password", {"old": PASSWORD, "new": OTHER, "again": OTHER}).status_code == 303
    assert site.browser.get("/").status_code == 200
    site.browser.cookies.clear()
    assert site.sign_in("page", OTHER).status_code == 303


def test_an_app_whose_gateway_cannot_say_lets_nobody_in_who_has_to_sign_in(
    gateway: RunningGateway, folder: Path
) -> None:
    gone = Accounts("http://127.0.0.1:1/v1", folder / "app.key", "minutes")
    (folder / "app.key").write_text("kk_x")
    door = Door(AppSettings(sign_in="local"), gone)
    with pytest.raises(SignInNeeded):
        door.person({}, {})
    with pytest.raises(NotReady):
        door.person({}, {SESSION_COOKIE: "kks_" + "a" * 43})
    assert Door(AppSettings(), gone).mode() == "none"  # this machine alone: a browser's own jobs
    assert Door(AppSettings(host="10.0.0.1"), gone).mode() == "local"


def test_a_key_that_is_no_service_key_signs_nobody_in(gateway: RunningGateway, folder: Path) -> None:
    (folder / "app.key").write_text(gateway.key())
    site = Site(gateway, folder, sign_in="local")
    answer = site.sign_in("chief", OTHER)
    assert answer.status_code == 503 and "ゲートウェイがサインインを受け付けません" in answer.text
