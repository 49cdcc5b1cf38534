"""The pure parts of routing, by property: breaker, retry budget, stable choices, picking."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.addresses import GuardedResolver, base_url
from gateway.routing.breaker import Breaker, BreakerPolicy
from gateway.routing.budget import RetryBudget
from gateway.routing.hashing import fraction, ranked
from gateway.routing.picking import AFFINITY_SLACK, load, pick
from gateway.routing.plan import Plan, Target
from gateway.routing.upstream import Upstream
from kakehashi.errors import ConfigError

POLICY = BreakerPolicy(failures=3, open_s=5, longest_s=20)
STEPS = st.lists(st.tuples(st.sampled_from(["begin", "ok", "fail", "unknown"]), st.floats(0, 8)), max_size=80)


class TestBreaker:
    def test_opens_rests_tries_once_and_closes(self) -> None:
        breaker = Breaker(POLICY)
        for _ in range(3):
            breaker.failed(breaker.begin(), now=0)
        assert breaker.state(0) == "open" and not breaker.allows(4.9)
        assert breaker.state(5) == "half_open" and breaker.allows(5)
        trial = breaker.begin()
        assert not breaker.allows(5), "one trial at a time"
        breaker.succeeded(trial)
        assert breaker.state(5) == "closed" and breaker.allows(5)

    def test_rests_twice_as_long_after_each_failed_trial_up_to_a_limit(self) -> None:
        breaker, now, rests = Breaker(POLICY), 0.0, []
        for _ in range(3):
            breaker.failed(breaker.begin(), now)
        for _ in range(4):
            rests.append(breaker.until - now)
            now = breaker.until
            breaker.failed(breaker.begin(), now)
        assert rests == [5, 10, 20, 20]

    def test_a_success_in_between_starts_the_count_again(self) -> None:
        breaker = Breaker(POLICY)
        for _ in range(10):
            breaker.failed(breaker.begin(), 0)
            breaker.failed(breaker.begin(), 0)
            breaker.succeeded(breaker.begin())
        assert breaker.state(0) == "closed"

    def test_what_was_sent_before_the_opening_says_nothing_after_it(self) -> None:
        breaker = Breaker(POLICY)
        early = [breaker.begin() for _ in range(5)]
        for permit in early[:3]:
            breaker.failed(permit, 0)
        breaker.succeeded(early[3])
        breaker.failed(early[4], 1)
        assert breaker.state(1) == "open" and breaker.until == 5

    def test_a_trial_whose_client_left_makes_room_for_another(self) -> None:
        breaker = Breaker(POLICY)
        for _ in range(3):
            breaker.failed(breaker.begin(), 0)
        breaker.unknown(breaker.begin())
        assert breaker.allows(5)

    @given(STEPS)
    def test_whatever_happens_it_never_lets_two_trials_through_and_never_stays_shut(
        self, steps: list[tuple[str, float]]
    ) -> None:
        breaker, now, under_way = Breaker(POLICY), 0.0, []
        for step, pause in steps:
            now += pause
            if step == "begin":
                if breaker.allows(now):
                    half = breaker.state(now) == "half_open"
                    under_way.append(breaker.begin())
                    assert not (half and breaker.allows(now))
            elif under_way:
                permit = under_way.pop(0)
                if step == "fail":
                    breaker.failed(permit, now)
                else:
                    (breaker.succeeded if step == "ok" else breaker.unknown)(permit)
            assert breaker.until - now <= POLICY.longest_s
            if breaker.state(now) == "open":
                assert not breaker.allows(now)
        for permit in under_way:
            breaker.unknown(permit)
        assert breaker.allows(now + POLICY.longest_s)


@given(st.lists(st.booleans(), max_size=400), st.floats(0, 0.5))
def test_further_attempts_never_exceed_the_reserve_and_the_share_of_successes(steps: list[bool], share: float) -> None:
    budget, granted, successes = RetryBudget(share, reserve=5), 0, 0
    for success in steps:
        if success:
            budget.earn()
            successes += 1
        else:
            granted += budget.take()
        assert granted <= 5 + share * successes + 1e-9
    assert budget.refused == steps.count(False) - granted


PEOPLE = [f"user{number}" for number in range(2_000)]


def side(weights: dict[str, float], person: str) -> str:
    plan = Plan("a", tuple(Target(model, weight) for model, weight in weights.items()))
    return plan.hops(lambda sticky: person)[0].model


class TestCanary:
    def test_shares_are_as_the_weights_say(self) -> None:
        counts = Counter(side({"stable": 90, "canary": 10}, person) for person in PEOPLE)
        assert 0.08 < counts["canary"] / len(PEOPLE) < 0.12

    @given(st.floats(0, 100), st.floats(0, 100), st.sampled_from(PEOPLE))
    def test_a_growing_weight_moves_people_in_one_direction_only(self, one: float, other: float, person: str) -> None:
        less, more = sorted((one, other))
        before = side({"stable": 100 - less, "canary": less}, person)
        after = side({"stable": 100 - more, "canary": more}, person)
        assert (before, after) != ("canary", "stable")

    @given(st.lists(st.floats(0.01, 100), min_size=2, max_size=5), st.floats(1, 50), st.data())
    def test_a_target_that_grows_only_wins_people(self, weights: list[float], more: float, data: Any) -> None:
        at, person = data.draw(st.integers(0, len(weights) - 1)), data.draw(st.sampled_from(PEOPLE))
        before = side({f"m{i}": w for i, w in enumerate(weights)}, person)
        after = side({f"m{i}": w + (more if i == at else 0) for i, w in enumerate(weights)}, person)
        assert after in (before, f"m{at}")

    def test_with_no_weight_nobody_is_there_and_with_all_of_it_everybody(self) -> None:
        assert {side({"stable": 1, "canary": 0}, person) for person in PEOPLE} == {"stable"}
        assert {side({"stable": 0, "canary": 1}, person) for person in PEOPLE} == {"canary"}

    def test_the_stable_target_stands_in_for_the_canary_and_not_the_other_way(self) -> None:
        plan = Plan("a", (Target("stable", 0), Target("canary", 1)))
        assert [(h.model, h.canary, bool(h.fallback)) for h in plan.hops(str)] == [
            ("canary", True, False),
            ("stable", False, True),
        ]

    def test_two_routes_do_not_try_everything_on_the_same_people(self) -> None:
        def canaries(alias: str) -> set[str]:
            plan = Plan(alias, (Target("s", 90), Target("c", 10)))
            return {person for person in PEOPLE if plan.hops(lambda sticky, p=person: p)[0].canary}  # type: ignore[misc]

        assert len(canaries("a") & canaries("b")) < 60


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6), st.binary(max_size=20))
def test_a_fraction_is_one(parts: list[str], raw: bytes) -> None:
    assert 0 < fraction(*parts, raw) < 1
    assert fraction("ab", "c") != fraction("a", "bc")


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.binary(min_size=1, max_size=8))
def test_affinity_never_overloads(in_flight: list[int], prompt: bytes) -> None:
    upstreams = [Upstream(f"u{i}", "http://h", in_flight=n, weight=1 + i % 2) for i, n in enumerate(in_flight)]
    picked = pick(upstreams, lambda: prompt)
    assert load(picked) <= min(map(load, upstreams)) + AFFINITY_SLACK
    assert picked is pick(upstreams[::-1], lambda: prompt), "the order in the settings says nothing"


def test_prompts_that_begin_alike_stay_together_and_others_spread() -> None:
    upstreams = [Upstream(f"u{i}", "http://h") for i in range(3)]
    places = [pick(upstreams, lambda n=n: b"prompt %d" % n).name for n in range(600)]  # type: ignore[misc]
    assert places == [pick(upstreams, lambda n=n: b"prompt %d" % n).name for n in range(600)]  # type: ignore[misc]
    assert min(Counter(places).values()) > 150
    without = [pick(upstreams[:2], lambda n=n: b"prompt %d" % n).name for n in range(600)]  # type: ignore[misc]
    assert all(now == before for now, before in zip(without, places, strict=True) if before != "u2")


def test_a_single_upstream_costs_no_hashing() -> None:
    def never() -> bytes:
        raise AssertionError

    assert pick([upstream := Upstream("u", "http://h")], never) is upstream
    assert ranked([("a", 0.0), ("b", 1.0)], "x")[0] == "b"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/v1", "http://[fe80::1]/v1", "http://[::ffff:169.254.169.254]/v1", "http://0.0.0.0/v1",
        "http://metadata.google.internal/v1", "http://METADATA/v1", "http://[fd00:ec2::254]/", "http://224.0.0.1/",
    ],
)  # fmt: skip
def test_a_metadata_service_is_no_model_server(url: str) -> None:
    with pytest.raises(ConfigError):
        base_url(url)


@pytest.mark.parametrize("name", ["2852039166", "0xa9fea9fe", "169.254.43518"])
async def test_a_name_that_resolves_to_a_metadata_service_is_not_connected_to(name: str) -> None:
    """Other ways to write 169.254.169.254, which only the resolver sees through."""
    with pytest.raises(OSError, match="not allowed"):
        await GuardedResolver().resolve(name, 80)
    assert (await GuardedResolver().resolve("localhost", 80))[0]["host"] == "127.0.0.1"
