"""The finished deck: previews, per-slide edit and rewriting, figures with their evidence, findings, downloads."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from apps.common.jobs import Job, State
from apps.common.ui import frame
from apps.common.ui.frame import Page, chip, plain
from apps.proposals.model import Deck, Ledger, Report, Slide
from apps.proposals.render.preview import missing_tools, require_tools
from apps.proposals.ui import story
from apps.proposals.ui.jobs import LIGHT, REVISE_STAGE
from apps.proposals.ui.store import Proposal, body_lines, body_text
from kakehashi.errors import NotReady

PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def show(page: Page, job: Job, proposal: Proposal) -> None:
    t, deck = page.t, proposal.deck()
    if deck is None:
        return
    _head(page, job, proposal, deck)
    with st.container():  # always there, so that the tabs keep their place (and the open one) when news come and go
        _progress(page, job, proposal)
    report = proposal.report()
    names = ("slides", "numbers", "findings", "story", "output")
    slides, numbers, findings, storyline, output = st.tabs([t(f"proposals.tab_{name}") for name in names])
    with slides:
        _slides(page, job, proposal, deck, report)
    with numbers:
        _numbers(page, deck, report, proposal.ledger())
    with findings:
        _findings(page, deck, report, proposal.ledger())
    with storyline:
        story.show(page, job, proposal)
    with output:
        _output(page, job, proposal, deck)


def _head(page: Page, job: Job, proposal: Proposal, deck: Deck) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(plain(deck.title or job.info.title), anchor=False)
        changes = [edit for edit in proposal.log.effective() if edit.op in ("slide", "rewritten")]
        if st.button(page.t("minutes.undo"), icon=":material/undo:", disabled=not changes, key="undo"):
            proposal.log.undo(page.user)
            revise(page, job)
    st.caption(plain(" · ".join(part for part in (deck.client, deck.date, deck.author) if part)))


def revise(page: Page, job: Job) -> None:
    """Make file, checks and previews again after a change; the change itself is already saved."""
    if not job.state.active:
        frame.guarded(page, lambda: page.ctx.jobs.retry(job.id, page.person.owner, stage=REVISE_STAGE, queue=LIGHT))
    st.rerun()


def _progress(page: Page, job: Job, proposal: Proposal) -> None:
    if job.state.active:

        @st.fragment(run_every=1.0)
        def working() -> None:
            now = page.ctx.jobs.get(job.id, page.person.owner)
            if not now.state.active:
                st.rerun()
            st.progress(now.advance.fraction if now.advance else 0.0, text=page.t("proposals.stale_preview"))

        working()
        return
    frame.show_failures(page, job.failures, warn=job.state is State.ATTENTION)
    if job.state is not State.DONE:
        if st.button(page.t("jobs.finish_rest"), icon=":material/replay:", key="finish_rest"):
            frame.guarded(page, lambda: page.ctx.jobs.retry(job.id, page.person.owner))
            st.rerun()
    elif proposal.stale():
        revise(page, job)


def _slides(page: Page, job: Job, proposal: Proposal, deck: Deck, report: Report) -> None:
    _missing_office(page)
    previews = proposal.previews()
    chosen = min(int(st.session_state.get(f"slide_{job.id}", 0)), len(deck.slides) - 1)
    large, side = st.columns([3, 2], gap="medium")
    slide = deck.slides[chosen]
    with large:
        for picture in previews.get(slide.id, []):
            st.image(picture.read_bytes(), width="stretch")
        if slide.id not in previews:
            frame.empty(page.t("proposals.no_preview"), slide.title)
        _slide_findings(page, report, slide)
    with side:
        _edit(page, job, proposal, slide, chosen)
    _grid(page, job, deck, report, previews, chosen)


def _missing_office(page: Page) -> None:
    """Without LibreOffice everything else works; the page says what is missing and the one command."""
    if not missing_tools():
        return
    try:
        require_tools()
    except NotReady as error:
        st.warning(f"**{plain(error.message)}**  \n{plain(error.hint)}", icon=":material/error:")


def _grid(page: Page, job: Job, deck: Deck, report: Report, previews: dict[str, list[Path]], chosen: int) -> None:
    """All slides small; a click shows one large."""
    columns = 5
    for start in range(0, len(deck.slides), columns):
        cells = st.columns(columns)
        for number in range(start, min(start + columns, len(deck.slides))):
            slide = deck.slides[number]
            with cells[number - start].container(key=f"card_slide_{number}"):
                if slide.id in previews:
                    st.image(previews[slide.id][0].read_bytes(), width="stretch")
                stops = any(
                    f.slide == slide.id and f.status == "open" and f.severity == "stop" for f in report.findings
                )
                label = f"{number + 1}. {page.t(f'kinds.{slide.kind}')}"
                if st.button(
                    plain(label),
                    key=f"pick_{number}",
                    icon=":material/error:" if stops else None,
                    type="secondary" if number == chosen else "tertiary",
                    width="stretch",
                ):
                    st.session_state[f"slide_{job.id}"] = number
                    st.rerun()


def _slide_findings(page: Page, report: Report, slide: Slide) -> None:
    for finding in report.findings:
        if finding.slide == slide.id and finding.status == "open":
            icon = {"stop": ":red[:material/error:]", "warn": ":orange[:material/warning:]"}.get(finding.severity, "")
            st.markdown(f"{icon} {plain(finding.message)}")


def _edit(page: Page, job: Job, proposal: Proposal, slide: Slide, number: int) -> None:
    t, version = page.t, len(proposal.log.all())
    st.markdown(f"**{t('proposals.slide', number=number + 1)}** · {t(f'kinds.{slide.kind}')}")
    with st.form(f"slide_{slide.id}_{version}", border=False):
        title = st.text_area(t("proposals.slide_title"), value=slide.title, height=70)
        body = st.text_area(t("proposals.slide_body"), value=body_text(slide), height=170) if slide.body else ""
        notes = st.text_area(t("proposals.slide_notes"), value=slide.notes, height=100)
        if st.form_submit_button(t("edit.save"), type="primary"):
            values = {"title": title.strip(), "notes": notes.strip()}
            changed = {k: v for k, v in values.items() if v != getattr(slide, k)}
            if slide.body and body_lines(body) != body_lines(body_text(slide)):
                proposal.log.add(page.user, "slide", slide.id, **changed, body=body_lines(body))
                revise(page, job)
            elif changed:
                proposal.log.add(page.user, "slide", slide.id, **changed)
                revise(page, job)
    with st.popover(t("proposals.regenerate"), icon=":material/auto_fix_high:"):
        instruction = st.text_input(t("proposals.instruct"), placeholder=t("proposals.instruct_example"), max_chars=200)
        if st.button(t("proposals.regenerate_button"), type="primary", disabled=job.state.active, key="regenerate"):
            proposal.ask_rewrite(slide.id, instruction.strip())
            revise(page, job)


def _numbers(page: Page, deck: Deck, report: Report, ledger: Ledger | None) -> None:
    t = page.t
    shown = [use for use in report.numbers if use.status != "structural"]
    untraced = sum(use.status == "untraced" for use in shown)
    if untraced:
        st.warning(t("proposals.untraced", count=untraced), icon=":material/error:")
    if not shown:
        frame.empty(t("proposals.numbers_none"), "")
        return
    sources = evidence_words(ledger)
    places = slide_numbers(deck)
    head = [t(f"proposals.col_{name}") for name in ("slide", "text", "evidence", "status")]
    rows = [
        (
            places.get(use.slide, use.slide),
            use.text,
            "、".join(sources.get(i, i) for i in use.evidence),
            t(f"number_status.{use.status}"),
        )
        for use in sorted(shown, key=lambda use: use.status != "untraced")
    ]
    rows = list(dict.fromkeys(rows))  # one figure often stands in title, text and notes of a slide
    frame.table(head, rows)


def slide_numbers(deck: Deck) -> dict[str, str]:
    return {slide.id: str(number) for number, slide in enumerate(deck.slides, 1)}


def evidence_words(ledger: Ledger | None) -> dict[str, str]:
    """Ledger id → what a person can look up: file, place, the words there."""
    if ledger is None:
        return {}
    snippets = {s.id: f"{s.file} {s.locator}".strip() for s in ledger.snippets}
    words = {s.id: f"{s.file} {s.locator}: {s.text[:80]}" for s in ledger.snippets}
    for number in ledger.numbers:
        place = snippets.get(number.source, number.source)
        calculation = f" = {number.formula}" if number.formula else ""
        words[number.id] = f"{number.label} {number.raw}{calculation}（{place}）"
    return words


def _findings(page: Page, deck: Deck, report: Report, ledger: Ledger | None) -> None:
    t, places = page.t, slide_numbers(deck)
    open_stops = sum(f.severity == "stop" and f.status == "open" for f in report.findings)
    if open_stops:
        st.warning(t("proposals.stop_findings", count=open_stops), icon=":material/error:")
    if report.findings:
        order = {"stop": 0, "warn": 1, "info": 2}
        rows = [
            (places.get(f.slide, "—"), t(f"severity.{f.severity}"), f.message, t(f"finding_status.{f.status}"))
            for f in sorted(report.findings, key=lambda f: (f.status != "open", order[f.severity]))
        ]
        frame.table([t(f"proposals.col_{name}") for name in ("slide", "severity", "message", "status")], rows)
    else:
        st.html(chip(t("proposals.findings_none"), "ok"))
    st.subheader(t("proposals.contradictions"), anchor=False)
    if report.contradictions:
        frame.table(
            [t(f"proposals.col_{name}") for name in ("label", "values", "sources")],
            [(c.label, " / ".join(c.values), " / ".join(c.sources)) for c in report.contradictions],
        )
    else:
        st.caption(t("proposals.contradictions_none"))
    hidden = [s for s in ledger.snippets if s.hidden] if ledger else []
    if hidden:
        st.subheader(t("proposals.hidden"), anchor=False)
        st.caption(t("proposals.hidden_help"))
        frame.table(
            [t("proposals.col_sources"), t("proposals.col_rule"), t("proposals.col_text")],
            [(f"{s.file} {s.locator}", s.hidden, s.text) for s in hidden],
        )


def _output(page: Page, job: Job, proposal: Proposal, deck: Deck) -> None:
    t = page.t
    name = re.sub(r'[\\/:*?"<>|\s]+', "_", deck.title or job.info.title).strip("_.") or "deck"
    current = not job.state.active and not proposal.stale()
    with st.container(horizontal=True):
        if proposal.pptx.exists():
            st.download_button(
                t("proposals.pptx"),
                proposal.pptx.read_bytes(),
                f"{name}.pptx",
                PPTX,
                icon=":material/slideshow:",
                type="primary",
                disabled=not current,
                key="get_pptx",
                on_click="ignore",
            )
        files = (("deck_json", deck), ("report_json", proposal.report()))
        for label, model in files:
            if model is not None:
                data = model.model_dump_json(indent=2).encode()
                file = f"{name}_{label.removesuffix('_json')}.json"
                st.download_button(
                    t(f"proposals.{label}"), data, file, "application/json", icon=":material/data_object:",
                    key=f"get_{label}", on_click="ignore",
                )  # fmt: skip
    _origin(page, job, proposal, deck)
    frame.delete_button(page, job)


def _origin(page: Page, job: Job, proposal: Proposal, deck: Deck) -> None:
    t = page.t
    st.subheader(t("output.origin"), anchor=False)
    blocks = [block.origin for slide in deck.slides for block in slide.body]
    origins = [o for o in [*blocks, *(slide.origin for slide in deck.slides)] if o]
    rows = [(t("output.user"), job.info.user), (t("output.created"), frame.local_time(job.info.created))]
    rows += [(u.name, f"SHA-256 {u.sha256}") for u in job.info.uploads]
    rows += [
        (t("output.model"), "、".join(sorted({o.model for o in origins if o.model}))),
        (t("output.prompt"), "、".join(sorted({o.prompt for o in origins if o.prompt}))),
        (t("output.policy"), "、".join(sorted({o.policy for o in origins if o.policy}))),
        (t("output.requests"), "、".join(sorted({i for o in origins for i in o.request_ids}))),
        (t("output.edits"), str(len(proposal.log.effective()))),
        (t("output.job"), job.id),
    ]
    frame.table([t("output.what"), t("output.value")], [(name, value or "—") for name, value in rows])
