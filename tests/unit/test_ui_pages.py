"""The pages run by Streamlit's AppTest, without browser, worker or model: what one sees in each state of a job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.common.jobs import Failure, Job, JobFolder, Jobs, State
from apps.common.login import Preferences
from apps.common.provenance import Check, Origin
from apps.common.ui import context as app_context
from apps.common.ui import frame
from apps.common.ui.intake import copy_in
from apps.minutes.model import ActionItem, Meeting, Minutes, Segment, Statement, Transcript
from apps.minutes.ui import wiring as minutes_wiring
from apps.minutes.ui.store import Meeting as StoredMeeting
from apps.minutes.ui.store import Options
from apps.proposals.model import Deck, Slide, Storyline, StoryPoint, TextBlock
from apps.proposals.ui import store as proposals_store
from apps.proposals.ui import wiring as proposals_wiring
from apps.proposals.ui.store import Proposal
from kakehashi.paths import CHECKOUT, Home

OWNER = "tab:test"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(frame, "visit", lambda: ({}, {}))
    for wiring in (minutes_wiring, proposals_wiring):
        wiring.context.cache_clear()
    app_context.context.cache_clear()
    yield Home(tmp_path / "home").make().root
    for app in (minutes_wiring, proposals_wiring):
        if app.context.cache_info().currsize:
            app.context().jobs.close()
        app.context.cache_clear()
    app_context.context.cache_clear()


def run(app: str, job: str | None = None) -> AppTest:
    page = AppTest.from_file(str(CHECKOUT / "apps" / app / "ui" / "page.py"), default_timeout=20)
    page.session_state["owner"] = OWNER
    if job:
        page.query_params["job"] = job
    return page.run()


def shown(page: AppTest) -> str:
    """Everything the page says, as one text."""
    kinds = (page.markdown, page.caption, page.error, page.warning, page.info, page.header, page.subheader)
    texts = [str(element.value) for kind in kinds for element in kind]
    texts += [button.label for button in page.button]
    texts += [element.proto.body for element in page.get("html")]
    return "\n".join(texts).replace("\\", "")


def meeting(*, minutes: bool = True) -> tuple[JobFolder, StoredMeeting]:
    """A finished meeting on disk."""
    folder = minutes_wiring.context().jobs.create(OWNER, user="佐藤", title="定例会議")
    sound = folder.work / "会議.wav"
    sound.write_bytes(b"RIFF")
    copy_in(folder, sound, "recording")
    folder.write_options(Options(title="定例会議", date="2026-11-11", participants=["佐藤"]))
    segments = [Segment(id="s0001", start=0, end=4, speaker="話者1", speaker_id="S1", text="会場を予約してください。")]
    transcript = Transcript(language="ja", segments=segments, speakers={"S1": "話者1"})
    (folder.out / "transcript.json").write_text(transcript.model_dump_json())
    stored = StoredMeeting(folder)
    if minutes:
        stored.minutes_file.write_text(made().model_dump_json())
    return folder, stored


def made() -> Minutes:
    review = Check(status="needs_review", reasons=["期限が発言にありません。"])
    return Minutes(
        meeting=Meeting(title="定例会議", date="2026-11-11", participants=["佐藤"]),
        decisions=[Statement(id="d1", text="<img src=x onerror=alert(1)>", evidence=["s0001"])],
        actions=[ActionItem(id="a1", task="会場を予約", owner="話者1", evidence=["s0001"], check=review)],
        stages={"decisions": "done", "actions": "done", "open_questions": "failed", "topics": "not_run"},
        meta={"language": "ja"},
    )


def in_state(monkeypatch: pytest.MonkeyPatch, state: State, **fields: Any) -> None:
    """As if DBOS had said so."""
    original = Jobs._job

    def job(self: Jobs, info: Any, status: Any) -> Job:
        return original(self, info, status).model_copy(update={"state": state, "failures": [], **fields})

    monkeypatch.setattr(Jobs, "_job", job)


def test_the_first_page_asks_for_a_recording_and_cannot_start_without_one() -> None:
    page = run("minutes")
    assert not page.exception
    assert "会議の録音から議事録をつくる" in shown(page)
    (start,) = [b for b in page.button if b.label == "議事録を作成する"]
    assert start.disabled


def test_a_finished_meeting_shows_items_checks_and_the_three_kinds_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    in_state(monkeypatch, State.DONE)
    folder, _ = meeting()
    page = run("minutes", folder.id)
    assert not page.exception
    text = shown(page)
    assert "会場を予約" in text and "要確認 1件" in text and "期限が発言にありません。" in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text and "<img src=x" not in text
    assert "継続検討の作成に失敗しました" in text
    assert "議題と要点はまだ作成していません。" in text


def test_confirming_an_item_is_recorded_and_can_be_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    in_state(monkeypatch, State.DONE)
    folder, stored = meeting()
    page = run("minutes", folder.id)
    page = page.button(key="confirm_a1").click().run()
    assert [e.op for e in stored.log.effective()] == ["confirm"]
    assert "確認済み（お名前未設定）" in shown(page)
    page = page.button(key="undo").click().run()
    assert stored.log.effective() == []
    assert "確認済み（" not in shown(page)


def test_removing_and_renaming_reach_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    in_state(monkeypatch, State.DONE)
    folder, stored = meeting()
    stored.log.add("佐藤", "speaker", "S1", name="田中")
    page = run("minutes", folder.id)
    assert "<b>田中</b>" in shown(page)
    page = page.button(key="remove_d1").click().run()
    assert "決定事項は見つかりませんでした。" in shown(page)


def test_a_transcript_without_minutes_is_shown_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    down = Failure(stage="minutes", code="gateway_down", message="The gateway cannot be reached.")
    in_state(monkeypatch, State.FAILED, failures=[down])
    folder, _ = meeting(minutes=False)
    page = run("minutes", folder.id)
    text = shown(page)
    assert "議事録の作成： ゲートウェイに接続できません。" in text
    assert "議事録はまだできていません" in text and "残りをもう一度実行する" in text


def test_a_failed_job_tells_why_and_offers_to_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Failure(stage="speech", code="audio_silent", message="x", values={"file": "会議.wav", "minutes": "3"})
    in_state(monkeypatch, State.FAILED, failures=[silent])
    folder = minutes_wiring.context().jobs.create(OWNER, title="無音")
    text = shown(run("minutes", folder.id))
    assert "「会議.wav」（3分）には話し声が見つかりませんでした。" in text and "もう一度実行する" in text


@pytest.mark.parametrize("job", ["0" * 16, "../../etc/passwd", "<script>"])
def test_an_unknown_job_is_a_message_and_not_an_error(job: str) -> None:
    page = run("minutes", job)
    assert not page.exception
    assert "この履歴は見つかりません。" in shown(page)


def test_somebody_elses_job_is_unknown_and_not_listed() -> None:
    folder = minutes_wiring.context().jobs.create("user:boss", title="役員会")
    page = run("minutes", folder.id)
    text = shown(page)
    assert "この履歴は見つかりません。" in text and "役員会" not in text


def test_without_the_proxys_header_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_MINUTES__USER_HEADER", "X-Forwarded-User")
    page = run("minutes")
    text = shown(page)
    assert "サインインが確認できません。" in text and "録音" not in text


def test_the_page_comes_in_the_language_a_person_chose() -> None:
    minutes_wiring.context().people.save(OWNER, Preferences(name="Sato", language="en"))
    text = shown(run("minutes"))
    assert "Minutes from a recording" in text and "会議の録音から" not in text


# --- proposals ---


def proposal(*, deck: bool = False) -> tuple[JobFolder, Proposal]:
    folder = proposals_wiring.context().jobs.create(OWNER, user="佐藤", title="ご提案")
    folder.write_options(proposals_store.Options())
    stored = Proposal(folder)
    points = [StoryPoint(kind="title", message="ご提案"), StoryPoint(kind="issues", message="課題は*二つ*です")]
    stored.storyline_file.write_text(Storyline(title="ご提案", points=points).model_dump_json())
    if deck:
        slides = [
            Slide(id="title", kind="title", title="ご提案"),
            Slide(id="issues", kind="issues", title="課題", body=[TextBlock(text="円安", evidence=["D1"])]),
        ]
        stored.deck_file.write_text(Deck(title="ご提案", client="みなと食品", slides=slides).model_dump_json())
    return folder, stored


def test_a_proposal_needs_a_client_and_a_need_to_start() -> None:
    page = run("proposals")
    assert not page.exception
    (start,) = [b for b in page.button if b.label == "ストーリーラインを作成する"]
    assert start.disabled


def test_the_storyline_is_edited_moved_locked_and_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    in_state(monkeypatch, State.WAITING)
    folder, stored = proposal()
    page = run("proposals", folder.id)
    assert not page.exception
    page = page.button(key="down_0").click().run()
    moved = stored.storyline()
    assert moved is not None and [p.kind for p in moved.points] == ["issues", "title"]
    page = page.button(key="lock_0").click().run()
    locked = stored.storyline()
    assert locked is not None and locked.points[0].locked
    assert page.button(key="remove_0").disabled
    page = page.button(key="undo_story").click().run()
    page = page.button(key="remove_1").click().run()
    left = stored.storyline()
    assert left is not None and [p.kind for p in left.points] == ["issues"]


def test_a_text_typed_just_before_a_click_elsewhere_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    in_state(monkeypatch, State.WAITING)
    folder, stored = proposal()
    page = run("proposals", folder.id)
    page.text_input(key="message_1_0").set_value("課題は三つです")
    page = page.button(key="down_0").click().run()
    moved = stored.storyline()
    assert moved is not None and [p.message for p in moved.points] == ["課題は三つです", "ご提案"]


def test_the_deck_is_shown_with_what_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    in_state(monkeypatch, State.DONE)
    folder, _ = proposal(deck=True)
    page = run("proposals", folder.id)
    assert not page.exception
    text = shown(page)
    assert "プレビューを表示できません。" in text and "食い違いは見つかりませんでした。" in text


def test_an_edited_slide_keeps_the_evidence_of_lines_that_stay() -> None:
    _, stored = proposal(deck=True)
    body = [{"text": "円安", "level": 1}, {"text": "人手不足", "level": 0}]
    stored.log.add("佐藤", "slide", "issues", title="課題は二つ", body=body)
    deck = stored.deck()
    assert deck is not None
    slide = deck.slides[1]
    assert (slide.title, [(b.text, b.level, b.evidence) for b in slide.body]) == (
        "課題は二つ",
        [("円安", 1, ["D1"]), ("人手不足", 0, [])],
    )
    assert slide.body[1].origin == Origin(source="person")


def test_new_slides_drop_changes_made_to_the_old_ones() -> None:
    _, stored = proposal(deck=True)
    stored.log.add("佐藤", "slide", "issues", title="古い")
    stored.log.add("佐藤", "built")
    stored.log.add("佐藤", "slide", "issues", notes="新しい")
    deck = stored.deck()
    assert deck is not None
    assert (deck.slides[1].title, deck.slides[1].notes) == ("課題", "新しい")


@pytest.mark.parametrize("text", ["円安", "円安\n- 仕入れ\n- - 為替", "- 一つ"])
def test_a_body_survives_being_edited_as_text(text: str) -> None:
    lines = proposals_store.body_lines(text)
    slide = Slide(id="x", kind="text", title="t", body=[TextBlock(**line) for line in lines])
    assert proposals_store.body_text(slide) == text
