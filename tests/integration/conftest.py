"""What the gateway's tests share: one fake engine a module, as new for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.fake_upstream import FakeUpstream, running


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeUpstream]:
    with running(FakeUpstream()) as server:
        yield server


@pytest.fixture
def upstream(engine: FakeUpstream) -> FakeUpstream:
    return engine.reset()
