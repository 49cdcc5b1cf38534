"""Checks every chain: nothing changed, removed, reordered, cut off at the end, or swapped. Reads only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.audit.chain import GENESIS, link
from gateway.audit.crypto import Signer
from gateway.audit.store import AuditStore, Row
from gateway.audit.writer import head_message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not verify: which writer, which number, what."""

    writer: str
    seq: int
    what: str


@dataclass
class Report:
    """``entries`` counted over all writers; ``open_requests`` have an intent but no outcome (killed mid-request)."""

    entries: int = 0
    writers: list[str] = field(default_factory=list)
    open_requests: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(store: AuditStore, heads: dict[str, dict[str, Any]], signer: Signer) -> Report:
    """Verify every chain in the store against its links, its checkpoints and the heads kept outside the database."""
    report = Report(writers=store.writers())
    hashes: dict[str, dict[int, str]] = {}
    begins: dict[str, dict[str, list[Any]]] = {}
    waiting: dict[str, None] = {}
    for writer in report.writers:
        chain: dict[int, str] = {}
        for problem in _chain(store, writer, report, waiting, chain, begins):
            report.problems.append(problem)
        hashes[writer] = chain
        for seq, digest, signature in store.checkpoints(writer):
            if not signer.verifies(head_message(writer, seq, digest), signature):
                report.problems.append(Problem(writer, seq, "checkpoint signature is wrong"))
            elif chain.get(seq) != digest:
                report.problems.append(Problem(writer, seq, "entry differs from the signed checkpoint"))
    report.problems += _heads(hashes, heads, signer)
    report.problems += _vanished(hashes, begins)
    report.open_requests = list(waiting)
    return report


def _chain(
    store: AuditStore,
    writer: str,
    report: Report,
    waiting: dict[str, None],
    chain: dict[int, str],
    begins: dict[str, dict[str, list[Any]]],
) -> Iterable[Problem]:
    """Walk one chain, yielding its problems and filling ``chain`` (number → hash) on the way."""
    previous, expected = GENESIS, 1
    for row in store.rows(writer):
        report.entries += 1
        if row.seq != expected:
            yield Problem(writer, expected, f"entries {expected} to {row.seq - 1} are missing")
        elif link(previous, row.entry.encode()) != row.hash:
            yield Problem(writer, row.seq, "entry does not fit its hash: changed or reordered")
        entry = _parse(row.entry)
        yield from (Problem(writer, row.seq, what) for what in _row_problems(row, entry, store))
        if row.kind == "begin":
            begins[writer] = entry.get("data", {}).get("heads", {})
        elif row.kind == "intent":
            waiting[row.request_id] = None
        elif row.kind == "outcome":
            waiting.pop(row.request_id, None)
        chain[row.seq] = row.hash
        previous, expected = row.hash, row.seq + 1


def _parse(entry: str) -> dict[str, Any]:
    """The entry as a dictionary; an unreadable one is empty, so that each of its columns counts as changed."""
    try:
        parsed = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _row_problems(row: Row, entry: dict[str, Any], store: AuditStore) -> Iterable[str]:
    for name in ("writer", "seq", "request_id", "time", "kind"):
        if entry.get(name) != getattr(row, name):
            yield f"column {name} differs from the signed entry"
    described = entry.get("body")
    if described is None:
        if row.body is not None:
            yield "a body was added"
    elif not isinstance(described, dict):
        yield "the description of the body was changed"
    elif row.body is None:
        known, wrapped = store.data_key(str(described.get("key")))
        if not known or wrapped is not None:
            yield "the body was removed without its key having been erased"
    elif hashlib.sha256(row.body).hexdigest() != described.get("sha256"):
        yield "the encrypted body was changed"


def _heads(hashes: dict[str, dict[int, str]], heads: dict[str, dict[str, Any]], signer: Signer) -> Iterable[Problem]:
    """The heads outside the database: a chain that ends before its head has lost its end."""
    for writer, head in heads.items():
        seq, digest = int(head.get("seq", 0)), str(head.get("hash", ""))
        if not signer.verifies(head_message(writer, seq, digest), str(head.get("signature", ""))):
            yield Problem(writer, seq, "head file was changed")
            continue
        chain = hashes.get(writer, {})
        if seq not in chain:
            last = max(chain, default=0)
            yield Problem(writer, last + 1, f"entries {last + 1} to {seq} were cut off the end")
        elif chain[seq] != digest:
            yield Problem(writer, seq, "entry differs from the signed head")


def _vanished(hashes: dict[str, dict[int, str]], begins: dict[str, dict[str, list[Any]]]) -> Iterable[Problem]:
    """Chains named by the first entry of another chain must still be there, at least that long, with that hash."""
    for named_by, heads in begins.items():
        for writer, (seq, digest) in heads.items():
            if seq and hashes.get(writer, {}).get(seq) != digest:
                yield Problem(writer, seq, f"entry named in the first entry of {named_by} is missing or differs")
