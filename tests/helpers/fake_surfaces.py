"""What a fake engine says on the surfaces beside chat, event by event as vLLM 0.32 says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

ARGUMENTS = '{"city":"東京","who":"[[PERSON_1]]"}'


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def said_to(body: dict[str, Any]) -> str:
    """The last text of the request: echoed."""
    last = body.get("input", body.get("messages", body.get("prompt", "")))
    if isinstance(last, list):
        last = last[-1].get("content", last[-1].get("output", ""))
    if isinstance(last, list):
        last = "".join(part.get("text", "") for part in last)
    return str(last)


# -- responses ---------------------------------------------------------------------------------------------------------


def response(body: dict[str, Any], output: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    """The answer object; it repeats a part of the request."""
    told = {
        "id": "resp_up", "object": "response", "created_at": 1700000000, "model": body["model"], "status": status,
        "output": output, "instructions": body.get("instructions"), "metadata": None, "parallel_tool_calls": True,
        "temperature": 1.0, "tool_choice": "auto", "tools": body.get("tools", []), "top_p": 1.0, "background": False,
        "text": body.get("text"), "incomplete_details": None, "vendor_field": {"kept": True}, "usage": None,
    }  # fmt: skip
    if status == "completed":
        told["usage"] = {
            "input_tokens": 7, "output_tokens": 9, "total_tokens": 16,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
        }  # fmt: skip
    return told


def response_items(text: str, mode: str) -> list[dict[str, Any]]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": None}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    if mode == "reasoning":
        thought = {"type": "reasoning_text", "text": "考え中、" + text}
        return [
            {"id": "rs_1", "type": "reasoning", "summary": [], "content": [thought], "status": "completed"},
            message,
        ]
    if mode == "tools":
        call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "weather", "status": "completed"}
        return [{**call, "arguments": ARGUMENTS}]
    if mode == "refusal":
        return [{**message, "content": [{"type": "refusal", "refusal": text}]}]
    return [message]


def response_events(body: dict[str, Any], text: str, mode: str, size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every event of a stream, in order, not yet numbered."""
    begun = response(body, [], "in_progress")
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    items = response_items(text, mode)
    for index, item in enumerate(items):
        yield from _item_events(index, item, size)
    if mode == "unknown_event":
        yield "response.dream.delta", {"output_index": 0, "delta": "夢で[[PERS"}
        yield "response.dream.delta", {"output_index": 0, "delta": "ON_1]]に会う"}
        yield "response.dream.progress", {"output_index": 0, "percent": 50}
        yield "response.dream.note", {"output_index": 0, "note": "[[PERSON_1]]の夢"}
    yield "response.completed", {"response": response(body, items)}


def _item_events(index: int, item: dict[str, Any], size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    where = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "function_call":
        empty = {**item, "arguments": "", "status": "in_progress"}
        yield "response.output_item.added", {"output_index": index, "item": empty}
        for piece in pieces(item["arguments"], size):
            yield "response.function_call_arguments.delta", {**where, "delta": piece}
        done = {**where, "name": item["name"], "arguments": item["arguments"]}
        yield "response.function_call_arguments.done", done
    else:
        empty = {**item, "content": [], "status": "in_progress"}
        yield "response.output_item.added", {"output_index": index, "item": empty}
        [part] = item["content"]
        field = "refusal" if part["type"] == "refusal" else "text"
        base = f"response.{part['type']}"
        place = {**where, "content_index": 0}
        yield "response.content_part.added", {**place, "part": {**part, field: ""}}
        logprobs = {"logprobs": []} if part["type"] == "output_text" else {}
        for piece in pieces(part[field], size):
            yield f"{base}.delta", {**place, "delta": piece, **logprobs}
        yield f"{base}.done", {**place, field: part[field], **logprobs}
        yield "response.content_part.done", {**place, "part": part}
    yield "response.output_item.done", {"output_index": index, "item": item}


# -- messages ----------------------------------------------------------------------------------------------------------


def message(body: dict[str, Any], text: str, mode: str) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if mode == "reasoning":
        blocks.insert(0, {"type": "thinking", "thinking": "考え中、" + text, "signature": "sig"})
    if mode == "tools":
        blocks = [{"type": "tool_use", "id": "call_1", "name": "weather", "input": json.loads(ARGUMENTS)}]
    return {
        "id": "msg_up", "type": "message", "role": "assistant", "model": body["model"], "content": blocks,
        "stop_reason": "tool_use" if mode == "tools" else "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 9},
    }  # fmt: skip


def message_events(body: dict[str, Any], text: str, mode: str, size: int) -> Iterator[tuple[str, dict[str, Any]]]:
    whole = message(body, text, mode)
    begun = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": 7, "output_tokens": 0}}
    yield "message_start", {"message": begun}
    for index, block in enumerate(whole["content"]):
        kind = block["type"]
        field = {"text": "text", "thinking": "thinking", "tool_use": "partial_json"}[kind]
        empty = {**block, "input": {}} if kind == "tool_use" else {"type": kind, kind: ""}
        yield "content_block_start", {"index": index, "content_block": empty}
        for piece in pieces(ARGUMENTS if kind == "tool_use" else block[field], size):
            delta = {"type": "input_json_delta" if kind == "tool_use" else f"{kind}_delta", field: piece}
            yield "content_block_delta", {"index": index, "delta": delta}
        if kind == "thinking":
            yield "content_block_delta", {"index": index, "delta": {"type": "signature_delta", "signature": "sig"}}
        yield "content_block_stop", {"index": index}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": ended, "usage": {"input_tokens": 7, "output_tokens": 9}}
    yield "message_stop", {}
