"""The audit log on the admin API, with the real log: found, read, verified, exported; and each of these is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from tests.helpers.fake_upstream import FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    home: Path = tmp_path_factory.mktemp("home")
    with (
        running(FakeUpstream()) as upstream,
        pytest.MonkeyPatch.context() as patch,
        running_gateway(
            home, patch, upstream.url, real_audit=True, audit_anchors=[str(home / "a.jsonl")], audit_retention_days=30
        ) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def admin(gateway: RunningGateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    with httpx.Client(base_url=gateway.admin_url + "/admin/", headers=headers, timeout=60) as http:
        yield http


def ask(gateway: RunningGateway, text: str, user: str = "佐藤") -> str:
    """A chat request; its id."""
    body = {"model": "default", "messages": [{"role": "user", "content": text}]}
    headers = {
        "authorization": f"Bearer {gateway.key()}", "x-kakehashi-user": quote(user),
        "x-kakehashi-app": "minutes", "x-kakehashi-job": "text-7", "x-kakehashi-prompt": "minutes.points@1",
    }  # fmt: skip
    answer = httpx.post(gateway.url + "/chat/completions", json=body, headers=headers)
    return answer.headers["x-request-id"]


def found(admin: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = admin.get("audit", params=query)
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def test_requests_are_found_by_person_document_prompt_rule_and_outcome(
    admin: httpx.Client, gateway: RunningGateway
) -> None:
    good, bad = ask(gateway, "山田太郎の件"), ask(gateway, "攻撃", "田中")
    assert [one["request_id"] for one in found(admin, user="田中")] == [bad]
    assert {one["request_id"] for one in found(admin, text_id="text-7")} == {good, bad}
    assert [one["request_id"] for one in found(admin, rule="test.attack", outcome="blocked")] == [bad]
    [told] = found(admin, rule="test.person", prompt="minutes.points", since="1h")
    assert (told["request_id"], told["state"], told["outcome"], told["rules"]) == (good, "done", "ok", ["test.person"])
    assert "body" not in told
    first = admin.get("audit", params={"limit": 1, "surface": "chat"}).json()
    second = admin.get("audit", params={"limit": 1, "surface": "chat", "after": first["next"]}).json()
    assert first["data"][0]["request_id"] == bad and second["data"][0]["request_id"] == good


def test_a_record_shows_bodies_only_when_asked_and_that_is_recorded(
    admin: httpx.Client, gateway: RunningGateway
) -> None:
    request_id = ask(gateway, "秘密の相談")
    plain = admin.get(f"audit/{request_id}")
    assert [entry["kind"] for entry in plain.json()["entries"]] == ["intent", "outcome"] and "秘密" not in plain.text
    assert found(admin, action="audit.read") == []
    full = admin.get(f"audit/{request_id}", params={"bodies": "true"})
    assert "秘密の相談" in full.json()["entries"][0]["body"]
    [act] = found(admin, action="audit.read")
    assert (act["target"], act["outcome"]) == (request_id, "ok") and act["key_id"]
    assert admin.get("audit/req_nope").status_code == 404


def test_the_log_is_verified_and_exported_from_here(admin: httpx.Client, gateway: RunningGateway) -> None:
    request_id = ask(gateway, "x")
    report = admin.post("audit/verify", json={}).json()
    assert report["ok"] and report["problems"] == [] and report["entries"] > 3
    for form, kind in (("jsonl", "ndjson"), ("csv", "csv"), ("parquet", "parquet")):
        answer = admin.get("audit/export", params={"format": form, "since": "1h", "user": "佐藤"})
        assert answer.status_code == 200 and kind in answer.headers["content-type"] and len(answer.content) > 100
    lines = admin.get("audit/export", params={"since": "1h"}).content.splitlines()
    assert request_id in [orjson.loads(line)["request_id"] for line in lines]
    assert [act["target"] for act in found(admin, action="audit.export")] == ["jsonl", "parquet", "csv", "jsonl"]
    assert admin.get("audit/export", params={"format": "xml"}).status_code == 422
    assert admin.get("audit", params={"since": "yesterday"}).status_code == 400
    assert admin.get("audit", params={"after": "!"}).status_code == 400


def test_holds_are_made_and_ended_and_the_status_told(admin: httpx.Client, gateway: RunningGateway) -> None:
    made = admin.post("audit/holds", json={"first_day": "2026-01-01", "reason": "訴訟"})
    assert made.status_code == 201
    [hold] = admin.get("audit/holds").json()["data"]
    assert hold["id"] == made.json()["id"] and hold["created_by"] not in ("", "admin"), "the person or key that made it"
    assert admin.delete(f"audit/holds/{made.json()['id']}").status_code == 200
    assert admin.delete("audit/holds/nope").status_code == 400
    status = admin.get("audit/status").json()
    assert len(status["signing_key"]) == 64 and status["body_retention_days"] == 30
    assert list(status["anchors"]) == ["file a.jsonl"] and status["anchors"]["file a.jsonl"]["failure"] == ""
    ready = httpx.get(gateway.root + "/readyz").json()
    assert ready["anchors"] == {"file a.jsonl": "ok"}


def test_others_may_not(gateway: RunningGateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    for method, path in (("GET", "audit"), ("POST", "audit/verify"), ("GET", "audit/export"), ("GET", "audit/x")):
        answer = httpx.request(method, f"{gateway.admin_url}/admin/{path}", headers=headers, json={})
        assert answer.status_code == 403, path
