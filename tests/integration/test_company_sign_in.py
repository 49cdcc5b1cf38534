"""Company accounts, all the way: an app as it really runs, an identity provider, the gateway; a browser's part by HTTP."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from apps.common.login import SESSION_COOKIE
from gateway.identity import keys
from kakehashi.paths import CHECKOUT
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.issuer import Issuer, running_issuer
from tests.helpers.running_gateway import RunningGateway, running_gateway
from tests.integration.test_gateway_process import free_port, status, until

CLIENT = "kakehashi-apps"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, engine: FakeUpstream, issuer: Issuer) -> Iterator[RunningGateway]:
    oidc = {"issuer": issuer.url, "audience": [CLIENT], "teams": {"bank-loans": "融資部"}, "refetch_s": 0.0}
    home = tmp_path_factory.mktemp("gateway")
    with pytest.MonkeyPatch.context() as patch, running_gateway(home, patch, engine.url, oidc=oidc) as server:
        server.services.identity.create_team("融資部")
        yield server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, gateway: RunningGateway, issuer: Issuer) -> Iterator[str]:
    home, port = tmp_path_factory.mktemp("app"), free_port()
    (home / "secrets").mkdir()
    (home / "secrets" / "proposals.key").write_text(gateway.key(service=True))
    (home / "provider").write_text("the-secret\n")
    environment = {
        **os.environ,
        "KAKEHASHI_HOME": str(home),
        "KAKEHASHI_PROPOSALS__PORT": str(port),
        "KAKEHASHI_PROPOSALS__GATEWAY_URL": gateway.url,
        "KAKEHASHI_COMPANY__ISSUER": issuer.url,
        "KAKEHASHI_COMPANY__CLIENT_ID": CLIENT,
        "KAKEHASHI_COMPANY__CLIENT_SECRET_FILE": str(home / "provider"),
    }
    page = CHECKOUT / "apps" / "proposals" / "ui" / "main.py"
    command = [sys.executable, "-m", "streamlit", "run", str(page), f"--server.port={port}"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--server.address=127.0.0.1"], cwd=CHECKOUT, env=environment, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: status(url + "/_stcore/health") == 200 or process.poll() is not None)
        yield url
        assert "the-secret" not in (home / "log").read_text()
    finally:
        process.terminate()
        process.wait(20)


def provider_link(page: httpx.Response) -> str:
    found = re.search(r'class="button" href="([^"]+)"', page.text)
    assert found is not None, page.text
    return html.unescape(found[1])


@pytest.fixture
def browser(app: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app, follow_redirects=True, timeout=30) as client:
        yield client


def test_a_person_signs_in_at_the_company_and_out_again(browser: httpx.Client, gateway: RunningGateway) -> None:
    page = browser.get("/")
    assert page.url.path == "/signin" and "/auth/login" in page.text
    inside = browser.get(provider_link(page))
    assert (inside.status_code, inside.url.path) == (200, "/")
    assert [r.url.path for r in inside.history][-1] == "/signin/company"
    token = browser.cookies[SESSION_COOKIE]
    person = gateway.services.people.sessions
    found = person.find(keys.digest(token))
    assert found is not None and (found.user.name, found.user.source, found.team) == ("佐藤花子", "oidc", "融資部")
    form = browser.get("/signout")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.text))
    out = browser.post("/signout", data=hidden)
    assert out.url.path == "/signin" and not [name for name in browser.cookies if "streamlit_user" in name]
    assert person.find(keys.digest(token)) is None


def test_somebody_without_a_team_is_told_so(browser: httpx.Client, issuer: Issuer) -> None:
    token = issuer.token
    issuer.token = lambda *a, **k: token(*a, **{**k, "groups": ["bank-other"]})  # type: ignore[method-assign]
    try:
        answer = browser.get(provider_link(browser.get("/")))
    finally:
        issuer.token = token  # type: ignore[method-assign]
    assert answer.status_code == 400 and SESSION_COOKIE not in browser.cookies
    assert "administrator" in answer.text or "管理者" in answer.text


def test_a_forged_cookie_of_the_login_is_nothing(browser: httpx.Client) -> None:
    browser.cookies.set("_streamlit_user_tokens", '{"id_token": "eyJhbGciOiJub25lIn0.e30."}')
    assert browser.get("/signin/company").url.path == "/signin"
