"""From uploads to a job: the files move into the job's folder before anything is started."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from apps.common.jobs import JobFolder, Upload
from apps.common.ui import frame
from apps.common.ui.frame import Page
from apps.common.uploads import Incoming, sha256


def key(name: str) -> str:
    """The key of an upload field; a new one after each submitted job, so that the next form starts empty."""
    return f"drop_{name}_{st.session_state.get('form', 0)}"


def claim(page: Page, folder: JobFolder, files: Iterable[dict[str, Any]]) -> list[Upload]:
    """Move complete uploads into the job. Raises BadInput when one is gone."""
    uploads = page.ctx.uploads
    claimed = [uploads.claim(uploads.get(file["id"], page.person.owner), folder) for file in files]
    record(folder, claimed)
    return claimed


def record(folder: JobFolder, uploads: list[Upload]) -> None:
    info = folder.info()
    folder.write_info(info.model_copy(update={"uploads": [*info.uploads, *uploads]}))


def new_job(page: Page, title: str, files: Iterable[dict[str, Any]]) -> JobFolder:
    folder = page.ctx.jobs.create(page.person.owner, user=page.user, title=title)
    claim(page, folder, files)
    return folder


def copy_in(folder: JobFolder, source: Path, purpose: str) -> Upload:
    """A bundled file as if it had been uploaded."""
    target = folder.uploads / purpose / source.name
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    upload = Upload(
        name=source.name, file=str(target.relative_to(folder.root)), sha256=sha256(target), size=target.stat().st_size
    )
    record(folder, [upload])
    return upload


def submit(page: Page, folder: JobFolder) -> None:
    page.ctx.jobs.submit(folder)
    st.session_state["form"] = st.session_state.get("form", 0) + 1
    frame.open_job(folder.id)
    st.rerun()


def unfinished(page: Page, purpose: str) -> None:
    """What a closed tab or a broken connection left behind: nothing recorded is lost."""
    chosen = {file["id"] for name in (key(purpose),) for file in (st.session_state.get(name) or {}).get("files", [])}
    for incoming in page.ctx.uploads.list(page.person.owner):
        if incoming.purpose == purpose and incoming.id not in chosen and page.ctx.uploads.offset(incoming):
            _offer(page, incoming)


def _offer(page: Page, incoming: Incoming) -> None:
    t, uploads = page.t, page.ctx.uploads
    saved = datetime.fromtimestamp(uploads.data(incoming).stat().st_mtime, UTC).isoformat()
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"left_{incoming.id}"):
        size = t.size(uploads.offset(incoming))
        st.markdown(t("uploads.left_behind", name=frame.plain(incoming.name), size=size, when=frame.local_time(saved)))
        whole = incoming.sha256 or incoming.size is None
        if whole and st.button(t("uploads.use"), key=f"use_{incoming.id}", type="primary"):
            frame.guarded(page, lambda: _take(page, incoming))
            st.rerun()
        if not whole:
            st.caption(t("uploads.choose_again"))
        if st.button(t("uploads.discard"), key=f"discard_{incoming.id}"):
            uploads.discard(incoming)
            st.rerun()


def _take(page: Page, incoming: Incoming) -> None:
    uploads = page.ctx.uploads
    done = (
        incoming
        if incoming.sha256
        else uploads.finish(incoming, lambda path: page.check(path, incoming.purpose, page.language))
    )
    st.session_state[key(incoming.purpose)] = {"files": [{"id": done.id, "name": done.name, "size": done.size}]}
