"""Chargeback: the ledger summed by day, team, key, person, model or app."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import sqlalchemy as sa

from gateway.ledger.tables import LEDGER
from gateway.limits.spec import MICRO
from gateway.storage.database import available
from gateway.storage.tables import TEAMS, VIRTUAL_KEYS
from kakehashi.errors import UsageError

By = Literal["day", "team", "key", "user", "model", "app"]
GROUPS: tuple[By, ...] = get_args(By)
COLUMNS = ("group", "name", "requests", "refused", "lost", "prompt_tokens", "completion_tokens", "audio_seconds", "yen")
_ROWS = LEDGER.c
_MODEL = sa.func.coalesce(sa.func.nullif(_ROWS.served, ""), _ROWS.target)
_GROUPED: dict[By, sa.ColumnElement[Any]] = {
    "day": _ROWS.day,
    "team": _ROWS.team_id,
    "key": _ROWS.key_id,
    "user": _ROWS.user,
    "model": _MODEL,
    "app": _ROWS.app,
}
_REFUSED = ("blocked", "refused")


@dataclass(frozen=True, slots=True)
class Line:
    """What a group has used. ``lost``: rows of killed processes, charged their prompts as estimated; ``refused``: by a
    guardrail or for want of an engine; ``micro_yen``: by the prices in effect then."""

    group: str
    name: str
    requests: int
    refused: int
    lost: int
    prompt_tokens: int
    completion_tokens: int
    audio_ms: int
    micro_yen: int

    def public(self) -> dict[str, Any]:
        shown: dict[str, Any] = {name: getattr(self, name) for name in COLUMNS if hasattr(self, name)}
        return {**shown, "audio_seconds": self.audio_ms / 1000, "yen": self.micro_yen / MICRO}


def usage(engine: sa.Engine, by: By, since: str | None = None, until: str | None = None) -> list[Line]:
    """The lines of each group from the day ``since`` to before ``until`` (ISO dates in the books' time zone).

    Days in order, other groups by their cost, then tokens. Open rows count as requests, and cost nothing yet. Raises
    UsageError for what is no date, Unavailable.
    """
    group = _GROUPED[by]
    query = sa.select(
        group,
        _count(_ROWS.attempt == 1),
        _count(_ROWS.outcome.in_(_REFUSED)),
        _count(_ROWS.state == "lost"),
        *(sa.func.sum(column) for column in _SUMMED),
    ).group_by(group)
    if since:
        query = query.where(_ROWS.day >= _date(since))
    if until:
        query = query.where(_ROWS.day < _date(until))
    with available(), engine.connect() as connection:
        names = _names(connection, by)
        found = [
            Line(str(label), names.get(label, ""), *map(int, numbers)) for label, *numbers in connection.execute(query)
        ]
    if by == "day":
        return sorted(found, key=lambda line: line.group)
    return sorted(found, key=lambda line: (-line.micro_yen, -line.prompt_tokens - line.completion_tokens, line.group))


_SUMMED = (_ROWS.prompt_tokens, _ROWS.completion_tokens, _ROWS.audio_ms, _ROWS.micro_yen)


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _names(connection: sa.Connection, by: By) -> dict[str, str]:
    """What keys and teams are called now."""
    table = {"team": TEAMS, "key": VIRTUAL_KEYS}.get(by)
    if table is None:
        return {}
    return {row.id: row.name for row in connection.execute(sa.select(table.c.id, table.c.name))}


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"'{text[:40]}' is no date.", hint="Write one such as 2026-04-01.") from None


def as_csv(lines: Iterable[Line]) -> str:
    """A table for a spreadsheet. A text that a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for line in lines:
        row = line.public()
        writer.writerow({**row, "group": _plain(row["group"]), "name": _plain(row["name"])})
    return out.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
