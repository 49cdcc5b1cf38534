"""Tool calls, structured output, leaving clients and missing surfaces, on a real vLLM through the gateway.

The smallest model has no sense, so where it must call several tools at once a regex makes it write them; vLLM's own parser
then takes them apart as it does for any model.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Literal

import httpx
import openai
import pytest
from pydantic import BaseModel

from gateway.guardrails.policy import load_policy
from tests.helpers.running_gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.engine

CITY = {"type": "object", "properties": {"city": {"enum": ["東京", "京都"]}}, "required": ["city"]}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {**CITY, "additionalProperties": False}}}
    for name in ("weather", "time")
]
_CALL = r'<tool_call>\n\{{"name": "{name}", "arguments": \{{"city": "(東京|京都)"\}}\}}\n</tool_call>'
TWO_CALLS = "\n".join(_CALL.format(name=name) for name in ("weather", "time"))
ASKED: dict[str, Any] = {
    "model": "default", "tools": TOOLS, "max_tokens": 160, "temperature": 0,
    "messages": [{"role": "user", "content": "東京の天気と時刻は？"}],
    "extra_body": {"structured_outputs": {"regex": TWO_CALLS}},
}  # fmt: skip


@pytest.fixture(scope="module")
def gateway(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine_url, guardrails=load_policy(None)) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0, timeout=120)


class TestParallelToolCalls:
    def test_whole(self, client: openai.OpenAI) -> None:
        [choice] = client.chat.completions.create(**ASKED).choices
        calls: Any = choice.message.tool_calls
        assert choice.finish_reason == "tool_calls"
        assert [call.function.name for call in calls] == ["weather", "time"]
        assert len({call.id for call in calls}) == 2
        assert all(json.loads(call.function.arguments)["city"] in ("東京", "京都") for call in calls)

    def test_in_pieces_keep_index_and_id(self, client: openai.OpenAI) -> None:
        names: dict[int, str] = {}
        ids: dict[int, list[str]] = {}
        arguments: dict[int, str] = {}
        for chunk in client.chat.completions.create(**ASKED, stream=True):
            for call in chunk.choices[0].delta.tool_calls or () if chunk.choices else ():
                ids.setdefault(call.index, []).extend([call.id] if call.id else [])
                names[call.index] = names.get(call.index, "") + (call.function.name or "")
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
        assert names == {0: "weather", 1: "time"}
        assert [len(known) for known in ids.values()] == [1, 1] and ids[0] != ids[1]
        assert all(json.loads(text)["city"] in ("東京", "京都") for text in arguments.values())

    def test_by_the_sdks_own_accumulator(self, client: openai.OpenAI) -> None:
        with client.chat.completions.stream(**ASKED) as stream:
            calls: Any = stream.get_final_completion().choices[0].message.tool_calls
        assert [call.function.name for call in calls] == ["weather", "time"]

    def test_and_their_results_go_back(self, client: openai.OpenAI) -> None:
        [choice] = client.chat.completions.create(**ASKED).choices
        calls: Any = choice.message.tool_calls
        results = [{"role": "tool", "tool_call_id": call.id, "content": "晴れ"} for call in calls]
        history: list[Any] = [*ASKED["messages"], choice.message.model_dump(exclude_none=True), *results]
        answer = client.chat.completions.create(model="default", messages=history, tools=TOOLS, max_tokens=5)
        assert answer.choices[0].finish_reason in ("stop", "length")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "time"}}])
def test_a_demanded_tool_is_called(client: openai.OpenAI, choice: Any) -> None:
    asked = {**ASKED, "extra_body": {}}
    whole: Any = client.chat.completions.create(**asked, tool_choice=choice).choices[0].message.tool_calls
    with client.chat.completions.stream(**asked, tool_choice=choice) as stream:
        streamed: Any = stream.get_final_completion().choices[0].message.tool_calls
    assert len(whole) >= 1 and {call.function.name for call in whole} <= {"weather", "time"}
    assert [call.function.name for call in streamed] == [call.function.name for call in whole]


class Person(BaseModel):
    name: Literal["田中", "佐藤"]
    age: Literal[30, 40]


def test_an_answer_is_parsed_into_the_clients_own_type(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "default", "messages": [{"role": "user", "content": "誰？"}], "max_tokens": 60}
    whole = client.chat.completions.parse(**asked, response_format=Person).choices[0].message.parsed
    with client.chat.completions.stream(**asked, response_format=Person) as stream:
        streamed = stream.get_final_completion().choices[0].message.parsed
    assert isinstance(whole, Person) and isinstance(streamed, Person)
    response = client.responses.parse(model="default", input="誰？", text_format=Person, max_output_tokens=60)
    assert isinstance(response.output_parsed, Person)


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [({"choice": ["はい", "いいえ"]}, "はい|いいえ"), ({"regex": r"\d{4}年"}, r"\d{4}年"), ({"grammar": 'root ::= "可"'}, "可")],
)  # fmt: skip
def test_vllms_own_constraints_pass(client: openai.OpenAI, constraint: dict[str, Any], fits: str) -> None:
    answer = client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": "？"}], max_tokens=30,
        extra_body={"structured_outputs": constraint},
    )  # fmt: skip
    assert re.fullmatch(fits, answer.choices[0].message.content or "")


def running(engine_url: str) -> float:
    text = httpx.get(engine_url.removesuffix("/v1") + "/metrics").text
    return sum(float(value) for value in re.findall(r"^vllm:num_requests_running\S* ([\d.]+)$", text, re.M))


def until(condition: Any, problem: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, problem
        time.sleep(0.02)


ENDLESS: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": [{"role": "user", "content": "続けて"}], "max_tokens": 3500},
    "completions": {"prompt": "続けて", "max_tokens": 3500},
    "responses": {"input": "続けて", "max_output_tokens": 3500},
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("surface", ENDLESS)
def test_a_client_that_leaves_is_aborted_in_the_engine_and_billed(
    gateway: RunningGateway, engine_url: str, surface: str, stream: bool
) -> None:
    until(lambda: running(engine_url) == 0, "the engine is busy with something else")
    body = {**ENDLESS[surface], "model": "default", "ignore_eos": True, "stream": stream}
    headers = {"authorization": f"Bearer {gateway.key()}", "content-type": "application/json"}
    before = len(gateway.audit.outcomes)
    with closing(http.client.HTTPConnection(gateway.root.removeprefix("http://"))) as connection:
        connection.request("POST", f"/v1/{surface}", json.dumps(body), headers)
        until(lambda: running(engine_url) == 1, "the engine does not begin")
        time.sleep(0.5)  # some tokens
    until(lambda: running(engine_url) == 0, "the engine goes on working for nobody")
    until(lambda: len(gateway.audit.outcomes) > before, "no outcome was recorded")
    outcome = gateway.audit.outcomes[-1]
    assert (outcome.outcome, outcome.status) == ("client_gone", 499)
    assert outcome.prompt_tokens > 0
    if stream:
        assert 0 < outcome.completion_tokens < 3500


def test_embeddings_of_a_model_without_them_are_refused_as_such(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.embeddings.create(model="default", input="x")
    assert caught.value.code == "surface_not_served" and caught.value.request_id


def test_every_field_that_passes_is_one_the_engine_takes(client: openai.OpenAI) -> None:
    """Together, and with values other than the defaults: a bound of ours must not be wider than the engine's."""
    answer = client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": "x"}], n=4, max_completion_tokens=4, temperature=0.9,
        top_p=0.9, seed=7, stop=["。"] * 4, frequency_penalty=2, presence_penalty=-2, logprobs=True, top_logprobs=5,
        logit_bias={"5": -100}, user="u", parallel_tool_calls=True, service_tier="auto", safety_identifier="s",
        prompt_cache_key="k", verbosity="low", reasoning_effort="low",
        extra_body={
            "top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1, "length_penalty": 1.0, "min_tokens": 1,
            "stop_token_ids": [3], "allowed_token_ids": list(range(4_096)), "bad_words": ["x"], "ignore_eos": False,
            "skip_special_tokens": False, "spaces_between_special_tokens": False, "add_special_tokens": False,
            "include_stop_str_in_output": True, "truncate_prompt_tokens": 100, "truncation_side": "left",
            "repetition_detection": {"max_pattern_size": 256, "min_count": 256}, "include_reasoning": False,
            "add_generation_prompt": True, "continue_final_message": False, "watermarking": True,
            "chat_template_kwargs": {"enable_thinking": False}, "thinking_token_budget": None,
        },
    )  # fmt: skip
    assert len(answer.choices) == 4
