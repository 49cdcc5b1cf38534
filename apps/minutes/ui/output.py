"""The documents tab: Word, Markdown, SRT, JSON of what is on the page now; where it came from; the minutes anew."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streamlit as st

from apps.common.jobs import Job
from apps.common.ui import frame
from apps.common.ui.frame import Page
from apps.minutes.documents import to_markdown, write_word
from apps.minutes.export_srt import to_srt
from apps.minutes.exports import to_csv, to_ics, to_vtt
from apps.minutes.ui.edits import View, items_of
from apps.minutes.ui.jobs import LIGHT, MINUTES_STAGE
from apps.minutes.ui.store import Meeting

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def show(page: Page, job: Job, meeting: Meeting, view: View) -> None:
    _downloads(page, job, meeting, view)
    _again(page, job, meeting, view)
    _origin(page, job, meeting, view)


def _name(job: Job) -> str:
    return re.sub(r'[\\/:*?"<>|\s]+', "_", job.info.title).strip("_.") or "minutes"


def _downloads(page: Page, job: Job, meeting: Meeting, view: View) -> None:
    t, name = page.t, _name(job)
    st.caption(t("output.as_shown"))
    left = sum(item.check.status == "needs_review" for item in items_of(view.minutes)) if view.minutes else 0
    if left:
        st.warning(t("output.review_left", count=left), icon=":material/error:")
    with st.container(horizontal=True):
        for label, icon, file, kind, data in files(meeting, view, page.language):
            st.download_button(
                t(f"output.{label}"), data, f"{name}{file}", kind, icon=icon, key=f"get_{label}", on_click="ignore"
            )


def files(meeting: Meeting, view: View, language: str) -> Iterator[tuple[str, str, str, str, bytes]]:
    """(label, icon, end of the file name, type, content) of every document that can be made."""
    transcript, minutes = view.transcript, view.minutes
    if minutes is not None:
        written: Any = "en" if meeting.options.output_language == "en" else "ja"
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "minutes.docx"
            write_word(minutes, transcript, target, written)
            yield "word", ":material/description:", ".docx", WORD, target.read_bytes()
        yield (
            "markdown",
            ":material/article:",
            ".md",
            "text/markdown",
            to_markdown(minutes, transcript, written).encode(),
        )
        tasks = to_csv(minutes, transcript, written)
        yield "tasks_csv", ":material/table:", "_todo.csv", "text/csv", tasks
        yield "tasks_ics", ":material/event:", "_todo.ics", "text/calendar", to_ics(minutes, written).encode()
    yield "srt", ":material/subtitles:", ".srt", "application/x-subrip", to_srt(transcript).encode()
    yield "vtt", ":material/closed_caption:", ".vtt", "text/vtt", to_vtt(transcript).encode()
    if minutes is not None:
        data = minutes.model_dump_json(indent=2).encode()
        yield "json", ":material/data_object:", ".json", "application/json", data
    data = transcript.model_dump_json(indent=2).encode()
    yield "transcript_json", ":material/data_object:", "_transcript.json", "application/json", data


def _again(page: Page, job: Job, meeting: Meeting, view: View) -> None:
    """The minutes anew from the transcript as corrected; speech is not run again."""
    t = page.t
    st.subheader(t("output.again"), anchor=False)
    st.caption(t("output.again_help"))
    with st.container(horizontal=True):
        with st.popover(t("output.again_button"), icon=":material/replay:"):
            st.write(t("output.again_sure"))
            if st.button(t("output.again_yes"), type="primary", key="again_yes"):
                meeting.log.add(page.user, "regenerated")
                owner = page.person.owner
                frame.guarded(page, lambda: page.ctx.jobs.retry(job.id, owner, stage=MINUTES_STAGE, queue=LIGHT))
                st.rerun()
        frame.delete_button(page, job)


def _origin(page: Page, job: Job, meeting: Meeting, view: View) -> None:
    """Who and what made this: user, file hash, models, prompts, policy, request ids, changes by people."""
    t = page.t
    st.subheader(t("output.origin"), anchor=False)
    upload = job.info.uploads[0]
    rows = [
        (t("output.user"), job.info.user),
        (t("output.created"), frame.local_time(job.info.created)),
        (t("output.recording"), f"{upload.name}（{t.size(upload.size)}） SHA-256 {upload.sha256}"),
        (t("output.speech_model"), str(view.transcript.meta.get("model", "—"))),
        *_models(page, view),
        (t("output.edits"), str(len(meeting.log.effective()))),
        (t("output.job"), job.id),
    ]
    frame.table([t("output.what"), t("output.value")], [(name, value or "—") for name, value in rows])


def _models(page: Page, view: View) -> list[tuple[str, str]]:
    t = page.t
    origins = [item.origin for item in items_of(view.minutes) if item.origin] if view.minutes else []
    requests = sorted({i for o in origins for i in o.request_ids})
    return [
        (t("output.model"), "、".join(sorted({o.model for o in origins if o.model}))),
        (t("output.prompt"), "、".join(sorted({o.prompt for o in origins if o.prompt}))),
        (t("output.policy"), "、".join(sorted({o.policy for o in origins if o.policy}))),
        (t("output.requests"), "、".join(requests)),
    ]
