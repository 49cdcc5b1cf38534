"""Files in the database, in encrypted chunks. Synchronous: called in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from gateway.audit.crypto import Vault
from gateway.batches.model import ENDED, StoredFile, new_id
from gateway.batches.sealed import Seal
from gateway.batches.tables import BATCHES, CHUNKS, FILES
from gateway.errors import NotFound
from gateway.storage.database import available

CHUNK = 256 * 1024  # bytes of a chunk before it is encrypted
STALE_UPLOAD = timedelta(hours=2)  # an upload that has not ended by then never will


class FileStore:
    """Write, find, read and delete files. Everything but the runner's own work names an owner."""

    def __init__(self, engine: sa.Engine, vault: Vault) -> None:
        self._engine, self._vault = engine, vault

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(
        self, owner: str, key_id: str, filename: str, purpose: str, parts: Iterable[bytes], lifetime: timedelta
    ) -> StoredFile:
        """Store a whole file; nobody sees it before :meth:`publish`. Raises Unavailable."""
        now, file_id = datetime.now(UTC), new_id("file-")
        wrapped = self._vault.new_key(file_id)
        file = StoredFile(file_id, owner, key_id, filename[:255], purpose, 0, "uploading", now, now + lifetime, wrapped)
        with available(), self._engine.begin() as connection:
            connection.execute(sa.insert(FILES), [{name: getattr(file, name) for name in StoredFile.__slots__}])
        seal, size = Seal(self._vault, file_id, wrapped), 0
        for seq, chunk in enumerate(_chunks(parts)):
            size += len(chunk)
            row = {"file_id": file_id, "seq": seq, "blob": seal.seal(chunk, seq)}
            with available(), self._engine.begin() as connection:
                connection.execute(sa.insert(CHUNKS), [row])
        return replace(file, size=size)

    def publish(self, file: StoredFile, connection: sa.Connection | None = None) -> StoredFile:
        """Make a written file visible, alone or together with something else in one transaction."""
        change = sa.update(FILES).where(FILES.c.id == file.id).values(state="ready", size=file.size)
        if connection is not None:
            connection.execute(change)
        else:
            with available(), self._engine.begin() as own:
                own.execute(change)
        return replace(file, state="ready")

    def delete(self, file_ids: Iterable[str]) -> None:
        """Delete files with their keys and contents, for good."""
        with available(), self._engine.begin() as connection:
            for file_id in file_ids:
                connection.execute(sa.delete(CHUNKS).where(CHUNKS.c.file_id == file_id))
                connection.execute(sa.delete(FILES).where(FILES.c.id == file_id))

    def outdated(self, now: datetime) -> list[str]:
        """Files whose time is over, and uploads that broke off."""
        broken = (FILES.c.state == "uploading") & (FILES.c.created_at < now - STALE_UPLOAD)
        read = sa.exists().where(BATCHES.c.input_file_id == FILES.c.id, BATCHES.c.state.not_in(ENDED))
        query = sa.select(FILES.c.id).where((FILES.c.expires_at <= now) & ~read | broken).order_by(FILES.c.id)
        with available(), self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    # -- reading ------------------------------------------------------------------------------------------------------

    def get(self, file_id: str, owner: str) -> StoredFile:
        """A file of this owner. Raises NotFound, for another owner's file and an expired one too."""
        file = self.get_for_batch(file_id)
        if file.owner != owner or file.expires_at <= datetime.now(UTC):
            raise _missing(file_id)
        return file

    def get_for_batch(self, file_id: str) -> StoredFile:
        """A file of anybody, for the runner, whose batch has an owner. Raises NotFound."""
        with available(), self._engine.connect() as connection:
            row = connection.execute(sa.select(FILES).where(FILES.c.id == file_id, FILES.c.state == "ready")).first()
        if row is None:
            raise _missing(file_id)
        return StoredFile(*row)

    def page(
        self, owner: str, *, purpose: str | None, after: str | None, limit: int, descending: bool
    ) -> list[StoredFile]:
        """The owner's files in the order of their making, from behind ``after``."""
        order = FILES.c.id.desc() if descending else FILES.c.id
        query = sa.select(FILES).where(FILES.c.owner == owner, FILES.c.state == "ready").order_by(order).limit(limit)
        query = query.where(FILES.c.expires_at > datetime.now(UTC))
        if purpose:
            query = query.where(FILES.c.purpose == purpose)
        if after:
            query = query.where(FILES.c.id < after if descending else FILES.c.id > after)
        with available(), self._engine.connect() as connection:
            return [StoredFile(*row) for row in connection.execute(query)]

    def read(self, file: StoredFile) -> Iterator[bytes]:
        """The content, a chunk at a time. Raises IntegrityError for a chunk that was changed."""
        return self._read(file, 0, (file.size + CHUNK - 1) // CHUNK)

    def read_range(self, file: StoredFile, start: int, length: int) -> bytes:
        """``length`` bytes from ``start``."""
        first, last = start // CHUNK, (start + max(length, 1) - 1) // CHUNK + 1
        content = b"".join(self._read(file, first, last))
        return content[start - first * CHUNK :][:length]

    def _read(self, file: StoredFile, first: int, last: int) -> Iterator[bytes]:
        seal = Seal(self._vault, file.id, file.wrapped)
        for seq in range(first, last):
            query = sa.select(CHUNKS.c.blob).where(CHUNKS.c.file_id == file.id, CHUNKS.c.seq == seq)
            with available(), self._engine.connect() as connection:
                blob = connection.execute(query).scalar()
            if blob is None:
                raise _missing(file.id)
            yield seal.open(blob, seq)


def _missing(file_id: str) -> NotFound:
    return NotFound(f"No such file: {file_id[:80]}", code="file_not_found", param="file_id")


def _chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of :data:`CHUNK`, the last one shorter."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
    if held:
        yield bytes(held)
