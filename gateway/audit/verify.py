"""Checks every chain: nothing changed, removed, reordered, cut off at the end, rolled back or swapped. Reads only.

A chain is walked in parts, several at a time in processes of their own when there is much; each part begins with the
stored hash of the entry before it, which the part before it checks. Memory holds references (signed heads, checkpoints,
anchors), never entries.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Protocol

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gateway.audit.anchors import Checkpoint
from gateway.audit.chain import GENESIS
from gateway.audit.heads import head_message
from gateway.audit.retention import seal_message
from gateway.audit.store import AuditStore, open_engine
from gateway.audit.tables import ENTRIES, KEYS, SEALS
from gateway.audit.walk import COLUMNS, Circumstances, Expected, Part, Problem, Walked, walk

__all__ = ["Problem", "Report", "verify"]
PART = 50_000  # entries
PARALLEL_FROM = 500_000  # entries; below, starting processes takes longer than it saves
_FETCH = 2000


class Trust(Protocol):
    """Whoever knows which signatures to trust (``crypto.Signer``, ``crypto.Verifier``)."""

    def verifies(self, message: bytes, signature: str) -> bool: ...


@dataclass
class Report:
    """``entries`` counted over all writers; ``open_requests`` have an intent but no outcome (killed mid-request);
    ``sealed``: the last entry that retention removed, by writer; ``references``: signed heads, checkpoints and anchors
    that were compared; ``bytes``: of entries and bodies that were hashed."""

    entries: int = 0
    writers: list[str] = field(default_factory=list)
    open_requests: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sealed: dict[str, int] = field(default_factory=dict)
    references: int = 0
    bytes: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    def public(self) -> dict[str, Any]:
        """As JSON for other programs."""
        return {
            "ok": self.ok,
            "entries": self.entries,
            "writers": self.writers,
            "open_requests": self.open_requests,
            "problems": [{"writer": p.writer, "seq": p.seq, "what": p.what} for p in self.problems],
            "sealed": self.sealed,
            "references": self.references,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class Options:
    """``since``: check only entries from this time on (as stored); ``writer``: only this chain; ``jobs``: processes at
    most (1: none of their own); ``progress`` is told how many entries were walked."""

    since: str = ""
    writer: str = ""
    jobs: int = 0
    progress: Callable[[int], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class _Task:
    """A part to walk, with what the walk needs to know: small, so that it can be sent to another process."""

    part: Part
    expected: dict[int, list[Expected]]
    erased: frozenset[int]


class _Chain:
    """What is known of one chain before it is walked."""

    def __init__(self, writer: str, first: int, last: int) -> None:
        self.writer, self.first, self.last = writer, first, last
        self.start, self.previous = 1, GENESIS  # where the walk begins, and the hash before
        self.sealed: tuple[int, str] | None = None
        self.expected: dict[int, list[Expected]] = defaultdict(list)

    def demand(self, seq: int, demand: Expected) -> Iterator[Problem]:
        """Ask for an entry; what can be said of it without a walk is said at once."""
        if self.sealed and seq <= self.sealed[0]:
            if seq == self.sealed[0] and self.sealed[1] != demand.hash:
                yield Problem(self.writer, seq, demand.differs)
        elif seq > self.last:
            yield Problem(self.writer, self.last + 1, demand.missing)
        elif seq >= self.start:
            self.expected[seq].append(demand)


def verify(
    store: AuditStore,
    heads: dict[str, dict[str, Any]],
    trust: Trust,
    anchored: Iterable[Checkpoint] = (),
    options: Options | None = None,
) -> Report:
    """Verify the chains against their links, their seals and checkpoints, the heads kept outside the database, and the
    checkpoints anchored on other systems. Raises StoreUnavailable when the database cannot be read at all."""
    options = options or Options()
    report = Report()
    chains = {writer: _chain(store, writer) for writer in store.writers() if options.writer in ("", writer)}
    report.writers = list(chains)
    report.problems += _seals(store, chains, trust, report)
    for chain in chains.values():
        if chain.first < chain.start:
            report.problems.append(Problem(chain.writer, chain.first, "an entry stands before the chain's beginning"))
        if options.since:
            _skip(store, chain, options.since)
    wanted = [w for w in heads if options.writer in ("", w)]
    report.problems += _heads(chains, {w: heads[w] for w in wanted}, trust, report)
    report.problems += _checkpoints(store, chains, trust, report)
    report.problems += _anchors(chains, (a for a in anchored if options.writer in ("", a.writer)), trust, report)
    if not options.writer:
        report.problems += _named_at_begin(store, chains, report)
    _walk_all(store, chains, options, report)
    report.problems.sort(key=lambda problem: (problem.writer, problem.seq))
    return report


# -- what is known beforehand -----------------------------------------------------------------------------------------


def _chain(store: AuditStore, writer: str) -> _Chain:
    ends = sa.select(sa.func.min(ENTRIES.c.seq), sa.func.max(ENTRIES.c.seq)).where(ENTRIES.c.writer == writer)
    first, last = store.read(lambda connection: connection.execute(ends).one())
    return _Chain(writer, first, last)


def _seals(store: AuditStore, chains: dict[str, _Chain], trust: Trust, report: Report) -> Iterator[Problem]:
    for found in store.read(lambda connection: connection.execute(sa.select(SEALS)).all()):
        chain = chains.get(found.writer)
        message = seal_message(found.writer, found.seq, found.hash, found.until, found.sealed_at)
        if not trust.verifies(message, found.signature):
            yield Problem(found.writer, found.seq, "the seal over removed entries is not signed by this installation")
        elif chain is None:
            yield Problem(found.writer, found.seq + 1, "the chain after its sealed entries has vanished")
        elif chain.sealed is None or chain.sealed[0] < found.seq:
            chain.sealed, chain.start, chain.previous = (found.seq, found.hash), found.seq + 1, found.hash
            report.sealed[found.writer] = found.seq


def _skip(store: AuditStore, chain: _Chain, since: str) -> None:
    """Begin at the first entry of that time; the hash before it is taken as it is."""
    query = sa.select(sa.func.min(ENTRIES.c.seq)).where(ENTRIES.c.writer == chain.writer, ENTRIES.c.time >= since)
    first = store.read(lambda connection: connection.execute(query).scalar())
    start = first if first is not None else chain.last + 1
    if start > chain.start:
        before = store.entry(chain.writer, start - 1)
        chain.start, chain.previous = start, before.hash if before else ""


def _heads(
    chains: dict[str, _Chain], heads: dict[str, dict[str, Any]], trust: Trust, report: Report
) -> Iterator[Problem]:
    """The heads outside the database: a chain that ends before its head has lost its end."""
    for writer, head in heads.items():
        seq, digest = int(head.get("seq", 0)), str(head.get("hash", ""))
        report.references += 1
        if not trust.verifies(head_message(writer, seq, digest), str(head.get("signature", ""))):
            yield Problem(writer, seq, "head file was changed")
            continue
        chain = chains.get(writer) or _Chain(writer, 0, 0)
        missing = f"entries {chain.last + 1} to {seq} were cut off the end: the signed head names entry {seq}"
        yield from chain.demand(seq, Expected(digest, "entry differs from the signed head", missing))


def _checkpoints(store: AuditStore, chains: dict[str, _Chain], trust: Trust, report: Report) -> Iterator[Problem]:
    for writer, chain in chains.items():
        for seq, digest, signature in store.checkpoints(writer):
            report.references += 1
            if not trust.verifies(head_message(writer, seq, digest), signature):
                yield Problem(writer, seq, "checkpoint signature is wrong")
                continue
            differs = "entry differs from the signed checkpoint"
            yield from chain.demand(seq, Expected(digest, differs, "entries before a signed checkpoint were cut off"))


def _anchors(
    chains: dict[str, _Chain], anchored: Iterable[Checkpoint], trust: Trust, report: Report
) -> Iterator[Problem]:
    """Checkpoints on other systems: they also see a database that was rolled back together with its head files."""
    behind: dict[tuple[str, str], Checkpoint] = {}
    for mark in anchored:
        report.references += 1
        if not trust.verifies(mark.message(), mark.signature):
            yield Problem(mark.writer, mark.seq, f"a checkpoint in {mark.where} is not signed by this installation")
            continue
        chain = chains.get(mark.writer) or _Chain(mark.writer, 0, 0)
        if mark.seq > chain.last:
            key = (mark.writer, mark.where)
            behind[key] = max(behind.get(key, mark), mark, key=lambda one: one.seq)
            continue
        yield from chain.demand(
            mark.seq, Expected(mark.hash, f"entry differs from the one anchored in {mark.where}", "")
        )
    for (writer, where), mark in behind.items():
        last = chains[writer].last if writer in chains else 0
        yield Problem(
            writer,
            last + 1,
            f"entries {last + 1} to {mark.seq} are missing, although {where} holds entry {mark.seq} of {mark.time}: "
            "the database was rolled back, or cut",
        )


def _named_at_begin(store: AuditStore, chains: dict[str, _Chain], report: Report) -> Iterator[Problem]:
    """Chains named by the first entry of another chain must still be there, at least that long, with that hash."""
    for named_by, chain in chains.items():
        begin = store.entry(named_by, 1) if chain.first == 1 else None
        for writer, (seq, digest) in (_named_heads(begin.entry) if begin else {}).items():
            if not seq:
                continue
            report.references += 1
            said = f"entry named in the first entry of {named_by} is missing or differs"
            if writer not in chains:
                yield Problem(writer, seq, said)
                continue
            yield from (
                Problem(writer, seq, problem.what)
                for problem in chains[writer].demand(seq, Expected(digest, said, said))
            )


def _named_heads(entry: str) -> dict[str, tuple[int, str]]:
    try:
        heads = orjson.loads(entry)["data"]["heads"]
        return {str(writer): (int(seq), str(digest)) for writer, (seq, digest) in heads.items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return {}  # the walk finds that the entry was changed


# -- the walk ---------------------------------------------------------------------------------------------------------


def _walk_all(store: AuditStore, chains: dict[str, _Chain], options: Options, report: Report) -> None:
    erased = _erased(store)
    tasks = [task for chain in chains.values() for task in _tasks(store, chain, erased.get(chain.writer, frozenset()))]
    waiting: dict[str, None] = {}
    with _walker(store, options, sum(task.part.last - task.part.first + 1 for task in tasks)) as walk_parts:
        for done in walk_parts(tasks):
            report.entries += done.entries
            report.bytes += done.bytes
            report.problems += done.problems
            if done.suppressed:
                report.problems.append(Problem("", 0, f"{done.suppressed} more problems in the same part"))
            for request_id in done.closed:
                waiting.pop(request_id, None)
            waiting.update(done.opened)
            options.progress(done.entries)
    report.open_requests = list(waiting)


def _tasks(store: AuditStore, chain: _Chain, erased: frozenset[int]) -> Iterator[_Task]:
    for first in range(chain.start, chain.last + 1, PART):
        last = min(first + PART - 1, chain.last)
        previous: str | None = chain.previous
        if first != chain.start:
            before = store.entry(chain.writer, first - 1)
            previous = before.hash if before else None
        yield _Task(
            Part(chain.writer, first, last, previous),
            {seq: demands for seq, demands in chain.expected.items() if first <= seq <= last},
            frozenset(seq for seq in erased if first <= seq <= last),
        )


def _erased(store: AuditStore) -> dict[str, frozenset[int]]:
    """The entries whose bodies were removed by recorded erasures. Their records are verified with their own chains."""
    query = sa.select(ENTRIES.c.entry).where(ENTRIES.c.kind == "erase", ENTRIES.c.action == "audit.erase")
    query = query.where(ENTRIES.c.action != "")
    found: dict[str, set[int]] = defaultdict(set)
    for (entry,) in store.read(lambda connection: connection.execute(query).all()):
        try:
            for writer, seq in orjson.loads(entry)["data"]["entries"]:
                found[writer].add(seq)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue  # the walk finds that the entry was changed
    return {writer: frozenset(numbers) for writer, numbers in found.items()}


Walk = Callable[[Sequence[_Task]], Iterable[Walked]]


@contextmanager
def _walker(store: AuditStore, options: Options, entries: int) -> Iterator[Walk]:
    """Walks parts here, or in several processes when there is much to do; results in the order of the parts."""
    jobs = options.jobs or min(os.cpu_count() or 1, 4)
    if jobs == 1 or entries < PARALLEL_FROM:
        yield lambda tasks: map(_Reader(store.engine).walk, tasks)
        return
    url = store.engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(jobs, get_context("spawn"), _open_reader, (url,)) as pool:
        yield lambda tasks: pool.map(_walk_here, tasks)


class _Reader:
    """Reads parts through the driver itself: an ORM's rows would cost more than the hashes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._states: dict[str, bool | None] = {}

    def walk(self, task: _Task) -> Walked:
        """Walk a part. A database file that is damaged is a finding, with the place where reading stopped."""
        part = task.part
        around = Circumstances(task.expected, self._key_state, task.erased)
        reached = [part.first - 1]
        try:
            return walk(part, self._rows(part, reached), around)
        except (SQLAlchemyError, self._engine.dialect.dbapi.Error) as error:  # type: ignore[union-attr]
            said = str(getattr(error, "orig", None) or error).splitlines()[0][:120]
            what = f"the database is damaged: entries {reached[0] + 1} to {part.last} cannot be read ({said})"
            done = Walked(problems=[Problem(part.writer, reached[0] + 1, what)])
            if reached[0] >= part.first:  # what lies before the damage is still checked
                before = walk(
                    Part(part.writer, part.first, reached[0], part.previous),
                    self._rows(Part(part.writer, part.first, reached[0], None), [0]),
                    around,
                )
                before.problems += done.problems
                done = before
            return done

    def _rows(self, part: Part, reached: list[int]) -> Iterator[tuple[Any, ...]]:
        names = ", ".join(COLUMNS)
        with self._engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            if self._engine.dialect.name == "sqlite":
                cursor, mark = driver.cursor(), "?"
                cursor.arraysize = _FETCH
            else:
                cursor, mark = driver.cursor(name="audit_verify"), "%s"
                cursor.itersize = _FETCH
            query = f"SELECT {names} FROM audit_entries WHERE writer = {mark} AND seq >= {mark} AND seq <= {mark} ORDER BY seq"  # noqa: S608 - fixed names
            try:
                cursor.execute(query, (part.writer, part.first, part.last))
                for row in cursor:
                    reached[0] = row[0]
                    yield row
            finally:
                cursor.close()

    def _key_state(self, key_id: str) -> bool | None:
        if key_id not in self._states:
            with self._engine.connect() as connection:
                query = sa.select(KEYS.c.wrapped.is_not(None)).where(KEYS.c.id == key_id)
                found = connection.execute(query).first()
            self._states[key_id] = None if found is None else bool(found[0])
        return self._states[key_id]


_reader: _Reader | None = None


def _open_reader(url: str) -> None:
    """In a process of its own: open the database."""
    global _reader  # a process pool has no other place for what each process keeps
    _reader = _Reader(open_engine(url))


def _walk_here(task: _Task) -> Walked:
    assert _reader is not None  # noqa: S101 - the pool's initializer set it
    return _reader.walk(task)
