"""A new proposal: the brief (form or file), the material, the template, start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
import yaml

from apps.common.jobs import JobFolder
from apps.common.ui import components, frame, intake
from apps.common.ui.frame import Page, plain
from apps.proposals.brief import read_brief
from apps.proposals.render import check_template
from apps.proposals.ui.store import Options
from apps.proposals.ui.wiring import BRIEF_TYPES, EVIDENCE_TYPES, TEMPLATE_TYPES
from kakehashi.errors import BadInput
from kakehashi.paths import CHECKOUT

Files = list[dict[str, Any]]


def show(page: Page) -> None:
    t = page.t
    st.header(t("proposals.new_title"))
    st.caption(t("proposals.new_lead"))
    left, right = st.columns([3, 2], gap="large")
    with left:
        form_tab, file_tab = st.tabs([t("proposals.by_form"), t("proposals.by_file")])
        with form_tab:
            brief = _form(page)
        with file_tab:
            brief_files = _drop(page, "brief", BRIEF_TYPES)
    with right:
        st.subheader(t("proposals.evidence"), anchor=False)
        evidence = _drop(page, "evidence", EVIDENCE_TYPES, multiple=True)
        st.subheader(t("proposals.template"), anchor=False)
        template = _drop(page, "template", TEMPLATE_TYPES)
        _template_report(page, template)
    _start(page, brief, brief_files, evidence, template)


def _drop(page: Page, purpose: str, accept: Sequence[str], *, multiple: bool = False) -> Files:
    t = page.t
    return components.drop(
        t,
        intake.key(purpose),
        label=t(f"proposals.{purpose}_drop"),
        hint=t(f"proposals.{purpose}_hint", limit=t.size(page.ctx.uploads.limit_bytes)),
        purpose=purpose,
        accept=accept,
        multiple=multiple,
        compact=purpose == "template",
    )


def _lines(text: str) -> list[str]:
    return [line.strip(" ・\t") for line in text.splitlines() if line.strip(" ・\t")]


def _form(page: Page) -> dict[str, Any]:
    """The fields as a brief in the file format, so that form and file go the same way."""
    t = page.t
    first, second = st.columns(2)
    brief: dict[str, Any] = {
        "client": first.text_input(t("proposals.client"), placeholder=t("proposals.client_example"), max_chars=120),
        "industry": second.text_input(t("proposals.industry"), max_chars=120),
    }
    for name in ("needs", "products", "numbers"):
        example = t("proposals.numbers_example") if name == "numbers" else None
        brief[name] = _lines(st.text_area(t(f"proposals.{name}"), height=90, placeholder=example))
    with st.expander(t("proposals.details")):
        brief |= _details(page)
    return {name: value for name, value in brief.items() if value}


def _details(page: Page) -> dict[str, Any]:
    t = page.t
    left, right = st.columns(2)
    classes = {"": "class_unknown", "general": "class_general", "professional": "class_professional"}
    languages = {"ja": "日本語", "en": "English"}
    found: dict[str, Any] = {"title": left.text_input(t("proposals.deck_title"), max_chars=120)}
    found["audience"] = right.text_input(t("proposals.audience"), placeholder=t("proposals.audience_example"))
    found["company"] = left.text_input(t("proposals.company"), max_chars=120)
    found["author"] = right.text_input(t("proposals.author"), value=page.person.name, max_chars=60)
    found["tone"] = left.text_input(t("proposals.tone"), max_chars=60)
    found["slide_count"] = right.number_input(t("proposals.slide_count"), 0, 40, 0) or None
    found["customer_class"] = left.selectbox(
        t("proposals.customer_class"), classes, format_func=lambda key: t(f"proposals.{classes[key]}")
    )
    found["language"] = right.selectbox(
        t("proposals.language"), languages, index=0 if page.language == "ja" else 1, format_func=languages.__getitem__
    )
    for name in ("schedule", "cost", "risks", "comparison"):
        found[name] = _lines(st.text_area(t(f"proposals.{name}"), height=80))
    return found


def _template_report(page: Page, template: Files) -> None:
    """What the chosen template offers and lacks, before anything is made with it."""
    if not template:
        return
    incoming = page.ctx.uploads.get(template[0]["id"], page.person.owner)
    report = check_template(page.ctx.uploads.data(incoming))
    with st.expander(page.t("proposals.template_report"), expanded=True, icon=":material/rule:"):
        if not report.findings:
            st.caption(page.t("proposals.findings_none"))
        for finding in report.findings:
            st.markdown(f"- {plain(finding.message)}")


def _start(page: Page, brief: dict[str, Any], files: Files, evidence: Files, template: Files) -> None:
    t = page.t
    ready = bool(files) or bool(brief.get("client") and (brief.get("needs") or brief.get("products")))
    help_text = None if ready else t("proposals.need_brief")
    with st.container(horizontal=True):
        if st.button(
            t("proposals.start"),
            type="primary",
            icon=":material/play_arrow:",
            disabled=not ready,
            help=help_text,
            key="start",
        ):
            frame.guarded(page, lambda: _submit(page, brief, files, [*evidence, *template]))
        sample = CHECKOUT / "demo" / "brief_ja.yaml"
        if sample.exists() and st.button(t("proposals.sample"), icon=":material/auto_awesome:", type="tertiary"):
            frame.guarded(page, lambda: _submit_sample(page, sample))


def _submit(page: Page, brief: dict[str, Any], files: Files, others: Files) -> None:
    title = _title_of(page, files) if files else str(brief.get("title") or brief["client"])
    folder = intake.new_job(page, title, [*files, *others])
    if not files:
        _write_brief(folder, brief)
    _submit_folder(page, folder, brief)


def _title_of(page: Page, files: Files) -> str:
    incoming = page.ctx.uploads.get(files[0]["id"], page.person.owner)
    brief = read_brief(page.ctx.uploads.data(incoming), say=page.language).brief
    return brief.title or brief.client


def _write_brief(folder: JobFolder, brief: dict[str, Any]) -> None:
    """The form as a brief file among the uploads; refused here when a value cannot be read."""
    source = folder.work / "brief.yaml"
    source.write_text(yaml.safe_dump(brief, allow_unicode=True, sort_keys=False))
    intake.copy_in(folder, source, "brief")


def _submit_folder(page: Page, folder: JobFolder, brief: dict[str, Any]) -> None:
    folder.write_options(Options(language=page.language, brief=brief))
    intake.submit(page, folder)


def _submit_sample(page: Page, sample: Path) -> None:
    brief = read_brief(sample, say=page.language).brief
    if not brief.client:
        raise BadInput("The sample brief is missing.", code="sample_missing")
    folder = intake.new_job(page, brief.title or brief.client, [])
    intake.copy_in(folder, sample, "brief")
    for file in sorted((CHECKOUT / "demo" / "evidence").glob("*")):
        intake.copy_in(folder, file, "evidence")
    _submit_folder(page, folder, {})
