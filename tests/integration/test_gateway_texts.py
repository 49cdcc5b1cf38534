"""No text becomes another: German, Japanese, emoji, combining and joined characters, through every surface and however cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway

TEXTS = {
    "german": "Grüße aus Köln – „schön“, groß & ẞ, 5 €",
    "japanese": "株式会社の髙橋と﨑山、𠮷野家で①打合せ。ﾊﾝｶｸとゼンカク、～と〜",
    "emoji": "👨‍👩‍👧‍👦 🇯🇵 👍🏽 ❤️ 😀 𝄞 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "combining": "か\u3099 は\u309a e\u0301 n\u0303 o\u0308 สวัสดี नमस्ते \u200dあ\ufe0f",
    "directions": "\u202eabc\u202c עברית العربية \u2066x\u2069",
    "edges": "\u0000\u0001\u007f\u0085\u00a0\u2028\u2029\ufeff\ufffd\uffff\U0010ffff \\ \" / \t \r\n",
}  # fmt: skip
BODIES: dict[str, Any] = {
    "chat/completions": lambda text: {"messages": [{"role": "user", "content": text}]},
    "completions": lambda text: {"prompt": text},
    "responses": lambda text: {"input": text},
    "messages": lambda text: {"messages": [{"role": "user", "content": text}], "max_tokens": 9},
}


@pytest.fixture(scope="module")
def gateway(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def http(gateway: RunningGateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {gateway.key()}", "content-type": "application/json"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=30) as client:
        yield client


def sent_text(body: dict[str, Any]) -> str:
    if "messages" in body:
        return str(body["messages"][0]["content"])
    return str(body.get("prompt", body.get("input")))


def told_text(surface: str, answer: dict[str, Any]) -> str:
    if surface == "chat/completions":
        return str(answer["choices"][0]["message"]["content"])
    if surface == "completions":
        return str(answer["choices"][0]["text"])
    if surface == "responses":
        return str(answer["output"][0]["content"][0]["text"])
    return str(answer["content"][0]["text"])


def streamed_text(surface: str, raw: bytes) -> str:
    lines = [line[6:] for line in raw.decode().split("\n") if line.startswith("data: ") and line != "data: [DONE]"]
    events = [json.loads(line) for line in lines]
    if surface == "responses":
        return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    if surface == "messages":
        return "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    choices = [choice for event in events for choice in event["choices"]]
    return "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("surface", BODIES)
def test_a_text_comes_back_as_it_went(
    gateway: RunningGateway, http: httpx.Client, upstream: FakeUpstream, surface: str, text: str
) -> None:
    body = {"model": "default", **BODIES[surface](text)}
    for escaped in (True, False):
        raw = json.dumps(body, ensure_ascii=escaped).encode()
        assert told_text(surface, http.post(surface, content=raw).json()) == text
    upstream.piece = 1
    for split in (0, 1, 3):
        upstream.split_bytes = split
        answer = http.post(surface, content=json.dumps({**body, "stream": True}).encode())
        assert streamed_text(surface, answer.content) == text
    assert {sent_text(request) for request in upstream.requests} == {text}
    assert sent_text(json.loads(gateway.audit.intents[-1].body)) == text
    kept = json.dumps(json.loads(gateway.audit.outcomes[-1].body), ensure_ascii=False)
    assert json.dumps(text, ensure_ascii=False)[1:-1] in kept


@pytest.mark.parametrize("surface", BODIES)
@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "x\\ud83dx"])
def test_half_a_character_is_refused_and_not_replaced(
    http: httpx.Client, upstream: FakeUpstream, surface: str, half: str
) -> None:
    raw = json.dumps({"model": "default", **BODIES[surface]("@")}).replace("@", half)
    answer = http.post(surface, content=raw.encode())
    assert answer.status_code == 400 and "JSON" in answer.json()["error"]["message"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    "raw", [b"\xff", "あ".encode()[:2], "ü".encode("latin-1"), "日本".encode("shift_jis"), "あ".encode("utf-16")]
)
def test_bytes_that_are_no_utf8_are_refused_with_their_place(
    http: httpx.Client, upstream: FakeUpstream, raw: bytes
) -> None:
    body = json.dumps({"model": "default", **BODIES["chat/completions"]("@")}).encode().replace(b"@", raw)
    answer = http.post("chat/completions", content=body)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_json"
    assert upstream.requests == []


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("half", [b"\xff", b"\\ud83d", "あ".encode()[:2]], ids=["ff", "surrogate", "cut"])
def test_half_a_character_from_the_engine_is_an_error_and_not_mojibake(
    http: httpx.Client, upstream: FakeUpstream, half: bytes, stream: bool
) -> None:
    choice = b'{"index":0,"delta":{"content":"%s"},"message":{"content":"%s"},"finish_reason":"stop"}' % (half, half)
    event = b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[%s]}' % choice
    upstream.mode, upstream.raw = "raw", b"data: %s\n\ndata: [DONE]\n\n" % event if stream else event
    body = {"model": "default", "stream": stream, **BODIES["chat/completions"]("x")}
    answer = http.post("chat/completions", json=body)
    assert answer.status_code == 502 and answer.json()["error"]["code"].startswith("upstream_bad")
    assert "\ufffd" not in answer.text


def test_who_asks_is_recorded_in_their_own_letters(
    gateway: RunningGateway, http: httpx.Client, upstream: FakeUpstream
) -> None:
    headers = {"x-kakehashi-user": quote("髙橋 😀"), "x-kakehashi-app": quote("büro")}
    body = {"model": "default", **BODIES["chat/completions"]("x")}
    assert http.post("chat/completions", json=body, headers=headers).status_code == 200
    assert (gateway.audit.intents[-1].user, gateway.audit.intents[-1].app) == ("髙橋 😀", "büro")
