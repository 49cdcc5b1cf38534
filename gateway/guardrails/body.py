"""Where the texts are in OpenAI-shaped requests and answers: walks a body and rebuilds it with each text changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from gateway.guardrails.types import Source

# Apps fence text that is not theirs with these lines, so that it counts as a document and not as the user's word.
DOCUMENT_OPEN = "<<<DOCUMENT"
DOCUMENT_CLOSE = "DOCUMENT>>>"
_FENCED = re.compile(rf"^{re.escape(DOCUMENT_OPEN)}[^\n]*\n.*?(?:^{re.escape(DOCUMENT_CLOSE)}[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)

# (text, origin, trusted) → new text. ``trusted``: written by the application, not by the person who asks.
Change = Callable[[str, Source, bool], str]
# (JSON text of a tool call's arguments, origin) → new JSON text
ChangeJson = Callable[[str], str]

_SCHEMA_TEXT = ("description", "title", "const", "default", "enum", "examples")
_REASONING = ("refusal", "reasoning", "reasoning_content")
_TOOL_OUTPUTS = ("function_call_output", "custom_tool_call_output", "tool_result")


def fence(text: str, name: str = "") -> str:
    """``text`` between the lines that mark a document; a closing line inside it is broken up."""
    safe = text.replace(DOCUMENT_CLOSE, "DOCUMENT> >>")
    return f"{DOCUMENT_OPEN} {name}".rstrip() + f"\n{safe}\n{DOCUMENT_CLOSE}"


def sections(text: str, source: Source) -> Iterator[tuple[str, Source]]:
    """The text in pieces, fenced documents apart."""
    position = 0
    for match in _FENCED.finditer(text) if DOCUMENT_OPEN in text else ():
        if match.start() > position:
            yield text[position : match.start()], source
        yield match[0], "document" if source == "user" else source
        position = match.end()
    if position < len(text) or not text:
        yield text[position:], source


def _changed(text: str, source: Source, trusted: bool, change: Change) -> str:
    return "".join(change(piece, origin, trusted and origin == source) for piece, origin in sections(text, source))


def map_request(body: dict[str, Any], change: Change, change_json: ChangeJson) -> dict[str, Any]:
    """A copy of a chat, completions, embeddings, responses or messages request with every text changed."""
    new = dict(body)
    if "system" in body:
        new["system"] = _content(body["system"], "user", True, change)
    if isinstance(body.get("messages"), list):
        new["messages"] = [_message(message, change, change_json) for message in body["messages"]]
    for field in ("prompt", "input", "suffix", "instructions", "query", "documents"):
        if field in body:
            source: Source = "document" if field == "documents" else "user"
            new[field] = _input(body[field], source, field == "instructions", change, change_json)
    for field in ("tools", "functions"):
        if isinstance(body.get(field), list):
            new[field] = [_described(item, change) for item in body[field]]
    for field in ("response_format", "guided_json", "guided_choice", "structured_outputs", "text", "output_config"):
        if isinstance(body.get(field), dict | list):
            new[field] = _described(body[field], change)
    return new


def _input(value: Any, source: Source, trusted: bool, change: Change, change_json: ChangeJson) -> Any:
    """A prompt: a string, a list of strings, or Responses items; token ids pass."""
    if isinstance(value, str):
        return _changed(value, source, trusted, change)
    if isinstance(value, list):
        return [_message(v, change, change_json) if isinstance(v, dict) else _input(v, source, trusted, change, change_json) for v in value]
    return value


def _message(message: Any, change: Change, change_json: ChangeJson) -> Any:
    if not isinstance(message, dict):
        return message
    role = message.get("role") or ("tool" if message.get("type") in _TOOL_OUTPUTS else "user")
    source: Source = "tool" if role in ("tool", "function") else "user"
    trusted = role in ("system", "developer", "assistant")
    new = dict(message)
    for field in ("content", "text", "output", "summary", *_REASONING):
        if field in message:
            new[field] = _content(message[field], source, trusted, change)
    if isinstance(message.get("input"), str):  # a free-form tool call of an earlier turn
        new["input"] = _changed(message["input"], "user", True, change)
    if isinstance(new.get("content"), list):
        new["content"] = [_tool_use(part, change_json) for part in new["content"]]
    return _calls(new, change_json)


def _tool_use(part: Any, change_json: ChangeJson) -> Any:
    """A block of a messages request that holds a tool call of an earlier turn: its input is an object, not text."""
    if not isinstance(part, dict) or not isinstance(part.get("input"), dict):
        return part
    return {**part, "input": json.loads(change_json(json.dumps(part["input"], ensure_ascii=False)))}


def _content(content: Any, source: Source, trusted: bool, change: Change) -> Any:
    """A string, or parts of which those with text are changed."""
    if isinstance(content, str):
        return _changed(content, source, trusted, change)
    if isinstance(content, list):
        return [_content(part, source, trusted, change) for part in content]
    if isinstance(content, dict):
        if content.get("type") in _TOOL_OUTPUTS:
            source, trusted = "tool", False
        return {
            key: _content(value, source, trusted, change) if key in ("text", "content", "refusal", "output", "thinking") else value
            for key, value in content.items()
        }
    return content


def _calls(message: dict[str, Any], change_json: ChangeJson) -> dict[str, Any]:
    """Arguments of tool calls, of the old function call and of a Responses function call."""
    if isinstance(message.get("tool_calls"), list):
        message["tool_calls"] = [_call(call, change_json) for call in message["tool_calls"]]
    if isinstance(message.get("function_call"), dict):
        message["function_call"] = _arguments(message["function_call"], change_json)
    return _arguments(message, change_json)


def _call(call: Any, change_json: ChangeJson) -> Any:
    if not isinstance(call, dict):
        return call
    new = _arguments(call, change_json)
    if isinstance(call.get("function"), dict):
        new = {**new, "function": _arguments(call["function"], change_json)}
    return new


def _arguments(holder: dict[str, Any], change_json: ChangeJson) -> dict[str, Any]:
    if isinstance(holder.get("arguments"), str):
        return {**holder, "arguments": change_json(holder["arguments"])}
    return holder


def _described(value: Any, change: Change, *, text: bool = False) -> Any:
    """The words inside tool definitions and JSON schemas: descriptions, titles, allowed values."""
    if isinstance(value, str):
        return change(value, "tool", True) if text else value
    if isinstance(value, list):
        return [_described(item, change, text=text) for item in value]
    if isinstance(value, dict):
        return {key: _described(item, change, text=text or key in _SCHEMA_TEXT or key == "choice") for key, item in value.items()}
    return value


def map_choice(choice: dict[str, Any], change: Callable[[str], str], change_json: ChangeJson) -> dict[str, Any]:
    """A copy of one choice of an answer with every text changed. Token probabilities go when the text changed."""
    new = dict(choice)
    if isinstance(choice.get("text"), str):
        new["text"] = change(choice["text"])
    for field in ("message", "delta"):
        if isinstance(choice.get(field), dict):
            new[field] = map_message(choice[field], change, change_json)
    if new != choice and new.get("logprobs") is not None:
        new["logprobs"] = None  # they spell out the text as it was
    return new


def map_message(message: dict[str, Any], change: Callable[[str], str], change_json: ChangeJson) -> dict[str, Any]:
    """A copy of an answer's message, or of one output item of the Responses API."""
    new = dict(message)
    for field in ("content", "text", "summary", *_REASONING):
        if field in message:
            new[field] = _content(message[field], "user", False, lambda text, *_: change(text))
    return _calls(new, change_json)


def is_arguments(key: tuple[object, ...]) -> bool:
    """A stream key that stands for the arguments of a tool call."""
    return any(part in ("arguments", "tool_calls", "function_call") for part in key)
