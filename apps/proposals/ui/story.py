"""The storyline, before any slide is written: one message per slide, to edit, order, add, remove, lock."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from apps.common.jobs import Job
from apps.common.ui import frame
from apps.common.ui.frame import Page, plain
from apps.proposals.model import SlideKind, Storyline, StoryPoint
from apps.proposals.ui.jobs import BUILD_STAGE
from apps.proposals.ui.store import Proposal

KINDS: tuple[SlideKind, ...] = get_args(SlideKind)


def show(page: Page, job: Job, proposal: Proposal) -> None:
    t, storyline = page.t, proposal.storyline()
    if storyline is None:
        frame.stopped(page, job)
        return
    st.subheader(plain(storyline.title), anchor=False)
    st.caption(t("proposals.story_help"))
    rows = [_point(page, proposal, storyline, number) for number in range(len(storyline.points))]
    points = [point for point, _ in rows]
    pressed = next(((name, number) for number, (_, name) in enumerate(rows) if name), None)
    # every field is read before a button acts: a text typed just before the click is not lost
    points = acted(points, *pressed) if pressed else points
    if points != storyline.points:
        save(page, proposal, storyline, points)
    with st.container(horizontal=True):
        if st.button(t("proposals.add_slide"), icon=":material/add:", key="add_point"):
            new = StoryPoint(kind="text", message="")
            save(page, proposal, storyline, [*storyline.points, new])
        undo = [edit for edit in proposal.log.effective() if edit.op == "storyline"]
        if st.button(t("minutes.undo"), icon=":material/undo:", disabled=not undo, key="undo_story"):
            proposal.log.undo(page.user)
            st.rerun()
    build(page, job, proposal)


def save(page: Page, proposal: Proposal, storyline: Storyline, points: list[StoryPoint]) -> None:
    proposal.save_storyline(page.user, storyline.model_copy(update={"points": points}))
    st.rerun()


def acted(points: list[StoryPoint], action: str, number: int) -> list[StoryPoint]:
    """The storyline after a button of one row was pressed."""
    points = list(points)
    match action:
        case "up" | "down":
            other = number - 1 if action == "up" else number + 1
            points[number], points[other] = points[other], points[number]
        case "lock" | "unlock":
            points[number] = points[number].model_copy(update={"locked": action == "lock"})
        case "remove":
            del points[number]
    return points


def _point(page: Page, proposal: Proposal, storyline: Storyline, number: int) -> tuple[StoryPoint, str]:
    """One planned slide as its fields stand now, and the button pressed (or nothing).

    The number of edits is in the fields' keys, so that after a move they show what is there.
    """
    t, point, version = page.t, storyline.points[number], len(proposal.log.all())
    with st.container(border=True, key=f"card_story_{number}"):
        kind_column, text_column, buttons = st.columns([1.3, 5, 1.7], vertical_alignment="center")
        kind = kind_column.selectbox(
            t("proposals.kind"),
            KINDS,
            index=KINDS.index(point.kind),
            format_func=lambda k: t(f"kinds.{k}"),
            key=f"kind_{number}_{version}",
            disabled=point.locked,
            label_visibility="collapsed",
        )
        message = text_column.text_input(
            f"{number + 1} {t('proposals.message')}",
            value=point.message,
            key=f"message_{number}_{version}",
            disabled=point.locked,
            label_visibility="collapsed",
            placeholder=t("proposals.message"),
        )
        with buttons:
            pressed = _point_buttons(page, storyline, number)
    return point.model_copy(update={"kind": kind, "message": message.strip()}), pressed


def _point_buttons(page: Page, storyline: Storyline, number: int) -> str:
    """The name of the button pressed, or nothing."""
    last, locked = len(storyline.points) - 1, storyline.points[number].locked
    lock, key = ("unlock", ":material/lock:") if locked else ("lock", ":material/lock_open:")
    buttons = (
        ("up", ":material/arrow_upward:", number == 0),
        ("down", ":material/arrow_downward:", number == last),
        (lock, key, False),
        ("remove", ":material/delete:", locked or last == 0),
    )
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        pressed = [name for name, icon, off in buttons if _icon(page, icon, name, number, disabled=off)]
    return pressed[0] if pressed else ""


def _icon(page: Page, icon: str, name: str, number: int, *, disabled: bool = False) -> bool:
    words = page.t(f"proposals.{name}")  # read aloud; the style sheet shows the icon only
    return st.button(words, icon=icon, help=words, key=f"{name}_{number}", type="tertiary", disabled=disabled)


def build(page: Page, job: Job, proposal: Proposal) -> None:
    """Start writing the slides; with a deck already there, after a second click."""
    t = page.t
    if proposal.deck() is None:
        if st.button(t("proposals.build"), type="primary", icon=":material/slideshow:", key="build"):
            _run(page, job, proposal)
        return
    with st.popover(t("proposals.rebuild"), icon=":material/replay:"):
        st.write(t("proposals.rebuild_sure"))
        if st.button(t("proposals.rebuild"), type="primary", key="rebuild"):
            _run(page, job, proposal)


def _run(page: Page, job: Job, proposal: Proposal) -> None:
    proposal.log.add(page.user, "built")
    proposal.want_build()
    frame.guarded(page, lambda: page.ctx.jobs.retry(job.id, page.person.owner, stage=BUILD_STAGE))
    st.rerun()
