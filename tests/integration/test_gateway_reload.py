"""Settings and policy read again while requests run: by the admin API and by SIGHUP; and the end, announced first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from gateway.guardrails.policy import DEFAULT
from gateway.identity.keys import KeySpec
from gateway.identity.store import IdentityStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from kakehashi.errors import ConfigError
from tests.helpers.fake_upstream import VLLM_MODEL, FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway
from tests.integration.test_gateway_process import MAIN, free_port, status, until

BODY = {"model": "assist", "messages": [{"role": "user", "content": "一二三四五六七八九十"}]}


class Changing:
    """Settings that a test changes under a running gateway."""

    def __init__(self, **given: Any) -> None:
        self.given = given

    def __call__(self) -> dict[str, Any]:
        if error := self.given.get("error"):
            raise error
        return self.given


@pytest.fixture
def changing(tmp_path: Path) -> Changing:
    policy = tmp_path / "policy.yaml"
    policy.write_text(DEFAULT.read_text())
    return Changing(policy=policy, routes={"assist": {"targets": [{"model": "qwen-test"}]}})


@pytest.fixture
def gateway(
    upstream: FakeUpstream, changing: Changing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    upstream.models = [dict(VLLM_MODEL), {**VLLM_MODEL, "id": "other"}]
    options = {**changing.given, "read": changing, "guardrails": None}
    with running_gateway(tmp_path, monkeypatch, upstream.url, **options) as server:
        yield server


def reload(gateway: RunningGateway) -> httpx.Response:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    return httpx.post(f"{gateway.admin_url}/admin/reload", headers=headers, timeout=60)


def ask(url: str, key: str, **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/chat/completions", json={**BODY, **body}, headers=headers, timeout=60)


def edit_policy(changing: Changing, edit: Callable[[dict[str, Any]], Any]) -> None:
    policy = yaml.safe_load(changing.given["policy"].read_text())
    edit(policy)
    changing.given["policy"].write_text(yaml.safe_dump(policy, allow_unicode=True))


def test_routes_limits_and_the_policy_hold_anew(gateway: RunningGateway, changing: Changing) -> None:
    key = gateway.key()
    before = ask(gateway.url, key)
    assert before.headers["x-kakehashi-model"] == "qwen-test" and "x-ratelimit-limit-requests" not in before.headers
    changing.given["routes"] = {"assist": {"targets": [{"model": "other"}]}}
    changing.given["limits"] = {"global": {"rpm": 1000}}
    edit_policy(changing, lambda policy: policy.update(version="77"))
    assert ask(gateway.url, key).headers["x-kakehashi-model"] == "qwen-test", "nothing changes by itself"
    told = reload(gateway).json()
    assert told["changed"] == ["gateway.limits", "gateway.routes"] and told["policy"].endswith("@77")
    after = ask(gateway.url, key)
    assert after.headers["x-kakehashi-model"] == "other" and after.headers["x-kakehashi-policy"].endswith("@77")
    assert after.headers["x-ratelimit-limit-requests"] == "1000"
    assert [(i.action, i.app) for i in gateway.audit.intents if i.surface == "admin"] == [("config.reload", "admin")]


def test_what_needs_a_restart_is_named_and_left(gateway: RunningGateway, changing: Changing) -> None:
    changing.given |= {"session_hours": 1.0, "max_body_bytes": 100}
    told = reload(gateway).json()
    assert (told["changed"], told["restart_needed"]) == ([], ["gateway.max_body_bytes", "gateway.session_hours"])
    assert ask(gateway.url, gateway.key()).status_code == 200


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda c: c.given.update(error=ConfigError("Setting 'gateway.x': no.")), "gateway.x"),
        (lambda c: c.given["routes"].update(bad={"targets": [{"model": "m", "upstreams": ["b"]}]}), "upstream 'b'"),
        (lambda c: c.given.update(limits={"globul": {"rpm": 1}}), "globul"),
        (lambda c: c.given["policy"].write_text("profiles: ["), "policy"),
        (lambda c: edit_policy(c, lambda p: p["profiles"].pop("strict")), "strict"),
    ],
)
def test_an_error_is_told_and_leaves_everything_as_it_is(
    gateway: RunningGateway, changing: Changing, spoil: Callable[[Changing], Any], said: str
) -> None:
    key = gateway.key(profile="strict")
    policy = ask(gateway.url, key).headers["x-kakehashi-policy"]
    changing.given["routes"] = {"assist": {"targets": [{"model": "other"}]}}
    spoil(changing)
    refused = reload(gateway)
    assert refused.status_code == 400 and said in refused.json()["error"]["message"]
    answer = ask(gateway.url, key)
    assert (answer.headers["x-kakehashi-model"], answer.headers["x-kakehashi-policy"]) == ("qwen-test", policy)
    [outcome] = [o for o in gateway.audit.outcomes if o.request_id == refused.headers["x-request-id"]]
    assert outcome.outcome == "refused"


@contextmanager
def process(home: Path, config: Path, settings: dict[str, Any]) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """The gateway in a process of its own, its settings in its file; an ordinary key and an admin's."""
    config.write_text(yaml.safe_dump({"gateway": settings}))
    engine = open_database(f"sqlite:///{home}/gateway.db")
    prepare(engine)
    store = IdentityStore(engine)
    key, admin = (store.create_key(KeySpec(name, admin=name == "admin"))[1].key for name in ("user", "admin"))
    engine.dispose()
    started = subprocess.Popen([sys.executable, "-c", MAIN], env={**os.environ, "KAKEHASHI_HOME": str(home)})
    try:
        until(lambda: status(f"http://127.0.0.1:{settings['port']}/livez") == 200 or started.poll() is not None)
        yield started, key, admin
    finally:
        started.kill()
        started.wait()


def test_no_request_is_dropped_by_signals_that_change_the_engine_under_load(tmp_path: Path) -> None:
    """Two engines take turns as the only one; requests and streams go on all the while."""
    config, port, admin_port = tmp_path / "config.yaml", free_port(), free_port()
    url = f"http://127.0.0.1:{port}/v1"
    with running(FakeUpstream()) as a, running(FakeUpstream()) as b:
        for engine in (a, b):
            engine.mode, engine.pause_s = "slow", 0.01
        upstreams = [[{"name": name, "url": engine.url}] for name, engine in (("a", a), ("b", b))]
        settings = {
            "port": port,
            "admin_port": admin_port,
            "upstreams": upstreams[0],
            "models": {"assist": "qwen-test"},
        }
        with process(tmp_path, config, settings) as (gateway, key, admin):
            stop, seen = threading.Event(), Counter[str]()

            def work(number: int) -> None:
                while not stop.is_set():
                    answer = ask(url, key, stream=bool(number % 2))
                    whole = "[DONE]" in answer.text if number % 2 else '"finish_reason"' in answer.text
                    good = answer.status_code == 200 and whole
                    seen[answer.headers["x-kakehashi-upstream"] if good else answer.text] += 1

            threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for turn in range(6):
                engine = (b, a)[turn % 2]
                config.write_text(yaml.safe_dump({"gateway": {**settings, "upstreams": upstreams[(turn + 1) % 2]}}))
                gateway.send_signal(signal.SIGHUP)
                asked = len(engine.requests)
                until(lambda engine=engine, asked=asked: len(engine.requests) > asked)  # type: ignore[misc]
            config.write_text("gateway: {port: many}")
            gateway.send_signal(signal.SIGHUP)  # an error: everything goes on
            headers = {"authorization": f"Bearer {admin}"}
            refused = httpx.post(f"http://127.0.0.1:{admin_port}/admin/reload", headers=headers, timeout=60)
            assert refused.status_code == 400 and "gateway.port" in refused.json()["error"]["message"]
            stop.set()
            for thread in threads:
                thread.join(60)
            assert set(seen) == {"a", "b"} and ask(url, key).status_code == 200


def test_the_end_is_announced_before_new_requests_are_refused(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(FakeUpstream(mode="slow", pause_s=0.2)) as upstream:
        settings = {"port": port, "admin_port": None, "upstream": upstream.url, "drain_notice_s": 60,
                    "models": {"assist": "qwen-test"}}  # fmt: skip
        with process(tmp_path, tmp_path / "config.yaml", settings) as (gateway, key, _):
            until(lambda: status(url + "/readyz") == 200)
            headers = {"authorization": f"Bearer {key}"}
            body = {**BODY, "stream": True}
            with httpx.stream("POST", url + "/v1/chat/completions", json=body, headers=headers, timeout=60) as stream:
                lines = stream.iter_lines()
                next(lines)
                gateway.send_signal(signal.SIGTERM)
                until(lambda: status(url + "/readyz") == 503)
                assert status(url + "/livez") == 200
                assert ask(url + "/v1", key).status_code == 200, "who has not heard yet is served"
                gateway.send_signal(signal.SIGTERM)  # no more notice
                assert "data: [DONE]" in list(lines)
            assert gateway.wait(60) == 0
            with pytest.raises(httpx.TransportError):
                ask(url + "/v1", key)
