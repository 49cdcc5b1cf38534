"""The gateway, with its real guardrails and audit log, in front of a real vLLM."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from gateway.guardrails.policy import load_policy
from tests.helpers.running_gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.engine
MESSAGES: list[Any] = [{"role": "user", "content": "日本の首都はどこですか。一言で答えてください。"}]
ENDLESS = {"messages": MESSAGES, "model": "default", "max_tokens": 2000, "ignore_eos": True}
ENDLESS_RESPONSE = {"input": "続けて", "model": "default", "max_output_tokens": 2000, "ignore_eos": True}


@pytest.fixture(scope="module")
def gateway(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(
            tmp_path_factory.mktemp("home"), patch, engine_url, real_audit=True, guardrails=load_policy(None)
        ) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0, timeout=120)


def running(engine_url: str) -> float:
    text = httpx.get(engine_url.removesuffix("/v1") + "/metrics").text
    return sum(float(value) for value in re.findall(r"^vllm:num_requests_running\S* ([\d.]+)$", text, re.M))


def until_idle(engine_url: str) -> None:
    deadline = time.monotonic() + 30
    while running(engine_url) > 0:
        assert time.monotonic() < deadline, "the engine goes on working for nobody"
        time.sleep(0.1)


def test_vllm_is_known_as_such_and_its_paths_stay_hidden(gateway: RunningGateway, client: openai.OpenAI) -> None:
    models = client.models.list().data
    assert models[-1].id == "default" and len(models) >= 2
    assert gateway.services.pool.upstreams[0].catalog.vllm
    assert all("/" not in str(getattr(model, "root", "")) for model in models)


def test_a_stream_says_the_same_as_the_whole_answer(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": "default", "messages": MESSAGES, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(**options)
    stream = client.chat.completions.create(**options, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_a_schema_is_kept(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"who": {"enum": ["田中", "佐藤"]}}, "required": ["who"],
              "additionalProperties": False}  # fmt: skip
    answer = client.chat.completions.create(
        model="default", messages=MESSAGES, max_tokens=40,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}},
    )  # fmt: skip
    assert json.loads(answer.choices[0].message.content or "")["who"] in ("田中", "佐藤")


def test_what_vllm_refuses_keeps_its_status_and_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="max"):
        client.chat.completions.create(model="default", messages=MESSAGES, max_tokens=900_000)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("surface", ["chat/completions", "responses"])
def test_a_client_that_leaves_stops_the_engine(
    gateway: RunningGateway, engine_url: str, surface: str, stream: bool
) -> None:
    until_idle(engine_url)
    headers = {"authorization": f"Bearer {gateway.key()}"}
    endless = ENDLESS if surface != "responses" else ENDLESS_RESPONSE
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{gateway.url}/{surface}", json={**endless, "stream": stream}, headers=headers,
            timeout=httpx.Timeout(10, read=2 if not stream else 0.01),
        )  # fmt: skip
    until_idle(engine_url)


def test_a_response_is_the_same_whole_and_in_pieces(client: openai.OpenAI) -> None:
    options: dict[str, Any] = {"model": "default", "input": "日本の首都は？", "max_output_tokens": 12, "temperature": 0}
    whole = client.responses.create(**options)
    events = list(client.responses.create(**options, stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1].response
    assert text and text == whole.output_text == final.output_text
    assert final.usage.total_tokens == whole.usage.total_tokens
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_a_response_keeps_its_schema_and_calls_tools_back(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"who": {"enum": ["東京", "京都"]}}, "required": ["who"],
              "additionalProperties": False}  # fmt: skip
    text: Any = {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}}
    history: list[Any] = [
        {"role": "user", "content": "天気は？"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "東京は晴れ"},
    ]
    tool: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    answer = client.responses.create(
        model="default", input=history, tools=[tool], tool_choice="none", text=text, max_output_tokens=40
    )
    assert json.loads(answer.output_text)["who"] in ("東京", "京都")


def test_a_count_is_of_what_the_model_gets(gateway: RunningGateway, client: openai.OpenAI) -> None:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    counted = httpx.post(gateway.url + "/tokenize", json={"model": "default", "messages": MESSAGES}, headers=headers)
    assert counted.json().keys() == {"count", "max_model_len"}
    asked = client.chat.completions.create(model="default", messages=MESSAGES, max_tokens=1)
    assert counted.json()["count"] == asked.usage.prompt_tokens  # type: ignore[union-attr]


def test_messages_say_the_same_whole_and_in_pieces(gateway: RunningGateway) -> None:
    headers = {"x-api-key": gateway.key(), "anthropic-version": "2023-06-01"}
    asked = {"model": "default", "max_tokens": 12, "temperature": 0, "messages": MESSAGES}
    whole = httpx.post(gateway.url + "/messages", json=asked, headers=headers, timeout=60).json()
    counted = httpx.post(
        gateway.url + "/messages/count_tokens", json={"model": "default", "messages": MESSAGES}, headers=headers
    )
    assert counted.json() == {
        "input_tokens": whole["usage"]["input_tokens"] + whole["usage"].get("cache_read_input_tokens", 0)
    }
    stream = httpx.post(gateway.url + "/messages", json={**asked, "stream": True}, headers=headers, timeout=60)
    events = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    text = "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
    assert text and text == whole["content"][0]["text"] and whole["role"] == "assistant"
    assert events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert events[-1] == {"type": "message_stop"}


def test_a_moderation_asks_no_engine(client: openai.OpenAI) -> None:
    [result] = client.moderations.create(input="担当は田中様（090-1234-5678）です").results
    assert result.flagged and result.categories.model_dump()["personal_data"]
