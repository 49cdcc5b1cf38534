"""Files and batches through the official SDK: uploads, every state, every step of the pipeline for every line."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import sqlalchemy as sa

from gateway.batches.tables import CHUNKS, FILES
from gateway.ledger.tables import LEDGER
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.running_gateway import RunningGateway, running_gateway

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def server(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url, max_file_bytes=100_000) as gateway,
    ):
        yield gateway


@pytest.fixture
def gateway(server: RunningGateway, upstream: FakeUpstream) -> RunningGateway:
    server.audit.broken = False
    return server


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0) as sdk:
        yield sdk


def request(custom_id: str, text: str, url: str = CHAT, **more: Any) -> dict[str, Any]:
    body = {"model": "default", "messages": [{"role": "user", "content": text}], **more}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def jsonl(*requests: Any) -> bytes:
    return b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in requests)


def upload(client: openai.OpenAI, content: bytes) -> str:
    return client.files.create(file=("入力.jsonl", io.BytesIO(content)), purpose="batch").id


def start(client: openai.OpenAI, content: bytes, endpoint: str = CHAT, **more: Any) -> str:
    return client.batches.create(
        input_file_id=upload(client, content), endpoint=endpoint, completion_window="24h", **more
    ).id  # type: ignore[arg-type]


def ended(client: openai.OpenAI, batch_id: str, *states: str) -> Any:
    """The batch once it is in one of the states."""
    deadline = time.monotonic() + 30
    wanted = states or ("completed", "failed", "cancelled", "expired")
    while (batch := client.batches.retrieve(batch_id)).status not in wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert batch.status in wanted, batch
    return batch


def rows(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.files.content(file_id or "").text.splitlines()]


def test_a_file_is_uploaded_listed_read_and_deleted(client: openai.OpenAI, gateway: RunningGateway) -> None:
    content = jsonl(request("a", "こんにちは😀"))
    file = client.files.create(file=("入力.jsonl", content), purpose="batch")
    assert (file.bytes, file.filename, file.purpose, file.status) == (len(content), "入力.jsonl", "batch", "processed")
    assert file.expires_at and file.expires_at > time.time() + 29 * 86400
    second = client.files.create(
        file=("b.jsonl", content), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert second.expires_at and second.expires_at < time.time() + 3700
    assert [f.id for f in client.files.list()] == [second.id, file.id]
    assert [f.id for f in client.files.list(order="asc", limit=1)] == [file.id, second.id]  # the SDK turns the page
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).content == content
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    acts = [(i.action, i.surface) for i in gateway.audit.intents if i.surface == "files"]
    assert acts[-4:] == [("file.create", "files"), ("file.create", "files"), ("file.read", "files"), ("file.delete", "files")]  # fmt: skip


def test_nothing_of_an_upload_lies_in_clear(client: openai.OpenAI, gateway: RunningGateway) -> None:
    upload(client, jsonl(request("a", "極秘の合併計画")))
    home = gateway.services.scratch.parent
    stored = [p for p in home.rglob("*") if p.is_file() and "極秘の合併計画".encode() in p.read_bytes()]
    assert stored == [] and any(p.name.startswith("gateway.db") for p in home.iterdir())


def test_another_teams_files_and_batches_do_not_exist(client: openai.OpenAI, gateway: RunningGateway) -> None:
    batch = ended(client, start(client, jsonl(request("a", "x"))))
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0) as other:
        assert list(other.files.list()) == [] and list(other.batches.list()) == []
        for ask in (
            lambda: other.files.content(batch.output_file_id),
            lambda: other.files.retrieve(batch.input_file_id),
            lambda: other.files.delete(batch.input_file_id),
            lambda: other.batches.retrieve(batch.id),
            lambda: other.batches.cancel(batch.id),
            lambda: other.batches.create(input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h"),
        ):
            with pytest.raises(openai.NotFoundError):
                ask()


def test_the_team_sees_what_one_of_its_keys_made(gateway: RunningGateway) -> None:
    team = gateway.services.identity.create_team(f"team {time.time_ns()}").name
    one, two = (openai.OpenAI(base_url=gateway.url, api_key=gateway.key(team=team)) for _ in range(2))
    with one, two:
        batch = ended(one, start(one, jsonl(request("a", "x"))))
        assert rows(two, batch.output_file_id)[0]["custom_id"] == "a"


@pytest.mark.parametrize(
    ("fields", "files", "code"),
    [
        ({"purpose": "fine-tune"}, {"file": ("a", b"x")}, "invalid_value"),
        ({}, {"file": ("a", b"x")}, "invalid_value"),
        ({"purpose": "batch"}, {"other": ("a", b"x")}, "missing_required_parameter"),
        ({"purpose": "batch"}, {"file": ("a", b"")}, "empty_file"),
        ({"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "5"},
         {"file": ("a", b"x")}, "invalid_value"),
    ],
)  # fmt: skip
def test_a_wrong_upload_is_refused(gateway: RunningGateway, fields: Any, files: Any, code: str) -> None:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    answer = httpx.post(gateway.url + "/files", data=fields, files=files, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_forms_that_are_broken_or_too_large_are_refused(gateway: RunningGateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    told = {**headers, "content-type": "multipart/form-data; boundary=b"}
    for content in (b"", b"nonsense", b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf'):
        answer = httpx.post(gateway.url + "/files", content=content, headers=told)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_form"), content
    assert httpx.post(gateway.url + "/files", json={}, headers=headers).status_code == 400
    large = {"file": ("a", b"x" * 500_000)}
    assert httpx.post(gateway.url + "/files", data={"purpose": "batch"}, files=large, headers=headers).status_code == 413

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(8):
            yield b"x" * 20_000

    assert httpx.post(gateway.url + "/files", content=endless(), headers=told).status_code == 413


def test_a_batch_is_run_and_every_line_goes_the_whole_way(
    client: openai.OpenAI, gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    lines = [request("一", f"{NAME}さんの件"), request("bad", "x", n=99), request("blocked", "攻撃"), request("2", "y")]
    batch = ended(client, start(client, jsonl(*lines), metadata={"für": "月次"}))
    assert batch.status == "completed" and batch.metadata == {"für": "月次"}
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (4, 2, 2)
    assert batch.usage and batch.usage.input_tokens == 14
    good, bad = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert [row["custom_id"] for row in good] == ["一", "2"]
    assert good[0]["response"]["status_code"] == 200 and good[0]["error"] is None
    assert good[0]["response"]["body"]["choices"][0]["message"]["content"] == f"{NAME}さんの件"
    told = {row["custom_id"]: row["response"]["body"]["error"]["code"] for row in bad}
    assert told == {"bad": "invalid_value", "blocked": "content_blocked"}
    assert NAME not in json.dumps(upstream.requests, ensure_ascii=False)
    [intent], [outcome] = gateway.audit.of(good[0]["response"]["request_id"])
    assert (intent.job, intent.surface, outcome.prompt_tokens) == (batch.id, "chat", 7)
    assert PLACEHOLDER in intent.body.decode()
    [blocked] = [i for i in gateway.audit.intents if i.job == batch.id and not i.body]
    assert gateway.audit.of(blocked.request_id)[1][0].outcome == "blocked"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/completions", {"model": "default", "prompt": "x"}),
        ("/v1/responses", {"model": "default", "input": "x"}),
        ("/v1/embeddings", {"model": "default", "input": "x"}),
        ("/v1/moderations", {"input": "x"}),
    ],
)
def test_each_surface_has_batches(client: openai.OpenAI, endpoint: str, body: dict[str, Any]) -> None:
    line = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
    batch = ended(client, start(client, jsonl(line), endpoint))
    assert (batch.status, batch.request_counts.completed) == ("completed", 1), batch


def test_a_file_that_is_no_batch_fails_and_says_where(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    lines = (
        jsonl(request("a", "x"), request("a", "y"))
        + b"{nonsense\n[]\n"
        + jsonl(
            {"custom_id": "b"},
            request("c", "x", "/v1/embeddings"),
            request("d", "x", stream=True),
            {**request("e", "x"), "method": "GET"},
        )
    )
    batch = ended(client, start(client, lines))
    assert batch.status == "failed" and batch.errors
    assert [(e.line, e.code) for e in batch.errors.data] == [
        (2, "duplicate_custom_id"),
        (3, "invalid_json_line"),
        (4, "invalid_json_line"),
        (5, "missing_required_parameter"),
        (6, "mismatched_url"),
        (7, "stream_not_supported"),
        (8, "invalid_method"),
    ]
    assert upstream.requests == []
    empty = ended(client, start(client, b"\n\n"))
    assert empty.errors.data[0].code == "empty_file"


def test_creating_a_batch_checks_what_it_is_given(client: openai.OpenAI) -> None:
    file = upload(client, jsonl(request("a", "x")))
    wrong: list[dict[str, Any]] = [
        {"endpoint": "/v1/audio/transcriptions"},
        {"completion_window": "8w"},
        {"completion_window": "soon"},
        {"metadata": {"a" * 65: "x"}},
        {"output_expires_after": {"anchor": "created_at", "seconds": 5}},
    ]
    for change in wrong:
        with pytest.raises(openai.BadRequestError):
            client.batches.create(
                **{"input_file_id": file, "endpoint": CHAT, "completion_window": "24h", **change}  # type: ignore[arg-type]
            )


def test_a_limit_is_waited_for(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of so few requests a minute: its batch takes until the next, and no line fails."""
    clock = [time.time()]
    monkeypatch.setattr(gateway.services.meter, "_clock", lambda: clock[0])
    monkeypatch.setattr("gateway.batches.runner.LONGEST_WAIT_S", 0.2)
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(rpm=4), max_retries=0) as client:
        batch_id = start(client, jsonl(*(request(str(n), "x") for n in range(6))))
        deadline = time.monotonic() + 20
        while (batch := client.batches.retrieve(batch_id)).request_counts.completed < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (batch.status, batch.request_counts.failed) == ("in_progress", 0)
        for _ in range(2):
            clock[0] += 60
            time.sleep(0.5)
        assert ended(client, batch_id).request_counts.completed == 6


def test_an_engine_that_is_down_is_waited_for(
    client: openai.OpenAI, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.batches.runner.LONGEST_WAIT_S", 0.2)
    upstream.mode, upstream.status = "error", 503
    batch_id = start(client, jsonl(request("a", "x")))
    deadline = time.monotonic() + 20
    while len(upstream.requests) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    upstream.mode = "echo"
    assert ended(client, batch_id).request_counts.completed == 1


def test_an_engine_that_fails_is_asked_three_times(
    client: openai.OpenAI, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.batches.runner.LONGEST_WAIT_S", 0.1)
    upstream.mode, upstream.status = "error", 500
    batch = ended(client, start(client, jsonl(request("a", "x"))))
    assert (batch.status, batch.request_counts.failed, len(upstream.requests)) == ("completed", 1, 3)
    assert rows(client, batch.error_file_id)[0]["response"]["status_code"] == 502


def test_a_batch_is_cancelled(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.mode, upstream.pause_s = "slow", 0.3
    batch_id = start(client, jsonl(*(request(str(n), "x") for n in range(40))))
    deadline = time.monotonic() + 20
    while not client.batches.retrieve(batch_id).request_counts.completed and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(openai.ConflictError):  # it is still being read
        client.files.delete(client.batches.retrieve(batch_id).input_file_id)
    assert client.batches.cancel(batch_id).status == "cancelling"
    batch = ended(client, batch_id)
    assert batch.status == "cancelled" and batch.cancelled_at and 0 < batch.request_counts.completed < 40
    good, bad = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert len(good) == batch.request_counts.completed and len(good) + len(bad) == 40
    assert {row["error"]["code"] for row in bad} == {"batch_cancelled"}
    assert client.batches.cancel(batch_id).status == "cancelled"
    assert client.files.delete(batch.input_file_id).deleted


def test_a_revoked_key_stops_its_batch(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    upstream.mode, upstream.pause_s = "slow", 0.3
    identity = gateway.services.identity
    team = identity.create_team(f"team {time.time_ns()}").name
    first, second = gateway.key(team=team), gateway.key(team=team)
    with openai.OpenAI(base_url=gateway.url, api_key=first) as client:
        batch_id = start(client, jsonl(*(request(str(n), "x") for n in range(40))))
        deadline = time.monotonic() + 20
        while not client.batches.retrieve(batch_id).request_counts.completed and time.monotonic() < deadline:
            time.sleep(0.05)
    [key] = identity.keys(prefix=first[:10])
    identity.revoke_key(key.id)
    with openai.OpenAI(base_url=gateway.url, api_key=second) as client:
        batch = ended(client, batch_id)
        assert batch.status == "failed" and batch.errors.data[0].code == "invalid_api_key"
        asked = len(upstream.requests)
        good, bad = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
        assert len(good) == batch.request_counts.completed < 40 and len(good) + len(bad) == 40
        assert {row["error"]["code"] for row in bad} == {"batch_stopped"}
    time.sleep(0.5)
    assert len(upstream.requests) == asked


def test_what_is_not_run_in_time_expires(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    upstream.mode, upstream.pause_s = "slow", 1.0
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key()) as client:
        file = upload(client, jsonl(*(request(str(n), "x") for n in range(20))))
        batch_id = client.batches.create(input_file_id=file, endpoint=CHAT, completion_window="2s").id  # type: ignore[arg-type]
        batch = ended(client, batch_id)
        assert batch.status == "expired" and batch.expired_at
        assert {row["error"]["code"] for row in rows(client, batch.error_file_id)} == {"batch_expired"}


def test_without_a_record_nothing_is_taken_in(gateway: RunningGateway, client: openai.OpenAI) -> None:
    gateway.audit.broken = True
    with pytest.raises(openai.InternalServerError) as caught:
        upload(client, jsonl(request("a", "x")))
    assert caught.value.code == "audit_unavailable"
    gateway.audit.broken = False
    assert list(client.files.list()) == []


def test_expired_files_are_deleted_and_that_is_on_record(gateway: RunningGateway, client: openai.OpenAI) -> None:
    file_id = upload(client, jsonl(request("a", "x")))
    files = gateway.services.batches.files
    with files._engine.begin() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(sa.update(FILES).where(FILES.c.id == file_id).values(expires_at=past))
    with pytest.raises(openai.NotFoundError):
        client.files.content(file_id)
    assert files.outdated(datetime.now(UTC)) == [file_id]
    files.delete([file_id])
    with files._engine.connect() as connection:
        left = connection.execute(sa.select(sa.func.count()).where(CHUNKS.c.file_id == file_id)).scalar()
    assert left == 0


def test_the_platform_team_sees_all_batches_and_may_cancel(gateway: RunningGateway, client: openai.OpenAI) -> None:
    batch = ended(client, start(client, jsonl(request("a", "x"))))
    admin = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    listed = httpx.get(gateway.admin_url + "/admin/batches?limit=1", headers=admin).json()
    assert [b["id"] for b in listed["data"]] == [batch.id] and listed["data"][0]["request_counts"]["total"] == 1
    assert listed["next"] == batch.id and listed["data"][0]["key_id"].startswith("key_")
    cancelled = httpx.post(f"{gateway.admin_url}/admin/batches/{batch.id}/cancel", headers=admin)
    assert cancelled.json()["error"]["code"] == "batch_ended"
    ordinary = {"authorization": f"Bearer {gateway.key()}"}
    assert httpx.get(gateway.admin_url + "/admin/batches", headers=ordinary).status_code == 403


def test_each_line_is_in_the_ledger_and_stands_behind_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: FakeUpstream
) -> None:
    with running_gateway(tmp_path, monkeypatch, upstream.url, real_audit=True) as gateway:
        for engine in gateway.services.pool.upstreams:
            engine.priorities = True
        with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0) as client:
            batch = ended(client, start(client, jsonl(*(request(str(n), "x") for n in range(3)))))
        with gateway.services.ledger.engine.connect() as connection:
            rows = connection.execute(sa.select(LEDGER).where(LEDGER.c.job == batch.id)).all()
    assert [(row.state, row.surface, row.prompt_tokens, row.completion_tokens) for row in rows] == [
        ("settled", "chat", 7, 1)
    ] * 3
    assert batch.usage.total_tokens == 24
    assert all(asked["priority"] > 0 for asked in upstream.requests)  # vLLM: lower comes first, 0 is everybody else


def test_a_budget_that_is_used_up_is_waited_for(
    gateway: RunningGateway, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients are told not to try again today; a batch may live to see tomorrow, or a raised limit."""
    monkeypatch.setattr("gateway.batches.runner.LONGEST_WAIT_S", 0.2)
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(tokens_per_day=40)) as client:
        batch_id = start(client, jsonl(*(request(str(n), "x", max_tokens=30) for n in range(4))))
        time.sleep(1.5)
        batch = client.batches.retrieve(batch_id)
        assert (batch.status, batch.request_counts.failed) == ("in_progress", 0)
        client.batches.cancel(batch_id)
        ended(client, batch_id)
