"""Routes set at run time: over the file's, without a dropped request, on every replica, and taken back."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.routing.store import RoutingStore
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from tests.helpers.fake_upstream import VLLM_MODEL, FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway
from tests.integration.test_gateway_stores import postgres  # noqa: F401 - a fixture

FILE: dict[str, Any] = {"assist": {"targets": [{"model": "qwen-test"}]}}
OTHER = {"targets": [{"model": "other"}]}


@pytest.fixture
def engine_of_two(upstream: FakeUpstream) -> FakeUpstream:
    upstream.models = [dict(VLLM_MODEL), {**VLLM_MODEL, "id": "other"}]
    return upstream


@pytest.fixture
def gateway(engine_of_two: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path, monkeypatch, engine_of_two.url, routes=FILE) as server:
        yield server


def admin(gateway: RunningGateway, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    return httpx.request(method, f"{gateway.admin_url}/admin/{path}", json=body, headers=headers, timeout=30)


def asked(gateway: RunningGateway, key: str, model: str = "assist", **body: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "一二三四五六"}], **body}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{gateway.url}/chat/completions", json=body, headers=headers, timeout=30)


def served(gateway: RunningGateway, key: str, model: str = "assist") -> str:
    return asked(gateway, key, model).headers.get("x-kakehashi-model", "")


def test_a_route_is_set_shown_and_taken_back(gateway: RunningGateway) -> None:
    key = gateway.key()
    assert served(gateway, key) == "qwen-test"
    changed = admin(gateway, "PUT", "routes/assist", OTHER).json()
    assert changed["source"] == "runtime" and changed["route"]["targets"][0]["model"] == "other"
    assert served(gateway, key) == "other", "at once"
    assert changed["file"]["targets"][0]["model"] == "qwen-test" and changed["changed_by"].startswith("key_")
    listed = admin(gateway, "GET", "routes").json()["data"]
    assert [(row["alias"], row["source"]) for row in listed] == [("assist", "runtime")]
    assert admin(gateway, "DELETE", "routes/assist").json()["source"] == "file"
    assert served(gateway, key) == "qwen-test"
    assert admin(gateway, "DELETE", "routes/assist").status_code == 404
    actions = [(i.action, i.target) for i in gateway.audit.intents if i.surface == "admin"]
    assert actions == [("route.set", "assist"), ("route.reset", "assist"), ("route.reset", "assist")]


def test_a_route_can_be_made_that_the_file_does_not_have(gateway: RunningGateway) -> None:
    key = gateway.key(models=("team/new",))
    assert asked(gateway, key, "team/new").status_code == 404
    admin(gateway, "PUT", "routes/team/new", OTHER)
    assert served(gateway, key, "team/new") == "other"
    assert admin(gateway, "DELETE", "routes/team/new").json() == {
        "object": "route", "alias": "team/new", "source": "none", "route": None,
    }  # fmt: skip
    assert asked(gateway, key, "team/new").status_code == 404
    assert admin(gateway, "GET", "routes/team/new").status_code == 404


@pytest.mark.parametrize(
    ("alias", "body", "status"),
    [
        ("assist", {"targets": []}, 422),
        ("assist", {"targets": [{"model": "x", "wait": 1}]}, 422),
        ("assist", {"targets": [{"model": "x", "weight": 0}]}, 400),
        ("assist", {"targets": [{"model": "x"}, {"model": "x"}]}, 400),
        ("assist", {"targets": [{"model": "x", "upstreams": ["nobody"]}]}, 400),
        ("assist", {"targets": [{"model": "x"}], "fallbacks": ["assist"]}, 400),
        ("assist", {"targets": [{"model": "x"}], "shadow": {"model": "y", "share": 2}}, 422),
        ("..", OTHER, 404),
        ("a..b", OTHER, 400),
    ],
)
def test_a_route_that_cannot_work_is_refused_and_changes_nothing(
    gateway: RunningGateway, alias: str, body: Any, status: int
) -> None:
    before = admin(gateway, "GET", "routes").json()
    answer = admin(gateway, "PUT", f"routes/{alias}", body)
    assert answer.status_code == status and answer.json()["error"]["message"]
    assert admin(gateway, "GET", "routes").json() == before


def test_what_no_engine_serves_is_named(gateway: RunningGateway) -> None:
    body = {"targets": [{"model": "other"}, {"model": "nowhere"}], "fallbacks": ["assist", "lost"]}
    assert admin(gateway, "PUT", "routes/canary", body).json()["unserved"] == ["lost", "nowhere"]


def test_no_request_is_dropped_while_routes_change(gateway: RunningGateway, engine_of_two: FakeUpstream) -> None:
    """Requests and streams all the time, the route swapped again and again under them."""
    engine_of_two.mode, engine_of_two.pause_s = "slow", 0.02
    key, stop, seen = gateway.key(), threading.Event(), Counter[str]()

    def work(number: int) -> None:
        while not stop.is_set():
            answer = asked(gateway, key, stream=bool(number % 2))
            whole = "[DONE]" in answer.text if number % 2 else '"finish_reason"' in answer.text
            seen[answer.headers["x-kakehashi-model"] if answer.status_code == 200 and whole else answer.text] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for number in range(20):
        body = OTHER if number % 2 else FILE["assist"]
        assert admin(gateway, "PUT", "routes/assist", body).status_code == 200
    stop.set()
    for thread in threads:
        thread.join(60)
    assert set(seen) == {"qwen-test", "other"}


def test_a_stored_route_that_no_longer_fits_leaves_the_files_in_force(
    engine_of_two: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_gateway(tmp_path, monkeypatch, engine_of_two.url, routes=FILE) as gateway:
        pinned = {"targets": [{"model": "other", "upstreams": ["engine"]}]}
        assert admin(gateway, "PUT", "routes/assist", pinned).status_code == 200
    upstreams = [{"name": "renamed", "url": engine_of_two.url}]
    with running_gateway(tmp_path, monkeypatch, None, upstreams=upstreams, routes=FILE) as gateway:
        assert served(gateway, gateway.key()) == "qwen-test"
        told = admin(gateway, "GET", "routes/assist").json()
        assert told["source"] == "file" and "'engine'" in told["problem"]


@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_every_replica_has_a_change_within_a_second(
    engine_of_two: FakeUpstream,
    tmp_path: Path,
    store: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = request.getfixturevalue("postgres") if store == "postgres" else f"sqlite:///{tmp_path}/shared.db"
    shared = {"database_url": database, "routes": FILE}
    prepare(open_database(database))
    with (
        running_gateway(tmp_path / "one", monkeypatch, engine_of_two.url, **shared) as one,
        running(FakeUpstream(models=engine_of_two.models)) as engine,
        running_gateway(tmp_path / "two", monkeypatch, engine.url, **shared) as two,
    ):
        key = one.key()
        assert served(one, key) == served(two, key) == "qwen-test"
        for body, model in ((OTHER, "other"), (FILE["assist"], "qwen-test")):
            assert admin(one, "PUT", "routes/assist", body).status_code == 200
            time.sleep(1)  # the promise: whoever asks a second later gets the new one
            assert served(one, key) == served(two, key) == model


def test_without_the_database_routes_stay_as_they_are(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    admin(gateway, "PUT", "routes/assist", OTHER)
    key = gateway.key()
    assert served(gateway, key) == "other"
    reads = threading.Event()

    def gone(self: RoutingStore) -> Any:
        from gateway.errors import Unavailable

        reads.set()
        raise Unavailable("The gateway's database cannot be reached.")

    monkeypatch.setattr(RoutingStore, "read", gone)
    assert reads.wait(60) and served(gateway, key) == "other"
