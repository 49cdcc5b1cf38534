"""The ledger as it is read and put in order. Synchronous: called in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gateway.ledger.prices import Prices
from gateway.ledger.tables import LEDGER, PRICES
from gateway.limits.window import Calendar, Claim, Kind
from gateway.storage.database import available

# No request lives so long. A row older than this was left by a process on a machine that never came back.
ABANDONED_AFTER = timedelta(hours=24)
_OPEN = LEDGER.c.state == "started"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a row counts against limits: as settled, or as if lost while it is open."""

    tokens: int
    micro_yen: int

    def of(self, kind: Kind) -> int:
        return {"requests": 1, "tokens": self.tokens, "micro_yen": self.micro_yen, "concurrency": 0}[kind]


NOTHING = Charge(0, 0)


class Ledger:
    """Sums over the rows, and the rule for rows nobody settles."""

    def __init__(self, engine: sa.Engine, calendar: Calendar) -> None:
        self.engine, self._calendar = engine, calendar

    def used(self, claims: Sequence[Claim]) -> list[int]:
        """What the rows of each claim's scope and window come to. Open rows count as lost ones would."""
        with available(), self.engine.connect() as connection:
            return [int(connection.execute(self._sum(claim)).scalar() or 0) for claim in claims]

    def _sum(self, claim: Claim) -> sa.Select[Any]:
        rows, scope = LEDGER.c, claim.level.scope
        counted = {
            "requests": sa.func.sum(sa.case((rows.attempt == 1, 1), else_=0)),
            "tokens": sa.func.sum(
                sa.case((_OPEN, rows.lost_tokens), else_=rows.prompt_tokens + rows.completion_tokens)
            ),
            "micro_yen": sa.func.sum(sa.case((_OPEN, rows.lost_micro_yen), else_=rows.micro_yen)),
        }[claim.level.kind]
        first, after = self._calendar.day_of(claim.span.start), self._calendar.day_of(claim.span.end)
        query = sa.select(counted).select_from(LEDGER).where(rows.day >= first, rows.day < after)
        if scope.key:
            query = query.where(rows.key_id == scope.key)
        if scope.team:
            query = query.where(rows.team_id == scope.team)
        if scope.model:
            query = query.where(sa.or_(rows.model == scope.model, rows.target == scope.model))
        return query

    def charges(self, request_ids: Iterable[str]) -> dict[str, Charge]:
        """What each request came to, all its attempts together; one that never reached the ledger is missing."""
        rows = LEDGER.c
        query = sa.select(
            rows.request_id,
            sa.func.sum(sa.case((_OPEN, rows.lost_tokens), else_=rows.prompt_tokens + rows.completion_tokens)),
            sa.func.sum(sa.case((_OPEN, rows.lost_micro_yen), else_=rows.micro_yen)),
        ).where(rows.request_id.in_(list(request_ids)))
        with available(), self.engine.connect() as connection:
            return {
                request_id: Charge(int(tokens), int(micro_yen))
                for request_id, tokens, micro_yen in connection.execute(query.group_by(rows.request_id))
            }

    def settle_lost(self, dead: Callable[[str], bool], now: datetime | None = None) -> int:
        """Settle the rows that dead processes left open; how many. Each is settled once, whoever finds it first.

        The rule: such a row is charged its prompt as estimated, and its state says ``lost``. ``dead``: whether the
        writer of this name runs no more; rows of any writer count as left after a day.
        """
        moment = now or datetime.now(UTC)
        rows, before = LEDGER.c, int((moment - ABANDONED_AFTER).timestamp() * 1000)
        with available(), self.engine.begin() as connection:
            writers = connection.execute(sa.select(rows.writer).where(_OPEN).distinct()).scalars().all()
            gone = [writer for writer in writers if dead(writer)]
            settled = connection.execute(
                sa.update(LEDGER)
                .where(_OPEN, sa.or_(rows.writer.in_(gone), rows.started_ms < before))
                .values(
                    state="lost",
                    settled_ms=int(moment.timestamp() * 1000),
                    prompt_tokens=rows.lost_tokens,
                    micro_yen=rows.lost_micro_yen,
                    outcome="lost",
                )
            )
            return settled.rowcount

    def remember(self, prices: Prices) -> None:
        """Keep the price list under its version, so that old rows can be explained."""
        if not prices.version:
            return
        with available(), self.engine.begin() as connection:
            known = connection.execute(sa.select(PRICES.c.version).where(PRICES.c.version == prices.version)).first()
        if known:
            return
        row = {"version": prices.version, "since": datetime.now(UTC), "prices": prices.listed}
        try:
            with available(), self.engine.begin() as connection:
                connection.execute(sa.insert(PRICES).values(row))
        except sa.exc.IntegrityError:
            return  # another gateway, starting at the same moment
