"""LoRA adapters: what is wanted is loaded on every engine, after each restart too, and nothing is sent elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.routing import reconcile
from tests.helpers.adapters import make_adapter
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway

ONE, TWO = "fin@0123456789ab", "fin@ba9876543210"
ASSIST = {"targets": [{"model": "qwen-test", "weight": 0}, {"model": ONE, "weight": 1}]}


@pytest.fixture(scope="module")
def engines() -> Iterator[list[FakeUpstream]]:
    with running(FakeUpstream()) as a, running(FakeUpstream()) as b:
        yield [a, b]


@pytest.fixture
def pair(engines: list[FakeUpstream]) -> list[FakeUpstream]:
    for engine in engines:
        engine.reset().adapters = True
    return engines


@pytest.fixture
def gateway(pair: list[FakeUpstream], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    monkeypatch.setattr(reconcile, "QUIET_S", 0.6)
    upstreams = [{"name": name, "url": engine.url} for name, engine in zip("ab", pair, strict=True)]
    upstreams[1]["adapters_dir"] = "/mnt/adapters"
    make_adapter(tmp_path, ONE)
    make_adapter(tmp_path, TWO, seed=2)
    with running_gateway(tmp_path, monkeypatch, None, upstreams=upstreams) as server:
        yield server


def admin(gateway: RunningGateway, method: str, path: str, **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    return httpx.request(method, f"{gateway.admin_url}/admin/{path}", json=body or None, headers=headers, timeout=30)


def ask(gateway: RunningGateway, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "一二三"}]}
    headers = {"authorization": f"Bearer {gateway.key()}"}
    return httpx.post(f"{gateway.url}/chat/completions", json=body, headers=headers, timeout=30)


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def states(gateway: RunningGateway, name: str) -> dict[str, str]:
    return {r["upstream"]: r["state"] for r in admin(gateway, "GET", f"adapters/{name}").json()["replicas"]}


def loaded(gateway: RunningGateway, name: str) -> None:
    until(lambda: states(gateway, name) == {"a": "loaded", "b": "loaded"}, "loaded on both")


def test_a_wanted_adapter_is_loaded_on_every_engine_and_a_withdrawn_one_unloaded(
    gateway: RunningGateway, pair: list[FakeUpstream], tmp_path: Path
) -> None:
    assert ask(gateway, ONE).status_code == 404
    made = admin(gateway, "PUT", f"adapters/{ONE}")
    assert made.status_code == 200 and made.json()["wanted"] and made.json()["on_disk"]
    loaded(gateway, ONE)
    assert pair[0].told == [("load", ONE, str(tmp_path / "adapters" / ONE))]
    assert pair[1].told == [("load", ONE, f"/mnt/adapters/{ONE}")], "as the other machine sees the folder"
    answer = ask(gateway, ONE)
    assert answer.status_code == 200 and answer.headers["x-kakehashi-model"] == ONE
    listed = admin(gateway, "GET", "adapters").json()["data"]
    assert [(row["name"], row["wanted"]) for row in listed] == [(ONE, True), (TWO, False)]

    assert admin(gateway, "DELETE", f"adapters/{ONE}").status_code == 200
    assert ask(gateway, ONE).status_code == 404, "nobody may use it from that moment, though it is loaded still"
    until(lambda: all(("unload", ONE, "") in engine.told for engine in pair), "unloaded")
    actions = [(i.action, i.target) for i in gateway.audit.intents if i.surface == "admin"]
    assert actions == [("adapter.want", ONE), ("adapter.withdraw", ONE)]


def test_an_engine_that_restarts_is_told_again_and_gets_nothing_meanwhile(
    gateway: RunningGateway, pair: list[FakeUpstream]
) -> None:
    admin(gateway, "PUT", f"adapters/{ONE}")
    loaded(gateway, ONE)
    for engine in pair:
        engine.restart()  # between two probes: the gateway still believes that it is loaded
    pair[0].adapter_error = "No adapter found"
    answers = [ask(gateway, ONE) for _ in range(6)]
    assert {a.status_code for a in answers} <= {200, 503} and not any("does not exist" in a.text for a in answers)
    until(lambda: states(gateway, ONE) == {"a": "failed", "b": "loaded"}, "b is told again, a refuses")
    for _ in range(4):
        assert ask(gateway, ONE).headers["x-kakehashi-upstream"] == "b"
    [reason] = [
        r["reason"] for r in admin(gateway, "GET", f"adapters/{ONE}").json()["replicas"] if r["upstream"] == "a"
    ]
    assert "500" in reason and "No adapter found" in reason
    pair[0].adapter_error = ""
    loaded(gateway, ONE)


def test_a_route_to_an_adapter_falls_back_on_the_stable_model_until_it_is_loaded(
    gateway: RunningGateway, pair: list[FakeUpstream]
) -> None:
    refused = admin(gateway, "PUT", "routes/assist", **ASSIST)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "adapter_not_wanted")
    for engine in pair:
        engine.adapter_error = "out of memory"
    admin(gateway, "PUT", f"adapters/{ONE}")
    assert admin(gateway, "PUT", "routes/assist", **ASSIST).json()["unserved"] == [ONE]
    answer = ask(gateway, "assist")
    assert answer.status_code == 200 and answer.headers["x-kakehashi-route"] == "assist->qwen-test; canary=no"
    admin(gateway, "PUT", "routes/only", targets=[{"model": ONE}])
    answer = ask(gateway, "only")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "adapter_not_loaded")
    for engine in pair:
        engine.adapter_error = ""
    until(lambda: ask(gateway, "only").status_code == 200, "loaded at last")
    in_use = admin(gateway, "DELETE", f"adapters/{ONE}")
    assert (in_use.status_code, in_use.json()["error"]["code"]) == (409, "adapter_in_use")


def test_a_name_stands_for_one_set_of_weights(gateway: RunningGateway, tmp_path: Path) -> None:
    first = admin(gateway, "PUT", f"adapters/{ONE}").json()["digest"]
    loaded(gateway, ONE)
    admin(gateway, "DELETE", f"adapters/{ONE}")
    assert admin(gateway, "PUT", f"adapters/{ONE}").json()["digest"] == first, "the same weights may come back"
    admin(gateway, "DELETE", f"adapters/{ONE}")
    weights = tmp_path / "adapters" / ONE / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"\0")
    refused = admin(gateway, "PUT", f"adapters/{ONE}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "adapter_changed")


def test_weights_that_were_changed_after_the_approval_are_not_loaded(
    gateway: RunningGateway, pair: list[FakeUpstream], tmp_path: Path
) -> None:
    admin(gateway, "PUT", f"adapters/{ONE}")
    loaded(gateway, ONE)
    (tmp_path / "adapters" / ONE / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4}')
    for engine in pair:
        engine.restart()
        engine.told.clear()
    ask(gateway, ONE)
    ask(gateway, ONE)
    until(lambda: "failed" in states(gateway, ONE).values(), "refused")
    assert all(engine.told == [] for engine in pair)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "adapter_model.safetensors").unlink(), "adapter_model.safetensors"),
        (lambda f: (f / "training.pt").write_bytes(b"x"), "pickle"),
        (lambda f: (f / "adapter_config.json").write_text("{"), "no JSON"),
        (lambda f: (f / "adapter_config.json").write_text('{"peft_type": "IA3"}'), "LoRA"),
        (lambda f: (f / "adapter_config.json").write_text('{"peft_type":"LORA","r":8,"use_dora":true}'), "DoRA"),
        (lambda f: (f / "extra").symlink_to("/etc/passwd"), "link"),
    ],
)
def test_what_cannot_or_must_not_be_loaded_is_refused(
    gateway: RunningGateway, tmp_path: Path, spoil: Callable[[Path], Any], said: str
) -> None:
    spoil(tmp_path / "adapters" / TWO)
    refused = admin(gateway, "PUT", f"adapters/{TWO}")
    assert refused.status_code == 400 and said in refused.json()["error"]["message"]


@pytest.mark.parametrize("name", ["fin", "fin@xyz", "..@0123456789ab", "a%2Fb@0123456789ab", "fin@0123456789AB"])
def test_names_of_another_form_are_refused(gateway: RunningGateway, name: str) -> None:
    assert admin(gateway, "PUT", f"adapters/{name}").status_code in (400, 404)


def test_an_engine_that_does_not_load_adapters_says_how_it_would(
    gateway: RunningGateway, pair: list[FakeUpstream]
) -> None:
    pair[0].adapters = False
    admin(gateway, "PUT", f"adapters/{ONE}")
    until(lambda: states(gateway, ONE) == {"a": "failed", "b": "loaded"}, "told")
    assert "--enable-lora" in admin(gateway, "GET", f"adapters/{ONE}").text


@pytest.mark.parametrize(
    "path", ["load_lora_adapter", "unload_lora_adapter", "%6Coad_lora_adapter", "../v1/load_lora_adapter"]
)
def test_clients_never_reach_the_engines_adapter_endpoints(
    gateway: RunningGateway, pair: list[FakeUpstream], path: str
) -> None:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    for base in (gateway.url, f"{gateway.admin_url}/v1"):
        answer = httpx.post(f"{base}/{path}", json={"lora_name": "x", "lora_path": "/"}, headers=headers)
        assert answer.status_code == 404
    assert all(engine.told == [] for engine in pair)
