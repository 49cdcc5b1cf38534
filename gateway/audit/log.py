"""The audit log as the gateway uses it: awaitable records, many of them in one commit.

While one commit is on its way to the disk, further records gather and go with the next: no timer, no added delay when
there is little to do, few commits when there is much.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gateway.audit.record import Intent, Outcome
from gateway.audit.store import AuditStore, StoreUnavailable, open_engine
from gateway.audit.writer import Draft, Writer, draft
from kakehashi.paths import Home

AuditUnavailable = StoreUnavailable
_BATCH = 512
_OPEN_TENANTS = 100_000  # requests whose outcome is awaited; far above what one process can hold


class AuditLog:
    """Stores intents and outcomes; each call returns only when its record is durable, or raises AuditUnavailable."""

    def __init__(self, database_url: str, home: Home, *, keep_bodies: bool = True, role: str = "gateway") -> None:
        self._url, self._home, self._keep_bodies, self._role = database_url, home, keep_bodies, role
        self._queue: asyncio.Queue[tuple[Draft, asyncio.Future[None]] | None] = asyncio.Queue()
        self._tenants: OrderedDict[str, str] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._writer: Writer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the store and take a writer slot. Raises AuditUnavailable."""
        self._writer = await self._call(self._open)
        self._task = asyncio.create_task(self._run(), name="audit-writer")

    def _open(self) -> Writer:
        store = AuditStore(open_engine(self._url))
        store.create()
        return Writer(store, self._home, self._role, keep_bodies=self._keep_bodies)

    async def intent(self, record: Intent) -> None:
        self._tenants[record.request_id] = record.team
        while len(self._tenants) > _OPEN_TENANTS:
            self._tenants.popitem(last=False)
        await self._put(draft(record))

    async def outcome(self, record: Outcome) -> None:
        await self._put(draft(record, self._tenants.pop(record.request_id, "")))

    async def event(self, kind: str, request_id: str, data: dict[str, Any]) -> None:
        """Any other act worth keeping: admin changes, policy loads."""
        await self._put(Draft(kind, request_id, "", data))

    async def _put(self, item: Draft) -> None:
        if self._task is None or self._task.done():
            raise AuditUnavailable("The audit log is not running.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put((item, done))
        await done

    async def _run(self) -> None:
        running = True
        while running:
            batch = []
            next_one = await self._queue.get()
            while next_one is not None:
                batch.append(next_one)
                if self._queue.empty() or len(batch) == _BATCH:
                    break
                next_one = self._queue.get_nowait()
            running = next_one is not None
            error: StoreUnavailable | None = None
            try:
                await self._call(self._append, [item for item, _ in batch])
            except StoreUnavailable as unavailable:
                error = unavailable
            for _, done in batch:
                if not done.done():  # the waiter may be gone: its client left
                    done.set_exception(error) if error else done.set_result(None)

    def _append(self, items: list[Draft]) -> None:
        assert self._writer is not None  # noqa: S101 - start() sets it before the task runs
        if items:
            self._writer.append(items)

    async def _call(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def close(self) -> None:
        """Write what is queued, then stop."""
        if self._task and not self._task.done():
            await self._queue.put(None)
            await self._task
        if self._writer:
            await self._call(self._writer.close)
            self._writer.store.engine.dispose()
        self._thread.shutdown()
