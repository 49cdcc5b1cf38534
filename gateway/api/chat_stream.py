"""Streams of chat completions and completions: every choice's texts through the guard, chunk by chunk.

A frame whose text did not change goes on as the bytes it came in. The stream ends in ``[DONE]``, and only when whole.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.api.deltas import ChoiceStream, has_substance
from gateway.api.sse import DONE, Frame, data_frame
from gateway.api.stream import Relay
from gateway.guardrails.types import RequestGuard


class ChatRelay(Relay):
    """``wants_usage``: the client asked for the usage chunk; ``continuous``: in each chunk."""

    def __init__(self, guard: RequestGuard, *, wants_usage: bool = False, continuous: bool = False) -> None:
        super().__init__()
        self._guard, self._wants_usage, self._continuous = guard, wants_usage, continuous
        self._choices: dict[int, ChoiceStream] = {}
        self._head: dict[str, Any] = {}  # id, object, created, model: for chunks of our own
        self._texts = 0

    @property
    def texts(self) -> int:
        return self._texts

    def _end_mark(self) -> bytes:
        self.done = True
        return b""

    def _event(self, chunk: dict[str, Any], frame: Frame) -> bytes:
        if not self._head:
            self._head = {name: chunk[name] for name in ("id", "object", "created", "model") if name in chunk}
        choices = chunk.get("choices")
        changed = self._take_usage(chunk)
        if isinstance(choices, list) and choices:
            kept = [choice for choice in choices if isinstance(choice, dict) and self._open(choice)]
            touched = [self._choice(choice) for choice in kept]
            if any(touched) or len(kept) != len(choices):
                chunk["choices"] = kept = [choice for choice in kept if has_substance(choice)]
                changed = True
            if not kept:
                return b""
        elif choices is not None:
            return b""  # the usage chunk: ours comes at the end, to those who asked
        if changed:
            if self._wants_usage:
                chunk.setdefault("usage", None)
            return data_frame(orjson.dumps(chunk))
        if self._wants_usage and "usage" not in chunk:
            return frame.raw.replace(frame.data or b"", (frame.data or b"")[:-1] + b',"usage":null}', 1)
        return frame.raw

    def _open(self, choice: dict[str, Any]) -> bool:
        known = self._choices.get(_index(choice))
        return known is None or not known.closed

    def _choice(self, choice: dict[str, Any]) -> bool:
        index = _index(choice)
        stream = self._choices.get(index)
        if stream is None:
            stream = self._choices[index] = ChoiceStream(index, self._guard)
        texts = stream.texts
        changed = stream.take(choice)
        self._texts += stream.texts > texts
        return changed

    def _take_usage(self, chunk: dict[str, Any]) -> bool:
        """Remember usage on whatever chunk it comes (litellm#36168); whether the chunk changed for the client."""
        if "usage" not in chunk:
            return False
        if isinstance(chunk["usage"], dict):
            self._usage = chunk["usage"]
        if self._continuous:
            return False
        if self._wants_usage:
            changed, chunk["usage"] = chunk["usage"] is not None, None
            return changed
        del chunk["usage"]
        return True

    @property
    def finished(self) -> bool:
        """Nothing more can come: upstream said so, or every choice has ended."""
        return self.done or (bool(self._choices) and all(choice.closed for choice in self._choices.values()))

    @property
    def blocked(self) -> bool:
        """Every choice was ended by the guardrails: there is no reason to let the engine go on."""
        return bool(self._choices) and all(c.finish_reason == "content_filter" for c in self._choices.values())

    @property
    def finish_reason(self) -> str:
        return ",".join(dict.fromkeys(c.finish_reason for c in self._choices.values() if c.finish_reason))

    @property
    def model(self) -> str:
        return str(self._head.get("model") or "")

    def ending(self) -> bytes:
        """The last bytes of a complete stream."""
        if self._wants_usage and self._usage is not None:
            return data_frame(orjson.dumps({**self._head, "choices": [], "usage": self._usage})) + DONE
        return DONE

    def received(self) -> bytes:
        """The answer as received from upstream, assembled, for the audit record."""
        choices = [choice.message() for choice in self._choices.values()]
        return orjson.dumps({**self._head, "choices": choices, "usage": self._usage})


def _index(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0
