"""Server-sent events, as bytes: cut a stream into frames wherever the network cut it, keep each frame's own bytes.

Follows the WHATWG rules for event streams: lines end in LF, CRLF or CR; an empty line ends a frame; ``data:`` lines add
up; a line that begins with a colon is a comment; one space after the colon is dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FRAME_LIMIT = 8 * 1024 * 1024  # bytes of one frame; a stream that never ends a frame is no event stream
_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class FrameTooLong(ValueError):
    """A frame does not end."""


@dataclass(frozen=True, slots=True)
class Frame:
    """``raw``: the frame as it came, ended by an empty line. ``data``: its data lines joined; None: it has none."""

    raw: bytes
    data: bytes | None
    event: bytes = b""


class SseParser:
    """Feed it bytes, get whole frames."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def feed(self, part: bytes) -> list[Frame]:
        """The frames that are complete now. Raises FrameTooLong."""
        buffer = self._rest + part
        if not self._begun:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                self._rest = buffer
                return []
            self._begun = True
            buffer = buffer.removeprefix(_BOM)
        frames, at = [], 0
        for end in _END.finditer(buffer):
            if (frame := _frame(buffer[at : end.start()])) is not None:
                frames.append(frame)
            at = end.end()
        self._rest = buffer[at:]
        if len(self._rest) > FRAME_LIMIT:
            raise FrameTooLong
        return frames

    @property
    def pending(self) -> bool:
        """Whether the stream stopped inside a frame (which is then thrown away, as the rules say)."""
        return bool(self._rest.strip(b"\r\n"))


def _frame(block: bytes) -> Frame | None:
    """A frame from its lines without the empty one. None for nothing at all."""
    block = block.lstrip(b"\r\n")  # the LF of a CRLF that was cut in two
    if not block:
        return None
    if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
        return Frame(block + b"\n\n", block[6:])
    data: list[bytes] = []
    event = b""
    for line in _LINE_END.split(block):
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
    return Frame(_LINE_END.sub(b"\n", block) + b"\n\n", b"\n".join(data) if data else None, event)


def data_frame(data: bytes) -> bytes:
    """A frame of one data line (JSON: it has no line ends)."""
    return b"data: " + data + b"\n\n"


def event_frame(event: str, data: bytes) -> bytes:
    """A frame of a named event (the name on one line, whatever it holds)."""
    return b"event: " + _LINE_END.sub(b"", event.encode()) + b"\ndata: " + data + b"\n\n"


DONE = data_frame(b"[DONE]")
