"""The pure part of jobs: turns of users, and what DBOS's words mean to a page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.common.jobs.model import Failure, Outcome, State, fair_tag, state_of

USERS = st.sampled_from(["aoki", "ueda", "ito"])


def run_order(submissions: list[str]) -> list[str]:
    """Owners in the order in which their jobs run when all are submitted before the first one starts."""
    queue: list[tuple[str, int, bool]] = []
    for owner in submissions:
        queue.append((owner, fair_tag(queue, owner), False))
    return [owner for owner, _, _ in sorted(queue, key=lambda job: job[1])]


def test_a_second_user_does_not_wait_for_all_jobs_of_the_first() -> None:
    assert run_order(["aoki", "aoki", "aoki", "ueda"]) == ["aoki", "ueda", "aoki", "aoki"]


def test_jobs_of_one_user_run_in_the_order_of_submission() -> None:
    assert fair_tag([("aoki", 1000, True), ("aoki", 2000, False)], "aoki") == 3000


def test_a_newcomer_runs_right_after_the_running_job_and_not_before_the_past() -> None:
    busy = [("aoki", 7000, True), ("aoki", 8000, False), ("aoki", 9000, False)]
    assert 8000 < fair_tag(busy, "ueda") < 9000


@given(st.lists(USERS, max_size=30))
def test_nobody_is_more_than_one_job_ahead_of_another_who_still_waits(submissions: list[str]) -> None:
    order = run_order(submissions)
    for i in range(len(order)):
        waiting = set(order[i:])
        counts = {user: order[:i].count(user) for user in waiting}
        if counts:
            assert max(counts.values()) - min(counts.values()) <= 1


@given(st.lists(st.tuples(USERS, st.integers(0, 10**6), st.booleans()), max_size=20), USERS)
def test_a_new_job_gets_a_place_of_its_own_after_the_owners_other_jobs(
    active: list[tuple[str, int, bool]], owner: str
) -> None:
    tag = fair_tag(active, owner)
    assert tag not in [other for _, other, _ in active]
    assert all(tag > other for who, other, _ in active if who == owner)


def test_every_word_of_dbos_has_a_state() -> None:
    failed = Outcome(state="failed", failures=[Failure(stage="speech", code="audio_silent", message="Silent.")])
    assert state_of("ENQUEUED", None) == (State.QUEUED, [])
    assert state_of("PENDING", None) == (State.RUNNING, [])
    assert state_of("CANCELLED", None) == (State.CANCELLED, [])
    assert state_of("SUCCESS", Outcome()) == (State.DONE, [])
    assert state_of("SUCCESS", failed) == (State.FAILED, failed.failures)
    assert state_of("SUCCESS", Outcome(state="waiting")) == (State.WAITING, [])


def test_a_job_that_keeps_killing_its_worker_fails_with_a_code_of_its_own() -> None:
    state, failures = state_of("MAX_RECOVERY_ATTEMPTS_EXCEEDED", None)
    assert (state, failures[0].code) == (State.FAILED, "job_crashed")
    assert state_of("ERROR", None)[1][0].code == "internal"
