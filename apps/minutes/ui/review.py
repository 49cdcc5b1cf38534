"""A finished meeting: minutes, transcript and documents in tabs, with the audio bar at the foot of the page."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from apps.common.jobs import Job, State
from apps.common.ui import components, frame
from apps.common.ui.frame import Page, plain
from apps.minutes.model import Segment
from apps.minutes.ui import items, output
from apps.minutes.ui.edits import View, items_of
from apps.minutes.ui.store import Meeting, last_edit

WARNING_MARKS = ("inaudible", "suspect", "overlap")


def meeting_of(page: Page, job: Job) -> Meeting:
    return Meeting(page.ctx.jobs.folder(job.id, page.person.owner))


def has_results(page: Page, job: Job) -> bool:
    """A job that failed late, or whose minutes were cancelled, still has its transcript to show."""
    return meeting_of(page, job).transcript_file.exists()


def cached_view(meeting: Meeting) -> View | None:
    """The view, computed again only when a file of it changed."""
    version = (meeting.folder.id, meeting.version())
    kept = st.session_state.get("view")
    if kept is None or kept[0] != version:
        st.session_state["view"] = kept = (version, meeting.view())
    view: View | None = kept[1]
    return view


def show(page: Page, job: Job) -> None:
    meeting = meeting_of(page, job)
    view = cached_view(meeting)
    if view is None:
        frame.stopped(page, job)
        return
    with st.container():  # first, so that whatever changes below never interrupts what is playing
        if meeting.has_sound:
            _player(page, job, view)
    _head(page, job, meeting, view)
    with st.container():  # always there, so that the tabs keep their place
        if job.state is not State.DONE:
            _unfinished(page, job)
    minutes_tab, transcript_tab, output_tab = st.tabs(
        [page.t("minutes.tab_minutes"), page.t("minutes.tab_transcript"), page.t("minutes.tab_output")]
    )
    with minutes_tab:
        items.show(page, meeting, view)
    with transcript_tab:
        _transcript(page, meeting, view)
    with output_tab:
        output.show(page, job, meeting, view)


def _head(page: Page, job: Job, meeting: Meeting, view: View) -> None:
    t = page.t
    about = view.minutes.meeting if view.minutes else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(plain((about.title if about else "") or job.info.title))
        with st.popover(t("minutes.edit_meeting"), icon=":material/edit:"):
            _edit_meeting(page, job, meeting, view)
        undo = last_edit(meeting)
        if st.button(
            t("minutes.undo"), icon=":material/undo:", disabled=undo is None, key="undo", help=_undo_help(page, undo)
        ):
            meeting.log.undo(page.user)
            st.rerun()
    segments = view.transcript.segments
    length = segments[-1].end if segments else 0.0
    facts = [
        about.date if about and about.date else "",
        t.duration(length),
        "、".join(about.participants if about else []),
    ]
    st.caption(plain(" · ".join(fact for fact in facts if fact)))


def _undo_help(page: Page, edit: Any) -> str:
    return page.t("minutes.undo_none") if edit is None else page.t(f"edits.{edit.op}")


def _edit_meeting(page: Page, job: Job, meeting: Meeting, view: View) -> None:
    t = page.t
    about = view.minutes.meeting if view.minutes else None
    with st.form("meeting", border=False):
        title = st.text_input(t("minutes.title_field"), value=about.title if about else job.info.title, max_chars=120)
        known = date.fromisoformat(about.date) if about and about.date else None
        day = st.date_input(t("minutes.date"), value=known, format="YYYY/MM/DD")
        people = st.text_area(t("minutes.participants"), value="\n".join(about.participants if about else []))
        if st.form_submit_button(t("edit.save"), type="primary"):
            names = [name.strip() for name in people.replace("、", "\n").splitlines() if name.strip()]
            chosen = day.isoformat() if isinstance(day, date) else None
            meeting.log.add(page.user, "meeting", title=title.strip(), date=chosen, participants=names)
            page.ctx.jobs.rename(job.id, page.person.owner, title.strip())
            st.rerun()


def _unfinished(page: Page, job: Job) -> None:
    """Results are there, but a part failed or was stopped: which, why, and how to finish it."""
    t = page.t
    if job.state is State.CANCELLED:
        st.info(t("jobs.cancelled"), icon=frame.ICONS[State.CANCELLED])
    frame.show_failures(page, job.failures, warn=True)
    if st.button(t("jobs.finish_rest"), icon=":material/replay:", key="finish_rest"):
        frame.guarded(page, lambda: page.ctx.jobs.retry(job.id, page.person.owner))
        st.rerun()


def line_data(page: Page, segment: Segment) -> dict[str, Any]:
    """A segment as the browser components show it."""
    marks = [
        {"label": page.t.get(f"marks.{mark}", mark), "warn": mark in WARNING_MARKS}
        for mark in segment.marks
        if page.t.get(f"marks.{mark}", "")
    ]
    return {
        "id": segment.id,
        "start": segment.start,
        "end": segment.end,
        "speaker": segment.speaker,
        "text": segment.text,
        "original": segment.original,
        "marks": marks,
    }


def _transcript(page: Page, meeting: Meeting, view: View) -> None:
    t, transcript = page.t, view.transcript
    if not transcript.segments:
        frame.empty(t("minutes.no_speech"), t("minutes.no_speech_hint"))
        return
    _speakers(page, meeting, view)
    st.caption(t("minutes.transcript_help"))
    names = list(dict.fromkeys([*transcript.speakers.values(), *(s.speaker for s in transcript.segments)]))
    if view.minutes:
        names = list(dict.fromkeys([*names, *view.minutes.meeting.participants]))
    lines = [line_data(page, segment) for segment in transcript.segments]
    edit = components.transcript(t, f"transcript_{meeting.folder.id}", lines=lines, speakers=names)
    if edit and _is_new(view, edit):
        meeting.log.add(page.user, "line", str(edit["id"]), text=str(edit["text"]), speaker=str(edit["speaker"]))
        st.rerun()


def _is_new(view: View, edit: dict[str, Any]) -> bool:
    segment = next((s for s in view.transcript.segments if s.id == edit["id"]), None)
    return segment is not None and (segment.text, segment.speaker) != (edit["text"], edit["speaker"])


def _speakers(page: Page, meeting: Meeting, view: View) -> None:
    """One field per speaker: a new name is shown everywhere, nothing is written anew."""
    t, transcript = page.t, view.transcript
    ids = {s.speaker_id or s.speaker: s.speaker for s in transcript.segments}
    with st.expander(t("minutes.speakers", count=len(set(ids.values()))), icon=":material/group:"):
        st.caption(t("minutes.speakers_help"))
        columns = st.columns(min(4, max(1, len(ids))))
        for number, (speaker_id, name) in enumerate(ids.items()):
            field = f"speaker_{speaker_id}_{meeting.version()[2]}"
            new = columns[number % len(columns)].text_input(plain(name), value=name, max_chars=60, key=field)
            if new.strip() and new.strip() != name:
                meeting.log.add(page.user, "speaker", speaker_id, name=new.strip())
                st.rerun()


def _player(page: Page, job: Job, view: View) -> None:
    segments = view.transcript.segments
    cited = {i for item in items_of(view.minutes) for i in item.evidence} if view.minutes else set()
    if not segments and not cited:
        return
    lines = [{"start": s.start, "end": s.end, "speaker": s.speaker, "text": s.text} for s in segments]
    duration = float(view.transcript.meta.get("duration_s") or (segments[-1].end if segments else 0.0))
    components.player(page.t, f"player_{job.id}", src=f"api/jobs/{job.id}/audio", duration=duration, lines=lines)
