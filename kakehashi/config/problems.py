"""What the check finds: where, what, and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kakehashi.config.document import Place

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One finding. ``key``: the setting; ``file`` with ``place``, or ``variable``: where it was set."""

    severity: Severity
    message: str
    fix: str
    key: str = ""
    file: Path | None = None
    place: Place | None = None
    variable: str = ""

    @property
    def where(self) -> str:
        """``file:line:column`` as editors understand it, or the environment variable."""
        if self.file is not None:
            return f"{self.file}:{self.place.line}:{self.place.column}" if self.place else str(self.file)
        return f"environment {self.variable}" if self.variable else "settings"

    def line(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.where}: {self.severity}: {key}{self.message}" + (f"\n    → {self.fix}" if self.fix else "")

    def public(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "key": self.key or None,
            "message": self.message,
            "fix": self.fix or None,
            "file": str(self.file) if self.file else None,
            "line": self.place.line if self.place else None,
            "column": self.place.column if self.place else None,
            "variable": self.variable or None,
        }
