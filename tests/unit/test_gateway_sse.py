"""The parser of server-sent events: the same frames wherever the network cuts the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import sse
from gateway.api.sse import FrameTooLong, SseParser


def parse(stream: bytes, cuts: list[int] | None = None) -> list[tuple[bytes | None, bytes]]:
    parser, frames, at = SseParser(), [], 0
    for cut in [*sorted(cuts or []), len(stream)]:
        frames += parser.feed(stream[at:cut])
        at = max(at, cut)
    return [(frame.data, frame.event) for frame in frames]


def reference(stream: bytes) -> list[tuple[bytes | None, bytes]]:
    """The rules of the WHATWG standard, line by line, without any care for speed."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    frames: list[tuple[bytes | None, bytes]] = []
    lines: list[bytes] = []
    for line in text.split(b"\n")[:-1]:  # what follows the last line end is an unfinished line
        if line:
            lines.append(line)
            continue
        if lines:
            pairs = [(name, value.removeprefix(b" ")) for name, _, value in (entry.partition(b":") for entry in lines)]
            data = [value for name, value in pairs if name == b"data"]
            events = [value for name, value in pairs if name == b"event"]
            frames.append((b"\n".join(data) if data else None, events[-1] if events else b""))
            lines = []
    return frames


LINES = st.one_of(
    st.text(alphabet="あ漢😀 {}\":,ab", max_size=12).map(lambda text: "data: " + text),
    st.sampled_from(["data:x", "data", "data:", ": ping", "event: message", "id: 7", "datax: no", "data:  2"]),
    st.just(""),
)  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    lines = draw(st.lists(st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r"])), max_size=14))
    return bom + "".join(line + end for line, end in lines).encode() + draw(st.sampled_from([b"", b"data: unfinished"]))


@given(streams(), st.data())
def test_frames_are_those_of_the_standard_however_the_bytes_are_cut(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    # A lone CR at the very end may still become a CRLF; then the frame waits for the next bytes.
    assert parse(stream + b"\n\n", cuts) == reference(stream + b"\n\n")


@given(st.lists(st.text(alphabet="あ漢😀ab{}", min_size=1, max_size=9), max_size=6))
def test_one_byte_at_a_time_gives_the_same_frames(texts: list[str]) -> None:
    stream = b"".join(f"data: {text}\n\n".encode() for text in texts)
    assert parse(stream, list(range(len(stream)))) == [(text.encode(), b"") for text in texts]


def test_an_unchanged_frame_keeps_its_bytes() -> None:
    frames = SseParser().feed('data: {"a":"日本"}\n\n: ping\n\n'.encode())
    assert [frame.raw for frame in frames] == ['data: {"a":"日本"}\n\n'.encode(), b": ping\n\n"]


def test_a_frame_with_carriage_returns_is_sent_on_with_line_feeds() -> None:
    [frame] = SseParser().feed(b"event: x\r\ndata: 1\r\ndata: 2\r\n\r\n")
    assert (frame.raw, frame.data) == (b"event: x\ndata: 1\ndata: 2\n\n", b"1\n2")


def test_what_is_left_over_is_known() -> None:
    parser = SseParser()
    parser.feed(b"data: 1\n\ndata: half")
    assert parser.pending


def test_a_frame_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "FRAME_LIMIT", 100)
    with pytest.raises(FrameTooLong):
        SseParser().feed(b"data: " + b"x" * 200)
