"""Taking signed checkpoints of this process's chain to other systems, every so often and at the end.

An anchor that fails is reported (log, metric, health) and tried again; it never holds up requests, unless
``gateway.audit_anchor_required`` says that records nobody else has seen are worth nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.audit.anchors import Anchor, AnchorError, Checkpoint
from gateway.audit.clock import stamp
from gateway.audit.log import AuditLog
from gateway.audit.writer import Writer

_LOG = logging.getLogger("gateway.audit")
_LOOK_EVERY_S = 1.0
_MISSED = 3  # intervals without an anchor, after which requests are refused where one is required


@dataclass(slots=True)
class Standing:
    """How it stands with one anchor: the last entry it has taken, and why it takes no more ("": it does)."""

    seq: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A checkpoint when ``interval_s`` have passed or ``entries`` have come; ``required``: no requests without."""

    interval_s: float
    entries: int
    required: bool


class Anchoring:
    """``told(anchor, ok)`` is called after each try."""

    def __init__(
        self, log: AuditLog, anchors: Sequence[Anchor], rhythm: Rhythm, told: Callable[[str, bool], None]
    ) -> None:
        self._log, self._anchors, self._rhythm, self._told = log, anchors, rhythm, told
        self.standing = {anchor.name: Standing() for anchor in anchors}
        self._task: asyncio.Task[None] | None = None
        self._anchored_at = time.monotonic()
        self._tried_at = -1e9

    def start(self) -> None:
        """Begin, once the log is started. The first checkpoint is taken at once: a wrong anchor shows at the start."""
        self._task = asyncio.create_task(self._run(), name="audit-anchors")

    async def stop(self) -> None:
        """Stop looking; :meth:`finish` is still to be called, after the log has been closed."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def finish(self) -> None:
        """Anchor the last entry of the chain."""
        if self._anchors and self._log.started:
            await self._anchor_all(self._log.chain)

    async def _run(self) -> None:
        while self._anchors:
            if self._due(self._log.chain.head[0]):
                await self._anchor_all(self._log.chain)
            self._judge()
            await asyncio.sleep(min(_LOOK_EVERY_S, self._rhythm.interval_s))

    def _due(self, seq: int) -> bool:
        waiting = seq - min(standing.seq for standing in self.standing.values())
        waited = time.monotonic() - self._tried_at
        failing = any(standing.failure for standing in self.standing.values())
        return waiting > 0 and (waited >= self._rhythm.interval_s or (waiting >= self._rhythm.entries and not failing))

    async def _anchor_all(self, chain: Writer) -> None:
        self._tried_at = time.monotonic()
        seq, digest = chain.head
        mark = Checkpoint(chain.name, seq, digest, stamp(datetime.now(UTC)))
        mark = replace(mark, signature=chain.signer.sign(mark.message()))
        behind = [anchor for anchor in self._anchors if self.standing[anchor.name].seq < seq]
        await asyncio.gather(*(self._anchor(anchor, mark) for anchor in behind))

    async def _anchor(self, anchor: Anchor, mark: Checkpoint) -> None:
        standing = self.standing[anchor.name]
        try:
            await asyncio.to_thread(anchor.put, mark)
        except AnchorError as error:
            if standing.failure != error.message:
                _LOG.error("%s", error.message)
            standing.failure = error.message
            self._told(anchor.name, False)
            return
        if standing.failure:
            _LOG.warning("The anchor %s takes checkpoints again.", anchor.name)
        standing.seq, standing.failure = mark.seq, ""
        self._anchored_at = time.monotonic()
        self._told(anchor.name, True)

    def _judge(self) -> None:
        """Bar requests when an anchor is required and none has taken anything for too long."""
        behind = all(standing.failure for standing in self.standing.values())
        overdue = time.monotonic() - self._anchored_at > _MISSED * self._rhythm.interval_s
        barred = self._rhythm.required and behind and overdue
        self._log.barred = "No anchor takes the audit log's checkpoints." if barred else ""
