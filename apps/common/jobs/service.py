"""What pages and commands do with jobs: create, submit, look, cancel, run again, delete. Runs no stage itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property

from dbos import DBOS, DBOSClient, WorkflowStatus

from apps.common.jobs.database import JobDatabase
from apps.common.jobs.folder import JobFolder, Shelf
from apps.common.jobs.model import Advance, Failure, Job, JobInfo, Outcome, State, fair_tag, now_iso, state_of
from apps.common.jobs.worker import PROGRESS, WORKFLOW
from kakehashi.errors import BadInput
from kakehashi.paths import Home

ACTIVE = ["ENQUEUED", "DELAYED", "PENDING"]


@dataclass
class Jobs:
    """The jobs of one app. Every call that takes an ``owner`` answers for that owner's jobs only."""

    app: str
    home: Home
    database_url: str | None = None

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.home.jobs / self.app)

    @property
    def database(self) -> JobDatabase:
        return JobDatabase(self.app, self.shelf.root, self.database_url)

    @cached_property
    def _client(self) -> DBOSClient:
        self.database.prepare()
        DBOS.migrate(self.database.address)
        return self.database.client()

    def create(self, owner: str, *, user: str = "", title: str = "") -> JobFolder:
        """A new, empty job folder: the upload is saved into it before anything else happens."""
        folder = self.shelf.new(secrets.token_hex(8))
        folder.write_info(JobInfo(id=folder.id, owner=owner, user=user or owner, title=title, created=now_iso()))
        return folder

    def submit(self, folder: JobFolder) -> str:
        """Queue the job; users take turns. Returns its id. Submitting twice is the same as once."""
        info = folder.info()
        active = self._client.list_workflows(status=ACTIVE, load_input=False, load_output=False)
        turns = [(w.authenticated_user or "", w.priority or 0, w.status == "PENDING") for w in active]
        self._client.enqueue(
            {
                "workflow_name": WORKFLOW,
                "queue_name": self.app,
                "workflow_id": info.id,
                "priority": fair_tag(turns, info.owner),
                "authenticated_user": info.owner,
            },
            info.id,
        )
        return info.id

    def folder(self, job_id: str, owner: str) -> JobFolder:
        """Raises BadInput (``job_unknown``) for a job that does not exist or belongs to somebody else: same answer."""
        folder = self.shelf.folder(job_id)
        if folder is None or folder.info().owner != owner:
            raise BadInput(f"There is no job '{job_id}'.", hint="It may have been deleted.", code="job_unknown")
        return folder

    def get(self, job_id: str, owner: str) -> Job:
        folder = self.folder(job_id, owner)
        found = self._client.list_workflows(workflow_ids=[job_id], load_input=False)
        return self._job(folder.info(), found[0] if found else None)

    def list(self, owner: str) -> list[Job]:
        """The owner's jobs, newest first. The folders are the truth: a job lost by the database is still listed."""
        infos = [info for info in map(JobFolder.info, self.shelf.all()) if info.owner == owner]
        ids = [info.id for info in infos]
        found = self._client.list_workflows(workflow_ids=ids, load_input=False) if ids else []
        statuses = {status.workflow_id: status for status in found}
        jobs = [self._job(info, statuses.get(info.id)) for info in infos]
        return sorted(jobs, key=lambda job: (job.info.created, job.id), reverse=True)

    def cancel(self, job_id: str, owner: str) -> None:
        """Stop a job; what its stages have saved stays. A finished job is left as it is."""
        if self.get(job_id, owner).state.active:
            self._client.cancel_workflow(job_id)

    def retry(self, job_id: str, owner: str, *, stage: int | None = None, queue: str | None = None) -> None:
        """Run a stopped job again under its id, from ``stage`` (0-based; default: the first that is not done).

        Earlier stages keep their results. Raises BadInput (``job_active``) while the job runs.
        """
        folder = self.folder(job_id, owner)
        if not self._client.list_workflows(workflow_ids=[job_id], load_input=False, load_output=False):
            self.submit(folder)
            return
        if self.get(job_id, owner).state.active:
            raise BadInput("The job is still running.", hint="Cancel it first.", code="job_active")
        start = self._first_open_stage(job_id) if stage is None else stage + 1
        self._client.rewind_workflow(job_id, start_step=start, queue_name=queue or self.app)

    def delete(self, job_id: str, owner: str) -> None:
        """Remove a job with its upload and results. Raises BadInput (``job_active``) while it runs."""
        if self.get(job_id, owner).state.active:
            raise BadInput("The job is still running.", hint="Cancel it first.", code="job_active")
        self._client.delete_workflow(job_id)
        self.shelf.remove(job_id)

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.destroy()
            del self._client

    def rename(self, job_id: str, owner: str, title: str) -> None:
        folder = self.folder(job_id, owner)
        folder.write_info(folder.info().model_copy(update={"title": title}))

    def _job(self, info: JobInfo, status: WorkflowStatus | None) -> Job:
        if status is None:  # killed between saving the upload and queueing: nothing is lost, it can be started
            waiting = Failure(stage="", code="not_started", message="The job was saved but not started.")
            return Job(info=info, state=State.FAILED, failures=[waiting])
        outcome = Outcome.model_validate(status.output) if status.output else None
        state, failures = state_of(status.status, outcome)
        advance = self._client.get_event(info.id, PROGRESS, 0) if state is State.RUNNING else None
        return Job(
            info=info,
            state=state,
            failures=failures,
            advance=Advance.model_validate(advance) if advance else None,
            ahead=self._ahead(status) if state is State.QUEUED else 0,
        )

    def _ahead(self, status: WorkflowStatus) -> int:
        queue = self._client.list_workflows(
            status=ACTIVE, queue_name=status.queue_name, load_input=False, load_output=False
        )
        mine = (status.priority or 0, status.created_at or 0)
        return sum(
            1
            for other in queue
            if other.workflow_id != status.workflow_id
            and (other.status == "PENDING" or (other.priority or 0, other.created_at or 0) < mine)
        )

    def _first_open_stage(self, job_id: str) -> int:
        """Step number (from 1) of the first stage that did not end well or was not reached."""
        steps = self._client.list_workflow_steps(job_id)
        for step in steps:
            if not step["output"] or step["output"]["state"] != "done":
                return int(step["function_id"])
        return len(steps) + 1
