"""Records for a SIEM or an archive, as a stream of bytes: JSON lines, CSV or Parquet; without bodies.

Each line has the canonical ``entry`` and its ``hash``: whoever holds the lines of one writer can check them without us
(`docs/audit.md` shows how).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.audit.record import Attempt, Intent, Outcome
from gateway.audit.search import Query, pages
from gateway.audit.shown import data_of, flat
from gateway.audit.store import AuditStore, Row, row_of
from gateway.audit.tables import ENTRIES
from kakehashi.errors import UsageError

FORMATS = ("jsonl", "csv", "parquet")
MEDIA_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_HEAD = ("time", "kind", "request_id")
_END = ("data", "writer", "seq", "hash", "entry")
_KINDS = ("intent", "outcome", "attempt")
_FIELDS = tuple(
    dict.fromkeys(
        field.name for record in (Intent, Attempt, Outcome) for field in fields(record) if field.name != "body"
    )
)
COLUMNS = tuple(dict.fromkeys((*_HEAD, *_FIELDS, *_END)))
_INTEGERS = ("seq", "status", "attempts", "number", "prompt_tokens", "completion_tokens")
_DECIMALS = ("latency_ms", "ttft_ms")
_ROW_GROUP = 20_000
_PAGE = 500
_LINES = 100  # a chunk


def export(store: AuditStore, query: Query, form: str) -> Iterator[bytes]:
    """The records a query finds, oldest first, in chunks. Raises UsageError for an unknown format."""
    if form not in FORMATS:
        raise UsageError(f"There is no export format '{form[:20]}'.", hint=f"Choose {', '.join(FORMATS)}.")
    rows = _rows(store, query)
    return {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}[form](rows)


def _rows(store: AuditStore, query: Query) -> Iterator[Row]:
    if query.selective:
        for page in pages(store, query):
            for rows in page:
                yield from rows
        return
    place = sa.tuple_(ENTRIES.c.time, ENTRIES.c.writer, ENTRIES.c.seq)
    after = sa.tuple_(sa.bindparam("time"), sa.bindparam("writer"), sa.bindparam("seq"))
    page_of = sa.select(ENTRIES).where(ENTRIES.c.time >= sa.bindparam("time"), place > after)
    if query.until:
        page_of = page_of.where(ENTRIES.c.time < query.until)
    page_of = page_of.order_by(ENTRIES.c.time, ENTRIES.c.writer, ENTRIES.c.seq).limit(_PAGE)
    at: dict[str, Any] = {"time": query.since, "writer": "", "seq": 0}
    while found := store.read(lambda connection, at=at: connection.execute(page_of, at).all()):  # type: ignore[misc]
        rows = [row_of(one) for one in found]
        yield from rows
        at = {"time": rows[-1].time, "writer": rows[-1].writer, "seq": rows[-1].seq}


def _jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    lines: list[bytes] = []
    for row in rows:
        lines.append(orjson.dumps({**flat(row), "entry": row.entry}, option=orjson.OPT_APPEND_NEWLINE))
        if len(lines) == _LINES:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)


def _csv(rows: Iterable[Row]) -> Iterator[bytes]:
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    for row in rows:
        record = _columns(row)
        table.writerow({k: orjson.dumps(v).decode() if isinstance(v, list | dict) else v for k, v in record.items()})
        if text.tell() > 64 * 1024:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _columns(row: Row) -> dict[str, Any]:
    """A record with the same columns whatever its kind; what belongs to other kinds stands in ``data``."""
    data = data_of(row)
    known = {name: data.get(name) for name in _FIELDS} if row.kind in _KINDS else {}
    head = {"time": row.time, "kind": row.kind, "request_id": row.request_id}
    end = {"writer": row.writer, "seq": row.seq, "hash": row.hash, "entry": row.entry}
    return {**known, **head, "data": None if row.kind in _KINDS else data, **end}


def _parquet(rows: Iterable[Row]) -> Iterator[bytes]:
    import pyarrow as pa  # takes a moment: only where it is used
    from pyarrow import parquet

    schema = pa.schema([(name, _type(pa, name)) for name in COLUMNS])
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist([_cells(_columns(row)) for row in group], schema))
            yield sink.taken()
    yield sink.taken()


def _type(pa: Any, name: str) -> Any:
    if name in _INTEGERS:
        return pa.int64()
    if name in _DECIMALS:
        return pa.float64()
    return pa.bool_() if name == "stream" else pa.string()


def _cells(record: dict[str, Any]) -> dict[str, Any]:
    return {name: orjson.dumps(v).decode() if isinstance(v, list | dict) else v for name, v in record.items()}


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == _ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


class _Sink(io.RawIOBase):
    """A file that hands out what was written to it, so that a whole archive never lies in memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
