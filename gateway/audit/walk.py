"""Walking one part of one chain, entry by entry. Pure but for the rows it is given; memory does not grow with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import orjson

from gateway.audit.tables import SEARCHED, searched

COLUMNS = ("seq", "request_id", "time", "kind", "entry", "hash", "body", *SEARCHED)
MOST_PROBLEMS = 1000  # of one part; the rest is counted
_WHO = itemgetter("surface", "key_id", "team", "user", "app", "job", "model", "prompt", "policy", "action")
_UNFILLED = (None,) * len(SEARCHED)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not verify: which writer, which number, what."""

    writer: str
    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class Expected:
    """An entry must have this hash, because something says so that was signed or stands elsewhere."""

    hash: str
    differs: str  # what to say when it has another
    missing: str  # what to say when it is not there


@dataclass(frozen=True, slots=True)
class Part:
    """Entries ``first`` to ``last`` of a writer's chain. ``previous``: the hash before; None: not known."""

    writer: str
    first: int
    last: int
    previous: str | None


@dataclass(slots=True)
class Walked:
    """What a walk found. ``opened``: intents without an outcome in this part; ``closed``: outcomes without an intent."""

    entries: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    suppressed: int = 0
    opened: dict[str, None] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    reached: int = 0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """``expected``: by number; ``key_state``: of a data key: None unknown, True there, False erased; ``erased``: the
    numbers of entries whose bodies were removed by a recorded erasure."""

    expected: Mapping[int, list[Expected]]
    key_state: Callable[[str], bool | None]
    erased: Set[int]


def walk(part: Part, rows: Iterable[tuple[Any, ...]], around: Circumstances) -> Walked:
    """Check the rows (``COLUMNS``, by number) of one part."""
    done = Walked()
    sha256, loads, expected = hashlib.sha256, orjson.loads, around.expected
    writer, opened = part.writer, done.opened
    due, previous = part.first, part.previous.encode() if part.previous is not None else None
    last_time = ""
    for row in rows:
        seq, request_id, time, kind, text, digest, body = row[:7]
        raw = text.encode()
        done.entries += 1
        done.bytes += len(raw)
        if seq != due:
            _note(done, Problem(writer, due, f"entries {due} to {seq - 1} are missing"))
        elif previous is not None and sha256(previous + b"\n" + raw).hexdigest() != digest:
            _note(done, Problem(writer, seq, "entry does not fit its hash: changed or reordered"))
        described = None
        try:
            entry = loads(raw)
            described, data = entry["body"], entry["data"]
            same = (
                (entry["writer"], entry["seq"], entry["request_id"], entry["time"], entry["kind"])
                == (writer, seq, request_id, time, kind)
                and (row[7:] == (*_WHO(data), "", "") if kind == "intent" else row[7:] == searched(kind, data))
                and (time >= last_time or kind == "clock" or entry["v"] < 2)
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            same = False
        if not same:
            for what in _differences(row, writer, last_time):
                _note(done, Problem(writer, seq, what))
        if body is not None:
            done.bytes += len(body)
        if body is not None or described is not None:
            for what in _body_problems(seq, body, described, around):
                _note(done, Problem(writer, seq, what))
        if kind == "intent":
            opened[request_id] = None
        elif kind == "outcome":
            if request_id in opened:
                del opened[request_id]
            else:
                done.closed.append(request_id)
        if seq in expected:
            for demand in expected[seq]:
                if demand.hash != digest:
                    _note(done, Problem(writer, seq, demand.differs))
        previous, due, last_time = digest.encode(), seq + 1, time
    done.reached = due - 1
    if done.reached < part.last:
        _note(done, Problem(writer, due, f"entries {due} to {part.last} are missing"))
    return done


def _note(done: Walked, problem: Problem) -> None:
    if len(done.problems) < MOST_PROBLEMS:
        done.problems.append(problem)
    else:
        done.suppressed += 1


def _differences(row: tuple[Any, ...], writer: str, last_time: str) -> Iterable[str]:
    """Why a row is not what its entry says: the slow way, taken only by rows that failed the quick comparison."""
    entry = _parsed(row[4])
    stored = dict(zip(("seq", "request_id", "time", "kind"), row[:4], strict=True)) | {"writer": writer}
    for name in ("writer", "seq", "request_id", "time", "kind"):
        if entry.get(name) != stored[name]:
            yield f"column {name} differs from the signed entry"
    data = entry.get("data")
    wanted = searched(row[3], data if isinstance(data, dict) else {})
    if row[7:] == _UNFILLED:
        yield "cannot be found by search: its columns are empty; `kakehashi audit reindex` fills them from the entry"
    else:
        for name, value, right in zip(SEARCHED, row[7:], wanted, strict=True):
            if value != right:
                yield f"column {name} differs from the signed entry"
    version = entry.get("v")
    if isinstance(version, int) and version >= 2 and row[2] < last_time and row[3] != "clock":
        yield "its time is before that of the entry before it, without a recorded change of the clock"


def _parsed(text: str) -> dict[str, Any]:
    """The entry as a dictionary; an unreadable one is empty, so that each of its columns counts as changed."""
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _body_problems(seq: int, body: bytes | None, described: Any, around: Circumstances) -> Iterable[str]:
    if described is None:
        yield "a body was added"
    elif not isinstance(described, dict):
        yield "the description of the body was changed"
    elif body is None:
        if around.key_state(str(described.get("key"))) is not False and seq not in around.erased:
            yield "the body was removed without its key having been erased"
    elif hashlib.sha256(body).hexdigest() != described.get("sha256"):
        yield "the encrypted body was changed"
