"""Anthropic's Messages API: blocks in, blocks out. The key may come as ``x-api-key``; errors have Anthropic's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.api.content import MAX_MESSAGES, check_media_count
from gateway.api.dialect import Asked, Billed
from gateway.api.items import check_fields, known_kind
from gateway.api.sse import Frame, event_frame
from gateway.api.stream import Relay
from gateway.api.texts import Path, Texts, change_texts
from gateway.api.usage import Usage
from gateway.errors import ApiError, BadGateway, BadRequest
from gateway.guardrails.types import Blocked, RequestGuard

_ROLES = frozenset({"user", "assistant", "system"})
# Kind → its fields that the guardrails read, and names and ids of the protocol. Documents, search results and
# redacted thinking are left out: the guardrails cannot read them.
_BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "cache_control"}),
    "thinking": frozenset({"type", "thinking", "signature", "cache_control"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"}),
    "image": frozenset({"type", "source", "cache_control"}),
}
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
          413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error"}  # fmt: skip
# A delta's type → the field with its text, and that text's place in its block.
_DELTAS: Mapping[str, tuple[str, str]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "arguments"),
}


# -- the request -------------------------------------------------------------------------------------------------------


def check_messages(body: dict[str, Any]) -> None:
    """Raises BadRequest for what the guardrails cannot read, or what would make the engine fetch something."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= MAX_MESSAGES:
        raise BadRequest(f"'messages' must be a list of 1 to {MAX_MESSAGES} messages.", param="messages")
    media = 0
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise BadRequest(f"'{where}.role' must be user, assistant or system.", param=f"{where}.role")
        check_fields(message, frozenset({"role", "content"}), where)
        media += _check_content(message.get("content"), f"{where}.content")
    if "system" in body:
        media += _check_content(body["system"], "system")
    check_media_count(media, "messages")


def check_request(body: dict[str, Any]) -> None:
    """As :func:`check_messages`; an answer's length must be named too, as Anthropic has it."""
    check_messages(body)
    if "max_tokens" not in body:
        raise BadRequest("'max_tokens' is missing.", param="max_tokens")


def _check_content(content: Any, where: str) -> int:
    """How many pictures it holds, those in results of tools included."""
    if isinstance(content, str):
        return 0
    if not isinstance(content, list):
        raise BadRequest(f"'{where}' must be a text or a list of blocks.", param=where)
    return sum(_check_block(block, f"{where}[{index}]") for index, block in enumerate(content))


def _check_block(block: Any, where: str) -> int:
    kind = block.get("type") if isinstance(block, dict) else None
    check_fields(block, known_kind(kind, _BLOCKS, where), where)
    if kind in ("text", "thinking") and not isinstance(block.get(kind), str):
        raise BadRequest(f"'{where}.{kind}' must be a text.", param=f"{where}.{kind}")
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        raise BadRequest(f"'{where}.input' must be an object.", param=f"{where}.input")
    if kind == "image":
        _check_image(block.get("source"), f"{where}.source")
        return 1
    inner = block.get("content") if kind == "tool_result" else None
    return _check_content(inner, f"{where}.content") if inner is not None else 0


def _check_image(source: Any, where: str) -> None:
    """Only pictures inside the body: the engine must not fetch addresses for a client (CVE-2025-6242)."""
    if not isinstance(source, dict) or source.get("type") != "base64" or "url" in source:
        message = f"'{where}' must hold the data itself (type base64); remote addresses are not fetched."
        raise BadRequest(message, code="remote_media_refused", param=where)


# -- the answer --------------------------------------------------------------------------------------------------------


class MessagesDialect(Billed):
    """Content blocks; a tool call's input is an object, and comes as pieces of JSON in a stream."""

    def demands(self, body: Mapping[str, Any], *, streams: bool) -> dict[str, Any]:
        return {}

    def relay(self, guard: RequestGuard, asked: Asked) -> Relay:
        return MessagesRelay(guard)

    def guarded(self, guard: RequestGuard, answer: dict[str, Any], asked: Asked) -> dict[str, Any]:
        """Of a blocked answer, the blocks before the one that was blocked."""
        texts, told = Texts(guard), []
        blocks = answer.get("content")
        try:
            for index, block in enumerate(blocks if isinstance(blocks, list) else ()):
                told.append(_guarded_block(texts, index, block))
        except Blocked:
            answer |= {"stop_reason": "refusal", "stop_sequence": None}
        answer["content"] = told
        return answer

    def finish_reason(self, answer: dict[str, Any]) -> str:
        return str(answer.get("stop_reason") or "")


def _guarded_block(texts: Texts, index: int, block: Any) -> Any:
    """One block, checked and restored. Raises Blocked."""
    if not isinstance(block, dict):
        raise BadGateway("The model server's answer holds a broken block.", code="upstream_bad_answer")
    called = block.pop("input", None)
    change_texts(block, (index,), lambda path, text: texts.whole(path, text)[1])
    if called is not None:
        _, told = texts.whole((index, "arguments"), orjson.dumps(called).decode())
        try:
            block["input"] = orjson.loads(told)
        except orjson.JSONDecodeError:
            raise BadGateway("A tool call did not survive the guardrails.", code="upstream_bad_answer") from None
    return block


class MessagesRelay(Relay):
    """Event by event; what is held back of a block is told before the block's end."""

    def __init__(self, guard: RequestGuard) -> None:
        super().__init__()
        self._texts = Texts(guard)
        self._kinds: dict[Path, str] = {}  # each text's kind of delta: the shape of one of our own
        self._emptied = False  # the message came with blocks in it
        self._others = 0  # events without a fixed place
        self._open: int | None = None  # the block that has begun and not ended
        self._head: dict[str, Any] = {}
        self._tokens: dict[str, Any] = {}
        self._stop_reason = ""
        self._ending = b""

    def _event(self, event: dict[str, Any], frame: Frame) -> bytes:
        before: list[bytes] = []
        try:
            after = self._pass(str(event.get("type") or ""), event, frame.raw, before)
        except Blocked:
            after = self._block()
        return b"".join(before) + after

    def _pass(self, kind: str, event: dict[str, Any], raw: bytes, before: list[bytes]) -> bytes:
        index = event["index"] if isinstance(event.get("index"), int) else 0
        self._note(kind, event)
        if kind == "message_stop":
            self.done, self._ending = True, raw
            return b""
        if kind == "content_block_delta" and isinstance(event.get("delta"), dict):
            return self._delta(index, event, raw)
        if kind == "content_block_start":
            self._open = index
        elif kind in ("content_block_stop", "message_delta"):
            self._flush([p for p in self._texts.open() if p[0] == index or kind == "message_delta"], before)
            self._open = None
            return raw
        elif kind == "ping" or (kind == "message_start" and not self._emptied):
            return raw
        self._others += 1
        place = (index, kind, self._others)
        changed = change_texts(event, place, lambda path, text: self._texts.whole(path, text)[1])
        return event_frame(kind, orjson.dumps(event)) if changed or kind == "message_start" else raw

    def _delta(self, index: int, event: dict[str, Any], raw: bytes) -> bytes:
        delta = event["delta"]
        kind = str(delta.get("type"))
        if kind == "signature_delta":
            return raw
        field, place = _DELTAS.get(kind, ("", ""))
        if not isinstance(delta.get(field), str):
            change_texts(delta, (index, kind, self._texts.pieces), lambda path, text: self._texts.whole(path, text)[1])
            return event_frame("content_block_delta", orjson.dumps(event))
        piece, path = delta[field], (index, place)
        self._kinds[path] = kind
        told = self._texts.piece(path, piece) if piece else ""
        if told == piece:
            return raw
        return _delta_frame(index, kind, told) if told else b""

    def _flush(self, paths: list[Path], before: list[bytes]) -> None:
        for path in paths:
            rest = self._texts.end(path)
            if rest and path in self._kinds:
                before.append(_delta_frame(int(path[0]), self._kinds[path], rest))

    def _note(self, kind: str, event: dict[str, Any]) -> None:
        """Model, usage and stop reason, where the protocol tells them."""
        message = event.get("message")
        if kind == "message_start" and isinstance(message, dict):
            self._emptied, message["content"] = bool(message.get("content")), []  # blocks come in events of their own
            self._head = {name: value for name, value in message.items() if name not in ("usage", "content")}
        for usage in (event.get("usage"), message.get("usage") if isinstance(message, dict) else None):
            if isinstance(usage, dict):
                self._tokens |= {name: value for name, value in usage.items() if value is not None}
        if kind == "message_delta" and isinstance(event.get("delta"), dict):
            self._stop_reason = str(event["delta"].get("stop_reason") or "")
            self._usage = self._tokens  # before, the answer's tokens are not yet counted

    def _block(self) -> bytes:
        """The answer ends as a refusal: the open block, the message. Nothing held back is told."""
        ended = []
        if self._open is not None:
            ended.append(_frame("content_block_stop", {"index": self._open}))
        delta = {"stop_reason": "refusal", "stop_sequence": None}
        ended.append(_frame("message_delta", {"delta": delta, "usage": {"output_tokens": self._texts.pieces}}))
        self.done, self._stop_reason, self._ending = True, "refusal", _frame("message_stop", {})
        return b"".join(ended)

    @property
    def blocked(self) -> bool:
        return self.done and self._stop_reason == "refusal"

    @property
    def finish_reason(self) -> str:
        return self._stop_reason

    @property
    def model(self) -> str:
        return str(self._head.get("model") or "")

    @property
    def texts(self) -> int:
        return self._texts.pieces

    def usage(self, prompt_guess: int) -> Usage:
        begun = Usage.of(self._tokens)
        return super().usage(begun.prompt if begun else prompt_guess)

    def ending(self) -> bytes:
        return self._ending

    def broken(self, error: ApiError) -> bytes:
        return event_frame("error", orjson.dumps(error_shape(error.status, error.message, error.code)))

    def received(self) -> bytes:
        blocks: dict[str, dict[str, str]] = {}
        for path, text in self._texts.received().items():
            blocks.setdefault(str(path[0]), {})["/".join(map(str, path[1:]))] = text
        stop = {"stop_reason": self._stop_reason or None, "usage": self._tokens}
        return orjson.dumps({**self._head, "content": list(blocks.values()), **stop})


def _delta_frame(index: int, kind: str, text: str) -> bytes:
    return _frame("content_block_delta", {"index": index, "delta": {"type": kind, _DELTAS[kind][0]: text}})


def _frame(kind: str, event: dict[str, Any]) -> bytes:
    return event_frame(kind, orjson.dumps({"type": kind, **event}))


def error_shape(status: int, message: str, code: str | None) -> dict[str, Any]:
    """Anthropic's error object; ``code`` is ours, beside what it has."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message, "code": code}}
