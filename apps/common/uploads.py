"""Files on their way in: written to disk piece by piece as they arrive, hashed, checked, then moved into a job.

An upload that broke off goes on where it stopped, also after a reload or in a new tab; a recording whose tab was closed
is still here. Nothing is held in memory, and nothing runs on a file before it is complete on disk.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from apps.common.jobs.folder import JobFolder, write_atomic
from apps.common.jobs.model import Upload, now_iso
from kakehashi.errors import BadInput

_ID = re.compile(r"[0-9a-f]{16}")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\u202a-\u202e\u2066-\u2069]')
_LONGEST_NAME = 180  # bytes of UTF-8; file systems take 255
# Left free on the disk when an upload is accepted: the job needs room for its results.
RESERVE_BYTES = 64 << 20


class Incoming(BaseModel):
    """One upload. ``purpose``: what the page wants it for (recording, upload, glossary …)."""

    model_config = ConfigDict(extra="forbid")
    id: str
    owner: str
    name: str
    purpose: str
    size: int | None = Field(None, description="bytes announced; None while recording")
    fingerprint: str = Field("", description="by which the browser finds a broken-off upload of the same file again")
    created: str
    sha256: str = Field("", description="set when complete")


class OffsetMismatch(Exception):
    """The piece does not continue what is on disk; ``offset`` is where to go on."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"continue at {offset}")
        self.offset = offset


def safe_name(name: str) -> str:
    """The user's file name without folders, control characters and what file systems refuse; never empty."""
    last = re.split(r"[/\\]", name)[-1]
    plain = _UNSAFE.sub("_", last).strip(" .") or "file"
    stem, suffix = Path(plain).stem, Path(plain).suffix[:16]
    while len((stem + suffix).encode()) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem + suffix


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Uploads:
    root: Path
    limit_bytes: int

    def begin(self, owner: str, name: str, *, purpose: str, size: int | None = None, fingerprint: str = "") -> Incoming:
        """A new upload, or the broken-off one of the same file. Raises BadInput: empty, too large, disk full."""
        if size is not None:
            self._check_size(name, size)
        for known in self.list(owner):
            if fingerprint and known.fingerprint == fingerprint and known.purpose == purpose and not known.sha256:
                return known
        incoming = Incoming(
            id=secrets.token_hex(8), owner=owner, name=name, purpose=purpose, size=size, fingerprint=fingerprint,
            created=now_iso(),
        )  # fmt: skip
        self.data(incoming).parent.mkdir(mode=0o700, parents=True)
        self.data(incoming).touch()
        self._save(incoming)
        return incoming

    def _check_size(self, name: str, size: int) -> None:
        if size == 0:
            raise BadInput(f"'{name}' is empty (0 bytes).", code="upload_empty", values={"file": name})
        if size > self.limit_bytes:
            raise self._too_large(name)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(self.root).free < size + RESERVE_BYTES:
            raise BadInput(
                f"There is no room on the disk for '{name}'.", code="upload_disk_full", values={"file": name}
            )

    def _too_large(self, name: str) -> BadInput:
        limit = str(self.limit_bytes >> 20)
        return BadInput(
            f"'{name}' is larger than {limit} MiB.", code="upload_too_large", values={"file": name, "limit": limit}
        )

    def get(self, upload_id: str, owner: str) -> Incoming:
        """Raises BadInput (``upload_unknown``), also for somebody else's."""
        file = self.root / upload_id / "upload.json"
        if _ID.fullmatch(upload_id) and file.exists():
            incoming = Incoming.model_validate_json(file.read_bytes())
            if incoming.owner == owner:
                return incoming
        raise BadInput("There is no such upload.", hint="Choose the file again.", code="upload_unknown")

    def list(self, owner: str) -> list[Incoming]:
        found = [Incoming.model_validate_json(f.read_bytes()) for f in self.root.glob("*/upload.json")]
        return sorted((u for u in found if u.owner == owner), key=lambda u: u.created)

    def data(self, incoming: Incoming) -> Path:
        """Under the user's own name, so that every message about the file names it as they know it."""
        return self.root / incoming.id / "file" / safe_name(incoming.name)

    def offset(self, incoming: Incoming) -> int:
        return self.data(incoming).stat().st_size

    def append(self, incoming: Incoming, offset: int, piece: bytes) -> int:
        """Add a piece; answers the new length. Raises OffsetMismatch, BadInput (too large)."""
        with self.data(incoming).open("ab") as file:
            if file.tell() != offset:
                raise OffsetMismatch(file.tell())
            if offset + len(piece) > self.limit_bytes:
                raise self._too_large(incoming.name)
            file.write(piece)
            return file.tell()

    def finish(self, incoming: Incoming, check: Callable[[Path], None]) -> Incoming:
        """Hash the file, then look at its content; a file of the wrong kind is removed and its BadInput raised."""
        data = self.data(incoming)
        if incoming.size is not None and self.offset(incoming) != incoming.size:
            raise OffsetMismatch(self.offset(incoming))
        done = incoming.model_copy(update={"sha256": sha256(data), "size": self.offset(incoming)})
        self._save(done)
        try:
            check(data)
        except BadInput:
            self.discard(incoming)
            raise
        return done

    def discard(self, incoming: Incoming) -> None:
        shutil.rmtree(self.root / incoming.id)

    def claim(self, incoming: Incoming, folder: JobFolder) -> Upload:
        """Move a complete upload into a job: ``upload/PURPOSE/NAME``."""
        target = folder.uploads / safe_name(incoming.purpose) / safe_name(incoming.name)
        while target.exists():  # two attachments of one name
            target = target.with_name(f"{target.stem}_{target.suffix}")
        target.parent.mkdir(exist_ok=True)
        self.data(incoming).rename(target)
        self.discard(incoming)
        relative = str(target.relative_to(folder.root))
        return Upload(name=incoming.name, file=relative, sha256=incoming.sha256, size=target.stat().st_size)

    def _save(self, incoming: Incoming) -> None:
        write_atomic(self.root / incoming.id / "upload.json", incoming.model_dump_json().encode())
