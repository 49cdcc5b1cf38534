"""Files and batches as values, and how OpenAI's clients expect to see them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.identity.model import VirtualKey


def new_id(prefix: str) -> str:
    """An id that sorts by time: ``file-…``, ``batch_…``."""
    return f"{prefix}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def owner_of(key: VirtualKey) -> str:
    """Who may see what this key makes: its team; without a team the key alone."""
    return f"team:{key.team_id}" if key.team_id else f"key:{key.id}"


def _unix(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that lies encrypted in the database. ``wrapped``: its data key, wrapped by the master key."""

    id: str
    owner: str
    key_id: str
    filename: str
    purpose: str
    size: int
    state: str  # uploading, ready
    created_at: datetime
    expires_at: datetime
    wrapped: bytes

    def public(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": _unix(self.created_at),
            "expires_at": _unix(self.expires_at),
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
        }


ENDED = ("completed", "failed", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and where it stands.

    ``state``: validating, in_progress, stopping (no new line begins), finalizing, or one of :data:`ENDED`; ``ending``:
    which of these it is going to be. ``acts_for``, ``app``: the user and the application its maker named.
    """

    id: str
    owner: str
    key_id: str
    acts_for: str
    app: str
    endpoint: str
    completion_window: str
    input_file_id: str
    output_file_id: str | None
    error_file_id: str | None
    output_expires_s: int
    metadata: dict[str, str] | None
    errors: list[dict[str, Any]] | None
    state: str
    ending: str | None
    total: int
    completed: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    created_at: datetime
    in_progress_at: datetime | None
    cancelling_at: datetime | None
    finalizing_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    paused_until: float
    lessee: str | None
    lease_until: float
    wrapped: bytes

    @property
    def status(self) -> str:
        """The state in OpenAI's words."""
        if self.state in ("stopping", "finalizing"):
            return "cancelling" if self.ending == "cancelled" else "finalizing"
        return self.state

    def public(self) -> dict[str, Any]:
        ended = {f"{name}_at": _unix(self.ended_at) if self.state == name else None for name in ENDED}
        tokens = {"input_tokens": self.prompt_tokens, "output_tokens": self.completion_tokens}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": self.completion_window,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": _unix(self.created_at),
            "in_progress_at": _unix(self.in_progress_at),
            "expires_at": _unix(self.expires_at),
            "finalizing_at": _unix(self.finalizing_at),
            "cancelling_at": _unix(self.cancelling_at),
            **ended,
            "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
            "usage": {**tokens, "total_tokens": self.prompt_tokens + self.completion_tokens},
            "metadata": self.metadata,
        }
