"""The minutes tab: every item with the lines it rests on, its check, and how to correct or confirm it."""

from __future__ import annotations

import html
import secrets
from collections.abc import Sequence
from datetime import date
from typing import Any

import streamlit as st

from apps.common.ui import components, frame
from apps.common.ui.frame import Page, chip, plain
from apps.minutes.model import ActionItem, Item, Minutes, Statement, Topic
from apps.minutes.ui.edits import View, items_of
from apps.minutes.ui.store import Meeting

SECTIONS = (
    ("decisions", ":material/gavel:"),
    ("actions", ":material/task_alt:"),
    ("open_questions", ":material/help:"),
    ("dissent", ":material/thumb_down:"),
)


def show(page: Page, meeting: Meeting, view: View) -> None:
    t, minutes = page.t, view.minutes
    if minutes is None:
        frame.empty(t("minutes.not_made"), t("minutes.not_made_hint"))
        return
    _summary(page, view, minutes)
    for section, icon in SECTIONS:
        _section(page, meeting, view, section, icon)
    if minutes.next_meeting:
        st.subheader(f":material/event: {t('minutes.next_meeting')}", anchor=False)
        _item(page, meeting, view, minutes.next_meeting)
    _topics(page, meeting, view, minutes)


def _summary(page: Page, view: View, minutes: Minutes) -> None:
    """How much is left to look at."""
    t = page.t
    review = sum(item.check.status == "needs_review" for item in items_of(minutes))
    label = chip(t("minutes.review_left", count=review), "warn") if review else chip(t("minutes.review_none"), "ok")
    confirmed = chip(t("minutes.confirmed_count", count=len(view.confirmed)), "mute") if view.confirmed else ""
    st.html(f"<div>{label} {confirmed}</div>")


def _section(page: Page, meeting: Meeting, view: View, section: str, icon: str) -> None:
    t = page.t
    assert view.minutes is not None  # noqa: S101 - show() returned before for a meeting without minutes
    found: Sequence[Item] = getattr(view.minutes, section)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"{icon} {t(f'minutes.{section}')}", anchor=False)
        with st.popover(t("edit.add"), icon=":material/add:"):
            _add(page, meeting, section)
    if not found:
        _nothing(page, section, view.minutes.stages.get(section))
    for item in found:
        _item(page, meeting, view, item)


def _nothing(page: Page, section: str, stage: str | None) -> None:
    """None, failed and not run are three different things."""
    t = page.t
    name = t(f"minutes.{section}")
    if stage == "failed":
        st.warning(t("minutes.section_failed", section=name), icon=":material/error:")
    elif stage == "not_run":
        st.info(t("minutes.section_not_run", section=name), icon=":material/hourglass_disabled:")
    else:
        st.caption(t("minutes.section_none", section=name))


def _item(page: Page, meeting: Meeting, view: View, item: Item) -> None:
    with st.container(border=True, key=f"card_{item.id}"):
        st.html(_card(page, view, item))
        _evidence(page, view, item)
        with st.container(horizontal=True):
            needs = item.check.status == "needs_review"
            if needs and st.button(page.t("edit.confirm"), key=f"confirm_{item.id}", icon=":material/check:"):
                meeting.log.add(page.user, "confirm", item.id)
                st.rerun()
            with st.popover(page.t("edit.edit"), icon=":material/edit:", type="tertiary"):
                _edit(page, meeting, view, item)


def _card(page: Page, view: View, item: Item) -> str:
    """Text, owner and due, check: as HTML, all text escaped."""
    t = page.t
    details = ""
    if isinstance(item, ActionItem):
        owner, due = html.escape(item.owner or t("minutes.no_owner")), html.escape(_due(page, item))
        words = f"{t('minutes.owner')}: <b>{owner}</b>　{t('minutes.due')}: <b>{due}</b>"
        details = f'<div class="kk-item-more">{words}</div>'
    head = f'<div class="kk-item">{html.escape(_text(item))} {_badge(page, view, item)}</div>'
    return f"<div>{head}{details}{_reasons(item)}</div>"


def _text(item: Item) -> str:
    return item.task if isinstance(item, ActionItem) else item.text if isinstance(item, Statement) else ""


def _due(page: Page, item: ActionItem) -> str:
    if not item.due:
        return item.due_text or page.t("minutes.no_due")
    day = date.fromisoformat(item.due)
    shown = (
        f"{day:%Y-%m-%d}({page.t('time.weekdays')[day.weekday()]})" if page.language == "ja" else f"{day:%a %Y-%m-%d}"
    )
    return f"{shown} 「{item.due_text}」" if item.due_text and page.language == "ja" else shown


def _badge(page: Page, view: View, item: Item) -> str:
    t = page.t
    if item.id in view.confirmed:
        return chip(t("minutes.badge_confirmed", by=view.confirmed[item.id].by), "ok")
    if item.check.status == "needs_review":
        return chip(t("minutes.badge_review"), "warn")
    return chip(t("minutes.badge_supported"), "mute")


def _reasons(item: Item) -> str:
    if item.check.status != "needs_review" or not item.check.reasons:
        return ""
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in item.check.reasons)
    return f'<ul class="kk-reasons">{reasons}</ul>'


def _evidence(page: Page, view: View, item: Item) -> None:
    from apps.minutes.ui.review import line_data

    cited = [s for s in view.transcript.segments if s.id in item.evidence]
    if cited:
        components.evidence(page.t, f"evidence_{item.id}", lines=[line_data(page, s) for s in cited])
    else:
        st.caption(page.t("minutes.no_evidence"))


def _edit(page: Page, meeting: Meeting, view: View, item: Item) -> None:
    t = page.t
    version = meeting.version()[2]
    with st.form(f"edit_{item.id}_{version}", border=False):
        values = _fields(page, view, item)
        if st.form_submit_button(t("edit.save"), type="primary"):
            changed = {k: v for k, v in values.items() if v != getattr(item, k)}
            if changed:
                meeting.log.add(page.user, "item", item.id, **changed)
                st.rerun()
    if st.button(t("edit.remove"), icon=":material/delete:", key=f"remove_{item.id}", type="tertiary"):
        meeting.log.add(page.user, "remove", item.id)
        st.rerun()


def _fields(page: Page, view: View | None, item: Item) -> dict[str, Any]:
    """Input fields for an item's text and, of a ToDo, owner and due date."""
    t = page.t
    if not isinstance(item, ActionItem):
        return {"text": st.text_area(t("edit.text"), value=_text(item), key=f"text_{item.id}").strip()}
    task = st.text_area(t("edit.task"), value=item.task, key=f"task_{item.id}").strip()
    owner = st.text_input(t("minutes.owner"), value=item.owner or "", max_chars=60, key=f"owner_{item.id}").strip()
    known = date.fromisoformat(item.due) if item.due else None
    due = st.date_input(t("minutes.due"), value=known, format="YYYY/MM/DD", key=f"due_{item.id}")
    return {"task": task, "owner": owner or None, "due": due.isoformat() if isinstance(due, date) else None}


def _add(page: Page, meeting: Meeting, section: str) -> None:
    t = page.t
    blank: Item = (
        ActionItem(id=f"new_{section}", task="") if section == "actions" else Statement(id=f"new_{section}", text="")
    )
    with st.form(f"add_{section}", border=False, clear_on_submit=True):
        values = _fields(page, None, blank)
        if st.form_submit_button(t("edit.add"), type="primary") and (values.get("text") or values.get("task")):
            meeting.log.add(page.user, "add", section, id=f"person-{secrets.token_hex(4)}", **values)
            st.rerun()


def _topics(page: Page, meeting: Meeting, view: View, minutes: Minutes) -> None:
    t = page.t
    st.subheader(f":material/topic: {t('minutes.topics')}", anchor=False)
    if not minutes.topics:
        _nothing(page, "topics", minutes.stages.get("topics"))
    for topic in minutes.topics:
        with st.expander(plain(_topic_title(topic)), expanded=True):
            if not topic.points:
                st.caption(t("minutes.no_points"))
            for point in topic.points:
                _item(page, meeting, view, point)


def _topic_title(topic: Topic) -> str:
    from apps.common.i18n import clock

    return topic.title if topic.start is None else f"{topic.title}（{clock(topic.start)}〜）"
