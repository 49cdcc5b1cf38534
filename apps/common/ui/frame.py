"""The frame of both apps: header with language and name, the list of one's jobs, progress, errors, empty states."""

from __future__ import annotations

import html
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import streamlit as st

from apps.common.i18n import LANGUAGES, Language, Texts
from apps.common.jobs import Failure, Job, State
from apps.common.login import Person, SignInNeeded
from apps.common.ui.context import AppContext
from apps.common.ui.words import Localise, explain, explain_failure
from kakehashi import settings
from kakehashi.errors import KakehashiError

log = logging.getLogger(__name__)

ICONS = {
    State.QUEUED: ":material/schedule:",
    State.RUNNING: ":material/progress_activity:",
    State.WAITING: ":material/edit_note:",
    State.DONE: ":material/check_circle:",
    State.ATTENTION: ":material/error:",
    State.FAILED: ":material/cancel:",
    State.CANCELLED: ":material/block:",
}
_CSS = Path(__file__).parent.parent / "theme.css"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$&=^\"'@/])")


CheckUpload = Callable[[Path, str, str], None]


def plain(text: str) -> str:
    """Text of users or models for places where Streamlit reads Markdown: shown as it is, nothing interpreted."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split("\n")))


@dataclass(frozen=True)
class Page:
    """One run of a page: the app's stores, the person, and the texts of their language."""

    ctx: AppContext
    person: Person
    t: Texts
    check: CheckUpload
    localise: Localise

    @property
    def language(self) -> Language:
        return self.t.language

    @property
    def user(self) -> str:
        """The name for audit records."""
        return self.person.name or self.t("frame.guest")


def open_page(ctx: AppContext, check: CheckUpload, localise: Localise) -> Page:
    """Set up the page and its header. Stops the run when the sign-in proxy names nobody."""
    st.set_page_config(page_title=f"架け橋 {ctx.name}", page_icon="🌉", layout="wide", initial_sidebar_state="auto")
    st.html(_CSS)
    try:
        person = _person(ctx)
    except KakehashiError as error:
        t = Texts(ctx.settings.language)
        show_error(error, t, None)
        if isinstance(error, SignInNeeded):  # while the page was open: a page opened anew is sent there at once
            st.html(f'<p><a href="signin">{html.escape(t("sign_in.again_link"))}</a></p>')
        st.stop()
    chosen = ctx.people.preferences(person.owner)
    t = Texts(chosen.language or ctx.settings.language)
    person = person if person.fixed else Person(person.owner, chosen.name, fixed=False)
    page = Page(ctx, person, t, check, localise)
    _header(page)
    return page


def visit() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Headers and cookies of this visit."""
    return st.context.headers, st.context.cookies


def _person(ctx: AppContext) -> Person:
    found = ctx.door.person(*visit())
    if found is None:  # a browser that refuses cookies: its jobs live as long as the tab
        owner = st.session_state.setdefault("owner", f"tab:{secrets.token_hex(16)}")
        return Person(owner, "", fixed=False)
    return found


def _header(page: Page) -> None:
    t, ctx = page.t, page.ctx
    with st.container(key="kk_header", horizontal=True, vertical_alignment="center"):
        st.html(f'<div class="kk-brand"><b>架け橋</b><span>{t(f"{ctx.name}.title")}</span></div>')
        other = _other_app(ctx)
        if other:
            st.link_button(t(f"{ctx.name}.other_app"), other, type="tertiary", icon=":material/swap_horiz:")
        with st.popover(plain(page.person.name) or t("frame.guest"), icon=":material/person:"):
            _preferences(page)


def _other_app(ctx: AppContext) -> str | None:
    """The address of the other app, when this one is opened at its own port (not through a proxy)."""
    url = urlsplit(st.context.url or "")
    ports = {"minutes": ctx.settings.minutes.port, "proposals": ctx.settings.proposals.port}
    if url.port != ports[ctx.name]:
        return None
    other = ports["proposals" if ctx.name == "minutes" else "minutes"]
    return f"{url.scheme}://{url.hostname}:{other}/"


def _preferences(page: Page) -> None:
    t, people, owner = page.t, page.ctx.people, page.person.owner
    chosen = people.preferences(owner)
    language = st.segmented_control(
        t("frame.language"),
        LANGUAGES,
        default=t.language,
        format_func=lambda code: {"ja": "日本語", "en": "English"}[code],
    )
    if language and language != t.language:
        people.save(owner, chosen.model_copy(update={"language": language}))
        st.rerun()
    if page.person.fixed:
        st.caption(t("frame.signed_in"))
        if page.person.account:
            _account_links(page)
        return
    name = st.text_input(t("frame.name"), value=chosen.name, max_chars=60)
    st.caption(t("frame.name_help"))
    if name.strip() != chosen.name:
        people.save(owner, chosen.model_copy(update={"name": name.strip()}))
        st.rerun()


def _account_links(page: Page) -> None:
    """To the pages beside Streamlit's own, on which only a form can do something."""
    assert page.person.account is not None  # noqa: S101 - asked before
    links = {"signout": "sign_in.sign_out_do"}
    if page.person.account.source == "session":
        links = {"signin/password": "sign_in.password_title", **links}
    lines = "".join(f'<p><a href="{path}">{html.escape(page.t(text))}</a></p>' for path, text in links.items())
    st.html(lines)


def show_error(error: KakehashiError, t: Texts, localise: Localise | None) -> None:
    message, hint = explain(error, t.language, localise)
    st.error(f"**{plain(message)}**  \n{plain(hint)}", icon=":material/error:")


def show_failures(page: Page, failures: Iterable[Failure], *, warn: bool = False) -> None:
    for failure in failures:
        message, hint = explain_failure(failure, page.language, page.localise)
        stage = page.t.get(f"stages.{failure.stage}", "")
        where = f"{stage}： " if stage else ""
        box = st.warning if warn else st.error
        box(f"**{plain(where + message)}**  \n{plain(hint)}", icon=":material/error:")


def unexpected(error: Exception) -> bool:
    """The page's last resort: the log gets the traceback, the person a sentence in their language."""
    log.error("The page broke off", exc_info=error)
    t = Texts(settings.load().language)
    st.error(f"**{plain(t('errors.internal.message', detail=type(error).__name__))}**", icon=":material/error:")
    return True


def empty(title: str, text: str) -> None:
    st.html(f'<div class="kk-empty"><b>{html.escape(title)}</b>{html.escape(text)}</div>')


def chip(text: str, kind: str) -> str:
    """A small coloured label; ``kind``: ok, warn, bad, mute. HTML, the text escaped."""
    return f'<span class="kk-chip {kind}">{html.escape(text)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = ()) -> None:
    """A readable table; every cell is text and is escaped."""
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=num' if i in numeric else ''}>{html.escape(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    st.html(f'<div class="kk-table"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>')


def _zone() -> ZoneInfo:
    return ZoneInfo(st.context.timezone or "Asia/Tokyo")


def today() -> date:
    """The date where the person is."""
    return datetime.now(_zone()).date()


def local_time(iso: str) -> str:
    """A stored UTC time as the person's clock shows it."""
    return datetime.fromisoformat(iso).astimezone(_zone()).strftime("%Y-%m-%d %H:%M")


def current_job() -> str | None:
    """The job named in the address: a reload or a shared tab comes back to it."""
    return st.query_params.get("job")


def open_job(job_id: str) -> None:
    st.query_params["job"] = job_id


def job_list(page: Page) -> None:
    """The person's jobs, newest first, in the sidebar."""
    t = page.t
    with st.sidebar:
        if st.button(t(f"{page.ctx.name}.new"), icon=":material/add:", type="primary", width="stretch", key="new_job"):
            st.query_params.clear()
            st.rerun()
        st.caption(t("jobs.list"))
        jobs = page.ctx.jobs.list(page.person.owner)
        if not jobs:
            st.caption(t("jobs.none"))
        _rows(page, jobs)


def _rows(page: Page, jobs: Sequence[Job]) -> None:
    shown = len(jobs) if st.session_state.get("all_jobs") else 12
    for job in jobs[:shown]:
        title = plain(job.info.title or page.t("jobs.untitled"))
        help_text = f"{page.t(f'states.{job.state}')} · {local_time(job.info.created)}"
        kind: Literal["secondary", "tertiary"] = "secondary" if job.id == current_job() else "tertiary"
        if st.button(title, key=f"job_{job.id}", icon=ICONS[job.state], help=help_text, width="stretch", type=kind):
            open_job(job.id)
            st.rerun()
    if len(jobs) > shown and st.button(page.t("jobs.more", count=len(jobs) - shown), type="tertiary"):
        st.session_state["all_jobs"] = True
        st.rerun()


def watch(page: Page, job: Job) -> None:
    """The progress of an unfinished job, refreshed by itself; the whole page runs again when it ends."""
    st.subheader(plain(job.info.title or page.t("jobs.untitled")))

    @st.fragment(run_every=1.0)
    def progress() -> None:
        now = page.ctx.jobs.get(job.id, page.person.owner)
        if not now.state.active:
            st.rerun()
        _progress(page, now)
        if st.button(page.t("jobs.cancel"), icon=":material/stop_circle:", key="cancel_job"):
            page.ctx.jobs.cancel(job.id, page.person.owner)
            st.rerun()

    progress()
    st.caption(page.t("jobs.may_close"))


def _progress(page: Page, job: Job) -> None:
    t = page.t
    if job.state is State.QUEUED:
        st.progress(0.0, text=t("jobs.ahead", count=job.ahead) if job.ahead else t("jobs.starting"))
        return
    advance = job.advance
    if advance is None:
        st.progress(0.0, text=t("jobs.starting"))
        return
    words = [t.get(f"stages.{advance.stage}", advance.stage), f"{advance.fraction:.0%}"]
    if advance.eta_s is not None:
        words.append(t("jobs.left", time=t.duration(advance.eta_s)))
    if advance.detail:
        words.append(advance.detail)
    st.progress(min(advance.fraction, 1.0), text=plain(" · ".join(words)))


def stopped(page: Page, job: Job) -> None:
    """A failed or cancelled job: why, and what can be done."""
    t, jobs, owner = page.t, page.ctx.jobs, page.person.owner
    st.subheader(plain(job.info.title or t("jobs.untitled")))
    if job.state is State.CANCELLED:
        st.info(t("jobs.cancelled"), icon=ICONS[State.CANCELLED])
    show_failures(page, job.failures)
    with st.container(horizontal=True):
        label = t("jobs.resume" if job.state is State.CANCELLED else "jobs.retry")
        if st.button(label, type="primary", icon=":material/replay:", key="retry_job"):
            guarded(page, lambda: jobs.retry(job.id, owner))
            st.rerun()
        delete_button(page, job)


def delete_button(page: Page, job: Job) -> None:
    """Delete after a second click: the recording goes with it."""
    with st.popover(page.t("jobs.delete"), icon=":material/delete:"):
        st.write(page.t("jobs.delete_sure"))
        if st.button(page.t("jobs.delete_yes"), key="delete_yes"):
            page.ctx.jobs.delete(job.id, page.person.owner)
            st.query_params.clear()
            st.rerun()


def guarded(page: Page, action: Callable[[], object]) -> bool:
    """Do something that may be refused; a refusal is shown. Gives whether it was done."""
    try:
        action()
    except KakehashiError as error:
        show_error(error, page.t, page.localise)
        return False
    return True
