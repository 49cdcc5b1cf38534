"""Limits per minute: reserved on arrival, settled on use, a new window is a new row."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RateLimited
from gateway.identity.model import VirtualKey
from gateway.limits.memory import MemoryLimits
from gateway.limits.meter import DEFAULT_ANSWER_TOKENS, Meter, estimate_tokens
from gateway.limits.window import WINDOW_S, Level, Refusal, Reservation

NOW = 1_700_000_040.0  # the first second of a minute
KEY = VirtualKey(
    "key_1", "n", "kk_abc", "", "", None, None, None, None, False, datetime(2026, 1, 1, tzinfo=UTC), None, None
)  # fmt: skip


def key(rpm: int | None = None, tpm: int | None = None) -> VirtualKey:
    return replace(KEY, rpm=rpm, tpm=tpm)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> Meter:
    return Meter(MemoryLimits(), clock)


async def test_a_key_without_limits_is_not_counted(meter: Meter) -> None:
    assert await meter.reserve(key(), lambda: 1, 10) is None
    assert meter.headers(None) == {}


async def test_requests_over_the_limit_are_refused_until_the_next_minute(meter: Meter, clock: Clock) -> None:
    for _ in range(2):
        await meter.reserve(key(rpm=2), lambda: 1, 1)
    with pytest.raises(RateLimited, match="2 requests per minute") as caught:
        await meter.reserve(key(rpm=2), lambda: 1, 1)
    assert caught.value.headers["retry-after"] == "60"
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "0"
    clock.now += WINDOW_S
    assert await meter.reserve(key(rpm=2), lambda: 1, 1)


async def test_tokens_are_reserved_before_and_settled_after(meter: Meter) -> None:
    first = await meter.reserve(key(tpm=100), lambda: 10, 60)
    assert meter.headers(first)["x-ratelimit-remaining-tokens"] == "30"
    with pytest.raises(RateLimited, match="tokens"):
        await meter.reserve(key(tpm=100), lambda: 10, 60)
    await meter.settle(first, 20)
    second = await meter.reserve(key(tpm=100), lambda: 10, 60)
    assert meter.headers(second)["x-ratelimit-remaining-tokens"] == "10"


async def test_unknown_use_leaves_the_reservation_and_overuse_is_charged(meter: Meter) -> None:
    first = await meter.reserve(key(tpm=100), lambda: 10, 20)
    await meter.settle(first, None)
    second = await meter.reserve(key(tpm=100), lambda: 10, 20)
    await meter.settle(second, 60)
    with pytest.raises(RateLimited):
        await meter.reserve(key(tpm=100), lambda: 10, 1)


async def test_a_request_larger_than_the_limit_itself_says_so_and_not_try_again(meter: Meter) -> None:
    with pytest.raises(RateLimited, match="more than the key's 50") as caught:
        await meter.reserve(key(tpm=50), lambda: 10, 60)
    assert caught.value.headers["x-should-retry"] == "false"
    assert "retry-after" not in caught.value.headers


async def test_an_answer_of_unknown_length_does_not_lock_a_small_key_out(meter: Meter) -> None:
    reservation = await meter.reserve(key(tpm=50), lambda: 10, None)
    assert reservation and reservation.tokens == 50
    large = await meter.reserve(key(tpm=10**6), lambda: 10, None)
    assert large and large.tokens == 10 + DEFAULT_ANSWER_TOKENS


async def test_settling_a_window_that_is_over_changes_no_other(meter: Meter, clock: Clock) -> None:
    old = await meter.reserve(key(tpm=100), lambda: 50, 0)
    clock.now += WINDOW_S
    await meter.reserve(key(tpm=100), lambda: 50, 0)
    await meter.settle(old, 0)
    with pytest.raises(RateLimited):
        await meter.reserve(key(tpm=100), lambda: 60, 0)


async def test_old_windows_are_forgotten() -> None:
    store = MemoryLimits()
    for minute in range(50):
        await store.reserve([Level(f"k{minute}", 1, None)], 1, NOW + minute * WINDOW_S)
    assert len(store._rows) <= 3


async def test_all_levels_are_reserved_or_none() -> None:
    store = MemoryLimits()
    wide, narrow = Level("team", 10, None), Level("key", 1, None)
    assert isinstance(await store.reserve([wide, narrow], 1, NOW), Reservation)
    refusal = await store.reserve([wide, narrow], 1, NOW)
    assert isinstance(refusal, Refusal) and refusal.level == narrow
    assert [used.requests for used in refusal.used] == [1, 1]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), max_size=30))
def test_never_more_is_admitted_than_allowed(requests: list[tuple[int, int]]) -> None:
    async def run() -> None:
        store, admitted = MemoryLimits(), 0
        for reserved, used in requests:
            outcome = await store.reserve([Level("k", None, 100)], reserved, NOW)
            if isinstance(outcome, Reservation):
                real = min(used, reserved)
                await store.settle(outcome, real)
                admitted += real
        assert admitted <= 100

    asyncio.run(run())


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
