"""Runs batches: validates, sends line after line through the public app, writes the result files, tidies up.

Every replica has one; they share the work by the leases of :mod:`gateway.batches.store`. A killed one is missed by
nobody: what it had begun is begun again elsewhere when its leases are over, what it had finished is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
from starlette.types import ASGIApp

from gateway.api.usage import Usage
from gateway.audit.crypto import Vault
from gateway.batches import call, lines
from gateway.batches.files import FileStore
from gateway.batches.model import Batch, StoredFile
from gateway.batches.sealed import Seal
from gateway.batches.store import Answered, BatchStore, Taken
from gateway.errors import NotFound, Unavailable
from gateway.identity.model import VirtualKey
from kakehashi.errors import KakehashiError

_LOG = logging.getLogger("gateway.batches")
POLL_S = 2.0  # how often a replica looks for work that another one took in
TICK_S = 0.25  # how often while there is work
SWEEP_S = 60.0
LONGEST_WAIT_S = 60.0  # before a line is tried again
TRIES = 3  # of a line whose request the engine failed; a full house or a limit is waited for as long as there is time
GRACE_S = 10.0  # at the end of the process, for the lines under way
KEPT = timedelta(days=30)  # what a batch was, after its end

Find = Callable[[str], VirtualKey]
_NOBODY = {"code": "invalid_api_key", "message": "The key that made the batch is no longer valid.", "line": None, "param": None}  # fmt: skip
_UNRUN = {
    "expired": ("batch_expired", "This request was not run before the completion window ended."),
    "cancelled": ("batch_cancelled", "This request was not run before the batch was cancelled."),
    "failed": ("batch_stopped", "This request was not run: the key that made the batch is no longer valid."),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """``parallel``: lines under way at once in this process; ``longest``: bytes of one line's request."""

    parallel: int
    lease_s: float
    longest: int


class BatchRunner:
    """``find`` gives a key by its id (raises NotFound); ``swept`` records which files were deleted for their age."""

    def __init__(
        self,
        store: BatchStore,
        files: FileStore,
        vault: Vault,
        find: Find,
        pace: Pace,
        swept: Callable[[list[str]], Awaitable[None]],
    ) -> None:
        self.store, self.files, self._vault, self._find, self._pace, self._swept = (
            store,
            files,
            vault,
            find,
            pace,
            swept,
        )
        self._app: ASGIApp | None = None
        self._lines: dict[asyncio.Task[None], Taken] = {}
        self._batch: Batch | None = None  # being validated or finalized
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # -- life ---------------------------------------------------------------------------------------------------------

    def serve_with(self, app: ASGIApp) -> None:
        """The public app that answers the lines."""
        self._app = app

    def new(self, **given: Any) -> Batch:
        """A batch as it begins, not stored yet."""
        nothing = {
            **dict.fromkeys(("output_file_id", "error_file_id", "errors", "ending", "lessee")),
            **dict.fromkeys(("in_progress_at", "cancelling_at", "finalizing_at", "ended_at")),
            **dict.fromkeys(("total", "completed", "failed", "prompt_tokens", "completion_tokens"), 0),
            **dict.fromkeys(("paused_until", "lease_until"), 0.0),
        }
        return Batch(**{**nothing, **given, "state": "validating", "wrapped": self._vault.new_key(given["id"])})

    def wake(self) -> None:
        """There is something new to do."""
        self._wake.set()

    async def start(self) -> None:
        self._wake = asyncio.Event()
        loops = (self._work, self._hold, self._sweep)
        self._tasks = [asyncio.create_task(self._forever(loop), name=f"batches{loop.__name__}") for loop in loops]
        for task in self._tasks:
            task.add_done_callback(_died)

    async def close(self) -> None:
        """Begin nothing more; give the lines under way a little time, then let go of them."""
        work, hold, sweep = self._tasks
        work.cancel()
        sweep.cancel()
        if self._lines:
            await asyncio.wait(self._lines, timeout=GRACE_S)
        for task in (hold, *self._lines):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._lines, return_exceptions=True)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        """A loop that outlives a database that is gone for a while."""
        while True:
            try:
                await step()
            except KakehashiError as error:
                _LOG.error("batches%s: %s", step.__name__, error.message)
                await asyncio.sleep(POLL_S)

    async def _hold(self) -> None:
        """Renew the leases, three times within each."""
        await asyncio.sleep(self._pace.lease_s / 3)
        if self._batch is not None or self._lines:
            await asyncio.to_thread(self.store.renew, self._batch, list(self._lines.values()))

    async def _sweep(self) -> None:
        """Delete files whose time is over, and old batches; what was deleted goes on record."""
        if outdated := await asyncio.to_thread(self.files.outdated, datetime.now(UTC)):
            await self._swept(outdated)
            await asyncio.to_thread(self.files.delete, outdated)
        await asyncio.to_thread(self.store.forget, datetime.now(UTC) - KEPT)
        await asyncio.sleep(SWEEP_S)

    # -- work ---------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """One round: move on what can be moved on, then wait for news."""
        busy = await asyncio.to_thread(self.store.busy)
        if busy:
            await asyncio.to_thread(self.store.advance)
            await self._whole_batches()
            await self._begin_lines()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), TICK_S if busy else POLL_S)
        self._wake.clear()

    async def _whole_batches(self) -> None:
        while (batch := await asyncio.to_thread(self.store.take_batch)) is not None:
            self._batch = batch
            try:
                await asyncio.to_thread(self._validate if batch.state == "validating" else self._finalize, batch)
            finally:
                self._batch = None

    async def _begin_lines(self) -> None:
        free = self._pace.parallel - len(self._lines)
        if free <= 0:
            return
        for line in await asyncio.to_thread(self.store.take_lines, free):
            task = asyncio.create_task(self._line(line), name=f"{line.batch_id}-{line.number}")
            self._lines[task] = line
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._lines[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            # Its lease ends by itself, and the line is begun again: here or, if this process is to blame, elsewhere.
            _LOG.error("%s failed", task.get_name(), exc_info=error)

    # -- one line -----------------------------------------------------------------------------------------------------

    async def _line(self, line: Taken) -> None:
        try:
            await self._run(line)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.to_thread(self.store.put_back, line, 0.0))
            raise

    async def _run(self, line: Taken) -> None:
        batch = await asyncio.to_thread(self.store.get, line.batch_id, None)
        key = await self._key(batch)
        if key is None:
            await asyncio.to_thread(self.store.stop, batch.id, "failed", _NOBODY)
            return await asyncio.to_thread(self.store.put_back, line, 0.0)
        request = await asyncio.to_thread(self._request, batch, lines.Place(line.number, line.start, line.length))
        answer = await self._ask(batch, request, key)
        wait_s = _wait(answer, line.attempts)
        if wait_s is not None:
            full = answer.status in (429, 503)
            return await asyncio.to_thread(self.store.put_back, line, wait_s, pause=full, counts=not full)
        await asyncio.to_thread(self._keep, batch, line, request["custom_id"], answer)
        return None

    async def _key(self, batch: Batch) -> VirtualKey | None:
        """The key that made the batch, as it is now, at low priority; None when it is no longer valid."""
        try:
            key = await asyncio.to_thread(self._find, batch.key_id)
        except NotFound:
            return None
        return replace(key, priority="low") if key.state(datetime.now(UTC)) == "active" else None

    def _request(self, batch: Batch, place: lines.Place) -> dict[str, Any]:
        file = self.files.get_for_batch(batch.input_file_id)
        found: dict[str, Any] = orjson.loads(self.files.read_range(file, place.start, place.length))
        return found

    async def _ask(self, batch: Batch, request: dict[str, Any], key: VirtualKey) -> call.Answer:
        assert self._app is not None  # noqa: S101 - set when the app is made
        headers = {"x-kakehashi-job": batch.id}
        named = {"x-kakehashi-user": batch.acts_for, "x-kakehashi-app": batch.app}
        headers |= {name: quote(value) for name, value in named.items() if value}
        return await call.post(self._app, batch.endpoint, orjson.dumps(request["body"]), headers, key)

    def _keep(self, batch: Batch, line: Taken, custom_id: str, answer: call.Answer) -> None:
        """Store a result; of a line that was taken over meanwhile, the other process's result counts."""
        body = answer.json
        told = lines.answered(
            batch.id, line.number, custom_id, answer.status, answer.headers.get("x-request-id", ""), body
        )
        usage = (Usage.of(body.get("usage")) if isinstance(body, dict) else None) or Usage()
        sealed = Seal(self._vault, batch.id, batch.wrapped).seal(told, line.number)
        kept = self.store.answer(line, Answered(answer.status == 200, sealed, usage.prompt, usage.completion))
        if not kept:
            _LOG.warning("%s line %d was taken over; its second result is not kept", batch.id, line.number)

    # -- a whole batch (in a thread) ----------------------------------------------------------------------------------

    def _validate(self, batch: Batch) -> None:
        try:
            file = self.files.get_for_batch(batch.input_file_id)
            checked = lines.check(self.files.read(file), batch.endpoint, self._pace.longest)
        except KakehashiError as error:
            if isinstance(error, Unavailable):
                raise
            checked = lines.Checked()
            checked.wrong("input_file_unreadable", error.message)
        if checked.errors:
            self.store.refuse(batch, checked.errors)
        else:
            self.store.begin(batch, checked.places)

    def _finalize(self, batch: Batch) -> None:
        seal = Seal(self._vault, batch.id, batch.wrapped)
        good = self._result_file(batch, "output", self.store.results(batch, "ok", seal))
        bad = self._result_file(batch, "error", self._failures(batch, seal))
        made = {"output_file_id": good, "error_file_id": bad}
        if not self.store.finish(batch, {name: f for name, f in made.items() if f.size}, self.files.publish):
            self.files.delete([good.id, bad.id])
        else:
            self.files.delete([f.id for f in (good, bad) if not f.size])

    def _failures(self, batch: Batch, seal: Seal) -> Any:
        yield from self.store.results(batch, "failed", seal)
        code, message = _UNRUN.get(batch.ending or "", _UNRUN["failed"])
        for place in self.store.unfinished(batch):
            yield lines.unanswered(batch.id, place.number, self._request(batch, place)["custom_id"], code, message)

    def _result_file(self, batch: Batch, kind: str, parts: Any) -> StoredFile:
        name = f"{batch.id}_{kind}.jsonl"
        lifetime = timedelta(seconds=batch.output_expires_s)
        return self.files.write(batch.owner, batch.key_id, name, "batch_output", parts, lifetime)


def _died(task: asyncio.Task[None]) -> None:
    """A loop ends only when it is cancelled; any other end is a failure of our own, and batches stand still."""
    if not task.cancelled() and (error := task.exception()):
        _LOG.critical(
            "%s ended; batches stand still here until the gateway is restarted", task.get_name(), exc_info=error
        )


def _wait(answer: call.Answer, attempts: int) -> float | None:
    """How long to wait before the line is tried again; None: this answer is its result.

    Limits and a full or missing engine are waited for; an engine that failed gets a few more tries. What is marked as
    hopeless (``x-should-retry: false``) is final, unless it names a time: the next day's budget is worth a batch's wait.
    """
    told = answer.headers.get("retry-after", "")
    if answer.headers.get("x-should-retry") == "false" and not told.isdigit():
        return None
    pause = min(LONGEST_WAIT_S, float(told) if told.isdigit() else 2.0 ** min(attempts, 6))
    if answer.status in (429, 503):
        return pause
    if answer.status in (401, 408) or answer.status >= 500:
        return pause if attempts < TRIES else None
    return None
