"""An append-only log of what people changed: results are never overwritten, what is shown is results plus log."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from apps.common.jobs.model import now_iso

UNDO = "undo"


class Edit(BaseModel):
    """One change: ``op`` its kind, ``target`` what it changes, ``values`` to what; the app knows their meaning."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    at: str
    by: str
    op: str
    target: str = ""
    values: dict[str, Any] = {}


@dataclass(frozen=True)
class EditLog:
    file: Path

    def add(self, by: str, op: str, target: str = "", **values: Any) -> None:
        """Append one change; on disk when this returns."""
        line = Edit(at=now_iso(), by=by, op=op, target=target, values=values).model_dump_json() + "\n"
        with self.file.open("ab") as file:
            if file.tell() and not self._ends_whole():
                line = "\n" + line  # a kill cut the last line short: it is skipped when reading
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def _ends_whole(self) -> bool:
        with self.file.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def all(self) -> list[Edit]:
        if not self.file.exists():
            return []
        found: list[Edit] = []
        for line in self.file.read_bytes().splitlines():
            try:
                fields = json.loads(line)
            except ValueError:  # cut short by a kill or a full disk: that change was never confirmed to its author
                continue
            found.append(Edit.model_validate(fields))
        return found

    def effective(self) -> list[Edit]:
        """The changes that count: each undo takes back the last one before it."""
        return effective(self.all())

    def undo(self, by: str) -> Edit | None:
        """Take back the last change that counts; None when there is none."""
        left = self.effective()
        if not left:
            return None
        self.add(by, UNDO)
        return left[-1]


def effective(edits: list[Edit]) -> list[Edit]:
    kept: list[Edit] = []
    for edit in edits:
        if edit.op != UNDO:
            kept.append(edit)
        elif kept:
            kept.pop()
    return kept
