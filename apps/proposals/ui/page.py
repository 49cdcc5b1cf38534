"""The page of the proposals app: which of the four steps a visitor sees. Run by Streamlit for every interaction."""

from __future__ import annotations

import streamlit as st

from apps.common.jobs import Job, State
from apps.common.ui import frame
from apps.common.ui.frame import Page
from apps.proposals.ui import new, review, story
from apps.proposals.ui.store import Proposal
from apps.proposals.ui.wiring import check_upload, context, localise
from kakehashi.errors import BadInput


def main() -> None:
    page = frame.open_page(context(), check_upload, localise)
    frame.job_list(page)
    job_id = frame.current_job()
    if job_id is None:
        _steps(page, 0)
        new.show(page)
        return
    try:
        job = page.ctx.jobs.get(job_id, page.person.owner)
    except BadInput as error:
        frame.show_error(error, page.t, localise)
        return
    _job(page, job, Proposal(page.ctx.jobs.folder(job.id, page.person.owner)))


def _job(page: Page, job: Job, proposal: Proposal) -> None:
    """A deck is shown as soon as there is one, also while a slide of it is being rewritten."""
    made = proposal.deck() is not None and not proposal.rebuilding()
    if made:
        _steps(page, 3)
        review.show(page, job, proposal)
    elif job.state.active:
        _steps(page, 0 if proposal.storyline() is None else 2)
        frame.watch(page, job)
    elif job.state is State.WAITING or proposal.storyline() is not None:
        _steps(page, 1)
        frame.show_failures(page, job.failures)
        story.show(page, job, proposal)
    else:
        frame.stopped(page, job)


def _steps(page: Page, current: int) -> None:
    """Where one is on the way from brief to deck."""
    names = [page.t(f"proposals.step_{name}") for name in ("brief", "story", "slides", "review")]
    marks = ["done" if n < current else "now" if n == current else "" for n in range(len(names))]
    items = "".join(f'<li class="{mark}">{name}</li>' for mark, name in zip(marks, names, strict=True))
    st.html(f'<ol class="kk-steps">{items}</ol>')


if __name__ == "__main__":
    main()
