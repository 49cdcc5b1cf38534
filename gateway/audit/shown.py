"""Records as people and other systems see them: a request as one dictionary, an entry as one flat one, a body in clear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.audit.crypto import Vault
from gateway.audit.store import AuditStore, Row


def data_of(row: Row) -> dict[str, Any]:
    """What was recorded. An entry that cannot be read is empty: ``verify`` names it."""
    try:
        entry = orjson.loads(row.entry)
    except orjson.JSONDecodeError:
        return {}
    data = entry.get("data") if isinstance(entry, dict) else None
    return data if isinstance(data, dict) else {}


def flat(row: Row) -> dict[str, Any]:
    """One entry as a flat dictionary, for export and for people."""
    head = {"time": row.time, "kind": row.kind, "request_id": row.request_id}
    return {**head, **data_of(row), "writer": row.writer, "seq": row.seq, "hash": row.hash}


def request(rows: Sequence[Row]) -> dict[str, Any]:
    """One result of a search: an intent with its attempts and its outcome (``state`` open until there is one), or
    another act by itself."""
    first, parts = rows[0], rows[1:]
    shown = flat(first)
    if first.kind != "intent":
        return {**shown, "data": data_of(first)}
    outcomes = [row for row in parts if row.kind == "outcome"]
    shown |= {"kind": "request", "state": "done" if outcomes else "open"}
    for row in outcomes[-1:]:
        data = data_of(row)
        shown |= {**data, "ended": row.time, "rules": sorted({d["rule"] for d in data.get("decisions", [])})}
    shown["repeated"] = [data_of(row) for row in parts if row.kind == "attempt"]
    return shown


def read_body(store: AuditStore, vault: Vault, row: Row) -> bytes | None:
    """The decrypted body of a row; None when it has none or its key was erased. Raises IntegrityError."""
    described = orjson.loads(row.entry)["body"]
    if described is None or row.body is None:
        return None
    _, wrapped = store.data_key(described["key"])
    if wrapped is None:
        return None
    return vault.decrypt(vault.cipher(described["key"], wrapped), row.body, f"{row.writer}:{row.seq}")
