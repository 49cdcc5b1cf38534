"""The Responses API through a real gateway to a fake engine: the official SDK, and every event as it is told."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel, SecretStr

from tests.helpers.fake_surfaces import ARGUMENTS
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.running_gateway import RunningGateway, running_gateway

ASK = "山田太郎さんの予定を😀教えてください。"
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}


@pytest.fixture(scope="module")
def server(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(
            tmp_path_factory.mktemp("home"), patch, engine.url, first_byte_timeout_s=5, idle_timeout_s=0.6
        ) as gateway,
    ):
        yield gateway


@pytest.fixture
def gateway(server: RunningGateway, upstream: FakeUpstream) -> RunningGateway:
    server.audit.broken = False
    return server


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0) as sdk:
        yield sdk


@pytest.fixture
def http(gateway: RunningGateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    with httpx.Client(base_url=gateway.url + "/", headers=headers, timeout=20) as plain:
        yield plain


def told(text: str) -> list[dict[str, Any]]:
    """The events of a stream; each is named as its data says."""
    events = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def pieces(events: list[dict[str, Any]]) -> dict[tuple[Any, ...], str]:
    """What the deltas of each text add up to."""
    sums: dict[tuple[Any, ...], str] = defaultdict(str)
    for event in events:
        if event["type"].endswith(".delta"):
            key = (event["type"].removesuffix(".delta"), event["output_index"], event.get("content_index"))
            sums[key] += event["delta"]
    return dict(sums)


class TestSdk:
    def test_a_whole_answer(self, client: openai.OpenAI, upstream: FakeUpstream) -> None:
        answer = client.responses.create(model="default", input=ASK, instructions="山田太郎さんの秘書です。")
        assert answer.output_text == ASK and answer.instructions == "山田太郎さんの秘書です。"
        assert answer.usage and answer.usage.output_tokens == 9 and answer._request_id.startswith("req_")  # type: ignore[union-attr]
        sent = upstream.requests[0]
        assert NAME not in json.dumps(sent, ensure_ascii=False) and sent["store"] is False
        assert len(sent["cache_salt"]) == 64

    def test_a_stream(self, client: openai.OpenAI) -> None:
        events = list(client.responses.create(model="default", input=ASK, stream=True))
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == ASK
        assert events[-1].type == "response.completed" and events[-1].response.output_text == ASK

    def test_the_streaming_helper(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model="default", input=ASK) as stream:
            assert stream.get_final_response().output_text == ASK

    async def test_async_and_async_streams(self, gateway: RunningGateway) -> None:
        async with openai.AsyncOpenAI(base_url=gateway.url, api_key=gateway.key()) as client:
            assert (await client.responses.create(model="default", input=ASK)).output_text == ASK
            stream = await client.responses.create(model="default", input=ASK, stream=True)
            assert [e async for e in stream][-1].response.output_text == ASK  # type: ignore[union-attr]

    def test_tools_plain_and_streamed(self, client: openai.OpenAI, upstream: FakeUpstream) -> None:
        upstream.mode = "tools"
        items: list[Any] = [
            {"role": "user", "content": [{"type": "input_text", "text": ASK}]},
            {"type": "function_call", "call_id": "c0", "name": "weather", "arguments": '{"who":"山田太郎"}'},
            {"type": "function_call_output", "call_id": "c0", "output": "山田太郎さんは晴れ"},
        ]
        answer = client.responses.create(model="default", input=items, tools=[TOOL])  # type: ignore[list-item]
        assert answer.output[0].arguments == ARGUMENTS.replace(PLACEHOLDER, NAME)  # type: ignore[union-attr]
        assert NAME not in json.dumps(upstream.requests[0], ensure_ascii=False)
        with client.responses.stream(model="default", input=items, tools=[TOOL]) as stream:  # type: ignore[list-item]
            call = stream.get_final_response().output[0]
        assert json.loads(call.arguments) == {"city": "東京", "who": NAME}  # type: ignore[union-attr]

    def test_structured_output(self, client: openai.OpenAI, upstream: FakeUpstream) -> None:
        class Plan(BaseModel):
            who: str

        upstream.answer = '{"who": "[[PERSON_1]]"}'
        answer = client.responses.parse(model="default", input=ASK, text_format=Plan)
        assert answer.output_parsed == Plan(who=NAME)
        assert upstream.requests[0]["text"]["format"]["schema"]["required"] == ["who"]

    def test_errors_by_class(self, client: openai.OpenAI, upstream: FakeUpstream) -> None:
        with pytest.raises(openai.BadRequestError) as blocked:
            client.responses.create(model="default", input="攻撃")
        assert blocked.value.code == "content_blocked" and upstream.requests == []
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="default", input=ASK, previous_response_id="resp_1")
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "previous_response_id")
        upstream.mode, upstream.status, upstream.error_body = "error", 404, b'{"detail":"Not Found"}'
        with pytest.raises(openai.NotFoundError) as missing:
            client.responses.create(model="default", input=ASK)
        assert missing.value.code == "surface_not_served"

    @pytest.mark.parametrize("mode", ["cut_mid", "clean_cut", "silent_mid", "bad_chunk", "error_chunk"])
    def test_a_stream_that_breaks_off_raises_and_never_completes(
        self, client: openai.OpenAI, upstream: FakeUpstream, mode: str
    ) -> None:
        upstream.mode = mode
        kinds = []
        with pytest.raises(openai.APIError):
            for event in client.responses.create(model="default", input="あいうえおかきくけこ", stream=True):
                kinds.append(event.type)
        assert "response.output_text.delta" in kinds and "response.completed" not in kinds


class TestEvents:
    def ask(self, http: httpx.Client, **more: Any) -> tuple[list[dict[str, Any]], httpx.Response]:
        answer = http.post("responses", json={"model": "default", "input": ASK, "stream": True, **more})
        assert answer.status_code == 200
        return told(answer.text), answer

    @pytest.mark.parametrize("split", [0, 1, 7])
    @pytest.mark.parametrize("mode", ["echo", "reasoning", "tools", "refusal", "unknown_event"])
    def test_every_repetition_equals_the_pieces_wherever_bytes_are_cut(
        self, http: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway, mode: str, split: int
    ) -> None:
        upstream.mode, upstream.split_bytes = mode, split
        events, answer = self.ask(http)
        assert [e["sequence_number"] for e in events] == list(range(len(events)))
        assert PLACEHOLDER not in answer.text and events[-1]["type"] == "response.completed"
        final, sums = events[-1]["response"]["output"], pieces(events)
        for event in events:
            kind, _, step = event["type"].rpartition(".")
            if step != "done":
                continue
            if kind == "response.output_item":
                assert event["item"] == final[event["output_index"]]
            elif kind == "response.content_part":
                assert event["part"] == final[event["output_index"]]["content"][event["content_index"]]
            else:
                whole = next(event[name] for name in ("text", "refusal", "arguments") if name in event)
                assert sums[kind, event["output_index"], event.get("content_index")] == whole
                assert whole in json.dumps(final, ensure_ascii=False).replace("\\", "")
        [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert NAME not in intent.body.decode() + outcome.body.decode() and PLACEHOLDER in outcome.body.decode()
        assert (outcome.prompt_tokens, outcome.completion_tokens, outcome.finish_reason) == (7, 9, "completed")
        assert intent.surface == "responses" and outcome.ttft_ms is not None

    def test_events_that_nobody_knows_are_guarded_if_they_carry_text(
        self, http: httpx.Client, upstream: FakeUpstream
    ) -> None:
        upstream.mode = "unknown_event"
        events, _ = self.ask(http)
        assert pieces(events)["response.dream", 0, None] == f"夢で{NAME}に会う"
        assert [e["note"] for e in events if e["type"] == "response.dream.note"] == [f"{NAME}の夢"]
        assert [e["percent"] for e in events if e["type"] == "response.dream.progress"] == [50]

    def test_unchanged_events_pass_as_the_bytes_they_came_in(self, http: httpx.Client, upstream: FakeUpstream) -> None:
        answer = http.post("responses", json={"model": "default", "input": "はい", "stream": True})
        assert '"vendor_field": {"kept": true}' in answer.text  # orjson would have written it without blanks

    @pytest.mark.parametrize("stream", [True, False])
    def test_a_block_cuts_the_answer_and_says_so(
        self, http: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway, stream: bool
    ) -> None:
        upstream.answer, upstream.mode, upstream.pause_s = "前置き。禁句。" + "続" * 300, "slow", 0.01
        answer = http.post("responses", json={"model": "default", "input": ASK, "stream": stream})
        final = told(answer.text)[-1]["response"] if stream else answer.json()
        assert "禁" not in answer.text
        assert (final["status"], final["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
        if stream:
            events = told(answer.text)
            assert events[-1]["type"] == "response.incomplete"
            assert final["output"][0]["content"][0]["text"] == pieces(events)["response.output_text", 0, 0]
            assert final["output"][0]["status"] == "incomplete"
        else:
            assert final["output"] == []
        _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert outcome.decisions[-1]["action"] == "block" and "禁句" in outcome.body.decode()

    def test_a_block_inside_a_tool_call_tells_none_of_it(self, http: httpx.Client, upstream: FakeUpstream) -> None:
        upstream.mode = "raw"
        call = {"id": "fc", "type": "function_call", "call_id": "c", "name": "x", "arguments": '{"a":"禁句"}'}
        answer = {"id": "r", "object": "response", "model": "m", "status": "completed", "output": [call]}
        upstream.raw = json.dumps(answer, ensure_ascii=False).encode()
        cut = http.post("responses", json={"model": "default", "input": ASK})
        assert cut.json()["output"] == [] and "禁" not in cut.text

    def test_the_end_is_told_only_when_it_is_on_record(
        self, http: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway
    ) -> None:
        upstream.mode, upstream.pause_s = "slow", 0.05
        with http.stream("POST", "responses", json={"model": "default", "input": ASK, "stream": True}) as answer:
            lines = answer.iter_lines()
            next(lines)
            gateway.audit.broken = True
            text = "\n".join(lines)
        assert "audit_unavailable" in text and "response.completed" not in text

    def test_what_was_told_before_a_fault_is_billed_and_recorded(
        self, http: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway
    ) -> None:
        upstream.mode = "clean_cut"
        answer = http.post("responses", json={"model": "default", "input": "あいうえおかきくけこ", "stream": True})
        last = told(answer.text)[-1]
        assert (last["type"], last["code"], last["error"]["code"]) == (("error", *["upstream_disconnected"] * 2))
        _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert outcome.outcome == "upstream_error" and outcome.completion_tokens == 2
        assert "あいうえおか" in outcome.body.decode()

    def test_a_failed_response_is_an_error(self, http: httpx.Client, upstream: FakeUpstream) -> None:
        failed = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "boom"}}}
        upstream.mode, upstream.raw = "raw", f"data: {json.dumps(failed)}\n\n".encode()
        answer = http.post("responses", json={"model": "default", "input": ASK, "stream": True})
        assert (answer.status_code, answer.json()["error"]["message"]) == (502, "boom")


class TestRequest:
    @pytest.mark.parametrize(
        ("more", "param"),
        [
            ({"conversation": "conv_1"}, "conversation"),
            ({"background": True}, "background"),
            ({"prompt": {"id": "p"}}, "prompt"),
            ({"include": "all"}, "include"),
            ({"tools": [{"type": "web_search"}]}, "tools[0]"),
            ({"tools": [{"type": "mcp", "server_label": "x", "server_url": "http://x"}]}, "tools[0]"),
            ({"tools": [{"type": "function", "name": "f", "parameters": {"type": "nope"}}]}, "tools[0].parameters"),
            ({"text": {"format": {"type": "json_schema", "schema": {"pattern": "a{1,9999}"}}}},
             "text.format.schema.pattern"),
            ({"max_output_tokens": 0}, "max_output_tokens"),
            ({"top_logprobs": 20}, "top_logprobs"),
            ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
            ({"input": [{"type": "reasoning", "summary": [], "encrypted_content": "AAAA"}]},
             "input[0].encrypted_content"),
            ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "http://x"}]}]},
             "input[0].content[0].type"),
            ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x"}]}]},
             "input[0].content[0].image_url"),
            ({"input": [{"role": "root", "content": "x"}]}, "input[0].role"),
            ({"input": []}, "input"),
            ({"input": [{"role": "user", "content": "x", "note": "unread"}]}, "input[0].note"),
            ({"vllm_xargs": {"a": 1}}, "vllm_xargs"),
        ],
    )  # fmt: skip
    def test_that_can_hurt_or_cannot_be_read_is_refused_by_name(
        self, http: httpx.Client, upstream: FakeUpstream, more: dict[str, Any], param: str
    ) -> None:
        answer = http.post("responses", json={"model": "default", "input": ASK, **more})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
        assert upstream.requests == []

    def test_names_what_was_left_out(self, http: httpx.Client, upstream: FakeUpstream) -> None:
        asked = {"model": "default", "input": ASK, "store": True, "metadata": {"a": "b"}, "session_id": "s"}
        answer = http.post("responses", json=asked)
        assert set(answer.headers["x-kakehashi-ignored-params"].split(",")) == {"store", "metadata", "session_id"}
        assert upstream.requests[0]["store"] is False and "metadata" not in upstream.requests[0]
        habit = http.post("responses", json={**asked, "include": ["reasoning.encrypted_content"]})
        assert "include" in habit.headers["x-kakehashi-ignored-params"] and "include" not in upstream.requests[1]
        silent = http.post("responses", json={"model": "default", "input": ASK, "store": False})
        assert "x-kakehashi-ignored-params" not in silent.headers

    def test_an_answer_can_be_sent_back_as_input(self, client: openai.OpenAI, upstream: FakeUpstream) -> None:
        upstream.mode = "reasoning"
        first = client.responses.create(model="default", input=ASK)
        again: list[Any] = [{"role": "user", "content": ASK}, *first.output, {"role": "user", "content": "続けて"}]
        assert client.responses.create(model="default", input=again).status == "completed"
        assert NAME not in json.dumps(upstream.requests[1], ensure_ascii=False)


def test_langchain_speaks_it_too(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(
        model="default", base_url=gateway.url, api_key=SecretStr(gateway.key()), use_responses_api=True, max_retries=0
    )
    assert model.invoke(ASK).text == ASK
    assert "".join(chunk.text for chunk in model.stream(ASK)) == ASK
