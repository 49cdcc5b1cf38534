"""From a setting to an anchor."""

from __future__ import annotations

from pathlib import Path

from gateway.audit.anchors.base import Anchor
from gateway.audit.anchors.file import FileAnchor
from gateway.audit.anchors.s3 import S3Anchor
from gateway.audit.anchors.syslog import SyslogAnchor
from kakehashi.errors import ConfigError


def open_anchor(url: str) -> Anchor:
    """``/path/file``, ``file:///path/file``, ``s3://…`` or ``syslog+…://…``. Raises ConfigError."""
    if url.startswith("s3://"):
        return S3Anchor(url)
    if url.startswith("syslog+"):
        return SyslogAnchor(url)
    path = Path(url.removeprefix("file://"))
    if "://" in url.removeprefix("file://") or not path.is_absolute():
        raise ConfigError(
            f"'{url[:80]}' is no anchor.",
            hint="Write gateway.audit_anchors as absolute paths, s3://… or syslog+tcp://… .",
        )
    return FileAnchor(path)
