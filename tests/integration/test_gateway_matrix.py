"""Every surface × whole or stream × policy: no way through skips identity, limits, guardrails, audit or metering."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.api.surfaces import SURFACES
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.running_gateway import RunningGateway, running_gateway


@dataclass(frozen=True)
class Way:
    """One way through the gateway. ``body``: how a text is sent; ``generates``: a model answers it in words."""

    surface: str
    path: str
    stream: bool = False
    generates: bool = True
    model: bool = True

    def body(self, text: str) -> dict[str, Any]:
        bodies: dict[str, dict[str, Any]] = {
            "completions": {"prompt": text},
            "responses": {"input": text},
            "embeddings": {"input": [text]},
            "tokenize": {"prompt": text},
            "moderations": {"input": text},
            "guard.scan": {"inputs": [{"text": text}]},
        }
        body = bodies.get(self.surface, {"messages": [{"role": "user", "content": text}]})
        streaming = {"stream": True} if self.stream else {}
        limited = {"max_tokens": 100} if self.surface == "messages" else {}
        return {**({"model": "default"} if self.model else {}), **body, **streaming, **limited}


WAYS = [
    *(Way(s.name, s.path, stream=stream, generates=s.generates) for s in SURFACES for stream in (False, True)
      if s.generates or not stream),
    Way("moderations", "/moderations", generates=False, model=False),
    Way("guard.scan", "/guard/scan", generates=False, model=False),
]  # fmt: skip
IDS = [f"{way.surface}{'-stream' if way.stream else ''}" for way in WAYS]
ALL = pytest.mark.parametrize("way", WAYS, ids=IDS)
WITH_MODEL = pytest.mark.parametrize("way", [w for w in WAYS if w.model], ids=lambda w: f"{w.surface}-{w.stream}")
IN_WORDS = pytest.mark.parametrize("way", [w for w in WAYS if w.generates], ids=lambda w: f"{w.surface}-{w.stream}")


@pytest.fixture(scope="module")
def server(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url) as gateway,
    ):
        yield gateway


@pytest.fixture
def gateway(server: RunningGateway, upstream: FakeUpstream) -> RunningGateway:
    server.audit.broken = False
    return server


def ask(gateway: RunningGateway, way: Way, text: str, key: str | None = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or gateway.key()}"}
    return httpx.post(gateway.url + way.path, json=way.body(text), headers=headers, timeout=20)


def code(answer: httpx.Response) -> str:
    told: str = answer.json()["error"]["code"]
    return told


@ALL
def test_without_a_key_there_is_no_answer(gateway: RunningGateway, upstream: FakeUpstream, way: Way) -> None:
    answer = httpx.post(gateway.url + way.path, json=way.body("x"))
    assert (answer.status_code, code(answer)) == (401, "missing_api_key")
    revoked = gateway.key()
    [public] = gateway.services.identity.keys(prefix=revoked[:10])
    gateway.services.identity.revoke_key(public.id)
    assert ask(gateway, way, "x", revoked).status_code == 401
    assert upstream.requests == []


@WITH_MODEL
def test_outside_the_keys_models_there_is_no_answer(gateway: RunningGateway, upstream: FakeUpstream, way: Way) -> None:
    answer = ask(gateway, way, "x", gateway.key(models=("other",)))
    assert (answer.status_code, code(answer)) == (403, "model_not_allowed") and upstream.requests == []


@ALL
def test_over_the_limit_there_is_no_answer(gateway: RunningGateway, way: Way) -> None:
    key = gateway.key(rpm=1)
    statuses = [ask(gateway, way, "x", key).status_code for _ in range(3)]  # the minute may turn once in between
    assert statuses[0] == 200 and 429 in statuses


@ALL
def test_a_text_goes_nowhere_unmasked_and_both_records_are_kept(
    gateway: RunningGateway, upstream: FakeUpstream, way: Way
) -> None:
    answer = ask(gateway, way, f"{NAME}さんの件")
    assert answer.status_code == 200 and answer.headers["x-kakehashi-policy"] == "fake@1"
    [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert (intent.surface, intent.stream, intent.policy) == (way.surface, way.stream, "fake@1")
    assert (outcome.outcome, outcome.status) == ("ok", 200)
    assert [d["rule"] for d in outcome.decisions][:1] == ["test.person"]
    recorded = (intent.body + outcome.body).decode() + json.dumps(upstream.requests, ensure_ascii=False)
    assert NAME not in recorded and PLACEHOLDER in recorded
    assert len(upstream.requests) == way.model


@IN_WORDS
def test_an_answer_in_words_is_restored_and_billed(gateway: RunningGateway, way: Way) -> None:
    key = gateway.key(tpm=1_000_000)
    answer = ask(gateway, way, f"{NAME}さんの件", key)
    assert PLACEHOLDER not in answer.text and (way.stream or NAME in answer.text)
    _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert outcome.prompt_tokens == 7 and outcome.completion_tokens > 0 and outcome.finish_reason
    left = int(ask(gateway, way, "x", key).headers["x-ratelimit-remaining-tokens"])
    assert left > 1_000_000 - 1_500, "what was reserved has not been settled by what was used"


@WITH_MODEL
def test_a_request_that_the_policy_blocks_never_leaves(
    gateway: RunningGateway, upstream: FakeUpstream, way: Way
) -> None:
    answer = ask(gateway, way, "攻撃")
    assert (answer.status_code, code(answer)) == (400, "content_blocked") and upstream.requests == []
    [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert (intent.body, outcome.outcome, outcome.decisions[0]["action"]) == (b"", "blocked", "block")


@IN_WORDS
def test_an_answer_that_the_policy_blocks_is_not_told(
    gateway: RunningGateway, upstream: FakeUpstream, way: Way
) -> None:
    upstream.answer = "前置き。これは禁句です。"
    answer = ask(gateway, way, "x")
    assert answer.status_code == 200 and "禁" not in answer.text
    assert any(sign in answer.text for sign in ("content_filter", "refusal"))
    _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert outcome.decisions[-1]["action"] == "block" and "禁句" in outcome.body.decode()


@ALL
def test_without_a_record_there_is_no_answer(gateway: RunningGateway, upstream: FakeUpstream, way: Way) -> None:
    gateway.audit.broken = True
    answer = ask(gateway, way, "x")
    assert (answer.status_code, code(answer)) == (503, "audit_unavailable") and upstream.requests == []


@WITH_MODEL
def test_an_engine_without_the_surface_is_said_so(gateway: RunningGateway, upstream: FakeUpstream, way: Way) -> None:
    upstream.mode, upstream.status, upstream.error_body = "error", 404, b'{"detail":"Not Found"}'
    answer = ask(gateway, way, "x")
    assert (answer.status_code, code(answer)) == (404, "surface_not_served")
    _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert (outcome.outcome, outcome.prompt_tokens) == ("upstream_error", 0)


def test_a_count_is_told_and_nothing_else(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    asked = {"model": "default", "messages": [{"role": "user", "content": f"{NAME}です"}], "tools": []}
    answer = httpx.post(gateway.url + "/tokenize", json=asked, headers=headers)
    assert answer.json() == {"count": len(PLACEHOLDER) + 2, "max_model_len": 8192}  # of the text as the model gets it
    _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (0, 0)
    for wrong in ({"model": "default"}, {**asked, "prompt": "x"}, {"model": "default", "prompt": ["x"]}):
        assert httpx.post(gateway.url + "/tokenize", json=wrong, headers=headers).status_code == 400
    refused = httpx.post(gateway.url + "/tokenize", json={**asked, "return_token_strs": True}, headers=headers)
    assert refused.json()["error"]["code"] == "unsupported_parameter" and len(upstream.requests) == 1
