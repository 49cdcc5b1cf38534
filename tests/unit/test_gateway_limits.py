"""Limits: reserved on arrival, settled on use, a new window is a new row; what clients are told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.errors import QuotaExceeded, RateLimited
from gateway.identity.model import VirtualKey
from gateway.ledger.prices import Prices
from gateway.ledger.store import Charge
from gateway.limits.memory import MemoryLimits
from gateway.limits.meter import DEFAULT_ANSWER_TOKENS, LEASE_S, Meter, estimate_tokens
from gateway.limits.spec import Limits, Rules
from gateway.limits.window import KEEP_S, MINUTE_S, Calendar, Claim, Level, Scope
from kakehashi.errors import ConfigError

NOW = 1_700_000_040.0  # the first second of a minute; 07:14 in Tokyo on 2023-11-15
KEY = VirtualKey(
    "key_1", "n", "kk_abc", "", "", None, None, None, None, False, datetime(2026, 1, 1, tzinfo=UTC), None, None
)  # fmt: skip


def key(**limits: int | None) -> VirtualKey:
    return replace(KEY, **limits)  # type: ignore[arg-type]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Books:
    """A ledger that says what it is told to."""

    def __init__(self) -> None:
        self.spent, self.known, self.asked = 0, dict[str, Charge](), 0

    def used(self, claims: Sequence[Claim]) -> list[int]:
        self.asked += 1
        return [self.spent] * len(claims)

    def charges(self, request_ids: list[str]) -> dict[str, Charge]:
        return {name: self.known[name] for name in request_ids if name in self.known}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def meter(clock: Clock, books: Books) -> Meter:
    prices = Prices({"qwen": {"prompt": Decimal(10), "completion": Decimal(30)}})
    return Meter(MemoryLimits(), clock, books=books, prices=prices)


async def left(meter: Meter, who: VirtualKey, kind: str = "tokens") -> int:
    """What the headers say is left, after a request of one token that is then taken back."""
    admission = await meter.admit(who, lambda: 0, 0)
    headers = meter.headers(admission.reservation)
    await meter.settle(admission, 0)
    return int(headers[f"x-ratelimit-remaining-{kind}"])


async def test_a_key_without_limits_is_not_counted(meter: Meter) -> None:
    admission = await meter.admit(key(), lambda: 1, 10)
    assert admission.reservation is None and meter.headers(None) == {}


async def test_requests_over_the_limit_are_refused_until_the_next_minute(meter: Meter, clock: Clock) -> None:
    for _ in range(2):
        await meter.admit(key(rpm=2), lambda: 1, 1)
    with pytest.raises(RateLimited, match="The key's limit of 2 requests per minute") as caught:
        await meter.admit(key(rpm=2), lambda: 1, 1)
    assert caught.value.headers["retry-after"] == "60"
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "0"
    assert caught.value.type == "rate_limit_error" and caught.value.code == "rate_limit_exceeded"
    clock.now += MINUTE_S
    assert (await meter.admit(key(rpm=2), lambda: 1, 1)).reservation


async def test_tokens_are_reserved_before_and_settled_after(meter: Meter) -> None:
    first = await meter.admit(key(tpm=100), lambda: 10, 60)
    assert meter.headers(first.reservation)["x-ratelimit-remaining-tokens"] == "30"
    with pytest.raises(RateLimited, match="tokens"):
        await meter.admit(key(tpm=100), lambda: 10, 60)
    await meter.settle(first, 20)
    second = await meter.admit(key(tpm=100), lambda: 10, 60)
    assert meter.headers(second.reservation)["x-ratelimit-remaining-tokens"] == "10"


async def test_what_nobody_counted_leaves_the_minute_s_reservation_and_charges_budgets_as_the_ledger(
    meter: Meter,
) -> None:
    limited = key(tpm=100, tokens_per_day=1000)
    first = await meter.admit(limited, lambda: 10, 20)
    await meter.settle(first, 10, known=False)
    claims = dict(zip(("minute", "day"), await meter.standing(meter.levels(limited, ())), strict=True))
    assert (claims["minute"][1], claims["day"][1]) == (30, 10)


async def test_overuse_is_charged(meter: Meter) -> None:
    second = await meter.admit(key(tpm=100), lambda: 10, 20)
    await meter.settle(second, 95)
    with pytest.raises(RateLimited):
        await meter.admit(key(tpm=100), lambda: 10, 1)


async def test_a_request_larger_than_the_limit_itself_says_so_and_not_try_again(meter: Meter) -> None:
    with pytest.raises(RateLimited, match="more than the key's 50 tokens per minute") as caught:
        await meter.admit(key(tpm=50), lambda: 10, 60)
    assert caught.value.headers["x-should-retry"] == "false" and caught.value.code == "request_exceeds_limit"
    assert "retry-after" not in caught.value.headers


async def test_an_answer_of_unknown_length_does_not_lock_a_small_key_out(meter: Meter) -> None:
    small = await meter.admit(key(tpm=50), lambda: 10, None)
    assert small.reservation and small.reservation.claims[0].hold.amount == 50
    large = await meter.admit(key(tokens_per_day=10**6), lambda: 10, None)
    assert large.reservation and large.reservation.claims[0].hold.amount == 10 + DEFAULT_ANSWER_TOKENS


async def test_settling_a_window_that_is_over_changes_no_other(meter: Meter, clock: Clock) -> None:
    old = await meter.admit(key(tpm=100), lambda: 50, 0)
    clock.now += MINUTE_S
    await meter.admit(key(tpm=100), lambda: 50, 0)
    await meter.settle(old, 0)
    with pytest.raises(RateLimited):
        await meter.admit(key(tpm=100), lambda: 60, 0)


async def test_a_budget_of_the_day_is_told_as_openai_tells_quotas(meter: Meter, clock: Clock) -> None:
    await meter.settle(await meter.admit(key(tokens_per_day=100), lambda: 50, 0), 100)
    with pytest.raises(QuotaExceeded, match="limit of 100 tokens per day is used up") as caught:
        await meter.admit(key(tokens_per_day=100), lambda: 50, 0)
    error = caught.value
    assert (error.status, error.type, error.code) == (429, "insufficient_quota", "insufficient_quota")
    assert "2023-11-16 00:00 (Asia/Tokyo)" in error.message
    assert int(error.headers["retry-after"]) == 86_400 - 7 * 3600 - 14 * 60
    assert error.headers["x-should-retry"] == "false"
    clock.now += int(error.headers["retry-after"])
    assert (await meter.admit(key(tokens_per_day=100), lambda: 50, 0)).reservation


async def test_yen_are_reserved_at_the_model_s_price(meter: Meter) -> None:
    poor = key(yen_per_month=1)  # a yen buys 100,000 prompt tokens at 10 yen a million
    admission = await meter.admit(poor, lambda: 70_000, 10_000, models=("default", "qwen"))
    assert admission.reservation and admission.reservation.used == (1_000_000,)
    with pytest.raises(QuotaExceeded, match=r"limit of 1 yen per month"):
        await meter.admit(poor, lambda: 1, 0, models=("qwen",))
    await meter.settle(admission, 5, 50)
    assert (await meter.admit(poor, lambda: 1, 0, models=("free",))).price.cost(1, 1) == 0


async def test_requests_at_the_same_time_are_bounded_and_given_back(meter: Meter) -> None:
    first = await meter.admit(key(concurrency=1), lambda: 1, 1)
    with pytest.raises(RateLimited, match="limit of 1 requests at the same time") as caught:
        await meter.admit(key(concurrency=1), lambda: 1, 1)
    assert caught.value.headers["retry-after"] == "1"
    await meter.settle(first, 1)
    assert (await meter.admit(key(concurrency=1), lambda: 1, 1)).reservation


async def test_the_level_that_refuses_is_named(meter: Meter) -> None:
    member = replace(key(rpm=5), team_id="team_1", team="経理", team_limits=Limits(rpm=1))
    await meter.admit(member, lambda: 1, 1)
    with pytest.raises(RateLimited, match="The team '経理''s limit of 1 requests"):
        await meter.admit(member, lambda: 1, 1)
    other = replace(member, id="key_2")
    with pytest.raises(RateLimited, match="経理"):
        await meter.admit(other, lambda: 1, 1)


async def test_the_headers_are_those_of_the_level_with_the_least_left(meter: Meter) -> None:
    both = key(tpm=1000, tokens_per_day=500)
    admission = await meter.admit(both, lambda: 100, 0)
    headers = meter.headers(admission.reservation)
    assert (headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == ("500", "400")
    assert int(headers["x-ratelimit-reset-tokens"].removesuffix("s")) > 60


async def test_configured_limits_hold_for_models_and_for_each_key_on_one(books: Books) -> None:
    rules = Rules.of({"model:qwen": Limits(rpm=3), "key+model:qwen": Limits(rpm=2)})
    meter = Meter(MemoryLimits(), lambda: NOW, books=books, rules=rules)
    one, two = key(), replace(KEY, id="key_2")
    for who in (one, one):
        await meter.admit(who, lambda: 1, 1, models=("default", "qwen"))
    with pytest.raises(RateLimited, match="key on model 'qwen'"):
        await meter.admit(one, lambda: 1, 1, models=("qwen",))
    await meter.admit(two, lambda: 1, 1, models=("qwen",))
    with pytest.raises(RateLimited, match="model 'qwen''s limit of 3"):
        await meter.admit(two, lambda: 1, 1, models=("qwen",))
    assert (await meter.admit(two, lambda: 1, 1, models=("other",))).reservation is None


@pytest.mark.parametrize("name", ["key:x", "model:", "model", "everybody", "user:x"])
def test_a_limit_for_nobody_is_a_configuration_error(name: str) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.limits"):
        Rules.of({name: Limits(rpm=1)})


async def test_changed_limits_hold_at_once(meter: Meter) -> None:
    await meter.admit(key(rpm=1), lambda: 1, 1)
    assert (await meter.admit(key(rpm=2), lambda: 1, 1)).reservation
    assert (await meter.admit(key(), lambda: 1, 1)).reservation is None


async def test_budgets_begin_with_what_the_ledger_holds(meter: Meter, books: Books) -> None:
    books.spent = 90
    with pytest.raises(QuotaExceeded):
        await meter.admit(key(tokens_per_day=100, tpm=1000), lambda: 11, 0)
    assert (await meter.admit(key(tokens_per_day=100), lambda: 10, 0)).reservation
    assert books.asked == 1, "asked once a window, not for every request"


async def test_an_abandoned_request_gives_back_what_it_held_and_pays_what_the_ledger_says(
    meter: Meter, books: Books, clock: Clock
) -> None:
    limited = key(concurrency=1, tokens_per_day=1000)
    await meter.admit(limited, lambda: 100, 200, lease="req_dead")
    meter._live.clear()  # its process is gone
    clock.now += LEASE_S - 1
    await meter.keep()
    with pytest.raises(RateLimited, match="at the same time"):
        await meter.admit(limited, lambda: 1, 1)
    clock.now += 1
    books.known["req_dead"] = Charge(100, 0)
    await meter.keep()
    assert await left(meter, limited) == 900


async def test_a_request_under_way_keeps_its_lease(meter: Meter, clock: Clock) -> None:
    admission = await meter.admit(key(concurrency=1), lambda: 1, 1)
    for _ in range(10):
        clock.now += LEASE_S / 2
        await meter.keep()
    with pytest.raises(RateLimited):
        await meter.admit(key(concurrency=1), lambda: 1, 1)
    await meter.settle(admission, 1)
    assert (await meter.admit(key(concurrency=1), lambda: 1, 1)).reservation


async def test_memory_stays_flat() -> None:
    store, calendar = MemoryLimits(), Calendar()
    for minute in range(50):
        now = NOW + minute * MINUTE_S
        level = Level(Scope(key=f"k{minute}"), "requests", "minute", 1)
        claim = Claim.of(level, calendar.span("minute", now), 1, 1)
        held = Claim.of(Level(Scope(key=f"k{minute}"), "concurrency", "now", 1), calendar.span("now", now), 1, 0)
        await store.reserve(f"lease{minute}", [claim, held], now, now + 60)
        await store.settle(f"lease{minute}", [(claim.hold, 1), (held.hold, 0)])
    assert len(store._rows) <= 2 + KEEP_S / MINUTE_S and not store._leases


def test_days_and_months_begin_in_the_books_time_zone() -> None:
    calendar, utc = Calendar("Asia/Tokyo"), Calendar("UTC")
    before, after = (datetime(2026, 3, 31, 14, 59, 59, tzinfo=UTC), datetime(2026, 3, 31, 15, tzinfo=UTC))
    assert [calendar.date(m.timestamp()) for m in (before, after)] == ["2026-03-31", "2026-04-01"]
    assert [utc.date(m.timestamp()) for m in (before, after)] == ["2026-03-31"] * 2
    assert calendar.span("month", before.timestamp()).end == calendar.span("month", after.timestamp()).start
    back = calendar.span("day", before.timestamp())  # a clock that jumps back finds its day again
    assert (back.end - back.start, calendar.day_of(back.start)) == (86_400, "2026-03-31")


def test_prices_are_whole_numbers_rounded_up() -> None:
    prices = Prices({"a": {"prompt": Decimal("0.5"), "completion": Decimal(2)}, "*": {"audio": Decimal("1.2")}})
    assert prices.of("a").cost(1, 0) == 1 and prices.of("a").cost(3, 10) == 22
    assert prices.of("other").cost(100, 100) == 0 and prices.of("other").cost(0, 0, 30_000) == 600_000
    assert prices.of("alias", "a").prompt == 500
    changed = Prices({"a": {"prompt": Decimal("0.6")}})
    assert changed.version != prices.version != "" and Prices({}).version == ""


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("", 0, 1),
        ("hello world, this is plain English text", 8, 16),
        ("来週の火曜日までに見積書を送ってください。", 18, 24),
        ([{"role": "user", "content": "日本語"}], 3, 12),
        ({"url": "data:image/png;base64," + "A" * 100_000}, 100, 3000),
        (None, 0, 0),
    ],
)
def test_tokens_are_estimated_from_texts_only(value: object, low: int, high: int) -> None:
    assert low <= estimate_tokens(value) <= high
