"""The audit log as the gateway uses it: awaitable records, many of them in one commit.

While one commit is on its way to the disk, further records gather and go with the next. When several came at once, the
next commit waits a moment for more: no added delay when there is little to do, few commits when there is much.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gateway.audit.chain import canonical
from gateway.audit.record import Attempt, Intent, Outcome
from gateway.audit.store import AuditStore, StoreUnavailable, open_engine
from gateway.audit.writer import Draft, Writer, draft
from kakehashi.paths import Home

AuditUnavailable = StoreUnavailable
T = TypeVar("T")
_LOG = logging.getLogger("gateway.audit")
_BATCH = 512
_GATHER_S = 0.001  # a commit's own cost, on a fast disk, is that of four records: under load one millisecond saves a fifth
_OPEN = 100_000  # requests whose outcome is awaited; far above what one process can hold
# The head file may lag behind the commits by this much: its signature and sync would cost more than the records.
HEAD_EVERY_S = 0.25


class AuditLog:
    """Stores records; ``intent`` and ``outcome`` return only when theirs is durable, or raise AuditUnavailable."""

    def __init__(self, database_url: str, home: Home, *, keep_bodies: bool = True, role: str = "gateway") -> None:
        self._url, self._home, self._keep_bodies, self._role = database_url, home, keep_bodies, role
        self._waiting: list[tuple[Draft, asyncio.Future[None]]] = []
        self._wake, self._committed = asyncio.Event(), asyncio.Event()
        self._closing = False
        self.barred = ""  # why no request may begin, though records could be stored
        self._tenants: OrderedDict[str, str] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit")
        self._head_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit-head")
        self._writer: Writer | None = None
        self._task: asyncio.Task[None] | None = None
        self._head_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the store and take a writer slot. Raises AuditUnavailable, ConfigError."""
        self._writer = await self._call(self._open)
        self._task = asyncio.create_task(self._run(), name="audit-writer")
        self._committed.set()  # a chain that has just begun has no head yet
        self._head_task = asyncio.create_task(self._keep_head(self._writer), name="audit-head")

    def _open(self) -> Writer:
        store = AuditStore(open_engine(self._url))
        store.create()
        return Writer(store, self._home, self._role, keep_bodies=self._keep_bodies, heads_by_owner=True)

    @property
    def chain(self) -> Writer:
        """The writer of this process. Raises AuditUnavailable before the start."""
        if self._writer is None:
            raise AuditUnavailable("The audit log is not running.")
        return self._writer

    @property
    def folder(self) -> Path:
        """Where the writers' locks lie."""
        return self._home.root / "audit"

    @property
    def writer(self) -> str:
        """The name of this log's writer, once started."""
        return self._writer.name if self._writer else ""

    @property
    def started(self) -> bool:
        return self._writer is not None

    async def check(self) -> None:
        """See whether the log takes records again, after it did not; the outage is then on record."""
        await self.event("recovered", "", {})

    async def intent(self, record: Intent) -> None:
        if self.barred:
            raise AuditUnavailable(self.barred)
        self._tenants[record.request_id] = record.team
        while len(self._tenants) > _OPEN:
            self._tenants.popitem(last=False)
        await self._put(draft(record))

    async def attempt(self, record: Attempt) -> None:
        await self._put(draft(record, self._tenants.get(record.request_id, "")))

    async def outcome(self, record: Outcome) -> None:
        await self._put(draft(record, self._tenants.pop(record.request_id, "")))

    async def event(self, kind: str, request_id: str, data: dict[str, Any]) -> None:
        """Any other act worth keeping: policy loads, seals, erasures."""
        await self._put(Draft(kind, request_id, "", data, encoded=canonical(data)))

    @property
    def _running(self) -> bool:
        return self._task is not None and not self._task.done() and not self._closing

    async def _put(self, item: Draft) -> None:
        if not self._running:
            raise AuditUnavailable("The audit log is not running.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        self._wake.set()
        await done

    async def _run(self) -> None:
        together = 0
        while self._waiting or not self._closing:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            if together > 1:
                await asyncio.sleep(_GATHER_S)
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            together = len(batch)
            error: StoreUnavailable | None = AuditUnavailable("The audit writer failed.")
            try:
                await self._call(self.chain.append, [item for item, _ in batch])
                error = None
                self._committed.set()
            except StoreUnavailable as unavailable:
                error = unavailable
            finally:
                for _, done in batch:
                    if not done.done():  # the waiter may be gone: its client left
                        done.set_exception(error) if error else done.set_result(None)

    async def _keep_head(self, writer: Writer) -> None:
        """Write the head soon after commits, at most once in ``HEAD_EVERY_S``."""
        loop, failed = asyncio.get_running_loop(), False
        while True:
            await self._committed.wait()
            self._committed.clear()
            try:
                await loop.run_in_executor(self._head_thread, writer.write_head)
                failed = False
            except OSError as error:
                if not failed:
                    _LOG.error("The head of the audit chain cannot be written: %s", error.strerror)
                failed = True
                self._committed.set()
            await asyncio.sleep(HEAD_EVERY_S)

    async def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def close(self) -> None:
        """Write what is waiting, then the head, then stop."""
        self._closing = True
        self._wake.set()
        if self._task:
            await asyncio.wait([self._task])
        if self._head_task:
            self._head_task.cancel()
            await asyncio.wait([self._head_task])
        self._head_thread.shutdown()
        if self._writer:
            await self._call(self._writer.close)
            self._writer.store.engine.dispose()
        self._thread.shutdown()
