"""Durable jobs with a real worker process and a real SQLite database: kills, cancels, failures, turns."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.common.jobs import Job, JobFolder, Jobs, State
from apps.common.jobs.supervise import WorkerProcess
from kakehashi.errors import BadInput
from kakehashi.paths import CHECKOUT, Home

MODULE = "tests.integration.jobs_app"


class Worker:
    """A worker process on one KAKEHASHI_HOME that can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "apps.common.jobs", MODULE],
            stdin=subprocess.PIPE,
            cwd=CHECKOUT,
            env={**os.environ, "KAKEHASHI_HOME": str(self.home)},
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=20)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path / "home")
    yield worker
    if worker.process is not None and worker.process.poll() is None:
        worker.kill()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs("testjobs", Home(tmp_path / "home").make())
    yield jobs
    jobs.close()


def wait(look: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def reaches(jobs: Jobs, job_id: str, *states: State, owner: str = "aoki") -> Job:
    wait(lambda: jobs.get(job_id, owner).state in states)
    return jobs.get(job_id, owner)


def steer(folder: JobFolder, *names: str) -> None:
    for name in names:
        (folder.work / name).touch()


def begun(folder: JobFolder) -> list[str]:
    log = folder.work / "log"
    return log.read_text().split() if log.exists() else []


def test_a_job_runs_through_its_stages_and_tells_where_it_is(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki", user="青木", title="定例会議")
    steer(folder, "hold-2")
    job_id = jobs.submit(folder)
    assert jobs.get(job_id, "aoki").state is State.QUEUED
    worker.start()
    wait(lambda: (job := jobs.get(job_id, "aoki")).advance is not None and job.advance.detail == "2")
    advance = jobs.get(job_id, "aoki").advance
    assert advance is not None
    assert (advance.stage, advance.eta_s) == ("half", 3.0)
    assert advance.fraction == pytest.approx(0.5)  # the middle of the second of three stages
    (folder.work / "hold-2").unlink()
    assert reaches(jobs, job_id, State.DONE).failures == []
    assert begun(folder) == ["1", "2", "3"]


def test_a_killed_worker_goes_on_at_the_stage_where_it_died(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki")
    steer(folder, "hold-2")
    job_id = jobs.submit(folder)
    worker.start()
    wait(lambda: begun(folder) == ["1", "2"])
    worker.kill()
    (folder.work / "hold-2").unlink()
    worker.start()
    reaches(jobs, job_id, State.DONE)
    assert begun(folder) == ["1", "2", "2", "3"]


def test_a_home_moved_in_mid_job_works_elsewhere(worker: Worker, jobs: Jobs, tmp_path: Path) -> None:
    folder = jobs.create("aoki")
    steer(folder, "hold-2")
    job_id = jobs.submit(folder)
    worker.start()
    wait(lambda: begun(folder) == ["1", "2"])
    worker.kill()
    jobs.close()
    moved = tmp_path / "elsewhere"
    shutil.move(jobs.home.root, moved)
    for file in moved.rglob("*"):
        if file.is_file():
            assert str(jobs.home.root).encode() not in file.read_bytes(), f"{file.name} holds an absolute path"
    worker.home = moved
    (moved / "jobs/testjobs" / job_id / "work/hold-2").unlink()
    worker.start()
    there = Jobs("testjobs", Home(moved))
    reaches(there, job_id, State.DONE)
    there.close()


def test_a_failed_stage_tells_why_and_only_it_is_run_again(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki")
    steer(folder, "fail-2")
    job_id = jobs.submit(folder)
    worker.start()
    job = reaches(jobs, job_id, State.FAILED)
    assert [(f.stage, f.code, f.hint) for f in job.failures] == [("stage2", "audio_silent", "Check the microphone.")]
    (folder.work / "fail-2").unlink()
    jobs.retry(job_id, "aoki")
    assert reaches(jobs, job_id, State.DONE).failures == []
    assert begun(folder) == ["1", "2", "2", "3"]


def test_an_unexpected_error_is_a_failure_with_its_type_and_not_a_dead_worker(worker: Worker, jobs: Jobs) -> None:
    folder, other = jobs.create("aoki"), jobs.create("aoki")
    steer(folder, "bug-1")
    first, second = jobs.submit(folder), jobs.submit(other)
    worker.start()
    job = reaches(jobs, first, State.FAILED)
    assert (job.failures[0].code, job.failures[0].message) == ("internal", "ZeroDivisionError: division by zero")
    reaches(jobs, second, State.DONE)


def test_a_cancelled_job_keeps_its_stages_and_can_go_on(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki")
    steer(folder, "hold-2")
    job_id = jobs.submit(folder)
    worker.start()
    wait(lambda: begun(folder) == ["1", "2"])
    jobs.cancel(job_id, "aoki")
    assert reaches(jobs, job_id, State.CANCELLED).state is State.CANCELLED
    (folder.work / "hold-2").unlink()
    jobs.retry(job_id, "aoki")
    reaches(jobs, job_id, State.DONE)
    assert begun(folder) == ["1", "2", "2", "3"]


def test_a_waiting_stage_goes_on_when_a_person_has_decided(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki")
    steer(folder, "wait-2")
    job_id = jobs.submit(folder)
    worker.start()
    reaches(jobs, job_id, State.WAITING)
    (folder.work / "wait-2").unlink()
    jobs.retry(job_id, "aoki")
    reaches(jobs, job_id, State.DONE)
    assert begun(folder) == ["1", "2", "2", "3"]


def test_a_later_stage_alone_is_run_again_on_another_queue(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki")
    job_id = jobs.submit(folder)
    worker.start()
    reaches(jobs, job_id, State.DONE)
    jobs.retry(job_id, "aoki", stage=2, queue="testjobs-light")
    wait(lambda: begun(folder) == ["1", "2", "3", "3"])
    reaches(jobs, job_id, State.DONE)


def test_users_take_turns(worker: Worker, jobs: Jobs) -> None:
    aoki = [jobs.submit(jobs.create("aoki")) for _ in range(3)]
    ueda = jobs.submit(jobs.create("ueda"))
    assert jobs.get(ueda, "ueda").ahead == 1
    worker.start()
    for job_id in aoki:
        reaches(jobs, job_id, State.DONE)
    reaches(jobs, ueda, State.DONE, owner="ueda")
    order = [line.split()[0] for line in (jobs.shelf.root / "order").read_text().splitlines()]
    ran = list(dict.fromkeys(order))
    assert ran == [aoki[0], ueda, aoki[1], aoki[2]]
    assert order == [job for job in ran for _ in range(3)], "one at a time"


def test_a_job_is_seen_by_its_owner_only(jobs: Jobs) -> None:
    job_id = jobs.submit(jobs.create("aoki"))
    assert [job.id for job in jobs.list("aoki")] == [job_id]
    assert jobs.list("ueda") == []
    for call in (jobs.get, jobs.cancel, jobs.retry, jobs.delete, jobs.folder):
        with pytest.raises(BadInput) as error:
            call(job_id, "ueda")
        assert error.value.code == "job_unknown"


@pytest.mark.parametrize("job_id", ["", "..", "../../etc", "0" * 16, "x" * 16, "a/b"])
def test_a_made_up_job_id_is_unknown(jobs: Jobs, job_id: str) -> None:
    with pytest.raises(BadInput):
        jobs.get(job_id, "aoki")


def test_a_job_saved_but_never_queued_is_listed_and_can_be_started(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki", title="録音")
    (job,) = jobs.list("aoki")
    assert (job.state, job.failures[0].code) == (State.FAILED, "not_started")
    jobs.retry(folder.id, "aoki")
    worker.start()
    reaches(jobs, folder.id, State.DONE)


def test_a_finished_job_is_deleted_with_its_files_but_not_a_running_one(worker: Worker, jobs: Jobs) -> None:
    folder = jobs.create("aoki")
    job_id = jobs.submit(folder)
    with pytest.raises(BadInput) as error:
        jobs.delete(job_id, "aoki")
    assert error.value.code == "job_active"
    worker.start()
    reaches(jobs, job_id, State.DONE)
    jobs.delete(job_id, "aoki")
    assert not folder.root.exists()
    assert jobs.list("aoki") == []


def test_the_supervisor_starts_a_killed_worker_again_and_ends_it(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(jobs.home.root))
    keeper = WorkerProcess(MODULE)
    keeper.start()
    wait(lambda: keeper._process is not None)
    first = keeper._process
    assert first is not None
    first.kill()
    job_id = jobs.submit(jobs.create("aoki"))
    reaches(jobs, job_id, State.DONE)
    second = keeper._process
    keeper.stop()
    assert second is not None and second is not first
    assert second.wait(timeout=10) == 0


def test_the_worker_ends_when_the_page_server_is_killed(jobs: Jobs, tmp_path: Path) -> None:
    """Also by SIGKILL: otherwise an old worker would go on beside the next one."""
    code = (
        "import os, time\n"
        "from apps.common.jobs.supervise import WorkerProcess\n"
        f"keeper = WorkerProcess('{MODULE}'); keeper.start()\n"
        "while keeper._process is None: time.sleep(0.05)\n"
        "print(keeper._process.pid, flush=True); time.sleep(60)\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env={**os.environ, "KAKEHASHI_HOME": str(jobs.home.root)},
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    worker_pid = int(server.stdout.readline())
    server.kill()
    server.wait()
    wait(lambda: not Path(f"/proc/{worker_pid}").exists() or "Z" in Path(f"/proc/{worker_pid}/stat").read_text())
