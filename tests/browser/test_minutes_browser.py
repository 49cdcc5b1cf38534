"""The minutes app in real Chromium: a person's way from a recording to a corrected document, and what may go wrong."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import docx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from kakehashi.paths import CHECKOUT
from tests.browser.conftest import AppServer, settled
from tests.browser.stub_model import StubModel

pytestmark = pytest.mark.browser

TALK = """[00:01] 佐藤: それでは定例会議を始めます。
[00:06] 田中: 先月の相談会には三十二社が参加しました。
[00:14] 佐藤: では、次回の相談会は本店の大会議室で十二月九日に開催することに決定します。
[00:23] 佐藤: 田中さん、来週の金曜日までに参加企業への案内状を作成してください。
[00:31] 田中: 承知しました。来週の金曜日までに作成します。
[00:38] 佐藤: 担保の件は、鑑定の結果を待って、次回の会議で改めて検討しましょう。
"""
SHORT = CHECKOUT / "tests/data/audio/short_ja.ogg"


def drop(page: Page, name: str, data: bytes) -> None:
    page.locator("input[type=file]").first.set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def start(page: Page, app: AppServer, name: str, data: bytes, title: str) -> None:
    page.goto(app.url)
    expect(page.get_by_role("button", name="サンプルの会議で試す")).to_be_visible()
    settled(page)  # the first visit is drawn twice, and a file dropped in between is lost
    drop(page, name, data)
    expect(page.locator("li.done")).to_be_visible()
    page.get_by_label("会議名").fill(title)
    page.get_by_label("会議名").press("Tab")
    settled(page)
    page.get_by_label("出席者").fill("佐藤\n田中")
    page.get_by_label("出席者").press("Tab")
    settled(page)
    page.get_by_role("button", name="議事録を作成する").click()


def review(page: Page) -> None:
    expect(page.get_by_role("tab", name="文字起こし")).to_be_visible(timeout=120_000)
    settled(page)


def test_a_transcript_becomes_minutes_that_are_edited_confirmed_and_downloaded(
    page: Page, minutes_app: AppServer
) -> None:
    start(page, minutes_app, "定例.txt", TALK.encode(), "定例会議")
    review(page)
    assert "?job=" in page.url
    expect(page.get_by_text("参加企業への案内状を作成する").first).to_be_visible()

    # edit the text of a line, with markup in it that must stay text
    page.get_by_role("tab", name="文字起こし").click()
    line = page.locator(".lines:not(.evidence) .line").nth(1)
    line.dblclick()
    page.locator("form textarea").fill("三十三社が参加しました。<b>![x](http://example.invalid/x.png)</b>")
    page.get_by_role("button", name="保存", exact=True).click()
    expect(line.locator(".text")).to_contain_text("<b>![x]")
    expect(line.locator(".mark")).to_have_text("編集済み")
    settled(page)

    # rename a speaker everywhere
    page.get_by_text(re.compile("話者（")).click()
    page.get_by_label("田中", exact=True).fill("高橋")
    page.get_by_label("田中", exact=True).press("Enter")
    expect(line.locator(".who")).to_have_text("高橋")
    settled(page)

    # undo, twice: the name and the text come back
    page.get_by_role("button", name="元に戻す").click()
    expect(line.locator(".who")).to_have_text("田中")
    settled(page)
    page.get_by_role("button", name="元に戻す").click()
    expect(line.locator(".text")).to_contain_text("三十二社")
    settled(page)

    # add a ToDo by hand, then download Word: it is in there
    page.get_by_role("tab", name="議事録", exact=True).click()
    page.get_by_role("button", name="追加").nth(1).click()
    page.get_by_label("実施事項").last.fill("会場を予約する")
    page.get_by_label("担当").last.fill("田中")
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="追加").click()
    expect(page.get_by_text("会場を予約する").first).to_be_visible()
    settled(page)
    page.get_by_role("tab", name="出力").click()
    with page.expect_download() as word:
        page.get_by_role("button", name="Word").click()
    document = docx.Document(io.BytesIO(Path(word.value.path()).read_bytes()))
    text = "\n".join(c.text for t in document.tables for r in t.rows for c in r.cells) + "\n".join(
        p.text for p in document.paragraphs
    )
    assert "会場を予約する" in text
    with page.expect_download() as srt:
        page.get_by_role("button", name="字幕（SRT）").click()
    assert "--> " in Path(srt.value.path()).read_text()
    with page.expect_download() as data:
        page.get_by_role("button", name="議事録（JSON）").click()
    made = json.loads(Path(data.value.path()).read_text())
    assert made["actions"][-1]["origin"]["source"] == "person"
    assert made["meta"]["request_ids"] and made["meta"]["policy"]


def test_a_reload_and_a_new_tab_come_back_to_the_meeting_but_another_browser_does_not(
    page: Page, context: BrowserContext, minutes_app: AppServer
) -> None:
    start(page, minutes_app, "定例.txt", TALK.encode(), "続きの会議")
    review(page)
    address = page.url
    page.reload()
    expect(page.get_by_role("heading", name="続きの会議")).to_be_visible()
    again = context.new_page()
    again.goto(minutes_app.url)
    expect(again.get_by_role("button", name="続きの会議")).to_be_visible()
    browser = context.browser
    assert browser is not None
    stranger = browser.new_context(locale="ja-JP").new_page()
    stranger.goto(address)
    expect(stranger.get_by_text("この履歴は見つかりません。")).to_be_visible()
    job = address.split("job=")[1]
    assert stranger.request.get(f"{minutes_app.url}/api/jobs/{job}/audio").status == 404
    stranger.context.close()


def test_a_killed_server_goes_on_with_the_job_after_a_restart(
    page: Page, minutes_app: AppServer, stub: StubModel
) -> None:
    stub.delay_s = 3.0
    start(page, minutes_app, "定例.txt", TALK.encode(), "止まった会議")
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.wait_for_timeout(1500)
    minutes_app.kill()
    stub.delay_s = 0.0
    minutes_app.start()
    page.reload()
    review(page)
    expect(page.get_by_role("heading", name="止まった会議")).to_be_visible()


def test_a_running_job_is_cancelled_and_goes_on_later(page: Page, minutes_app: AppServer, stub: StubModel) -> None:
    stub.delay_s = 2.0
    start(page, minutes_app, "定例.txt", TALK.encode(), "中止する会議")
    page.get_by_role("button", name="中止する", exact=True).click()
    expect(page.get_by_text("中止しました。").first).to_be_visible()
    stub.delay_s = 0.0
    page.get_by_role("button", name=re.compile("続きから再開する|残りをもう一度実行する")).click()
    review(page)
    expect(page.get_by_text("中止しました。")).to_have_count(0, timeout=60_000)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("会議.wav", b"MZ" + b"\0" * 4000, "「会議.wav」は録音ではありません（中身は実行プログラム）"),
        ("空.mp3", b"", "「空.mp3」は空のファイルです"),
        ("壊れた.wav", b"RIFF\0\0\0\0WAVEfmt " + b"\xff" * 3000, "壊れた.wav"),
        ("空.txt", b"\n\n", "文字起こしのファイルに発言がありません。"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_japanese_and_nothing_starts(
    page: Page, minutes_app: AppServer, name: str, data: bytes, message: str
) -> None:
    before = len(minutes_app.job_folders())
    page.goto(minutes_app.url)
    drop(page, name, data)
    expect(page.locator("li.failed .why")).to_contain_text(message)
    expect(page.get_by_role("button", name="議事録を作成する")).to_be_disabled()
    assert len(minutes_app.job_folders()) == before


def test_a_recording_is_on_disk_while_it_runs_and_survives_a_closed_tab(
    page: Page, context: BrowserContext, minutes_app: AppServer
) -> None:
    page.goto(minutes_app.url)
    page.get_by_role("button", name="録音する").click()
    expect(page.locator("li .state")).to_contain_text("保存済み", timeout=20_000)
    (saved,) = (minutes_app.home / "jobs/minutes/incoming").glob("*/file/*.webm")
    assert saved.stat().st_size > 0
    page.close()
    again = context.new_page()
    again.goto(minutes_app.url)
    expect(again.get_by_text("残っています")).to_be_visible()
    again.get_by_role("button", name="これを使う").click()
    expect(again.get_by_role("button", name="議事録を作成する")).to_be_enabled()


def test_the_page_speaks_english_when_asked_and_remembers_it(page: Page, minutes_app: AppServer) -> None:
    page.goto(minutes_app.url)
    page.get_by_role("button", name="お名前未設定").click()
    page.get_by_role("radio", name="English").or_(page.get_by_role("button", name="English")).click()
    expect(page.get_by_role("heading", name="Minutes from a recording")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Minutes from a recording")).to_be_visible()


def test_no_english_leaks_into_the_japanese_page_and_nothing_is_asked_of_other_machines(
    page: Page, minutes_app: AppServer
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(minutes_app.url)
    expect(page.get_by_role("heading", name="会議の録音から議事録をつくる")).to_be_visible()
    page.get_by_text("用語・言語").click()
    page.get_by_label("会議名").fill("会議")
    page.wait_for_timeout(500)
    icons = page.locator('[data-testid="stIconMaterial"]').all_inner_texts()  # a font draws these words as pictures
    shown = page.locator('[data-testid="stApp"]').inner_text()
    words = set(re.findall(r"[A-Za-z]{3,}", shown)) - {part for icon in icons for part in icon.split("_")}
    assert words - {"wav", "mp3", "mp4", "webm", "ogg", "flac", "vtt", "srt", "txt", "csv"} == set()
    assert [url for url in asked if not url.startswith((minutes_app.url, "data:", "blob:", "ws://127.0.0.1"))] == []


@pytest.mark.speech
def test_a_recording_becomes_minutes_and_a_click_plays_the_line(page: Page, minutes_app: AppServer) -> None:
    start(page, minutes_app, "短い会議.ogg", SHORT.read_bytes(), "短い会議")
    review(page)
    page.get_by_role("tab", name="文字起こし").click()
    lines = page.locator(".lines:not(.evidence) .line")
    expect(lines.first).to_be_visible()
    lines.last.locator(".at").click()
    audio = page.locator("audio")
    page.wait_for_function("audio => audio.currentTime > 0.5 && !audio.error", arg=audio.element_handle())
    assert audio.evaluate("audio => audio.duration") > 5


def test_keyboard_alone_plays_edits_and_saves(page: Page, minutes_app: AppServer) -> None:
    start(page, minutes_app, "定例.txt", TALK.encode(), "キーボードの会議")
    review(page)
    page.get_by_role("tab", name="文字起こし").click()
    first = page.locator(".lines:not(.evidence) .line").first
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("e")
    page.keyboard.press("Control+A")
    page.keyboard.type("三十四社が参加しました。")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".lines:not(.evidence) .line").nth(1).locator(".text")).to_contain_text("三十四社")
