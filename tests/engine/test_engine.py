"""The real vLLM on this machine's CPU, started the way `kakehashi serve engine` starts it."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

pytestmark = pytest.mark.engine

QUESTION: list[Any] = [{"role": "user", "content": "Which city is the capital of Japan?"}]
ACTION_SCHEMA = {
    "type": "object",
    "properties": {
        "owner": {"type": "string", "enum": ["田中", "佐藤"]},
        "tasks": {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 1, "maxItems": 2},
    },
    "required": ["owner", "tasks"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def client(engine_url: str) -> OpenAI:
    return OpenAI(base_url=engine_url, api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="module")
def model(client: OpenAI) -> str:
    return client.models.list().data[0].id


def running_requests(engine_url: str) -> float:
    """How many requests the engine is working on, by its own metrics."""
    with urllib.request.urlopen(engine_url.removesuffix("/v1") + "/metrics", timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(r"^vllm:num_requests_running\S* ([\d.]+)$", text, re.M))


def test_a_chat_answer_counts_its_tokens(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8, temperature=0)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_says_the_same_as_the_whole_answer_and_ends_with_usage(client: OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=12, temperature=0)
    stream = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=12, temperature=0, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_guided_json_is_valid_bounded_and_compact(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "佐藤さん、見積書を送ってください。担当者と作業をJSONで。"}],
        max_tokens=200,
        temperature=0,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "action", "schema": ACTION_SCHEMA, "strict": True},
        },
    )
    text = answer.choices[0].message.content or ""
    body = json.loads(text)
    assert body["owner"] in {"田中", "佐藤"}
    assert 1 <= len(body["tasks"]) <= 2
    assert all(len(task) <= 12 for task in body["tasks"])
    assert text == json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def test_a_forced_tool_is_called_with_arguments_of_its_schema(client: OpenAI, model: str) -> None:
    tool: Any = {"type": "function", "function": {"name": "assign", "strict": True, "parameters": ACTION_SCHEMA}}
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=200, temperature=0, tools=[tool],
        tool_choice={"type": "function", "function": {"name": "assign"}},
    )  # fmt: skip
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    call: Any = calls[0]
    assert call.function.name == "assign"
    assert json.loads(call.function.arguments)["owner"] in {"田中", "佐藤"}


def test_the_choice_of_a_tool_may_be_left_to_the_model(client: OpenAI, model: str) -> None:
    tool: Any = {"type": "function", "function": {"name": "assign", "strict": True, "parameters": ACTION_SCHEMA}}
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=8, temperature=0, tools=[tool], tool_choice="auto"
    )
    assert answer.choices[0].finish_reason in {"stop", "length", "tool_calls"}


def test_leaving_in_mid_answer_ends_the_work(client: OpenAI, model: str, engine_url: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=3000, temperature=1, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    assert running_requests(engine_url) == 1
    stream.close()
    deadline = time.monotonic() + 30
    while running_requests(engine_url) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert running_requests(engine_url) == 0


def test_a_prompt_longer_than_the_model_reads_is_refused(client: OpenAI, model: str) -> None:
    with pytest.raises(BadRequestError, match="maximum context length"):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "会議 " * 20000}])
