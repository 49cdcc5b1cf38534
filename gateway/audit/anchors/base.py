"""What is anchored, and what an anchor can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from kakehashi.errors import KakehashiError


class AnchorError(KakehashiError):
    """An anchor did not take or give checkpoints. The message names no secret."""

    default_code = "audit_anchor"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """At ``time`` the chain of ``writer`` had this entry as its last. ``where``: the anchor it was read from."""

    writer: str
    seq: int
    hash: str
    time: str
    signature: str = ""
    where: str = ""

    def message(self) -> bytes:
        """What the signature covers."""
        return f"kakehashi audit anchor\n{self.writer}\n{self.seq}\n{self.hash}\n{self.time}".encode()

    def line(self) -> str:
        """One line of JSON, without content of any request."""
        fields = {"v": 1, "writer": self.writer, "seq": self.seq, "hash": self.hash, "time": self.time}
        return orjson.dumps({**fields, "signature": self.signature}).decode()


class Anchor(Protocol):
    """A place that keeps checkpoints. Calls are synchronous and may take seconds: they are made in a thread."""

    name: str  # as shown: no credentials

    def put(self, checkpoint: Checkpoint) -> None:
        """Keep it. Raises AnchorError."""

    def read(self) -> Iterator[Checkpoint]:
        """All checkpoints kept. Raises AnchorError."""


def parse(line: str, where: str) -> Checkpoint | None:
    """A checkpoint in a line of text, wherever it begins (a log server puts its own words before it); None: none."""
    start = line.find('{"v":1,"writer":')
    if start < 0:
        return None
    try:
        found: dict[str, Any] = orjson.loads(line[start:].strip().strip("\x00\ufeff"))
        return Checkpoint(
            str(found["writer"]),
            int(found["seq"]),
            str(found["hash"]),
            str(found["time"]),
            str(found["signature"]),
            where,
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        # A line that was cut or changed: it counts as a checkpoint that nobody signed, so that it is reported.
        return Checkpoint("?", 0, "", "", "", where)


def parse_all(lines: Iterable[str], where: str) -> Iterator[Checkpoint]:
    for line in lines:
        found = parse(line, where)
        if found is not None:
            yield found
