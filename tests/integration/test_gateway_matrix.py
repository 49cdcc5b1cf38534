"""Every surface × whole, stream or batch × policy: no way through skips identity, limits, guardrails, audit or metering."""

from __future__ import annotations

import io
import json
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.api import audio
from gateway.api.surfaces import SURFACES
from gateway.batches.lines import ENDPOINTS
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
    batch: bool = False

    @property
    def audio(self) -> bool:
        return self.path.startswith("/audio")

    def body(self, text: str) -> dict[str, Any]:
        bodies: dict[str, dict[str, Any]] = {
            "completions": {"prompt": text},
            "responses": {"input": text},
            "embeddings": {"input": [text]},
            "tokenize": {"prompt": text},
            "transcriptions": {"prompt": text},
            "translations": {"prompt": text},
            "moderations": {"input": text},
            "guard.scan": {"inputs": [{"text": text}]},
        }
        body = bodies.get(self.surface, {"messages": [{"role": "user", "content": text}]})
        streaming = {"stream": "true" if self.audio else True} if self.stream else {}
        limited = {"max_tokens": 100} if self.surface == "messages" else {}
        return {**({"model": "default"} if self.model else {}), **body, **streaming, **limited}


WAYS = [
    *(Way(s.name, s.path, stream=stream, generates=s.generates) for s in SURFACES for stream in (False, True)
      if s.generates or not stream),
    Way("moderations", "/moderations", generates=False, model=False),
    Way("guard.scan", "/guard/scan", generates=False, model=False),
    *(Way(s.name, s.path) for s in audio.SURFACES),
    Way("transcriptions", "/audio/transcriptions", stream=True),
]  # fmt: skip
BATCHED = [
    Way(way.surface, way.path, generates=way.generates, model=way.model, batch=True)
    for way in WAYS
    if f"/v1{way.path}" in ENDPOINTS and not way.stream
]


def name_of(way: Way) -> str:
    return f"{way.surface}{'-stream' if way.stream else '-batch' if way.batch else ''}"


AT_ONCE = pytest.mark.parametrize("way", WAYS, ids=name_of)
ALL = pytest.mark.parametrize("way", [*WAYS, *BATCHED], ids=name_of)
WITH_MODEL = pytest.mark.parametrize("way", [w for w in [*WAYS, *BATCHED] if w.model], ids=name_of)
IN_WORDS = pytest.mark.parametrize("way", [w for w in [*WAYS, *BATCHED] if w.generates], ids=name_of)


@pytest.fixture(scope="module")
def server(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url, speech=engine.url) as gateway,
    ):
        yield gateway


@pytest.fixture
def gateway(server: RunningGateway, upstream: FakeUpstream) -> RunningGateway:
    server.audit.broken = False
    return server


def sound() -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\0" * 1_600)
    return held.getvalue()


def in_a_batch(gateway: RunningGateway, way: Way, text: str, headers: dict[str, str]) -> httpx.Response:
    """The answer to the one line of a batch, as if it had been asked at once; or the refusal of the batch itself."""
    line = {"custom_id": "a", "method": "POST", "url": f"/v1{way.path}", "body": way.body(text)}
    files = {"file": ("a.jsonl", json.dumps(line, ensure_ascii=False).encode())}
    upload = httpx.post(f"{gateway.url}/files", data={"purpose": "batch"}, files=files, headers=headers)
    if upload.status_code != 200:
        return upload
    asked = {"input_file_id": upload.json()["id"], "endpoint": f"/v1{way.path}", "completion_window": "24h"}
    made = httpx.post(f"{gateway.url}/batches", json=asked, headers=headers)
    assert made.status_code == 200, made.text
    deadline, batch = time.monotonic() + 30, made.json()
    while batch["status"] not in ("completed", "failed") and time.monotonic() < deadline:
        time.sleep(0.05)
        batch = httpx.get(f"{gateway.url}/batches/{batch['id']}", headers=headers).json()
    assert batch["status"] == "completed", batch
    file = batch["output_file_id"] or batch["error_file_id"]
    told = httpx.get(f"{gateway.url}/files/{file}/content", headers=headers).json()["response"]
    kept = {name: value for name, value in made.headers.items() if name.startswith("x-ratelimit")}
    return httpx.Response(told["status_code"], headers={**kept, "x-request-id": told["request_id"]}, json=told["body"])


def ask(gateway: RunningGateway, way: Way, text: str, key: str | None = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or gateway.key()}"}
    if way.batch:
        return in_a_batch(gateway, way, text, headers)
    if way.audio:
        files = {"file": ("a.wav", sound())}
        return httpx.post(gateway.url + way.path, data=way.body(text), files=files, headers=headers, timeout=20)
    return httpx.post(gateway.url + way.path, json=way.body(text), headers=headers, timeout=20)


def code(answer: httpx.Response) -> str:
    told: str = answer.json()["error"]["code"]
    return told


@ALL
def test_without_a_key_there_is_no_answer(gateway: RunningGateway, upstream: FakeUpstream, way: Way) -> None:
    answer = httpx.post(gateway.url + ("/batches" if way.batch else way.path), json=way.body("x"))
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


@AT_ONCE
def test_over_the_limit_there_is_no_answer(gateway: RunningGateway, way: Way) -> None:
    key = gateway.key(rpm=1)
    statuses = [ask(gateway, way, "x", key).status_code for _ in range(3)]  # the minute may turn once in between
    assert statuses[0] == 200 and 429 in statuses


@ALL
def test_a_text_goes_nowhere_unmasked_and_both_records_are_kept(
    gateway: RunningGateway, upstream: FakeUpstream, way: Way
) -> None:
    answer = ask(gateway, way, f"{NAME}さんの件")
    assert answer.status_code == 200 and (way.batch or answer.headers["x-kakehashi-policy"] == "fake@1")
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
    # A transcript has no field that tells of a block: it is refused, unless a part of it has been told already.
    assert answer.status_code == (400 if way.audio else 200) and "禁" not in answer.text
    assert any(sign in answer.text for sign in ("content_filter", "refusal", "content_blocked"))
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
