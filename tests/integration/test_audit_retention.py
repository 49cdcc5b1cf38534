"""Deleting content and records: recorded, stopped by legal holds, and the chains still verify."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import sqlalchemy as sa

from gateway.audit import retention
from gateway.audit.clock import EntryClock
from gateway.audit.crypto import Vault
from gateway.audit.retaining import Retaining
from gateway.audit.search import Query
from gateway.audit.shown import read_body
from gateway.audit.tables import ENTRIES, KEYS, SEALS
from gateway.audit.writer import Writer, draft
from kakehashi.errors import BadInput, ConfigError
from tests.helpers.audit import Setup, intent, outcome

DAY = timedelta(days=1)


def write_days(setup: Setup, days: int, requests: int = 3, team: str = "審査部") -> str:
    """A chain that begins so many days ago, with some requests each day up to today."""
    setup.store.create()
    now = [datetime.now(UTC) - days * DAY]
    writer = Writer(setup.store, setup.home, "gateway", clock=EntryClock(lambda: now[0]))
    for back in range(days, -1, -1):
        now[0] = datetime.now(UTC) - back * DAY
        for number in range(requests):
            request_id = f"{team}-{back}-{number}"
            writer.append([draft(intent(request_id, team, b"question"))])
            writer.append([draft(outcome(request_id, b"answer"), team)])
    writer.close()
    return writer.name


def days_ago(days: int) -> str:
    return (datetime.now(UTC) - days * DAY).date().isoformat()


def bodies(setup: Setup) -> set[str]:
    """The requests whose bodies can still be read."""
    vault = Vault.open(setup.home.secrets)
    return {row.request_id for row in setup.store.find() if row.body is not None and read_body(setup.store, vault, row)}


def kinds(setup: Setup) -> list[str]:
    return [row.kind for row in setup.store.find()]


def test_bodies_of_old_days_are_erased_and_their_space_given_back(setup: Setup) -> None:
    write_days(setup, 3, 1)
    erased = retention.purge(setup.store, setup.record, days_ago(1))
    assert len(erased) == 2 and bodies(setup) == {"審査部-1-0", "審査部-0-0"}
    with setup.engine.connect() as connection:
        left = connection.execute(sa.select(sa.func.count()).where(ENTRIES.c.body.is_not(None))).scalar()
    assert left == 4
    assert setup.verify().problems == []
    assert retention.purge(setup.store, setup.record, days_ago(1)) == []
    assert kinds(setup).count("purge") == 1


def test_a_hold_keeps_bodies_and_records_until_it_is_released(setup: Setup) -> None:
    write_days(setup, 4, 1)
    hold = retention.add_hold(
        setup.store,
        setup.record,
        tenant="審査部",
        first_day=days_ago(3),
        last_day=days_ago(3),
        reason="訴訟",
        by="法務",
    )
    retention.purge(setup.store, setup.record, days_ago(1))
    assert bodies(setup) == {"審査部-3-0", "審査部-1-0", "審査部-0-0"}
    assert retention.erase(setup.store, setup.record, Query(user="佐藤"), "依頼").held == 2
    removed = retention.seal_before(setup.store, setup.record, setup.signer, days_ago(1))
    assert sum(removed.values()) == 3, "the fourth day back, and the beginning"
    assert "審査部-3-0" in bodies(setup)
    retention.release_hold(setup.store, setup.record, hold.id, "法務")
    with pytest.raises(BadInput):
        retention.release_hold(setup.store, setup.record, hold.id, "法務")
    retention.purge(setup.store, setup.record, days_ago(1))
    assert bodies(setup) == set()
    assert setup.verify().problems == []
    [past] = retention.holds(setup.store, released=True)
    assert past.released_at and retention.holds(setup.store) == []


def test_the_bodies_of_one_person_are_removed_and_those_of_others_stay(setup: Setup) -> None:
    writer_name = write_days(setup, 0, 2)
    writer = Writer(setup.store, setup.home, "gateway")
    writer.append([draft(replace(intent("other", "審査部", b"q"), user="田中"))])
    writer.close()
    assert writer.name == writer_name
    done = retention.erase(setup.store, setup.record, Query(user="佐藤"), "本人の依頼")
    assert (done.bodies, done.held) == (4, 0)
    assert bodies(setup) == {"other"}
    assert setup.verify().problems == []
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.request_id == "other").values(body=None))
    assert ["without its key" in p.what for p in setup.verify().problems] == [True], "only what was recorded is excused"


def test_records_go_under_a_seal_and_what_remains_verifies(setup: Setup) -> None:
    name = write_days(setup, 5, 3)
    before = setup.verify()
    removed = retention.seal_before(setup.store, setup.record, setup.signer, days_ago(2))
    report = setup.verify()
    assert report.problems == [] and report.sealed == {name: removed[name]}
    assert report.entries == before.entries - removed[name] + 2, "and the record of it, in a chain of its own"
    oldest = setup.store.find()[0]
    assert oldest.time[:10] >= days_ago(2)
    again = retention.seal_before(setup.store, setup.record, setup.signer, days_ago(1))
    assert again[name] == 7 and setup.verify().problems == []
    setup.write(1)
    assert setup.verify().ok, "the chain goes on"


def test_the_last_record_of_a_chain_always_stays(setup: Setup) -> None:
    name = write_days(setup, 0, 1)
    retention.seal_before(setup.store, setup.record, setup.signer, "9999-01-01")
    assert setup.verify().problems == []
    assert [row.kind for row in setup.store.rows(name)] == ["outcome"]


def test_a_forged_seal_and_what_returns_under_one_are_found(setup: Setup) -> None:
    name = write_days(setup, 3, 2)
    rows = list(setup.store.rows(name))
    retention.seal_before(setup.store, setup.record, setup.signer, days_ago(1))
    setup.store.append([rows[2]])
    assert any("before the chain's beginning" in p.what for p in setup.verify().problems)
    setup.sql(sa.delete(ENTRIES).where(ENTRIES.c.writer == name, ENTRIES.c.seq == rows[2].seq))
    assert setup.verify().ok
    last = setup.store.last(name)
    assert last is not None
    forged = {"seq": last.seq - 1, "hash": list(setup.store.rows(name))[-2].hash}
    setup.sql(sa.update(SEALS).values(**forged))
    setup.sql(sa.delete(ENTRIES).where(ENTRIES.c.writer == name, ENTRIES.c.seq < last.seq))
    assert any("seal over removed entries is not signed" in p.what for p in setup.verify().problems)


def test_a_sealed_chain_that_vanishes_is_missed(setup: Setup) -> None:
    name = write_days(setup, 3, 1)
    retention.seal_before(setup.store, setup.record, setup.signer, days_ago(1))
    setup.sql(sa.delete(ENTRIES).where(ENTRIES.c.writer == name))
    (setup.home.root / "audit" / f"{name}.head").unlink()
    assert any("vanished" in p.what for p in setup.verify().problems)


async def test_the_gateways_daily_round_does_what_the_settings_say(setup: Setup) -> None:
    write_days(setup, 6, 1)
    log = setup.log()
    await log.start()
    keys, removed = await Retaining(log, 2, 4).once(datetime.now(UTC))
    assert keys == 4 and removed > 0
    assert await Retaining(log, 2, 4).once(datetime.now(UTC)) == (0, 0)
    await log.close()
    assert bodies(setup) == {"審査部-2-0", "審査部-1-0", "審査部-0-0"}
    assert setup.verify().problems == []
    [seal] = [orjson.loads(row.entry)["data"] for row in setup.store.find() if row.kind == "seal"]
    assert seal["before"] == days_ago(4)


async def test_records_cannot_go_before_their_bodies(setup: Setup) -> None:
    for body_days, entry_days in ((None, 10), (20, 10)):
        with pytest.raises(ConfigError):
            Retaining(setup.log(), body_days, entry_days)


def test_a_day_whose_key_was_erased_gets_another(setup: Setup) -> None:
    """The clock went back to a day whose bodies were erased: its new bodies must not be lost, nor stop the log."""
    write_days(setup, 0, 1)
    retention.erase_keys(setup.store, retention.keys_before(setup.store, "9999-12-31"))
    write_days(setup, 0, 1, "審査部")
    assert len(bodies(setup)) == 1 and setup.verify().ok
    with setup.engine.connect() as connection:
        ids = sorted(connection.execute(sa.select(KEYS.c.id)).scalars())
    assert [one.partition("#")[2] for one in ids] == ["", "2"]
    assert retention.tenant_of(ids[1]) == "審査部"
