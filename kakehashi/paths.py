"""Where things lie. All state is under one directory, KAKEHASHI_HOME; nothing stored in it is an absolute path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def home_dir() -> Path:
    """KAKEHASHI_HOME, by default ``var`` in the checkout (``./var``)."""
    value = os.environ.get("KAKEHASHI_HOME")
    return Path(value).expanduser().resolve() if value else CHECKOUT / "var"


@dataclass(frozen=True)
class Home:
    """The directory that holds all state: back it up, move it or delete it as one."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.yaml"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def adapters(self) -> Path:
        """LoRA adapters, a folder ``NAME@SHA12`` each; see ``gateway.routing.adapters``."""
        return self.root / "adapters"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        """Process ids, ports and state of the running components."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def gateway_db(self) -> Path:
        return self.root / "gateway.db"

    @property
    def jobs(self) -> Path:
        """One folder per job of the apps, plus the job database."""
        return self.root / "jobs"

    def make(self) -> Home:
        """Create the directories; secrets and jobs are readable by the owner only."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (self.models, self.run, self.logs):
            path.mkdir(exist_ok=True)
        for path in (self.secrets, self.jobs):
            path.mkdir(mode=0o700, exist_ok=True)
        return self


def home() -> Home:
    return Home(home_dir())
