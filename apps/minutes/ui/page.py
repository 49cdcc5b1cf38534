"""The page of the minutes app: which view a visitor gets. Run by Streamlit for every interaction."""

from __future__ import annotations

from apps.common.jobs import State
from apps.common.ui import frame
from apps.minutes.messages import localise
from apps.minutes.ui import new, review
from apps.minutes.ui.wiring import check_upload, context
from kakehashi.errors import BadInput


def main() -> None:
    page = frame.open_page(context(), check_upload, localise)
    frame.job_list(page)
    job_id = frame.current_job()
    if job_id is None:
        new.show(page)
        return
    try:
        job = page.ctx.jobs.get(job_id, page.person.owner)
    except BadInput as error:
        frame.show_error(error, page.t, localise)
        return
    if job.state.active:
        frame.watch(page, job)
    elif job.state in (State.DONE, State.ATTENTION) or review.has_results(page, job):
        review.show(page, job)
    else:
        frame.stopped(page, job)


if __name__ == "__main__":
    main()
