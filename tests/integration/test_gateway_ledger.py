"""The ledger end to end: a row before dispatch, settled with the outcome; chargeback, limits and engines agree with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from gateway.ledger.report import Line, as_csv, usage
from gateway.ledger.tables import LEDGER, PRICES
from kakehashi.errors import UsageError
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway

PRICES_SET = {"qwen-test": {"prompt": 1000, "completion": 2000}}  # yen per million: 1,000 and 2,000 micro-yen a token


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, engine: FakeUpstream) -> Iterator[RunningGateway]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        options: dict[str, Any] = {"prices": PRICES_SET, "limits": {"model:qwen-test": {"tokens_per_month": 10**6}}}
        with running_gateway(home, patch, engine.url, real_audit=True, idle_timeout_s=0.5, **options) as running:
            yield running


def ask(
    gateway: RunningGateway, key: str, text: str = "hello", path: str = "chat/completions", **more: Any
) -> httpx.Response:
    body: dict[str, Any] = {"model": "qwen-test", "messages": [{"role": "user", "content": text}], **more}
    if path == "embeddings":
        body = {"model": "qwen-test", "input": text}
    headers = {"authorization": f"Bearer {key}", "x-kakehashi-app": "minutes"}
    return httpx.post(f"{gateway.url}/{path}", json=body, headers=headers, timeout=30)


def rows(gateway: RunningGateway, request_id: str) -> list[Any]:
    with gateway.services.ledger.engine.connect() as connection:
        query = sa.select(LEDGER).where(LEDGER.c.request_id == request_id).order_by(LEDGER.c.attempt)
        return list(connection.execute(query))


def admin(gateway: RunningGateway, path: str, **options: Any) -> Any:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    answer = httpx.request(
        options.pop("method", "GET"), f"{gateway.admin_url}/admin/{path}", headers=headers, **options
    )
    assert answer.status_code == 200, answer.text
    return answer.json() if "csv" not in path else answer.text


@pytest.mark.parametrize(
    ("path", "stream"), [("chat/completions", False), ("chat/completions", True), ("embeddings", False)]
)
def test_every_request_has_a_row_with_its_tokens_and_its_price(
    gateway: RunningGateway, upstream: FakeUpstream, path: str, stream: bool
) -> None:
    gateway.services.identity.create_team(team := f"経理{path}{stream}")
    answer = ask(gateway, gateway.key(team=team), path=path, **({"stream": True} if stream else {}))
    [row] = rows(gateway, answer.headers["x-request-id"])
    assert (row.state, row.outcome, row.status, row.exact) == ("settled", "ok", 200, True)
    assert (row.team, row.app, row.model, row.target, row.upstream) == (
        team,
        "minutes",
        "qwen-test",
        "qwen-test",
        "engine",
    )
    assert row.prompt_tokens > 0 and (row.completion_tokens > 0) == (path != "embeddings")
    assert row.micro_yen == 1000 * row.prompt_tokens + 2000 * row.completion_tokens
    with gateway.services.ledger.engine.connect() as connection:
        listed = connection.execute(sa.select(PRICES.c.prices).where(PRICES.c.version == row.price_version)).scalar()
    assert listed == {"qwen-test": {"prompt": "1000", "completion": "2000"}}


def test_what_a_guardrail_refuses_costs_nothing_and_is_counted_as_refused(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    key = gateway.key(name="refused")
    answer = ask(gateway, key, "攻撃")
    [row] = rows(gateway, answer.headers["x-request-id"])
    assert (row.state, row.outcome, row.micro_yen, row.prompt_tokens) == ("settled", "blocked", 0, 0)
    [line] = [line for line in admin(gateway, "usage?by=key")["data"] if line["name"] == "refused"]
    assert (line["requests"], line["refused"], line["yen"]) == (1, 1, 0)


def test_an_engine_that_breaks_off_is_billed_as_far_as_it_came(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    upstream.mode = "cut_mid"
    answer = ask(gateway, gateway.key(), "a longer text " * 5, stream=True)
    [row] = rows(gateway, answer.headers["x-request-id"])
    assert (row.state, row.outcome, row.exact) == ("settled", "upstream_error", False)
    assert row.completion_tokens > 0 and row.micro_yen > 0


def test_the_row_is_there_before_the_engine_answers(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    upstream.mode, upstream.pause_s = "slow", 0.05
    headers = {"authorization": f"Bearer {gateway.key()}"}
    body = {"model": "qwen-test", "stream": True, "messages": [{"role": "user", "content": "一二三四五" * 4}]}
    with httpx.stream("POST", gateway.url + "/chat/completions", json=body, headers=headers, timeout=30) as answer:
        next(answer.iter_lines())
        [row] = rows(gateway, answer.headers["x-request-id"])
        assert row.state == "started" and row.lost_tokens > 0 and row.reserved_tokens > row.lost_tokens
        assert row.lost_micro_yen == 1000 * row.lost_tokens


def test_limits_count_what_the_ledger_holds_also_after_the_store_was_emptied(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    key = gateway.key(name="drift", tokens_per_day=100_000, yen_per_month=1000)
    for text in ("one", "two", "three"):
        assert ask(gateway, key, text).status_code == 200

    def standing() -> dict[str, float]:
        [owner] = [owner for owner in admin(gateway, "limits")["data"] if owner["name"] == "drift"]
        return {f"{limit['kind']} a {limit['window']}": limit["used"] for limit in owner["limits"]}

    [line] = [line for line in admin(gateway, "usage?by=key")["data"] if line["name"] == "drift"]
    spent = {"tokens a day": line["prompt_tokens"] + line["completion_tokens"], "yen a month": line["yen"]}
    assert standing() == spent
    gateway.services.meter.store._rows.clear()  # type: ignore[attr-defined]
    assert standing() == spent, "seeded from the ledger, not from zero"


async def test_of_two_hundred_at_once_exactly_as_many_as_the_budget_has_room_for_reach_the_engine(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    """Each may need 112 tokens; 7 fit. The engine holds them, so nothing is settled while the others ask."""
    upstream.mode = "stall"
    headers = {"authorization": f"Bearer {gateway.key(tokens_per_day=7 * 112 + 50)}"}
    body = {"model": "qwen-test", "max_tokens": 100, "messages": [{"role": "user", "content": "x" * 27}]}
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as http:
        tasks = [asyncio.create_task(http.post(gateway.url + "/chat/completions", json=body)) for _ in range(200)]
        waiting = set(tasks)
        while len(waiting) > 7:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().status_code for task in done} == {429}
        while len(upstream.requests) < 7:  # noqa: ASYNC110 - another thread counts them
            await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert len(upstream.requests) == 7


def test_a_quota_is_refused_as_openai_refuses_it(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    key = gateway.key(tokens_per_day=2000)
    assert ask(gateway, key, "x" * 600, max_tokens=1500).status_code == 200
    answer = ask(gateway, key, "x" * 600, max_tokens=1900)
    assert answer.status_code == 429 and answer.json()["error"]["type"] == "insufficient_quota"
    assert answer.headers["x-should-retry"] == "false"


def test_usage_is_summed_by_each_group(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    ask(gateway, gateway.key())
    for by in ("day", "team", "key", "user", "model", "app"):
        lines = admin(gateway, f"usage?by={by}")["data"]
        assert sum(line["requests"] for line in lines) > 0
    [today] = admin(gateway, "usage?by=day")["data"]
    assert admin(gateway, f"usage?by=day&since={today['group']}")["data"] == [today]
    assert admin(gateway, f"usage?by=day&until={today['group']}")["data"] == []
    assert admin(gateway, "usage.csv?by=app").startswith("\ufeffgroup,name,requests")
    assert admin(gateway, "prices")["prices"]["qwen-test"]["prompt"] == "1000"


def test_a_date_that_is_none_is_said(gateway: RunningGateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    answer = httpx.get(gateway.admin_url + "/admin/usage?since=yesterday", headers=headers)
    assert answer.status_code == 400 and "2026-04-01" in answer.json()["error"]["message"]


def test_the_ledger_is_reconciled_with_the_engine_s_counters(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    upstream.counted.update(prompt=1000, generation=500)
    [first] = admin(gateway, "reconcile", method="POST")["data"]
    assert first["since"] is None and "no earlier reading" in first["problem"]
    used = [ask(gateway, gateway.key(), text).json()["usage"] for text in ("one", "two")]
    billed = [sum(u[name] for u in used) for name in ("prompt_tokens", "completion_tokens")]
    upstream.counted.update(prompt=1000 + billed[0], generation=500 + billed[1] + 7)  # somebody went past us
    [row] = admin(gateway, "reconcile")["data"]
    assert row["ledger"] == {"prompt_tokens": billed[0], "completion_tokens": billed[1]}
    assert row["difference"] == {"prompt_tokens": 0, "completion_tokens": 7}
    assert (row["requests"], row["inexact"], row["open"], row["engine_started_anew"]) == (2, 0, 0, False)
    upstream.counted.update(prompt=3, generation=1)
    [row] = admin(gateway, "reconcile")["data"]
    assert row["engine_started_anew"] and row["engine"] == {"prompt_tokens": 3, "completion_tokens": 1}


def test_formulas_stay_texts_in_spreadsheets() -> None:
    line = Line("=1+1", "@SUM(A1)", 1, 0, 0, 2, 3, 60_000, 1_500_000)
    assert as_csv([line]).splitlines()[1] == "'=1+1,'@SUM(A1),1,0,0,2,3,60.0,1.5"


def test_no_date_is_taken_for_one() -> None:
    with pytest.raises(UsageError):
        usage(sa.create_engine("sqlite://"), "day", "2026-13-01")
