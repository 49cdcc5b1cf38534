"""Several upstreams behind one address: retries, fallbacks, breaker, timeouts; what is tried again and what never."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.helpers.fake_upstream import VLLM_MODEL, FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway

SMALL = {**VLLM_MODEL, "id": "small"}
ROUTES: dict[str, Any] = {
    "plain": {"targets": [{"model": "qwen-test"}]},
    "safe": {"targets": [{"model": "qwen-test"}], "fallbacks": ["small"]},
    "bold": {
        "targets": [{"model": "qwen-test"}], "fallbacks": ["small"], "first_byte_timeout_s": 0.3,
        "retry_on": ["unreachable", "overloaded", "error", "disconnected", "timeout"],
    },
    "open": {"targets": [{"model": "qwen-test"}], "fallbacks": ["small"], "fallback_scope": "alias"},
    "brief": {"targets": [{"model": "qwen-test"}], "total_timeout_s": 0.4},
    "pinned": {"targets": [{"model": "qwen-test", "upstreams": ["b"]}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def engines() -> Iterator[list[FakeUpstream]]:
    with running(FakeUpstream()) as a, running(FakeUpstream()) as b, running(FakeUpstream()) as c:
        yield [a, b, c]


@pytest.fixture
def trio(engines: list[FakeUpstream]) -> list[FakeUpstream]:
    """a and b serve the model, c a smaller one."""
    a, b, c = (engine.reset() for engine in engines)
    c.models = [dict(SMALL)]
    return [a, b, c]


def options(trio: list[FakeUpstream], **more: Any) -> dict[str, Any]:
    upstreams = [{"name": name, "url": engine.url} for name, engine in zip("abc", trio, strict=True)]
    return {"upstreams": upstreams, "routes": ROUTES, "breaker_failures": 50, **more}


@pytest.fixture
def gateway(
    trio: list[FakeUpstream], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("home"), monkeypatch, None, **options(trio)) as server:
        yield server


def ask(gateway: RunningGateway, model: str, key: str | None = None, **body: Any) -> httpx.Response:
    asked = {"model": model, "messages": [{"role": "user", "content": "一二三四五六七八九十"}], **body}
    headers = {"authorization": f"Bearer {key or gateway.key()}"}
    return httpx.post(f"{gateway.url}/chat/completions", json=asked, headers=headers, timeout=20)


def told(answer: httpx.Response) -> tuple[int, str, str]:
    headers = answer.headers
    return answer.status_code, headers["x-kakehashi-attempts"], headers.get("x-kakehashi-fallback", "")


def fail(engine: FakeUpstream, status: int) -> None:
    engine.mode, engine.status = "error", status


STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@STREAMED
def test_a_full_replica_hands_over_to_another(gateway: RunningGateway, trio: list[FakeUpstream], stream: bool) -> None:
    a, b, _ = trio
    fail(a, 503)
    key = gateway.key()
    for _ in range(4):
        answer = ask(gateway, "plain", key, stream=stream)
        assert answer.status_code == 200 and answer.headers["x-kakehashi-upstream"] == "b"
    assert len(b.requests) == 4 and len(a.requests) in (0, 4), "the same prompt prefers the same replica"
    assert answer.headers["x-kakehashi-route"] == "plain->qwen-test; canary=no"


@STREAMED
def test_when_all_replicas_are_full_the_fallback_answers(
    gateway: RunningGateway, trio: list[FakeUpstream], stream: bool
) -> None:
    for engine in trio[:2]:
        fail(engine, 503)
    answer = ask(gateway, "safe", stream=stream)
    assert told(answer) == (200, "3", "qwen-test->small; fallback")
    assert (answer.headers["x-kakehashi-upstream"], answer.headers["x-kakehashi-model"]) == ("c", "small")
    [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert (intent.model, outcome.upstream_model, outcome.attempts) == ("safe", "small", 3)
    assert [(t["result"], t["model"]) for t in outcome.tries] == [
        ("503", "qwen-test"), ("503", "qwen-test"), ("ok", "small"),
    ]  # fmt: skip
    again = [record for record in gateway.audit.attempts if record.request_id == intent.request_id]
    assert [(r.number, r.upstream, r.after) for r in again] == [
        (2, again[0].upstream, "overloaded"), (3, "c", "overloaded"),
    ]  # fmt: skip
    metrics = httpx.get(gateway.root + "/metrics").text
    assert 'kakehashi_fallbacks_total{model="small",why="fallback"} 1.0' in metrics
    assert 'kakehashi_retries_total{after="overloaded",upstream="c"} 1.0' in metrics


def test_a_fallback_outside_the_keys_models_is_not_asked(gateway: RunningGateway, trio: list[FakeUpstream]) -> None:
    for engine in trio[:2]:
        fail(engine, 503)
    key = gateway.key(models=("safe", "open"))
    assert told(ask(gateway, "safe", key))[:2] == (503, "2") and trio[2].requests == []
    assert told(ask(gateway, "open", key))[:2] == (200, "3")
    assert told(ask(gateway, "safe", gateway.key(models=("safe", "small"))))[:2] == (200, "3")


@pytest.mark.parametrize("mode", ["error", "cut_head", "stall"])
def test_what_may_have_been_worked_on_is_sent_again_only_where_the_route_says_so(
    gateway: RunningGateway, trio: list[FakeUpstream], mode: str
) -> None:
    for engine in trio[:2]:
        engine.mode = mode
    if mode != "stall":  # `safe` waits for minutes
        assert ask(gateway, "safe").headers["x-kakehashi-attempts"] == "1"
        assert sum(len(engine.requests) for engine in trio) == 1
    assert told(ask(gateway, "bold")) == (200, "3", "qwen-test->small; fallback")


@pytest.mark.parametrize("mode", ["cut_mid", "silent_mid"])
def test_after_the_first_byte_nothing_is_tried_again(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, trio: list[FakeUpstream], mode: str
) -> None:
    with running_gateway(tmp_path, monkeypatch, None, **options(trio, idle_timeout_s=0.3)) as gateway:
        for engine in trio:
            engine.mode = mode
        answer = ask(gateway, "bold", stream=True)
        assert told(answer) == (200, "1", "") and '"error"' in answer.text and "[DONE]" not in answer.text
        assert sum(len(engine.requests) for engine in trio) == 1


def test_a_refused_request_is_the_clients_and_not_tried_elsewhere(
    gateway: RunningGateway, trio: list[FakeUpstream]
) -> None:
    for engine in trio:
        fail(engine, 400)
    assert told(ask(gateway, "bold")) == (400, "1", "")


def test_a_storm_of_errors_is_not_multiplied(gateway: RunningGateway, trio: list[FakeUpstream]) -> None:
    for engine in trio:
        fail(engine, 503)
    key = gateway.key()
    assert {ask(gateway, "safe", key).status_code for _ in range(40)} == {503}
    sent = sum(len(engine.requests) for engine in trio)
    assert sent == 40 + 10, "40 requests and the reserve of the retry budget"
    assert "kakehashi_retries_refused_total" in httpx.get(gateway.root + "/metrics").text


def test_a_replica_that_fails_again_and_again_rests(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, trio: list[FakeUpstream]
) -> None:
    with running_gateway(tmp_path, monkeypatch, None, **options(trio, breaker_failures=3)) as gateway:
        for engine in trio[:2]:
            fail(engine, 500)
        statuses = [ask(gateway, "plain").status_code for _ in range(12)]
        assert statuses == [502] * 6 + [503] * 6 and sum(len(engine.requests) for engine in trio) == 6
        refused = ask(gateway, "plain")
        assert refused.json()["error"]["code"] == "upstream_unavailable" and int(refused.headers["retry-after"]) > 0
        assert told(ask(gateway, "safe")) == (200, "1", "qwen-test->small; fallback"), "resting costs no attempt"
        assert 'kakehashi_upstream_breaker{state="open",upstream="a"} 1.0' in httpx.get(gateway.root + "/metrics").text
        for upstream in gateway.services.pool.upstreams:
            upstream.breaker.until = 0
        for engine in trio:
            engine.reset()
        assert ask(gateway, "plain").status_code == 200


@STREAMED
def test_an_answer_has_a_total_time(gateway: RunningGateway, trio: list[FakeUpstream], stream: bool) -> None:
    for engine in trio:
        engine.mode, engine.pause_s, engine.piece = "slow", 0.15 if stream else 5, 1
    answer = ask(gateway, "brief", stream=stream)
    if stream:
        assert "took longer than this route allows" in answer.text and "[DONE]" not in answer.text
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")


def test_an_upstream_takes_no_more_than_it_may(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, trio: list[FakeUpstream]
) -> None:
    settings = options(trio[:1] * 3)
    settings["upstreams"] = [{"name": "a", "url": trio[0].url, "max_in_flight": 1}, *settings["upstreams"][1:]]
    settings["routes"] = {"one": {"targets": [{"model": "qwen-test", "upstreams": ["a"]}]}}
    settings["queue_wait_s"] = 0.1
    with running_gateway(tmp_path, monkeypatch, None, **settings) as gateway:
        [a] = [u for u in gateway.services.pool.upstreams if u.name == "a"]
        a.enter("qwen-test")
        answer = ask(gateway, "one")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "upstream_overloaded")
        a.leave("qwen-test")
        assert ask(gateway, "one").status_code == 200 and (a.in_flight, a.using) == (0, {})


def test_a_target_can_be_pinned_to_upstreams(gateway: RunningGateway, trio: list[FakeUpstream]) -> None:
    for number in range(6):
        asked = {"messages": [{"role": "user", "content": f"frage {number}"}]}
        assert ask(gateway, "pinned", **asked).headers["x-kakehashi-upstream"] == "b"
    spread = {
        ask(gateway, "plain", messages=[{"role": "user", "content": f"frage {number}"}]).headers["x-kakehashi-upstream"]
        for number in range(24)
    }
    assert spread == {"a", "b"}
