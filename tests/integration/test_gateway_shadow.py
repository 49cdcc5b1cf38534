"""Shadow traffic: a copy after the answer, on a record of its own, charged to nobody's limits, and never more than bounded."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gateway.ledger.tables import LEDGER
from gateway.storage.database import open_database
from tests.helpers.fake_upstream import VLLM_MODEL, FakeUpstream, running
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.running_gateway import RunningGateway, running_gateway

ROUTES: dict[str, Any] = {
    "all": {"targets": [{"model": "qwen-test"}], "shadow": {"model": "new", "share": 1}},
    "half": {"targets": [{"model": "qwen-test"}], "shadow": {"model": "new", "share": 0.5}},
    "none": {"targets": [{"model": "qwen-test"}], "shadow": {"model": "new", "share": 0}},
    "gone": {"targets": [{"model": "qwen-test"}], "shadow": {"model": "nowhere", "share": 1}},
}


@pytest.fixture(scope="module")
def second() -> Iterator[FakeUpstream]:
    with running(FakeUpstream()) as server:
        yield server


@pytest.fixture
def shadow(second: FakeUpstream) -> FakeUpstream:
    """The engine of the new model."""
    second.reset().models = [{**VLLM_MODEL, "id": "new"}]
    return second


@pytest.fixture
def gateway(
    upstream: FakeUpstream, shadow: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    upstreams = [{"name": "main", "url": upstream.url}, {"name": "new", "url": shadow.url}]
    with running_gateway(
        tmp_path, monkeypatch, None, upstreams=upstreams, routes=ROUTES, breaker_failures=2, real_audit=False
    ) as server:
        yield server


def ask(gateway: RunningGateway, model: str, key: str | None = None, **body: Any) -> httpx.Response:
    asked = {"model": model, "messages": [{"role": "user", "content": f"{NAME}さんの件"}], **body}
    headers = {"authorization": f"Bearer {key or gateway.key()}"}
    return httpx.post(f"{gateway.url}/chat/completions", json=asked, headers=headers, timeout=20)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def counts(gateway: RunningGateway) -> dict[tuple[str, str], int]:
    return dict(gateway.services.pool.shadows)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_copy_goes_to_the_other_model_masked_and_on_its_own_record(
    gateway: RunningGateway, shadow: FakeUpstream, stream: bool
) -> None:
    answer = ask(gateway, "all", stream=stream, stream_options={"include_usage": True} if stream else None)
    assert answer.status_code == 200 and answer.headers["x-kakehashi-model"] == "qwen-test"
    until(lambda: counts(gateway) == {("new", "ok"): 1})
    [sent] = shadow.requests
    assert sent["model"] == "new" and "stream" not in sent and "stream_options" not in sent
    assert NAME not in json.dumps(sent, ensure_ascii=False)
    first = answer.headers["x-request-id"]
    until(lambda: len(gateway.audit.outcomes) == 2)
    [copy] = [intent for intent in gateway.audit.intents if intent.action == "shadow"]
    _, [outcome] = gateway.audit.of(copy.request_id)
    assert copy.target == first and copy.request_id != first and PLACEHOLDER in copy.body.decode()
    assert (outcome.outcome, outcome.upstream, outcome.upstream_model) == ("ok", "new", "new")
    assert outcome.completion_tokens > 0 and PLACEHOLDER in outcome.body.decode()
    assert 'kakehashi_shadows_total{model="new",result="ok"} 1.0' in httpx.get(gateway.root + "/metrics").text


def test_a_copy_costs_the_team_nothing(gateway: RunningGateway, tmp_path: Path) -> None:
    key = gateway.key(tpm=1_000_000, rpm=100)
    ask(gateway, "none", key)
    alone = int(ask(gateway, "none", key).headers["x-ratelimit-remaining-tokens"])
    for _ in range(3):
        ask(gateway, "all", key)
    until(lambda: counts(gateway).get(("new", "ok")) == 3)
    after = ask(gateway, "none", key).headers
    assert int(after["x-ratelimit-remaining-requests"]) == 100 - 6
    used_by_one = 1_000_000 - alone
    assert 1_000_000 - int(after["x-ratelimit-remaining-tokens"]) <= used_by_one * 4


def test_the_ledger_has_a_row_of_the_copy_that_is_nobodys(
    upstream: FakeUpstream, shadow: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstreams = [{"name": "main", "url": upstream.url}, {"name": "new", "url": shadow.url}]
    options = {"upstreams": upstreams, "routes": ROUTES, "prices": {"*": {"prompt": 10, "completion": 10}}}
    with running_gateway(tmp_path, monkeypatch, None, real_audit=True, **options) as gateway:
        ask(gateway, "all")
        engine = open_database(f"sqlite:///{tmp_path}/gateway.db")

        def rows() -> list[Any]:
            with engine.connect() as connection:
                return list(connection.execute(sa.select(LEDGER).where(LEDGER.c.app == "shadow")))

        until(lambda: [row.outcome for row in rows()] == ["ok"])
        [row] = rows()
        engine.dispose()
    assert (row.key_id, row.team_id, row.team, row.target, row.served) == ("", "", "", "new", "new")
    assert row.completion_tokens > 0 and row.micro_yen > 0, "what the trial costs can be seen"


def test_a_share_is_kept_and_none_is_none(gateway: RunningGateway) -> None:
    key = gateway.key()
    for _ in range(30):
        assert ask(gateway, "half", key).status_code == 200
        assert ask(gateway, "none", key).status_code == 200
    copied = sum(intent.action == "shadow" for intent in gateway.audit.intents)
    assert 0 < copied < 30 and all(i.model == "half" for i in gateway.audit.intents if i.action == "shadow")


def test_copies_are_bounded_and_nobody_waits_for_them(gateway: RunningGateway, shadow: FakeUpstream) -> None:
    shadow.mode = "stall"
    key = gateway.key()
    assert [ask(gateway, "all", key).status_code for _ in range(7)] == [200] * 7
    until(lambda: counts(gateway) == {("new", "dropped"): 3})
    assert len(shadow.requests) <= 4


def test_failures_of_a_copy_touch_nobody(gateway: RunningGateway, shadow: FakeUpstream) -> None:
    shadow.mode, shadow.status = "error", 500
    for number in range(4):
        assert ask(gateway, "all").status_code == 200
        until(lambda number=number: counts(gateway).get(("new", "failed")) == number + 1)  # type: ignore[misc]
    upstream = next(u for u in gateway.services.pool.upstreams if u.name == "new")
    assert upstream.breaker.state(time.monotonic()) == "closed", "two failures in a row would have opened it"
    outcomes = Counter(o.outcome for o in gateway.audit.outcomes)
    assert outcomes == {"ok": 4, "upstream_error": 4}
    assert ask(gateway, "gone").status_code == 200 and counts(gateway)["nowhere", "dropped"] == 1


def test_what_was_blocked_or_failed_has_no_copy(
    gateway: RunningGateway, upstream: FakeUpstream, shadow: FakeUpstream
) -> None:
    assert ask(gateway, "all", messages=[{"role": "user", "content": "攻撃"}]).status_code == 400
    upstream.mode = "error"
    assert ask(gateway, "all").status_code == 502
    assert counts(gateway) == {} and shadow.requests == []


def test_the_guardrails_judge_the_copys_answer_on_its_record(gateway: RunningGateway, shadow: FakeUpstream) -> None:
    shadow.answer = "これは禁句です。"
    ask(gateway, "all")
    until(lambda: len(gateway.audit.outcomes) == 2)
    [copy] = [intent for intent in gateway.audit.intents if intent.action == "shadow"]
    _, [outcome] = gateway.audit.of(copy.request_id)
    assert [d["rule"] for d in outcome.decisions] == ["test.forbidden"]
