"""The time of entries: never back unsaid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.audit.clock import EntryClock, stamp

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Clocks:
    """A wall clock that somebody sets, and a steady one."""

    def __init__(self) -> None:
        self.wall, self.steady = NOON, 100.0
        self.entry = EntryClock(lambda: self.wall, lambda: self.steady)

    def after(self, seconds: float, set_by: float = 0) -> tuple[str, tuple[str, str] | None]:
        """Let time pass, and the wall clock be set by so many seconds; then ask."""
        self.steady += seconds
        self.wall += timedelta(seconds=seconds + set_by)
        return self.entry.now()


def test_time_goes_on() -> None:
    clocks = Clocks()
    assert clocks.after(0) == (stamp(NOON), None)
    assert clocks.after(3600) == (stamp(NOON + timedelta(hours=1)), None)


def test_a_small_step_back_is_waited_out() -> None:
    clocks = Clocks()
    clocks.after(0)
    assert clocks.after(0.1, set_by=-1) == (stamp(NOON), None)
    assert clocks.after(0.5) == (stamp(NOON), None)
    assert clocks.after(1) == (stamp(NOON + timedelta(seconds=0.6)), None)


def test_a_jump_is_told_both_ways() -> None:
    clocks = Clocks()
    clocks.after(0)
    back = clocks.after(10, set_by=-3600)
    assert back == (stamp(NOON - timedelta(seconds=3590)), (stamp(NOON + timedelta(seconds=10)), back[0]))
    ahead = clocks.after(10, set_by=86400)
    assert ahead[1] is not None and ahead[1][1] == ahead[0]
    assert clocks.after(10)[1] is None


def test_after_a_restart_only_a_step_back_can_be_seen() -> None:
    clocks = Clocks()
    clocks.entry.start_after(stamp(NOON - timedelta(days=30)))
    assert clocks.after(0)[1] is None
    clocks.entry.start_after(stamp(NOON + timedelta(days=1)))
    assert clocks.after(0) == (stamp(NOON), (stamp(NOON + timedelta(days=1)), stamp(NOON)))
    clocks.entry.start_after("nonsense")
    assert clocks.after(1)[1] is None
