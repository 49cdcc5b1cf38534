"""What a job is. Pure data; no file, database or engine is touched here."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class State(StrEnum):
    """``waiting``: a person decides before it goes on. ``attention``: finished, but a part failed and can be run again.
    ``failed``: stopped with a reason.
    """

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    ATTENTION = "attention"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def active(self) -> bool:
        return self in (State.QUEUED, State.RUNNING)


class Upload(Model):
    """A file as the user gave it. ``name`` is theirs (shown only), ``file`` ours (relative to the job folder)."""

    name: str
    file: str
    sha256: str
    size: int = Field(description="bytes")


class JobInfo(Model):
    """``job.json``. ``owner`` is the identity that may see the job, ``user`` the name written into audit records."""

    id: str
    owner: str
    user: str = ""
    title: str = ""
    created: str = Field(description="ISO time, UTC")
    uploads: list[Upload] = []

    @property
    def vouched(self) -> bool:
        """Whether the user's name is that of somebody who signed in, not one typed in."""
        return self.owner.startswith("user:")


class Advance(Model):
    """Where a running job stands. ``fraction`` is 0 to 1 over the whole job."""

    stage: str
    fraction: float
    eta_s: float | None = None
    detail: str = ""


class Failure(Model):
    """Why a stage stopped: the fields of a KakehashiError; pages translate ``code`` and fall back to ``message``."""

    stage: str
    code: str
    message: str
    hint: str = ""
    values: dict[str, str] = Field({}, description="what the translation fills in (a file's name, a limit)")


class Outcome(Model):
    """What a stage, and in the end the whole run, came to. ``failures`` of parts do not stop the others."""

    state: Literal["done", "attention", "waiting", "failed"] = "done"
    failures: list[Failure] = []


class Job(Model):
    """A job as a page shows it. ``ahead``: jobs that will run before a queued one."""

    info: JobInfo
    state: State
    advance: Advance | None = None
    failures: list[Failure] = []
    ahead: int = 0

    @property
    def id(self) -> str:
        return self.info.id


def now_iso() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def state_of(status: str, outcome: Outcome | None) -> tuple[State, list[Failure]]:
    """DBOS's word for a workflow, and what our workflow answered → the job's state and its failures."""
    if status in ("ENQUEUED", "DELAYED"):
        return State.QUEUED, []
    if status == "PENDING":
        return State.RUNNING, []
    if status == "CANCELLED":
        return State.CANCELLED, []
    if status == "SUCCESS" and outcome is not None:
        return State(outcome.state), outcome.failures
    code = "job_crashed" if status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED" else "internal"
    return State.FAILED, [Failure(stage="", code=code, message="The job stopped without a result.")]


ROUND = 1000


def fair_tag(active: list[tuple[str, int, bool]], owner: str) -> int:
    """Place in the queue for a new job of ``owner``: users take turns, however many jobs one of them submits.

    ``active``: (owner, tag, running) of every unfinished job. Start-time fair queuing in rounds of one job per user:
    the clock is the running job's round; a user's next job goes into the round after the clock or after their own last
    job, behind those already in it. Lower tags run first.
    """
    rounds = [(who, tag // ROUND, running) for who, tag, running in active]
    busy = [number for _, number, running in rounds if running]
    clock = max(busy) if busy else min((number for _, number, _ in rounds), default=1) - 1
    turn = max([clock, *(number for who, number, _ in rounds if who == owner)]) + 1
    return max([turn * ROUND, *(tag + 1 for _, tag, _ in active if tag // ROUND == turn)])
