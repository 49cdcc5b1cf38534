"""The ledger on SQLite and PostgreSQL: what is written, what is summed, what becomes of rows nobody settles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.ledger.entry import Opening, Settlement
from gateway.ledger.prices import Prices
from gateway.ledger.reconcile import Reading, Readings
from gateway.ledger.report import GROUPS, usage
from gateway.ledger.rows import write
from gateway.ledger.store import Charge, Ledger
from gateway.ledger.tables import LEDGER, PRICES
from gateway.limits.window import Calendar, Claim, Level, Scope
from gateway.storage.database import open_database
from gateway.storage.schema import prepare
from tests.integration.test_gateway_stores import postgres

__all__ = ["postgres"]
CALENDAR = Calendar()
NOW = 1_700_000_000_000  # 2023-11-15 in Tokyo


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    url = f"sqlite:///{tmp_path}/g.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    engine = open_database(url)
    prepare(engine)
    yield engine
    engine.dispose()


def opening(request_id: str, **told: Any) -> Opening:
    texts = dict.fromkeys(("team_id", "team", "user", "app", "job", "surface", "model", "price_version"), "")
    numbers = {"reserved_tokens": 90, "reserved_micro_yen": 9, "lost_tokens": 40, "lost_micro_yen": 4}
    own = {
        "request_id": request_id,
        "attempt": 1,
        "day": "2023-11-15",
        "started_ms": NOW,
        "key_id": "k",
        "target": "qwen",
    }
    return Opening(**{**texts, **numbers, **own, **told})


def settlement(request_id: str, **told: Any) -> Settlement:
    own = {"request_id": request_id, "attempt": 1, "settled_ms": NOW + 5, "upstream": "engine", "served": "qwen"}
    numbers = {"status": 200, "prompt_tokens": 10, "completion_tokens": 5, "audio_ms": 0, "micro_yen": 70}
    return Settlement(**{**own, **numbers, "outcome": "ok", "exact": True, **told})


def store(database: sa.Engine, *entries: Opening | Settlement, writer: str = "w") -> None:
    with database.begin() as connection:
        write(connection, entries, writer)


def states(database: sa.Engine) -> dict[str, str]:
    with database.connect() as connection:
        return {row.request_id: row.state for row in connection.execute(sa.select(LEDGER))}


def test_a_row_is_opened_and_settled_once(database: sa.Engine) -> None:
    store(database, opening("a", user="山田 '; DROP TABLE teams; --"), settlement("a"))
    store(database, settlement("a", prompt_tokens=999), settlement("unknown"))
    with database.connect() as connection:
        [row] = connection.execute(sa.select(LEDGER)).all()
    assert (row.state, row.prompt_tokens, row.exact, row.user) == ("settled", 10, True, "山田 '; DROP TABLE teams; --")
    with pytest.raises(sa.exc.IntegrityError):
        store(database, opening("a"))


def test_rows_of_a_dead_writer_are_settled_once_as_lost(database: sa.Engine) -> None:
    store(database, opening("a"), opening("b"), writer="dead")
    store(database, opening("c"), writer="alive")
    store(database, opening("d", started_ms=NOW - 25 * 3600 * 1000), writer="elsewhere")
    ledger, moment = Ledger(database, CALENDAR), datetime.fromtimestamp(NOW / 1000, UTC)
    assert ledger.settle_lost(lambda writer: writer == "dead", moment) == 3
    assert ledger.settle_lost(lambda writer: writer == "dead", moment) == 0
    assert states(database) == {"a": "lost", "b": "lost", "c": "started", "d": "lost"}
    assert ledger.charges(["a", "b", "c", "d", "unknown"]) == dict.fromkeys("abcd", Charge(40, 4))
    store(database, settlement("a"))
    assert ledger.charges(["a"])["a"].tokens == 40, "lost stays lost"


def test_budgets_sum_their_own_scope_and_window_only(database: sa.Engine) -> None:
    store(
        database,
        opening("a", team_id="t", model="default"), settlement("a"),
        opening("b", team_id="t", key_id="other", day="2023-11-01"), settlement("b", prompt_tokens=100),
        opening("c", team_id="t", day="2023-10-31"), settlement("c", prompt_tokens=1000),
        opening("d", team_id="t"),
        opening("e", attempt=2, team_id="t"), settlement("e", attempt=2, prompt_tokens=0, completion_tokens=0, micro_yen=0),
    )  # fmt: skip

    def used(scope: Scope, window: Any, kind: Any) -> int:
        claim = Claim.of(Level(scope, kind, window, 1), CALENDAR.span(window, NOW / 1000), 0, 0)
        return Ledger(database, CALENDAR).used([claim])[0]

    assert used(Scope(team="t"), "day", "tokens") == 15 + 40
    assert used(Scope(team="t"), "month", "tokens") == 15 + 40 + 105
    assert used(Scope(key="k"), "month", "micro_yen") == 70 + 4
    assert used(Scope(key="k", model="default"), "month", "tokens") == 15
    assert used(Scope(model="qwen"), "day", "requests") == 2
    assert used(Scope(), "month", "tokens") == 160
    assert used(Scope(key="nobody"), "month", "tokens") == 0


def test_each_group_sums_to_the_same(database: sa.Engine) -> None:
    store(database, opening("a"), settlement("a"), opening("b", app="x"), settlement("b", outcome="blocked"))
    for by in GROUPS:
        lines = usage(database, by, "2023-11-15", "2023-11-16")
        totals = [sum(getattr(line, name) for line in lines) for name in ("requests", "refused", "micro_yen")]
        assert totals == [2, 1, 140]
        assert usage(database, by, "2023-11-16") == []


def test_every_price_list_is_remembered_once(database: sa.Engine) -> None:
    prices, ledger = Prices({"m": {"prompt": Decimal("1.5")}}), Ledger(database, CALENDAR)
    for listed in (prices, prices, Prices({})):
        ledger.remember(listed)
    with database.connect() as connection:
        assert connection.execute(sa.select(PRICES.c.version)).scalars().all() == [prices.version]


def test_readings_are_compared_with_the_rows_settled_between_them(database: sa.Engine) -> None:
    readings = Readings(database)
    readings.keep([Reading("engine", NOW, {"qwen": (100, 50)}), Reading("mute", NOW, None, "cannot be asked")])
    store(database, opening("a"), settlement("a"), opening("b"), settlement("b", settled_ms=NOW - 1), opening("c"))
    row, mute = readings.compare(
        [Reading("engine", NOW + 10, {"qwen": (110, 55), "lora": (3, 0)}), Reading("mute", NOW + 10, None, "is mute")]
    )
    assert row["difference"] == {"prompt_tokens": 3, "completion_tokens": 0}
    assert (row["requests"], row["open"], row["lost"]) == (1, 1, 0)
    assert mute["since"] is None and mute["problem"] == "is mute"
