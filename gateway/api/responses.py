"""OpenAI's Responses API: items in, items out, and streams that tell each text three times.

A stream says a text in pieces (``….delta``), then whole (``….done``), then inside its finished part, item and answer.
What the later events repeat is here what the pieces told. The gateway keeps no conversation: nothing is stored.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.api.dialect import Asked, Billed
from gateway.api.sse import Frame, event_frame
from gateway.api.stream import Relay, upstream_error
from gateway.api.texts import Path, Texts, change_texts, put_texts
from gateway.errors import ApiError
from gateway.guardrails.types import Blocked, RequestGuard

# An event's name without .delta or .done → where in its item the text lies; *_index stands for that field's number.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "response.output_text": ("content", "content_index", "text"),
    "response.refusal": ("content", "content_index", "refusal"),
    "response.reasoning_text": ("content", "content_index", "text"),
    "response.reasoning_summary_text": ("summary", "summary_index", "text"),
    "response.function_call_arguments": ("arguments",),
    "response.mcp_call_arguments": ("arguments",),
    "response.custom_tool_call_input": ("input",),
    "response.code_interpreter_call_code": ("code",),
    "response.content_part": ("content", "content_index"),
    "response.reasoning_summary_part": ("summary", "summary_index"),
    "response.output_item": (),
}
_TERMINAL = frozenset({"response.completed", "response.incomplete"})
# Of the answer object: the protocol's own words and numbers, and what it repeats of the request.
_ABOUT = frozenset(
    {
        *("id", "object", "created_at", "completed_at", "status", "error", "incomplete_details", "model", "usage"),
        *("instructions", "metadata", "parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p", "prompt"),
        *("background", "conversation", "max_output_tokens", "max_tool_calls", "previous_response_id", "user", "store"),
        *("prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "text"),
        *("top_logprobs", "truncation", "presence_penalty", "frequency_penalty", "billing", "metrics"),
    }
)


class ResponsesDialect(Billed):
    """Upstream is told to store nothing: it would keep conversations outside the audit log's retention."""

    def demands(self, body: Mapping[str, Any], *, streams: bool) -> dict[str, Any]:
        return {"store": False}

    def relay(self, guard: RequestGuard, asked: Asked) -> Relay:
        return ResponsesRelay(guard, asked)

    def guarded(self, guard: RequestGuard, answer: dict[str, Any], asked: Asked) -> dict[str, Any]:
        texts = Texts(guard)
        restore_echo(answer, asked)
        try:
            change_answer(answer, ("answer",), lambda path, text: texts.whole(path, text)[1])
        except Blocked:
            _cut(answer, texts)
        return answer

    def finish_reason(self, answer: dict[str, Any]) -> str:
        return finish_reason(answer)


def finish_reason(answer: Mapping[str, Any]) -> str:
    """``completed``, or why not: ``max_output_tokens``, ``content_filter`` …"""
    details = answer.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return str(reason or answer.get("status") or "")


def restore_echo(answer: dict[str, Any], asked: Asked) -> None:
    """What the answer repeats of the request, in the client's own words; nothing of it is the model's."""
    for name, sent in asked.body.items():
        if name in answer and name in _ABOUT and asked.forward.get(name) != sent:
            answer[name] = sent


def change_answer(answer: dict[str, Any], place: Path, change: Callable[[Path, str], str]) -> None:
    """Change every text of an answer object in place: those of ``output``, and at ``place`` those of fields that nobody
    knows yet."""
    output = answer.get("output")
    for index, item in enumerate(output if isinstance(output, list) else ()):
        change_texts(item, (index,), change)
    unknown = {name: answer[name] for name in answer.keys() - _ABOUT - {"output"}}
    change_texts(unknown, place, change)
    answer |= unknown


def _cut(answer: dict[str, Any], texts: Texts) -> None:
    """Of a blocked answer: the items before the one that was blocked. Later ones were not looked at."""
    whole = [path[0] for path in texts.told() if isinstance(path[0], int)]
    blocked_at = max(whole, default=0)
    answer["output"] = answer["output"][:blocked_at] if isinstance(answer.get("output"), list) else []
    for name in answer.keys() - _ABOUT - {"output"}:
        del answer[name]
    answer |= {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}


class ResponsesRelay(Relay):
    """Event by event; numbered anew, since guarding adds events and takes some away."""

    def __init__(self, guard: RequestGuard, asked: Asked) -> None:
        super().__init__()
        self._asked = asked
        self._texts = Texts(guard)
        self._shapes: dict[Path, dict[str, Any]] = {}  # each text's last delta event: the shape of one of our own
        self._items: dict[int, dict[str, Any]] = {}  # as they were announced, to tell of them in a cut answer
        self._answer: dict[str, Any] = {}  # the answer object as last told
        self._received = b""
        self._frames: list[bytes] = []
        self._number = 0
        self._ending = b""
        self._blocked = False

    def _event(self, event: dict[str, Any], frame: Frame) -> bytes:
        kind = str(event.get("type") or frame.event.decode("utf-8", "replace"))
        self._frames = []
        try:
            self._pass(kind, event, frame)
        except Blocked:
            self._block()
        return b"".join(self._frames)

    def _pass(self, kind: str, event: dict[str, Any], frame: Frame) -> None:
        if kind in ("error", "response.failed"):
            told = event.get("response")
            raise upstream_error((told.get("error") if isinstance(told, dict) else None) or event)
        changed: bool | None
        if isinstance(event.get("response"), dict):
            changed = self._whole_answer(kind, event["response"])
        elif kind.endswith(".delta") and isinstance(event.get("delta"), str):
            changed = self._delta(kind.removesuffix(".delta"), event)
        else:
            changed = self._parts(kind, event)
        if kind in _TERMINAL:
            self.done, self._ending = True, self._told(event, b"" if changed else frame.raw)
        elif changed is not None:
            self._frames.append(self._told(event, b"" if changed else frame.raw))

    def _delta(self, base: str, event: dict[str, Any]) -> bool | None:
        """Whether the piece changed; None when nothing of it may be told yet."""
        path = _place(base, event)
        piece = event["delta"]
        told = self._texts.piece(path, piece) if piece else ""
        self._shapes[path] = {**event, "logprobs": []} if "logprobs" in event else event
        if told == piece:
            return False
        event["delta"] = told
        if event.get("logprobs"):
            event["logprobs"] = []  # they spell out what is held back or was changed
        return True if told else None

    def _parts(self, kind: str, event: dict[str, Any]) -> bool:
        """Events that begin or end something, and those nobody knows yet: every text in them is guarded."""
        base, _, step = kind.rpartition(".")
        path = _place(base, event)
        if base not in _PLACES:
            return change_texts(event, (*path, kind, self._number), self._ended)
        for name in ("item", "part"):
            if isinstance(event.get(name), dict):
                changed = change_texts(event[name], path, self._ended if step == "done" else self._texts.piece)
                self._announced(event, path, event[name])
                return changed
        return change_texts(event, path[:-1], self._ended)

    def _announced(self, event: dict[str, Any], path: Path, node: dict[str, Any]) -> None:
        index = _number(event, "output_index")
        if len(path) == 1:
            self._items[index] = copy.deepcopy(node)
        elif index in self._items:
            part = {name: value for name, value in node.items() if name != "logprobs"}
            held = self._items[index].setdefault(str(path[1]), [])
            if isinstance(held, list) and len(held) == path[2]:
                held.append(part)

    def _whole_answer(self, kind: str, answer: dict[str, Any]) -> bool:
        """An event that carries the answer object: at the beginning still empty, at the end complete."""
        if kind in _TERMINAL:
            self._received = orjson.dumps(answer)
            self._usage = answer.get("usage")
        elif answer.get("output"):
            answer["output"] = []  # nothing can be told here that was not told by items
        before = orjson.dumps(answer)
        restore_echo(answer, self._asked)
        change_answer(answer, ("answer", kind), self._ended)
        if kind in _TERMINAL:
            self._flush(self._texts.open())
        self._answer = answer
        return orjson.dumps(answer) != before

    def _ended(self, path: Path, text: str) -> str:
        rest, told = self._texts.whole(path, text)
        self._tell_rest(path, rest)
        return told

    def _flush(self, paths: list[Path]) -> None:
        for path in paths:
            self._tell_rest(path, self._texts.end(path))

    def _tell_rest(self, path: Path, rest: str) -> None:
        """What was held back of a text told in pieces: one more piece."""
        if rest and path in self._shapes:
            self._frames.append(self._told({**self._shapes[path], "delta": rest}))

    def _told(self, event: dict[str, Any], raw: bytes = b"") -> bytes:
        """The event's frame under its number; ``raw``: its bytes as they came, when nothing of it changed."""
        if "sequence_number" in event and event["sequence_number"] != self._number:
            event["sequence_number"], raw = self._number, b""
        self._number += 1
        return raw or event_frame(str(event.get("type", "")), orjson.dumps(event))

    def _block(self) -> None:
        """The answer as far as it was told, and no further."""
        answer = {**self._answer, "output": self._output(self._texts.told())}
        answer |= {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
        event = {"type": "response.incomplete", "sequence_number": self._number, "response": answer}
        self._answer, self._ending = answer, self._told(event)
        self.done = self._blocked = True

    def _output(self, texts: Mapping[Path, str]) -> list[dict[str, Any]]:
        """The announced items with these texts."""
        items = copy.deepcopy(self._items)
        for index, item in items.items():
            put_texts(item, {path[1:]: text for path, text in texts.items() if path[0] == index and _known(path)})
            if item.get("status") == "in_progress":
                item["status"] = "incomplete"
        return [items[index] for index in sorted(items)]

    @property
    def blocked(self) -> bool:
        return self._blocked

    @property
    def finish_reason(self) -> str:
        return finish_reason(self._answer) if self.done else ""

    @property
    def model(self) -> str:
        return str(self._answer.get("model") or "")

    @property
    def texts(self) -> int:
        return self._texts.pieces

    def ending(self) -> bytes:
        return self._ending

    def broken(self, error: ApiError) -> bytes:
        """An ``error`` event as the Responses API has it; with ``error`` inside too, by which the SDKs raise."""
        told = error.shape()["error"]
        event = {**told, "type": "error", "sequence_number": self._number, "error": told}
        return event_frame("error", orjson.dumps(event))

    def received(self) -> bytes:
        if self._received:
            return self._received
        return orjson.dumps({**self._answer, "output": self._output(self._texts.received())})


def _known(path: Path) -> bool:
    """A text with a place in its item, not one of an event that nobody knows."""
    return len(path) > 1 and path[1] in ("content", "summary", "arguments", "input", "code")


def _place(base: str, event: dict[str, Any]) -> Path:
    steps = _PLACES.get(base, (base,))
    numbered = (_number(event, step) if step.endswith("_index") else step for step in steps)
    return (_number(event, "output_index"), *numbered)


def _number(event: dict[str, Any], name: str) -> int:
    value = event.get(name)
    return value if isinstance(value, int) else 0
