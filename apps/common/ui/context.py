"""What every page and route of an app works with: settings, jobs, uploads, people. Built once per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from apps.common.jobs import Jobs
from apps.common.login import People
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


@lru_cache
def context(name: str, upload_mib: int) -> AppContext:
    """Read the settings and open the stores of an app (``minutes``, ``proposals``). Once per process."""
    loaded = settings.load()
    own: AppSettings = getattr(loaded, name)
    home = loaded.home.make()
    return AppContext(
        name=name,
        settings=loaded,
        own=own,
        jobs=Jobs(name, home, own.jobs_database_url),
        uploads=Uploads(home.jobs / name / "incoming", upload_mib << 20),
        people=People(home.jobs / "people"),
    )
