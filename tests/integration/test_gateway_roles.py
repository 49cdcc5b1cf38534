"""Who may use which address of the admin API: every route, found by itself, × every role.

A new route needs a dependency on a role (``gateway.api.roles``), or it fails here; and one that deviates from the rule
needs its line in OPEN, SIGNED_IN, AUDITORS or ADMINS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from gateway.api.edge import surface_of
from gateway.app import _SURFACES, create_admin_app, create_app
from gateway.identity.scopes import ALWAYS, ROLES, SURFACES
from gateway.identity.users import UserSpec
from kakehashi.settings import Settings
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway

OPEN = ("/health/", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs")
SIGNED_IN = {"GET /admin/me"}
AUDITORS = {"POST /admin/audit/verify"}  # besides everything that only reads
ADMINS = {"GET /admin/live"}  # what only reads, but is not for auditors: it shows people at work
CALLERS = ("nobody", "unknown", "key", "service", *ROLES, "admin key")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, engine: FakeUpstream) -> Iterator[RunningGateway]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, running_gateway(home, patch, engine.url, real_audit=True) as server:
        yield server


@pytest.fixture(scope="module")
def tokens(gateway: RunningGateway) -> dict[str, str | None]:
    people = gateway.services.people
    made: dict[str, str | None] = {"nobody": None, "unknown": "kk_" + "A" * 43}
    made |= {"key": gateway.key(), "service": gateway.key(service=True), "admin key": gateway.key(admin=True)}
    for role in ROLES:
        made[role] = people.sessions.open(people.users.create(UserSpec(role, (role,)))).secret.key
    return made


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of everything an app answers."""
    found = set()
    for context in iter_route_contexts(app.routes):
        methods = set(context.methods or ["?"]) - {"HEAD", "OPTIONS"}
        found |= {(method, str(context.path)) for method in methods}
    return sorted((method, path) for method, path in found if not path.startswith(OPEN))


def may(caller: str, method: str, path: str) -> bool:
    """The rule: admins everything, auditors read, others nothing."""
    name = f"{method} {path}"
    if caller in ("nobody", "unknown"):
        return False
    if name in SIGNED_IN or caller in ("admin", "admin key"):
        return True
    reads = (method == "GET" or name in AUDITORS) and name not in ADMINS
    return caller == "auditor" and reads


def ask(url: str, method: str, path: str, token: str | None) -> tuple[int, str]:
    """Status and code of the answer; every parameter names something that does not exist."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = {} if method in ("POST", "PUT", "PATCH") else None
    address = re.sub(r"{[^}]*}", "nothing-of-this-name", path)
    answer = httpx.request(method, url + address, json=body, headers=headers, timeout=60)
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    error = answer.json().get("error") if is_json else None
    return answer.status_code, error["code"] if isinstance(error, dict) else ""


def public_app(gateway: RunningGateway) -> FastAPI:
    """A public app like the running one, to look at its routes."""
    app = create_app(Settings(), guardrails=gateway.services.guardrails, audit=gateway.audit)
    app.state.services.identity.close()
    return app


@pytest.mark.parametrize("caller", CALLERS)
def test_each_admin_route_asks_for_the_right_role(
    gateway: RunningGateway, tokens: dict[str, str | None], caller: str
) -> None:
    found = routes(create_admin_app(gateway.services))
    assert ("GET", "/admin/keys") in found and len(found) > 15
    wrong = []
    for method, path in found:
        status, code = ask(gateway.admin_url, method, path, tokens[caller])
        known = caller not in ("nobody", "unknown")
        right = (401, "missing_api_key") if caller == "nobody" else (401, "invalid_api_key")
        if known:
            right = (403, "admin_key_required")
        if may(caller, method, path):
            if status in (401, 403) or status >= 500:
                wrong.append(f"{method} {path}: {status} for somebody who may")
        elif (status, code) != right:
            wrong.append(f"{method} {path}: {status} {code}, not {right}")
    assert wrong == []


def test_each_public_route_needs_a_key_and_has_a_surface_that_scopes_know(gateway: RunningGateway) -> None:
    found = routes(public_app(gateway))
    assert ("POST", "/v1/chat/completions") in found
    for method, path in found:
        assert ask(gateway.root, method, path, None)[0] == 401, f"{method} {path} needs no key"
        surface = surface_of(re.sub(r"{[^}]*}", "x", path), _SURFACES)
        assert surface in SURFACES or surface in ALWAYS, f"{path}: scopes.SURFACES lacks '{surface}'"


@pytest.mark.parametrize("surface", ["embeddings", "prompts", "moderations"])
def test_a_key_of_one_surface_may_use_no_other(gateway: RunningGateway, surface: str) -> None:
    app = public_app(gateway)
    key, wrong = gateway.key(surfaces=(surface,)), []
    for method, path in routes(app):
        belongs = surface_of(re.sub(r"{[^}]*}", "x", path), _SURFACES)
        if belongs in (surface, *ALWAYS):
            continue
        if ask(gateway.root, method, path, key) != (403, "surface_not_allowed"):
            wrong.append(f"{method} {path}")
    assert wrong == []
