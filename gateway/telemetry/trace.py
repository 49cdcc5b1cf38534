"""One request's trace as values: W3C trace context in and out, phases with their times. Knows no HTTP and no exporter.

Spans are made by hand where a request changes its state; nothing is instrumented automatically, so nothing of a
request's content can get in by accident.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass, field
from typing import Literal

Value = str | int | float | bool | list[str]
Kind = Literal["internal", "server", "client"]
# w3.org/TR/trace-context: version 00 has exactly four fields; a later version may add some at the end.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
_IDS = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Parent:
    """The caller's span, as its ``traceparent`` header names it."""

    trace_id: str
    span_id: str
    sampled: bool


@dataclass(slots=True)
class Span:
    """Times are nanoseconds since 1970. ``error``: a class of failure (``error.type``), empty for success."""

    name: str
    span_id: str
    parent_id: str
    kind: Kind
    start_ns: int
    end_ns: int = 0
    error: str = ""
    attributes: dict[str, Value] = field(default_factory=dict)


def parent_of(traceparent: str) -> Parent | None:
    """The parent a header names; None for a header that is absent or malformed (then a new trace begins)."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or (match[1] == "00" and match[5]):
        return None
    return Parent(match[2], match[3], bool(int(match[4], 16) & _SAMPLED))


class Trace:
    """The spans of one request: one for the whole (``root``), one for each phase, the engine's with its id fixed ahead.

    ``sampled`` False: nothing is kept, but upstream is told so, by the same ids.
    """

    __slots__ = ("_offset_ns", "_phase", "root", "sampled", "spans", "trace_id", "upstream_id")

    def __init__(self, name: str, parent: Parent | None, *, sampled: bool) -> None:
        self._offset_ns = time.time_ns() - time.perf_counter_ns()  # spans stay in order when the clock is set meanwhile
        self.sampled = sampled
        self.trace_id = parent.trace_id if parent else _id(128)
        self.upstream_id = _id(64)
        self.root = Span(name, _id(64), parent.span_id if parent else "", "server", self.now())
        self.spans: list[Span] = [self.root]
        self._phase: Span | None = None

    def now(self) -> int:
        return time.perf_counter_ns() + self._offset_ns

    def enter(self, phase: str) -> None:
        """The phase before ends, this one begins. ``upstream`` is the call of the engine."""
        if not self.sampled:
            return
        self.leave()
        upstream = phase == "upstream"
        span_id = self.upstream_id if upstream else _id(64)
        self._phase = Span(phase, span_id, self.root.span_id, "client" if upstream else "internal", self.now())
        self.spans.append(self._phase)

    def leave(self) -> None:
        """The phase under way, if any, ends."""
        if self._phase is not None:
            self._phase.end_ns, self._phase = self.now(), None

    def end(self) -> None:
        """The request is over; no phase outlives it."""
        self.leave()
        self.root.end_ns = self.now()

    def span(self, phase: str) -> Span | None:
        """The last span of a phase."""
        return next((span for span in reversed(self.spans) if span.name == phase), None)

    @property
    def traceparent(self) -> str:
        """What the engine is told: its caller is our call of it."""
        return f"00-{self.trace_id}-{self.upstream_id}-{_SAMPLED if self.sampled else 0:02x}"


def _id(bits: int) -> str:
    return f"{_IDS.getrandbits(bits) or 1:0{bits // 4}x}"
