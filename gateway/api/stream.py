"""A streamed answer: upstream's frames in, guarded frames out. Pure; the pipeline does the reading and writing.

Here is what every dialect's stream has in common. A stream that breaks off is never ended cleanly (portkey#1797):
:meth:`Relay.check_complete` raises, and the client gets an error frame in place of the ending.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import orjson

from gateway.api.sse import Frame, FrameTooLong, SseParser, data_frame
from gateway.api.usage import Usage
from gateway.errors import ApiError, BadGateway


class Relay(ABC):
    """The state of one stream."""

    def __init__(self) -> None:
        self._parser = SseParser()
        self._usage: dict[str, Any] | None = None
        self.failure: ApiError | None = None  # broken chunks, or upstream's own error frame
        self.done = False  # nothing more can come
        self.begun = False  # a frame with data has come

    def feed(self, part: bytes) -> bytes:
        """What may be sent now. ``failure`` is set when the stream went wrong: send what is returned, then say so."""
        sent: list[bytes] = []
        try:
            for frame in self._parser.feed(part):
                if not self.done:
                    sent.append(self._frame(frame))
        except FrameTooLong:
            self.failure = BadGateway("The model server's stream has a frame without end.", code="upstream_bad_chunk")
        except ApiError as error:
            self.failure = error
        return b"".join(sent)

    def _frame(self, frame: Frame) -> bytes:
        if frame.data is None:
            return frame.raw  # a comment: keeps the connection alive
        self.begun = True
        if frame.data == b"[DONE]":
            return self._end_mark()
        try:
            event = orjson.loads(frame.data)
        except orjson.JSONDecodeError:
            raise BadGateway("The model server sent a broken chunk.", code="upstream_bad_chunk") from None
        if not isinstance(event, dict):
            raise BadGateway("The model server sent a broken chunk.", code="upstream_bad_chunk")
        if event.get("error"):
            raise upstream_error(event["error"])
        return self._event(event, frame)

    @abstractmethod
    def _event(self, event: dict[str, Any], frame: Frame) -> bytes:
        """What of one event may be sent. Raises ApiError for one that tells of a failure."""

    def _end_mark(self) -> bytes:
        """``[DONE]`` came; only some dialects know it."""
        return b""

    @property
    def finished(self) -> bool:
        """The answer is whole."""
        return self.done

    @property
    @abstractmethod
    def blocked(self) -> bool:
        """The guardrails ended all of it: there is no reason to let the engine go on."""

    @property
    @abstractmethod
    def finish_reason(self) -> str: ...

    @property
    @abstractmethod
    def model(self) -> str: ...

    @property
    @abstractmethod
    def texts(self) -> int:
        """Pieces that carried text: about one token each."""

    def check_complete(self) -> None:
        """After the last byte from upstream. Raises ApiError if the answer is not whole."""
        if self.failure:
            raise self.failure
        if not self.finished:
            raise BadGateway("The model server broke off its answer.", code="upstream_disconnected")

    def usage(self, prompt_guess: int) -> Usage:
        """Upstream's own numbers (an explicit 0 is 0), else an estimate of what was generated."""
        return Usage.of(self._usage) or Usage(prompt_guess, self.texts, exact=False)

    @abstractmethod
    def ending(self) -> bytes:
        """The last bytes of a complete stream; sent once its outcome is on record."""

    def broken(self, error: ApiError) -> bytes:
        """The last frame of a stream that failed, in place of its ending."""
        return data_frame(error.body())

    @abstractmethod
    def received(self) -> bytes:
        """The answer as received from upstream, assembled, for the audit record."""


def upstream_error(error: Any) -> ApiError:
    """Upstream's error inside a stream, with its message and, where it gives one, its status (litellm#22218)."""
    described = error if isinstance(error, dict) else {"message": str(error)}
    failure = BadGateway(str(described.get("message") or "The model server failed."), code="upstream_error")
    code = described.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        failure.status = code
    return failure
