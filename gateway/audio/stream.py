"""A transcript that comes in pieces: OpenAI's events in and out, or vLLM's chunks in; every piece guarded."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.api.sse import Frame, data_frame
from gateway.api.stream import Relay
from gateway.api.texts import Texts
from gateway.audio.transcript import numbers
from gateway.guardrails.types import Blocked, RequestGuard

_PATH = ("transcript", "text")


class TranscriptRelay(Relay):
    """The state of one streamed transcript. ``seconds``: the length of the recording, once the engine has told it."""

    def __init__(self, guard: RequestGuard) -> None:
        super().__init__()
        self._texts = Texts(guard)
        self._stop: Blocked | None = None
        self._model = ""
        self.seconds: float | None = None

    def _event(self, event: dict[str, Any], frame: Frame) -> bytes:
        self._model = str(event.get("model") or self._model)
        self._note_usage(event)
        kind = event.get("type")
        if kind == "transcript.text.delta":
            return self._piece(str(event.get("delta") or ""))
        if kind == "transcript.text.done":
            return self._whole(str(event.get("text") or ""))
        if event.get("object") == "transcription.chunk":
            return b"".join(self._piece(text) for text in _chunk_texts(event))
        return b""  # nothing else is known to hold what may be told

    def _note_usage(self, event: dict[str, Any]) -> None:
        usage = event.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
            if isinstance(usage.get("seconds"), int | float):
                self.seconds = float(usage["seconds"])

    def _piece(self, text: str) -> bytes:
        try:
            return _delta(self._texts.piece(_PATH, text)) if text else b""
        except Blocked as blocked:
            self._stop, self.done = blocked, True
            return b""

    def _whole(self, text: str) -> bytes:
        try:
            rest, _ = self._texts.whole(_PATH, text)
        except Blocked as blocked:
            self._stop, self.done = blocked, True
            return b""
        self.done = True
        return _delta(rest)

    def _end_mark(self) -> bytes:
        """vLLM's end; the whole text is what came in pieces."""
        return b"" if self.done else self._whole(self._texts.received().get(_PATH, ""))

    def check_complete(self) -> None:
        """Raises Blocked when the guardrails ended it, ApiError when it is not whole."""
        if self._stop:
            raise self._stop
        super().check_complete()

    @property
    def blocked(self) -> bool:
        return self._stop is not None

    @property
    def finish_reason(self) -> str:
        return "content_filter" if self._stop else "stop" if self.done else ""

    @property
    def model(self) -> str:
        return self._model

    @property
    def texts(self) -> int:
        return self._texts.pieces

    def ending(self) -> bytes:
        told: dict[str, Any] = {"type": "transcript.text.done", "text": self._texts.told().get(_PATH, "")}
        if self.seconds is not None:
            told["usage"] = {"type": "duration", "seconds": self.seconds}
        elif counted := numbers(self._usage):
            told["usage"] = counted
        return data_frame(orjson.dumps(told))

    def received(self) -> bytes:
        return orjson.dumps({"text": self._texts.received().get(_PATH, "")})


def _delta(text: str) -> bytes:
    return data_frame(orjson.dumps({"type": "transcript.text.delta", "delta": text})) if text else b""


def _chunk_texts(event: dict[str, Any]) -> list[str]:
    choices = [choice for choice in event.get("choices") or () if isinstance(choice, dict)]
    deltas = [choice.get("delta") for choice in choices]
    return [delta["content"] for delta in deltas if isinstance(delta, dict) and isinstance(delta.get("content"), str)]
