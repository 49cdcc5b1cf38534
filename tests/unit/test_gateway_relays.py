"""The real guardrails on the shapes of responses and messages: every place of a request, every cut of a stream."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api.dialect import Asked
from gateway.api.messages import MessagesRelay
from gateway.api.responses import ResponsesDialect, ResponsesRelay
from gateway.guardrails.policy import load_policy
from tests.helpers import fake_surfaces

PHONE = "090-1234-5678"
TEXT = f"連絡先は{PHONE}です"
ENGINE = load_policy(None)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "description": TEXT}}}

PLACES: dict[str, dict[str, Any]] = {
    "input": {"input": TEXT},
    "instructions": {"input": "x", "instructions": TEXT},
    "message": {"input": [{"role": "user", "content": TEXT}]},
    "input_text": {"input": [{"role": "user", "content": [{"type": "input_text", "text": TEXT}]}]},
    "output_text": {"input": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}]},
    "refusal": {"input": [{"role": "assistant", "content": [{"type": "refusal", "refusal": TEXT}]}]},
    "reasoning": {"input": [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": TEXT}]}]},
    "summary": {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": TEXT}]}]},
    "call": {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps({"a": TEXT})}]},
    "output": {"input": [{"type": "function_call_output", "call_id": "c", "output": TEXT}]},
    "output_parts": {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": TEXT}]}]},
    "custom_call": {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": TEXT}]},
    "custom_output": {"input": [{"type": "custom_tool_call_output", "call_id": "c", "output": TEXT}]},
    "tool": {"input": "x", "tools": [{"type": "function", "name": "f", "description": TEXT, "parameters": SCHEMA}]},
    "format": {"input": "x", "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
    "system": {"messages": [{"role": "user", "content": "x"}], "system": TEXT},
    "system_blocks": {"messages": [{"role": "user", "content": "x"}], "system": [{"type": "text", "text": TEXT}]},
    "block": {"messages": [{"role": "user", "content": [{"type": "text", "text": TEXT}]}]},
    "thinking": {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": TEXT}]}]},
    "tool_use": {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": [TEXT]}}]}]},
    "tool_result": {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": TEXT}]}]},
    "tool_result_blocks": {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": TEXT}]}]}]},
    "input_schema": {"messages": [{"role": "user", "content": "x"}], "tools": [{"name": "f", "input_schema": SCHEMA}]},
    "output_config": {"messages": [{"role": "user", "content": "x"}], "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_personal_data_goes_upstream_from_no_place(place: str) -> None:
    body = PLACES[place]
    forward = ENGINE.request().check_request(body)
    assert PHONE in json.dumps(body, ensure_ascii=False) and PHONE not in json.dumps(forward, ensure_ascii=False)
    assert "[[PHONE_1_" in json.dumps(forward)


def profile(type_: str, action: str) -> str:
    """A profile of the default policy that does this to this type in answers."""
    return next(n for n, p in ENGINE.policy.profiles.items() if type_ in p.output and p.output[type_].action == action)


def stream(relay: Any, events: Any, cuts: list[int]) -> list[dict[str, Any]]:
    """What a client is told of a stream that the network cut anywhere."""
    raw = b"".join(
        f"event: {kind}\ndata: {json.dumps({'type': kind, **event}, ensure_ascii=False)}\n\n".encode()
        for kind, event in events
    )
    places = [0, *sorted(cut % len(raw) for cut in cuts), len(raw)]
    told = b"".join(relay.feed(raw[a:b]) for a, b in pairwise(places))
    relay.check_complete()
    blocks = (told + relay.ending()).decode().strip().split("\n\n")
    return [json.loads(block.split("\n")[1].removeprefix("data: ")) for block in blocks]


CUTS = st.lists(st.integers(0, 100_000), max_size=12)
MODES = st.sampled_from(["echo", "reasoning"])


@settings(max_examples=60)
@given(CUTS, st.integers(1, 40), MODES)
def test_responses_tell_the_same_however_they_are_cut(cuts: list[int], size: int, mode: str) -> None:
    body = {"model": "m", "input": TEXT, "instructions": TEXT}
    guard = ENGINE.request()
    forward = guard.check_request(body)
    asked = Asked(body, forward)
    events = stream(
        ResponsesRelay(guard, asked), fake_surfaces.response_events(forward, forward["input"], mode, size), cuts
    )
    final = events[-1]["response"]
    guard = ENGINE.request()
    forward = guard.check_request(body)
    answer = fake_surfaces.response(forward, fake_surfaces.response_items(forward["input"], mode))
    whole = ResponsesDialect().guarded(guard, answer, Asked(body, forward))
    assert final == whole and final["instructions"] == TEXT
    said = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    assert said == final["output"][-1]["content"][0]["text"] == TEXT


@settings(max_examples=60)
@given(CUTS, st.integers(1, 40), MODES)
def test_messages_tell_the_same_however_they_are_cut(cuts: list[int], size: int, mode: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": TEXT}]}
    guard = ENGINE.request()
    forward = guard.check_request(body)
    text = forward["messages"][0]["content"]
    events = stream(MessagesRelay(guard), fake_surfaces.message_events(forward, text, mode, size), cuts)
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == TEXT


def test_a_tool_call_is_told_in_one_piece_and_restored() -> None:
    body = {"model": "m", "input": TEXT}
    guard = ENGINE.request()
    masked = guard.check_request(body)["input"]
    item = {"id": "fc", "type": "function_call", "call_id": "c", "name": "f", "status": "completed"}
    arguments = json.dumps({"note": masked}, ensure_ascii=False)
    events = stream(
        ResponsesRelay(guard, Asked(body, body)),
        [
            ("response.output_item.added", {"output_index": 0, "item": {**item, "arguments": ""}}),
            *[("response.function_call_arguments.delta", {"output_index": 0, "delta": piece}) for piece in arguments],
            ("response.output_item.done", {"output_index": 0, "item": {**item, "arguments": arguments}}),
            ("response.completed", {"response": {"status": "completed", "output": [{**item, "arguments": arguments}]}}),
        ],
        [],
    )
    [delta] = [event["delta"] for event in events if event["type"].endswith("arguments.delta")]
    assert json.loads(delta) == {"note": TEXT} == json.loads(events[-1]["response"]["output"][0]["arguments"])


def test_deltas_win_over_a_whole_that_says_something_else() -> None:
    part = {"type": "output_text", "text": "別の話", "annotations": []}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [part]}
    guard = ENGINE.request()
    guard.check_request({"input": "x"})
    events = stream(
        ResponsesRelay(guard, Asked({}, {})),
        [
            ("response.output_text.delta", {"output_index": 0, "content_index": 0, "delta": "はい。"}),
            ("response.completed", {"response": {"status": "completed", "output": [message]}}),
        ],
        [],
    )
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "はい。"


def test_regulated_wording_is_cut_before_it_is_told() -> None:
    guard = ENGINE.request(profile("REGULATED_WORDING", "block"))
    guard.check_request({"input": "x"})
    text = "ご案内です。この投資信託は元本保証で、必ず儲かります。"
    events = stream(
        ResponsesRelay(guard, Asked({}, {})), fake_surfaces.response_events({"model": "m"}, text, "echo", 3), []
    )
    assert events[-1]["type"] == "response.incomplete" and "元本保証" not in json.dumps(events, ensure_ascii=False)


def test_messages_tell_nothing_of_a_start_with_blocks_and_guard_each_unknown_event_by_itself() -> None:
    guard = ENGINE.request(profile("PHONE", "mask"))
    guard.check_request({"messages": [{"role": "user", "content": "x"}]})
    begun = {"message": {"role": "assistant", "content": [{"type": "text", "text": "早すぎる"}]}}
    events = stream(
        MessagesRelay(guard),
        [("message_start", begun), ("note", {"note": "一"}), ("note", {"note": f"二 {PHONE}"}), ("message_stop", {})],
        [],
    )
    assert events[0]["message"]["content"] == [] and events[1]["note"] == "一"
    assert events[2]["note"].startswith("二 [[PHONE")  # a number of the model's own is masked


@pytest.mark.parametrize("holder", ["text", "output_config"])
def test_values_are_escaped_where_the_answer_will_be_json(holder: str) -> None:
    form = {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}
    guard = ENGINE.request()
    masked = guard.check_request({"input": 'メールは "a.b"@example.co.jp か c@example.co.jp', holder: form})["input"]
    restored = guard.stream(("text",)).feed(json.dumps({"mail": masked}, ensure_ascii=False) + "\n")
    assert json.loads(restored + guard.stream(("text",)).finish())["mail"].endswith("c@example.co.jp")
