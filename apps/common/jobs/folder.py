"""A job's files. Everything is relative to the folder, so that a copy of KAKEHASHI_HOME works elsewhere.

``job.json`` who and what · ``options.json`` what the user chose · ``upload/`` files as given · ``work/`` what the
stages keep · ``out/`` the documents · ``edits.jsonl`` what people changed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from apps.common.jobs.model import JobInfo

M = TypeVar("M", bound=BaseModel)
_ID = re.compile(r"[0-9a-f]{16}")


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file so that a reader or a crash sees the old or the new content, never half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class JobFolder:
    root: Path

    @property
    def id(self) -> str:
        return self.root.name

    @property
    def uploads(self) -> Path:
        return self.root / "upload"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def edits(self) -> Path:
        return self.root / "edits.jsonl"

    @property
    def options_file(self) -> Path:
        return self.root / "options.json"

    def make(self) -> JobFolder:
        self.root.mkdir(mode=0o700, parents=True)
        for path in (self.uploads, self.work, self.out):
            path.mkdir()
        return self

    def info(self) -> JobInfo:
        return JobInfo.model_validate_json((self.root / "job.json").read_bytes())

    def write_info(self, info: JobInfo) -> None:
        write_atomic(self.root / "job.json", info.model_dump_json(indent=1).encode())

    def options(self, model: type[M]) -> M:
        return model.model_validate_json(self.options_file.read_bytes())

    def write_options(self, options: BaseModel) -> None:
        write_atomic(self.options_file, options.model_dump_json(indent=1).encode())

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One runner at a time: a cancelled run may still be finishing its last chunk when the next one starts."""
        with (self.root / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class Shelf:
    """All job folders of one app."""

    root: Path

    def folder(self, job_id: str) -> JobFolder | None:
        """The folder of a job; None for an unknown or malformed id (ids come from the address bar)."""
        if not _ID.fullmatch(job_id) or not (self.root / job_id / "job.json").is_file():
            return None
        return JobFolder(self.root / job_id)

    def new(self, job_id: str) -> JobFolder:
        return JobFolder(self.root / job_id).make()

    def all(self) -> list[JobFolder]:
        return [JobFolder(path.parent) for path in self.root.glob("*/job.json") if _ID.fullmatch(path.parent.name)]

    def remove(self, job_id: str) -> None:
        shutil.rmtree(self.root / job_id)
