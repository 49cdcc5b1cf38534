"""Runs the stages of jobs, one process per app: a DBOS workflow whose steps are the stages.

A killed worker takes its jobs up again at the stage where it died; finished stages keep their results. Run it as
``python -m apps.common.jobs MODULE`` (see ``__main__``).
"""

from __future__ import annotations

import contextvars
import errno
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dbos import DBOS

from apps.common.jobs.database import POLL_S, JobDatabase
from apps.common.jobs.folder import JobFolder, Shelf
from apps.common.jobs.model import Advance, Failure, JobInfo, Outcome
from kakehashi.errors import Cancelled, KakehashiError
from kakehashi.paths import Home

WORKFLOW = "job"
PROGRESS = "progress"
# A stage that kills its worker this often will kill it again; restarts of the machine count too.
MAX_DEATHS = 8

log = logging.getLogger(__name__)


@dataclass
class Reporter:
    """The Progress of a stage: keeps the latest news for the page and stops the stage when the job was cancelled."""

    stage: str
    start: float
    end: float
    latest: Advance | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __call__(self, stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        if self.cancelled.is_set():
            raise Cancelled("The job was cancelled.")
        overall = self.start + (self.end - self.start) * min(max(fraction, 0.0), 1.0)
        self.latest = Advance(stage=stage or self.stage, fraction=overall, eta_s=eta_s, detail=detail)


@dataclass(frozen=True)
class Work:
    """What a stage gets: the job's folder and record, and where to report."""

    folder: JobFolder
    info: JobInfo
    progress: Reporter


@dataclass(frozen=True)
class Stage:
    """One step of a job. ``end`` is the fraction of the whole job that is done when this stage is.

    ``run`` keeps its results in the folder, answers how it went, and may be called again after a kill. Answering
    ``waiting`` stops the job until a person has decided; running it again then begins with this stage.
    """

    name: str
    run: Callable[[Work], Outcome]
    end: float = 1.0


@dataclass(frozen=True)
class Kind:
    """The jobs of one app. ``queues``: name → how many run at once; the app's own name must be among them."""

    app: str
    stages: tuple[Stage, ...]
    queues: dict[str, int]
    database_url: str | None = None


def failure(stage: str, error: Exception) -> Failure:
    """An exception as the page will tell it. An unexpected one keeps its type; the log has the rest."""
    if isinstance(error, KakehashiError):
        return Failure(stage=stage, code=error.code, message=error.message, hint=error.hint, values=error.values)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Failure(stage=stage, code="disk_full", message="The disk is full.", hint="Free some space, then retry.")
    return Failure(stage=stage, code="internal", message=f"{type(error).__name__}: {error}")


@contextmanager
def _pump(reporter: Reporter, job_id: str) -> Iterator[None]:
    """Carry progress to the database and the wish to cancel back, twice a second, whatever the stage is doing."""
    context, stop = contextvars.copy_context(), threading.Event()
    sent: Advance | None = None

    def exchange() -> None:
        nonlocal sent
        latest = reporter.latest
        if latest is not None and latest != sent:
            DBOS.set_event(PROGRESS, latest.model_dump())
            sent = latest
        if DBOS.retrieve_workflow(job_id).get_status().status == "CANCELLED":
            reporter.cancelled.set()

    def loop() -> None:
        while not stop.wait(POLL_S):
            exchange()

    thread = threading.Thread(target=context.run, args=(loop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def run_stage(kind: Kind, shelf: Shelf, job_id: str, index: int) -> Outcome:
    """Run one stage under the job's lock. An expected error becomes the answer; cancelling goes through."""
    stage = kind.stages[index]
    folder = shelf.folder(job_id)
    if folder is None:
        gone = Failure(stage=stage.name, code="job_unknown", message="The job's folder is gone.")
        return Outcome(state="failed", failures=[gone])
    start = kind.stages[index - 1].end if index else 0.0
    reporter = Reporter(stage.name, start, stage.end)
    with folder.lock(), _pump(reporter, job_id):
        try:
            reporter(stage.name, 0.0)
            return stage.run(Work(folder, folder.info(), reporter))
        except Cancelled:
            raise
        except Exception as error:  # the edge of the process: logged here, told on the page
            log.exception("Job %s stopped in stage %s", job_id, stage.name)
            return Outcome(state="failed", failures=[failure(stage.name, error)])


def register(kind: Kind, shelf: Shelf) -> None:
    """Declare the workflow to DBOS. Stage k (from 0) is step k + 1: no other DBOS call in the workflow."""

    @DBOS.step(name="stage")
    def step(job_id: str, index: int) -> dict[str, Any]:
        return run_stage(kind, shelf, job_id, index).model_dump()

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MAX_DEATHS)
    def job(job_id: str) -> dict[str, Any]:
        failures: list[Failure] = []
        for index in range(len(kind.stages)):
            outcome = Outcome.model_validate(step(job_id, index))
            failures += outcome.failures
            if outcome.state in ("failed", "waiting"):
                return Outcome(state=outcome.state, failures=failures).model_dump()
        return Outcome(state="attention" if failures else "done", failures=failures).model_dump()


def start(kind: Kind, home: Home) -> None:
    """Launch DBOS in this process: takes up what was running, then listens to the queues."""
    shelf = Shelf(home.jobs / kind.app)
    database = JobDatabase(kind.app, shelf.root, kind.database_url)
    database.prepare()
    DBOS(config=database.config())
    register(kind, shelf)
    DBOS.launch()
    for name, at_once in kind.queues.items():
        DBOS.register_queue(name, worker_concurrency=at_once, polling_interval_sec=POLL_S, on_conflict="always_update")
