"""Batches and their lines in the database, and who works on what: leases that end by themselves.

A replica takes lines under a lease and renews it while it works; the lines of one that was killed are free again when
the lease is over. A result is stored only by the holder of the lease, in one transaction with the counts, so no line
is ever counted twice. Synchronous: called in a thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from gateway.batches.lines import Place
from gateway.batches.model import ENDED, Batch, StoredFile
from gateway.batches.sealed import Seal
from gateway.batches.tables import BATCHES, LINES
from gateway.errors import NotFound
from gateway.storage.database import available

_BULK = 1_000
_B, _L = BATCHES.c, LINES.c


@dataclass(frozen=True, slots=True)
class Taken:
    """A line under a lease of ours. ``attempts``: how often it was begun, this time included."""

    batch_id: str
    number: int
    start: int
    length: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Answered:
    """How a line ended. ``sealed``: its line of the output or error file."""

    ok: bool
    sealed: bytes
    prompt_tokens: int = 0
    completion_tokens: int = 0


class BatchStore:
    """``me`` names this process among the replicas; ``lease_s``: how long a lease lasts unless renewed."""

    def __init__(self, engine: sa.Engine, me: str, lease_s: float) -> None:
        self._engine, self._me, self._lease_s = engine, me, lease_s

    # -- for people ---------------------------------------------------------------------------------------------------

    def add(self, batch: Batch) -> None:
        with available(), self._engine.begin() as connection:
            connection.execute(sa.insert(BATCHES), [{name: getattr(batch, name) for name in Batch.__slots__}])

    def get(self, batch_id: str, owner: str | None) -> Batch:
        """A batch of this owner (None: of anybody). Raises NotFound, for another owner's batch too."""
        query = sa.select(BATCHES).where(_B.id == batch_id)
        if owner is not None:
            query = query.where(_B.owner == owner)
        with available(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"No such batch: {batch_id[:80]}", code="batch_not_found", param="batch_id")
        return Batch(*row)

    def page(self, owner: str | None, *, after: str | None, limit: int) -> list[Batch]:
        """The newest first, from behind ``after``; of one owner or (None) of all."""
        query = sa.select(BATCHES).order_by(_B.id.desc()).limit(limit)
        if owner is not None:
            query = query.where(_B.owner == owner)
        if after:
            query = query.where(_B.id < after)
        with available(), self._engine.connect() as connection:
            return [Batch(*row) for row in connection.execute(query)]

    def readers_of(self, file_id: str) -> list[str]:
        """Batches that still need this input file."""
        query = sa.select(_B.id).where(_B.input_file_id == file_id, _B.state.not_in(ENDED)).order_by(_B.id)
        with available(), self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def stop(self, batch_id: str, ending: str, error: dict[str, Any] | None = None) -> bool:
        """Begin no further line; whether there was anything to stop."""
        now = datetime.now(UTC)
        values: dict[str, Any] = {"state": "stopping", "ending": ending}
        values |= {"cancelling_at": now} if ending == "cancelled" else {}
        values |= {"errors": [error]} if error else {}
        running = _B.state.in_(("validating", "in_progress"))
        return self._changed(sa.update(BATCHES).where(_B.id == batch_id, running).values(values))

    # -- whole batches ------------------------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Whether any batch has not ended."""
        query = sa.select(_B.id).where(_B.state.not_in(ENDED)).limit(1)
        with available(), self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def advance(self) -> None:
        """Move batches on whose lines are all done, or that have to stop and of which no line is under way."""
        now = datetime.now(UTC)
        with available(), self._engine.begin() as connection:
            clock = self._clock(connection)
            late = sa.update(BATCHES).where(_B.state.in_(("validating", "in_progress")), _B.expires_at <= now)
            connection.execute(late.values(state="stopping", ending="expired"))
            held = sa.exists().where(_L.batch_id == _B.id, _L.lessee.is_not(None), _L.lease_until > clock)
            over = (_B.state == "in_progress") & (_B.completed + _B.failed >= _B.total)
            finish = sa.update(BATCHES).values(state="finalizing", finalizing_at=now, lessee=None, lease_until=0.0)
            connection.execute(finish.where(over).values(ending="completed"))
            connection.execute(finish.where(_B.state == "stopping", ~held))

    def take_batch(self) -> Batch | None:
        """A batch to validate or to finalize, under a lease."""
        with available(), self._engine.begin() as connection:
            clock = self._clock(connection)
            free = _B.state.in_(("validating", "finalizing")) & (_B.lease_until <= clock)
            chosen = sa.select(_B.id).where(free).order_by(_B.id).limit(1).with_for_update(skip_locked=True)
            take = sa.update(BATCHES).where(_B.id.in_(chosen), free)
            row = connection.execute(
                take.values(lessee=self._me, lease_until=clock + self._lease_s).returning(BATCHES)
            ).first()
        return Batch(*row) if row else None

    def begin(self, batch: Batch, places: Sequence[Place]) -> bool:
        """All lines of a validated batch, in one transaction; False if it was stopped or taken over meanwhile."""
        with available(), self._engine.begin() as connection:
            change = sa.update(BATCHES).where(self._mine(batch)).values(
                state="in_progress", in_progress_at=datetime.now(UTC), total=len(places), lessee=None, lease_until=0.0
            )  # fmt: skip
            if not connection.execute(change).rowcount:
                return False
            for first in range(0, len(places), _BULK):
                connection.execute(sa.insert(LINES), [_row(batch.id, p) for p in places[first : first + _BULK]])
        return True

    def refuse(self, batch: Batch, errors: list[dict[str, Any]]) -> None:
        """The input file is no good: the batch has failed before it began."""
        ended = {"state": "failed", "errors": errors, "ended_at": datetime.now(UTC), "lessee": None}
        self._changed(sa.update(BATCHES).where(self._mine(batch)).values(ended))

    def finish(self, batch: Batch, files: dict[str, StoredFile], publish: Any) -> bool:
        """The end: name the result files (``output_file_id``, ``error_file_id``), show them, forget the lines."""
        with available(), self._engine.begin() as connection:
            change = sa.update(BATCHES).where(self._mine(batch)).values(
                state=batch.ending, ended_at=datetime.now(UTC), lessee=None,
                **{name: file.id for name, file in files.items()},
            )  # fmt: skip
            if not connection.execute(change).rowcount:
                return False
            for file in files.values():
                publish(file, connection)
            connection.execute(sa.delete(LINES).where(_L.batch_id == batch.id))
        return True

    def forget(self, before: datetime) -> None:
        """Delete what is left of batches that ended long ago."""
        with available(), self._engine.begin() as connection:
            connection.execute(sa.delete(BATCHES).where(_B.state.in_(ENDED), _B.ended_at < before))

    def _mine(self, batch: Batch) -> sa.ColumnElement[bool]:
        return (_B.id == batch.id) & (_B.state == batch.state) & (_B.lessee == self._me)

    # -- lines --------------------------------------------------------------------------------------------------------

    def take_lines(self, most: int) -> list[Taken]:
        """Up to ``most`` free lines, under a lease; every batch gets its turn, the least advanced first."""
        with available(), self._engine.begin() as connection:
            clock = self._clock(connection)
            runs = (_B.state == "in_progress") & (_B.paused_until <= clock) & (_B.expires_at > datetime.now(UTC))
            free = (_L.state == "open") & (_L.lease_until <= clock)
            chosen = (
                sa.select(_L.batch_id, _L.number)
                .join(BATCHES, _B.id == _L.batch_id)
                .where(runs, free)
                .order_by(_L.number, _L.batch_id)
                .limit(most)
                .with_for_update(of=LINES, skip_locked=True)
            )
            lines = connection.execute(chosen).all()
            return [line for row in lines if (line := self._take(connection, free, clock, *row))]

    def _take(
        self, connection: sa.Connection, free: sa.ColumnElement[bool], clock: float, batch_id: str, number: int
    ) -> Taken | None:
        take = sa.update(LINES).where(_L.batch_id == batch_id, _L.number == number, free)
        values = {"lessee": self._me, "lease_until": clock + self._lease_s, "attempts": _L.attempts + 1}
        columns = (_L.batch_id, _L.number, _L.start, _L.length, _L.attempts)
        row = connection.execute(take.values(values).returning(*columns)).first()
        return Taken(*row) if row else None

    def renew(self, batch: Batch | None, lines: Iterable[Taken]) -> None:
        """Hold on to what is being worked on."""
        with available(), self._engine.begin() as connection:
            until = self._clock(connection) + self._lease_s
            if batch is not None:
                connection.execute(sa.update(BATCHES).where(self._mine(batch)).values(lease_until=until))
            for line in lines:
                connection.execute(sa.update(LINES).where(self._held(line)).values(lease_until=until))

    def answer(self, line: Taken, answer: Answered) -> bool:
        """Store a line's result and count it; False if the line is no longer ours."""
        with available(), self._engine.begin() as connection:
            done = {"state": "ok" if answer.ok else "failed", "result": answer.sealed, "lessee": None}
            if not connection.execute(sa.update(LINES).where(self._held(line)).values(done)).rowcount:
                return False
            count = {"completed": _B.completed + 1} if answer.ok else {"failed": _B.failed + 1}
            tokens = {
                "prompt_tokens": _B.prompt_tokens + answer.prompt_tokens,
                "completion_tokens": _B.completion_tokens + answer.completion_tokens,
            }
            connection.execute(sa.update(BATCHES).where(_B.id == line.batch_id).values({**count, **tokens}))
        return True

    def put_back(self, line: Taken, wait_s: float, *, pause: bool = False, counts: bool = False) -> None:
        """Let go of a line, to be begun again in ``wait_s``.

        ``pause``: and no line of its batch before; ``counts``: this was one of its tries.
        """
        with available(), self._engine.begin() as connection:
            until = self._clock(connection) + wait_s
            attempts = line.attempts if counts else line.attempts - 1
            free = {"lessee": None, "lease_until": until if wait_s else 0.0, "attempts": attempts}
            connection.execute(sa.update(LINES).where(self._held(line)).values(free))
            if pause:
                connection.execute(sa.update(BATCHES).where(_B.id == line.batch_id).values(paused_until=until))

    def results(self, batch: Batch, state: str, seal: Seal) -> Iterator[bytes]:
        """The results of the lines of one state (ok, failed), in order."""
        after = 0
        query = sa.select(_L.number, _L.result).where(_L.batch_id == batch.id, _L.state == state).order_by(_L.number)
        while True:
            with available(), self._engine.connect() as connection:
                rows = connection.execute(query.where(_L.number > after).limit(200)).all()
            if not rows:
                return
            for number, result in rows:
                yield seal.open(result, number)
                after = number

    def unfinished(self, batch: Batch) -> list[Place]:
        """The places of the lines without a result."""
        columns = (_L.number, _L.start, _L.length)
        query = sa.select(*columns).where(_L.batch_id == batch.id, _L.state == "open").order_by(_L.number)
        with available(), self._engine.connect() as connection:
            return [Place(*row) for row in connection.execute(query)]

    def _held(self, line: Taken) -> sa.ColumnElement[bool]:
        """Ours, and of this attempt: another process, or a later attempt of this one, may have taken it over."""
        ours = (_L.lessee == self._me) & (_L.attempts == line.attempts) & (_L.state == "open")
        return (_L.batch_id == line.batch_id) & (_L.number == line.number) & ours

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _changed(self, statement: sa.Update) -> bool:
        with available(), self._engine.begin() as connection:
            return bool(connection.execute(statement).rowcount)

    @staticmethod
    def _clock(connection: sa.Connection) -> float:
        if connection.dialect.name != "postgresql":
            return time.time()
        return float(connection.execute(sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()))).scalar_one())


def _row(batch_id: str, place: Place) -> dict[str, Any]:
    named = {"number": place.number, "start": place.start, "length": place.length}
    return {"batch_id": batch_id, **named, "state": "open", "attempts": 0, "lessee": None, "lease_until": 0.0}
