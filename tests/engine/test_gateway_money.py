"""Priorities and the ledger's reconciliation in front of a real vLLM, started as ``serving`` starts it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.engine.test_gateway_engine import MESSAGES, until_idle
from tests.helpers.running_gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def gateway(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(
            tmp_path_factory.mktemp("home"), patch, engine_url, real_audit=True, priority_scheduling=True
        ) as server,
    ):
        yield server


def reconciled(gateway: RunningGateway, method: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    rows = httpx.request(method, gateway.admin_url + "/admin/reconcile", headers=headers).json()["data"]
    found: dict[str, Any] = rows[0]
    return found


@pytest.mark.parametrize("priority", ["low", "normal", "high"])
def test_each_class_of_priority_is_taken_by_the_engine(gateway: RunningGateway, priority: str) -> None:
    client = openai.OpenAI(base_url=gateway.url, api_key=gateway.key(priority=priority), max_retries=0, timeout=120)
    assert client.chat.completions.create(model="default", messages=MESSAGES, max_tokens=4).choices
    assert client.completions.create(model="default", prompt="日本", max_tokens=4).choices
    assert client.responses.create(model="default", input="日本", max_output_tokens=16).output


def test_the_ledger_agrees_with_vllm_s_counters_to_the_token(gateway: RunningGateway, engine_url: str) -> None:
    until_idle(engine_url)
    time.sleep(1.1)  # vLLM writes its counters a moment after the answer
    reconciled(gateway, "POST")
    client = openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0, timeout=120)
    for number in range(3):
        client.chat.completions.create(model="default", messages=MESSAGES, max_tokens=5 + number)
        list(client.chat.completions.create(model="default", messages=MESSAGES, max_tokens=7, stream=True))
    client.completions.create(model="default", prompt="東京", max_tokens=9)
    until_idle(engine_url)
    time.sleep(1.1)
    row = reconciled(gateway, "GET")
    assert row["difference"] == {"prompt_tokens": 0, "completion_tokens": 0}, row
    assert (row["requests"], row["inexact"]) == (7, 0) and row["engine"]["completion_tokens"] > 0
