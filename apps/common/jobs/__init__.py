"""Durable jobs of the apps: one folder per job, run by a worker process that survives kills (DBOS).

``model`` what a job is · ``folder`` its files · ``service`` what pages call · ``worker`` what runs the stages ·
``supervise`` keeps a worker running beside a page · ``database`` where DBOS keeps its state.
"""

from apps.common.jobs.folder import JobFolder
from apps.common.jobs.model import Advance, Failure, Job, JobInfo, Outcome, State, Upload
from apps.common.jobs.service import Jobs
from apps.common.jobs.worker import Kind, Stage, Work

__all__ = [
    "Advance",
    "Failure",
    "Job",
    "JobFolder",
    "JobInfo",
    "Jobs",
    "Kind",
    "Outcome",
    "Stage",
    "State",
    "Upload",
    "Work",
]
