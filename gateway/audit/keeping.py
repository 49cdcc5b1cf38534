"""What goes on beside the writing: anchors and retention, started and stopped with the gateway."""

from __future__ import annotations

from collections.abc import Callable

from gateway.audit.anchoring import Anchoring, Rhythm
from gateway.audit.anchors import open_anchor
from gateway.audit.log import AuditLog
from gateway.audit.retaining import Retaining
from kakehashi.settings import GatewaySettings


class Keeping:
    """:meth:`start` after the log is started, :meth:`stop` before it is closed, :meth:`finish` after that."""

    def __init__(self, log: AuditLog, settings: GatewaySettings, told: Callable[[str, bool], None]) -> None:
        """Raises ConfigError for anchors and periods that cannot be."""
        rhythm = Rhythm(settings.audit_anchor_interval_s, settings.audit_anchor_entries, settings.audit_anchor_required)
        anchors = [open_anchor(url) for url in settings.audit_anchors]
        self.anchoring = Anchoring(log, anchors, rhythm, told)
        self.retaining = Retaining(log, settings.audit_retention_days, settings.audit_metadata_retention_days)

    def start(self) -> None:
        self.anchoring.start()
        self.retaining.start()

    async def stop(self) -> None:
        await self.anchoring.stop()
        await self.retaining.stop()

    async def finish(self) -> None:
        await self.anchoring.finish()
