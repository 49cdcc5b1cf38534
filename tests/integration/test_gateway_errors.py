"""Every error, on every address, has one shape and a request id, and no key is ever repeated in one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.api import audio
from gateway.api.surfaces import SURFACES
from gateway.identity.keys import KeySpec
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway

BODY = {"model": "default", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with running(FakeUpstream()) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, upstream.url) as server,
    ):
        yield server


def check(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"] and error["type"] and error["code"]
    return error


PUBLIC = [
    ("GET", "/v1/models"), ("GET", "/v1/models/default"), ("POST", "/v1/chat/completions"), ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"), ("POST", "/v1/guard/scan"), ("POST", "/v1/responses"),
    ("POST", "/v1/moderations"), ("POST", "/v1/tokenize"), ("GET", "/v1/prompts"), ("GET", "/v1/prompts/x"),
]  # fmt: skip
ADMIN = [
    ("POST", "/admin/keys"), ("GET", "/admin/keys"), ("GET", "/admin/keys/k"), ("PATCH", "/admin/keys/k"),
    ("DELETE", "/admin/keys/k"), ("POST", "/admin/keys/k/rotate"), ("POST", "/admin/teams"), ("GET", "/admin/teams"),
    ("GET", "/admin/teams/t"), ("PATCH", "/admin/teams/t"), ("DELETE", "/admin/teams/t"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PUBLIC)
def test_every_public_address_needs_a_key(gateway: RunningGateway, method: str, path: str) -> None:
    json = BODY if method == "POST" else None
    for headers, code in (({}, "missing_api_key"), ({"authorization": "Bearer kk_" + "x" * 43}, "invalid_api_key")):
        answer = httpx.request(method, gateway.root + path, json=json, headers=headers)
        assert check(answer, 401)["code"] == code
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ADMIN)
def test_every_admin_address_needs_an_admin_key(gateway: RunningGateway, method: str, path: str) -> None:
    json = {"name": "n"} if method in ("POST", "PATCH") else None
    json = {} if path.endswith("rotate") else json
    assert check(httpx.request(method, gateway.admin_url + path, json=json), 401)["code"] == "missing_api_key"
    headers = {"authorization": f"Bearer {gateway.key()}"}
    answer = httpx.request(method, gateway.admin_url + path, json=json, headers=headers)
    assert check(answer, 403)["code"] == "admin_key_required"


@pytest.mark.parametrize("path", ["/admin/keys", "/admin/teams"])
def test_the_admin_api_is_not_on_the_public_port(gateway: RunningGateway, path: str) -> None:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    check(httpx.get(gateway.root + path, headers=headers), 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", "/v1", 404), ("GET", "/v1/models/", 404), ("GET", "/v1/responses/resp_1", 404),
        ("POST", "/invocations", 404), ("POST", "/v1/load_lora_adapter", 404), ("POST", "/tokenize", 404),
        ("POST", "/pause", 404), ("GET", "/v1/chat/completions", 405), ("DELETE", "/v1/models", 405),
        ("GET", "/v1/prompts/..%2f..%2fetc", 404), ("GET", "/v1/prompts/nope", 404), ("GET", "/v1/models/nope", 404),
    ],
)  # fmt: skip
def test_addresses_that_are_not_there(gateway: RunningGateway, method: str, path: str, status: int) -> None:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    error = check(httpx.request(method, gateway.root + path, headers=headers), status)
    assert "None" not in error["message"]


def test_an_admin_body_that_does_not_fit_is_422(gateway: RunningGateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    for json, where in (({}, "name"), ({"name": "n", "rpm": "x"}, "rpm"), ({"name": "n", "color": 1}, "color")):
        error = check(httpx.post(gateway.admin_url + "/admin/keys", json=json, headers=headers), 422)
        assert error["param"] == where


def test_a_failure_of_our_own_is_500_without_details(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("inner detail")

    monkeypatch.setattr(type(gateway.services.guardrails), "request", broken)
    monkeypatch.setattr(type(gateway.services.guardrails), "scan", broken)
    headers = {"authorization": f"Bearer {gateway.key()}"}
    answer = httpx.post(gateway.url + "/chat/completions", json=BODY, headers=headers)
    error = check(answer, 500)
    assert "inner detail" not in answer.text and answer.headers["x-request-id"] in error["message"]
    assert "inner detail" in caplog.text
    check(httpx.post(gateway.url + "/guard/scan", json={"inputs": [{"text": "x"}]}, headers=headers), 500)


def test_no_key_is_ever_repeated(
    gateway: RunningGateway, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gone, secret = gateway.services.identity.create_key(KeySpec("gone"))
    gateway.services.identity.revoke_key(gone.id)
    secrets = [gateway.key(), gateway.key(models=("m",)), gateway.key(tpm=1), secret.key]
    for mode in ("echo", "error", "cut_head", "cut_mid"):
        upstream.reset().mode = mode
        for key in secrets:
            for headers in (
                {"authorization": f"Bearer {key}"},
                {"authorization": f"Basic {key}"},
                {"x-request-id": key},
            ):
                for json in (BODY, {**BODY, "stream": True}, {**BODY, "model": "nope"}, {"messages": 1}):
                    answer = httpx.post(gateway.url + "/chat/completions", json=json, headers=headers)
                    assert key not in answer.text and key not in str(answer.headers)
    records = repr(gateway.audit.intents) + repr(gateway.audit.outcomes)
    ours = "".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    sent = repr(upstream.requests) + repr(upstream.headers)
    for key in secrets:
        assert key not in records and key not in sent
        assert key not in ours


class TestHealth:
    def test_when_all_is_well(self, gateway: RunningGateway) -> None:
        assert httpx.get(gateway.root + "/health/live").json() == {"status": "ok"}
        answer = httpx.get(gateway.root + "/health/ready")
        parts = dict.fromkeys(("upstream", "database", "limits", "audit", "serving"), "ok")
        assert answer.json() == {"status": "ok", "parts": parts}
        assert httpx.get(gateway.root + "/readyz").json() == answer.json()
        assert httpx.get(gateway.root + "/livez").json() == {"status": "ok"}
        assert answer.headers["x-request-id"]

    def test_metrics_have_no_label_of_a_clients_making(self, gateway: RunningGateway, upstream: FakeUpstream) -> None:
        upstream.reset()
        headers = {"authorization": f"Bearer {gateway.key()}"}
        httpx.post(gateway.url + "/chat/completions", json=BODY, headers=headers)
        httpx.post(gateway.url + "/chat/completions", json={**BODY, "model": "evil-label"}, headers=headers)
        httpx.get(gateway.root + "/evil-path")
        text = httpx.get(gateway.root + "/metrics").text
        assert "evil" not in text
        for line in (
            'kakehashi_requests_total{status="200",surface="chat"}',
            'kakehashi_outcomes_total{model="qwen-test",outcome="ok"}',
            'kakehashi_tokens_total{kind="prompt",model="qwen-test"}',
            'kakehashi_upstream_up{upstream="engine"} 1.0',
            'kakehashi_request_seconds_count{surface="chat"}',
        ):
            assert line in text

    def test_openapi_describes_every_surface_and_docs_need_no_internet(self, gateway: RunningGateway) -> None:
        document = httpx.get(gateway.root + "/openapi.json")
        paths = document.json()["paths"]
        for reference in set(re.findall(r'"#/components/schemas/(\w+)"', document.text)):
            assert reference in document.json()["components"]["schemas"]
        assert {f"/v1{surface.path}" for surface in (*SURFACES, *audio.SURFACES)} <= paths.keys() and "$defs" not in document.text
        for _, path in PUBLIC:
            assert any(path.startswith(known.split("{")[0].rstrip("/")) for known in paths)
        assert {"/v1/chat/completions", "/v1/embeddings", "/metrics", "/health/ready"} <= paths.keys()
        page = httpx.get(gateway.root + "/docs").text
        assert (
            "/v1/chat/completions" in page and "<script" not in page and "src=" not in page and "https://" not in page
        )


class TestScan:
    def test_answers_by_the_contract(self, gateway: RunningGateway) -> None:
        headers = {"authorization": f"Bearer {gateway.key()}"}
        json = {
            "inputs": [{"text": "😀山田太郎です", "source": "document"}, {"text": "晴れ", "id": 7}],
            "profile": "strict",
        }
        answer = httpx.post(gateway.url + "/guard/scan", json=json, headers=headers)
        assert answer.json()["policy"] == "fake@1"
        first, second = answer.json()["results"]
        assert first["text"] == "😀[[PERSON_1]]です" and first["action"] == "mask"
        assert first["findings"] == [{"start": 1, "end": 5, "type": "PERSON", "rule": "test.person", "confidence": 0.9}]
        assert second == {"action": "allow", "text": "晴れ", "findings": []}
        [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert intent.surface == "guard.scan" and "山田" not in intent.body.decode()
        assert outcome.decisions[0]["rule"] == "test.person"

    @pytest.mark.parametrize(
        ("json", "code"),
        [
            ({}, "invalid_value"), ({"inputs": "x"}, "invalid_value"), ({"inputs": [{"text": 5}]}, "invalid_value"),
            ({"inputs": [{"text": "x", "source": "moon"}]}, "invalid_value"),
            ({"inputs": [{"text": "x"}], "profile": "nope"}, "unknown_profile"),
        ],
    )  # fmt: skip
    def test_says_what_does_not_fit(self, gateway: RunningGateway, json: Any, code: str) -> None:
        headers = {"authorization": f"Bearer {gateway.key()}"}
        assert check(httpx.post(gateway.url + "/guard/scan", json=json, headers=headers), 400)["code"] == code
