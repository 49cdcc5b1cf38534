"""Time limits that share one timer: they strike when due, only then, and leave other cancellations alone."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from gateway.deadline import Limit, within


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def _nothing() -> int:
    await asyncio.sleep(0)
    return 7


class TestLimit:
    def test_gives_what_the_wait_gives(self) -> None:
        assert run(within(60, _nothing())) == 7

    def test_strikes_a_wait_that_takes_too_long_and_cancels_it(self) -> None:
        cancelled = []

        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        async def case() -> int:
            with pytest.raises(TimeoutError):
                await within(0.01, forever())
            task = asyncio.current_task()
            assert task is not None
            return task.cancelling()

        assert run(case()) == 0 and cancelled == [True]

    def test_a_shorter_limit_strikes_before_a_longer_one_that_was_set_first(self) -> None:
        async def case() -> list[str]:
            order: list[str] = []

            async def waits(name: str, seconds: float) -> None:
                with pytest.raises(TimeoutError):
                    await within(seconds, asyncio.Event().wait())
                order.append(name)

            await asyncio.gather(waits("long", 0.05), waits("short", 0.01), waits("middle", 0.03))
            return order

        assert run(case()) == ["short", "middle", "long"]

    def test_one_limit_serves_many_waits(self) -> None:
        async def case() -> int:
            limit, done = Limit(0.2), 0
            for _ in range(20):  # together far longer than the limit
                await limit.wait(asyncio.sleep(0.02))
                done += 1
            with pytest.raises(TimeoutError):
                await limit.wait(asyncio.Event().wait())
            return done

        assert run(case()) == 20

    @pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
    def test_a_stall_of_our_own_is_not_taken_for_silence(self, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        """What arrived while the loop stood still, as in a long garbage collection, counts."""
        ours, theirs = socket.socketpair()

        async def case() -> bytes:
            reader, writer = await asyncio.open_connection(sock=ours)
            limit = Limit(0.2)
            asyncio.get_running_loop().call_soon(lambda: (theirs.send(b"data"), time.sleep(0.5)))
            try:
                return await limit.wait(reader.read(4))
            finally:
                writer.close()

        with asyncio.Runner(loop_factory=factory) as runner, theirs:
            assert runner.run(case()) == b"data"

    def test_after_a_stall_silence_is_still_silence(self) -> None:
        async def case() -> None:
            asyncio.get_running_loop().call_soon(time.sleep, 0.3)
            with pytest.raises(TimeoutError):
                await within(0.1, asyncio.Event().wait())

        run(case())

    def test_a_cancellation_from_outside_stays_one(self) -> None:
        async def case() -> bool:
            task = asyncio.create_task(within(60, asyncio.Event().wait()))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return task.cancelled()

        assert run(case())

    def test_limits_inside_each_other(self) -> None:
        async def case() -> str:
            async def inner() -> str:
                try:
                    await within(0.01, asyncio.Event().wait())
                except TimeoutError:
                    await asyncio.sleep(0)
                    return "inner"
                return "none"

            return await within(60, inner())

        assert run(case()) == "inner"

    def test_an_error_of_the_wait_passes(self) -> None:
        async def fails() -> None:
            raise KeyError("x")

        with pytest.raises(KeyError):
            run(within(60, fails()))
