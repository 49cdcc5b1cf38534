"""What the gateway's tests share: one fake engine a module, as new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kakehashi.paths import Home
from tests.helpers.audit import Setup, schema_of_its_own
from tests.helpers.fake_upstream import FakeUpstream, running


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeUpstream]:
    with running(FakeUpstream()) as server:
        yield server


@pytest.fixture
def upstream(engine: FakeUpstream) -> FakeUpstream:
    return engine.reset()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setup]:
    """An audit log on SQLite, then one on PostgreSQL."""
    home = Home(tmp_path / "架け橋 home").make()
    if request.param == "sqlite":
        made = Setup(home, f"sqlite:///{home.gateway_db}")
        yield made
        made.engine.dispose()
        return
    with schema_of_its_own() as url:
        made = Setup(home, url)
        yield made
        made.engine.dispose()
