"""An engine may send anything: a stream ends well or in an error that the client is told, never in a failure of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api.chat_stream import ChatRelay
from gateway.api.dialect import Asked, ChatDialect
from gateway.api.messages import MessagesDialect, MessagesRelay
from gateway.api.responses import ResponsesDialect, ResponsesRelay
from gateway.api.stream import Relay
from gateway.errors import ApiError
from gateway.guardrails.policy import load_policy

ENGINE = load_policy(None)
NAMES = (
    "choices delta content text index finish_reason tool_calls function name arguments id type usage prompt_tokens "
    "completion_tokens total_tokens model object error message code response output item part item_id output_index "
    "content_index sequence_number content_block stop_reason logprobs reasoning status incomplete_details input_tokens "
    "output_tokens role created partial_json thinking summary annotations refusal tools"
).split()
KINDS = (
    "response.created response.output_text.delta response.output_text.done response.output_item.added "
    "response.output_item.done response.content_part.added response.completed response.incomplete response.failed error "
    "response.function_call_arguments.delta response.function_call_arguments.done message_start content_block_start "
    "content_block_delta content_block_stop message_delta message_stop text_delta input_json_delta thinking_delta "
    "text tool_use message function_call output_text ping assistant stop length"
).split()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(10**18) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(KINDS) | st.text(max_size=4) | st.just("山田太郎 090-1234-5678"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)
CALLS = st.fixed_dictionaries(
    {}, optional={"index": VALUES, "id": VALUES, "function": OBJECTS | VALUES, "type": VALUES}
)
DELTAS = st.fixed_dictionaries({}, optional={"content": VALUES, "tool_calls": st.lists(CALLS | VALUES, max_size=3)})
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "index": VALUES, "delta": DELTAS | VALUES, "finish_reason": VALUES, "text": VALUES, "logprobs": VALUES,
        "message": DELTAS | OBJECTS | VALUES,
    },
)  # fmt: skip
# What looks like an answer, and is wrong in one place or another.
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(CHOICES | VALUES, max_size=3), "usage": OBJECTS | VALUES, "type": st.sampled_from(KINDS),
        "index": VALUES, "delta": st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional={"text": VALUES}) | VALUES,
        "item": OBJECTS | VALUES, "output": st.lists(OBJECTS | VALUES, max_size=3), "content_block": OBJECTS | VALUES,
        "response": OBJECTS | VALUES, "message": OBJECTS | VALUES, "content": st.lists(OBJECTS | VALUES, max_size=3),
        "output_index": VALUES, "content_index": VALUES, "part": OBJECTS | VALUES, "model": VALUES, "stop_reason": VALUES,
        "arguments": VALUES, "text": VALUES, "item_id": VALUES, "error": VALUES,
    },
)  # fmt: skip
EVENTS = st.lists(LIKELY | OBJECTS, max_size=6)
RELAYS = ["chat", "usage", "responses", "messages"]


def relay_of(kind: str) -> Relay:
    guard = ENGINE.request()
    asked = Asked({"model": "m", "input": "x"}, guard.check_request({"model": "m", "input": "x"}))
    if kind == "responses":
        return ResponsesRelay(guard, asked)
    if kind == "messages":
        return MessagesRelay(guard)
    return ChatRelay(guard, wants_usage=kind == "usage", continuous=kind == "usage")


def told(relay: Relay, raw: bytes) -> None:
    """All that the pipeline asks of a relay."""
    try:
        relay.feed(raw)
        relay.check_complete()
        relay.ending()
    except ApiError as error:
        relay.broken(error)
    usage = relay.usage(5)
    assert isinstance(usage.prompt, int) and isinstance(usage.completion, int)
    assert isinstance(relay.model, str) and isinstance(relay.finish_reason, str)
    relay.received()


@pytest.mark.parametrize("kind", RELAYS)
@settings(max_examples=40)
@given(EVENTS, st.booleans())
def test_any_events_at_all(kind: str, events: list[Any], named: bool) -> None:
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    raw = "".join(
        f"event: {event.get('type')}\n{line}" if named else line for event, line in zip(events, lines, strict=True)
    )
    told(relay_of(kind), raw.encode() + b"data: [DONE]\n\n")


@pytest.mark.parametrize("kind", RELAYS)
@settings(max_examples=40)
@given(st.binary(max_size=200))
def test_any_bytes_at_all(kind: str, raw: bytes) -> None:
    told(relay_of(kind), raw)
    told(relay_of(kind), b"data: " + raw + b"\n\n")


@pytest.mark.parametrize(
    "dialect", [ChatDialect(), ResponsesDialect(), MessagesDialect()], ids=["chat", "responses", "messages"]
)
@settings(max_examples=40)
@given(LIKELY | OBJECTS)
def test_any_whole_answer_at_all(dialect: Any, answer: dict[str, Any]) -> None:
    guard = ENGINE.request()
    asked = Asked({"model": "m", "input": "x"}, guard.check_request({"model": "m", "input": "x"}))
    try:
        usage = dialect.usage(answer)
        assert usage is None or (isinstance(usage.prompt, int) and usage.total >= 0)
        assert isinstance(dialect.finish_reason(answer), str)
        json.dumps(dialect.guarded(guard, answer, asked))
    except ApiError:
        pass
