"""The lines of a batch, as pure functions: what may come in, and what goes out, in OpenAI's format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/moderations")
MAX_LINES = 50_000
MAX_ERRORS = 100  # told of one file
LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line lies in its file: number from 1, first byte and length."""

    number: int
    start: int
    length: int


@dataclass
class Checked:
    """What validation found: the places of all requests, or what is wrong by line."""

    places: list[Place] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def wrong(self, code: str, message: str, line: int | None = None, param: str | None = None) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append({"code": code, "message": message, "line": line, "param": param})


def check(parts: Iterable[bytes], endpoint: str, longest: int) -> Checked:
    """Validate a whole file; ``longest``: bytes of one line. Messages never repeat what stands in the file."""
    checked, seen = Checked(), set[bytes]()
    for place, line in split(parts):
        if len(checked.places) == MAX_LINES:
            checked.wrong("too_many_requests", f"The file has more than {MAX_LINES} requests.", place.number)
            break
        if len(line) > longest:
            checked.wrong("line_too_long", f"The line is longer than {longest} bytes.", place.number)
        else:
            _check_line(checked, seen, line, place.number, endpoint)
        checked.places.append(place)
    if not checked.places:
        checked.wrong("empty_file", "The file holds no request.")
    return checked


def _check_line(checked: Checked, seen: set[bytes], line: bytes, number: int, endpoint: str) -> None:
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError:
        return checked.wrong("invalid_json_line", "The line is no valid JSON.", number)
    if not isinstance(item, dict):
        return checked.wrong("invalid_json_line", "The line is no JSON object.", number)
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if not isinstance(item.get(name), kind):
            return checked.wrong(
                "missing_required_parameter", f"'{name}' is missing or no {_KINDS[kind]}.", number, name
            )
    mark = hashlib.sha256(item["custom_id"].encode("utf-8", "surrogatepass")).digest()
    if len(item["custom_id"]) > LONGEST_ID:
        checked.wrong("invalid_custom_id", f"'custom_id' is longer than {LONGEST_ID} characters.", number, "custom_id")
    elif mark in seen:
        checked.wrong("duplicate_custom_id", "Another line has the same 'custom_id'.", number, "custom_id")
    elif item["method"] != "POST":
        checked.wrong("invalid_method", "'method' must be POST.", number, "method")
    elif item["url"] != endpoint:
        checked.wrong("mismatched_url", f"'url' must be {endpoint}, the endpoint of the batch.", number, "url")
    elif item["body"].get("stream"):
        checked.wrong("stream_not_supported", "A request in a batch cannot stream.", number, "body.stream")
    elif endpoint != "/v1/moderations" and not isinstance(item["body"].get("model"), str):
        checked.wrong("missing_required_parameter", "'body.model' is missing.", number, "body.model")
    seen.add(mark)
    return None


_KINDS = {str: "text", dict: "object"}


def split(parts: Iterable[bytes]) -> Iterator[tuple[Place, bytes]]:
    """The lines that are not blank, with their places. Lines end in LF or CRLF; the last needs no end."""
    held, searched, start, number = bytearray(), 0, 0, 0
    for part in parts:
        held += part
        while (end := held.find(b"\n", searched)) >= 0:
            line, number, searched = bytes(held[:end]), number + 1, 0
            del held[: end + 1]
            if line.strip():
                yield Place(number, start, len(line)), line
            start += end + 1
        searched = len(held)
    if held.strip():
        yield Place(number + 1, start, len(held)), bytes(held)


def answered(batch_id: str, number: int, custom_id: str, status: int, request_id: str, body: Any) -> bytes:
    """A line of the output or error file: a request that got an answer, good or bad."""
    response = {"status_code": status, "request_id": request_id, "body": body}
    return _line(batch_id, number, custom_id, response, None)


def unanswered(batch_id: str, number: int, custom_id: str, code: str, message: str) -> bytes:
    """A line of the error file: a request that was never run to its end."""
    return _line(batch_id, number, custom_id, None, {"code": code, "message": message})


def _line(batch_id: str, number: int, custom_id: str, response: Any, error: Any) -> bytes:
    id_ = f"batch_req_{batch_id.removeprefix('batch_')}_{number}"
    return orjson.dumps({"id": id_, "custom_id": custom_id, "response": response, "error": error}) + b"\n"
