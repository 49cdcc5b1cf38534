"""What every page and route of an app works with: settings, jobs, uploads, people. Built once per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from apps.common.accounts import Accounts
from apps.common.jobs import Jobs
from apps.common.login import Door, People
from apps.common.uploads import Uploads
from kakehashi import settings
from kakehashi.settings import AppSettings, Settings


@dataclass(frozen=True)
class AppContext:
    """Everything a page of one app needs, built once per process."""

    name: str
    settings: Settings
    own: AppSettings
    jobs: Jobs
    uploads: Uploads
    people: People
    door: Door

    @property
    def port(self) -> int:
        """Where the app listens."""
        port: int = getattr(self.settings, self.name).port
        return port


@lru_cache
def context(name: str, upload_mib: int) -> AppContext:
    """Read the settings and open the stores of an app (``minutes``, ``proposals``). Once per process."""
    loaded = settings.load()
    own: AppSettings = getattr(loaded, name)
    home = loaded.home.make()
    key_file = own.key_file or home.secrets / f"{name}.key"
    return AppContext(
        name=name,
        settings=loaded,
        own=own,
        jobs=Jobs(name, home, own.jobs_database_url),
        uploads=Uploads(home.jobs / name / "incoming", upload_mib << 20),
        people=People(home.jobs / "people"),
        door=Door(own, Accounts(loaded.gateway_base_url(own), key_file, name), company=loaded.company is not None),
    )
