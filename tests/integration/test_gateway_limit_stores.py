"""One contract for both stores of limits, in memory and in Redis: never above a limit, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.errors import Unavailable
from gateway.limits.memory import MemoryLimits
from gateway.limits.shared import RedisLimits
from gateway.limits.window import (
    KEEP_S,
    Calendar,
    Claim,
    Kind,
    Level,
    LimitStore,
    Refusal,
    Reservation,
    Scope,
    Unseeded,
    Window,
)

REDIS = os.environ.get("KAKEHASHI_TEST_REDIS", "redis://127.0.0.1:6379/15")
NOW = 1_700_000_040.0  # the first second of a minute
CALENDAR = Calendar()


@pytest.fixture
def prefix() -> Iterator[str]:
    """A prefix of this test's own in Redis, emptied afterwards. Skips without Redis."""
    client = redis.Redis.from_url(REDIS, socket_connect_timeout=2)
    try:
        client.ping()
    except redis.ConnectionError as error:
        pytest.skip(f"Redis does not run here ({REDIS}): {error}")
    name = f"{{test}}:{uuid.uuid4().hex[:12]}"
    yield name
    for key in client.scan_iter(f"{name}*"):
        client.delete(key)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LimitStore]:
    if request.param == "memory":
        made: LimitStore = MemoryLimits()
    else:
        made = RedisLimits(REDIS, request.getfixturevalue("prefix"))
    yield made
    await made.close()


def claim(
    amount: int = 1,
    limit: int = 100,
    *,
    kind: Kind = "tokens",
    window: Window = "minute",
    key: str = "k",
    now: float = NOW,
    lost: int = 0,
) -> Claim:
    return Claim.of(Level(Scope(key=key), kind, window, limit), CALENDAR.span(window, now), amount, lost)


async def reserve(store: LimitStore, lease: str, *claims: Claim, now: float = NOW) -> Reservation | Refusal | Unseeded:
    return await store.reserve(lease, claims, now, now + 60)


async def used(store: LimitStore, asked: Claim) -> int | None:
    return (await store.used([asked]))[0]


async def test_what_was_reserved_is_replaced_by_what_was_used(store: LimitStore) -> None:
    first = await reserve(store, "a", claim(80))
    assert isinstance(first, Reservation) and first.used == (80,)
    refused = await reserve(store, "b", claim(30))
    assert isinstance(refused, Refusal) and refused.claim == claim(30) and refused.used == (80,)
    await store.settle("a", [(claim(80).hold, 10)])
    assert await used(store, claim()) == 10
    assert isinstance(await reserve(store, "b", claim(90)), Reservation)
    assert isinstance(await reserve(store, "c", claim(90, now=NOW + 60), now=NOW + 60), Reservation)


async def test_all_levels_are_taken_or_none(store: LimitStore) -> None:
    wide, narrow = claim(limit=10, key="team"), claim(limit=1)
    assert isinstance(await reserve(store, "a", wide, narrow), Reservation)
    refusal = await reserve(store, "b", wide, narrow)
    assert isinstance(refusal, Refusal) and (refusal.claim, refusal.used) == (narrow, (1, 1))


@pytest.mark.parametrize(("kind", "window"), [("requests", "minute"), ("tokens", "day"), ("concurrency", "now")])
async def test_no_overshoot_under_two_hundred_at_once(store: LimitStore, kind: Kind, window: Window) -> None:
    one = claim(limit=37, kind=kind, window=window)
    await store.seed([(one, 0)], NOW)
    outcomes = await asyncio.gather(*(reserve(store, f"r{i}", one) for i in range(200)))
    assert sum(isinstance(outcome, Reservation) for outcome in outcomes) == 37


async def test_budgets_must_be_seeded_and_are_so_once(store: LimitStore) -> None:
    budget, minute = claim(30, window="month"), claim(1, kind="requests")
    assert await reserve(store, "a", minute, budget) == Unseeded((budget,))
    assert await used(store, minute) in (None, 0), "nothing was counted"
    await store.seed([(budget, 65)], NOW)
    await store.seed([(budget, 0)], NOW)
    assert isinstance(await reserve(store, "a", minute, budget), Reservation)
    assert isinstance(await reserve(store, "b", minute, budget), Refusal)


async def test_settling_twice_counts_once(store: LimitStore) -> None:
    taken = claim(50, lost=20, kind="tokens")
    await reserve(store, "a", taken)
    await store.settle("a", [(taken.hold, 20)])
    await store.settle("a", [(taken.hold, 20)])  # as lost: no difference to make good
    assert await used(store, taken) == 20


async def test_a_window_that_is_over_is_not_brought_back_by_a_late_settlement(store: LimitStore) -> None:
    over = claim(50, now=NOW - 10 * KEEP_S)
    await store.settle("a", [(over.hold, 90)])
    assert await used(store, over) is None


async def test_an_expired_lease_is_given_back_once_and_its_owner_may_still_settle(store: LimitStore) -> None:
    taken, place = claim(50, lost=20), claim(1, 1, kind="concurrency", window="now")
    await reserve(store, "a", taken, place)
    assert await store.expired(NOW + 59) == []
    assert [lease.id for lease in await store.expired(NOW + 60)] == ["a"]
    await store.renew(["a", "unknown"], NOW + 120)
    assert await store.expired(NOW + 119) == []
    [lease] = await store.expired(NOW + 120)
    assert lease.holds == (taken.hold, place.hold)
    for _ in range(2):  # two gateways find it at the same time
        await store.release(lease, [20, 0])
    assert (await used(store, taken), await used(store, place)) in ((20, 0), (20, None))
    await store.settle("a", [(taken.hold, 33), (place.hold, 0)])  # it only stood still
    assert await used(store, taken) == 33
    await store.renew(["a"], NOW + 300)
    assert await store.expired(NOW + 300) == [], "a lease that is gone stays gone"


async def test_an_emptied_store_takes_the_settlement_of_what_it_forgot(store: LimitStore) -> None:
    """Seeded again from the ledger, it counts the request as if it were lost; the settlement makes that good."""
    budget = claim(50, lost=20, window="day")
    await store.seed([(budget, 20)], NOW)
    await store.settle("a", [(budget.hold, 45)])
    assert await used(store, budget) == 45


class Limits(RuleBasedStateMachine):
    """Random requests on two keys of one team, against a plain model of what should be counted."""

    store: LimitStore
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.run = uuid.uuid4().hex[:8]
        self.now, self.number = NOW, 0
        self.open: dict[str, tuple[Reservation, float]] = {}
        self.settled: dict[str, int] = {}

    def do(self, step: Any) -> Any:
        return self.loop.run_until_complete(step)

    def claims(self, key: str, tokens: int) -> list[Claim]:
        team = f"{self.run}team"
        return [
            claim(1, 3, kind="concurrency", window="now", key=team),
            claim(tokens, 50, key=self.run + key, now=self.now, lost=tokens // 2),
            claim(tokens, 90, window="day", key=team, now=self.now, lost=tokens // 2),
        ]

    @rule(key=st.sampled_from("ab"), tokens=st.integers(0, 40))
    def reserve(self, key: str, tokens: int) -> None:
        asked, self.number = self.claims(key, tokens), self.number + 1
        lease = f"{self.run}{self.number}"
        outcome = self.do(reserve(self.store, lease, *asked, now=self.now))
        if isinstance(outcome, Unseeded):
            row = outcome.claims[0].hold.row
            self.do(self.store.seed([(c, self.settled.get(row, 0)) for c in outcome.claims], self.now))
            outcome = self.do(reserve(self.store, lease, *asked, now=self.now))
        fits = all(self.expected(c) + c.hold.amount <= c.level.limit for c in asked)
        assert isinstance(outcome, Reservation) == fits
        if isinstance(outcome, Reservation):
            self.open[lease] = (outcome, self.now + 60)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.floats(0, 1))
    def settle(self, data: st.DataObject, share: float) -> None:
        lease = data.draw(st.sampled_from(sorted(self.open)))
        reservation, _ = self.open.pop(lease)
        self.charge(
            reservation, lambda hold: 0 if hold.kind == "concurrency" else int(hold.amount * share), self.store.settle
        )

    @rule(seconds=st.sampled_from([1, 20, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def expired_leases_are_released(self) -> None:
        for lease in self.do(self.store.expired(self.now)):
            if lease.id in self.open:
                _, until = self.open.pop(lease.id)
                assert until <= self.now
                charges = [hold.lost for hold in lease.holds]
                self.do(self.store.release(lease, charges))
                for hold in lease.holds:
                    self.settled[hold.row] = self.settled.get(hold.row, 0) + hold.lost

    def charge(self, reservation: Reservation, amount: Any, settle: Any) -> None:
        charges = [(c.hold, amount(c.hold)) for c in reservation.claims]
        self.do(settle(reservation.lease, charges))
        for hold, actual in charges:
            self.settled[hold.row] = self.settled.get(hold.row, 0) + actual

    def expected(self, asked: Claim) -> int:
        held = sum(c.hold.amount for r, _ in self.open.values() for c in r.claims if c.hold.row == asked.hold.row)
        return self.settled.get(asked.hold.row, 0) + held

    @invariant()
    def the_store_counts_what_was_settled_and_what_is_held_and_never_goes_above_a_limit(self) -> None:
        for asked in self.claims("a", 0) + self.claims("b", 0):
            counted = self.do(used(self.store, asked)) or 0
            assert counted == self.expected(asked) <= asked.level.limit


@pytest.mark.parametrize("kind", ["memory", pytest.param("redis", marks=pytest.mark.redis)])
def test_any_course_of_events(kind: str, request: pytest.FixtureRequest) -> None:
    with asyncio.Runner() as runner:
        Limits.loop = runner.get_loop()
        Limits.store = MemoryLimits() if kind == "memory" else RedisLimits(REDIS, request.getfixturevalue("prefix"))
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Limits,
            settings=settings(
                max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        runner.run(Limits.store.close())


@pytest.mark.redis
async def test_replicas_share_their_windows(prefix: str) -> None:
    one, other = RedisLimits(REDIS, prefix), RedisLimits(REDIS, prefix)
    assert isinstance(await reserve(one, "a", claim(limit=1)), Reservation)
    assert isinstance(await reserve(other, "b", claim(limit=1)), Refusal)
    await one.close()
    await other.close()


async def test_redis_that_is_gone_refuses_rather_than_forgets() -> None:
    store = RedisLimits("redis://127.0.0.1:1/0")
    for ask in (store.ping(), reserve(store, "a", claim())):
        with pytest.raises(Unavailable) as caught:
            await ask
        assert caught.value.code == "limits_unavailable"
    await store.close()
