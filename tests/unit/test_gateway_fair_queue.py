"""Fair turns in front of a full engine: shares by weight, nobody starves, nothing is lost, no place leaks."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RateLimited, Unavailable
from gateway.limits.fair import QUANTUM, FairQueue, Flow
from gateway.routing.attempts import Call
from gateway.routing.plan import Hop
from gateway.routing.pool import Pool
from gateway.routing.turns import Turns
from gateway.routing.upstream import Upstream

FLOWS: list[Flow] = [("a", "normal"), ("b", "normal"), ("c", "low"), ("d", "high")]


def drained(queue: FairQueue[Any]) -> list[Any]:
    found = []
    while (item := queue.pop()) is not None:
        found.append(item)
    return found


@given(st.lists(st.tuples(st.sampled_from(FLOWS), st.integers(0, 20_000)), max_size=60))
def test_everything_comes_out_once_and_in_order_within_its_flow(items: list[tuple[Flow, int]]) -> None:
    queue: FairQueue[tuple[Flow, int]] = FairQueue(100)
    for number, (flow, cost) in enumerate(items):
        assert queue.push(flow, cost, (flow, number))
    out = drained(queue)
    assert sorted(out) == sorted((flow, number) for number, (flow, _) in enumerate(items))
    for flow in FLOWS:
        mine = [number for name, number in out if name == flow]
        assert mine == sorted(mine)
    assert len(queue) == 0


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_two_teams_of_one_class_share_by_tokens_whatever_their_requests_cost(one: int, other: int) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue(10**6)
    for _ in range(200):
        queue.push(("one", "normal"), one, ("one", one))
        queue.push(("other", "normal"), other, ("other", other))
    spent: Counter[str] = Counter()
    while all(queue.waiting(team) for team in ("one", "other")):
        item = queue.pop()
        assert item is not None
        spent[item[0]] += item[1]
    assert abs(spent["one"] - spent["other"]) <= 4 * QUANTUM + 2 * max(one, other)


def test_a_team_with_a_thousand_requests_does_not_delay_one_that_has_one() -> None:
    queue: FairQueue[str] = FairQueue(1000)
    for _ in range(1000):
        queue.push(("busy", "normal"), 1000, "busy")
    queue.pop()
    queue.push(("quiet", "normal"), 1000, "quiet")
    assert "quiet" in [queue.pop() for _ in range(6)]


def test_classes_share_by_their_weights() -> None:
    queue: FairQueue[str] = FairQueue(1000)
    for priority in ("low", "normal", "high"):
        for _ in range(500):
            queue.push(("team", priority), 1000, priority)
    served = Counter(queue.pop() for _ in range(420))
    assert served["high"] > 3 * served["normal"] > 9 * served["low"] > 0


def test_a_full_queue_takes_no_more_and_one_that_leaves_makes_room() -> None:
    queue: FairQueue[object] = FairQueue(2)
    first, second, third = object(), object(), object()
    assert queue.push(FLOWS[0], 1, first) and queue.push(FLOWS[0], 1, second)
    assert not queue.push(FLOWS[0], 1, third) and queue.push(FLOWS[1], 1, third)
    queue.remove(FLOWS[0], first)
    queue.remove(FLOWS[0], first)
    assert queue.push(FLOWS[0], 1, first)
    assert queue.pop(lambda item: item is first) is first, "others wait for another engine"


# -- the waiting itself -----------------------------------------------------------------------------------------------


def pool(limit: int, **options: Any) -> tuple[Pool, Upstream]:
    upstream = Upstream("u", "http://127.0.0.1:1/v1", max_in_flight=limit)
    upstream.health.up()
    made = Pool([upstream], **options)
    upstream.left = made.turns.left
    return made, upstream


def call(team: str = "a") -> Call:
    return Call("/x", [Hop("m")], lambda *_: b"", {}, flow=(team, "normal"), cost=100)


async def place(made: Pool, asked: Call) -> None:
    """What Sending does: a place, at once or in turn, then in."""
    _, upstream = made.choose(asked) or await made.turn(asked)
    upstream.enter("m")


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_while_there_is_room_nobody_waits() -> None:
    made, upstream = pool(2)
    await place(made, call())
    await place(made, call())
    assert upstream.in_flight == 2 and not made.turns.queue


async def test_the_bound_holds_and_every_place_is_given_on() -> None:
    made, upstream = pool(3)
    most = 0

    async def work(team: str) -> None:
        nonlocal most
        await place(made, call(team))
        most = max(most, upstream.in_flight)
        await asyncio.sleep(0)
        upstream.leave("m")

    await asyncio.gather(*(work(team) for team in "abcd" * 20))
    assert (most, upstream.in_flight, upstream.promised, len(made.turns.queue)) == (3, 0, 0, 0)


async def test_whoever_leaves_the_queue_leaks_no_place_not_even_in_the_moment_of_their_turn() -> None:
    made, upstream = pool(1)
    await place(made, call())
    waiting = [asyncio.create_task(place(made, call(team))) for team in "abc"]
    await settled()
    waiting[0].cancel()
    await settled()
    assert len(made.turns.queue) == 2
    upstream.leave("m")  # the place is promised to b …
    assert upstream.promised == 1
    waiting[1].cancel()  # … who leaves before taking it
    await settled()
    assert waiting[2].done() and upstream.in_flight == 1 and upstream.promised == 0
    upstream.leave("m")
    await place(made, call())


async def test_too_many_of_one_team_are_refused_with_a_time_to_come_back() -> None:
    made, _ = pool(1, queue_length=1)
    await place(made, call())
    waiting = asyncio.create_task(place(made, call()))
    await settled()
    with pytest.raises(RateLimited, match="1 requests of this team are waiting") as caught:
        await place(made, call())
    assert caught.value.code == "queue_full" and int(caught.value.headers["retry-after"]) >= 1
    other = asyncio.create_task(place(made, call("b")))
    await settled()
    assert not other.done()
    for task in (waiting, other):
        task.cancel()
    await asyncio.gather(waiting, other, return_exceptions=True)


async def test_no_turn_in_time_is_an_overloaded_engine() -> None:
    made, upstream = pool(1, queue_wait_s=0.01)
    await place(made, call())
    with pytest.raises(Unavailable, match="no turn within") as caught:
        await place(made, call())
    assert caught.value.code == "upstream_overloaded" and "retry-after" in caught.value.headers
    assert not made.turns.queue
    upstream.leave("m")
    assert upstream.promised == 0


async def test_nobody_waits_for_an_engine_that_is_down() -> None:
    made, upstream = pool(1)
    upstream.health.down("refuses connections")
    with pytest.raises(Unavailable, match="refuses connections"):
        made.choose(call())


async def test_a_place_that_nobody_can_use_is_not_given_away() -> None:
    turns = Turns(lambda _: None, lambda: True)
    waiting = asyncio.create_task(turns.wait(call()))
    await settled()
    turns.wake()
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
