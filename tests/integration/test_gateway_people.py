"""People: accounts by admin API and command line, signing in and out, what a session proves, how guessing is slowed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway.errors import Conflict, RateLimited, Unauthorized
from gateway.identity import passwords
from gateway.identity.cli import user as user_command
from gateway.identity.keyring import KeyRing
from gateway.identity.people import FIRST_CODE
from gateway.identity.sessions import FREE_FAILURES, LONGEST_WAIT_S, Sessions, wait_s
from gateway.identity.store import IdentityStore
from gateway.identity.users import UserSpec, UserStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from kakehashi.errors import UsageError
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.issuer import AUDIENCE, Issuer, running_issuer
from tests.helpers.running_gateway import RunningGateway, running_gateway

BODY = {"model": "default", "messages": [{"role": "user", "content": "x"}]}
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PASSWORD, OTHER = "花が咲く丘の上の白い家にて", "correct horse battery"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def gateway(home: Path, engine: FakeUpstream, issuer: Issuer) -> Iterator[RunningGateway]:
    oidc = {"issuer": issuer.url, "audience": [AUDIENCE], "default_team": "行員", "roles": {"boss": "admin"}}
    with pytest.MonkeyPatch.context() as patch, running_gateway(home, patch, engine.url, oidc=oidc) as server:
        server.services.identity.create_team("行員")
        yield server


class App:
    """An app's side of signing in: it has a service key, and keeps the person's token."""

    def __init__(self, gateway: RunningGateway, key: str) -> None:
        self.http = httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {key}"}, timeout=30)
        self.token = ""

    def ask(self, method: str, path: str = "", **options: Any) -> httpx.Response:
        headers = {"x-kakehashi-session": self.token} if self.token else {}
        return self.http.request(method, f"/session{path}", headers=headers, **options)

    def sign_in(self, name: str, password: str) -> httpx.Response:
        answer = self.ask("POST", json={"name": name, "password": password})
        self.token = answer.json().get("token", "")
        return answer


@pytest.fixture
def app(gateway: RunningGateway) -> Iterator[App]:
    app = App(gateway, gateway.key(service=True, name="minutes"))
    with app.http:
        yield app


@pytest.fixture
def admin(gateway: RunningGateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    with httpx.Client(base_url=gateway.admin_url + "/admin/", headers=headers, timeout=30) as http:
        yield http


def test_the_first_account_is_for_who_can_read_the_code(app: App, gateway: RunningGateway, home: Path) -> None:
    assert app.ask("GET").json() | {"oidc": None} == {
        "object": "session", "accounts": False, "oidc": None, "user": None, "expires_at": None,
    }  # fmt: skip
    path = home / "secrets" / FIRST_CODE
    assert path.stat().st_mode & 0o77 == 0
    wanted = {"code": "guess", "name": "Admin", "password": OTHER}
    assert app.ask("POST", "/first", json=wanted).json()["error"]["code"] == "first_code_wrong"
    wanted["code"] = path.read_text()
    made = app.ask("POST", "/first", json=wanted)
    assert made.status_code == 201 and made.json()["user"]["roles"] == ["admin"]
    assert not path.exists()
    assert app.ask("POST", "/first", json=wanted).status_code == 403
    assert app.ask("GET").json()["accounts"] is True
    me = httpx.get(gateway.admin_url + "/admin/me", headers={"authorization": f"Bearer {made.json()['token']}"})
    assert me.json()["roles"] == ["admin"] and me.json()["name"] == "admin"


def test_an_account_by_the_admin_api_signs_in_and_its_session_names_the_person(
    admin: httpx.Client, app: App, gateway: RunningGateway
) -> None:
    admin.post("teams", json={"name": "融資部", "models": ["default"]})
    wanted = {"name": "佐藤", "email": "sato@bank.example", "password": PASSWORD, "roles": ["user"], "team": "融資部"}
    made = admin.post("users", json=wanted)
    assert made.status_code == 201 and made.json()["team"] == "融資部" and PASSWORD not in made.text
    assert app.sign_in(" 佐藤 ", PASSWORD).status_code == 201
    shown = app.ask("GET").json()
    assert (shown["user"]["name"], shown["user"]["source"], shown["user"]["roles"]) == ("佐藤", "session", ["user"])
    headers = {"x-kakehashi-session": app.token, "x-kakehashi-user": "another"}
    assert app.http.post("/chat/completions", json=BODY, headers=headers).status_code == 200
    record = gateway.audit.intents[-1]
    assert (record.user, record.user_source, record.team) == ("佐藤", "session", "")
    own = {"authorization": f"Bearer {app.token}"}
    assert httpx.post(gateway.url + "/chat/completions", json=BODY, headers=own).status_code == 200
    record = gateway.audit.intents[-1]
    assert (record.user, record.user_source, record.team, record.key_id) == ("佐藤", "session", "融資部", made.json()["id"])
    assert app.ask("DELETE").status_code == 204
    assert app.ask("GET").json()["user"] is None
    assert httpx.post(gateway.url + "/chat/completions", json=BODY, headers=own).status_code == 401
    ended = app.http.post("/chat/completions", json=BODY, headers=headers)
    assert (ended.status_code, ended.json()["error"]["code"]) == (401, "session_ended")


@pytest.mark.parametrize(
    ("spec", "headers", "user"),
    [
        ({"service": True}, {"x-kakehashi-user": "a"}, ("a", "service")),
        ({"service": True}, {"x-kakehashi-claimed-user": "a"}, ("a", "claimed")),
        ({}, {"x-kakehashi-user": "a"}, ("a", "claimed")),
        ({"admin": True}, {"x-kakehashi-user": "a"}, ("a", "claimed")),
        ({}, {}, ("", "")),
    ],
)
@pytest.mark.parametrize("path", ["chat/completions", "moderations"])
def test_only_a_service_key_vouches_for_the_name_it_gives(
    gateway: RunningGateway, path: str, spec: dict[str, Any], headers: dict[str, str], user: tuple[str, str]
) -> None:
    sent = {"authorization": f"Bearer {gateway.key(**spec)}", **headers}
    body = BODY if path.startswith("chat") else {"input": "x"}
    assert httpx.post(f"{gateway.url}/{path}", json=body, headers=sent).status_code == 200
    record = gateway.audit.intents[-1]
    assert (record.user, record.user_source) == user


def test_signing_in_needs_a_service_key(gateway: RunningGateway) -> None:
    for key in (gateway.key(), gateway.key(admin=True)):
        answer = App(gateway, key).ask("POST", json={"name": "a", "password": "b"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "service_key_required")


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(app: App, admin: httpx.Client) -> None:
    admin.post("users", json={"name": "same", "password": PASSWORD})
    admin.post("users", json={"name": "empty"})
    answers = [app.sign_in(*pair) for pair in (("same", OTHER), ("nobody-here", OTHER), ("empty", OTHER))]
    assert {(a.status_code, a.json()["error"]["message"]) for a in answers} == {
        (401, "The name or the password is wrong.")
    }


def test_an_account_disabled_or_with_a_new_password_is_out_everywhere(admin: httpx.Client, app: App) -> None:
    user_id = admin.post("users", json={"name": "gone", "password": PASSWORD}).json()["id"]
    assert app.sign_in("gone", PASSWORD).status_code == 201
    reset = admin.post(f"users/{user_id}/password", json={})
    assert app.ask("GET").json()["user"] is None
    assert app.sign_in("gone", PASSWORD).status_code == 401
    assert app.sign_in("gone", reset.json()["password"]).status_code == 201
    assert admin.delete("users/gone").json()["state"] == "disabled"
    assert app.ask("GET").json()["user"] is None
    assert app.sign_in("gone", reset.json()["password"]).status_code == 401
    assert admin.patch("users/gone", json={"disabled": False}).json()["state"] == "active"
    assert app.sign_in("gone", reset.json()["password"]).status_code == 201
    changed = admin.patch("users/gone", json={"roles": ["auditor"]}).json()
    assert changed["roles"] == ["auditor"] and app.ask("GET").json()["user"]["roles"] == ["auditor"]


def test_a_person_changes_their_password_and_stays_signed_in_here_only(
    admin: httpx.Client, app: App, gateway: RunningGateway
) -> None:
    admin.post("users", json={"name": "changer", "password": PASSWORD})
    elsewhere = App(gateway, gateway.key(service=True))
    assert app.sign_in("changer", PASSWORD).status_code == elsewhere.sign_in("changer", PASSWORD).status_code == 201
    assert app.ask("POST", "/password", json={"old": OTHER, "new": OTHER}).status_code == 401
    weak = app.ask("POST", "/password", json={"old": PASSWORD, "new": "short"})
    assert (weak.status_code, weak.json()["error"]["code"]) == (400, "password_length")
    assert app.ask("POST", "/password", json={"old": PASSWORD, "new": OTHER}).status_code == 204
    assert app.ask("GET").json()["user"]["name"] == "changer"
    assert elsewhere.ask("GET").json()["user"] is None
    assert elsewhere.sign_in("changer", OTHER).status_code == 201


def test_a_company_account_gets_a_session_with_the_roles_of_its_token(app: App, issuer: Issuer) -> None:
    made = app.ask("POST", json={"id_token": issuer.token(groups=["boss"])})
    app.token = made.json()["token"]
    shown = app.ask("GET").json()["user"]
    assert (shown["name"], shown["source"], shown["team"]) == ("佐藤花子", "oidc", "行員")
    assert shown["roles"] == ["admin", "user"] and shown["id"].startswith("oidc_")
    assert app.ask("POST", json={"id_token": issuer.token(aud="x")}).status_code == 401
    refused = app.ask("POST", "/password", json={"old": "a", "new": OTHER})
    assert refused.json()["error"]["code"] == "no_local_account"


def test_bodies_are_bounded_and_never_repeated(app: App) -> None:
    assert app.ask("POST", json={"name": "a", "password": PASSWORD * 10_000}).status_code == 413
    odd = app.ask("POST", json={"name": "a", "password": [PASSWORD]})
    assert odd.status_code == 400 and PASSWORD not in odd.text


def test_no_password_or_token_is_in_a_record_or_log(
    app: App, admin: httpx.Client, gateway: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    admin.post("users", json={"name": "quiet", "password": PASSWORD})
    app.sign_in("quiet", OTHER)
    app.sign_in(PASSWORD, "quiet")  # fields mixed up
    app.sign_in("quiet", PASSWORD)
    app.ask("POST", "/password", json={"old": PASSWORD, "new": OTHER})
    app.http.get("/models", headers={"x-request-id": app.token})
    seen = caplog.text + repr(gateway.audit.intents) + repr(gateway.audit.outcomes)
    seen += httpx.get(gateway.root + "/metrics").text
    for secret in (PASSWORD, OTHER, app.token):
        assert secret not in seen
    record = next(r for r in gateway.audit.intents if r.action == "session.create" and r.target == "quiet")
    assert record.surface == "session" and record.key_id


class TestCommandLine:
    def run(self, *arguments: str, typed: str = "") -> str:
        result = CliRunner().invoke(user_command, arguments, input=typed)
        assert result.exception is None, result.output
        return result.stdout

    def test_an_accounts_life(self, gateway: RunningGateway, app: App) -> None:
        password = self.run("create", "コマンド", "--role", "reviewer", "--generate").strip()
        assert app.sign_in("コマンド", password).status_code == 201
        self.run("password", "コマンド", typed=f"{PASSWORD}\n{PASSWORD}\n")
        assert app.sign_in("コマンド", PASSWORD).status_code == 201
        self.run("roles", "コマンド", "--role", "user", "--role", "auditor")
        assert re.search(r"コマンド\s+user,auditor", self.run("list"))
        self.run("disable", "コマンド")
        assert app.sign_in("コマンド", PASSWORD).status_code == 401
        self.run("enable", "コマンド")
        assert '"name":"コマンド"' in self.run("list", "--json")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[UserStore, Sessions]]:
    engine = open_database(f"sqlite:///{tmp_path}/g.db")
    prepare(engine)
    identity = IdentityStore(engine)
    users = UserStore(engine, identity)
    yield users, Sessions(engine, identity, users, hours=1, clock=lambda: NOW)
    engine.dispose()


class TestGuessing:
    def test_waits_grow_and_are_bounded(self) -> None:
        waits = [wait_s(n) for n in range(FREE_FAILURES + 20)]
        assert waits[: FREE_FAILURES + 1] == [0.0] * (FREE_FAILURES + 1)
        assert waits == sorted(waits) and waits[FREE_FAILURES + 1] == 1.0 and waits[-1] == LONGEST_WAIT_S

    @pytest.mark.parametrize("name", ["known", "unknown"])
    def test_many_guesses_at_once_do_not_pass_together(self, stores: tuple[UserStore, Sessions], name: str) -> None:
        users, sessions = stores
        users.create(UserSpec("known", password=PASSWORD))

        def guess(number: int) -> type[Exception]:
            with pytest.raises((Unauthorized, RateLimited)) as caught:
                sessions.sign_in(name, f"{OTHER} {number}")
            return caught.type

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(guess, range(16)))
        assert results.count(Unauthorized) == FREE_FAILURES + 1
        with pytest.raises(RateLimited) as caught:
            sessions.sign_in(name, PASSWORD)
        assert int(caught.value.headers["retry-after"]) >= 1

    def test_success_forgives(self, stores: tuple[UserStore, Sessions]) -> None:
        users, sessions = stores
        users.create(UserSpec("known", password=PASSWORD))
        for _ in range(3):
            for _ in range(FREE_FAILURES):
                with pytest.raises(Unauthorized):
                    sessions.sign_in("known", OTHER)
            sessions.sign_in("ＫＮＯＷＮ", PASSWORD)


class TestAccounts:
    def test_passwords_are_argon2id_and_never_printed(self, stores: tuple[UserStore, Sessions]) -> None:
        assert passwords.hashed(OTHER).startswith("$argon2id$v=19$m=65536,t=3,")
        assert OTHER not in repr(UserSpec("a", password=OTHER)) and OTHER not in repr(stores[1].open(stores[0].create(UserSpec("a"))))
        assert not passwords.matches(None, OTHER) and not passwords.matches("nonsense", OTHER)
        assert len({passwords.generated() for _ in range(100)}) == 100

    @pytest.mark.parametrize(
        "spec",
        [
            {"name": " "},
            {"name": "a\nb"},
            {"name": "a" * 101},
            {"roles": ("king",)},
            {"roles": ()},
            {"email": "nobody"},
            {"password": "short"},
            {"password": "a" * 500},
            {"password": "abababababab"},
            {"name": "佐藤花子支店長代理補佐", "password": "佐藤花子支店長代理補佐1!"},
        ],
    )
    def test_what_cannot_be_an_account_is_refused(self, spec: dict[str, Any]) -> None:
        with pytest.raises(UsageError) as caught:
            UserSpec(**{"name": "n", **spec})
        if "password" in spec:
            assert spec["password"] not in str(caught.value)

    def test_the_first_account_is_made_once(self, stores: tuple[UserStore, Sessions]) -> None:
        users, _ = stores

        def make(number: int) -> bool:
            try:
                users.create_first(UserSpec(f"admin{number}", ("admin",)))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(make, range(4))) == 1
        assert len(users.users()) == 1

    def test_a_session_ends_by_itself(self, tmp_path: Path) -> None:
        engine = open_database(f"sqlite:///{tmp_path}/h.db")
        prepare(engine)
        identity = IdentityStore(engine)
        users = UserStore(engine, identity)
        made = Sessions(engine, identity, users, hours=1e-9).open(users.create(UserSpec("a")))
        sessions = Sessions(engine, identity, users, hours=1)
        ring = KeyRing(identity.find_by_digest, session=sessions.find)
        with pytest.raises(Unauthorized):
            asyncio.run(ring.signed_in(made.secret.key))
        engine.dispose()
