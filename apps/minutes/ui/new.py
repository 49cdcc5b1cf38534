"""A new meeting: the recording, what is known of the meeting, start."""

from __future__ import annotations

from datetime import date
from typing import Any

import streamlit as st

from apps.common.ui import components, frame, intake
from apps.common.ui.frame import Page
from apps.minutes.ui.store import TRANSCRIPT_TYPES, Options
from apps.minutes.ui.wiring import AUDIO_TYPES, TEXT_TYPES, glossary_terms, read_glossary
from kakehashi.errors import BadInput
from kakehashi.paths import CHECKOUT

LANGUAGES = {"ja": "日本語", "en": "English", "": ""}


def show(page: Page) -> None:
    t = page.t
    st.header(t("minutes.new_title"))
    st.caption(t("minutes.new_lead"))
    intake.unfinished(page, "recording")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader(t("minutes.recording"))
        limit = page.t.size(page.ctx.uploads.limit_bytes)
        files = components.drop(
            t,
            intake.key("recording"),
            label=t("minutes.drop"),
            hint=t("minutes.drop_hint", limit=limit),
            purpose="recording",
            accept=(*AUDIO_TYPES, *TRANSCRIPT_TYPES),
            record=True,
        )
        _sample(page)
    with right:
        st.subheader(t("minutes.about"))
        options, glossary = _form(page)
    _start(page, files, options, glossary)


def _form(page: Page) -> tuple[Options, list[dict[str, Any]]]:
    t = page.t
    title = st.text_input(t("minutes.title_field"), max_chars=120, placeholder=t("minutes.title_example"))
    day = st.date_input(t("minutes.date"), value=frame.today(), format="YYYY/MM/DD")
    people = st.text_area(t("minutes.participants"), height=80, placeholder=t("minutes.participants_example"))
    st.caption(t("minutes.why_people"))
    with st.expander(t("minutes.more")):
        words = st.text_area(t("minutes.glossary"), height=100, placeholder=t("minutes.glossary_example"))
        st.caption(t("minutes.why_glossary"))
        glossary = components.drop(
            t,
            intake.key("glossary"),
            label=t("minutes.glossary_file"),
            hint=t("minutes.glossary_hint"),
            purpose="glossary",
            accept=TEXT_TYPES,
            compact=True,
        )
        language = st.selectbox(
            t("minutes.language"), LANGUAGES, format_func=lambda code: LANGUAGES[code] or t("minutes.language_auto")
        )
    options = Options(
        title=title.strip(),
        date=day.isoformat() if isinstance(day, date) else None,
        participants=glossary_terms(people),
        glossary=glossary_terms(words),
        language=language or None,
        output_language="en" if language == "en" else "ja",
    )
    return options, glossary


def _start(page: Page, files: list[dict[str, Any]], options: Options, glossary: list[dict[str, Any]]) -> None:
    t = page.t
    if not files:
        st.button(t("minutes.start"), type="primary", disabled=True, help=t("minutes.start_first"), key="start")
        return
    if st.button(t("minutes.start"), type="primary", icon=":material/play_arrow:", key="start"):
        frame.guarded(page, lambda: _submit(page, files, options, glossary))


def _submit(page: Page, files: list[dict[str, Any]], options: Options, glossary: list[dict[str, Any]]) -> None:
    """The recording moves into the job folder first; only then is anything started."""
    title = options.title or files[0]["name"].rsplit(".", 1)[0]
    folder = intake.new_job(page, title, files)
    for upload in intake.claim(page, folder, glossary):
        options.glossary = list(dict.fromkeys([*options.glossary, *read_glossary(folder.root / upload.file)]))
    folder.write_options(options.model_copy(update={"title": title}))
    intake.submit(page, folder)


def _sample(page: Page) -> None:
    """The bundled recording, for a first look without one's own."""
    sample = next(iter(sorted((CHECKOUT / "demo").glob("meeting_ja.*g"))), None)
    if sample is None or not st.button(page.t("minutes.sample"), icon=":material/auto_awesome:", type="tertiary"):
        return
    frame.guarded(page, lambda: _submit_sample(page, sample))


def _submit_sample(page: Page, sample: Any) -> None:
    import yaml

    about = yaml.safe_load((CHECKOUT / "demo" / "meeting_ja.yaml").read_text())
    if not sample.is_file():
        raise BadInput("The sample recording is missing.", code="sample_missing")
    folder = intake.new_job(page, about["title"], [])
    intake.copy_in(folder, sample, "recording")
    folder.write_options(
        Options(
            title=about["title"],
            date=str(about["date"]),
            participants=about["participants"],
            glossary=about["glossary"],
        )
    )
    intake.submit(page, folder)
