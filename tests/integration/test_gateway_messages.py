"""Anthropic's Messages API through a real gateway to a fake engine: blocks, streams, refusals, errors in its shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.running_gateway import RunningGateway, running_gateway

ASK = "山田太郎さんの予定を😀教えてください。"
FIELDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


@pytest.fixture(scope="module")
def gateway(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url, idle_timeout_s=0.6) as server,
    ):
        yield server


@pytest.fixture
def http(gateway: RunningGateway, upstream: FakeUpstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url + "/", headers={"x-api-key": gateway.key()}, timeout=20) as plain:
        yield plain


def body(content: Any = ASK, **more: Any) -> dict[str, Any]:
    return {"model": "default", "max_tokens": 50, "messages": [{"role": "user", "content": content}], **more}


def told(text: str) -> list[dict[str, Any]]:
    events = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def said(events: list[dict[str, Any]], kind: str = "text_delta") -> str:
    deltas = [e["delta"] for e in events if e["type"] == "content_block_delta"]
    return "".join(delta[FIELDS[kind]] for delta in deltas if delta["type"] == kind)


def test_a_whole_answer_is_masked_upstream_and_restored(
    http: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway
) -> None:
    answer = http.post("messages", json=body(system="山田太郎さんの秘書です。", metadata={"user_id": "u"}))
    assert answer.json()["content"] == [{"type": "text", "text": ASK}]
    assert answer.headers["x-kakehashi-ignored-params"] == "metadata"
    assert NAME not in json.dumps(upstream.requests[0], ensure_ascii=False)
    assert len(upstream.requests[0]["cache_salt"]) == 64
    [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert intent.surface == "messages" and NAME not in intent.body.decode() + outcome.body.decode()
    assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.finish_reason) == (7, 9, "end_turn")


@pytest.mark.parametrize("split", [0, 1, 7])
@pytest.mark.parametrize("mode", ["echo", "reasoning", "tools"])
def test_a_stream_says_the_same_as_the_whole_answer(
    http: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway, mode: str, split: int
) -> None:
    upstream.mode, upstream.split_bytes = mode, split
    whole = http.post("messages", json=body()).json()
    answer = http.post("messages", json=body(stream=True))
    events = told(answer.text)
    assert PLACEHOLDER not in answer.text and events[-1]["type"] == "message_stop"
    for block in whole["content"]:
        if block["type"] == "tool_use":
            assert json.loads(said(events, "input_json_delta")) == block["input"] == {"city": "東京", "who": NAME}
        else:
            assert said(events, f"{block['type']}_delta") == block[block["type"]]
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"]
    [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert intent.stream and (outcome.prompt_tokens, outcome.completion_tokens) == (7, 9)
    assert NAME not in outcome.body.decode() and PLACEHOLDER in outcome.body.decode()


def test_what_is_held_back_comes_before_the_blocks_end(http: httpx.Client, upstream: FakeUpstream) -> None:
    upstream.answer = "担当は[[PERSON"
    kinds = [event["type"] for event in told(http.post("messages", json=body(stream=True)).text)]
    last = len(kinds) - 1 - kinds[::-1].index("content_block_delta")
    assert kinds[last + 1 :] == ["content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_block_ends_as_a_refusal(
    http: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway, stream: bool
) -> None:
    upstream.answer, upstream.mode, upstream.pause_s = "前置き。禁句。" + "続" * 300, "slow", 0.01
    answer = http.post("messages", json=body(stream=stream))
    assert "禁" not in answer.text
    if stream:
        events = told(answer.text)
        assert [e["type"] for e in events[-3:]] == ["content_block_stop", "message_delta", "message_stop"]
        assert events[-2]["delta"]["stop_reason"] == "refusal"
    else:
        assert (answer.json()["content"], answer.json()["stop_reason"]) == ([], "refusal")
    _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert outcome.decisions[-1]["action"] == "block" and outcome.completion_tokens < 20


@pytest.mark.parametrize("mode", ["cut_mid", "clean_cut", "silent_mid", "bad_chunk", "error_chunk"])
def test_a_stream_that_breaks_off_ends_in_an_error_event(http: httpx.Client, upstream: FakeUpstream, mode: str) -> None:
    upstream.mode = mode
    events = told(http.post("messages", json=body("あいうえおかきくけこ", stream=True)).text)
    assert events[-1]["type"] == "error" and events[-1]["error"]["type"] in ("api_error", "timeout_error")
    assert said(events).startswith("あいう") and "message_stop" not in [e["type"] for e in events]


def test_an_earlier_tool_call_and_its_result_are_masked(http: httpx.Client, upstream: FakeUpstream) -> None:
    call = {"type": "tool_use", "id": "c", "name": "find", "input": {"who": NAME}}
    result = {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": f"{NAME}は不在"}]}
    tool = {"name": "find", "description": f"{NAME}を探す", "input_schema": {"type": "object"}}
    turns = [
        {"role": "user", "content": ASK},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    assert http.post("messages", json=body(messages=turns, tools=[tool])).status_code == 200
    assert NAME not in json.dumps(upstream.requests[0], ensure_ascii=False)


def test_a_count_is_told_and_nothing_else(http: httpx.Client) -> None:
    asked = {"model": "default", "messages": [{"role": "user", "content": f"{NAME}です"}]}
    assert http.post("messages/count_tokens", json=asked).json() == {"input_tokens": len(PLACEHOLDER) + 2}
    assert http.post("messages/count_tokens", json={**asked, "messages": []}).json()["type"] == "error"


def test_errors_have_anthropics_shape(http: httpx.Client, gateway: RunningGateway, upstream: FakeUpstream) -> None:
    def ask(kind: str, status: int, **more: Any) -> dict[str, Any]:
        answer = http.post("messages", **{"json": body(), **more})
        told = answer.json()
        assert (answer.status_code, told["type"], told["error"]["type"]) == (status, "error", kind), told
        assert answer.headers["x-request-id"].startswith("req_")
        error: dict[str, Any] = told["error"]
        return error

    ask("authentication_error", 401, headers={"x-api-key": "kk_wrong"})
    ask("permission_error", 403, headers={"x-api-key": gateway.key(models=("other",))})
    ask("not_found_error", 404, json={**body(), "model": "claude"})
    ask("invalid_request_error", 400, content=b"{")
    assert ask("invalid_request_error", 400, json=body("攻撃"))["code"] == "content_blocked"
    limited = {"x-api-key": gateway.key(tpm=5)}
    ask("rate_limit_error", 429, headers=limited)
    get = http.get("messages")
    assert (get.status_code, get.json()["type"]) == (405, "error")
    upstream.mode, upstream.status, upstream.error_body = "error", 404, b'{"detail":"Not Found"}'
    assert ask("not_found_error", 404)["code"] == "surface_not_served"
    upstream.status = 500
    ask("api_error", 502)


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"name": "f", "input_schema": {"type": "nope"}}]},
        {"mcp_servers": [{"url": "http://x"}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": {"a": "unread"}}]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "AAAA"}]}]},
        {"max_tokens": 0},
        {"output_config": {"format": {"type": "json_schema", "schema": {"pattern": "a{1,9999}"}}}},
        {"kv_transfer_params": {}},
    ],
)
def test_what_can_hurt_or_cannot_be_read_is_refused(
    http: httpx.Client, upstream: FakeUpstream, more: dict[str, Any]
) -> None:
    answer = http.post("messages", json=body(**more))
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert upstream.requests == []
