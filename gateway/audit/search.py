"""Finding records by who, when, with what and how it ended; whole requests at a time, page by page.

A request is one result, made of its intent, its attempts and its outcome. Asked for an outcome or a guardrail rule, the
search runs over the outcomes (their indexes hold only what is worth finding), else over the intents and other acts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from gateway.audit.store import AuditStore, Row, row_of
from gateway.audit.tables import ENTRIES
from kakehashi.errors import UsageError

_EQUAL = {"user": "user_name", "team": "team", "key": "key_id", "app": "app", "prompt": "prompt", "policy": "policy",
          "surface": "surface", "text_id": "job", "request_id": "request_id"}  # fmt: skip
_PARTS = ("outcome", "attempt")
_INDEXED = {"user_name", "team", "key_id", "job"}  # by partial indexes, whose condition a query must name


@dataclass(frozen=True, slots=True)
class Query:
    """What to find; "" does not matter. ``since``/``until``: as stored (see ``times.moment``), half open.

    ``model``: as asked, or as it answered; ``prompt``: id@version, or the id alone for all its versions; ``policy``
    likewise; ``rule``: a guardrail rule, or the beginning of one that ends in ``.``; ``action``: beginning of an act of
    administration; ``text_id``: id of a document's text (the app's job).
    """

    since: str = ""
    until: str = ""
    user: str = ""
    team: str = ""
    key: str = ""
    app: str = ""
    model: str = ""
    prompt: str = ""
    policy: str = ""
    surface: str = ""
    rule: str = ""
    outcome: str = ""
    action: str = ""
    target: str = ""
    text_id: str = ""
    request_id: str = ""

    @property
    def selective(self) -> bool:
        """Whether it asks for more than a span of time."""
        return any(getattr(self, name) for name in self.__slots__ if name not in ("since", "until"))


@dataclass(frozen=True, slots=True)
class Found:
    """One page: for each result the rows that belong to it, and the cursor of the next page ("" after the last)."""

    results: list[list[Row]]
    next: str


def find(store: AuditStore, query: Query, *, limit: int = 50, after: str = "", oldest_first: bool = False) -> Found:
    """One page of results, newest first. Raises StoreUnavailable; UsageError for a cursor that is none."""
    driving = ENTRIES.alias("d")
    by_outcome = bool(query.outcome or query.rule)
    first = ENTRIES.alias("i") if by_outcome else driving
    statement = sa.select(driving.c.time, driving.c.writer, driving.c.seq, *first.c)
    if by_outcome:
        joined = sa.and_(first.c.request_id == driving.c.request_id, first.c.kind == "intent")
        statement = statement.select_from(driving.join(first, joined)).where(driving.c.kind == "outcome")
    else:
        statement = statement.where(driving.c.kind.not_in(_PARTS))
    place = sa.tuple_(driving.c.time, driving.c.writer, driving.c.seq)
    for condition in (*_when(driving, query), *_who(first, query), *_how(driving, query)):
        statement = statement.where(condition)
    if after:
        at = _place(after)
        if oldest_first:
            statement = statement.where(driving.c.time >= at[0], place > sa.tuple_(*map(sa.literal, at)))
        else:
            statement = statement.where(driving.c.time <= at[0], place < sa.tuple_(*map(sa.literal, at)))
    order = [c.asc() if oldest_first else c.desc() for c in (driving.c.time, driving.c.writer, driving.c.seq)]
    statement = statement.order_by(*order).limit(limit + 1)
    rows = store.read(lambda connection: connection.execute(statement).all())
    more, rows = len(rows) > limit, rows[:limit]
    results = _with_parts(store, [row_of(row[3:]) for row in rows])
    return Found(results, _cursor(rows[-1][:3]) if more else "")


def pages(store: AuditStore, query: Query, size: int = 500) -> Iterator[list[list[Row]]]:
    """All results, oldest first, in pages."""
    after = ""
    while True:
        found = find(store, query, limit=size, after=after, oldest_first=True)
        yield found.results
        if not (after := found.next):
            return


def one(store: AuditStore, request_id: str) -> list[Row]:
    """All rows of one request, in the order in which they were written."""
    query = sa.select(ENTRIES).where(ENTRIES.c.request_id == request_id).order_by(ENTRIES.c.time, ENTRIES.c.seq)
    return store.read(lambda connection: [row_of(found) for found in connection.execute(query)])


def _when(table: Any, query: Query) -> Iterator[sa.ColumnElement[bool]]:
    if query.since:
        yield table.c.time >= query.since
    if query.until:
        yield table.c.time < query.until


def _who(table: Any, query: Query) -> Iterator[sa.ColumnElement[bool]]:
    for name, column in _EQUAL.items():
        if value := getattr(query, name):
            versions = name in ("prompt", "policy") and "@" not in value
            named = table.c[column]
            yield named.startswith(f"{value}@", autoescape=True) if versions else named == value
            if column in _INDEXED:
                yield named != ""
    if query.action:
        yield table.c.action != ""
        yield table.c.action.startswith(query.action, autoescape=True)
    if query.target:
        written = orjson.dumps(query.target).decode()
        yield table.c.action != ""
        yield table.c.entry.contains(f'"target":{written}', autoescape=True)
    if query.model:
        part = ENTRIES.alias("p")
        answered = sa.select(sa.literal(1)).where(
            part.c.request_id == table.c.request_id, part.c.kind.in_(_PARTS), part.c.model == query.model
        )
        yield sa.or_(table.c.model == query.model, sa.and_(table.c.request_id != "", answered.exists()))


def _how(table: Any, query: Query) -> Iterator[sa.ColumnElement[bool]]:
    if query.outcome:
        yield table.c.outcome == query.outcome
        if query.outcome != "ok":  # lets the partial index be used
            yield sa.and_(table.c.outcome != "", table.c.outcome != "ok")
    if query.rule:
        end = "" if query.rule.endswith(".") else ","
        yield table.c.rules != ""
        yield table.c.rules.contains(f",{query.rule}{end}", autoescape=True)


def _with_parts(store: AuditStore, firsts: Sequence[Row]) -> list[list[Row]]:
    """Each first row, followed by the attempts and the outcome of its request."""
    ids = [row.request_id for row in firsts if row.kind == "intent"]
    query = sa.select(ENTRIES).where(ENTRIES.c.request_id.in_(ids), ENTRIES.c.kind.in_(_PARTS))
    query = query.order_by(ENTRIES.c.time, ENTRIES.c.seq)
    parts: dict[str, list[Row]] = {}
    for row in store.read(lambda connection: [row_of(found) for found in connection.execute(query)]) if ids else ():
        parts.setdefault(row.request_id, []).append(row)
    return [[row, *(parts.get(row.request_id, []) if row.kind == "intent" else [])] for row in firsts]


def _cursor(place: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode()


def _place(cursor: str) -> tuple[str, str, int]:
    try:
        time, writer, seq = orjson.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError):
        raise UsageError("'after' is no cursor of a page.", hint="Give the `next` of the page before.") from None
    if not (isinstance(time, str) and isinstance(writer, str) and isinstance(seq, int)):
        raise UsageError("'after' is no cursor of a page.", hint="Give the `next` of the page before.")
    return time, writer, seq
