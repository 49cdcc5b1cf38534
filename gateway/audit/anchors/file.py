"""An append-only file on another disk or machine (NFS, a WORM share, a folder that a backup takes away)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.audit.anchors.base import AnchorError, Checkpoint, parse_all


class FileAnchor:
    """One line a checkpoint. The folder must exist: a disk that is not mounted must not go unnoticed."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, f"file {path.name}"

    def put(self, checkpoint: Checkpoint) -> None:
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                os.write(descriptor, f"{checkpoint.line()}\n".encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise AnchorError(
                f"The anchor {self.name} cannot be written: {error.strerror}.",
                hint="Check gateway.audit_anchors: the folder must exist and be writable.",
            ) from error

    def read(self) -> Iterator[Checkpoint]:
        """Also reads the file of a log server, whatever stands before the checkpoint in a line."""
        try:
            with self.path.open(encoding="utf-8", errors="replace") as lines:
                yield from parse_all(lines, self.name)
        except OSError as error:
            raise AnchorError(f"The anchor {self.name} cannot be read: {error.strerror}.") from error
