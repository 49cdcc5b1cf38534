"""The signed heads of this installation's chains, kept outside the database: rows cut off a chain's end are missed."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from gateway.audit.crypto import Signer


def head_message(writer: str, seq: int, digest: str) -> bytes:
    """What a head's or checkpoint's signature covers."""
    return f"kakehashi audit head\n{writer}\n{seq}\n{digest}".encode()


class Heads:
    """One small file for each chain under ``$KAKEHASHI_HOME/audit/``."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder, self._signer = folder, signer

    def write(self, writer: str, seq: int, digest: str) -> None:
        """Replace the head, whole and on disk: a power cut leaves the old one or the new one. Raises OSError.

        Safe from several threads; which of their heads stays is theirs to order.
        """
        signature = self._signer.sign(head_message(writer, seq, digest))
        temporary = self.folder / f".{writer}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
        try:
            with temporary.open("w") as file:
                file.write(json.dumps({"writer": writer, "seq": seq, "hash": digest, "signature": signature}))
                file.flush()
                os.fdatasync(file.fileno())
            temporary.replace(self.folder / f"{writer}.head")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

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
        temporary = folder / f".id.{os.getpid()}.{secrets.token_hex(4)}"
        temporary.write_text(secrets.token_hex(4))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()
