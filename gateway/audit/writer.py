"""One writer of one chain: numbers, hashes, encrypts and stores entries; keeps its signed head beside the database.

A writer is a slot (``<home id>-gateway-0``) held by a file lock, so two processes never extend the same chain. The head
file lies outside the database: rows cut from the end of a chain are missed by the head (see ``verify``).
"""

from __future__ import annotations

import fcntl
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.audit.chain import GENESIS, canonical, embedded, link
from gateway.audit.clock import EntryClock
from gateway.audit.crypto import Signer, Vault
from gateway.audit.heads import Heads, head_message, home_id
from gateway.audit.record import Attempt, Intent, Outcome
from gateway.audit.store import AuditStore, Row, StoreUnavailable
from gateway.audit.tables import searched
from gateway.ledger import rows as ledger_rows
from gateway.ledger.entry import Entry
from kakehashi.errors import ConfigError, IntegrityError
from kakehashi.paths import Home

__all__ = ["Draft", "Heads", "Writer", "draft", "head_message"]
CHECKPOINT_EVERY = 1000
VERSION = 2  # of an entry; 1: written before times were checked and columns searched
_CIPHERS = 256  # data keys kept unwrapped
_KINDS = {Intent: "intent", Outcome: "outcome", Attempt: "attempt"}
_NOT_DATA = ("body", "request_id", "ledger")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has its number: kind, request id, tenant (for the data key), data and body in clear.

    ``ledger``: the half of the ledger's row that is stored with it.
    """

    kind: str
    request_id: str
    tenant: str
    data: dict[str, Any]
    body: bytes = b""
    encoded: bytes = b""  # canonical data, where the caller has made it already
    ledger: tuple[Entry, ...] = ()


def draft(record: Intent | Attempt | Outcome, tenant: str = "") -> Draft:
    """The draft of a record. The tenant of an outcome or attempt is that of its intent."""
    # Not dataclasses.asdict: its deep copies cost more than the rest of the record.
    data = {name: getattr(record, name) for name in record.__slots__ if name not in _NOT_DATA}
    for name in ("latency_ms", "ttft_ms"):
        if data.get(name) is not None:
            data[name] = round(data[name], 3)
    body = b"" if isinstance(record, Attempt) else record.body
    tenant = tenant or getattr(record, "team", "")
    # Encoded here, in the caller's hands: data that cannot be encoded fails for itself, not for a whole batch.
    return Draft(_KINDS[type(record)], record.request_id, tenant, data, body, canonical(data), record.ledger)


class Writer:
    """Extends one chain. Not thread-safe: its owner calls it from one thread at a time (:meth:`write_head` apart).

    ``heads_by_owner``: the owner calls :meth:`write_head` itself, soon after each append; else each append does.
    """

    def __init__(
        self,
        store: AuditStore,
        home: Home,
        role: str,
        *,
        keep_bodies: bool = True,
        heads_by_owner: bool = False,
        clock: EntryClock | None = None,
    ) -> None:
        self.store, self._keep_bodies, self._heads_by_owner = store, keep_bodies, heads_by_owner
        self.folder = home.root / "audit"
        self.signer, self.vault = Signer.open(home.secrets), Vault.open(home.secrets)
        self._check_master_key()
        self.heads = Heads(self.folder, self.signer)
        self._clock = clock or EntryClock()
        self._ciphers: dict[str, tuple[str, AESGCM]] = {}
        self._lock: IO[str] | None = None
        self._doubtful: Row | None = None
        self._heading = threading.Lock()
        self.name = ""
        self.head: tuple[int, str] = (0, GENESIS)
        self._take_slot(role)

    def _check_master_key(self) -> None:
        """Raises ConfigError when the database's keys were wrapped by another installation's master key."""
        found = self.store.some_data_key()
        if found is None:
            return
        try:
            self.vault.cipher(*found)
        except IntegrityError:
            raise ConfigError(
                "secrets/audit-master.key is not the one that this database's audit keys were made with.",
                hint="Gateways that share a database share the secrets folder: copy it from the first one.",
            ) from None

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
            if not self._whole(name, last, heads.get(name)):
                lock.close()
                continue
            self.name, self._lock = name, lock
            if last:
                self.head = (last.seq, last.hash)
                self._clock.start_after(last.time)
            else:
                self._begin(heads)
            return
        raise StoreUnavailable("No free audit writer slot.")

    def _whole(self, name: str, last: Row | None, head: dict[str, Any] | None) -> bool:
        """Whether a chain reaches its head and agrees with it."""
        if head is None:
            return True
        seq = int(head.get("seq", 0))
        if last is None or last.seq < seq:
            return False
        at_head = last if last.seq == seq else self.store.entry(name, seq)
        return at_head is None or at_head.hash == head.get("hash")

    def _begin(self, heads: dict[str, dict[str, Any]]) -> None:
        """The first entry names every other chain's head, so that a whole chain cannot vanish unnoticed."""
        known = {name: [head.get("seq", 0), head.get("hash", "")] for name, head in heads.items()}
        self.append([Draft("begin", "", "", {"signing_key": self.signer.public_hex, "heads": known})])

    def append(self, drafts: Sequence[Draft]) -> None:
        """Store the drafts durably, in order, in one transaction. On StoreUnavailable the chain is as before."""
        self._settle_doubt()
        moment, jump = self._clock.now()
        if jump:
            drafts = [Draft("clock", "", "", {"from": jump[0], "to": jump[1]}), *drafts]
        (start, digest), rows = self.head, []
        for seq, item in enumerate(drafts, start + 1):
            row = self._row(item, seq, moment, digest)
            digest = row.hash
            rows.append(row)
        checkpoint = None
        end = start + len(rows)
        if end // CHECKPOINT_EVERY > start // CHECKPOINT_EVERY:
            checkpoint = (self.name, end, digest, self.signer.sign(head_message(self.name, end, digest)))
        entries = [entry for item in drafts for entry in item.ledger]
        also = partial(ledger_rows.write, entries=entries, writer=self.name) if entries else None
        try:
            self.store.append(rows, checkpoint, also)
        except StoreUnavailable:
            self._doubtful = rows[-1]
            raise
        self.head = (end, digest)
        if not self._heads_by_owner:
            self.write_head()

    def _settle_doubt(self) -> None:
        """After a failure: the connection may have broken between the commit and its confirmation.

        Then the entries are stored, and the chain goes on after them, although their requests were refused.
        """
        if self._doubtful is None:
            return
        last, doubtful = self.store.last(self.name), self._doubtful
        if last is not None and (last.seq, last.hash) == (doubtful.seq, doubtful.hash):
            self.head = (last.seq, last.hash)
        elif (last.seq if last else 0) != self.head[0]:
            raise StoreUnavailable(
                f"The audit chain {self.name} was changed by somebody else.",
                hint="Give each gateway an audit folder of its own; then run `kakehashi audit verify`.",
            )
        self._doubtful = None

    def write_head(self) -> None:
        """Write the head as it is now. May be called from another thread than :meth:`append`, and from several at once:
        a head never replaces a later one. Raises OSError."""
        with self._heading:
            self.heads.write(self.name, *self.head)

    def _row(self, item: Draft, seq: int, moment: str, previous: str) -> Row:
        blob, described = self._encrypt(item, moment[:10], f"{self.name}:{seq}")
        entry = canonical(
            {
                "v": VERSION,
                "writer": self.name,
                "seq": seq,
                "time": moment,
                "kind": item.kind,
                "request_id": item.request_id,
                "data": embedded(item.encoded or canonical(item.data)),
                "body": described,
            }
        )
        columns = searched(item.kind, item.data)
        digest = link(previous, entry)
        return Row(self.name, seq, item.request_id, moment, item.kind, entry.decode(), digest, blob, columns)

    def _encrypt(self, item: Draft, day: str, bound_to: str) -> tuple[bytes | None, dict[str, Any] | None]:
        if not (item.body and self._keep_bodies):
            return None, None
        wanted = f"{item.tenant or '-'}/{day}"
        found = self._ciphers.get(wanted)
        if found is None:
            found = self._data_key(wanted, day)
            self._ciphers = {wanted: found, **dict(list(self._ciphers.items())[: _CIPHERS - 1])}
        key_id, cipher = found
        blob = self.vault.encrypt(cipher, item.body, bound_to)
        return blob, {"key": key_id, "sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(item.body)}

    def _data_key(self, wanted: str, day: str) -> tuple[str, AESGCM]:
        """The data key of a tenant's day. After one was erased (the clock went back), the day gets another: ``…#2``."""
        for number in range(1, 100):
            key_id = wanted if number == 1 else f"{wanted}#{number}"
            known, wrapped = self.store.data_key(key_id)
            if not known:
                self.store.add_data_key(key_id, day, self.vault.new_key(key_id))
                _, wrapped = self.store.data_key(key_id)
            if wrapped is not None:
                try:
                    return key_id, self.vault.cipher(key_id, wrapped)
                except IntegrityError as error:
                    raise StoreUnavailable(error.message) from error
        raise StoreUnavailable(f"The data keys of {wanted} were erased again and again.")

    def close(self) -> None:
        """Write the head, and let go of the slot."""
        self.store.let_go()
        if self._lock:
            try:
                self.write_head()
            finally:
                self._lock.close()
                self._lock = None
