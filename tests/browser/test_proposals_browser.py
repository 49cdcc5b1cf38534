"""The proposals app in real Chromium: brief → storyline, edited → deck → slide edited → a .pptx that opens."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pptx import Presentation

from tests.browser.conftest import AppServer, settled

pytestmark = pytest.mark.browser

BRIEF = """client: 株式会社みなと食品
industry: 食品製造
needs: [円安による仕入れコストの増加, 資金繰り表の更新が月1回]
products: [為替予約, 資金管理クラウド]
numbers:
  - {label: 資金繰り表の作成時間, before: 月40時間, after: 月12時間}
"""
FILES = "input[type=file]"


def upload(page: Page, field: str, name: str, data: bytes) -> None:
    """Give a file to the drop zone with this label."""
    zone = page.locator(".drop", has=page.get_by_text(field, exact=False))
    zone.locator(FILES).set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})


def storyline(page: Page, app: AppServer) -> None:
    """A brief as a file, to the storyline."""
    page.goto(app.url)
    page.get_by_role("tab", name="概要ファイル").click()
    upload(page, "概要ファイルをここに", "概要.yaml", BRIEF.encode())
    expect(page.locator("li.done")).to_be_visible()
    page.get_by_role("button", name="ストーリーラインを作成する").click()
    expect(page.get_by_role("button", name="スライドを作成する")).to_be_visible(timeout=60_000)


def press(page: Page, key: str) -> None:
    """Click a button of the storyline, once the page has settled (while it redraws, the old one is still there)."""
    button = page.locator(f".st-key-{key} button:visible")  # a tooltip doubles it
    expect(button).to_have_count(1)
    button.click()


def saved(page: Page) -> None:
    """Wait until the deck on disk shows the last change."""
    settled(page)
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=90_000)
    settled(page)


def download(page: Page, label: str) -> bytes:
    page.get_by_role("tab", name="出力").click()
    button = page.get_by_role("button", name=label)
    expect(button).to_be_enabled(timeout=60_000)
    with page.expect_download() as file:
        button.click()
    return Path(file.value.path()).read_bytes()


@pytest.mark.office
def test_a_brief_becomes_an_edited_storyline_a_deck_and_a_file_that_opens(page: Page, proposals_app: AppServer) -> None:
    storyline(page, proposals_app)
    messages = page.get_by_role("textbox", name=re.compile("メッセージ"))
    count = messages.count()
    messages.nth(3).fill("仕入れコストの上昇が利益を押し下げています")
    messages.nth(3).press("Enter")
    expect(messages.nth(3)).to_have_value("仕入れコストの上昇が利益を押し下げています")
    press(page, "down_3")
    expect(messages.nth(4)).to_have_value("仕入れコストの上昇が利益を押し下げています")
    press(page, f"remove_{count - 2}")
    expect(messages).to_have_count(count - 1)
    page.reload()
    expect(messages.nth(4)).to_have_value("仕入れコストの上昇が利益を押し下げています")

    page.get_by_role("button", name="スライドを作成する").click()
    expect(page.get_by_role("tab", name="数字の根拠")).to_be_visible(timeout=90_000)
    saved(page)
    expect(page.locator('[data-testid="stImage"] img').first).to_be_visible(timeout=60_000)

    page.get_by_role("button", name=re.compile("^5. ")).click()
    settled(page)
    title = page.get_by_label("メッセージ（見出し）").first
    expect(title).to_have_value("仕入れコストの上昇が利益を押し下げています")
    title.fill("仕入れコストの上昇に備えます")
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.get_by_role("button", name="元に戻す").first).to_be_enabled()
    saved(page)
    deck = Presentation(io.BytesIO(download(page, "PowerPoint")))
    texts = [shape.text_frame.text for slide in deck.slides for shape in slide.shapes if shape.has_text_frame]
    assert "仕入れコストの上昇に備えます" in "".join("".join(t.split()) for t in texts)
    assert len(deck.slides) >= count - 1
    report = json.loads(download(page, "点検結果（report.json）"))
    assert [n for n in report["numbers"] if n["status"] == "untraced"] == []
    page.get_by_role("tab", name="数字の根拠").click()
    expect(page.locator(".kk-table td:visible").filter(has_text="40時間").first).to_be_visible()


def test_a_form_with_too_little_cannot_start_and_says_what_is_missing(page: Page, proposals_app: AppServer) -> None:
    page.goto(proposals_app.url)
    start = page.get_by_role("button", name="ストーリーラインを作成する")
    expect(start).to_be_disabled()
    page.get_by_label("お客様名").fill("株式会社みなと食品")
    page.get_by_label("お客様名").press("Tab")
    expect(start).to_be_disabled()
    page.get_by_label("お客様の課題・ニーズ").fill("資金繰りの改善")
    page.get_by_label("お客様の課題・ニーズ").press("Tab")
    expect(start).to_be_enabled()


@pytest.mark.parametrize(
    ("field", "name", "data"),
    [
        ("概要ファイルをここに", "概要.yaml", b"client: [\n"),
        ("概要ファイルをここに", "空.md", b"   \n"),
        ("資料をここに", "資料.pdf", b"MZ" + b"\0" * 500),
        ("テンプレートを選択", "型.pptx", b"PK\x03\x04 broken"),
    ],
)
def test_what_cannot_be_used_is_refused_in_japanese_when_it_is_dropped(
    page: Page, proposals_app: AppServer, field: str, name: str, data: bytes
) -> None:
    page.goto(proposals_app.url)
    if "概要" in field:
        page.get_by_role("tab", name="概要ファイル").click()
    upload(page, field, name, data)
    why = page.locator("li.failed .why")
    expect(why).to_contain_text(re.compile("[ぁ-ん]"))
    expect(why).to_contain_text(name)


def test_a_templates_report_is_shown_before_anything_is_made_with_it(page: Page, proposals_app: AppServer) -> None:
    from apps.proposals.templates import DEFAULT_TEMPLATE

    page.goto(proposals_app.url)
    upload(page, "テンプレートを選択", "自社.pptx", DEFAULT_TEMPLATE.read_bytes())
    expect(page.get_by_text("テンプレートの点検結果")).to_be_visible()
