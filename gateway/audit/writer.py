"""One writer of one chain: numbers, hashes, encrypts and stores entries; keeps its signed head beside the database.

A writer is a slot (``<home id>-gateway-0``) held by a file lock, so two processes never extend the same chain. The head
file lies outside the database: rows cut from the end of a chain are missed by the head (see ``verify``).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from gateway.audit.chain import GENESIS, canonical, link
from gateway.audit.crypto import Signer, Vault
from gateway.audit.record import Intent, Outcome
from gateway.audit.store import AuditStore, Row, StoreUnavailable
from kakehashi.paths import Home

CHECKPOINT_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its number: kind, request id, tenant (for the data key), data and body in clear."""

    kind: str
    request_id: str
    tenant: str
    data: dict[str, Any]
    body: bytes = b""


def draft(record: Intent | Outcome, tenant: str = "") -> Draft:
    """The draft of an intent or outcome. An outcome's tenant is that of its intent."""
    # Not dataclasses.asdict: its deep copies cost more than the rest of the record.
    data = {name: getattr(record, name) for name in record.__slots__ if name not in ("body", "request_id")}
    for name in ("latency_ms", "ttft_ms"):
        if data.get(name) is not None:
            data[name] = round(data[name], 3)
    kind = "intent" if isinstance(record, Intent) else "outcome"
    return Draft(kind, record.request_id, tenant or getattr(record, "team", ""), data, record.body)


def head_message(writer: str, seq: int, digest: str) -> bytes:
    """What a head's or checkpoint's signature covers."""
    return f"kakehashi audit head\n{writer}\n{seq}\n{digest}".encode()


class Heads:
    """The signed heads of this installation's chains: one small file each under ``$KAKEHASHI_HOME/audit/``."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder, self._signer = folder, signer

    def write(self, writer: str, seq: int, digest: str) -> None:
        signature = self._signer.sign(head_message(writer, seq, digest))
        temporary = self.folder / f".{writer}.tmp"
        temporary.write_text(json.dumps({"writer": writer, "seq": seq, "hash": digest, "signature": signature}))
        temporary.replace(self.folder / f"{writer}.head")

    def read(self) -> dict[str, dict[str, Any]]:
        """All heads by writer; an unreadable head is given as an empty one, which verifies as changed."""
        found = {}
        for path in sorted(self.folder.glob("*.head")):
            try:
                found[path.stem] = dict(json.loads(path.read_text()))
            except (json.JSONDecodeError, ValueError):
                found[path.stem] = {}
        return found


def home_id(folder: Path) -> str:
    """A random name of this installation, so that chains of several machines in one database never share a name."""
    path = folder / "id"
    if not path.exists():
        temporary = folder / f".id.{os.getpid()}"
        temporary.write_text(secrets.token_hex(4))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()


class Writer:
    """Extends one chain. Not thread-safe: its owner calls it from one thread at a time."""

    def __init__(self, store: AuditStore, home: Home, role: str, *, keep_bodies: bool = True) -> None:
        self.store, self._keep_bodies = store, keep_bodies
        self.folder = home.root / "audit"
        self.signer, self.vault = Signer.open(home.secrets), Vault.open(home.secrets)
        self.heads = Heads(self.folder, self.signer)
        self._ciphers: dict[str, Any] = {}
        self._lock: IO[str] | None = None
        self.name = ""
        self._seq, self._hash = 0, GENESIS
        self._take_slot(role)

    def _take_slot(self, role: str) -> None:
        """Lock the first free chain of this role that is whole; a chain whose end is missing is left as evidence."""
        prefix, heads = home_id(self.folder), self.heads.read()
        for number in range(10_000):
            name = f"{prefix}-{role}-{number}"
            lock = (self.folder / f"{name}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            last = self.store.last(name)
            head = heads.get(name)
            if head is not None and (last is None or last.seq < int(head.get("seq", 0))):
                lock.close()
                continue
            self.name, self._lock = name, lock
            if last:
                self._seq, self._hash = last.seq, last.hash
            else:
                self._begin(heads)
            return
        raise StoreUnavailable("No free audit writer slot.")

    def _begin(self, heads: dict[str, dict[str, Any]]) -> None:
        """The first entry names every other chain's head, so that a whole chain cannot vanish unnoticed."""
        known = {name: [head.get("seq", 0), head.get("hash", "")] for name, head in heads.items()}
        self.append([Draft("begin", "", "", {"signing_key": self.signer.public_hex, "heads": known})])

    def append(self, drafts: list[Draft]) -> None:
        """Store the drafts durably, in order, in one transaction. On StoreUnavailable the chain is as before."""
        seq, digest, rows = self._seq, self._hash, []
        for item in drafts:
            seq += 1
            row = self._row(item, seq, digest)
            digest = row.hash
            rows.append(row)
        checkpoint = None
        if seq // CHECKPOINT_EVERY > self._seq // CHECKPOINT_EVERY:
            checkpoint = (self.name, seq, digest, self.signer.sign(head_message(self.name, seq, digest)))
        self.store.append(rows, checkpoint)
        self._seq, self._hash = seq, digest
        self.heads.write(self.name, seq, digest)

    def _row(self, item: Draft, seq: int, previous: str) -> Row:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        blob, described = self._encrypt(item, now[:10], f"{self.name}:{seq}")
        entry = canonical(
            {
                "v": 1,
                "writer": self.name,
                "seq": seq,
                "time": now,
                "kind": item.kind,
                "request_id": item.request_id,
                "data": item.data,
                "body": described,
            }
        )
        return Row(self.name, seq, item.request_id, now, item.kind, entry.decode(), link(previous, entry), blob)

    def _encrypt(self, item: Draft, day: str, bound_to: str) -> tuple[bytes | None, dict[str, Any] | None]:
        if not (item.body and self._keep_bodies):
            return None, None
        key_id = f"{item.tenant or '-'}/{day}"
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            known, wrapped = self.store.data_key(key_id)
            if not known:
                self.store.add_data_key(key_id, day, self.vault.new_key(key_id))
                _, wrapped = self.store.data_key(key_id)
            if wrapped is None:
                raise StoreUnavailable(f"The data key {key_id} was erased; no body can be stored under it.")
            cipher = self.vault.cipher(key_id, wrapped)
            self._ciphers = {key_id: cipher, **dict(list(self._ciphers.items())[:255])}
        blob = self.vault.encrypt(cipher, item.body, bound_to)
        return blob, {"key": key_id, "sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(item.body)}

    def close(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None
